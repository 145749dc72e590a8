"""The two tables of docs/reference-model.md that trace requirements to rules, rows, scenarios and test cases."""

from __future__ import annotations

from pathlib import Path

from sipaudit.model.expectations import MUST, MUST_NOT
from sipaudit.model.scenario import RULE
from sipaudit.rulebook.pack import load_pack
from sipaudit.rulebook.rules import Rule
from sipaudit.rulebook.terms import load_terms

ROOT = Path(__file__).resolve().parent.parent
SCENARIOS = ROOT / "tests" / "model" / "scenarios"
REQUIREMENTS = [*(f"C{n}" for n in range(1, 11)), *(f"F{n}" for n in range(1, 14)), *(f"B{n}" for n in range(1, 9))]
SHOWN = 6     # scenarios named in a cell; the others are counted


def _rows(rule: Rule) -> str:
    return " ".join(f"`{name}`" for name in sorted(rule.expectations))


def requirements() -> str:
    """A table of all requirements: short title, and the rules and rows based on each."""
    titles = {term.name: term.title for term in load_terms()}
    lines = ["| id | in short | rules | rows of the tables |", "|---|---|---|---|"]
    for name in REQUIREMENTS:
        rules = ", ".join(f"`{rule.id}`" for rule in load_pack().of_lines if name in rule.basis)
        rows = dict.fromkeys(f"`{row.expectation}`" for row in (*MUST_NOT, *MUST) if row.clause == name)
        lines.append(f"| {name} | {titles[name]} | {rules or '(below)'} | {' '.join(rows)} |")
    return "\n".join(lines)


def unjudged() -> list[str]:
    """The requirements on which no rule is based; the page says why."""
    return [name for name in REQUIREMENTS if not any(name in rule.basis for rule in load_pack().of_lines)]


def stories() -> dict[str, tuple[list[str], list[str]]]:
    """For each rule, the scenarios in which it fires, and those in which it is left open."""
    told: dict[str, tuple[list[str], list[str]]] = {}
    for path in sorted(SCENARIOS.glob("*.scenario")):
        for rule, is_open in {_said(line) for line in path.read_text().partition(f"\n{RULE}")[2].splitlines()}:
            told.setdefault(rule, ([], []))[is_open].append(path.stem)
    return told


def _said(line: str) -> tuple[str, bool]:
    words = [*line.split(), "", "", ""]
    return (words[2], True) if words[1] == "?" else (words[1], False)


def rules() -> str:
    """A table of all rules: clauses, rows, and the scenarios in which each fires or is left open."""
    told = stories()
    lines = ["| rule | rests on | rows | fires in | is left open in |", "|---|---|---|---|---|"]
    for rule in load_pack().of_lines:
        fires, left_open = told.get(rule.id, ([], []))
        cases = f"{rule.id}.test.yaml" if not rule.expectations else _some(fires)
        lines.append(f"| `{rule.id}` | {' '.join(rule.basis)} | {_rows(rule)} | {cases} | {_some(left_open)} |")
    return "\n".join(lines)


def _some(names: list[str]) -> str:
    more = f" and {len(names) - SHOWN} more" if len(names) > SHOWN else ""
    return ", ".join(names[:SHOWN]) + more
