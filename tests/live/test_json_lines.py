"""JSON lines, whatever happens to the file or its reader."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from functools import reduce
from operator import or_
from pathlib import Path
from typing import Any

import msgspec
import pytest

from sipaudit.errors import InputError
from sipaudit.live.journal import Journal
from sipaudit.live.json_lines import BYTES_KEPT, LinesToFile, LinesToStdout, json_lines
from sipaudit.model.sayings import NoteSaid, Saying, Withdrawn
from sipaudit.model.values import Reached, Report, read_proof
from sipaudit.report.document import to_jsonl
from sipaudit.turned_away import since, so_far
from tests.live.ear import Ear
from tests.stories import MINUTE, R2, P, S, site
from tests.traps.ground import handset

EVERY_KIND = reduce(or_, Saying.__subclasses__())


def read(path: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in path.read_text().splitlines()]


def test_every_line_is_an_object_with_its_type_and_reads_back(tmp_path: Path) -> None:
    ear = Ear(tmp_path, site({**R2, **MINUTE}, P, S))
    phone = handset()
    phone.fail_over(300)
    phone.register(330, P)
    phone.call(331, P)
    ear.hears(phone.story)
    ear.finish(400)
    sink = json_lines(str(tmp_path / "said"))
    for saying in ear.said:
        sink.take(saying)
    sink.close()
    said = read(tmp_path / "said")
    assert {"capture", "server", "line", "move", "registration", "call", "finding", "incident", "reached", "minute"
            } <= {one["type"] for one in said}
    assert all(list(one)[:2] == ["type", "time"] for one in said)
    back = [msgspec.json.decode(line, type=EVERY_KIND, dec_hook=read_proof)
            for line in (tmp_path / "said").read_bytes().splitlines()]
    assert back == ear.said


def test_a_file_that_was_moved_away_is_made_anew_and_no_line_is_lost(tmp_path: Path) -> None:
    path = tmp_path / "said"
    sink = LinesToFile(str(path))
    sink.take(NoteSaid(1.0, "before"))
    sink.turn(0.0)
    path.rename(tmp_path / "said.1")
    sink.take(NoteSaid(2.0, "after"))
    sink.turn(0.0)
    sink.close()
    assert [one["note"] for one in read(tmp_path / "said.1")] == ["before"]
    assert [one["note"] for one in read(path)] == ["after"]


def test_a_file_that_was_moved_away_and_cannot_be_made_anew_is_said_once(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """The directory is gone or not writable: further lines go into the file that was moved."""
    folder = tmp_path / "said"
    folder.mkdir()
    sink = LinesToFile(str(folder / "lines"))
    folder.rename(tmp_path / "old")
    for number in range(3):
        sink.take(NoteSaid(float(number), "x"))
        sink.turn(0.0)
    assert [record.getMessage() for record in caplog.records] == [
        f"--jsonl: {folder / 'lines'} was moved away and cannot be made anew: No such file or directory"]
    folder.mkdir()
    sink.take(NoteSaid(3.0, "x"))
    sink.turn(0.0)
    sink.close()
    assert [len(read(path / "lines")) for path in (tmp_path / "old", folder)] == [3, 1]


def test_a_full_disk_is_said_once_and_when_there_is_room_again(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    sink = LinesToFile("/dev/full")
    for number in range(3):
        sink.take(NoteSaid(float(number), "x"))
        sink.turn(0.0)
    assert [record.getMessage() for record in caplog.records] == [
        "--jsonl: cannot be written: No space left on device; what is said waits"]
    os.dup2(os.open(tmp_path / "said", os.O_WRONLY | os.O_CREAT | os.O_APPEND), sink._file)
    sink.close()
    assert caplog.records[1].getMessage() == "--jsonl: is written again; 0 lines dropped meanwhile"
    assert len(caplog.records) == 2


def test_what_a_full_disk_never_took_is_said_at_the_end(caplog: pytest.LogCaptureFixture) -> None:
    sink = LinesToFile("/dev/full")
    sink.take(NoteSaid(1.0, "x"))
    sink.close()
    assert caplog.records[-1].getMessage() == "--jsonl: 1 line could not be written"


def test_on_a_full_disk_lines_wait_and_beyond_a_bound_the_newest_are_dropped(tmp_path: Path) -> None:
    sink = LinesToFile("/dev/full")
    for number in range(BYTES_KEPT // 1_000 + 100):
        sink.take(NoteSaid(float(number), "x" * 1_000))
        sink.turn(0.0)
    assert sink.dropped > 100
    path = tmp_path / "said"
    os.dup2(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND), sink._file)   # there is room again
    sink.close()
    assert [one["time"] for one in read(path)] == [float(number) for number in range(len(read(path)))]


def test_lines_that_a_slow_reader_costs_are_told_while_it_runs(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The loss is in `health` and the metrics: a run of weeks does not end soon enough to report it then."""
    before = so_far()
    os.mkfifo(tmp_path / "pipe")
    reader = os.open(tmp_path / "pipe", os.O_RDONLY | os.O_NONBLOCK)
    sink, stdout = LinesToFile(str(tmp_path / "pipe")), LinesToStdout()
    monkeypatch.setattr(stdout._writer, "put", lambda _: False)
    long = NoteSaid(1.0, "x" * 1_000_000)
    for _ in range(12):
        sink.take(long)
        sink.turn(0.0)
    assert since(before) == {"jsonl": sink.dropped}
    stdout.take(long)
    assert since(before) == {"jsonl": sink.dropped + 1} != {"jsonl": 1}
    os.close(reader)


