"""What keeps the failover rules silent, or leaves the check open, although the story breaks them: the same story, with
less known about it."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from msgspec.structs import replace

from sipaudit.model.events import Answered
from sipaudit.model.observations import Observation, Verdict
from sipaudit.model.profile import Profile, Vendor
from sipaudit.model.proofs import hold, next_deadline
from sipaudit.model.replay import replay
from sipaudit.model.scenario import Scenario, parse
from sipaudit.model.settings import EntryServer, ServerEntry
from sipaudit.rulebook.pack import load_pack
from sipaudit.rulebook.trial import judge_scenario

FOLDER = Path(__file__).parent / "scenarios"
STORIES = {
    "failover-without-failure": "fwf-r0-duration",
    "failover-skipped-server": "skipped-r2",
    "failover-missing": "missing-calls",
    "secondary-abandoned": "abandoned-r2-duration",
    "credentials-to-wrong-server": "credentials-r1",
    "flapping": "flapping-r0",
}
BY_ANYONE = ("failover-without-failure", "failover-skipped-server", "failover-missing")  # F1-F4
P, S, T = (f"10.0.0.{number}:5060" for number in (1, 2, 3))


def story(rule: str, change: Callable[[Profile], Profile] = lambda profile: profile, name: str = "") -> list[str]:
    """Findings and open checks of the story that breaks the rule, with the profile as `change` returns it."""
    scenario = parse((FOLDER / f"{name or STORIES[rule]}.scenario").read_text())
    changed = Scenario(change(scenario.profile), scenario.events, (), scenario.names)
    lines, _ = judge_scenario(changed, [one for one in load_pack().rules if one.id == rule])
    return list(dict.fromkeys(" ".join(line.split()[1:]) for line in lines))


def entry(*servers: tuple[str | None, int]) -> Callable[[Profile], Profile]:
    """Gives the line's entry these servers (address, priority)."""
    listed = tuple(EntryServer(address, 5060, "udp", priority, name=f"{number}.example.com")
                   for number, (address, priority) in enumerate(servers))
    return lambda profile: replace(profile, entry=ServerEntry("sbc", listed))


def unmodelled(profile: Profile) -> Profile:
    return replace(profile, vendor=Vendor.UNMODELLED, firmware=None, vouched=False)


@pytest.mark.parametrize("rule", STORIES)
def test_whose_phone_it_is_must_be_known(rule: str) -> None:
    assert any("?" not in said for said in story(rule))
    assert story(rule, lambda profile: replace(profile, identity_unsure=True)) == [f"? {rule} identity-unsure"]


@pytest.mark.parametrize("rule", STORIES)
def test_an_entry_that_is_not_known_decides_nothing(rule: str) -> None:
    assert story(rule, lambda profile: replace(profile, entry=None)) == [f"? {rule} entry-unknown"]


@pytest.mark.parametrize("rule", [rule for rule in STORIES if rule not in ("secondary-abandoned", "flapping")])
def test_what_rests_on_a_missing_packet_needs_a_capture_that_has_nearly_all(rule: str) -> None:
    assert story(rule, lambda profile: replace(profile, lossy=True)) == [f"? {rule} loss-nearby"]


def test_a_line_that_passes_its_server_after_a_try_needs_an_entry_too() -> None:
    said = story("secondary-abandoned", lambda profile: replace(profile, entry=None), "abandoned-passed-r2")
    assert said == ["? secondary-abandoned entry-unknown"]


def test_a_line_that_passes_its_server_after_a_try_needs_it_too() -> None:
    said = story("secondary-abandoned", lambda profile: replace(profile, lossy=True), "abandoned-passed-r2")
    assert said == ["? secondary-abandoned loss-nearby"]


def test_whether_a_user_logged_out_elsewhere_is_not_known_where_packets_are_missing() -> None:
    said = story("secondary-abandoned", lambda profile: replace(profile, lossy=True))
    assert said == ["? secondary-abandoned loss-nearby"]


