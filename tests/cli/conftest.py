"""Fakes of the pipeline and renderers, so that these tests are about the command line alone."""

from __future__ import annotations

import sys
from dataclasses import dataclass, field
from datetime import tzinfo
from types import ModuleType
from typing import Any, Protocol

import pytest
from msgspec.structs import replace

import sipaudit
import sipaudit.report
from sipaudit.cli.main import main
from sipaudit.model.values import SCHEMA, Finding, Report, Severity
from sipaudit.run.job import Job, Output
from tests.live.said import FINDING


def finding(severity: Severity, suppressed: str | None = None) -> Finding:
    return replace(FINDING, severity=severity, suppressed=suppressed)


def report(*findings: Finding) -> Report:
    return Report(SCHEMA, "sipaudit", [], [], [], list(findings), [], [], [], [])


@dataclass
class Fake:
    """Records what the pipeline was asked, and answers with a value, or by calling a function (which may raise)."""

    answer: Any = field(default_factory=report)
    job: Any = None
    asked: dict[str, Any] = field(default_factory=dict)

    def __call__(self, job: Any, **asked: Any) -> Any:
        self.job, self.asked = job, asked
        if asked.get("progress") is not None:
            asked["progress"].start(100)
            asked["progress"].advance(100)
        return self.answer(asked) if callable(self.answer) else self.answer


def _replace(monkeypatch: pytest.MonkeyPatch, package: ModuleType, name: str, **contents: Any) -> None:
    module = ModuleType(f"{package.__name__}.{name}")
    vars(module).update(contents)
    monkeypatch.setitem(sys.modules, module.__name__, module)
    monkeypatch.setattr(package, name, module, raising=False)


@pytest.fixture
def pipeline(monkeypatch: pytest.MonkeyPatch) -> Fake:
    """One fake for all functions of the pipeline, and renderers that print what they were given."""
    fake = Fake()
    _replace(monkeypatch, sipaudit, "pipeline", Job=Job, Output=Output, analyze=fake, phones=fake, ladder=fake,
             events=fake, inspect=lambda capture, frames, **asked: fake(capture, frames=frames, **asked))

    def render(result: Any, clock: tzinfo, width: int, color: bool, **_: Any) -> str:
        return f"rendered {type(result).__name__} by {type(clock).__name__}, colour {color}\n"

    for name in ("text", "phones", "ladder"):
        _replace(monkeypatch, sipaudit.report, name, render=render)
    _replace(
        monkeypatch, sipaudit.report, "inspect", render=lambda dissection, messages, *, width: f"{dissection}\n"
    )
    return fake


@dataclass
class Result:
    code: int
    out: str
    err: str


class Command(Protocol):
    """`sipaudit` with these arguments."""

    def __call__(self, *arguments: str) -> Result: ...


@pytest.fixture(autouse=True)
def as_wide_as_a_file(monkeypatch: pytest.MonkeyPatch) -> None:
    """Unset COLUMNS, which a narrow terminal or a parallel test run may have set."""
    monkeypatch.delenv("COLUMNS", raising=False)


@pytest.fixture
def sipaudit_command(monkeypatch: pytest.MonkeyPatch, capfdbinary: pytest.CaptureFixture[bytes]) -> Command:
    """Run the command line in this process; return exit code, stdout and stderr."""

    def run(*arguments: str) -> Result:
        monkeypatch.setattr(sys, "argv", ["sipaudit", *arguments])
        code = main()
        captured = capfdbinary.readouterr()
        return Result(code, captured.out.decode(), captured.err.decode())

    return run
