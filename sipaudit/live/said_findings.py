"""Findings as they are said: when they are raised, again when more is known of them, and withdrawn when they fall."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Set

from msgspec import Struct
from msgspec.structs import replace

from sipaudit.model.conditions.trust import LOSS_REACH
from sipaudit.model.observations import Observation
from sipaudit.model.sayings import FindingSaid, Saying, Withdrawn
from sipaudit.model.values import Finding
from sipaudit.rulebook.fault import Fault, left_standing
from sipaudit.rulebook.faults import Faults
from sipaudit.rulebook.telling import finding_of
from sipaudit.turned_away import forget_oldest

AGAIN_AFTER = 60.0   # seconds between two sayings of a finding that merely happened once more
FOLLOWED = 5_000     # the latest findings of which more may be said
LOST_SINCE, LATE_PACKET = "loss-nearby", "late-packet"

Mark = Callable[[Finding], Finding]


class Told(Struct):
    """A fault that is followed, under an `id` once it has come to a finding. `finding` is what it comes to now (None:
    it does not stand), made `of` these; `said` what was said of it last, at the time `at`, and None while nothing of it
    stands that was said. `loss` is the largest share of packets that lacked about the time of the fault, of which more
    may be learnt `until` then: what comes much later says nothing of it, and no more does that a loss is long past."""

    fault: Fault
    until: float
    id: str = ""
    finding: Finding | None = None
    of: tuple[object, ...] = ()
    said: Finding | None = None
    at: float = 0.0
    loss: float = 0.0
    settled: bool = False   # whether nothing more will be learnt of that


class SaidFindings:
    """Follows the faults. `mark` puts in what suppressions say of a finding."""

    def __init__(self, mark: Mark) -> None:
        self.mark = mark
        self.count = 0
        self.fresh = False   # whether the last look showed any that was not said yet
        self._told: dict[int, Told] = {}
        self._before: dict[tuple[object, ...], Finding] = {}
        self._next = 0

    def said_before(self, finding: Finding) -> None:
        """Another run said this, later than what we know of it."""
        self.count_on(finding)
        same = next((told for told in self._told.values() if told.id == finding.id), None)
        if same is None:
            self._before[_name(finding)] = finding
            forget_oldest(self._before, FOLLOWED, "said")
        else:
            same.said = finding

    def withdrawn_before(self, name: str) -> None:
        """Another run took this back."""
        for key in [key for key, finding in self._before.items() if finding.id == name]:
            del self._before[key]
        for told in self._told.values():
            if told.id == name:
                told.said = None

    def count_on(self, finding: Finding) -> None:
        """Another run gave this id: ours come after it."""
        self.count = max(self.count, int(finding.id.rpartition("-")[2]))

    def next_id(self) -> str:
        """Ids are given in the order of raising (contract.md 3)."""
        self.count += 1
        return f"f-{self.count:06d}"

    def forget(self, known: Set[int]) -> None:
        """Nothing more is said of faults that are not among these, by their numbers."""
        for number in self._told.keys() - known:
            del self._told[number]

    def look(self, now: float, faults: Faults, loss: float, *, at_last: bool = False) -> dict[int, Finding]:
        """The findings that stand at `now`, of no incident yet, by the number of their fault; `loss` is the share of
        packets that lacked of late. `at_last`: no more will be learnt."""
        for fault in faults.since(self._next):
            self._next = fault.number + 1
            self._told[fault.number] = Told(fault, now + LOSS_REACH, loss=loss)
        forget_oldest(self._told, FOLLOWED, "said")
        stand, self.fresh = {}, False
        for number, told in self._told.items():
            if now <= told.until:
                told.loss = max(told.loss, loss)
            stands = None if number in faults.undecided else left_standing(told.fault, told.loss)
            self._update(told, stands)
            if (at_last or now > told.until) and not told.settled:
                told.settled = True
                if stands is None and number not in faults.undecided:
                    faults.lost_to_gaps(told.fault)
            if told.finding is not None:
                stand[number] = told.finding
                self.fresh = self.fresh or told.said is None
        return stand

    def _update(self, told: Told, stands: Observation | None) -> None:
        fault = told.fault
        of = () if stands is None else (
            id(stands.event), stands.assumptions, fault.severity, fault.also, fault.times, len(fault.evidence))
        if of == told.of:
            return
        told.of, told.finding = of, None
        if stands is not None:
            cause = None if fault.cause is None else self._told.get(fault.cause)
            finding = replace(finding_of(fault, stands), cause=cause.id if cause else None)
            if not told.id:
                self._begin(told, finding)
            told.finding = self.mark(replace(finding, id=told.id))

    def _begin(self, told: Told, finding: Finding) -> None:
        """The fault has come to a finding, which another run may have said already."""
        before = self._before.pop(_name(finding), None)
        if before is None:
            told.id = self.next_id()
        else:
            told.id, told.said, told.at = before.id, before, finding.time or 0.0

    def say(self, now: float, faults: Faults, incidents: Mapping[int, str], *, at_last: bool = False
            ) -> Iterator[Saying]:
        """What is to be said at `now` of what the last look showed; `incidents` are those that faults belong to, by
        their numbers. `at_last`: nothing will be said later."""
        for number, told in self._told.items():
            if told.finding is None:
                if told.said is not None:
                    told.said = None
                    yield Withdrawn(now, told.id, LATE_PACKET if number in faults.undecided else LOST_SINCE)
                continue
            finding = replace(told.finding, incident=incidents.get(number))
            if told.said is None or self._differs(told.said, finding, at_last or not 0 <= now - told.at < AGAIN_AFTER):
                told.said, told.at = finding, now
                yield FindingSaid(now, finding)

    def stand(self, now: float) -> Iterator[Saying]:
        """Findings as they were said last, those of an earlier run among them."""
        said = [*self._before.values(), *(told.said for told in self._told.values() if told.said is not None)]
        yield from (FindingSaid(now, finding) for finding in said)

    def _differs(self, said: Finding, finding: Finding, again: bool) -> bool:
        if again or (said.severity, said.confidence, said.incident, said.time, said.also, said.assumptions) != (
                finding.severity, finding.confidence, finding.incident, finding.time, finding.also,
                finding.assumptions):
            return said != finding
        return False


def _name(finding: Finding) -> tuple[object, ...]:
    """What makes a finding the same in another run."""
    return finding.rule, finding.line, finding.phone, finding.server, finding.time
