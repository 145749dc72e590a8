"""A site that lost its power or link, seen from the core: its phones fall silent, and their registrations expire."""

from __future__ import annotations

from datetime import UTC

import pytest

from sipaudit.model.values import Incident
from sipaudit.report.verdict import sentences
from tests.incidents.ground import Tower, end
from tests.stories import MINUTE, R2, Handset, S, Story

CUT, BACK, OVER = 500, 1000, 1500
GROUPS = [{"match": {"user": users}, "entry": "sbc", "group": group, "settings": {**R2, **MINUTE}}
          for users, group in (("1*", "Branch"), ("*", "Head office"))]


def two_sites(story: Story) -> tuple[list[Handset], list[Handset]]:
    """Ten phones of the branch and ten of the head office, each granted 300 s and renewing after 240."""
    return tuple([Handset(story, str(1000 * site + number), (f"10.{site}.0.{number}", 5060), granted=300, asks=300)
                  for number in range(1, 11)] for site in (1, 2))   # type: ignore[return-value]


def renews(phones: list[Handset], until: float, again: float | None = BACK) -> None:
    """The phones register, one every 12 s, and renew until `until`; then again from a later time on."""
    for number, phone in enumerate(phones):
        times = [time + number * 12 for time in range(0, OVER, 240)]
        for time in times:
            if time < until or (again is not None and time > again):
                phone.register(time)


def said(tower: Tower, story: Story, **more: object) -> list[str]:
    end(story, OVER)
    tower.see(story, {**R2, **MINUTE}, **more)   # type: ignore[arg-type]
    return [sentence for sentence in sentences(tower.report, UTC) if "had run out" in sentence]


@pytest.mark.parametrize("grouped", [True, False])
@pytest.mark.parametrize("back", [BACK, None])
def test_a_site_that_falls_silent_is_told(tower: Tower, grouped: bool, back: float | None) -> None:
    story = Story()
    branch, office = two_sites(story)
    renews(branch, CUT, back)
    renews(office, OVER)
    (sentence,) = said(tower, story, **({"lines": GROUPS} if grouped else {}))
    which = "Branch" if grouped else "10.1.0.0/24"
    assert sentence.startswith(f"The registrations of all 10 phones of {which} had run out at 12:")
    assert ("by the end of the captures" in sentence) is (back is None)
    assert "No outage or other incident was seen." not in sentences(tower.report, UTC)


def test_nine_of_ten_are_nearly_all(tower: Tower) -> None:
    story = Story()
    branch, office = two_sites(story)
    renews(branch[:9], CUT)
    renews([branch[9], *office], OVER)
    (sentence,) = said(tower, story)
    assert "of 9 of 10 phones of 10.1.0.0/24" in sentence


@pytest.mark.parametrize("case", ["half", "nobody else", "logged out", "one by one", "few", "short"])
def test_what_may_be_something_else_is_not(tower: Tower, case: str) -> None:
    story = Story()
    branch, office = two_sites(story)
    if case == "half":
        renews(branch[:5], CUT)
        renews(branch[5:], OVER)
    elif case == "few":
        branch = branch[:2]
        renews(branch, CUT)
    elif case == "short":
        renews(branch, CUT, again=CUT + 100)
    elif case == "one by one":   # switched off as people go home
        for number, phone in enumerate(branch):
            renews([phone], 200 + 90 * number, None)
    else:
        renews(branch, CUT)
    if case == "logged out":
        for phone in branch:
            phone.register(CUT + 200, expires=0)
    renews(office, CUT if case == "nobody else" else OVER)
    assert said(tower, story) == []


@pytest.mark.parametrize(("case", "seen"), [
    ("together", True), ("one by one", False), ("half", False), ("calls", False)])
def test_a_site_that_comes_back_before_all_were_without_a_registration_at_once_is_told_too(
    tower: Tower, case: str, seen: bool
) -> None:
    """Cut off for as long as registrations last: each phone's expires, the last when the first phone is back."""
    story = Story()
    branch, office = two_sites(story)
    renews(office, OVER)
    for number, phone in enumerate(branch):
        for time in range(0, 481, 240):
            phone.register(time + number * 20)
        phone.register(1000 + number * (30 if case == "one by one" else 3) - 220 * (case == "half" and number > 4))
        phone.register(1230 + number * 3)
    for time in range(5, OVER, 20):
        office[time // 20 % 10].call(time, seconds=5)
    if case == "calls":
        for time in range(600, 1000, 50):
            branch[time // 50 % 10].call(time, seconds=5)
    end(story, OVER)
    tower.see(story, {**R2, **MINUTE})
    found = [sentence for sentence in sentences(tower.report, UTC) if sentence.startswith("Nothing was seen of ")]
    assert [sentence.partition(", while")[0] for sentence in found] == ([
        "Nothing was seen of all 10 phones of 10.1.0.0/24 from 12:11:00 to 12:16:40, and their registrations ran out"
    ] if seen else [])


def test_what_an_outage_tells_is_not_told_twice(tower: Tower) -> None:
    """The phones are seen to ask both servers in vain."""
    story = Story()
    branch, office = two_sites(story)
    renews(branch, CUT)
    renews(office, OVER)
    for number, phone in enumerate(branch):
        for late in range(0, 480, 40):
            phone.silence(CUT + number + late, method="REGISTER")
            phone.silence(CUT + number + late + 6, S, method="REGISTER")
    assert said(tower, story) == []
    assert {"server-outage", "registration-gap"} <= {one.kind for one in told(tower)}


def told(tower: Tower) -> list[Incident]:
    return list(tower.report.incidents)
