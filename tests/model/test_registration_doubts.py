"""What leaves a check of the rules on registrations and on failed servers open although the story breaks the rule: the
same story, with less known about it."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from msgspec.structs import replace

from sipaudit.model.absorb_phone import absorb_phone
from sipaudit.model.events import Sent
from sipaudit.model.observations import Verdict
from sipaudit.model.profile import Profile, Vendor
from sipaudit.model.replay import step
from sipaudit.model.scenario import parse
from sipaudit.model.settings import EntryServer, ServerEntry
from sipaudit.model.state import LineState, PhoneState
from sipaudit.rulebook.pack import load_pack
from sipaudit.rulebook.trial import judge_scenario

FOLDER = Path(__file__).parent / "scenarios"
RULES = {rule.id: rule for rule in load_pack().rules}
# One story for each row of the rules' tables.
STORIES = {
    "unregistered-message-r2": "signalling-to-unregistered-server",
    "noexpiry-zero-r3": "registration-without-expiry",
    "lapsed-r2": "signalling-after-expiry",
    "dereg-r2": "deregistration-at-failover",
    "rereg-r0": "unexpected-re-registration",
    "tofailed-r2": "signalling-to-failed-server",
    "tofailed-info": "signalling-to-failed-server",
    "tofailed-publish": "signalling-to-failed-server",
    "fromfailed-200": "accepted-from-failed-server",
    "fromfailed-invite-of-a-call": "accepted-from-failed-server",
}
BY_ABSENCE = [name for name in STORIES if not name.startswith(("noexpiry", "lapsed", "dereg"))]
OF_AN_ENTRY = [name for name in STORIES if not name.startswith(("noexpiry", "lapsed"))]
BETWEEN_SERVERS = [name for name in OF_AN_ENTRY if name.startswith(("unregistered", "tofailed", "fromfailed"))]


def judged(story: str, change: Callable[[Profile], Profile] = lambda profile: profile,
           rule: str = "") -> set[str]:
    """Findings and open checks of the story's rule, without their times, with the profile as `change` returns it."""
    scenario = parse((FOLDER / f"{story}.scenario").read_text())
    lines, _ = judge_scenario(replace(scenario, profile=change(scenario.profile)), [RULES[STORIES.get(story, rule)]])
    return {line.partition(" ")[2] for line in lines}


def entry(**priorities: int) -> Callable[[Profile], Profile]:
    """Gives the line's entry those of the servers P, S and T that are named, with these priorities."""
    addresses = {"P": "10.0.0.1", "S": "10.0.0.2", "T": "10.0.0.3"}
    servers = tuple(EntryServer(addresses[name], 5060, "udp", priority) for name, priority in priorities.items())
    return lambda profile: replace(profile, entry=ServerEntry("sbc", servers))


@pytest.mark.parametrize("story", STORIES)
def test_of_a_phone_that_is_not_modelled_nothing_is_said(story: str) -> None:
    assert any("?" not in said for said in judged(story))
    said = judged(story, lambda profile: replace(profile, vendor=Vendor.UNMODELLED))
    assert said == {f"? {STORIES[story]} vendor-unmodelled"}


@pytest.mark.parametrize("story", [name for name in STORIES if not name.startswith("noexpiry")])
def test_whose_phone_it_is_must_be_known(story: str) -> None:
    said = judged(story, lambda profile: replace(profile, identity_unsure=True))
    assert said == {f"? {STORIES[story]} identity-unsure"}


def test_what_a_server_says_needs_no_phone_that_is_known() -> None:
    assert judged("noexpiry-zero-r3", lambda profile: replace(profile, identity_unsure=True)) == judged(
        "noexpiry-zero-r3")


@pytest.mark.parametrize("story", OF_AN_ENTRY)
def test_an_entry_that_is_not_known_decides_nothing(story: str) -> None:
    assert judged(story, lambda profile: replace(profile, entry=None)) == {f"? {STORIES[story]} entry-unknown"}


@pytest.mark.parametrize("story", BETWEEN_SERVERS)
def test_servers_of_one_priority_share_the_load(story: str) -> None:
    assert judged(story, entry(P=1, S=1)) == {f"? {STORIES[story]} load-balanced"}


@pytest.mark.parametrize("story", BETWEEN_SERVERS)
def test_a_move_to_a_server_of_no_list_is_no_failover(story: str) -> None:
    assert judged(story, entry(P=1, T=2)) == set()


@pytest.mark.parametrize("story", BY_ABSENCE)
def test_what_rests_on_a_missing_packet_needs_a_capture_that_has_nearly_all(story: str) -> None:
    said = judged(story, lambda profile: replace(profile, lossy=True))
    assert said == {f"? {STORIES[story]} loss-nearby"}


def lossy(profile: Profile) -> Profile:
    return replace(profile, lossy=True)


def test_where_packets_are_missing_the_registration_before_a_return_may_be_one_of_them() -> None:
    rule = "failback-without-registration"
    assert judged("noreg-r2", lossy, rule) == {f"? {rule} loss-nearby"}


@pytest.mark.parametrize(("story", "rule", "server"), [
    ("noreg-refused", "failback-without-registration", "P"),
    ("unregistered-refused", "signalling-to-unregistered-server", "S"),
])
def test_what_the_server_refused_itself_is_not_missing(story: str, rule: str, server: str) -> None:
    assert judged(story, lossy, rule) == {f"{rule} {server} likely capture-complete"}


@pytest.mark.parametrize(("seconds", "crossed"), [(0.9, True), (1.2, False)])
def test_where_two_captures_show_them_a_bye_and_the_200_may_have_crossed_by_their_clocks(
    seconds: float, crossed: bool
) -> None:
    scenario = parse((FOLDER / "tofailed-r2.scenario").read_text())
    *before, bye = scenario.events
    bye = replace(bye, capture=1, time=before[-1].time + seconds)
    lines, _ = judge_scenario(replace(scenario, events=(*before, bye)), [RULES["signalling-to-failed-server"]])
    assert bool(lines) is not crossed


@pytest.mark.parametrize(("seconds", "verdict"), [(303.55, Verdict.FORBIDDEN), (310.0, Verdict.INCONCLUSIVE)])
def test_another_line_that_registers_there_since_may_have_ended_it_for_all(seconds: float, verdict: Verdict) -> None:
    """No source tells whether a server counts as failed for the line or for the whole phone (reference-model.md 4)."""
    scenario = parse((FOLDER / "tofailed-r2.scenario").read_text())
    line, phone = LineState(), PhoneState()
    register, *_, bye = scenario.events
    assert isinstance(register, Sent)
    other = replace(register, line=1, time=seconds, transaction=99)
    for event in sorted((*scenario.events[:-1], other), key=lambda event: event.time):
        if event is other:
            phone = absorb_phone(phone, other)
            continue
        taken = step(line, phone, event, lambda: scenario.profile)
        line, phone = taken.after, taken.phone
    said = step(line, phone, bye, lambda: scenario.profile).observations
    assert [one.verdict for one in said if one.expectation == "silence-to-failed"] == [verdict]
