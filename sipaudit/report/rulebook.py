"""Rules, incident kinds and terms as text for a terminal, and the list of rules as JSON."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from itertools import groupby
from textwrap import wrap

from sipaudit.report import document
from sipaudit.report.screen import SENTENCES, Screen
from sipaudit.rulebook.checking import Checked
from sipaudit.rulebook.incident_file import THRESHOLDS, in_unit, say
from sipaudit.rulebook.rule_file import DOCUMENTATION
from sipaudit.rulebook.rules import IncidentKind, Rule, RulePack
from sipaudit.rulebook.terms import INCIDENT, Term
from sipaudit.rulebook.wording import in_words
from sipaudit.safe_text import safe_text


def list_text(pack: RulePack, width: int, color: bool) -> str:
    """The table of all rules and incident kinds in force."""
    screen = Screen(width, color)
    rows = [(rule.id, rule.group.value, "/".join(rule.levels), rule.title) for rule in pack.of_lines]
    rows += [(kind.id, "incidents", "-", kind.title) for kind in pack.incidents]
    screen.table(("id", "group", "severity", "title"), rows, least=("group", "severity"))
    for note in pack.notes:
        screen.say(note)
    return screen.text()


def list_json(pack: RulePack) -> bytes:
    """The same as one JSON document: an array of rules and incident kinds."""
    rows: list[dict[str, object]] = [
        {"id": rule.id, "group": rule.group, "severity": rule.severity, "severities": list(rule.levels),
         "title": rule.title, "basis": list(rule.basis), "thresholds": None, "file": rule.file}
        for rule in pack.of_lines
    ]
    rows += [
        {"id": kind.id, "group": "incidents", "severity": None, "severities": [], "title": kind.title, "basis": [],
         "thresholds": kind.thresholds, "file": kind.file} for kind in pack.incidents
    ]
    return document.indented(rows)


def show(found: Sequence[Rule | IncidentKind], width: int, color: bool) -> str:
    """The full description of one id: a rule, an incident kind, or both."""
    screen = Screen(width, color)
    for one in found:
        if isinstance(one, IncidentKind):
            _kind(screen, one)
        else:
            _rule(screen, one)
    return screen.text()


def _rule(screen: Screen, rule: Rule) -> None:
    screen.title(f"{rule.id} (rule, {rule.group})")
    screen.say(rule.title + ".")
    for sentence in _severity(rule):
        screen.say(sentence)
    screen.say(f"Rests on {', '.join(rule.basis)} (`sipaudit explain {rule.basis[0]}`).")
    if rule.expectations:
        taken = f"{', '.join(sorted(rule.expectations))}: {', '.join(sorted(rule.verdicts))}"
        screen.say(f"Takes {taken}" + (f", when {rule.when.text}." if rule.when else "."))
    for name, seconds in rule.tolerance.items():
        screen.say(f"Tolerance {name}: {in_words(seconds)}.")
    screen.title("What a finding reads")
    for wording in rule.message:
        if len(rule.message) > 1:
            screen.say(f"when {wording.when.text}" if wording.when else "else")
        screen.say(f"expected: {wording.expected}", indent=4)
        screen.say(f"observed: {wording.observed}", indent=4)
    _documentation(screen, rule.documentation, rule.file)


def _severity(rule: Rule) -> Iterable[str]:
    """The severity of a finding: first those with a condition, then the usual one, then those for repetition."""
    yield from (f"Severity {grade.severity} when {grade.when.text}." for grade in rule.severities)
    yield f"Severity {rule.severity}{' else' if rule.severities else ''}."
    for step in rule.escalate:
        counted = {"line": "time on a line", "entry": "line of a server entry"}[step.group_by]
        yield f"Severity {step.severity} from the {ordinal(step.count)} {counted} within {in_words(step.within)} on."


def ordinal(number: int) -> str:
    """`2nd`, `11th`."""
    ending = "th" if number % 100 in (11, 12, 13) else {1: "st", 2: "nd", 3: "rd"}.get(number % 10, "th")
    return f"{number}{ending}"


def _kind(screen: Screen, kind: IncidentKind) -> None:
    screen.title(f"{kind.id} ({INCIDENT})")
    screen.say(kind.title + ".")
    screen.say(f"Starts: {say(kind.starts, kind.thresholds)}")
    screen.say(f"Ends: {say(kind.ends, kind.thresholds)}")
    if kind.thresholds:
        screen.title("Thresholds")
        screen.table(("name", "value", "meaning"), [(name, in_unit(name, value), THRESHOLDS[name].meaning)
                                                    for name, value in kind.thresholds.items()])
    _documentation(screen, kind.documentation, kind.file)


def _documentation(screen: Screen, texts: dict[str, str], file: str) -> None:
    for key, text in texts.items():
        screen.title(DOCUMENTATION[key])
        screen.say(text)
    screen.title("File")
    screen.say(file)


def checked(files: Iterable[Checked], width: int, color: bool) -> str:
    """The results of `rules check` for valid files."""
    screen = Screen(width, color)
    for file in files:
        screen.raw(safe_text(f"{file.file}: {file.what}{_cases(file)}"))
        for failure in file.failures:
            screen.say(f"{failure.case.where}: {failure.case.name}", indent=2)
            for line in failure.lacking:
                screen.say(f"- {line}", indent=4)
            for line in failure.unexpected:
                screen.say(f"+ {line}", indent=4)
    return screen.text()


def _cases(file: Checked) -> str:
    if file.cases is None:
        return ""
    if not file.cases:
        return ", without cases"
    if file.failures:
        return f", {len(file.failures)} of {file.cases} cases come out otherwise (- expected, + observed)"
    return f", {file.cases} case{'' if file.cases == 1 else 's'} as expected"


def explained(terms: Iterable[Term], width: int, color: bool) -> str:
    """Terms in plain words, with what to do."""
    screen = Screen(width, color)
    for term in terms:
        screen.title(f"{term.name} ({term.kind})")
        screen.say(f"{term.title}.")
        for paragraph in term.says.splitlines():
            screen.say(paragraph)
        if term.do:
            screen.say(f"What to do: {term.do}")
        if term.see:
            screen.say(f"See also: {', '.join(term.see)}.")
    return screen.text()


def index(terms: Iterable[Term], width: int, color: bool) -> str:
    """The names of everything that is explained, by kind."""
    screen = Screen(width, color)
    for kind, several in groupby(terms, lambda term: term.kind.partition(",")[0]):
        screen.title(kind)
        names = safe_text(", ".join(term.name for term in several))
        for line in wrap(names, max(width - 2, SENTENCES), break_on_hyphens=False):   # all of them, however many
            screen.raw(f"  {line}")
    return screen.text()
