"""The rows of messages.parquet, noted while the route is driven: the captures then need not be followed once more."""

from __future__ import annotations

from pathlib import Path

from sipaudit.reconstruct.reconstruction import SeenMessage
from sipaudit.report.messages import Names, Rows, row_of, write_parquet
from sipaudit.run.run import Run
from sipaudit.times import Span


class FirstRows:
    """An observer of a run that notes its messages. `span` is what is reported of."""

    def __init__(self) -> None:
        self.span = Span(None, None)
        self._rows = Rows()

    def see(self, seen: SeenMessage) -> None:
        """One message, with the numbers that it has now."""
        item = seen.item
        if self.span.holds(item.time):
            whose = seen.phone, seen.line, seen.server or None, seen.from_phone
            self._rows.add(row_of(item, seen.message, item.capture, whose, seen.retransmission, len(item.payload)))

    def write(self, run: Run, path: Path) -> None:
        """All rows as a Parquet file."""
        write_parquet(self._rows.batches(Names(run.naming.path, run.phone, run.line, run.server)), path)
