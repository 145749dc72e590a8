"""Fills in the texts of rules: `{elapsed}` becomes a fact in words, `{failBack.timeout}` a setting and its source."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping

from sipaudit.model.observations import Fact
from sipaudit.model.settings import LineSettings, Origin, Setting
from sipaudit.rulebook.facts import SECONDS, SETTINGS

NAME = re.compile(r"\{([A-Za-z0-9_.]+)\}")
TENTH = 0.1   # seconds below which one decimal is not enough
REGISTERED = {
    "never": "never asked for in this capture", "pending": "still without its 200", "expired": "past its expiry",
    "refused": "refused", "zero": "granted for 0 seconds", "removed": "ended by the line itself",
}


def names_in(text: str) -> Iterator[str]:
    """The names of the placeholders in a text."""
    return (match[1] for match in NAME.finditer(text))


def unknown_names(text: str, known: Iterable[str]) -> Iterator[str]:
    """The placeholders in a text that are neither `known` facts nor settings."""
    valid = {*known, *SETTINGS}
    return (name for name in names_in(text) if name not in valid)


def fill(text: str, facts: Mapping[str, Fact], settings: LineSettings) -> str:
    """The text with every `{name}` replaced; settings read `failBack.timeout=60 from site.yaml:12 ...`."""

    def value(match: re.Match[str]) -> str:
        name = match[1]
        if name in facts:
            return _fact(name, facts[name])
        return _setting(name, settings.get(name))

    return NAME.sub(value, text)


def _fact(name: str, value: Fact) -> str:
    if name == "registered":
        return REGISTERED.get(str(value), str(value))
    if name in SECONDS and isinstance(value, int | float):
        return in_words(value)
    return "unknown" if value is None else str(value)


def in_words(seconds: float) -> str:
    """`59 min`, `3.5 s`, `0.014 s`: precise below two minutes, rounded above."""
    if seconds < TENTH:
        return f"{round(seconds, 3):g} s"
    if seconds < 120:
        return f"{round(seconds, 1):g} s"
    return f"{round(seconds / 60, 1):g} min" if seconds < 7200 else f"{round(seconds / 3600, 1):g} h"


def _setting(name: str, setting: Setting) -> str:
    if setting.value is None:
        return f"{name} not known"
    origin = "the default" if setting.origin is Origin.DEFAULT else setting.source or setting.origin
    return f"{name}={setting.value}, {origin}"
