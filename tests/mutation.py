"""`python -m tests.mutation`: breaks the model in one place at a time, and shows whether a scenario notices.

Each mutant turns one comparison of the conditions and proofs into its opposite, halves a window (a number of seconds,
or of times) or makes it half as long again, or drops one condition from one row of either table. A mutant dies when a
scenario, or a case of a rule, has another outcome than it states. Run by hand: it takes some minutes (docs/testing.md
holds the last table).
"""

from __future__ import annotations

import argparse
import ast
import contextlib
import copy
import importlib
import io
import os
import signal
import sys
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from random import Random
from types import FunctionType

import pytest

from sipaudit.compiled import PURE
from sipaudit.model import expectations
from sipaudit.model.scenario import Scenario, parse
from sipaudit.rulebook.checking import check
from sipaudit.rulebook.pack import load_pack
from sipaudit.rulebook.rules import Rule
from sipaudit.rulebook.trial import judge_scenario
from tests.shared import ROOT

MODEL = Path("sipaudit") / "model"
FOLDER = ROOT / "tests" / "model" / "scenarios"
DOUBTS = sorted((ROOT / "tests" / "model").glob("test_*doubts.py"))
LATELY = 40        # scenarios that are remembered
PATIENCE = 120     # seconds: a mutant that runs longer is dead
OPPOSITE: dict[type[ast.cmpop], type[ast.cmpop]] = {
    ast.Lt: ast.GtE, ast.LtE: ast.Gt, ast.Gt: ast.LtE, ast.GtE: ast.Lt, ast.Eq: ast.NotEq, ast.NotEq: ast.Eq,
    ast.Is: ast.IsNot, ast.IsNot: ast.Is, ast.In: ast.NotIn, ast.NotIn: ast.In,
}
FACTORS = (0.5, 1.5)
ALIVE = "alive"


@dataclass(frozen=True)
class Mutant:
    """One file of the package, with one change."""

    file: Path
    line: int
    kind: str
    what: str
    source: str
    function: str   # its name; empty where the change concerns more than one function


def mutants() -> Iterator[Mutant]:
    """Every mutant, in order of file and line."""
    for path in sorted([*(ROOT / MODEL / "conditions").glob("*.py"), *(ROOT / MODEL).glob("proofs*.py"),
                        ROOT / MODEL / "timers.py"]):
        tree = ast.parse(path.read_text())
        yield from _changed(path, tree, _flips(tree))
        yield from _changed(path, tree, _windows(tree))
    table = ROOT / MODEL / "expectations.py"
    tree = ast.parse(table.read_text())
    yield from _changed(table, tree, _drops(tree))


Change = tuple[str, int, str, ast.AST, str, object]   # kind, line, what, node, field, value


def _changed(path: Path, tree: ast.Module, changes: Iterator[Change]) -> Iterator[Mutant]:
    for kind, line, what, node, field, value in changes:
        before = getattr(node, field)
        setattr(node, field, value)
        source = ast.unparse(ast.fix_missing_locations(copy.deepcopy(tree)))
        setattr(node, field, before)
        function = next((one.name for one in tree.body if isinstance(one, ast.FunctionDef)
                         and one.lineno <= line <= (one.end_lineno or 0)), "")
        yield Mutant(path.relative_to(ROOT), line, kind, what, source, function)


def _flips(tree: ast.Module) -> Iterator[Change]:
    for node in ast.walk(tree):
        if isinstance(node, ast.Compare):
            for index, operator in enumerate(node.ops):
                flipped: list[ast.cmpop] = [*node.ops[:index], OPPOSITE[type(operator)](), *node.ops[index + 1:]]
                yield "comparison", node.lineno, ast.unparse(node), node, "ops", flipped


def _windows(tree: ast.Module) -> Iterator[Change]:
    for node in tree.body:
        if isinstance(node, ast.Assign) and isinstance(node.value, ast.Constant) \
                and isinstance(node.value.value, int | float) and node.value.value:
            for factor in FACTORS:
                value = type(node.value.value)(node.value.value * factor)
                if value != node.value.value:
                    yield ("window", node.lineno, f"{ast.unparse(node.targets[0])} = {value}", node, "value",
                           ast.Constant(value))


