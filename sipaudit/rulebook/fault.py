"""A finding in the making, whose it is, and what becomes of it where packets are missing."""

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

LOSS_ALLOWED = 0.005   # share of packets that a capture may lack without doubt (reference-model.md 4)
LOSS_BEYOND = 0.007    # beyond which a whole exchange may lack in a flow without a gap (5 % lost measure as 0.6-2.5 %)


class Subject(Party, Protocol):
    """Whose step it is, how its packets are named in a report, whether the captures show anything of a server, whether
    they may not show it at some time, and by how many seconds the clocks of those that show the phone may differ."""

    @property
    def settings(self) -> LineSettings: ...
    def server(self, key: str) -> str: ...
    def sees(self, key: str) -> bool: ...
    def loses_sight(self, key: str, time: float) -> bool: ...
    def skew(self) -> float: ...
    def frame(self, event: ModelEvent) -> Frame: ...


LeftOpen = Callable[[Subject, float, str, Reason], None]   # whose, when (seconds), which rule, why


class Fault(Struct):
    """A finding in the making: the observation that it tells of, and what joined it since.

    `grade` is the severity of that observation by its own facts, `severity` what repetitions made of it, `cause` the
    number of the fault of which this is a consequence; `sight_lost` whether a server at which contact would have
    acquitted may have been out of the tap's sight.
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
        """`sight_lost`, by what is known now."""
        told, subject = self.told, self.subject
        self.sight_lost = self.sight_lost or any(subject.loses_sight(key, told.event.time) for key in told.elsewhere)
        return self.sight_lost


class Held(NamedTuple):
    """What was held against one (line, phone) of a phone at some time, in copies."""

    faults: list[tuple[Fault, Fault]]
    open: dict[str, Fault]
    checks: Checks


def left_standing(fault: Fault, loss: float) -> Observation | None:
    """What a fault tells where captures lack this share of packets; None where it stays undecided.

    What was not seen to go to a server is likely only if that server may not have been seen: because no packet of any
    phone shows it, or because several phones used it and then nobody was seen there, as if the tap had lost it. It is
    not left undecided, for phones of one make and one setting err at once. Likely only is also what two taps show of a
    phone, if their clocks differ; where these differ by more than clocks that are kept, nothing tells what came first.
    """
    told, sight_lost, skew = fault.told, fault.loses_sight(), fault.subject.skew()
    gaps = Assumption.CAPTURE_COMPLETE in told.assumptions
    if skew > SKEW or (told.absent and (gaps or loss > LOSS_BEYOND)):
        return None
    complete = loss <= LOSS_ALLOWED and skew == 0.0 and not sight_lost \
        and all(map(fault.subject.sees, told.elsewhere))
    return told if complete else in_doubt(told, Assumption.CAPTURE_COMPLETE)


def in_doubt(told: Observation, assumed: Assumption) -> Observation:
    """The observation with one assumption more."""
    doubts = {*told.assumptions, assumed}
    return replace(told, assumptions=tuple(doubt for doubt in Assumption if doubt in doubts))
