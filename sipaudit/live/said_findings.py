"""Says findings: when they are raised, again when more is known, and withdrawn when they no longer stand."""

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

AGAIN_AFTER = 60.0   # seconds between two sayings of a finding that merely recurred
FOLLOWED = 5_000     # the latest findings that may be said again
LOST_SINCE, LATE_PACKET = "loss-nearby", "late-packet"

Mark = Callable[[Finding], Finding]


class Told(Struct):
    """A fault that is followed; it gets an `id` with its first finding. `finding` is its present finding (None: it does
    not stand), computed from the values `of`. `said` is the finding as last said, at the time `at` (None: nothing that
    was said stands). `loss` is the largest share of packets lost around the time of the fault; it may rise until the
    time `until`, since losses much later say nothing about the fault, and does not fall when the loss is long past."""

    fault: Fault
    until: float
    id: str = ""
    finding: Finding | None = None
    of: tuple[object, ...] = ()
    said: Finding | None = None
    at: float = 0.0
    loss: float = 0.0
    settled: bool = False   # whether `loss` is final


class SaidFindings:
    """Follows the faults. `mark` adds to a finding whether it is suppressed."""

    def __init__(self, mark: Mark) -> None:
        self.mark = mark
        self.count = 0
        self.fresh = False   # whether the last look showed a finding that was not said yet
        self._told: dict[int, Told] = {}
        self._before: dict[tuple[object, ...], Finding] = {}
        self._next = 0

    def said_before(self, finding: Finding) -> None:
        """Note a finding that another run said after the checkpoint."""
        self.count_on(finding)
        same = next((told for told in self._told.values() if told.id == finding.id), None)
        if same is None:
            self._before[_name(finding)] = finding
            forget_oldest(self._before, FOLLOWED, "said")
        else:
            same.said = finding

    def withdrawn_before(self, name: str) -> None:
        """Note that another run withdrew the finding of this id."""
        for key in [key for key, finding in self._before.items() if finding.id == name]:
            del self._before[key]
        for told in self._told.values():
            if told.id == name:
                told.said = None

    def count_on(self, finding: Finding) -> None:
        """Another run assigned the id of this finding: our ids continue after it."""
        self.count = max(self.count, int(finding.id.rpartition("-")[2]))

    def next_id(self) -> str:
        """The next id; ids are assigned in the order of raising (contract.md 3)."""
        self.count += 1
        return f"f-{self.count:06d}"

    def forget(self, known: Set[int]) -> None:
        """Follow no more faults but those `known`, by their numbers."""
        for number in self._told.keys() - known:
            del self._told[number]

    def look(self, now: float, faults: Faults, loss: float, *, at_last: bool = False) -> dict[int, Finding]:
        """The findings that stand at `now`, not yet assigned to incidents, by the number of their fault; `loss` is the
        share of packets lost recently. `at_last`: no more will be learnt."""
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
        """The fault has its first finding, which another run may have said already."""
        before = self._before.pop(_name(finding), None)
        if before is None:
            told.id = self.next_id()
        else:
            told.id, told.said, told.at = before.id, before, finding.time or 0.0

    def say(self, now: float, faults: Faults, incidents: Mapping[int, str], *, at_last: bool = False
            ) -> Iterator[Saying]:
        """The sayings due at `now`, after the last look; `incidents` maps numbers of faults to ids of incidents.
        `at_last`: nothing will be said later."""
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
        """The findings as last said, including those of an earlier run."""
        said = [*self._before.values(), *(told.said for told in self._told.values() if told.said is not None)]
        yield from (FindingSaid(now, finding) for finding in said)

    def _differs(self, said: Finding, finding: Finding, again: bool) -> bool:
        if again or (said.severity, said.confidence, said.incident, said.time, said.also, said.assumptions) != (
                finding.severity, finding.confidence, finding.incident, finding.time, finding.also,
                finding.assumptions):
            return said != finding
        return False


def _name(finding: Finding) -> tuple[object, ...]:
    """What identifies the same finding in another run."""
    return finding.rule, finding.line, finding.phone, finding.server, finding.time