def _drops(tree: ast.Module) -> Iterator[Change]:
    """Each condition dropped from each row, and from each tuple that rows share."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Tuple) and len(node.elts) and all(
            isinstance(one, ast.Name | ast.Starred) for one in node.elts
        ) and any(isinstance(one, ast.Name) and one.id.islower() for one in node.elts):
            for index, one in enumerate(node.elts):
                if isinstance(one, ast.Name):
                    rest = [*node.elts[:index], *node.elts[index + 1:]]
                    yield "condition", one.lineno, f"without {one.id}", node, "elts", rest


# -- on trial --------------------------------------------------------------------------------------------------------

class Court:
    """All scenarios and the rules that judge them, read once; `calls` are the functions that each scenario reaches."""

    def __init__(self) -> None:
        self.rules: tuple[Rule, ...] = tuple(load_pack().rules)
        paths = sorted(FOLDER.glob("*.scenario"))
        Random(0).shuffle(paths)   # neighbouring scenarios tell the same story: shuffled, the next one tells another
        self.scenarios: dict[str, Scenario] = {path.name: parse(path.read_text()) for path in paths}
        self.calls = {name: self._calls_of(name) for name in self.scenarios}
        if not all(map(self.comes_out, self.scenarios)) or self.otherwise() is not None:
            raise SystemExit("something comes out otherwise than it says even without a mutant")

    def _calls_of(self, name: str) -> set[tuple[str, str]]:
        calls: set[tuple[str, str]] = set()
        sys.setprofile(lambda frame, event, _: calls.add((frame.f_code.co_filename, frame.f_code.co_name)))
        try:
            self.comes_out(name)
        finally:
            sys.setprofile(None)
        return calls

    def comes_out(self, name: str) -> bool:
        """Whether the scenario is judged as it says."""
        scenario = self.scenarios[name]
        return judge_scenario(scenario, self.rules)[0] == list(scenario.expected)

    def otherwise(self) -> str | None:
        """The first check beside the scenarios whose outcome differs from what it states: a case of a rule, or the
        tests in Python of what a scenario cannot say about its line's profile."""
        failed = next((file.file for file in check([str(ROOT / "rules")]) if file.failures), None)
        return failed or _in_doubt()

    def notices(self, mutant: Mutant, first: Sequence[str]) -> str | None:
        """The name of what notices the mutant, trying the scenarios in `first` first; None when nothing does."""
        place = str(ROOT / mutant.file), mutant.function
        able = [name for name in dict.fromkeys([*first, *self.scenarios])
                if not mutant.function or place in self.calls[name]]
        return next((name for name in able if not self.comes_out(name)), None) or self.otherwise()


def _in_doubt() -> str | None:
    quiet = ["-qx", "-p", "no:cacheprovider", "-p", "no:xdist"]
    with contextlib.redirect_stdout(io.StringIO()):
        return "doubts" if pytest.main([*quiet, *(str(path) for path in DOUBTS)]) else None


def put_in_place(mutant: Mutant) -> None:
    """Install the mutant's functions and numbers in the running program, in every module that has imported them."""
    name = ".".join(mutant.file.with_suffix("").parts)
    module = importlib.import_module(name)
    tree = ast.parse(mutant.source)
    tree.body = [node for node in tree.body if not isinstance(node, ast.ClassDef)]   # classes stay as they are
    before, after = dict(vars(module)), dict(vars(module))
    exec(compile(tree, str(mutant.file), "exec"), after)
    for key, old in before.items():
        new = after[key]
        if isinstance(old, FunctionType) and old.__module__ == name and isinstance(new, FunctionType):
            old.__code__, old.__defaults__ = new.__code__, new.__defaults__
        elif isinstance(old, int | float) and new != old:
            for other in [one for one in sys.modules.values() if vars(one).get(key) is old]:
                setattr(other, key, new)
    if module is expectations:
        expectations.BY_TRIGGER.update(after["BY_TRIGGER"])


def dies(mutant: Mutant, court: Court, killers: list[str]) -> bool:
    """Whether anything notices the mutant, tried in a child process.

    `killers` are the scenarios that noticed the latest mutants, the last one first: mutants of one function mostly die
    by the same scenarios.
    """
    reads, writes = os.pipe()
    child = os.fork()
    if child == 0:
        with contextlib.suppress(BaseException):   # a mutant that raises is dead
            signal.alarm(PATIENCE)
            put_in_place(mutant)
            os.write(writes, (court.notices(mutant, killers[:LATELY]) or ALIVE).encode())
        os._exit(0)
    os.close(writes)
    with os.fdopen(reads) as pipe:
        killer = pipe.read()
    os.waitpid(child, 0)
    if killer in court.scenarios:
        killers[:] = [killer, *(one for one in killers if one != killer)]
    return killer != ALIVE


def campaign(chosen: list[Mutant], jobs: int) -> Iterator[Mutant]:
    """The mutants that survive, as they are found."""
    court, killers = Court(), list[str]()
    with ThreadPoolExecutor(jobs) as pool:
        died = pool.map(lambda mutant: dies(mutant, court, killers), chosen)
        yield from (mutant for mutant, dead in zip(chosen, died, strict=True) if not dead)


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.mutation", description=__doc__)
    parser.add_argument("--jobs", type=int, default=2)
    parser.add_argument("--only", default="", help="a part of a file's name")
    chosen = parser.parse_args()
    if not os.environ.get(PURE):
        parser.error(f"what is compiled cannot be broken: {PURE}=1 python -m tests.mutation")
    wanted = [mutant for mutant in mutants() if chosen.only in str(mutant.file)]
    survivors = []
    for mutant in campaign(wanted, chosen.jobs):
        survivors.append(mutant)
        print(f"{mutant.file}:{mutant.line}: {mutant.kind}: {mutant.what}", flush=True)
    for kind in ("comparison", "window", "condition"):
        total, alive = (sum(one.kind == kind for one in some) for some in (wanted, survivors))
        print(f"{kind}: {total - alive} of {total} die")
    return int(bool(survivors))


if __name__ == "__main__":
    sys.exit(main())
