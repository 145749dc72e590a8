"""The work of the reading process: read and parse captures, and send the items."""

from __future__ import annotations

import pickle
from collections.abc import Iterator
from typing import Any

from sipaudit.capture.captures import Captures
from sipaudit.errors import InputError
from sipaudit.run.ahead import batches_of
from sipaudit.run.packing import Packer
from sipaudit.run.pipe import Writer
from sipaudit.run.reader import Wanted

HUNGRY = 200_000        # bytes: with less under way, a batch or two, the other process may soon wait


class Sender:
    """Sends batches, each with the changes in the captures' health."""

    def __init__(self, wanted: Wanted, payloads: bool, writer: Writer) -> None:
        self._packer = Packer(payloads=payloads)
        self._writer = writer
        self._count = 0
        self._captures: Captures = wanted.captures(self._read)
        self._packets = [-1] * len(self._captures.health)

    def _read(self, count: int) -> None:
        self._count += count

    def send_all(self) -> None:
        """Send all batches, then how reading ended: None, or the error."""
        end: Exception | None = None
        try:
            for batch in batches_of(self._captures):
                self._send(self._packer.pack(batch, reading=not self._is_waited_for()))
        except InputError as error:
            end = error
        self._packets = [-1] * len(self._packets)
        self._send(None, end)
        self._writer.flush()

    def _is_waited_for(self) -> bool:
        """Whether the other process has next to nothing left to process: then it can parse as well as this one."""
        return self._writer.under_way < HUNGRY

    def _send(self, parcel: bytes | None, end: Exception | None = None) -> None:
        """Send a batch, or the end; the batch is sent as raw bytes after its header, not pickled again."""
        self._writer.send(pickle.dumps((parcel is not None, end, self._count, list(self._changed()))))
        if parcel is not None:
            self._writer.send(parcel)
        self._count = 0

    def _changed(self) -> Iterator[tuple[int, dict[str, Any]]]:
        """The captures from which packets were read since the last batch, with their health."""
        packets = self._packets
        for number, health in enumerate(self._captures.health):
            if health.packets != packets[number]:
                packets[number] = health.packets
                yield number, health.__dict__