@pytest.mark.parametrize("rule", ["secondary-abandoned", "credentials-to-wrong-server", "flapping"])
def test_phones_of_other_makers_are_judged_by_f1_to_f4_only(rule: str) -> None:
    assert story(rule, unmodelled) == [f"? {rule} vendor-unmodelled"]


def test_a_try_that_passes_the_server_is_polycoms_too() -> None:
    said = story("secondary-abandoned", unmodelled, "abandoned-passed-r0")
    assert said == ["? secondary-abandoned vendor-unmodelled"]


@pytest.mark.parametrize("rule", ["failover-without-failure", "failover-missing"])
def test_a_call_of_any_makers_phone_is_judged_by_f1_and_f2(rule: str) -> None:
    assert f"{rule} {'S' if rule == BY_ANYONE[0] else 'P'} likely firmware-obeys" in story(rule, unmodelled)


def test_a_registration_by_another_makers_phone_may_be_a_second_one() -> None:
    """Other makers' phones often register at several servers at once, and their files do not declare it in Polycom's
    terms."""
    assert story(BY_ANYONE[0], unmodelled, "fwf-r2-register") == ["? failover-without-failure vendor-unmodelled"]


def test_how_long_another_makers_phone_waits_is_not_known() -> None:
    """By Polycom's default it would have been too short."""
    assert story(BY_ANYONE[0], unmodelled, "fwf-too-soon-answered-later") == []


def test_a_server_of_another_list_is_no_failover() -> None:
    elsewhere = entry((P[:-5], 1), (T[:-5], 2))
    assert story(BY_ANYONE[0], elsewhere) == []
    assert story("credentials-to-wrong-server", elsewhere) == []
    assert story("flapping", elsewhere) == []


def test_a_clock_that_was_set_back_makes_no_line_impatient() -> None:
    """With the clock set back, the wait looks shorter than it was."""
    impatient = "fwf-too-soon-answered-later"
    assert any("?" not in said for said in story(BY_ANYONE[0], name=impatient))
    back = story(BY_ANYONE[0], lambda profile: replace(profile, steps=((0, 4, -60.0),)), impatient)
    assert back == []


@pytest.mark.parametrize(("answered", "shown"), [(303.9, False), (304.3, True)])
def test_an_answer_seen_by_another_tap_proves_no_impatience_within_what_clocks_differ(
    answered: float, shown: bool
) -> None:
    scenario = parse((FOLDER / "fwf-too-soon-answered-later.scenario").read_text())
    other_tap = tuple(replace(event, capture=1, time=answered) if isinstance(event, Answered) and event.time > 303
                      else event for event in scenario.events)
    lines, findings = judge_scenario(Scenario(scenario.profile, other_tap, (), scenario.names), load_pack().rules)
    assert bool(findings) is shown
    assert any("failover-without-failure" in line for line in lines)


def test_servers_of_one_priority_share_the_load() -> None:
    assert story(BY_ANYONE[0], entry((P[:-5], 1), (S[:-5], 1))) == []  # S is not below P: no failover at all
    assert story("failover-missing", entry((P[:-5], 1), (S[:-5], 1))) == ["? failover-missing load-balanced"]
    assert story("credentials-to-wrong-server", entry((P[:-5], 1), (S[:-5], 1))) == [
        "? credentials-to-wrong-server load-balanced"]
    assert story("flapping", entry((P[:-5], 1), (S[:-5], 1))) == ["? flapping load-balanced"]


def test_an_equal_of_the_working_server_that_failed_may_have_sent_the_line_away() -> None:
    """P and T share the load; T is silent, and the line goes to S below both."""
    balanced = entry((P[:-5], 1), (T[:-5], 1), (S[:-5], 2))
    text = """entry: P S T
settings: reRegisterOn=0 failBack.mode=duration failBack.timeout=60
0    > P REGISTER
0.1  < P 200 REGISTER expires=3600
300  > T INVITE
304  > S INVITE
"""
    scenario = parse(text)
    changed = Scenario(balanced(scenario.profile), scenario.events, (), scenario.names)
    lines, findings = judge_scenario(changed, [one for one in load_pack().rules if one.id == BY_ANYONE[0]])
    assert not findings
    assert lines[-1] == "304.000 ? failover-without-failure load-balanced"


