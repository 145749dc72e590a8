"""`judge`: compare an event with the expectations, in every world and under every setting that remains possible.

An event is condemned if no possible regime, mode and reading allows it.  If some do and others do not, the verdict is
inconclusive, with the reason; what is unknown never condemns.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from functools import cache
from typing import NamedTuple

from msgspec import Struct
from msgspec.structs import replace

from sipaudit.model.case import HOLDS, UNSEEN, Case, Ground
from sipaudit.model.events import ModelEvent, server_of
from sipaudit.model.expectations import BY_TRIGGER, About, Row, Trigger, Where
from sipaudit.model.observations import Awaited, Fact, Observation, Verdict
from sipaudit.model.profile import Profile
from sipaudit.model.readings import ALWAYS, NEVER, Reading, deciding, negate, taken
from sipaudit.model.settings import LineSettings, Mode, Regime
from sipaudit.model.state import LineState, PhoneState, Stay
from sipaudit.model.values import Assumption, Reason

REASON_OF = {
    Reading.UNAVAILABLE: Reason.OPEN_CODE,
    Reading.OPEN_CODE: Reason.OPEN_CODE,
    Reading.HALF_RENEWAL: Reason.FIRMWARE_UNKNOWN,
    Reading.BOOT: Reason.POSSIBLE_BOOT,
    Reading.LITERAL: Reason.READINGS_DIFFER,
    Reading.PHONE_WIDE: Reason.READINGS_DIFFER,
    Reading.GAVE_UP: Reason.READINGS_DIFFER,
    Reading.UNMOVED: Reason.READINGS_DIFFER,
}


class Scene(NamedTuple):
    """All that an event is judged by: the states before it, the line's profile, the regimes and modes that this leaves
    possible, and where the event is under each of these regimes."""

    line: LineState
    phone: PhoneState
    event: ModelEvent
    profile: Profile
    regimes: tuple[Regime, ...]
    modes: tuple[Mode, ...]
    places: tuple[Where, ...]


class Trial(Struct, frozen=True):
    """The outcome of one row under one regime and mode; `holds` is NEVER where the row does not condemn."""

    row: Row | None
    holds: int
    reason: Reason | None = None
    awaited: tuple[Awaited, ...] = ()
    facts: dict[str, Fact] = {}
    assumptions: tuple[Assumption, ...] = ()
    proof: tuple[ModelEvent, ...] = ()
    elsewhere: tuple[str, ...] = ()
    slight: bool = False

    @property
    def condemned(self) -> bool:
        return self.reason is None and self.holds == ALWAYS


NOT_REACHED = Trial(None, NEVER)


def judge(line: LineState, phone: PhoneState, event: ModelEvent, trigger: Trigger, profile: Profile
          ) -> tuple[Observation, ...]:
    """The observations that an event makes, of the expectations that its trigger brings into play."""
    regimes = tuple(sorted(possible_regimes(profile.settings)))
    modes = tuple(sorted(possible_modes(profile.settings)))
    places = tuple(_place(line.stay(regime), server_of(event)) for regime in regimes)
    found = (_observe(rows, Scene(line, phone, event, profile.under(expectation), regimes, modes, places))
             for expectation, rows in _within_reach(trigger, regimes, modes, places))
    return tuple(observation for observation in found if observation is not None)


@cache
def _within_reach(trigger: Trigger, regimes: tuple[Regime, ...], modes: tuple[Mode, ...], places: tuple[Where, ...]
                  ) -> tuple[tuple[str, tuple[Row, ...]], ...]:
    """The rows of each expectation that can be reached at all: most events reach few expectations. `places` are where
    the event is under each of the regimes."""
    at = tuple(zip(regimes, places, strict=True))
    reached = ((name, tuple(row for row in rows if not row.modes.isdisjoint(modes)
                            and any(_applies(row, regime, place) for regime, place in at)))
               for name, rows in BY_TRIGGER[trigger].items())
    return tuple((name, rows) for name, rows in reached if rows)


def _place(stay: Stay | None, server: str) -> Where:
    """Where a server stands relative to the working one; neither at it nor away while that is not known."""
    if stay is None:
        return Where.ANYWHERE
    return Where.HERE if stay.server == server else Where.AWAY


def _applies(row: Row, regime: Regime, place: Where) -> bool:
    return regime in row.regimes and row.place in (place, Where.ANYWHERE)


def possible_regimes(settings: LineSettings) -> frozenset[Regime]:
    """The regimes that the known settings allow."""
    known = [settings.candidates(name) for name in ("reRegisterOn", "failRegistrationOn", "onlySignalWithRegistered")]
    shapes = {Regime.R0: (0, None, None), Regime.R1: (1, 0, None), Regime.R2: (1, 1, 1), Regime.R3: (1, 1, 0)}
    return frozenset(
        regime for regime, shape in shapes.items()
        if all(need is None or not may or need in may for need, may in zip(shape, known, strict=True))
    )


def possible_modes(settings: LineSettings) -> frozenset[Mode]:
    """The failback modes that the known settings allow: all, if none is stated."""
    may = frozenset(mode for mode in Mode if mode in settings.candidates("failBack.mode"))
    return may or frozenset(Mode)


def _observe(rows: tuple[Row, ...], scene: Scene) -> Observation | None:
    """The observation of one expectation, all possible settings taken together; None where no row reaches the event."""
    trials = list(_trials(rows, scene))
    first = next((trial for trial in trials if trial.row is not None), None)
    if first is None or first.row is None:
        return None
    if all(trial.condemned for trial in trials):
        found = _observation(first, first.row, scene, first.row.verdict, None, _all_doubts(trials))
        return _weighed(found, rows, scene)
    reason = _why_open(trials)
    if reason is Reason.SETTINGS_UNKNOWN and scene.profile.settings.ambiguous:
        reason = Reason.SETTINGS_AMBIGUOUS
    if reason is None:
        return Observation(first.row.expectation, first.row.clause, Verdict.CONFORMED, scene.event,
                           server_of(scene.event))
    awaited = {trial.awaited for trial in trials if not trial.condemned}
    waits = len(awaited) == 1 and all(trial.holds == ALWAYS for trial in trials)
    signs = awaited.pop() if waits else ()
    found = _observation(first, first.row, scene, Verdict.INCONCLUSIVE, reason, _all_doubts(trials), signs)
    return _weighed(found, rows, scene) if signs else found


def _weighed(found: Observation, rows: tuple[Row, ...], scene: Scene) -> Observation:
    """The observation, marked `absent` if it could not be decided in a capture that is known to lack packets."""
    if scene.profile.lossy:
        return found
    lossy = _trials(rows, scene._replace(profile=replace(scene.profile, lossy=True)))
    open_ = any(trial.reason is Reason.LOSS_NEARBY and not trial.awaited for trial in lossy)
    return replace(found, absent=True) if open_ else found


def _observation(trial: Trial, row: Row, scene: Scene, verdict: Verdict, reason: Reason | None,
                 doubts: tuple[Assumption, ...], awaited: tuple[Awaited, ...] = ()) -> Observation:
    facts = {**trial.facts, "regime": _only(scene.regimes), "mode": _only(scene.modes)}
    at = _deadline(trial, scene, row.timed) if row.timed else None
    return Observation(row.expectation, row.clause, verdict, scene.event, _about(row, trial, scene), reason, facts,
                       doubts, trial.proof, row.verdict if awaited else None, awaited, at,
                       elsewhere=trial.elsewhere, slight=trial.slight)


def _only(possible: tuple[Regime, ...] | tuple[Mode, ...]) -> str | None:
    return str(possible[0]) if len(possible) == 1 else None


def _about(row: Row, trial: Trial, scene: Scene) -> str:
    if row.about is About.NONE:
        return ""
    if row.about is About.PRIMARY and "primary" in trial.facts:
        return str(trial.facts["primary"])
    return server_of(scene.event)


def _deadline(trial: Trial, scene: Scene, ago: str) -> float | None:
    """The time of what the event now shows."""
    seconds = trial.facts.get(ago)
    return scene.event.time - seconds if isinstance(seconds, float) else None


def _trials(rows: tuple[Row, ...], scene: Scene) -> Iterator[Trial]:
    """One trial for each regime and mode that remains possible: of the first row that reaches the event."""
    line, phone, event, profile, regimes, modes, places = scene
    for regime, place in zip(regimes, places, strict=True):
        rows_here = [row for row in rows if _applies(row, regime, place)]
        stay = line.stay(regime) or UNSEEN
        for mode in modes:
            yield _first(rows_here, Case(line, phone, event, profile, regime, mode, stay))


def _first(rows: Iterable[Row], case: Case) -> Trial:
    for row in rows:
        if case.mode in row.modes:
            trial = _try(row, case)
            if trial.row is not None:
                return trial
    return NOT_REACHED


def _try(row: Row, case: Case) -> Trial:
    """The trial of a case by a row: not reached, acquitted by the first condition that fails, or all combined."""
    grounds: list[Ground] = []
    for condition in row.reach:
        ground = condition(case)
        if ground.holds == NEVER:
            return NOT_REACHED
        grounds.append(ground)
    for condition in row.when:
        grounds.append(condition(case))
        if grounds[-1].holds == NEVER:
            return Trial(row, NEVER)
    return _sum(row, [*grounds, _moved_for_sure(row, case)])


def _moved_for_sure(row: Row, case: Case) -> Ground:
    """A row about a line at its working server holds only if that is the working server: an answer that came late, or
    did not list the phone's Contact, need not have moved the line (F2, F6)."""
    if row.place is Where.ANYWHERE and row.trigger is not Trigger.MOVE:
        return HOLDS
    holds = ALWAYS
    if case.stay.took >= case.gives_up:
        holds &= negate(taken(Reading.GAVE_UP))
    if case.stay.unsure:
        holds &= negate(taken(Reading.UNMOVED))
    return Ground(holds)


