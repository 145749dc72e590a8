"""The tshark engine: SIP that needs Wireshark's dissectors (TLS, WebSocket, SCTP), read by our own parser.

tshark exports messages as bytes, decrypted and reassembled.  It is fed through a pipe with the packets that our own
intake lets through, so that RTP costs it nothing, the user's filter holds, and any file that we can read will do; its
numbers of packets are translated back to those of the file.  Everything else of a capture (ICMP, DNS, the story of
the TCP connections) stays with our engine.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from collections.abc import Iterator, Sequence
from functools import partial
from io import BufferedReader
from math import inf
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO, NamedTuple, cast

from sipaudit.capture.bpf import BpfFilter
from sipaudit.capture.disorder import in_time
from sipaudit.capture.duplicates import Duplicates
from sipaudit.capture.engine import batches
from sipaudit.capture.files import CaptureFile
from sipaudit.capture.health import CaptureHealth
from sipaudit.capture.intake import Intake
from sipaudit.capture.merging import Source, in_order
from sipaudit.capture.pcapng import PcapngRecords
from sipaudit.capture.prefilter import Prefilter
from sipaudit.errors import InputError, unreadable
from sipaudit.sip.datagram import Datagram

if TYPE_CHECKING:
    from sipaudit.capture.exported import ExportedSip
    from sipaudit.capture.feed import Feed

INSTALL_HINT = "install tshark (Debian, Ubuntu: apt install tshark; Fedora: dnf install wireshark-cli)"
BEYOND_US = frozenset(("tls", "ws", "wss", "sctp"))
"""The transports that our own engine leaves to tshark."""

_READ = 1 << 16  # bytes asked of the pipe, and of a key log, at a time
_KEYLOG_LINE = re.compile(rb"^(?:[A-Z][A-Z0-9_]+ [0-9a-fA-F]{2,} [0-9a-fA-F]{2,}|RSA Session-ID:)", re.MULTILINE)


def tshark_available() -> str | None:
    """The path of the tshark program, None when it is not installed."""
    return shutil.which("tshark")


def check_keylog(path: str) -> None:
    """Raise InputError unless the file holds TLS secrets; tshark would say nothing and decrypt nothing."""
    fix = "name the file that SSLKEYLOGFILE made (lines like CLIENT_RANDOM ...)"
    try:
        with Path(path).open("rb") as stream:
            start = stream.read(_READ)
    except OSError as error:
        raise unreadable(error, path, fix, "the TLS key log") from error
    if not _KEYLOG_LINE.search(start):
        raise InputError("this is not a TLS key log", fix=fix, file=path)


def tshark_stream(
    files: Sequence[CaptureFile], health: Sequence[CaptureHealth], *, keylog: str | None = None,
    only: frozenset[str] | None = None, until: float | None = None, bpf: BpfFilter | None = None,
) -> Iterator[Datagram]:
    """`tshark_items` of several captures, in the order in which `Captures` gives theirs; one process at a time where
    captures follow each other. What a mirror port shows twice, or two captures do, comes once."""

    def timed(index: int) -> Iterator[_Message]:
        items = tshark_items(
            files[index], capture=index, health=health[index], keylog=keylog, only=only, until=until, bpf=bpf
        )
        return (_Message((item.time,), item) for item in items)

    sources = (
        Source(index, -inf if file.first is None else file.first, partial(timed, index))
        for index, file in enumerate(files)
        if until is None or file.first is None or file.first <= until
    )
    copies = Duplicates()
    return (message.item for _, message in in_order(sources) if not _is_copy(message.item, copies))


def _is_copy(item: Datagram, copies: Duplicates) -> bool:
    """Whether a message by UDP is that of a packet captured twice, which our own engine counts. Of IP headers tshark's
    export has nothing left; but nobody sends again within 20 ms (RFC 3261 17.1.1.2)."""
    if item.flow.transport != "udp":
        return False
    return copies.repeated(hash(item.payload), (item.time, item.payload, item.flow.source, item.flow.destination))


class _Message(NamedTuple):
    """A message as captures are put in order: a run of one."""

    times: tuple[float]
    item: Datagram

    def part(self, _begin: int, _end: int) -> _Message:
        """There is only the whole."""
        return self


def tshark_items(
    file: CaptureFile, *, capture: int, health: CaptureHealth, keylog: str | None = None,
    only: frozenset[str] | None = None, until: float | None = None, bpf: BpfFilter | None = None,
) -> Iterator[Datagram]:
    """The SIP messages that tshark finds in a capture, in the file's order.

    `keylog` names a TLS key log (secrets inside a pcapng are used without it), `only` the transports wanted (udp, tcp,
    tls, ws, wss, sctp; None: all); nothing later than `until` (seconds since the epoch) and nothing that `bpf` keeps
    out is read.

    Raises InputError for a key log that is none, and what the engine raises for a file that cannot be read.  When
    tshark does not end well, that is counted in `health`, and what it gave before is kept.
    """
    from sipaudit.capture.exported import ExportedSip  # deferred: few captures need tshark
    from sipaudit.capture.feed import Feed, secrets_of

    if keylog is not None:
        check_keylog(keylog)
    unnoted = CaptureHealth(file.path)  # our own engine counts the packets
    intake = Intake(unnoted, Prefilter(), bpf, until)
    runs = in_time(intake, intake.runs(batches(file, unnoted, lambda _: None)))
    feed = Feed(runs, secrets_of(file), without_udp=only is not None and "udp" not in only)
    exported = ExportedSip(capture, health, only, feed.frames)
    return _items(command(keylog, only), feed, exported, health)


def command(keylog: str | None, only: frozenset[str] | None) -> list[str]:
    """The command line: packets from stdin, exported PDUs to stdout.

    SIP is tried on every TLS port, behind HTTP, which has heuristics of its own; and WebSocket may come on a port
    that tshark knows as SIP's, so heuristics go first on TCP too.

    Reordered segments, as mirror ports make them, cost a TLS connection its remainder unless they are put in order;
    where a segment is lost, putting in order costs a plain TCP connection its remainder instead (both seen with 4.0).
    So it is left off when plain TCP is to be read and no keys are at hand.
    """
    words = [tshark_available() or "tshark", "-n", "-r", "-"]
    words += ["-d", "tls.port==1-65535,sip", "-o", "tcp.try_heuristic_first:TRUE"]
    if keylog is not None:
        words += ["-o", f"tls.keylog_file:{keylog}"]
    if keylog is not None or (only is not None and "tcp" not in only):
        words += ["-o", "tcp.reassemble_out_of_order:TRUE"]
    return [*words, "-U", "OSI layer 7", "-w", "-"]


def _items(words: list[str], feed: Feed, exported: ExportedSip, health: CaptureHealth) -> Iterator[Datagram]:
    records = PcapngRecords(CaptureHealth("tshark"))
    for data in _output(words, feed, health):
        for batch in records.feed(data):
            for packet in batch.packets():
                yield from exported.datagrams(packet)
    if records.damaged:
        health.undecoded["tshark-output"] += 1


def _output(words: list[str], feed: Feed, health: CaptureHealth) -> Iterator[bytes]:
    """What tshark writes, in pieces; the process is gone when this generator is.

    The settings of whoever runs us are kept out, so that a capture reads the same everywhere.
    """
    from tempfile import TemporaryDirectory

    with TemporaryDirectory(prefix="sipaudit-") as settings:
        process = subprocess.Popen(
            words, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, bufsize=_READ,
            env={**os.environ, "WIRESHARK_CONFIG_DIR": settings},
        )
        output = cast(BufferedReader, process.stdout)
        feed.start(cast(BinaryIO, process.stdin))
        try:
            while data := output.read1(_READ):
                yield data
            if process.wait():
                health.undecoded[f"tshark-ended-with-{process.returncode}"] += 1
        finally:
            process.kill()
            output.close()
            process.wait()
            feed.end()
