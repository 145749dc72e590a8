"""Unexpected paths and words are refused with what to do, or simply used; they never cause a traceback."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.cli.conftest import Command, Result
from tests.shared import COMMAND, ROOT, SAMPLE

CAPTURE, FOLDER = str(SAMPLE / "capture.pcap"), str(SAMPLE)
PLAN = str(ROOT / "samples" / "clean-outage" / "plan.yaml")
LONG = "a" * 300
UNUSABLE = 2

Run = Callable[..., Result]


def run(
        folder: Path, *words: str | bytes, stdout: int = subprocess.PIPE, stderr: int = subprocess.PIPE,
) -> subprocess.CompletedProcess[bytes]:
    """Run the command in a separate process."""
    return subprocess.run([*COMMAND, *words], cwd=folder, stdout=stdout,
                          stderr=stderr, check=False, env={**os.environ, "PYTHONPATH": str(ROOT)})


@pytest.fixture
def run_here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, sipaudit_command: Command) -> Run:
    """Runs the command in `tmp_path`, in this process since that is quicker; not `live`, which drops privileges."""
    monkeypatch.chdir(tmp_path)

    def ran(*words: str | bytes) -> Result:
        if words[0] != "live":
            return sipaudit_command(*map(os.fsdecode, words))
        apart = run(tmp_path, *words)
        return Result(apart.returncode, apart.stdout.decode(), apart.stderr.decode())

    return ran


@pytest.mark.parametrize("words", [
    ["analyze", LONG], ["analyze", CAPTURE, "--rules", LONG], ["analyze", CAPTURE, "-o", LONG], ["report", LONG],
    ["simulate", PLAN, "-o", LONG],
    ["analyze", CAPTURE, "--filter", b"\xff"], ["analyze", CAPTURE, "--store", b"sqlite:///\xff.db"],
    ["report", b"sqlite:///\xff.db"], ["live", "-i", b"\xff"],
    ["analyze", "/proc/self/mem"], ["analyze", CAPTURE, "-o", "/proc/out"], ["simulate", PLAN, "-o", "/proc/out.pcap"],
], ids=str)
def test_what_cannot_be_used_is_refused_with_the_fix(run_here: Run, tmp_path: Path, words: list[str | bytes]) -> None:
    refused = run_here(*words)
    assert (refused.code, refused.out) == (UNUSABLE, "")
    assert len(refused.err.splitlines()) == 1
    assert refused.err.endswith(")\n"), "what to do about it"
    assert "failed" not in refused.err
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(("words", "what"), [
    (["analyze", CAPTURE, "--site", CAPTURE], "the site file"),
    (["analyze", CAPTURE, "--rules", CAPTURE], "the rule file"), (["rules", "check", CAPTURE], "the rule file"),
    (["analyze", CAPTURE, "--suppress", CAPTURE], "the suppressions"),
    (["simulate", CAPTURE, "-o", "a.pcap"], "the plan"),
], ids=str)
def test_a_capture_in_the_place_of_another_file_is_known_for_one(run_here: Run, words: list[str], what: str) -> None:
    refused = run_here(*words)
    assert (refused.code, refused.out) == (UNUSABLE, "")
    assert refused.err == f"sipaudit: {CAPTURE}: is a capture and cannot be {what} (name a YAML file)\n"


CONTENT = {
    "capture": Path(CAPTURE).read_bytes()[:4_000], "pcapng": b"\n\r\r\n\x1c\0\0\0", "gzip": b"\x1f\x8b\x08\0",
    "store": b"SQLite format 3\0" + bytes(84), "words": b"servers: {}\n", "nothing": b"",
    "report": Path(FOLDER, "report.json").read_bytes(),
    "site": Path(FOLDER, "site.yaml").read_bytes(), "xml": Path(FOLDER, "provisioning", "site.cfg").read_bytes(),
}


@pytest.mark.parametrize(("words", "content", "said"), [
    (["report", "x y.pcap"], "capture", "is a capture (read it with: sipaudit analyze 'x y.pcap')"),
    (["report", FOLDER, "--compare", "a"], "pcapng", "is a capture (read it with: sipaudit analyze a)"),
    (["report", "a.gz"], "gzip",
     "is compressed (uncompress it first; if it is a capture, read it with: sipaudit analyze a.gz)"),
    (["report", "a.db"], "store", "is an SQLite file (show a store with: sipaudit report sqlite:///a.db)"),
    (["analyze", "a.db"], "store", "is an SQLite file (show a store with: sipaudit report sqlite:///a.db)"),
    (["report", "a.yaml"], "words", "not a sipaudit report: it is no JSON (name a report.json that sipaudit wrote, its "
                                    "directory, or the URL of a store)"),
    (["phones", "r.json"], "report", "is a report that sipaudit wrote (show it with: sipaudit report r.json)"),
    (["analyze", CAPTURE, "--site", "site.cfg"], "xml",
     "is XML, as provisioning files are, and cannot be the site file (name those with --config)"),
    (["analyze", CAPTURE, "--config", "site.yaml"], "site", "is a site file (name it with --site)"),
    (["config", "check", "a.pcap"], "capture", "is a capture (read it with: sipaudit analyze a.pcap)"),
    (["config", "show", "a.pcap"], "pcapng", "is a capture (read it with: sipaudit analyze a.pcap)"),
    (["analyze", CAPTURE, "--config", "a.db"], "store",
     "is an SQLite file (show a store with: sipaudit report sqlite:///a.db)"),
    (["config", "check", "a.cfg"], "nothing", "is empty (name a provisioning file, and not while it is written)"),
    (["analyze", CAPTURE, "--config", "a.cfg"], "nothing",
     "is empty (name a provisioning file, and not while it is written)"),
    (["config", "check", "r.json"], "report", "is a report that sipaudit wrote (show it with: sipaudit report r.json)"),
    (["config", "check", "a.gz"], "gzip",
     "is compressed (uncompress it first; if it is a capture, read it with: sipaudit analyze a.gz)"),
    (["analyze", CAPTURE, "--site", "r.json"], "report",
     "is a report that sipaudit wrote and cannot be the site file (name a YAML file)"),
], ids=str)
def test_a_file_in_the_place_of_another_is_said_to_be_what_it_is(
        run_here: Run, tmp_path: Path, words: list[str], content: str, said: str) -> None:
    (tmp_path / words[-1]).write_bytes(CONTENT[content])
    refused = run_here(*words)
    assert (refused.code, refused.out) == (UNUSABLE, "")
    assert refused.err == f"sipaudit: {words[-1]}: {said}\n"


def test_a_provisioning_directory_in_the_place_of_the_site_file_is_told_its_option(tmp_path: Path) -> None:
    (tmp_path / "provisioning").mkdir()
    refused = run(tmp_path, "analyze", CAPTURE, "--site", "provisioning")
    assert refused.returncode == UNUSABLE
    assert b"is a directory (name a YAML file; a provisioning directory is named with --config)" in refused.stderr


@pytest.mark.parametrize("words", [
    ["analyze", ""], ["analyze", CAPTURE, "--site", ""], ["phones", CAPTURE, "--config", ""], ["report", ""],
    ["analyze", CAPTURE, "--rules", ""], ["config", "check", ""], ["rules", "check", ""], ["inspect", "", "1"],
    ["simulate", "", "-o", "a.pcap"], ["live", "--follow", ""], ["live", "-i", "lo", "--checkpoint", ""],
    ["live", "-i", "lo", "--store", ""], ["analyze", CAPTURE, "--store", ""], ["analyze", CAPTURE, "-o", ""],
], ids=str)
def test_a_variable_that_nobody_has_set_is_not_this_directory_nor_left_out(
        run_here: Run, tmp_path: Path, words: list[str]) -> None:
    (tmp_path / "a.pcap").write_bytes(Path(CAPTURE).read_bytes())
    refused = run_here(*words)
    assert (refused.code, refused.out) == (UNUSABLE, "")
    assert [path.name for path in tmp_path.iterdir()] == ["a.pcap"]


@pytest.mark.parametrize(("words", "option"), [
    (["analyze", CAPTURE, "--site", "a.yaml", "--site", "b.yaml"], "--site"),
    (["analyze", CAPTURE, "-o", "a", "--output=b"], "--output"),
    (["phones", CAPTURE, "--at", "+1m", "--at", "+2m"], "--at"),
    (["config", "check", ".", "--fail-on", "never", "--fail-on", "info"], "--fail-on"),
    (["live", "-i", "lo", "--store", "sqlite:///a", "--store", "sqlite:///b"], "--store"),
    (["simulate", PLAN, "-o", "a.pcap", "-o", "b.pcap"], "--output"),
], ids=str)
def test_of_two_values_none_is_silently_left_out(run_here: Run, tmp_path: Path, words: list[str], option: str) -> None:
    refused = run_here(*words)
    assert (refused.code, refused.out) == (UNUSABLE, "")
    assert f"{option} is given twice, and takes one value." in refused.err
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(("word", "said"), [
    (CAPTURE, f"is: it reads no captures. Read one with: sipaudit analyze {CAPTURE}"),
    ("-", "is: it reads no captures. Read one with: sipaudit analyze -"),
    (FOLDER, f"is. Follow a directory with --follow {FOLDER}, or read it with: sipaudit analyze {FOLDER}"),
    ("lo", "is. Did you mean '-i lo'?"), ("none.pcap", "is. What it listens to is named with -i, --hep or --follow."),
])
def test_what_live_does_not_take_is_told_with_what_does(run_here: Run, word: str, said: str) -> None:
    refused = run_here("live", "--site", "no.yaml", word)
    assert (refused.code, refused.out) == (UNUSABLE, "")
    assert said in refused.err


def test_what_live_does_not_take_is_told_for_a_shell_and_a_terminal(tmp_path: Path) -> None:
    (tmp_path / "my \x1b]0;owned\x07.pcap").touch()
    refused = run(tmp_path, "live", "my \x1b]0;owned\x07.pcap")
    assert refused.stderr.endswith(b"Read one with: sipaudit analyze 'my \\x1b]0;owned\\x07.pcap'\n")


def test_a_setting_has_one_value(run_here: Run) -> None:
    refused = run_here("phones", CAPTURE, "--set", "reRegisterOn=1", "--set", "reRegisterOn=0")
    assert (refused.code, refused.out) == (UNUSABLE, "")
    assert refused.err == "sipaudit: --set: reRegisterOn is given two values (name the one that counts)\n"
    assert run_here("-qq", "phones", CAPTURE, *["--set", "reRegisterOn=1"] * 2).code == 0


@pytest.mark.parametrize("directory", [b"run:1", b"sip:", b"d\xff"], ids=str)
def test_files_go_wherever_the_system_lets_them(run_here: Run, tmp_path: Path, directory: bytes) -> None:
    done = run_here("-q", "analyze", CAPTURE, "-o", directory)
    assert (done.code, done.err) == (0, "")
    assert (tmp_path / os.fsdecode(directory) / "messages.parquet").is_file()


def test_a_word_cannot_steer_the_terminal(run_here: Run) -> None:
    refused = run_here("rules", "list", "\x1b]0;owned\x07\u202e")
    assert refused.code == UNUSABLE
    assert "\\x1b]0;owned\\x07\\u202e" in refused.err


@pytest.mark.parametrize("option", ["--help", "--version"])
def test_a_full_disk_behind_help_is_a_failure_in_one_line(tmp_path: Path, option: str) -> None:
    with Path("/dev/full").open("wb") as full:
        failed = run(tmp_path, option, stdout=full.fileno(), stderr=subprocess.PIPE)
    assert failed.returncode == 1
    assert failed.stderr.startswith(b"sipaudit: failed: [Errno 28]")
    assert len(failed.stderr.splitlines()) == 1


def unheard(folder: Path, *words: str) -> int:
    """The exit code of a command when the reader of its stderr has gone."""
    reading, writing = os.pipe()
    os.close(reading)
    with os.fdopen(writing, "wb") as gone:
        return run(folder, *words, stdout=subprocess.DEVNULL, stderr=gone.fileno()).returncode


@pytest.mark.parametrize(("words", "code"), [
    (["analyze", CAPTURE, "--site", f"{FOLDER}/site.yaml", "--fail-on", "error"], 3),
    (["analyze", "no.pcap"], UNUSABLE), (["analyze"], UNUSABLE), ([], UNUSABLE),
    (["analyze", ".", "--progress", "-o", "out"], 0),
], ids=str)
def test_that_nobody_reads_stderr_changes_neither_what_is_done_nor_the_exit_code(
        tmp_path: Path, words: list[str], code: int) -> None:
    (tmp_path / "a.pcap").write_bytes(Path(CAPTURE).read_bytes())
    (tmp_path / "notes.txt").write_text("no capture, which is warned of\n")
    assert unheard(tmp_path, *words) == code
    assert (tmp_path / "out" / "report.html").is_file() is ("out" in words)


def test_of_a_closed_stdin_nothing_comes(tmp_path: Path) -> None:
    closed = subprocess.run(["sh", "-c", f'"{sys.executable}" -m sipaudit analyze - <&-'], cwd=tmp_path,
                            capture_output=True, check=False, env={**os.environ, "PYTHONPATH": str(ROOT)})
    assert closed.returncode == UNUSABLE
    assert b"is empty" in closed.stderr


@pytest.mark.parametrize(("words", "said"), [
    (["analize"], "There is no command 'analize'; did you mean 'analyze'?"),
    (["config", "chek"], "There is no command 'chek'; did you mean 'check'?"),
    ([CAPTURE], f"There is no command '{CAPTURE}'; did you mean 'sipaudit analyze {CAPTURE}'?"),
    ([""], "There is no command ''"), (["a" * 5000], f"There is no command '{'a' * 57}...'"),
], ids=["misspelt", "misspelt-in-a-group", "a-capture", "empty", "long"])
def test_a_command_that_is_not_there_is_told_with_what_may_be_meant(
        run_here: Run, words: list[str], said: str) -> None:
    refused = run_here(*words)
    assert (refused.code, refused.out) == (UNUSABLE, "")
    assert refused.err.splitlines()[-1] == f"Error: {said}"


def test_of_two_reports_that_cannot_be_read_both_are_named(run_here: Run) -> None:
    refused = run_here("report", "after.json", "--compare", "before.json")
    assert (refused.code, refused.out) == (UNUSABLE, "")
    assert [line.split(": ")[1] for line in refused.err.splitlines()] == ["after.json", "before.json"]
