"""From observations to findings: one request one finding, one fault one finding (reference-model.md 4)."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Callable, Collection, Iterable, Set
from itertools import groupby
from math import inf

from msgspec.structs import replace

from sipaudit.model.conditions.trust import LOSS_REACH
from sipaudit.model.events import Answered, Lost, ModelEvent
from sipaudit.model.judge import possible_regimes
from sipaudit.model.observations import Observation, Verdict
from sipaudit.model.replay import Step
from sipaudit.model.settings import LineSettings
from sipaudit.model.state import Stay
from sipaudit.model.values import Assumption, Finding, Reason, Severity
from sipaudit.rulebook.fault import Fault, Held, LeftOpen, Subject, in_doubt, left_standing
from sipaudit.rulebook.reached import Checks, ChecksOfLines, LineOfPhone, line_of_phone
from sipaudit.rulebook.repetition import Repetitions
from sipaudit.rulebook.rules import Rule
from sipaudit.rulebook.telling import facts_of, finding_of, in_order
from sipaudit.turned_away import has_room

EVIDENCE_KEPT = 20
CAUSED_WITHIN = 600.0   # seconds between a cause and its consequence
# Of several rules that one request breaks, the first here is the finding; the others stand in its `also`.
ONE_REQUEST = (
    "deregistration-at-failover", "failback-without-registration", "signalling-to-unregistered-server",
    "failback-during-call", "premature-failback", "primary-not-tried-first", "credentials-to-wrong-server",
    "failover-without-failure", "failover-skipped-server",
)


class Faults:
    """Gathers faults of many lines, and by (line, phone) what was checked of each. `left_open` is told of every check
    that could not be decided.

    No more than `limit` faults, and lines with checks, are kept; `made` counts the faults there ever were, `evicted`
    those that had to go.
    """

    __slots__ = ("_repetitions", "by_expectation", "checks", "done", "evicted", "left_open", "limit", "made",
                 "of_phone", "open", "undecided")

    def __init__(self, rules: Iterable[Rule]) -> None:
        self.by_expectation: dict[str, list[Rule]] = {}
        self.obey(rules)
        self.done: list[Fault] = []
        self.of_phone: dict[int, list[Fault]] = {}
        self.open: dict[LineOfPhone, dict[str, Fault]] = {}
        self.checks = ChecksOfLines()
        self.limit = inf
        self.evicted = 0
        self.made = 0
        self.left_open: LeftOpen | None = None
        self.undecided: set[int] = set()
        self._repetitions = Repetitions()

    def obey(self, rules: Iterable[Rule]) -> None:
        """These rules are in force; what was found by others stays found."""
        self.by_expectation.clear()
        for rule in rules:
            for expectation in sorted(rule.expectations):
                self.by_expectation.setdefault(expectation, []).append(rule)

    def take(self, step: Step, subject: Subject) -> None:
        """Take in what one step of a line observed."""
        if step.observations:
            self.judge_all(step.observations, subject)
        key = line_of_phone(subject)
        if key in self.open and rearms(step, subject.settings):
            del self.open[key]

    def judge_all(self, observations: Iterable[Observation], subject: Subject) -> None:
        """Take in observations, those of one event together: one request makes one finding."""
        for _, of_event in groupby(observations, lambda observation: id(observation.event)):
            self.judge(of_event, subject)

    def doubt(self, lost: Lost) -> None:
        """The capture turns out to lack a packet of this phone: what was said of it since about then is likely only
        (reference-model.md 4, `capture-complete`)."""
        since = lost.time if lost.since is None else min(lost.since, lost.time)
        for fault in reversed(self.of_phone.get(lost.phone, ())):
            if since - fault.told.event.time > LOSS_REACH:
                return
            fault.told = in_doubt(fault.told, Assumption.CAPTURE_COMPLETE)

    def started(self, phone: int) -> None:
        """The phone was seen to start, and may have other settings since: that those that are declared were in force
        before is an assumption (C8)."""
        for fault in reversed(self.of_phone.get(phone, ())):
            if Assumption.SETTINGS_IN_FORCE in fault.told.assumptions:
                return
            if fault.subject.settings.values:
                fault.told = in_doubt(fault.told, Assumption.SETTINGS_IN_FORCE)

    def judge(self, observations: Iterable[Observation], subject: Subject) -> None:
        """Take in observations of one event: of the rules of one request the first is the finding, others stand beside.
        """
        broken: dict[str, tuple[Rule, Observation]] = {}
        for rule, observation in (pair for one in observations for pair in self._broken(one, subject)):
            broken.setdefault(rule.id, (rule, observation))
        listed = [name for name in ONE_REQUEST if name in broken]
        for name, (rule, observation) in broken.items():
            if name not in listed[1:]:
                self._add(rule, observation, tuple(listed[1:]) if name in listed else (), subject)

    def _broken(self, observation: Observation, subject: Subject) -> Iterable[tuple[Rule, Observation]]:
        checks = self.checks.of(line_of_phone(subject))
        checks.last = max(checks.last, observation.time)
        for rule in self.by_expectation.get(observation.expectation, ()):
            checks.reached[rule.id] += 1
            if observation.verdict is Verdict.INCONCLUSIVE and observation.reason is not None:
                checks.open[rule.id, observation.reason] += 1
                if self.left_open is not None:
                    self.left_open(subject, observation.time, rule.id, observation.reason)
            elif observation.verdict in rule.verdicts and (rule.when is None or rule.when.holds(facts_of(observation))):
                yield rule, observation

    def _add(self, rule: Rule, observation: Observation, also: tuple[str, ...], subject: Subject) -> None:
        grade = rule.least_severity(facts_of(observation), possible_regimes(subject.settings))
        fault = self._fault(rule, observation, grade, also, subject)
        reached = self._repetitions.severity(rule, observation.time, subject)
        fault.severity = max(fault.severity, grade, reached or grade, key=lambda severity: severity.rank)
        fault.times += 1
        for event in (*observation.proof, observation.event):
            if has_room(fault.evidence, EVIDENCE_KEPT, "samples"):
                frame = subject.frame(event)
                fault.evidence.setdefault((frame.capture, frame.frame or frame.time), frame)

    def _fault(self, rule: Rule, observation: Observation, grade: Severity, also: tuple[str, ...],
               subject: Subject) -> Fault:
        """The open fault that the observation joins, or a new one. The worst observation is the one it tells of: an
        error must not pass for the info that came before it."""
        of_line = self.open.setdefault(line_of_phone(subject), {})
        of_phone = self.of_phone.setdefault(observation.event.phone, [])
        fault = of_line.get(rule.id)
        if fault is None:
            cause = _cause(rule, observation.time, subject, of_phone)
            fault = of_line[rule.id] = Fault(rule, subject, observation, grade, grade, also, {}, self.made, cause)
            self.made += 1
            if len(self.done) >= self.limit:
                self._shed()
            self.done.append(fault)
            # asked for again, since who sheds makes these lists anew
            self.of_phone.setdefault(observation.event.phone, []).append(fault)
        elif grade.rank > fault.grade.rank:
            fault.told, fault.grade, fault.also = observation, grade, also
            of_phone.remove(fault)  # it stands in the order of what it tells of
            of_phone.append(fault)
        return fault

    def forget(self, before: float, known: Set[LineOfPhone]) -> None:
        """Forget the faults that nothing can join any more and that tell of something before that time (seconds since
        the epoch), and all of lines that are not `known`."""
        self.release([whose for whose in (*self.checks, *self.open) if whose not in known], ())
        self._repetitions.forget(before)
        self.checks.sum_up(before)
        open_ = self._joinable()
        self._without({fault.number for fault in self.done if fault.told.time < before and fault.number not in open_})

    def begin_anew(self) -> None:
        """Nothing that comes may join or repeat what was."""
        self.open.clear()
        self._repetitions = Repetitions()

    def tighten(self, limit: float) -> None:
        """Another bound from now on."""
        self.limit = limit
        while len(self.done) > limit:
            self._shed()
        self.checks.tighten(limit)

    def release(self, whose: Collection[LineOfPhone], phones: Iterable[int]) -> None:
        """These lines and phones were forgotten."""
        self.checks.release(whose)
        for each in whose:
            self.open.pop(each, None)
        for phone in phones:
            self.of_phone.pop(phone, None)
        if whose:
            self._repetitions.release(set(whose))

    def _shed(self) -> None:
        """Too many faults: the older half goes, those first that nothing can join any more."""
        open_ = self._joinable()
        ranked = sorted(self.done, key=lambda fault: (fault.number in open_, fault.number))
        gone = {fault.number for fault in ranked[:len(ranked) // 2 + 1]}
        self.evicted += len(gone)
        self._without(gone)
        for whose, of_line in list(self.open.items()):
            self.open[whose] = {rule: fault for rule, fault in of_line.items() if fault.number not in gone}
            if not self.open[whose]:
                del self.open[whose]

    def _joinable(self) -> set[int]:
        """The numbers of the faults that something may join still."""
        return {fault.number for of_line in self.open.values() for fault in of_line.values()}

    def _without(self, gone: Set[int]) -> None:
        """Forget the faults of these numbers; what they led to has no cause then."""
        if not gone:
            return
        self.done = [fault for fault in self.done if fault.number not in gone]
        self.of_phone = {phone: kept for phone, faults in self.of_phone.items()
                         if (kept := [fault for fault in faults if fault.number not in gone])}
        self.undecided -= gone
        for fault in self.done:
            if fault.cause in gone:
                fault.cause = None

    def since(self, number: int) -> list[Fault]:
        """The faults from that number on, in their order."""
        return self.done[bisect_left(self.done, number, key=lambda fault: fault.number):]

    def held(self, subject: Subject, phone: int, now: float) -> Held:
        """What is held against a line at `now`, so that what comes next can be taken back."""
        key = line_of_phone(subject)
        faults = [(fault, replace(fault, evidence=dict(fault.evidence))) for fault in self.of_phone.get(phone, ())
                  if line_of_phone(fault.subject) == key]
        checks, known = Checks(), self.checks.of(key)
        checks.last = known.last = max(known.last, now)
        checks.reached, checks.open = known.reached.copy(), known.open.copy()
        return Held(faults, dict(self.open.get(key, {})), checks)

    def take_back(self, subject: Subject, phone: int, held: Held) -> None:
        """What was said of the line since does not stand: a packet that came late shows otherwise."""
        key = line_of_phone(subject)
        before = {fault.number for fault, _ in held.faults}
        for fault in self.of_phone.get(phone, []).copy():
            if line_of_phone(fault.subject) == key and fault.number not in before:
                self.of_phone[phone].remove(fault)
                self.undecided.add(fault.number)
        for fault, copy in held.faults:
            for name in Fault.__struct_fields__:
                setattr(fault, name, getattr(copy, name))
        self.open.pop(key, None)
        if held.open:
            self.open[key] = dict(held.open)
        self.checks[key] = held.checks

    def finish(self, loss: float) -> None:
        """All has been read, and `loss` is the share of packets that turned out to lack. What rests on packets that are
        not there needs a gap-free flow of the phone about then, and stays undecided where even that proves nothing; the
        rest is likely only (reference-model.md 4)."""
        for fault in self.done:
            told = left_standing(fault, loss)
            if told is None:
                self.lost_to_gaps(fault)
                self.undecided.add(fault.number)
            else:
                fault.told = told

    def lost_to_gaps(self, fault: Fault) -> None:
        """The packets that lack leave it undecided."""
        self.checks.of(line_of_phone(fault.subject)).open[fault.rule.id, Reason.LOSS_NEARBY] += fault.times

    def findings(self, wanted: Callable[[ModelEvent], bool] = lambda _: True) -> list[Finding]:
        """The findings whose condemning event is `wanted`, numbered by (time, line, phone, rule)."""
        return in_order(finding_of(fault, fault.told) for fault in self.done
                        if wanted(fault.told.event) and fault.number not in self.undecided)


def _cause(rule: Rule, time: float, subject: Subject, before: Iterable[Fault]) -> int | None:
    """The latest fault of the line, not long ago, of which one of this rule is a consequence."""
    causes = [fault.number for fault in before if fault.rule.id in rule.consequence_of
              and line_of_phone(fault.subject) == line_of_phone(subject)
              and 0 <= time - fault.told.time <= CAUSED_WITHIN]
    return causes[-1] if causes else None


def rearms(step: Step, settings: LineSettings) -> bool:
    """A fault may be said again after a move of the line, or a 200 to a REGISTER where it had no live binding."""
    event = step.event
    if not isinstance(event, Answered) or step.before is step.after:
        return False
    if step.before.stays is not step.after.stays and any(
        _has_left(step.before.stay(regime), step.after.stay(regime)) for regime in possible_regimes(settings)
    ):
        return True
    binding = step.after.binding(event.server) if event.method == "REGISTER" else None
    return binding is not None and binding.since is event


def _has_left(before: Stay | None, after: Stay | None) -> bool:
    """Whether a line that worked with a server works with that no more."""
    return before is not None and (after is None or after.server != before.server)
