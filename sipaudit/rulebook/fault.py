"""Faults: findings in the making, the lines they are about, and what missing packets do to them."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple, Protocol

from msgspec import Struct
from msgspec.structs import replace

from sipaudit.model.events import ModelEvent
from sipaudit.model.observations import Observation
from sipaudit.model.proofs import SKEW
from sipaudit.model.settings import LineSettings
from sipaudit.model.values import Assumption, Frame, Reason, Severity
from sipaudit.rulebook.reached import Checks, Party
from sipaudit.rulebook.rules import Rule

LOSS_ALLOWED = 0.005   # share of packets that a capture may lack without causing doubt (reference-model.md 4)
LOSS_BEYOND = 0.007    # above this, a flow may lack a whole exchange without a gap (5 % lost measure as 0.6-2.5 %)


class Subject(Party, Protocol):
    """The line that a step is about: how a report names its packets, whether the captures show any packet of a server
    (`sees`), whether they may miss that server at some time (`loses_sight`), and by how many seconds the clocks of the
    captures that show the phone may differ (`skew`)."""

    @property
    def settings(self) -> LineSettings: ...
    def server(self, key: str) -> str: ...
    def sees(self, key: str) -> bool: ...
    def loses_sight(self, key: str, time: float) -> bool: ...
    def skew(self) -> float: ...
    def frame(self, event: ModelEvent) -> Frame: ...


LeftOpen = Callable[[Subject, float, str, Reason], None]   # subject, time (seconds), id of the rule, reason


class Fault(Struct):
    """A finding in the making: the observation that it reports, and those that joined it since.

    `grade`: the severity by that observation's own facts; `severity`: that after repetitions; `cause`: the number of
    the fault of which this one is a consequence; `sight_lost`: whether a server that would have acquitted the phone,
    had it been contacted, may have been out of the tap's sight.
    """

    rule: Rule
    subject: Subject
    told: Observation
    grade: Severity
    severity: Severity
    also: tuple[str, ...]
    evidence: dict[tuple[str, int | float], Frame]
    number: int = 0
    cause: int | None = None
    times: int = 0
    sight_lost: bool = False

    def loses_sight(self) -> bool:
        """Update `sight_lost` by what is known now, and return it."""
        told, subject = self.told, self.subject
        self.sight_lost = self.sight_lost or any(subject.loses_sight(key, told.event.time) for key in told.elsewhere)
        return self.sight_lost


class Held(NamedTuple):
    """Copies of the faults and checks of one (line, phone) at some time."""

    faults: list[tuple[Fault, Fault]]
    open: dict[str, Fault]
    checks: Checks


def left_standing(fault: Fault, loss: float) -> Observation | None:
    """The observation that a fault reports if the captures lack this share of packets; None if it stays undecided.

    That nothing was sent to a server is only likely if the capture may not have shown that server: because no packet of
    any phone shows it, or because several phones used it and then nobody was seen there, as if the tap had lost it. It
    does not become undecided, since phones of one make and setting err at the same time. Observations of a phone by two
    taps are only likely, too, if their clocks differ; if they differ by more than synchronized clocks do, the order of
    events is unknown.
    """
    told, sight_lost, skew = fault.told, fault.loses_sight(), fault.subject.skew()
    gaps = Assumption.CAPTURE_COMPLETE in told.assumptions
    if skew > SKEW or (told.absent and (gaps or loss > LOSS_BEYOND)):
        return None
    complete = loss <= LOSS_ALLOWED and skew == 0.0 and not sight_lost \
        and all(map(fault.subject.sees, told.elsewhere))
    return told if complete else in_doubt(told, Assumption.CAPTURE_COMPLETE)


def in_doubt(told: Observation, assumed: Assumption) -> Observation:
    """The observation with one more assumption."""
    doubts = {*told.assumptions, assumed}
    return replace(told, assumptions=tuple(doubt for doubt in Assumption if doubt in doubts))
