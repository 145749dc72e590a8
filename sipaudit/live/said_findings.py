"""Findings as they are said: when they are raised, again when more is known of them, and withdrawn when they fall."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping

from msgspec import Struct
from msgspec.structs import replace

from sipaudit.model.observations import Observation
from sipaudit.model.sayings import FindingSaid, Saying, Withdrawn
from sipaudit.model.values import Finding
from sipaudit.rulebook.faults import Fault, Faults, finding_of, standing

AGAIN_AFTER = 60.0   # seconds between two sayings of a finding that merely happened once more
FOLLOWED = 20_000    # the latest findings of which more may be said
LOST_SINCE, LATE_PACKET = "loss-nearby", "late-packet"

Mark = Callable[[Finding], Finding]


class Told(Struct):
    """What was said of a fault `at` that time: `said` None while it is withdrawn, `of` what it was made of, `times` how
    often the fault had happened."""

    id: str
    said: Finding | None = None
    at: float = 0.0
    of: tuple[object, ...] = ()
    times: int = 0


class SaidFindings:
    """Follows the faults. `mark` puts in what suppressions say of a finding."""

    def __init__(self, mark: Mark) -> None:
        self.mark = mark
        self.count = 0
        self._told: dict[int, Told] = {}
        self._faults: dict[int, Fault] = {}
        self._next = 0

    def turn(self, now: float, faults: Faults, loss: float, incidents: Mapping[int, str]) -> Iterator[Saying]:
        """What is to be said of faults at `now`; `incidents` are those they belong to, by the number of the fault."""
        self._learn(faults)
        for number, fault in self._faults.items():
            told = self._told[number]
            stands = None if number in faults.undecided else standing(fault, loss)
            if stands is not None:
                yield from self._say(now, told, fault, stands, incidents.get(number))
            elif told.said is not None:
                told.said, told.of = None, ()
                yield Withdrawn(now, told.id, LATE_PACKET if number in faults.undecided else LOST_SINCE)

    def _learn(self, faults: Faults) -> None:
        """Faults that came since; the oldest are followed no longer."""
        for fault in faults.since(self._next):
            self._next = fault.number + 1
            self.count += 1
            self._faults[fault.number] = fault
            self._told[fault.number] = Told(f"f-{self.count:06d}")
        while len(self._faults) > FOLLOWED:
            number = next(iter(self._faults))
            del self._faults[number], self._told[number]

    def _say(self, now: float, told: Told, fault: Fault, stands: Observation, incident: str | None
             ) -> Iterator[FindingSaid]:
        of = (id(stands.event), stands.assumptions, fault.severity, fault.also, incident)
        if told.of == of and (told.times == fault.times or now - told.at < AGAIN_AFTER):
            return
        told.of, told.times, told.at = of, fault.times, now
        cause = None if fault.cause is None else self._told.get(fault.cause)
        finding = replace(finding_of(fault, stands), id=told.id, cause=cause.id if cause else None, incident=incident)
        told.said = self.mark(finding)
        yield FindingSaid(now, told.said)

    def standing(self) -> dict[int, Finding]:
        """What was said, stands, and is followed, by the number of the fault."""
        return {number: told.said for number, told in self._told.items() if told.said is not None}
