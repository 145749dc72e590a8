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
from sipaudit.rulebook.reached import Checks
from sipaudit.rulebook.repetition import Party
from sipaudit.rulebook.rules import Rule

LOSS_ALLOWED = 0.005   # share of packets that a capture may lack without doubt (reference-model.md 4)
LOSS_BEYOND = 0.007    # beyond which a whole exchange may lack in a flow without a gap (5 % lost measure as 0.6-2.5 %)


class Subject(Party, Protocol):
    """Whose step it is, how its packets are named in a report, whether the captures show anything of a server, and by
    how many seconds the clocks of those that show the phone may differ."""

    @property
    def settings(self) -> LineSettings: ...
    def server(self, key: str) -> str: ...
    def sees(self, key: str) -> bool: ...
    def skew(self) -> float: ...
    def frame(self, event: ModelEvent) -> Frame: ...


LeftOpen = Callable[[Subject, float, str, Reason], None]   # whose, when (seconds), which rule, why


class Fault(Struct):
    """A finding in the making: the observation that it tells of, and what joined it since.

    `grade` is the severity of that observation by its own facts, `severity` what repetitions made of it, `cause` the
    number of the fault of which this is a consequence.
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


class Held(NamedTuple):
    """What was held against one (line, phone) of a phone at some time, in copies."""

    faults: list[tuple[Fault, Fault]]
    open: dict[str, Fault]
    checks: Checks


def standing(fault: Fault, loss: float) -> Observation | None:
    """What a fault tells where captures lack this share of packets; None where it stays undecided. A server of which
    they show nothing, of no phone, may be one that no tap sees: what was not seen to go there is likely only. So is
    what two taps show of a phone, if their clocks differ; where they differ by more than clocks that are kept, nothing
    tells what came first."""
    told = fault.told
    gaps = Assumption.CAPTURE_COMPLETE in told.assumptions
    skew = fault.subject.skew()
    if skew > SKEW or (told.absent and (gaps or loss > LOSS_BEYOND)):
        return None
    return told if loss <= LOSS_ALLOWED and skew == 0.0 and all(map(fault.subject.sees, told.elsewhere)) \
        else in_doubt(told)


def in_doubt(told: Observation) -> Observation:
    """The observation with the assumption that the capture is complete."""
    doubts = {*told.assumptions, Assumption.CAPTURE_COMPLETE}
    return replace(told, assumptions=tuple(doubt for doubt in Assumption if doubt in doubts))
