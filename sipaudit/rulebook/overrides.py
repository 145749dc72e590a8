"""Files that change rules and incident kinds without replacing them (contract.md 2, `override:`)."""

from __future__ import annotations

from collections.abc import Mapping

from msgspec import Struct
from msgspec.structs import replace

from sipaudit.model.settings import MOST_TOLERANCE, Tolerances
from sipaudit.model.values import Severity
from sipaudit.rulebook.incident_file import read_thresholds
from sipaudit.rulebook.rules import REPLAYED, IncidentKind, Rule
from sipaudit.yamlfile.fields import Fields
from sipaudit.yamlfile.wording import hint, quoted


class Override(Struct, frozen=True):
    """The changes of one item to the rule, the incident kind, or both, of an id; None and empty mean no change."""

    severity: Severity | None
    enabled: bool | None
    tolerance: dict[str, float]
    thresholds: dict[str, float]
    where: str

    def of_rule(self, rule: Rule) -> Rule:
        """The changed rule. A stated severity applies whatever the facts and the repetitions."""
        if self.severity is not None:
            rule = replace(rule, severity=self.severity, severities=(), escalate=())
        return replace(rule, tolerance={**rule.tolerance, **self.tolerance}) if self.tolerance else rule

    def of_kind(self, kind: IncidentKind) -> IncidentKind:
        """The incident kind with its thresholds changed."""
        return replace(kind, thresholds={**kind.thresholds, **self.thresholds}) if self.thresholds else kind


def read_overrides(root: Fields, rules: Mapping[str, Rule], kinds: Mapping[str, IncidentKind], file: str
                   ) -> dict[str, Override]:
    """The overrides of one file, by the id of what they change; errors are added to the problems."""
    root.keys(("override",))
    items, read = root.mapping("override", "{premature-failback: {severity: info}}"), {}
    for name in items.node.items:
        rule, kind = rules.get(name), kinds.get(name)
        if rule is None and kind is None:
            near = hint(name, {*rules, *kinds})
            items.wrong(name, f"there is no rule or incident kind {quoted(name)}{near}",
                        "`sipaudit rules list` shows them")
        else:
            read[name] = _read(items.mapping(name, "{enabled: false}"), rule, kind, f"{file}:{items.line(name)}")
    return read


def _read(fields: Fields, rule: Rule | None, kind: IncidentKind | None, where: str) -> Override:
    thresholds = list(kind.thresholds) if kind is not None else []
    timed = rule is not None and rule.group in REPLAYED
    own = [*(["severity"] if rule is not None else ()), *(["tolerance"] if timed else ())]
    known = [*own, "enabled", *thresholds]
    fields.keys(known, known)
    return Override(
        severity=fields.word("severity", Severity) if rule is not None else None, enabled=fields.flag("enabled"),
        tolerance=_tolerance(fields.mapping("tolerance", "{timer: 3.0}")) if timed else {},
        thresholds=read_thresholds(fields, [name for name in thresholds if name in fields.node.items]), where=where,
    )


def _tolerance(fields: Fields) -> dict[str, float]:
    known = Tolerances.__struct_fields__
    fields.keys(known, known)
    read = {name: fields.number(name, 0, MOST_TOLERANCE) for name in known}
    return {name: value for name, value in read.items() if value is not None}
