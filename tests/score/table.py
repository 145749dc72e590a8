"""The score as a table: a row a rule, recall and precision at each loss."""

from __future__ import annotations

from collections.abc import Mapping

from tests.score.compare import Verdict


def share(part: int, whole: int) -> str:
    return f"{part / whole:.3f}" if whole else "-"


def table(verdicts: Mapping[float, Verdict]) -> str:
    """Markdown: of each rule how many deviations there were, and at each loss recall, precision (warnings and errors)
    and how many checks were left open."""
    losses = list(verdicts)
    counted = [counts for verdict in verdicts.values() for counts in (verdict.true, verdict.wrong)]
    rules = sorted({rule for counts in counted for rule in counts})
    heads = " | ".join(f"at {loss:.1%} loss: recall | precision | open" if loss else "recall | precision | open"
                       for loss in losses)
    lines = [f"| rule | deviations | {heads} |", "|---|--:|" + "--:|--:|--:|" * len(losses)]
    for rule in [*rules, "all"]:
        cells = [rule, str(_total(verdicts[losses[0]].true, rule))]
        for loss in losses:
            verdict = verdicts[loss]
            right, wrong = _total(verdict.right, rule), _total(verdict.wrong, rule)
            cells += [share(_total(verdict.hit, rule), _total(verdict.true, rule)), share(right, right + wrong),
                      str(_total(verdict.inconclusive, rule))]
        lines.append("| " + " | ".join(cells) + " |")
    certain = ", ".join(f"{sum(verdict.certain_wrong.values())} at {loss:.1%}" for loss, verdict in verdicts.items())
    return "\n".join(lines) + f"\n\nFalse findings that were called certain: {certain}."


def _total(counts: Mapping[str, int], rule: str) -> int:
    return sum(counts.values()) if rule == "all" else counts.get(rule, 0)
