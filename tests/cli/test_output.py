"""What is written to stdout and to the output directory, and when colour and progress are shown."""

from __future__ import annotations

import json
import os
import pty
import re
import subprocess
import sys
from pathlib import Path

import pytest

from sipaudit.cli import terminal
from sipaudit.model.values import Severity
from sipaudit.run.job import Output
from tests.cli.conftest import Command, Fake, finding, report


def test_without_o_nothing_is_written(
        pipeline: Fake, sipaudit_command: Command, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    assert sipaudit_command("analyze", "a.pcap").code == 0
    assert list(tmp_path.iterdir()) == []


def test_o_is_handed_on_with_its_numbers(pipeline: Fake, sipaudit_command: Command, tmp_path: Path) -> None:
    result = sipaudit_command("analyze", "a.pcap", "-o", str(tmp_path), "--evidence", "all", "--embed", "7")
    assert result.code == 0
    assert pipeline.asked["output"] == Output(str(tmp_path), None, 7)
    assert f"wrote the report into {tmp_path}" in result.err
    sipaudit_command("phones", "a.pcap", "-o", str(tmp_path))
    assert pipeline.asked["output"] == Output(str(tmp_path), 1000, 500)


@pytest.mark.parametrize("number", ["-1", "few", "", "9999999999"])
def test_evidence_is_a_number_or_all(pipeline: Fake, sipaudit_command: Command, tmp_path: Path, number: str) -> None:
    assert sipaudit_command("analyze", "a.pcap", "-o", str(tmp_path), f"--evidence={number}").code == 2
    assert pipeline.job is None


def test_o_that_is_a_file_is_refused_before_any_work(pipeline: Fake, sipaudit_command: Command, tmp_path: Path) -> None:
    (tmp_path / "out").write_text("a file")
    for place in (tmp_path / "out", tmp_path / "out" / "below"):
        result = sipaudit_command("analyze", "a.pcap", "-o", str(place))
        assert result.code == 2
        assert len(result.err.splitlines()) == 1
        assert str(place) in result.err
    assert pipeline.job is None
    assert (tmp_path / "out").read_text() == "a file"


def test_json_lines_are_one_object_a_line(pipeline: Fake, sipaudit_command: Command) -> None:
    pipeline.answer = report(finding(Severity.INFO), finding(Severity.ERROR))
    lines = sipaudit_command("analyze", "a.pcap", "--format", "jsonl").out.splitlines()
    assert [json.loads(line)["finding"]["severity"] for line in lines] == ["info", "error"]


class Terminal:
    """A stdout that is, or is not, a terminal."""

    def __init__(self, is_terminal: bool) -> None:
        self.is_terminal = is_terminal

    def isatty(self) -> bool:
        return self.is_terminal


@pytest.mark.parametrize(
    ("is_terminal", "environment", "colour"),
    [
        (True, {}, True),
        (False, {}, False),
        (True, {"NO_COLOR": "1"}, False),
        (True, {"NO_COLOR": ""}, True),  # no-color.org: set and not empty
        (True, {"TERM": "dumb"}, False),
    ],
)
def test_colour_only_on_a_terminal_that_wants_it(
        monkeypatch: pytest.MonkeyPatch, is_terminal: bool, environment: dict[str, str], colour: bool) -> None:
    monkeypatch.delenv("NO_COLOR", raising=False)
    monkeypatch.setenv("TERM", "xterm")
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setattr(sys, "stdout", Terminal(is_terminal))
    assert terminal.has_color() is colour


def test_progress_into_a_log_is_plain_lines_on_stderr(pipeline: Fake, sipaudit_command: Command) -> None:
    result = sipaudit_command("analyze", "a.pcap", "--progress")
    assert "read 0.0 MB of 0.0 MB" in result.err
    assert "\x1b" not in result.err
    assert sipaudit_command("analyze", "a.pcap").err == ""


def test_progress_that_is_asked_for_is_shown_beside_q(pipeline: Fake, sipaudit_command: Command) -> None:
    pipeline.answer = lambda asked: asked["warn"]("a clock step") or report()
    for words in (["-q", "analyze"], ["analyze", "-q"]):
        assert sipaudit_command(*words, "a.pcap").err == ""
        said = sipaudit_command(*words, "a.pcap", "--progress").err
        assert "read 0.0 MB of 0.0 MB" in said
        assert "a clock step" not in said


BAR = """
from sipaudit.cli import terminal
from sipaudit.cli.progress import progress
with progress(None) as bar:
    bar.start(2000); bar.advance(1000); bar.advance(1000)
    terminal.warn("a clock step")
    print("result")
"""


def test_a_terminal_gets_a_bar_and_stdout_stays_clean() -> None:
    ours, theirs = pty.openpty()
    ran = subprocess.run([sys.executable, "-c", BAR], stdout=subprocess.PIPE, stderr=theirs, check=True)
    os.close(theirs)
    drawn = os.read(ours, 65536)
    os.close(ours)
    assert ran.stdout == b"result\n"
    assert b"2.0" in drawn
    assert b"sipaudit: warning: a clock step" in drawn


@pytest.mark.parametrize("width", [30, 40, 80, 100])
def test_the_bar_is_one_line_on_every_terminal(width: int) -> None:
    ours, theirs = pty.openpty()
    environment = {**os.environ, "COLUMNS": str(width), "TERM": "xterm", "NO_COLOR": "1"}
    subprocess.run([sys.executable, "-c", BAR], stdout=subprocess.PIPE, stderr=theirs, env=environment, check=True)
    os.close(theirs)
    drawn = os.read(ours, 65536).decode()
    os.close(ours)
    lines = [re.sub(r"\x1b\[[?0-9;]*[A-Za-z]", "", line) for line in re.split("[\r\n]+", drawn)]
    bars = [line for line in lines if line.startswith("reading")]
    assert bars
    assert all(re.search(r"[0-9:]{7}$|-:--:--$", line.rstrip()) for line in bars)
    assert max(map(len, bars)) <= width
    assert any(line.startswith("sipaudit: warning:") for line in lines)   # not behind the bar


LONG = """
from sipaudit.cli import terminal
terminal.emit(b"0123456789" * 1000 for _ in range(1000))
"""


def test_a_reader_that_leaves_is_no_error() -> None:
    command = f"{sys.executable} -c '{LONG}' | head -c 10; echo \" ${{PIPESTATUS[0]}}\""
    ran = subprocess.run(["bash", "-c", command], capture_output=True, text=True, check=True)
    assert (ran.stdout, ran.stderr) == ("0123456789 0\n", "")


def test_a_full_stdout_is_a_failure() -> None:
    ran = subprocess.run(
        ["bash", "-c", f"{sys.executable} -m sipaudit completion fish > /dev/full"],
        capture_output=True, text=True, check=False,
    )
    assert ran.returncode == 1
    assert "No space left on device: 'stdout'" in ran.stderr
    assert len(ran.stderr.splitlines()) == 1
