"""`rules check`: reads rule files as `--rules` would, and runs the cases that accompany them."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from pathlib import Path

from msgspec import Struct

from sipaudit.errors import collecting
from sipaudit.model.scenario import Scenario, parse
from sipaudit.rulebook.facts import SETTINGS
from sipaudit.rulebook.pack import TEST_SUFFIX, Loader, Taken, what_ships
from sipaudit.rulebook.rules import Rule
from sipaudit.rulebook.trial import judge_scenario
from sipaudit.yamlfile import tree
from sipaudit.yamlfile.fields import Fields
from sipaudit.yamlfile.files import read_bytes
from sipaudit.yamlfile.problems import Problems
from sipaudit.yamlfile.reader import Reader
from sipaudit.yamlfile.wording import suggestion


class RuleCase(Struct, frozen=True):
    """One case of a rule; `where` is its file and line."""

    name: str
    scenario: Scenario
    where: str


class Failure(Struct, frozen=True):
    """A failed case: the expected lines that are missing, and the lines that were not expected."""

    case: RuleCase
    lacking: tuple[str, ...]
    unexpected: tuple[str, ...]


class Checked(Struct, frozen=True):
    """One valid file; `cases` is the number of cases that accompany it, None if it holds no rule that could have
    any."""

    file: str
    what: str
    cases: int | None
    failures: tuple[Failure, ...]


def check(paths: Iterable[str]) -> list[Checked]:
    """Check rule files, and the files of folders. Raises InputErrors with every error of every file."""
    loader = Loader(what_ships())
    for path in dict.fromkeys(_rule_file(path) for path in paths):
        loader.add(path)
    cases: dict[str, list[RuleCase]] = {}
    for taken in loader.taken:
        beside = Path(taken.file).with_suffix(TEST_SUFFIX)
        if taken.rule is not None and beside.is_file():
            with collecting(loader.errors):
                cases[taken.file] = read_cases(beside)
    loader.done()
    return [_checked(taken, cases.get(taken.file, [])) for taken in loader.taken]


def _rule_file(path: str) -> Path:
    """The rule file that a file of cases belongs to; other paths unchanged: a shell's `*.yaml` matches both."""
    return Path(path.removesuffix(TEST_SUFFIX) + ".yaml" if path.endswith(TEST_SUFFIX) else path)


def read_cases(path: Path) -> list[RuleCase]:
    """The cases of one file. Raises InputErrors."""
    problems = Problems(str(path))
    root = tree.read_tree(read_bytes(path, "the cases"), problems)
    if not isinstance(root, tree.Sequence):
        problems.stop(1, "a file of cases holds a list", "write `- case: what happens` and `scenario: |` below it")
    cases = list(_cases(root, problems))
    problems.raise_any()
    return cases


def _cases(root: tree.Sequence, problems: Problems) -> Iterator[RuleCase]:
    for node in root.items:
        case = Reader(problems).mapping(node, "a case", "{case: TEXT, scenario: TEXT}")
        if case is None:
            continue
        fields = Fields(case, problems)
        fields.keys(("case", "scenario"))
        story = case.items.get("scenario")
        if not fields.text("scenario") or not isinstance(story, tree.Scalar):
            continue
        try:
            scenario = parse(story.text)
        except (ValueError, KeyError, IndexError) as error:
            fields.wrong("scenario", f"the scenario: {error}", "docs/rules.md describes the language")
            continue
        for name in scenario.profile.settings.values.keys() - SETTINGS:
            fields.wrong("scenario", f"the scenario: there is no setting {name!r}", suggestion(name, sorted(SETTINGS)))
        yield RuleCase(fields.text("case"), scenario, f"{problems.file}:{node.line}")


def _checked(taken: Taken, cases: list[RuleCase]) -> Checked:
    if taken.rule is None:
        return Checked(taken.file, taken.what, None, ())
    return Checked(taken.file, taken.what, len(cases), tuple(_failures(taken.rule, cases)))


def _failures(rule: Rule, cases: list[RuleCase]) -> Iterator[Failure]:
    for case in cases:
        observed, _ = judge_scenario(case.scenario, [rule])
        expected = case.scenario.expected
        if tuple(observed) != expected:
            yield Failure(case, tuple(line for line in expected if line not in observed),
                          tuple(line for line in observed if line not in expected))