def test_behind_a_line_that_broke_off_the_next_run_begins_another(tmp_path: Path) -> None:
    """The disk was full when the previous run ended."""
    path = tmp_path / "said.jsonl"
    path.write_text('{"type":"note","time":1.0,"note":"whole"}\n{"type":"no')
    for note in ("first", "second"):
        sink = LinesToFile(str(path))
        sink.take(NoteSaid(2.0, note))
        sink.close()
    lines = path.read_text().splitlines()
    assert lines[1] == '{"type":"no'
    assert [json.loads(line)["note"] for line in (lines[0], *lines[2:])] == ["whole", "first", "second"]


@pytest.mark.parametrize("text", ["\udc80", "a\ud800b", "\udfff\ud83d"])
def test_half_a_character_is_written_as_its_escape_by_every_end(tmp_path: Path, text: str) -> None:
    escaped = text.encode("utf-8", "backslashreplace").decode()
    lines, journal = LinesToFile(str(tmp_path / "said")), Journal(tmp_path / "state", print)
    for sink in (lines, journal):
        sink.take(NoteSaid(1.0, text))
        sink.take(Withdrawn(1.0, "f-000001", text))
        sink.turn(0.0)
        sink.close()
    assert [one.get("note") or one["reason"] for one in read(tmp_path / "said")] == [escaped, escaped]
    assert [one.reason for one in journal.read() if isinstance(one, Withdrawn)] == [escaped]
    report = Report("", "", [], [], [], [], [], [Reached(text, 1)], [], [])
    assert [json.loads(line)["reached"]["rule"] for line in to_jsonl(report)] == [escaped]


def test_a_pipe_that_nobody_reads_holds_up_nothing_and_what_is_read_later_is_whole(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """Such as `--jsonl >(jq ...)`: lines are queued, and beyond a bound the newest are dropped."""
    path = tmp_path / "pipe"
    os.mkfifo(path)
    reader = os.open(path, os.O_RDONLY | os.O_NONBLOCK)
    sink = LinesToFile(str(path))
    for number in range(500):
        sink.take(NoteSaid(float(number), "x" * 1_000))
        sink.turn(0.0)
    told = b""
    while len(told.splitlines()) < 500:
        told += os.read(reader, 1 << 20)
        sink.turn(0.0)
    assert [json.loads(line)["time"] for line in told.splitlines()] == [float(number) for number in range(500)]
    assert not caplog.records
    os.close(reader)
    sink.take(NoteSaid(500.0, "x"))
    sink.close()
    assert caplog.records[0].getMessage() == "--jsonl: cannot be written: Broken pipe; what is said waits"


def test_a_pipe_without_a_reader_is_named_instead_of_waited_for(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(InputError, match="start the reader"):
        json_lines(str(tmp_path / "pipe"))


def test_a_file_that_cannot_be_opened_is_named() -> None:
    with pytest.raises(InputError, match="cannot be written"):
        json_lines("/nowhere/said")


@pytest.mark.parametrize("place", ["/dev/full", "a pipe"])
def test_that_stdout_takes_nothing_any_more_is_said_once(place: str, tmp_path: Path) -> None:
    """The disk is full, or the reader has gone."""
    program = """
import time
from sipaudit.live.json_lines import json_lines
from sipaudit.model.sayings import NoteSaid
sink = json_lines("-")
while not sink._writer.gone:
    sink.take(NoteSaid(1.0, "x"))
    time.sleep(0.01)
for turn in range(3):
    sink.turn(float(turn))
sink.close()
"""
    where = f"> {place}" if place.startswith("/") else "| true"
    said = subprocess.run(["bash", "-c", f'"{sys.executable}" -c "$0" {where}', program], capture_output=True,
                          text=True, check=False, timeout=60)
    assert said.stderr == "--jsonl: stdout takes nothing any more, and gets nothing from now on\n"


def test_a_reader_who_is_slow_or_gone_holds_up_nothing() -> None:
    program = """
from sipaudit.live.json_lines import json_lines
from sipaudit.model.sayings import NoteSaid
import sys, time
sink = json_lines("-")
began = time.monotonic()
for number in range(60_000):
    sink.take(NoteSaid(float(number), "x" * 100))
print(sink.dropped, file=sys.stderr)
sink.close()
"""
    process = subprocess.Popen([sys.executable, "-c", program], stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    assert process.stderr is not None
    assert int(process.stderr.readline()) > 10_000   # nobody has read a line yet
    assert process.wait(60) == 0
