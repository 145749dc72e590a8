"""`judge`: compare an event with the expectations, in every world and under every setting that stays possible.

Condemned is what no possible regime, mode and reading allows.  What some allow
and others do not is inconclusive, with the reason; unknown never convicts.
"""

from __future__ import annotations

from collections.abc import Iterator

from msgspec import Struct
from msgspec.structs import replace

from sipaudit.model.conditions import Case, Ground
from sipaudit.model.events import Answered, ModelEvent, Resent, Sent
from sipaudit.model.expectations import EXPECTATIONS, Row, expectations
from sipaudit.model.observations import Awaited, Fact, Observation, Verdict
from sipaudit.model.profile import Profile
from sipaudit.model.readings import ALWAYS, NEVER, Reading, deciding
from sipaudit.model.settings import LineSettings, Mode, Regime
from sipaudit.model.state import LineState, PhoneState
from sipaudit.model.values import Assumption, Reason

SKEW = 1.0   # seconds by which the clocks of two captures may differ

REASON_OF = {
    Reading.UNAVAILABLE: Reason.OPEN_CODE,
    Reading.OPEN_CODE: Reason.OPEN_CODE,
    Reading.HALF_RENEWAL: Reason.FIRMWARE_UNKNOWN,
    Reading.BOOT: Reason.POSSIBLE_BOOT,
    Reading.LITERAL: Reason.READINGS_DIFFER,
}


class Trial(Struct, frozen=True):
    """The outcome of one row under one regime and mode; `holds` is NEVER where the row does not condemn."""

    row: Row | None
    holds: int
    reason: Reason | None = None
    awaited: Awaited | None = None
    facts: dict[str, Fact] = {}
    assumptions: tuple[Assumption, ...] = ()
    proof: tuple[ModelEvent, ...] = ()

    @property
    def condemned(self) -> bool:
        return self.reason is None and self.holds == ALWAYS


def at_stake(line: LineState, event: ModelEvent) -> bool:
    """Whether any row can apply to `event`: a new request that leaves the working server. False for nearly all."""
    if type(event) is not Sent or event.in_dialog or event.follows is not None:
        return False  # a re-send with credentials is the request it repeats
    server = event.server
    answered, registered, regained = line.stays
    return (
        (answered is not None and answered.server != server) or (registered is not None and registered.server != server)
        or (regained is not None and regained.server != server)
    )


def judge(line: LineState, phone: PhoneState, event: Sent, profile: Profile) -> tuple[Observation, ...]:
    """What a request that is `at_stake` means for the expectations that stand before it."""
    found = (_observe(name, line, phone, event, profile) for name in sorted(EXPECTATIONS))
    return tuple(observation for observation in found if observation is not None)


def possible_regimes(settings: LineSettings) -> frozenset[Regime]:
    """The regimes that what is known of the settings allows."""
    known = [settings.number(name) for name in ("reRegisterOn", "failRegistrationOn", "onlySignalWithRegistered")]
    shapes = {Regime.R0: (0, None, None), Regime.R1: (1, 0, None), Regime.R2: (1, 1, 1), Regime.R3: (1, 1, 0)}
    return frozenset(
        regime for regime, shape in shapes.items()
        if all(need is None or have is None or need == have for need, have in zip(shape, known, strict=True))
    )


def possible_modes(settings: LineSettings) -> frozenset[Mode]:
    return frozenset(Mode) if settings.mode is None else frozenset({settings.mode})


def _observe(expectation: str, line: LineState, phone: PhoneState, event: Sent,
             profile: Profile) -> Observation | None:
    trials = list(_trials(expectation, line, phone, event, profile))
    reached = [trial for trial in trials if trial.row is not None]
    if not reached:
        return None
    first = reached[0]
    assert first.row is not None
    if all(trial.condemned for trial in trials):
        return Observation(expectation, first.row.clause, first.row.verdict, event, event.server,
                           facts=first.facts, assumptions=_all_doubts(trials), proof=first.proof)
    reason = _why_open(trials)
    if reason is None:
        return Observation(expectation, first.row.clause, Verdict.CONFORMED, event, event.server)
    awaited = {trial.awaited for trial in trials if not trial.condemned}
    waits = len(awaited) == 1 and all(trial.holds == ALWAYS for trial in trials)
    one = awaited.pop() if waits else None
    return Observation(expectation, first.row.clause, Verdict.INCONCLUSIVE, event, event.server, reason, first.facts,
                       _all_doubts(trials), first.proof, None if one is None else first.row.verdict, one)


