"""The captures of a run as one stream of items: the way in to this package."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from functools import partial
from math import inf

from ..sip.datagram import Item
from . import linktypes
from .bpf import BpfFilter
from .decode import Decoder
from .engine import batches
from .files import CaptureFile
from .health import CaptureHealth
from .intake import Intake
from .merging import Source, in_order
from .packet import Packet
from .prefilter import Prefilter


class Captures:
    """Reads captures and gives what they say about SIP.

    `engine` is libpcap (never tshark), tshark (all messages through it) or auto; `bpf` a filter on packets as
    captured, `keylog` a TLS key log; nothing later than `until` (seconds since the epoch) is read; `progress` is told
    of stored bytes as they are read.  `health` has one entry for each file, in the order given, complete once the
    stream has ended.  Iterate once.

    Raises InputError for a filter that is none, and, while reading, for a pipe that carries no capture.
    """

    def __init__(
        self, files: Sequence[CaptureFile], *, engine: str = "auto", bpf: str | None = None, keylog: str | None = None,
        until: float | None = None, progress: Callable[[int], None] | None = None,
    ) -> None:
        self.health = [CaptureHealth(file.path) for file in files]
        self._files = files
        self._engine = engine
        self._keylog = keylog
        self._until = until
        self._progress = progress or (lambda _: None)
        self.prefilter = Prefilter()
        link_types = {link_type for file in files for link_type in file.link_types}
        self._bpf = None if bpf is None else BpfFilter(bpf, link_types or {linktypes.ETHERNET})

    def __iter__(self) -> Iterator[Item]:
        decoder = Decoder(self.health)
        decode = decoder.decode
        for capture, packets in in_order(self._sources()):
            for packet in packets:
                item = decode(packet, capture)
                if item is None:
                    continue
                if isinstance(item, list):
                    yield from item
                else:
                    yield item
        yield from decoder.finish()

    def _sources(self) -> Iterator[Source[Packet]]:
        for index, file in enumerate(self._files):
            first = -inf if file.first is None else file.first
            if self._until is None or first <= self._until:
                yield Source(index, first, partial(self._packets, index))

    def _packets(self, index: int) -> Iterator[list[Packet]]:
        health = self.health[index]
        intake = Intake(health, self.prefilter, self._bpf, self._until)
        return intake.packets(batches(self._files[index], health, self._progress))
