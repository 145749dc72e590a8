"""Compares two runs, before and after a change: findings that are new, gone, or the same.

Nothing identifies a finding across runs: ids are numbered in each run, and frames, times and measured facts differ.
So findings are matched by what is wrong with whom: rule, line, server, the variant of the rule (`kind`), and the
parameter of a provisioning file.  The phone only decides among equals, because its address may change.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterable, Iterator

from msgspec import Struct

from sipaudit import __version__
from sipaudit.model.values import Finding, Report, Severity
from sipaudit.report import document, incidents_compared, table
from sipaudit.report.by_key import by_key
from sipaudit.report.exhibits import counting, worst_first
from sipaudit.report.incidents_compared import ComparedIncidents, compare_incidents
from sipaudit.report.redact_report import UNDER_PSEUDONYMS
from sipaudit.report.screen import STYLES, Screen, brief, count_of

SCHEMA = "sipaudit.comparison/1"
LASTING = ("kind", "attribute")  # facts that say what is wrong, not how much
FINDINGS_SHOWN = 100

Key = Callable[[Finding], Hashable]


class Run(Struct, frozen=True):
    """One of the compared runs: the captures of its report, and how many findings count."""

    generator: str
    captures: list[str]
    findings: int


class Same(Struct, frozen=True):
    """A finding of both runs, with its id and severity in each."""

    before: str
    after: str
    rule: str
    line: str | None
    server: str | None
    severity_before: Severity
    severity_after: Severity


class Comparison(Struct, frozen=True):
    """`new` findings are of the later report, `gone` ones of the earlier; `incidents` of both, by kind and place."""

    schema: str
    generator: str
    before: Run
    after: Run
    new: list[Finding]
    gone: list[Finding]
    same: list[Same]
    incidents: list[ComparedIncidents]


def compare(before: Report, after: Report) -> Comparison:
    """Compare the findings that count: suppressed ones are neither new, nor gone, nor the same. So a finding that is
    now suppressed is not gone, and one that no longer is counts as new."""
    matched = _pairs(before.findings, after.findings)
    pairs = [(old, new) for old, new in matched if old.suppressed is None and new.suppressed is None]
    stays, known_after = {old.id for old, _ in matched}, {new.id for _, new in pairs}
    return Comparison(
        SCHEMA, f"sipaudit {__version__}", _run(before), _run(after),
        [finding for finding in counting(after.findings) if finding.id not in known_after],
        [finding for finding in counting(before.findings) if finding.id not in stays],
        [Same(old.id, new.id, new.rule, new.line, new.server, old.severity, new.severity)
         for old, new in sorted(pairs, key=lambda pair: pair[1].id)],
        compare_incidents(before, after),
    )


def strangers(before: Report, after: Report) -> str | None:
    """A warning if two reports have no line in common, so that no finding can be the same; otherwise None."""
    old, new = ({line.line for line in report.lines} for report in (before, after))
    if not old or not new or old & new:
        return None
    keys = (": under pseudonyms they agree only where both were written with one --redact-key"
            if UNDER_PSEUDONYMS in (*before.notes, *after.notes) else "")
    return f"the two reports have no line in common, so that no finding of one is in the other{keys}"


def _run(report: Report) -> Run:
    return Run(report.generator, [capture.path for capture in report.captures], len(counting(report.findings)))


def _pairs(before: Iterable[Finding], after: Iterable[Finding]) -> list[tuple[Finding, Finding]]:
    """Pairs of equal findings, each with one of the other run: first those of the same phone (by host), then those
    whose phone has another address."""
    pairs: list[tuple[Finding, Finding]] = []
    for key in (_with_phone, identity):
        taken = ({old.id for old, _ in pairs}, {new.id for _, new in pairs})
        pairs += _matched((one for one in before if one.id not in taken[0]),
                          (one for one in after if one.id not in taken[1]), key)
    return pairs


def _matched(before: Iterable[Finding], after: Iterable[Finding], key: Key) -> Iterator[tuple[Finding, Finding]]:
    """Pair findings with equal keys in their order: of three before and two after, the last is left over."""
    waiting = by_key((key(finding), finding) for finding in before)
    for finding in after:
        if waiting.get(key(finding)):
            yield waiting[key(finding)].pop(0), finding


def identity(finding: Finding) -> Hashable:
    """The key by which a finding is matched across runs."""
    return finding.rule, finding.line or None, finding.server, *(finding.facts.get(name) for name in LASTING)


def _with_phone(finding: Finding) -> Hashable:
    return identity(finding), (finding.phone or "").rpartition(":")[0]


def to_jsonl(comparison: Comparison) -> Iterator[bytes]:
    """One object a line: `{"type": "new", "finding": {...}}`, `gone`, and `same` with both ids."""
    for kind, findings in (("new", comparison.new), ("gone", comparison.gone)):
        for finding in findings:
            yield document.line_of({"type": kind, "finding": finding})
    for same in comparison.same:
        yield document.line_of({"type": "same", "same": same})


def to_csv(comparison: Comparison, after: Report) -> Iterator[bytes]:
    """`findings.csv` with the column `change` before the others: new, same and
    suppressed of the later run, gone of the earlier."""
    yield table.row(("change", *table.COLUMNS))
    new, counted = {finding.id for finding in comparison.new}, {finding.id for finding in counting(after.findings)}
    for finding in after.findings:
        change = "new" if finding.id in new else "same" if finding.id in counted else "suppressed"
        yield table.row((change, *table.cells(finding)))
    for finding in comparison.gone:
        yield table.row(("gone", *table.cells(finding)))


def known(comparison: Comparison) -> list[str]:
    """The ids of the later run's findings that are not new."""
    return [same.after for same in comparison.same]


def render(comparison: Comparison, width: int, color: bool) -> str:
    """The comparison as text of `width` columns."""
    screen = Screen(width, color)
    for name, run in (("before", comparison.before), ("after", comparison.after)):
        screen.say(f"{name}: {count_of(run.findings, 'finding')} in {', '.join(run.captures)}")
    screen.say(f"{len(comparison.new)} new, {len(comparison.gone)} gone, {len(comparison.same)} the same.")
    incidents_compared.show(screen, comparison.incidents)
    _findings(screen, "New", comparison.new)
    _findings(screen, "Gone", comparison.gone)
    changed = [same for same in comparison.same if same.severity_before is not same.severity_after]
    if changed:
        screen.title("The same, of another severity")
        screen.table(("id", "before", "after", "rule", "line"),
                     [(one.after, one.severity_before, one.severity_after, one.rule, brief(one.line or ""))
                      for one in changed[:FINDINGS_SHOWN]], least=("line",))
    return screen.text()


def _findings(screen: Screen, title: str, findings: list[Finding]) -> None:
    if not findings:
        return
    screen.title(title)
    for finding in worst_first(findings)[:FINDINGS_SHOWN]:
        screen.say(f"{finding.id} {finding.severity}  {finding.rule}  {finding.line or ''}".rstrip(),
                   style=STYLES[finding.severity])
        screen.say(f"observed: {finding.observed}", indent=4)
    screen.more(len(findings) - FINDINGS_SHOWN, "finding")
