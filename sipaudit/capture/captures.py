"""The captures of a run as one stream of items: the entry point of this package."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from functools import partial
from itertools import chain
from math import inf

from sipaudit.capture import beside, linktypes
from sipaudit.capture.away import Pauses
from sipaudit.capture.bpf import BpfFilter
from sipaudit.capture.decode import Decoder
from sipaudit.capture.disorder import in_time
from sipaudit.capture.engine import batches
from sipaudit.capture.files import CaptureFile
from sipaudit.capture.health import CaptureHealth
from sipaudit.capture.intake import Intake
from sipaudit.capture.layers import Inner
from sipaudit.capture.link import by_link_type
from sipaudit.capture.merging import Source, in_order
from sipaudit.capture.packet import Run
from sipaudit.capture.prefilter import Prefilter
from sipaudit.capture.taps import SharedPackets
from sipaudit.capture.tshark import BEYOND_US, INSTALL_HINT, check_keylog, tshark_available, tshark_stream
from sipaudit.errors import InputError
from sipaudit.sip.datagram import Datagram, Item

PART = 512  # packets decoded in one go: a process that follows their items need not wait for thousands of packets
LIBPCAP, TSHARK, AUTO = "libpcap", "tshark", "auto"
_WITHOUT_KEYS = frozenset(("websocket", "sctp"))  # counted as undecoded by our decoder; tshark reads them without keys


class Captures:
    """Reads captures and yields what they say about SIP, in the order in which their packets are to be understood.

    `engine` is libpcap (tshark is never used), tshark (all messages come from it; transport errors, DNS and connections
    still come from our own reader) or auto: tshark, if installed, is used in addition for what our reader cannot read:
    TLS with keys in the file or in the key log `keylog`, WebSocket, SCTP, captures of an unknown link type.  tshark
    reads the files a second time: a pipe must have been resolved with `reread`; otherwise only our reader reads it.

    `bpf` is a filter on packets as captured; nothing later than `until` (seconds since the epoch) is read; `progress`
    is called with the number of stored bytes as they are read.  `health` has one entry for each file, in the order
    given, and is complete once the stream has ended.  Iterate once.

    Raises InputError for an invalid filter or key log, for an engine that is not installed or cannot read a capture,
    and, while reading, for a pipe that carries no capture.
    """

    def __init__(
        self, files: Sequence[CaptureFile], *, engine: str = AUTO, bpf: str | None = None, keylog: str | None = None,
        until: float | None = None, progress: Callable[[int], None] | None = None, sip_ports: Collection[int] = (),
    ) -> None:
        self.health = [CaptureHealth(file.path) for file in files]
        self.prefilter = Prefilter()
        self._files = files
        self._engine = engine
        self._keylog = keylog
        self._until = until
        self._progress = progress or (lambda _: None)
        self._sip_ports = sip_ports
        self._open = 0   # captures being read at present; the files of a ring buffer are read one after the other
        self._pauses = Pauses()
        link_types = {link_type for file in files for link_type in file.link_types}
        self._bpf = None if bpf is None else BpfFilter(bpf, link_types or {linktypes.ETHERNET})
        self._strange = [file for file in files if file.link_types and not any(map(_known, file.link_types))]
        self._check_engine()

    def _check_engine(self) -> None:
        installed = tshark_available() is not None
        if self._engine == TSHARK and not installed:
            raise InputError("the tshark engine needs tshark, which is not installed", fix=INSTALL_HINT)
        if self._keylog is not None:
            check_keylog(self._keylog)
            if self._engine == LIBPCAP:
                raise InputError("a TLS key log needs tshark", fix="leave out --engine libpcap")
            if not installed:
                raise InputError("a TLS key log needs tshark, which is not installed", fix=INSTALL_HINT)
        if self._strange and (self._engine == LIBPCAP or not installed):
            file = self._strange[0]
            names = ", ".join(map(linktypes.name, file.link_types))
            fix = "leave out --engine libpcap" if installed else INSTALL_HINT
            raise InputError(f"has packets of link type {names}, which only tshark can read", fix=fix, file=file.path)

    def __iter__(self) -> Iterator[Item]:
        return chain.from_iterable(self._items(self._own()))

    def _items(self, own: Iterator[tuple[int, list[Item]]]) -> Iterator[Iterable[Item]]:
        """Yields items in groups: one generator step per item would cost as much as everything else in this file."""
        everything = chain.from_iterable(items for _, items in own)
        if self._engine == TSHARK:
            yield self._with_tshark((item for item in everything if not isinstance(item, Datagram)), None)
        elif self._engine == LIBPCAP or tshark_available() is None:
            yield everything
        elif self._strange:
            yield self._with_tshark(everything, None)
        elif self._keylog is not None or any(file.secrets for file in self._files):
            yield self._with_tshark(everything, BEYOND_US)
        elif any(file.first is None for file in self._files):  # a pipe that cannot be read again
            yield everything
        else:
            yield from self._with_tshark_when_needed(own)

    def _own(self) -> Iterator[tuple[int, list[Item]]]:
        """The items that our own reader finds, part by part, each part with the index of its capture."""
        decoder = Decoder(self.health)
        decoder.streams.sip_ports.update(self._sip_ports)
        shared = SharedPackets(self.health)
        for capture, run in in_order(self._sources()):
            if len(self._files) > 1:
                shared.read(capture, run, alone=self._open == 1)
            for begin in range(0, len(run), PART):
                yield capture, decoder.run(run.part(begin, begin + PART), capture)
        shared.finish()
        yield 0, decoder.finish()

    def _sources(self) -> Iterator[Source[Run]]:
        for index, file in enumerate(self._files):
            first = -inf if file.first is None else file.first
            if self._until is None or first <= self._until:
                yield Source(index, first, partial(self._runs, index))

    def _runs(self, index: int) -> Iterator[Run]:
        health = self.health[index]
        if self._open:
            self._pauses = Pauses()
        intake = Intake(health, self.prefilter, self._bpf, self._until, self._pauses)
        self._open += 1
        yield from in_time(intake, intake.runs(batches(self._files[index], health, self._progress)))
        self._open -= 1

    def _with_tshark_when_needed(self, own: Iterator[tuple[int, list[Item]]]) -> Iterator[Iterable[Item]]:
        """Starts tshark only at the first packets that need it: it could not contribute any message before them."""
        for capture, items in own:
            if _WITHOUT_KEYS & self.health[capture].undecoded.keys():
                yield self._with_tshark(chain(items, chain.from_iterable(items for _, items in own)), BEYOND_US)
                return
            yield items
        if any(_WITHOUT_KEYS & health.undecoded.keys() for health in self.health):
            yield self._with_tshark(iter(()), BEYOND_US)

    def _with_tshark(self, own: Iterator[Item], only: frozenset[str] | None) -> Iterator[Item]:
        """Our items merged with tshark's messages; what tshark has read is removed from the `undecoded` counts."""
        messages = tshark_stream(
            self._files, self.health, keylog=self._keylog, only=only, until=self._until, bpf=self._bpf
        )
        yield from beside.merge(own, messages, self.health)
        for health in self.health:
            if not any(kind.startswith("tshark-") for kind in health.undecoded):  # it ended well
                for kind in _WITHOUT_KEYS:
                    health.undecoded.pop(kind, None)


def _known(link_type: int) -> bool:
    return isinstance(by_link_type(link_type, b""), Inner)
