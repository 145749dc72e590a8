"""Compiled modules behave as their source does, and are only used while they were built from that source
(hatch_build.py).

The whole suite runs twice, interpreted and compiled (`make test`); the tests here compare the two.
"""

from __future__ import annotations

import ast
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from enum import Enum
from importlib import import_module
from pathlib import Path

import pytest

from hatch_build import listed
from sipaudit.compiled import FOLDER, PURE, SUFFIX, is_of, source_of
from sipaudit.incidents.draft import Draft
from tests.places import STORIES
from tests.shared import ROOT

MODULES = listed()
SAMPLES = sorted(ROOT.glob("samples/*/capture.pcap*"))
REPORTS = """
import sys
from hashlib import sha256
from pathlib import Path
from sipaudit import pipeline
from sipaudit.report import document
for path in map(Path, sys.argv[1:]):
    site = path.with_name("site.yaml")
    job = pipeline.Job((str(path),), site=str(site) if site.exists() else None)
    print(path, sha256(document.to_json(pipeline.analyze(job, warn=print))).hexdigest())
print(sys.modules["sipaudit.sip.parse"].__file__)
"""

up_to_date = pytest.mark.skipif(
    not all(is_of(FOLDER / f"{name}{SUFFIX}", name) for name in MODULES),
    reason="not all that is compiled is up to date here: `make compile`, which takes a C compiler and Python.h")


def run(script: str, *arguments: str | Path, place: Path = ROOT, pure: bool = False) -> list[str]:
    """The lines that a script prints, run by a Python that imports the package of `place`."""
    kept = {name: value for name, value in os.environ.items() if name != PURE}
    environment = {**kept, "PYTHONPATH": str(place), **({PURE: "1"} if pure else {})}
    return subprocess.run([sys.executable, "-c", script, *arguments], cwd=place, env=environment, check=True,
                          capture_output=True, text=True).stdout.splitlines()


@up_to_date
def test_every_sample_has_the_same_report() -> None:
    *compiled, used = run(REPORTS, *SAMPLES)
    *interpreted, unused = run(REPORTS, *SAMPLES, pure=True)
    assert compiled == interpreted
    assert len(compiled) >= len(SAMPLES) > 10
    assert (Path(used).parent, Path(unused).suffix) == (FOLDER, ".py")


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    """A copy of the checkout that a test may change."""
    shutil.copytree(ROOT / "sipaudit", tmp_path / "sipaudit")
    shutil.copy(ROOT / "pyproject.toml", tmp_path)
    return tmp_path


@up_to_date
def test_a_source_that_has_changed_is_what_is_imported(checkout: Path) -> None:
    source = checkout / "sipaudit" / "sip" / "uri.py"
    with source.open("a") as stream:
        stream.write("\nNEW = 1\n")
    script = "from sipaudit.sip import address, uri; print(address.__file__, uri.__file__, hasattr(uri, 'NEW'))"
    beside, changed, new = run(script, place=checkout)[0].split()
    assert Path(beside).parent == checkout / "sipaudit" / FOLDER.name
    assert (Path(changed), new) == (source, "True")


@up_to_date
def test_what_is_compiled_does_not_outlive_its_source(checkout: Path) -> None:
    (checkout / "sipaudit" / "sip" / "uri.py").unlink()
    script = "import importlib.util as util; print(util.find_spec('sipaudit.sip.uri'))"
    assert run(script, place=checkout) == ["None"]


TELL = """
import sys
from sipaudit import places
print(places.__file__, *places.STORIES[sys.argv[1]](), sep="\\n")
"""


@pytest.fixture(scope="module")
def places(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with places.py, compiled with the options of our modules."""
    place = tmp_path_factory.mktemp("places")
    shutil.copytree(ROOT / "sipaudit", place / "sipaudit")
    shutil.copy(ROOT / "tests" / "places.py", place / "sipaudit")
    shutil.copy(ROOT / "hatch_build.py", place)
    (place / "pyproject.toml").write_text('tool.hatch.build.hooks.custom.modules = ["places"]\n')
    said = subprocess.run([sys.executable, "hatch_build.py"], cwd=place, check=True, capture_output=True, text=True)
    assert (said.stdout.splitlines()[-1], "slower" in said.stderr) == ("1 modules are compiled", False)
    return place


@up_to_date
@pytest.mark.parametrize("story", STORIES)
def test_places_that_remember_say_what_the_interpreter_says(places: Path, story: str) -> None:
    compiled, *remembered = run(TELL, story, place=places)
    interpreted, *asked = run(TELL, story, place=places, pure=True)
    assert (Path(compiled).suffix, Path(interpreted).suffix) == (".so", ".py")
    assert remembered == asked
    assert asked


def test_nothing_that_each_message_passes_has_a_dictionary_of_its_own() -> None:
    """Compiled code can only cache the offset of a slot (sipaudit/compiled.h)."""
    classes = [(module, kind) for module in map(import_module, MODULES) for kind in vars(module).values()
               if isinstance(kind, type) and kind.__module__ == module.__name__]
    assert len(classes) > 100
    assert [f"{kind.__module__}.{kind.__name__}" for module, kind in classes
            if kind.__dictoffset__ and not issubclass(kind, Enum | Exception | Draft)
            and not getattr(kind, "_is_protocol", False)] == []


def test_all_that_is_to_be_compiled_is_there() -> None:
    assert sorted(MODULES) == MODULES
    assert [name for name in MODULES if not source_of(name).is_file()] == []


def misread(tree: ast.AST) -> Iterator[int]:
    """Lines that Cython 3.3 compiles wrongly: it takes `not (a is b is c)` for `a is not b is c`."""
    for node in ast.walk(tree):
        if isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.Not) and isinstance(node.operand, ast.Compare) \
                and len(node.operand.ops) > 1 and isinstance(node.operand.ops[0], ast.Is | ast.In):
            yield node.lineno


def test_nothing_is_written_that_the_compiler_misreads() -> None:
    assert list(misread(ast.parse("not (a is b is c)\nnot a is b\nnot a < b < c\nnot a in b is c"))) == [1, 4]
    found = [f"{name}:{line}" for name in MODULES for line in misread(ast.parse(source_of(name).read_text()))]
    assert found == []
