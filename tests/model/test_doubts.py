"""Each story that breaks a failback rule once more, with a doubt that no event shows: the finding becomes an open check
with the doubt as its reason."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from msgspec.structs import replace

from sipaudit.model.profile import Profile, Vendor
from sipaudit.model.scenario import parse
from sipaudit.model.settings import LineSettings, ServerEntry
from sipaudit.rulebook.pack import load_pack
from sipaudit.rulebook.trial import judge_scenario

FOLDER = Path(__file__).parent / "scenarios"
RULES = {rule.id: rule for rule in load_pack().rules}
# One story for each row of the rules' tables.
STORIES = {
    "overdue-r2-call": "overdue-failback", "overdue-r2-renewal": "overdue-failback",
    "overdue-r2-no-try": "overdue-failback", "overdue-dnsttl": "overdue-failback",
    "overdue-dnsttl-beyond": "overdue-failback", "overdue-dnsttl-no-try": "overdue-failback",
    "overdue-renewal-r2": "overdue-failback", "during-r2": "failback-during-call",
    "noreg-r2": "failback-without-registration", "probe-r1": "failback-probe-registration",
    "often-r2": "failback-retried-too-often", "primary-r0": "primary-not-tried-first",
    "premature-r2-register": "premature-failback", "premature-dnsttl": "premature-failback",
    "premature-registration-mode": "premature-failback",
}
# Stories in which the finding rests on the absence of a packet.
BY_ABSENCE = {name: rule for name, rule in STORIES.items()
              if rule in ("overdue-failback", "primary-not-tried-first")}


def judged(story: str, change: Callable[[Profile], Profile]) -> list[str]:
    """Findings and open checks of the story's rule, without their times, with the profile as `change` returns it."""
    scenario = parse((FOLDER / f"{story}.scenario").read_text())
    lines, _ = judge_scenario(replace(scenario, profile=change(scenario.profile)), [RULES[STORIES[story]]])
    said = [line.partition(" ")[2] for line in lines]
    return [line for line in said if STORIES[story] in line]


def balanced(profile: Profile) -> Profile:
    """Gives all servers of the entry the same priority."""
    assert profile.entry is not None
    servers = tuple(replace(server, priority=1) for server in profile.entry.servers)
    return replace(profile, entry=replace(profile.entry, servers=servers))


def alone(profile: Profile) -> Profile:
    """Leaves the entry only its first server."""
    assert profile.entry is not None
    return replace(profile, entry=ServerEntry("sbc", profile.entry.servers[:1]))


DOUBTS: dict[str, Callable[[Profile], Profile]] = {
    "identity-unsure": lambda profile: replace(profile, identity_unsure=True),
    "encrypted": lambda profile: replace(profile, encrypted=True),
    "vendor-unmodelled": lambda profile: replace(profile, vendor=Vendor.UNMODELLED),
    "entry-unknown": lambda profile: replace(profile, entry=None),
    "load-balanced": balanced,
}
WITHOUT_A_PRIMARY = ("entry-unknown", "load-balanced")   # no server is higher than another: some rows do not apply then


@pytest.mark.parametrize("story", STORIES)
@pytest.mark.parametrize("reason", DOUBTS)
def test_what_is_in_doubt_leaves_the_check_open(story: str, reason: str) -> None:
    said = judged(story, DOUBTS[reason])
    assert set(said) <= {f"? {STORIES[story]} {reason}"}
    assert said or reason in WITHOUT_A_PRIMARY


@pytest.mark.parametrize("story", STORIES)
def test_without_settings_nothing_is_held_against_the_phone(story: str) -> None:
    said = judged(story, lambda profile: replace(profile, settings=LineSettings()))
    assert all(line.startswith("?") for line in said)


@pytest.mark.parametrize("story", STORIES)
def test_one_server_cannot_be_returned_to(story: str) -> None:
    assert judged(story, alone) == []


@pytest.mark.parametrize("story", BY_ABSENCE)
def test_what_rests_on_a_missing_packet_needs_a_whole_capture(story: str) -> None:
    said = judged(story, lambda profile: replace(profile, lossy=True))
    assert set(said) == {f"? {STORIES[story]} loss-nearby"}


@pytest.mark.parametrize("story", [name for name in STORIES if name.startswith("overdue")])
def test_a_clock_that_was_set_ahead_makes_nothing_overdue(story: str) -> None:
    before_the_last = parse((FOLDER / f"{story}.scenario").read_text()).events[-2].frame
    said = judged(story, lambda profile: replace(profile, steps=((0, before_the_last, 3600.0),)))
    if story == "overdue-renewal-r2":  # its renewal is due by the registration's time, not by the last event's
        return
    assert set(said) == {"? overdue-failback loss-nearby"}


@pytest.mark.parametrize("step", [(0, 1, 3600.0), (0, 99, 3600.0), (1, 6, 3600.0)])
def test_a_clock_set_before_the_move_or_after_the_call_or_elsewhere_excuses_nothing(
    step: tuple[int, int, float]
) -> None:
    assert judged("overdue-r2-call", lambda profile: replace(profile, steps=(step,))) == judged(
        "overdue-r2-call", lambda profile: profile)


@pytest.mark.parametrize("story", STORIES)
def test_a_phone_that_nobody_vouches_for_is_likely_at_fault(story: str) -> None:
    said = judged(story, lambda profile: replace(profile, vouched=False))
    assert all(line.split()[2:] == ["likely", "firmware-obeys"] for line in said)


@pytest.mark.parametrize("story", STORIES)
def test_a_phone_that_shows_servers_outside_its_list_is_likely_at_fault(story: str) -> None:
    said = judged(story, lambda profile: replace(profile, list_in_doubt=True))
    assert said
    assert all(line.split()[2:] == ["likely", "list-as-resolved"] for line in said)
