"""From observations to findings: one request makes one finding, one fault makes one finding (reference-model.md 4)."""

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
# Of several rules that one request breaks, the first in this list makes the finding; the others go into its `also`.
ONE_REQUEST = (
    "deregistration-at-failover", "failback-without-registration", "signalling-to-unregistered-server",
    "failback-during-call", "premature-failback", "primary-not-tried-first", "credentials-to-wrong-server",
    "failover-without-failure", "failover-skipped-server",
)


class Faults:
    """Collects the faults of many lines, and the checks of each (line, phone). `left_open` is called for every check
    that could not be decided.

    At most `limit` faults, and lines with checks, are kept; `made` counts all faults ever made, `evicted` those dropped
    for the limit.
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
        """Put these rules in force; findings of earlier rules stay."""
        self.by_expectation.clear()
        for rule in rules:
            for expectation in sorted(rule.expectations):
                self.by_expectation.setdefault(expectation, []).append(rule)

    def take(self, step: Step, subject: Subject) -> None:
        """Take in the observations of one step of a line."""
        if step.observations:
            self.judge_all(step.observations, subject)
        key = line_of_phone(subject)
        if key in self.open and rearms(step, subject.settings):
            del self.open[key]

    def judge_all(self, observations: Iterable[Observation], subject: Subject) -> None:
        """Take in observations; those of the same event are judged together: one request makes one finding."""
        for _, of_event in groupby(observations, lambda observation: id(observation.event)):
            self.judge(of_event, subject)

    def doubt(self, lost: Lost) -> None:
        """The capture turns out to lack a packet of this phone: its faults since about that time become only likely
        (reference-model.md 4, `capture-complete`)."""
        since = lost.time if lost.since is None else min(lost.since, lost.time)
        for fault in reversed(self.of_phone.get(lost.phone, ())):
            if since - fault.told.event.time > LOSS_REACH:
                return
            fault.told = in_doubt(fault.told, Assumption.CAPTURE_COMPLETE)

    def started(self, phone: int) -> None:
        """The phone was seen to start, and may have new settings since: that the declared settings were in force before
        becomes an assumption (C8)."""
        for fault in reversed(self.of_phone.get(phone, ())):
            if Assumption.SETTINGS_IN_FORCE in fault.told.assumptions:
                return
            if fault.subject.settings.values:
                fault.told = in_doubt(fault.told, Assumption.SETTINGS_IN_FORCE)

    def judge(self, observations: Iterable[Observation], subject: Subject) -> None:
        """Take in the observations of one event: the first of the rules that a request breaks makes the finding, with
        the others listed in it.
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
        """The open fault that the observation joins, or a new one. A fault reports its worst observation: an error must
        not pass for the info that came before it."""
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
            # looked up again, since `_shed` replaces these lists
            self.of_phone.setdefault(observation.event.phone, []).append(fault)
        elif grade.rank > fault.grade.rank:
            fault.told, fault.grade, fault.also = observation, grade, also
            of_phone.remove(fault)  # keeps the order of the reported observations
            of_phone.append(fault)
        return fault

    def forget(self, before: float, known: Set[LineOfPhone]) -> None:
        """Forget the faults that nothing can join any more and whose observation is before that time (seconds since the
        epoch), and everything of lines that are not `known`."""
        self.release([whose for whose in (*self.checks, *self.open) if whose not in known], ())
        self._repetitions.forget(before)
        self.checks.sum_up(before)
        open_ = self._joinable()
        self._without({fault.number for fault in self.done if fault.told.time < before and fault.number not in open_})

    def begin_anew(self) -> None:
        """Start anew: later observations neither join nor repeat earlier faults."""
        self.open.clear()
        self._repetitions = Repetitions()

    def tighten(self, limit: float) -> None:
        """Set another bound."""
        self.limit = limit
        while len(self.done) > limit:
            self._shed()
        self.checks.tighten(limit)

    def release(self, whose: Collection[LineOfPhone], phones: Iterable[int]) -> None:
        """Forget these lines and phones."""
        self.checks.release(whose)
        for each in whose:
            self.open.pop(each, None)
        for phone in phones:
            self.of_phone.pop(phone, None)
        if whose:
            self._repetitions.release(set(whose))

    def _shed(self) -> None:
        """Too many faults: drop the older half, starting with those that nothing can join any more."""
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
        """The numbers of the faults that an observation may still join."""
        return {fault.number for of_line in self.open.values() for fault in of_line.values()}

    def _without(self, gone: Set[int]) -> None:
        """Drop the faults with these numbers; their consequences then have no cause."""
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
        """The faults from that number on, in order."""
        return self.done[bisect_left(self.done, number, key=lambda fault: fault.number):]

    def held(self, subject: Subject, phone: int, now: float) -> Held:
        """A copy of the faults and checks of a line at `now`, so that later ones can be undone with `take_back`."""
        key = line_of_phone(subject)
        faults = [(fault, replace(fault, evidence=dict(fault.evidence))) for fault in self.of_phone.get(phone, ())
                  if line_of_phone(fault.subject) == key]
        checks, known = Checks(), self.checks.of(key)
        checks.last = known.last = max(known.last, now)
        checks.reached, checks.open = known.reached.copy(), known.open.copy()
        return Held(faults, dict(self.open.get(key, {})), checks)

    def take_back(self, subject: Subject, phone: int, held: Held) -> None:
        """Undo the faults and checks of the line since `held`: a late packet disproves them."""
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
        """All captures were read, and `loss` is the share of packets that they lack. A fault that rests on absent
        packets needs a gap-free flow of the phone about that time; it stays undecided if even that proves nothing.
        Other faults become only likely (reference-model.md 4)."""
        for fault in self.done:
            told = left_standing(fault, loss)
            if told is None:
                self.lost_to_gaps(fault)
                self.undecided.add(fault.number)
            else:
                fault.told = told

    def lost_to_gaps(self, fault: Fault) -> None:
        """Count the fault's checks as undecided because of missing packets."""
        self.checks.of(line_of_phone(fault.subject)).open[fault.rule.id, Reason.LOSS_NEARBY] += fault.times

    def findings(self, wanted: Callable[[ModelEvent], bool] = lambda _: True) -> list[Finding]:
        """The findings whose condemning event is `wanted`, numbered by (time, line, phone, rule)."""
        return in_order(finding_of(fault, fault.told) for fault in self.done
                        if wanted(fault.told.event) and fault.number not in self.undecided)


def _cause(rule: Rule, time: float, subject: Subject, before: Iterable[Fault]) -> int | None:
    """The number of the line's latest fault, not long ago, of which one of this rule is a consequence; None without
    one."""
    causes = [fault.number for fault in before if fault.rule.id in rule.consequence_of
              and line_of_phone(fault.subject) == line_of_phone(subject)
              and 0 <= time - fault.told.time <= CAUSED_WITHIN]
    return causes[-1] if causes else None


def rearms(step: Step, settings: LineSettings) -> bool:
    """Whether a fault may be reported anew: after a move of the line, or a 200 to a REGISTER when it had no live
    binding."""
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
    """Whether a line has stopped working with the server that it worked with."""
    return before is not None and (after is None or after.server != before.server)
