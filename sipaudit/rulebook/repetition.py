"""Counts recent breaches of a rule, on a line or by lines of an entry: repetition raises the severity."""

from __future__ import annotations

from collections.abc import Set
from itertools import count

from sipaudit.model.values import Severity
from sipaudit.rulebook.reached import LineOfPhone, Party, line_of_phone
from sipaudit.rulebook.rules import Escalation, GroupBy, Rule


class Repetitions:
    """Stores, by rule and series, as many of the latest times as the escalation counts to."""

    def __init__(self) -> None:
        self._recent: dict[tuple[str, Escalation, str, str], dict[object, float]] = {}
        self._numbers = count()

    def severity(self, rule: Rule, time: float, party: Party) -> Severity | None:
        """The worst severity whose count this breach at `time` (seconds) reaches, None if it reaches none."""
        reached = [step.severity for step in rule.escalate if self._reaches(rule, step, time, party)]
        return max(reached, key=lambda severity: severity.rank, default=None)

    def forget(self, before: float) -> None:
        """Forget the series whose latest breach no longer counts at that time (seconds since the epoch)."""
        self._recent = {key: recent for key, recent in self._recent.items()
                        if next(reversed(recent.values())) + key[1].within >= before}

    def release(self, lines: Set[LineOfPhone]) -> None:
        """These lines were forgotten."""
        self._recent = {key: recent for key, recent in self._recent.items() if key[2:] not in lines}

    def _reaches(self, rule: Rule, step: Escalation, time: float, party: Party) -> bool:
        member: object = line_of_phone(party)
        if step.group_by is GroupBy.LINE:
            group, member = line_of_phone(party), next(self._numbers)
        elif party.entry is not None:
            group = (party.entry, "")
        else:
            return False  # lines of an unknown entry cannot be counted
        recent = self._recent.setdefault((rule.id, step, *group), {})
        recent.pop(member, None)  # a repeated member moves to the end
        recent[member] = time
        if len(recent) > step.count:
            del recent[next(iter(recent))]
        return len(recent) == step.count and time - next(iter(recent.values())) <= step.within
