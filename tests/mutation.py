"""`python -m tests.mutation`: the model broken in one place at a time, to see whether a scenario notices.

Every comparison of the conditions and of the proofs is turned into its opposite, every window (a number of seconds, or
of times) is halved and made half as long again, and every condition of every row of both tables is dropped.  A mutant
dies when one of the scenarios, or a case of a rule, comes out otherwise.  Run by hand (docs/testing.md holds the last
table): it takes some minutes on two processors.
"""

from __future__ import annotations

import argparse
import ast
import contextlib
import copy
import io
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from queue import Queue

import pytest

ROOT = Path(__file__).resolve().parent.parent
MODEL = Path("sipaudit") / "model"
FOLDER = ROOT / "tests" / "model" / "scenarios"
DOUBTS = sorted((ROOT / "tests" / "model").glob("test_*doubts.py"))
LATELY = 40        # scenarios
PATIENCE = 120.0   # seconds: a mutant that runs longer is dead
OPPOSITE: dict[type[ast.cmpop], type[ast.cmpop]] = {
    ast.Lt: ast.GtE, ast.LtE: ast.Gt, ast.Gt: ast.LtE, ast.GtE: ast.Lt, ast.Eq: ast.NotEq, ast.NotEq: ast.Eq,
    ast.Is: ast.IsNot, ast.IsNot: ast.Is, ast.In: ast.NotIn, ast.NotIn: ast.In,
}
FACTORS = (0.5, 1.5)


@dataclass(frozen=True)
class Mutant:
    """One file of the package, changed in one place."""

    file: Path
    line: int
    kind: str
    what: str
    source: str


def mutants() -> Iterator[Mutant]:
    """Every mutant, in order of file and line."""
    for path in sorted([*(ROOT / MODEL / "conditions").glob("*.py"), ROOT / MODEL / "proofs.py",
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
        yield Mutant(path.relative_to(ROOT), line, kind, what, source)


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

def judge(first: Sequence[str]) -> str | None:
    """In a process of its own, with the mutant in place: what notices it, `first` asked first."""
    from sipaudit.model.scenario import parse
    from sipaudit.rulebook.checking import check
    from sipaudit.rulebook.pack import load_pack
    from sipaudit.rulebook.trial import judge_scenario

    rules = load_pack().rules
    for name in dict.fromkeys([*first, *sorted(path.name for path in FOLDER.glob("*.scenario"))]):
        scenario = parse((FOLDER / name).read_text())
        if judge_scenario(scenario, rules)[0] != list(scenario.expected):
            return name
    failed = next((file.file for file in check([str(ROOT / "rules")]) if file.failures), None)
    return failed or _in_doubt()


def _in_doubt() -> str | None:
    """What a scenario cannot say of its line's profile, stories in Python do."""
    quiet = ["-qx", "-p", "no:cacheprovider", "-p", "no:xdist", "-p", "no:randomly"]
    with contextlib.redirect_stdout(io.StringIO()):
        return "doubts" if pytest.main([*quiet, *(str(path) for path in DOUBTS)]) else None


def dies(mutant: Mutant, overlay: Path, killers: list[str]) -> bool:
    """Whether anything notices the mutant; `overlay` holds a copy of the package.

    `killers` are the scenarios that noticed a mutant lately, the last one first: mutants of one function mostly die by
    the same ones.
    """
    target = overlay / mutant.file
    whole = target.read_text()
    target.write_text(mutant.source)
    try:
        done = subprocess.run([sys.executable, "-m", "tests.mutation", "--judge", *killers[:LATELY]], cwd=ROOT,
                              env={**os.environ, "PYTHONPATH": f"{overlay}{os.pathsep}{ROOT}", "PYTHONSAFEPATH": "1"},
                              capture_output=True, check=False, text=True, timeout=PATIENCE)
        killer = done.stdout.strip()
        if killer.endswith(".scenario"):
            killers[:] = [killer, *(one for one in killers if one != killer)]
        return done.returncode != 0
    except subprocess.TimeoutExpired:
        return True
    finally:
        target.write_text(whole)


def campaign(chosen: list[Mutant], jobs: int) -> Iterator[Mutant]:
    """The mutants that survive, as they are found."""
    overlays: Queue[Path] = Queue()
    killers: list[str] = []
    with tempfile.TemporaryDirectory() as folder, ThreadPoolExecutor(jobs) as pool:
        for number in range(jobs):
            overlay = Path(folder) / str(number)
            shutil.copytree(ROOT / "sipaudit", overlay / "sipaudit", ignore=shutil.ignore_patterns("__pycache__"))
            (overlay / "rules").symlink_to(ROOT / "rules")
            overlays.put(overlay)

        def tried(mutant: Mutant) -> Mutant | None:
            overlay = overlays.get()
            try:
                return None if dies(mutant, overlay, killers) else mutant
            finally:
                overlays.put(overlay)

        yield from (one for one in pool.map(tried, chosen) if one is not None)


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.mutation", description=__doc__)
    parser.add_argument("--jobs", type=int, default=2)
    parser.add_argument("--only", default="", help="a part of a file's name")
    parser.add_argument("--judge", nargs="*", help=argparse.SUPPRESS)
    chosen = parser.parse_args()
    if chosen.judge is not None:
        killer = judge(chosen.judge)
        print(killer or "")
        return int(killer is not None)
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
