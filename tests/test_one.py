"""Equal values share one object, even values that strangers can make up."""

from __future__ import annotations

import sys

from sipaudit.one import TEXTS, one_number, one_text


def test_what_is_equal_is_one() -> None:
    assert one_text("".join(("pbx.", "example"))) is one_text("".join(("pbx", ".example")))
    assert one_number(int("3600")) is one_number(int("3600"))


def test_hosts_that_strangers_invent_are_not_kept_for_good() -> None:
    """They must not be interned: Python 3.12.1 never frees interned strings. Objects are counted, not bytes, because
    one of Python's own tables may grow in any round, depending on what the process did before."""
    held = []
    for number in range(4 * TEXTS):
        one_text(f"host{number}.example.com")
        if number % TEXTS == TEXTS - 1:
            held.append(sys.getallocatedblocks())
    assert held[-1] < held[0] + TEXTS // 10, held
