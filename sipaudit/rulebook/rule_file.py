"""Reads one rule file, whose keys have a fixed order. All its errors are reported at once."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator

from sipaudit.model.expectations import EXPECTATIONS, ROWS
from sipaudit.model.observations import Verdict
from sipaudit.model.values import Severity
from sipaudit.rulebook.conditions import Condition, ConditionError
from sipaudit.rulebook.facts import FACTS, SETTING_FACTS
from sipaudit.rulebook.rules import Escalation, Grade, Group, GroupBy, Rule, Wording
from sipaudit.rulebook.wording import unknown_names
from sipaudit.times import A_DAY
from sipaudit.yamlfile.fields import Fields
from sipaudit.yamlfile.wording import hint, quoted

KEYS = ("id", "title", "severity", "severities", "escalate", "basis", "on", "when", "consequence_of", "message",
        "documentation")
OPTIONAL = frozenset({"severities", "escalate", "when", "consequence_of"})
SETTINGS_KEYS = ("id", "title", "severity", "severities", "basis", "message", "documentation")
MESSAGE_KEYS = ("expected", "observed", "when")
DOCUMENTATION = {   # its keys, and the heading of each part
    "what": "What it says", "why": "Why it matters", "false_positives": "When it may be wrong",
    "misses": "What it does not see", "fix": "What to do",
}
ID = re.compile("[a-z][a-z0-9-]{0,63}")
MOST = 10_000        # the maximum count of an escalation


class RuleFile:
    """Turns the fields of one file into a Rule of its group; `check` compiles its conditions at once."""

    def __init__(self, fields: Fields, group: Group, file: str, *, check: bool) -> None:
        self._fields = fields
        self._group = group
        self._file = file
        self._check = check
        self._facts: Iterable[str] = SETTING_FACTS if group is Group.SETTINGS else FACTS

    def rule(self) -> Rule:
        """The rule; errors are added to the problems."""
        fields, replayed = self._fields, self._group is not Group.SETTINGS
        fields.keys(KEYS if replayed else SETTINGS_KEYS, OPTIONAL)
        on = fields.mapping("on", "{expectation: NAME, verdict: NAME}")
        if replayed and "on" in fields.node.items:
            on.keys(("expectation", "verdict"))
        expectations = frozenset(_expectations(on))
        return Rule(
            id=identity(fields), title=fields.text("title"), group=self._group, severity=_severity(fields),
            basis=tuple(fields.texts("basis", "[F6, B2]")), message=tuple(self._wordings()),
            documentation=self._documentation(), file=self._file, expectations=expectations,
            verdicts=_verdicts(on, expectations), when=self._condition(fields),
            severities=tuple(self._grades()), escalate=tuple(self._escalations()),
            consequence_of=frozenset(fields.texts("consequence_of", "[premature-failback]")),
        )

    def _grades(self) -> Iterator[Grade]:
        for item in self._fields.mappings("severities", '{when: regime == "R3", severity: warning}'):
            item.keys(("when", "severity"))
            condition = self._condition(item)
            if condition is not None:
                yield Grade(condition, _severity(item))

    def _escalations(self) -> Iterator[Escalation]:
        for item in self._fields.mappings("escalate", "{severity: warning, count: 2, group_by: line, within: 600}"):
            item.keys(("severity", "count", "group_by", "within"))
            count, within = item.whole("count", 2, MOST), item.number("within", 1, A_DAY)
            series = item.word("group_by", GroupBy)
            if count is not None and within is not None and series is not None:
                yield Escalation(_severity(item), count, series, within)

    def _wordings(self) -> Iterator[Wording]:
        wordings = list(self._fields.mappings("message", "{expected: ..., observed: ...}"))
        for number, item in enumerate(wordings, 1):
            item.keys(MESSAGE_KEYS, {"when"})
            if number == len(wordings) and "when" in item.node.items:
                item.wrong("when", "the last wording has a condition", "let it hold for the rest")
            texts = {key: item.text(key) for key in ("expected", "observed")}
            for key, text in texts.items():
                for name in unknown_names(text, self._facts):
                    item.wrong(key, f"no observation has {{{name}}}", "see docs/rules.md")
            yield Wording(**texts, when=self._condition(item))

    def _documentation(self) -> dict[str, str]:
        return documentation(self._fields, () if self._group is not Group.SETTINGS else ("false_positives", "misses"))

    def _condition(self, fields: Fields) -> Condition | None:
        """`when`: a condition in CEL over the facts."""
        text = fields.text("when")
        if not text:
            return None
        condition = Condition(text)
        try:
            if self._check:
                condition.check(self._facts)
        except ConditionError as error:
            fields.wrong("when", str(error), "see docs/rules.md for the names")
        return condition


def identity(fields: Fields) -> str:
    """The id, which suppressions, dashboards and shells refer to."""
    name = fields.text("id")
    if name and not ID.fullmatch(name):
        fields.wrong("id", f"the id {quoted(name)} is no word", "write small letters, digits and dashes, at most 64")
    return name


def documentation(fields: Fields, optional: Iterable[str]) -> dict[str, str]:
    """The documentation of a rule or an incident kind."""
    texts = fields.mapping("documentation", "{what: TEXT, why: TEXT, fix: TEXT}")
    texts.keys(DOCUMENTATION, optional)
    return {key: texts.text(key) for key in DOCUMENTATION if key in texts.node.items}


def _severity(fields: Fields) -> Severity:
    return fields.word("severity", Severity) or Severity.INFO


def _expectations(on: Fields) -> Iterator[str]:
    for name in on.texts("expectation", "[failback-before-due]", single=True):
        if name not in EXPECTATIONS:
            near = hint(name, EXPECTATIONS)
            on.wrong("expectation", f"the model has no expectation {quoted(name)}{near}", "name one that it has")
        yield name


def _verdicts(on: Fields, expectations: frozenset[str]) -> frozenset[Verdict]:
    known = frozenset(Verdict)
    names = list(on.texts("verdict", "[early]", single=True))
    for name in names:
        if name not in known:
            on.wrong("verdict", f"unknown verdict {quoted(name)}{hint(name, known)}", "see docs/rules.md")
    verdicts = frozenset(map(Verdict, known.intersection(names)))
    reached = {row.verdict for row in ROWS if row.expectation in expectations}
    if verdicts and reached and not verdicts & reached:
        fix = f"use one of {', '.join(sorted(reached))}"
        on.wrong("verdict", f"it never comes to the verdict {quoted(names[0])}", fix)
    return verdicts
