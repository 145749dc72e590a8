"""Patterns mean the same on every Python that we run on."""

from __future__ import annotations

import re
from pathlib import Path

import sipaudit

SOURCES = sorted(Path(sipaudit.__file__).parent.rglob("*.py"))
# After a possessive group that did not match, Python before 3.11.5 goes on inside of it (CPython issue 106052):
# `(?:"a" )?+<` finds `"<`.  Debian 12 has 3.11.2.  One possessive character or set is sound.
POSSESSIVE_GROUP = re.compile(r"\)(?:[?*+]|\{\d*,?\d*\})\+|\(\?>")


def test_the_trap_is_known_when_seen() -> None:
    assert all(map(POSSESSIVE_GROUP.search, ["(?:a)?+", "(a)*+", "(a|b)++", "(ab){1,3}+", "(?>ab)"]))
    assert not any(map(POSSESSIVE_GROUP.search, ["[ab]*+", "(ab)?", r"\d{1,3}+", "f(x) + y"]))


def test_no_pattern_has_a_possessive_group() -> None:
    assert [path.name for path in SOURCES if POSSESSIVE_GROUP.search(path.read_text())] == []
