"""The score as two tables: one row per loss for the README, one row per rule for docs/testing.md."""

from __future__ import annotations

from collections.abc import Mapping

from tests.score.compare import Verdict

ALL = "all"     # the row of all rules together


def share(part: int, whole: int) -> str:
    return f"{part / whole:.3f}" if whole else "-"


def summary(verdicts: Mapping[float, Verdict]) -> str:
    """Markdown: for each loss, the figures of all rules together, and the number of false findings called certain."""
    lines = ["| packets lost | deviations | recall | precision | open | false findings called certain |",
             "|---|--:|--:|--:|--:|--:|"]
    for loss, verdict in verdicts.items():
        cells = [f"{loss:.1%}" if loss else "none", str(_total(verdict.true, ALL)), *_figures(verdict, ALL),
                 str(_total(verdict.certain_wrong, ALL))]
        lines.append("| " + " | ".join(cells) + " |")
    return "\n".join(lines)


def table(verdicts: Mapping[float, Verdict]) -> str:
    """Markdown: for each rule the number of deviations, and for each loss recall, precision (warnings and errors) and
    the number of open checks."""
    losses = list(verdicts)
    counted = [counts for verdict in verdicts.values() for counts in (verdict.true, verdict.wrong)]
    rules = sorted({rule for counts in counted for rule in counts})
    heads = " | ".join(f"at {loss:.1%} loss: recall | precision | open" if loss else "recall | precision | open"
                       for loss in losses)
    lines = [f"| rule | deviations | {heads} |", "|---|--:|" + "--:|--:|--:|" * len(losses)]
    for rule in [*rules, ALL]:
        cells = [rule, str(_total(verdicts[losses[0]].true, rule))]
        for verdict in verdicts.values():
            cells += _figures(verdict, rule)
        lines.append("| " + " | ".join(cells) + " |")
    return "\n".join(lines)


def _figures(verdict: Verdict, rule: str) -> list[str]:
    """Recall, precision and number of open checks."""
    right, wrong = _total(verdict.right, rule), _total(verdict.wrong, rule)
    return [share(_total(verdict.hit, rule), _total(verdict.true, rule)), share(right, right + wrong),
            str(_total(verdict.inconclusive, rule))]


def _total(counts: Mapping[str, int], rule: str) -> int:
    return sum(counts.values()) if rule == ALL else counts.get(rule, 0)
