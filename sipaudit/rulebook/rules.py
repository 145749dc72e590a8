"""Rules and incident kinds as values: each file of a pack holds one."""

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
    """The folders of a pack. The first three hold rules on the model's observations."""

    REGISTRATION = "registration"
    FAILOVER = "failover"
    FAILBACK = "failback"
    SETTINGS = "settings"
    INCIDENTS = "incidents"


REPLAYED = frozenset({Group.REGISTRATION, Group.FAILOVER, Group.FAILBACK})


class Wording(Struct, frozen=True):
    """One pair of texts for a finding; the first whose condition holds is used."""

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
    """What makes a finding: the observations concerned (`expectations`, `verdicts`, an optional condition), and its
    texts.

    A rule of the group `settings` takes no observations: settings alone break it. `severities` are tried in order
    before `severity`. `basis`: ids of reference-model.md; `tolerance`: seconds by the fields of Tolerances that an
    override sets for this rule; `file`: its source.

    A finding of a rule in `consequence_of`, on the same line shortly before, is the cause of a finding of this rule.
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
        """The severity of a finding with these facts, before repetitions."""
        return next((grade.severity for grade in self.severities if grade.when.holds(facts)), self.severity)

    def least_severity(self, facts: Mapping[str, Fact], regimes: Iterable[Regime]) -> Severity:
        """The same if the line's regime may be any of these: the least of their severities, as what only some regimes
        make graver is not proven (reference-model.md 4)."""
        if facts.get("regime") is not None:
            return self.severity_of(facts)
        possible = (self.severity_of({**facts, "regime": str(regime)}) for regime in regimes)
        return min(possible, key=lambda severity: severity.rank)

    def wording(self, facts: Mapping[str, Fact]) -> Wording:
        """The wording for a finding with these facts."""
        return next((one for one in self.message if one.when is None or one.when.holds(facts)), self.message[-1])

    @property
    def levels(self) -> tuple[Severity, ...]:
        """Every severity that a finding of the rule can have, worst first."""
        stated = {self.severity, *(grade.severity for grade in self.severities),
                  *(step.severity for step in self.escalate)}
        return tuple(sorted(stated, key=lambda severity: -severity.rank))


class IncidentKind(Struct, frozen=True):
    """A kind of incident (reference-model.md 7): its thresholds by name, and when it starts and ends, as sentences."""

    id: str
    title: str
    thresholds: dict[str, float]
    starts: str
    ends: str
    documentation: dict[str, str]
    file: str


class RulePack(Struct, frozen=True):
    """All rules in force, each kind by id. `notes`: sentences about them for the report; `known`: the ids of all rules,
    including those switched off."""

    rules: tuple[Rule, ...]
    settings: tuple[Rule, ...] = ()
    incidents: tuple[IncidentKind, ...] = ()
    notes: tuple[str, ...] = ()
    known: frozenset[str] = frozenset()

    @property
    def of_lines(self) -> tuple[Rule, ...]:
        """Every rule that makes findings: on observations, and on settings."""
        return (*self.rules, *self.settings)

    def find(self, name: str) -> list[Rule | IncidentKind]:
        """The rule, the incident kind, or both, with this id. Raises InputError with the nearest id."""
        everything: list[Rule | IncidentKind] = [*self.of_lines, *self.incidents]
        found = [one for one in everything if one.id == name]
        if not found and name in self.known:
            raise InputError(f"the rule {quoted(name)} is switched off by --rules", fix="leave that file out to see it")
        if not found:
            raise InputError(f"there is no rule or incident kind {quoted(name)}", fix=suggestion(
                name, {one.id for one in everything}, otherwise="`sipaudit rules list` shows them"))
        return found

    def tolerances_of(self, site: Tolerances) -> dict[str, Tolerances]:
        """By expectation, the tolerances that overrides set in place of those of the site. If several rules share an
        expectation, the most tolerant one counts: what one rule allows cannot be a fault by another."""
        stated = {name for rule in self.rules if rule.tolerance for name in rule.expectations}
        return {name: self._tolerances(name, site) for name in sorted(stated)}

    def _tolerances(self, expectation: str, site: Tolerances) -> Tolerances:
        takers = [rule.tolerance for rule in self.rules if expectation in rule.expectations]
        return Tolerances(*(max(taker.get(name, getattr(site, name)) for taker in takers)
                            for name in Tolerances.__struct_fields__))
