"""Rules and incident kinds as values: one file of a pack is one of them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from enum import StrEnum

from msgspec import Struct

from sipaudit.errors import InputError
from sipaudit.model.observations import Fact, Verdict
from sipaudit.model.settings import Regime, Tolerances
from sipaudit.model.values import Severity
from sipaudit.rulebook.conditions import Condition
from sipaudit.yamlfile.wording import quoted, suggestion


class Group(StrEnum):
    """The folders of a pack. The first three hold rules that judge what the model observed."""

    REGISTRATION = "registration"
    FAILOVER = "failover"
    FAILBACK = "failback"
    SETTINGS = "settings"
    INCIDENTS = "incidents"


REPLAYED = frozenset({Group.REGISTRATION, Group.FAILOVER, Group.FAILBACK})


class Wording(Struct, frozen=True):
    """One way to say a finding; the first whose condition holds is taken."""

    expected: str
    observed: str
    when: Condition | None = None


class Grade(Struct, frozen=True):
    """The severity that a rule has under a condition."""

    when: Condition
    severity: Severity


class GroupBy(StrEnum):
    """What repetitions are counted over: observations on one line, or lines of one server entry."""

    LINE = "line"
    ENTRY = "entry"


class Escalation(Struct, frozen=True):
    """From the `count`-th within `within` seconds on, a finding has at least this severity."""

    severity: Severity
    count: int
    group_by: GroupBy
    within: float


class Rule(Struct, frozen=True):
    """What makes a finding: which observations (`expectations`, `verdicts`, an optional condition), and how it is said.

    A rule of the group `settings` takes no observations: settings alone break it. `severities` are tried in their
    order before `severity`. `basis` are ids of reference-model.md, `tolerance` seconds by the fields of Tolerances
    that an override sets for this rule, `file` is its source.
    A finding of a rule named in `consequence_of`, on the same line shortly before, is this one's cause.
    """

    id: str
    title: str
    group: Group
    severity: Severity
    basis: tuple[str, ...]
    message: tuple[Wording, ...]
    documentation: dict[str, str]
    file: str
    expectations: frozenset[str] = frozenset()
    verdicts: frozenset[Verdict] = frozenset()
    when: Condition | None = None
    severities: tuple[Grade, ...] = ()
    escalate: tuple[Escalation, ...] = ()
    tolerance: dict[str, float] = {}
    consequence_of: frozenset[str] = frozenset()

    def severity_of(self, facts: Mapping[str, Fact]) -> Severity:
        """How severe a finding with these facts is, the first time."""
        return next((grade.severity for grade in self.severities if grade.when.holds(facts)), self.severity)

    def least_severity(self, facts: Mapping[str, Fact], regimes: Iterable[Regime]) -> Severity:
        """The same where the line's regime may be any of these: what only some make graver is not proven
        (reference-model.md 4)."""
        if facts.get("regime") is not None:
            return self.severity_of(facts)
        possible = (self.severity_of({**facts, "regime": str(regime)}) for regime in regimes)
        return min(possible, key=lambda severity: severity.rank)

    def wording(self, facts: Mapping[str, Fact]) -> Wording:
        """How a finding with these facts is said."""
        return next((one for one in self.message if one.when is None or one.when.holds(facts)), self.message[-1])

    @property
    def levels(self) -> tuple[Severity, ...]:
        """Every severity that a finding of the rule can have, the worst first."""
        stated = {self.severity, *(grade.severity for grade in self.severities),
                  *(step.severity for step in self.escalate)}
        return tuple(sorted(stated, key=lambda severity: -severity.rank))


class IncidentKind(Struct, frozen=True):
    """A kind of incident (reference-model.md 7): its thresholds by name, and when it starts and ends in words."""

    id: str
    title: str
    thresholds: dict[str, float]
    starts: str
    ends: str
    documentation: dict[str, str]
    file: str


class RulePack(Struct, frozen=True):
    """All rules in force, each kind by id. `notes` are sentences that the report has to say about them, `known` the ids
    of all rules, those that were taken out of force included."""

    rules: tuple[Rule, ...]
    settings: tuple[Rule, ...] = ()
    incidents: tuple[IncidentKind, ...] = ()
    notes: tuple[str, ...] = ()
    known: frozenset[str] = frozenset()

    @property
    def of_lines(self) -> tuple[Rule, ...]:
        """Every rule that makes findings: on what was observed, and on settings."""
        return (*self.rules, *self.settings)

    def find(self, name: str) -> list[Rule | IncidentKind]:
        """What has this id: a rule, an incident kind or both. Raises InputError with the nearest id."""
        everything: list[Rule | IncidentKind] = [*self.of_lines, *self.incidents]
        found = [one for one in everything if one.id == name]
        if not found and name in self.known:
            raise InputError(f"the rule {quoted(name)} is switched off by --rules", fix="leave that file out to see it")
        if not found:
            raise InputError(f"there is no rule or incident kind {quoted(name)}", fix=suggestion(
                name, {one.id for one in everything}, otherwise="`sipaudit rules list` shows them"))
        return found

    def tolerances_of(self, site: Tolerances) -> dict[str, Tolerances]:
        """By expectation, the tolerances that overrides lay over those of the site. Of several rules that share an
        expectation the most tolerant counts: what one allows cannot be held against a phone by another."""
        stated = {name for rule in self.rules if rule.tolerance for name in rule.expectations}
        return {name: self._tolerances(name, site) for name in sorted(stated)}

    def _tolerances(self, expectation: str, site: Tolerances) -> Tolerances:
        takers = [rule.tolerance for rule in self.rules if expectation in rule.expectations]
        return Tolerances(*(max(taker.get(name, getattr(site, name)) for taker in takers)
                            for name in Tolerances.__struct_fields__))
