"""Addresses that are still in use after the answer that listed them has expired."""

from __future__ import annotations

import pytest

from tests.incidents.ground import Tower, registered
from tests.stories import R2, Story, T


def renamed(story: Story, tries: float) -> None:
    """The answer at 30 no longer lists T, which the phone tries at `tries`."""
    (phone,) = registered(story, 1, server=T)
    names = ["sbc.example.com. 60 IN A 10.0.0.3", "sbc.example.com. 60 IN A 10.0.0.2"]
    story.lookup(-0.5, phone.place, "sbc.example.com.", "A", *names)
    story.lookup(30, phone.place, "sbc.example.com.", "A", "sbc.example.com. 60 IN A 10.0.0.1", names[1])
    phone.call(tries, T, 2.0)


@pytest.mark.parametrize(("tries", "seen"), [(55.0, []), (62.0, ["stale-dns 10.0.0.3 62.000-62.000 1"])])
def test_an_address_is_stale_when_the_answer_that_listed_it_has_run_out(
    tower: Tower, tries: float, seen: list[str]
) -> None:
    story = Story()
    renamed(story, tries)
    entries = {"sbc": {"servers": [{"name": "sbc.example.com"}]}}
    assert tower.see(story, entries=entries, only="stale-dns") == seen


def test_an_address_that_another_entry_of_the_line_lists_is_not_stale(tower: Tower) -> None:
    """The line works with T, which only its branch's entry still lists."""
    story = Story()
    renamed(story, 62)
    entries = {"sbc": {"servers": [{"name": "sbc.example.com"}]}, "branch": {"servers": [{"address": T[0]}]}}
    lines = [{"match": {}, "entry": ["sbc", "branch"], "settings": R2}]
    assert tower.see(story, entries=entries, lines=lines, only="stale-dns") == []