def _sum(row: Row, grounds: list[Ground]) -> Trial:
    """The conditions of a row combined: one that fails acquits, one that cannot be decided leaves the row open."""
    holds = ALWAYS
    facts: dict[str, Fact] = {}
    for ground in grounds:
        holds &= ground.holds
        facts.update(ground.facts)
    if holds == NEVER:
        return Trial(row, NEVER)
    opened = [ground for ground in grounds if ground.reason is not None]
    reason, awaited = _what_settles(opened)
    proof = tuple(dict.fromkeys(event for ground in grounds for event in ground.proof))
    return Trial(row, holds, reason, awaited, facts,
                 tuple(doubt for ground in grounds for doubt in ground.assumptions), proof,
                 tuple(key for ground in grounds for key in ground.elsewhere),
                 any(ground.slight for ground in grounds))


def _what_settles(opened: list[Ground]) -> tuple[Reason | None, tuple[Awaited, ...]]:
    """Why a row is open, and the signs that settle it together; none if one of its open conditions awaits nothing."""
    for ground in opened:
        if ground.awaited is None:
            return ground.reason, ()
    signs = dict.fromkeys(replace(ground.awaited, why=ground.reason) for ground in opened if ground.awaited is not None)
    return (opened[0].reason, tuple(signs)) if opened else (None, ())


def _all_doubts(trials: list[Trial]) -> tuple[Assumption, ...]:
    doubts = {doubt for trial in trials for doubt in trial.assumptions}
    return tuple(doubt for doubt in Assumption if doubt in doubts)


def _why_open(trials: list[Trial]) -> Reason | None:
    """Why the verdict stays open; None when no possible world condemns."""
    acquitted = [trial for trial in trials if trial.reason is None and trial.holds == NEVER]
    if acquitted and len(acquitted) < len(trials):
        return Reason.SETTINGS_UNKNOWN  # some of the possible settings allow it
    for trial in trials:
        if trial.reason is not None and (not trial.awaited or trial.holds == ALWAYS):
            return trial.reason  # signs decide nothing where a reading does
    for trial in trials:
        reading = deciding(trial.holds)
        if reading is not None:
            return REASON_OF[reading]
    return None
