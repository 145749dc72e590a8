"""Properties of the model over histories that nobody wrote by hand (design.md 8)."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterable, Sequence
from math import inf
from pathlib import Path
from unittest.mock import patch

import msgspec
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from sipaudit.model import conditions, readings
from sipaudit.model.events import ModelEvent
from sipaudit.model.observations import Observation, Verdict
from sipaudit.model.profile import Profile
from sipaudit.model.readings import ALWAYS, NEVER, WORLDS, Reading
from sipaudit.model.replay import replay
from sipaudit.model.values import Finding, Severity
from tests.model.campaign import accusation
from tests.model.court import RULES, Court, findings
from tests.model.fleet.habits import MODES, REGIMES, Habits, names, profile_of
from tests.model.fleet.lacking import lacking, unasked
from tests.model.fleet.late import late
from tests.model.fleet.story import History, disobedient, obedient, plain
from tests.model.fleet.wrongs import WRONGS, Wrong
from tests.model.strings import histories

CHUNKS, CHUNK = 40, 50     # 2,000 histories of phones that obey
ACCUSED = (                # seeds of phones that an earlier version accused
    2103975, 2105961, 2402172, 4017236, 4029555, 5001480, 5004503, 5011566, 5018229,
    5033956, 5043304, 7018631, 7020194, 7026987, 7032457, 7059396, 7063368, 7063901, 7069153,
    305000, 345888, 7072480, 7098448, 7104026, 7141061, 7183975, 7189046, 7305128, 7306307, 9003724,
    13511618, 15702702, 19020325,
)
LIVES = range(3000, 3030)  # seeds of the histories for the other properties
LATE = 8                   # chunks of histories whose view begins at a moment in their middle
LATE_SEEDS = (             # those that an earlier version accused
    600128, 600740, 600845, 601507, 601896, 602415, 602515, 602739, 602885, 603200, 603354, 605119, 605802,
    700388, 701154, 701250, 703496, 707352, 724159, 724611,
    2101799, 2102719, 2104503, 2105477, 2111375, 2111775, 2303291, 2306778, 2311696,
    2311943, 2418269, 3004551, 3007421, 3010248, 3013972, 3015990, 3016520,
    3107287, 3201471, 3207686, 5313405, 7362943, 24101842,
)
LACKING = 8                # chunks of histories in which one answer was not captured
LACKING_SEEDS = (23610, 31883, 9801788, 26645, 440701, 13305845)   # those that an earlier version accused
UNASKED = 4                # chunks of histories in which one sending of a request was not captured
UNASKED_SEEDS = (41, 2953, 3396, 13402572, 15820668)   # those that an earlier version accused for certain
PLAIN = 200                # phones that obey, among servers that fail in plain ways
WRONG = 20                 # histories for each way to break a rule

# Info rules that an obeying phone may trigger: their basis is weak, or the fault is not the phone's.
BY_RIGHT = frozenset({
    "flapping",                      # a server that comes and goes makes any line move often
    "registration-without-expiry",   # what the server granted
    "signalling-after-expiry",       # calls of a line whose REGISTERs are refused (F4: staying is never a deviation)
    "signalling-to-failed-server",   # after a failed try: the EA says "attempted", and "succeeds"
    "failback-probe-registration",   # B7: odd, not forbidden; a REGISTER may follow before a late 200 has arrived
})

HABITS = [Habits(regime, mode, 60, names(3), ttl=(120, 120)) for regime in REGIMES for mode in MODES]
PROFILES = st.sampled_from([
    *(profile_of(habits) for habits in HABITS),
    profile_of(Habits("R2", "duration", 0, names(3), firmware=None)),
    profile_of(Habits("R2", "duration", 60, names(3), declared=False)),
])
SPARED = (Verdict.CONFORMED, Verdict.INCONCLUSIVE)
SOME = settings(max_examples=200, deadline=None, suppress_health_check=[HealthCheck.too_slow])


def observed(events: Sequence[ModelEvent], known: Profile) -> list[Observation]:
    return [observation for step in replay(events, known) for observation in step.observations]


def judged(history: History) -> Court:
    court = Court(history.profiles)
    court.take(history.events)
    return court


def observations(court: Court) -> dict[tuple[int, int], list[Observation]]:
    return {line: replayed.observations for line, replayed in court.replays.items()}


# -- arbitrary histories

@SOME
@given(histories(), PROFILES)
def test_no_history_raises_and_the_same_history_is_judged_the_same(events: list[ModelEvent], known: Profile) -> None:
    assert observed(events, known) == observed(events, known)


@SOME
@given(histories(), PROFILES, st.integers(1, 1 << 20))
def test_a_history_shifted_in_time_is_judged_alike(events: list[ModelEvent], known: Profile, shift: int) -> None:
    later = msgspec.structs.replace(known, covered_from=known.covered_from + shift)
    after = observed([_shifted(event, float(shift)) for event in events], later)
    assert [_said(one, shift) for one in after] == [_said(one, 0) for one in observed(events, known)]


def _shifted(event: ModelEvent, shift: float) -> ModelEvent:
    changes = {name: getattr(event, name) + shift for name in ("time", "sent", "until")
               if getattr(event, name, None) is not None}
    return msgspec.structs.replace(event, **changes)


def _said(one: Observation, shift: float) -> tuple[object, ...]:
    return one.expectation, one.verdict, one.reason, one.assumptions, round(one.time - shift, 3)


@SOME
@given(histories(), PROFILES)
def test_masks_judge_as_one_replay_a_world_would(events: list[ModelEvent], known: Profile) -> None:
    said = observed(events, known)
    worlds = [{_place(one): one.verdict for one in _observed_in_world(world, events, known)}
              for world in (range(WORLDS) if said else ())]   # most histories have no observations
    for fast in said:
        slow = [world.get(_place(fast), Verdict.CONFORMED) for world in worlds]
        condemned = [verdict not in SPARED for verdict in slow]
        if fast.verdict not in SPARED:
            assert all(condemned)
        elif fast.verdict is Verdict.CONFORMED:
            assert not any(condemned)
        else:
            assert any(condemned) != all(condemned) or Verdict.INCONCLUSIVE in slow


def _place(observation: Observation) -> tuple[ModelEvent, str, str]:
    return observation.event, observation.expectation, observation.clause


def _observed_in_world(world: int, events: list[ModelEvent], known: Profile) -> list[Observation]:
    """The slow oracle: each reading is settled in one way before the replay begins."""
    settled = {reading: ALWAYS if world >> reading & 1 else NEVER for reading in Reading}
    with patch.dict(readings.TAKEN, settled):
        return observed(events, known)


def test_every_reading_can_decide_a_verdict() -> None:
    """A reading that no condition uses would be dead weight in every mask."""
    source = "".join(path.read_text() for path in Path(conditions.__file__).parent.glob("*.py"))
    assert {name for name in Reading if f"Reading.{name.name}" in source} == set(Reading)


# -- lives of phones

@pytest.mark.parametrize("seed", LIVES)
def test_asking_what_time_settles_more_often_settles_nothing_else(seed: int) -> None:
    history, chance = obedient(seed), random.Random(seed)
    often = Court(history.profiles)
    before = 0.0
    for event in history.events:
        for moment in sorted(chance.uniform(before, event.time) for _ in range(chance.choice((0, 0, 1, 3)))):
            often.pass_time(event.phone, moment, always=True)
        often.take([event])
        before = event.time
    assert often.faults.findings() == judged(history).faults.findings()
    assert {line: sorted(map(_settled, said)) for line, said in observations(often).items()} == {
        line: sorted(map(_settled, said)) for line, said in observations(judged(history)).items()}


def _settled(one: Observation) -> tuple[float, str, str, str]:
    return one.time, one.expectation, one.verdict, one.reason or ""


@pytest.mark.parametrize("seed", LIVES)
def test_phones_side_by_side_are_judged_as_each_alone(seed: int) -> None:
    first, second = obedient(seed), disobedient(seed, WRONGS[seed % len(WRONGS)].rule)
    other = [_of_another_phone(event) for event in second.events]
    for history, events in ((first, other), (second, [_of_another_phone(event) for event in first.events])):
        together = Court(history.profiles)
        together.take(sorted([*history.events, *events], key=lambda event: event.time))
        alone = judged(history)
        assert {line: said for line, said in observations(together).items() if line[0] == 0} == observations(alone)


def _of_another_phone(event: ModelEvent) -> ModelEvent:
    numbers = {name: getattr(event, name, None) for name in ("transaction", "follows")}
    changes = {name: number + 1_000_000 for name, number in numbers.items() if number is not None}
    return msgspec.structs.replace(event, phone=1, **changes)


def nobody_is_accused(phone: Callable[[int], History], seeds: Iterable[int],
                      is_allowed: Callable[[Finding], bool] | None = None) -> None:
    """Asserts that the histories have only findings that are allowed (None: those that an obeying phone may
    trigger)."""
    for seed in seeds:
        history = phone(seed)
        accused = [finding for finding in findings(history) if not (is_allowed or _by_right)(finding)]
        assert accused == [], accusation(history, accused[0])


@pytest.mark.parametrize("seeds", [*(range(chunk * CHUNK, (chunk + 1) * CHUNK) for chunk in range(CHUNKS)), ACCUSED],
                         ids=lambda seeds: str(seeds[0]))
def test_a_phone_that_obeys_is_never_accused(seeds: Sequence[int]) -> None:
    """Phones make every choice that the specification leaves open, among servers that fail in every way."""
    nobody_is_accused(obedient, seeds)


@pytest.mark.parametrize("seeds", [*(range(chunk * CHUNK, (chunk + 1) * CHUNK) for chunk in range(LATE)), LATE_SEEDS],
                         ids=lambda seeds: str(seeds[0]))
def test_a_phone_that_obeys_is_not_accused_by_who_comes_late(seeds: Sequence[int]) -> None:
    """What happened before the capture, or in a blind interval, is unknown."""
    nobody_is_accused(late, seeds)


@pytest.mark.parametrize("seeds", [*(range(chunk * CHUNK, (chunk + 1) * CHUNK) for chunk in range(LACKING)),
                                   LACKING_SEEDS], ids=lambda seeds: str(seeds[0]))
def test_a_phone_that_obeys_is_not_accused_by_who_missed_an_answer(seeds: Sequence[int]) -> None:
    """What the phone learned from that answer is unknown."""
    nobody_is_accused(lacking, seeds)


@pytest.mark.parametrize("seeds", [*(range(chunk * CHUNK, (chunk + 1) * CHUNK) for chunk in range(UNASKED)),
                                   UNASKED_SEEDS], ids=lambda seeds: str(seeds[0]))
def test_a_phone_that_obeys_is_not_accused_for_certain_by_who_missed_a_request(seeds: Sequence[int]) -> None:
    nobody_is_accused(unasked, seeds, _does_no_harm)


def test_a_phone_that_obeys_in_plain_circumstances_is_never_accused() -> None:
    """These are the circumstances in which each wrong is shown: without a wrong they must cause no finding."""
    nobody_is_accused(plain, range(PLAIN))


def _by_right(finding: Finding) -> bool:
    return finding.severity is Severity.INFO and finding.rule in BY_RIGHT


def _does_no_harm(finding: Finding) -> bool:
    return finding.severity is Severity.INFO or finding.confidence != "certain"


@pytest.mark.parametrize("wrong", WRONGS, ids=lambda wrong: wrong.rule)
def test_a_phone_that_breaks_one_rule_is_accused_of_that(wrong: Wrong) -> None:
    """Every finding of the wrong's rule is near a time at which the wrong was done; other findings only follow from
    it."""
    if wrong.rule not in RULES:
        pytest.skip("the pack has no such rule yet")
    done = found = 0
    for seed in range(WRONG):
        history = disobedient(seed, wrong.rule)
        moments = [one.time for one in history.wrongs if one.rule == wrong.rule]
        said = findings(history)
        named = [finding for finding in said if finding.rule == wrong.rule and not _weaker(finding, wrong)]
        done, found = done + bool(moments), found + bool(named and moments)
        for finding in named:
            late = min((abs(moment - (finding.time or 0.0)) for moment in moments), default=inf)
            assert late < wrong.near, accusation(history, finding)
        beside = [finding for finding in said if finding.rule not in (wrong.rule, *wrong.also)
                  and finding.severity is not Severity.INFO]
        assert beside == [], accusation(history, beside[0])
    assert found >= wrong.found * done > 0


def _weaker(finding: Finding, wrong: Wrong) -> bool:
    """An info from a rule that also reports worse things: some phones that obey trigger it, too."""
    return finding.severity is Severity.INFO and wrong.rule == "signalling-to-failed-server"
