"""The rows of messages.parquet, collected while the route runs, so that the captures need not be followed a second
time."""

from __future__ import annotations

from pathlib import Path

from sipaudit.reconstruct.whose import Whose
from sipaudit.report.messages import Names, Rows, row_of, write_parquet
from sipaudit.run.run import Run
from sipaudit.sip.datagram import Datagram
from sipaudit.sip.message import Message
from sipaudit.times import Span


class FirstRows:
    """Collects the messages of a run within `span`."""

    def __init__(self, span: Span) -> None:
        self._span = span
        self._rows = Rows()

    def note(self, item: Datagram, message: Message, whose: Whose, repeated: bool) -> None:
        """Add one message, with the numbers of phone and line that it has now."""
        if self._span.start <= item.time <= self._span.end:
            phone, line, server, from_phone = whose
            whose = phone, line, server or None, from_phone
            self._rows.add(row_of(item, message, item.capture, whose, repeated, len(item.payload)))

    def write(self, run: Run, path: Path) -> None:
        """Write all rows to a Parquet file."""
        write_parquet(self._rows.batches(Names(run.naming.path, run.phone, run.line, run.server)), path)
