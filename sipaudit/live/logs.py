"""The log on stderr: plain lines, or one JSON object per line (`--log-format`).

A thread writes it, so that a full pipe does not delay the capture. Only our own
loggers write to it.
"""

from __future__ import annotations

import json
import logging
import os
from collections import deque
from datetime import UTC, datetime
from enum import StrEnum
from pathlib import Path
from typing import TextIO

from sipaudit.live.writer import Writer
from sipaudit.safe_text import safe_text

RECENT = 4        # lines that the console view shows
PRIORITIES = {logging.DEBUG: 7, logging.INFO: 6, logging.WARNING: 4, logging.ERROR: 3, logging.CRITICAL: 2}


class LogFormat(StrEnum):
    TEXT = "text"
    JSON = "json"


class TextLine(logging.Formatter):
    """`warning: text`; under journald `<4>text`, with the priority that it understands (sd-daemon(3))."""

    def __init__(self, for_journal: bool) -> None:
        super().__init__()
        self._for_journal = for_journal

    def format(self, record: logging.LogRecord) -> str:
        text = safe_text(record.getMessage()) + _trouble(record)
        if self._for_journal:
            return f"<{PRIORITIES.get(record.levelno, 6)}>{text}"
        return text if record.levelno == logging.INFO else f"{record.levelname.lower()}: {text}"


class JsonLine(logging.Formatter):
    """`{"time": "2026-11-22T12:03:04.123456Z", "level": "warning", "logger": "sipaudit.live.notify", "message": ""}`"""

    def format(self, record: logging.LogRecord) -> str:
        when = datetime.fromtimestamp(record.created, UTC).isoformat(timespec="microseconds").replace("+00:00", "Z")
        said = {"time": when, "level": record.levelname.lower(), "logger": record.name,
                "message": safe_text(record.getMessage())}
        trouble = _trouble(record)
        return json.dumps({**said, "error": trouble.strip()} if trouble else said)


def _trouble(record: logging.LogRecord) -> str:
    """Type and place of an exception, without its text, which may hold data from the wire, or a URL."""
    if not record.exc_info or record.exc_info[0] is None:
        return ""
    place, inner = "", record.exc_info[2]
    while inner is not None:
        place = f"{Path(inner.tb_frame.f_code.co_filename).name}:{inner.tb_lineno}"
        inner = inner.tb_next
    return f" ({record.exc_info[0].__name__} at {place})"


class Recent(logging.Handler):
    """Keeps the last lines, for a view that has the terminal to itself."""

    def __init__(self) -> None:
        super().__init__()
        self.lines: deque[str] = deque(maxlen=RECENT)
        self.setFormatter(TextLine(for_journal=False))

    def emit(self, record: logging.LogRecord) -> None:
        self.lines.append(self.format(record))


class _Written(logging.Handler):
    """Passes lines to a writer; when it takes lines again after a full queue, logs how many were lost."""

    def __init__(self, writer: Writer, formatter: logging.Formatter) -> None:
        super().__init__()
        self._writer = writer
        self._lost = 0
        self.setFormatter(formatter)

    def emit(self, record: logging.LogRecord) -> None:
        if self._lost and self._writer.put(self._gap()):
            self._lost = 0
        if not self._writer.put(self.format(record) + "\n"):
            self._lost += 1

    def _gap(self) -> str:
        said = f"{self._lost} lines of the log were lost"
        return self.format(logging.LogRecord(__name__, logging.WARNING, __file__, 0, said, None, None)) + "\n"


class Logs:
    """The log of a live run: written to `stream`, or (None) only kept for the console view. `verbosity` is -1 (-q, only
    errors), 0, or 1 (-v, debug)."""

    def __init__(self, stream: TextIO | None, form: LogFormat = LogFormat.TEXT, verbosity: int = 0) -> None:
        self.recent = Recent()
        self._logger = logging.getLogger("sipaudit")
        self._logger.setLevel(_LEVELS[max(-1, min(verbosity, 1))])
        self._logger.propagate = False
        self._handlers: list[logging.Handler] = [self.recent]
        self._writer: Writer | None = None
        if stream is not None:
            self._write_to(stream, form)
        for handler in self._handlers:
            self._logger.addHandler(handler)

    def close(self) -> None:
        """Write what is queued, and stop logging."""
        for handler in self._handlers:
            self._logger.removeHandler(handler)
        if self._writer is not None:
            self._writer.close()

    def _write_to(self, stream: TextIO, form: LogFormat) -> None:
        self._writer = Writer(stream)
        formatter = JsonLine() if form is LogFormat.JSON else TextLine(_is_journal(stream))
        self._handlers.append(_Written(self._writer, formatter))


_LEVELS = {-1: logging.ERROR, 0: logging.INFO, 1: logging.DEBUG}


def _is_journal(stream: TextIO) -> bool:
    """Whether this stream is connected to systemd's journal (JOURNAL_STREAM holds its device and inode)."""
    try:
        status = os.fstat(stream.fileno())
    except (OSError, ValueError):
        return False
    return os.environ.get("JOURNAL_STREAM") == f"{status.st_dev}:{status.st_ino}"
