"""Logs: one line per record whatever it holds, JSON for machines, and a full pipe blocks nobody."""

from __future__ import annotations

import io
import json
import logging
import os
import threading
from collections.abc import Callable, Iterator

import pytest

from sipaudit.live.logs import LogFormat, Logs
from sipaudit.live.writer import Writer

log = logging.getLogger("sipaudit.live.some")
HOSTILE = "\x1b[2J\n{\"fake\": 1}\u202e"


@pytest.fixture
def logged() -> Iterator[Callable[..., list[str]]]:
    """`logged(speak, form, verbosity)`: the lines that `speak` logs."""
    before = logging.getLogger("sipaudit").level

    def run(speak: Callable[[], object], form: LogFormat = LogFormat.TEXT, verbosity: int = 0) -> list[str]:
        stream = io.StringIO()
        logs = Logs(stream, form, verbosity)
        speak()
        logs.close()
        return stream.getvalue().splitlines()

    yield run
    logging.getLogger("sipaudit").setLevel(before)
    logging.getLogger("sipaudit").propagate = True


def test_a_line_of_text_cannot_be_made_two(logged: Callable[..., list[str]]) -> None:
    assert logged(lambda: log.warning("from %s", HOSTILE)) == [
        "warning: from \\x1b[2J\\n{\"fake\": 1}\\u202e"]


def test_json_lines_hold_time_level_logger_and_message(logged: Callable[..., list[str]]) -> None:
    [line] = logged(lambda: log.error("from %s", HOSTILE), LogFormat.JSON)
    said = json.loads(line)
    assert said["level"] == "error"
    assert said["logger"] == "sipaudit.live.some"
    assert said["message"].startswith("from \\x1b[2J")
    assert said["time"].endswith("Z")


def fail_with_a_secret() -> None:
    try:
        raise ConnectionError("https://user:geheim@example.com/token")
    except ConnectionError:
        log.exception("it failed")


@pytest.mark.parametrize("form", LogFormat)
def test_an_exception_is_told_by_type_and_place_without_its_words(
    form: LogFormat, logged: Callable[..., list[str]]
) -> None:
    [line] = logged(fail_with_a_secret, form)
    assert "ConnectionError at test_logs.py:" in line
    assert "geheim" not in line


@pytest.mark.parametrize(("verbosity", "heard"), [(-1, 1), (0, 3), (1, 4)])
def test_verbosity_chooses_what_is_heard(
    verbosity: int, heard: int, logged: Callable[..., list[str]]
) -> None:
    def speak() -> None:
        for level in (log.debug, log.info, log.warning, log.error):
            level("x")

    assert len(logged(speak, verbosity=verbosity)) == heard


def test_the_journal_is_told_the_priority(monkeypatch: pytest.MonkeyPatch) -> None:
    reading, writing = os.pipe()
    status = os.fstat(writing)
    monkeypatch.setenv("JOURNAL_STREAM", f"{status.st_dev}:{status.st_ino}")
    with os.fdopen(writing, "w") as stream:
        logs = Logs(stream)
        log.warning("dropped")
        logs.close()
    with os.fdopen(reading) as journal:
        assert journal.read() == "<4>dropped\n"


def test_a_pipe_that_nobody_reads_holds_nothing_up_and_what_is_lost_is_told() -> None:
    reading, writing = os.pipe()
    with os.fdopen(writing, "w") as stream:
        logs = Logs(stream, LogFormat.JSON)
        for _ in range(5_000):
            log.warning("x" * 200)
        heard = b""
        while not any(b"were lost" in line for line in heard.splitlines()[:-1]):   # the last line may be incomplete
            heard += os.read(reading, 1_000_000)
            log.warning("more")
        drain = threading.Thread(target=lambda: [None for _ in iter(lambda: os.read(reading, 1_000_000), b"")])
        drain.start()
        logs.close()
    drain.join()
    os.close(reading)
    told = [json.loads(line)["message"] for line in heard.splitlines()[:-1]]
    assert [one for one in told if "were lost" in one]
    assert all(one in ("more", "x" * 200) or one.endswith(" lines of the log were lost") for one in told)


def test_a_stream_that_others_set_to_nonblocking_gets_it_all() -> None:
    reading, writing = os.pipe()
    os.set_blocking(writing, False)
    with os.fdopen(writing, "w") as stream:
        writer = Writer(stream)
        writer.put("x" * 300_000)
        got = 0
        while got < 300_000:
            got += len(os.read(reading, 300_000))
        writer.close()
    os.close(reading)


def test_a_reader_that_went_away_is_no_error() -> None:
    reading, writing = os.pipe()
    os.close(reading)
    stream = os.fdopen(writing, "w")
    writer = Writer(stream)
    writer.put("gone\n")
    writer.close()
    assert writer.gone
    stream.close()


def test_what_the_streams_encoding_lacks_is_escaped() -> None:
    raw = io.BytesIO()
    writer = Writer(io.TextIOWrapper(raw, encoding="ascii", write_through=True))
    writer.put("Zürich")
    writer.close()
    assert raw.getvalue() == b"Z\\xfcrich"