def test_one_of_several_equals_may_be_passed_over() -> None:
    equals = entry((P[:-5], 1), (S[:-5], 2), ("10.0.0.9", 2), (T[:-5], 3))
    assert story("failover-skipped-server", equals) == ["? failover-skipped-server load-balanced"]


def test_a_server_without_address_cannot_be_passed_over_and_may_be_where_the_line_went() -> None:
    assert story("failover-skipped-server", entry((P[:-5], 1), (None, 2), (T[:-5], 3))) == []
    assert story("failover-missing", entry((P[:-5], 1), (None, 2))) == ["? failover-missing entry-unknown"]


@pytest.mark.parametrize("rule", ["failover-without-failure", "failover-skipped-server"])
def test_a_hole_between_two_captures_may_hide_where_the_line_went(rule: str) -> None:
    assert story(rule, lambda profile: replace(profile, covered_from=200.0)) == [f"? {rule} started-later"]


def test_a_repetition_within_ten_minutes_is_worth_a_look() -> None:
    """The line subscribes at S without a failure, is back at P, and subscribes at S again: first info, then a
    warning."""
    scenario = parse("""entry: P S
settings: reRegisterOn=0 failBack.mode=duration failBack.timeout=60
0     > P REGISTER
0.1   < P 200 REGISTER expires=3600
300   > S SUBSCRIBE
300.1 < S 200 SUBSCRIBE
400   > P INVITE
400.1 < P 200 INVITE
500   > S SUBSCRIBE
""")
    _, findings = judge_scenario(scenario, [one for one in load_pack().rules if one.id == BY_ANYONE[0]])
    assert [(finding.time, finding.severity) for finding in findings] == [(300.0, "info"), (500.0, "warning")]


def test_what_waits_for_a_proof_says_until_when() -> None:
    """The driver asks again at that time, and no sooner."""
    scenario = parse((FOLDER / "missing-calls.scenario").read_text())
    waiting = [step.waiting for step in replay(scenario.events[:6], scenario.profile)]
    assert [next_deadline(one) for one in waiting[:5]] == [float("inf")] * 5
    (one,) = [one for one in waiting[5] if one.awaited]
    (sign,) = one.awaited
    beside = replace(one, awaited=())   # another observation of the same request, which waits with it
    assert next_deadline(waiting[5]) == next_deadline((beside, *waiting[5])) == sign.until
    assert 400 < sign.until < float("inf")


def test_no_more_than_eight_wait_for_a_proof() -> None:
    """The oldest ones are reported as they stand then: left open."""
    scenario = parse((FOLDER / "missing-calls.scenario").read_text())
    *_, last = replay(scenario.events[:6], scenario.profile)
    waiting: tuple[Observation, ...] = ()
    said: list[Observation] = []
    for _ in range(20):
        now, waiting = hold(waiting, last.waiting)
        said += now
    assert len(waiting) == 8
    assert [one.verdict for one in said] == [Verdict.INCONCLUSIVE] * 12


OUT = "{0} > P INVITE\n{0}.5 >> P INVITE\n{1} > S INVITE\n{1}.1 < S 200 INVITE\n"
BACK = "{0} > P INVITE\n{0}.1 < P 200 INVITE\n"


@pytest.mark.parametrize(("moves", "kind"), [
    (OUT.format(300, 304) + BACK.format(400) + OUT.format(500, 504), "servers"),
    (OUT.format(300, 304) + BACK.format(1000) + OUT.format(1100, 1104) + BACK.format(1200), "mode"),
])
def test_the_cause_of_flapping_is_what_made_the_last_move(moves: str, kind: str) -> None:
    """The cause is a failure, or the return that mode newRequests makes with every call."""
    text = """entry: P S
settings: reRegisterOn=0 failBack.mode=newRequests retryTimeOut=0 retryMaxCount=3
0    > P REGISTER
0.1  < P 200 REGISTER expires=3600
"""
    _, findings = judge_scenario(parse(text + moves), load_pack().rules)
    assert [finding.facts["kind"] for finding in findings if finding.rule == "flapping"] == [kind]