def settle(waiting: tuple[Observation, ...], event: ModelEvent) -> tuple[Observation, ...]:
    """The observations that `event` settles: what the phone waited for had not come (reference-model.md 4: raised
    when the proof comes, at the time of the request)."""
    if not isinstance(event, Answered | Resent | Sent):
        return ()
    return tuple(
        replace(one, verdict=one.unless, reason=None, unless=None, awaited=None, proof=(*one.proof, event))
        for one in waiting if one.awaited is not None and one.unless is not None and _shows(event, one, one.awaited)
    )


def _shows(event: Answered | Resent | Sent, one: Observation, awaited: Awaited) -> bool:
    """Whether the phone was waiting still when the request of `one` was sent. The clocks of two taps differ."""
    if event.capture != one.event.capture and event.time - one.event.time < SKEW:
        return False
    if isinstance(event, Sent):
        return event.follows == awaited.transaction
    if event.transaction != awaited.transaction:
        return False
    return event.status >= 200 if isinstance(event, Answered) else event.time >= awaited.since


def _trials(expectation: str, line: LineState, phone: PhoneState, event: Sent, profile: Profile) -> Iterator[Trial]:
    """One trial for each regime and mode that stays possible; a trial without a row was not reached."""
    for regime in sorted(possible_regimes(profile.settings)):
        stay = line.stay(regime)
        for mode in sorted(possible_modes(profile.settings)):
            row = next((row for row in expectations(regime, mode) if row.expectation == expectation), None)
            if row is None or stay is None or stay.server == event.server:
                yield Trial(None, NEVER)
            else:
                yield _try(row, Case(line, phone, event, profile, regime, mode, stay))


def _try(row: Row, case: Case) -> Trial:
    reached = [condition(case) for condition in row.reach]
    if any(ground.holds == NEVER for ground in reached):
        return Trial(None, NEVER)
    return _sum(row, [*reached, *(condition(case) for condition in row.when)])


def _sum(row: Row, grounds: list[Ground]) -> Trial:
    """The conditions of a row taken together: one that fails acquits, one that cannot be told leaves it open."""
    holds = ALWAYS
    facts: dict[str, Fact] = {}
    for ground in grounds:
        holds &= ground.holds
        facts.update(ground.facts)
    opened = [] if holds == NEVER else [ground for ground in grounds if ground.reason is not None]
    opened.sort(key=lambda ground: ground.awaited is not None)
    reason, awaited = (opened[0].reason, opened[0].awaited) if opened else (None, None)
    proof = tuple(dict.fromkeys(event for ground in grounds for event in ground.proof))
    return Trial(row, holds, reason, awaited, facts,
                 tuple(doubt for ground in grounds for doubt in ground.assumptions), proof)


def _all_doubts(trials: list[Trial]) -> tuple[Assumption, ...]:
    doubts = {doubt for trial in trials for doubt in trial.assumptions}
    return tuple(doubt for doubt in Assumption if doubt in doubts)


def _why_open(trials: list[Trial]) -> Reason | None:
    """Why the verdict stays open: None when no possible world condemns."""
    acquitted = [trial for trial in trials if trial.reason is None and trial.holds == NEVER]
    if acquitted and len(acquitted) < len(trials):
        return Reason.SETTINGS_UNKNOWN  # some settings that stay possible allow it
    for trial in trials:
        if trial.reason is not None:
            return trial.reason
    for trial in trials:
        reading = deciding(trial.holds)
        if reading is not None:
            return REASON_OF[reading]
    return None
