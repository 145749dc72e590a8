"""Values that are one for all that are equal, and that strangers may invent."""

from __future__ import annotations

import tracemalloc

from sipaudit.one import TEXTS, one_number, one_text


def test_what_is_equal_is_one() -> None:
    assert one_text("".join(("pbx.", "example"))) is one_text("".join(("pbx", ".example")))
    assert one_number(int("3600")) is one_number(int("3600"))


def test_hosts_that_strangers_invent_are_not_kept_for_good() -> None:
    """Python 3.12.1 keeps what was interned. (The first round lets a table grow.)"""
    held = []
    tracemalloc.start()
    for number in range(4 * TEXTS):
        one_text(f"host{number}.example.com")
        if number % TEXTS == TEXTS - 1:
            held.append(tracemalloc.get_traced_memory()[0])
    tracemalloc.stop()
    assert held[-1] < held[1] + 500_000, held
