"""The tshark engine: SIP that needs Wireshark's dissectors (TLS, WebSocket, SCTP), parsed by our own parser.

tshark exports messages as bytes, decrypted and reassembled.  We feed it through a pipe with the packets that our own
intake lets through, so that it spends no time on RTP, the user's filter applies, and it can process any file that we
can read; its packet numbers are translated back to those of the file.  Everything else in a capture (ICMP, DNS, the
state of TCP connections) is left to our own engine.
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
"""Transports that our own decoder leaves to tshark."""

_READ = 1 << 16  # bytes read at a time from the pipe, and from the start of a key log
_KEYLOG_LINE = re.compile(rb"^(?:[A-Z][A-Z0-9_]+ [0-9a-fA-F]{2,} [0-9a-fA-F]{2,}|RSA Session-ID:)", re.MULTILINE)


def tshark_available() -> str | None:
    """The path of the tshark program; None if it is not installed."""
    return shutil.which("tshark")


def check_keylog(path: str) -> None:
    """Raise InputError unless the file holds TLS secrets: tshark would decrypt nothing, without an error."""
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
    """`tshark_items` of several captures, in the same order as the items of `Captures`; with one process at a time if
    captures follow each other. A UDP message captured twice, by a mirror port or in two captures, comes once."""

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
    """Whether a UDP message comes from a packet captured twice (counted by our own engine). tshark's export has no IP
    headers, so the messages are compared: nobody retransmits within 20 ms (RFC 3261 17.1.1.2)."""
    if item.flow.transport != "udp":
        return False
    return copies.repeated(hash(item.payload), (item.time, item.payload, item.flow.source, item.flow.destination))


class _Message(NamedTuple):
    """A message as a run of one, for `in_order`."""

    times: tuple[float]
    item: Datagram

    def part(self, _begin: int, _end: int) -> _Message:
        """The message itself: it has no parts."""
        return self


def tshark_items(
    file: CaptureFile, *, capture: int, health: CaptureHealth, keylog: str | None = None,
    only: frozenset[str] | None = None, until: float | None = None, bpf: BpfFilter | None = None,
) -> Iterator[Datagram]:
    """The SIP messages that tshark finds in a capture, in file order.

    `keylog` names a TLS key log (secrets inside a pcapng are used in any case), `only` the transports wanted (udp, tcp,
    tls, ws, wss, sctp; None: all); packets later than `until` (seconds since the epoch), or excluded by `bpf`, are not
    read.

    Raises InputError for an invalid key log, and the errors of `engine` for a file that cannot be read.  If tshark
    fails, that is counted in `health`, and the messages it gave before are kept.
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
    """tshark's command line: packets from stdin, exported PDUs to stdout.

    SIP is tried on every TLS port, after HTTP, which has heuristics of its own. WebSocket may be used on a port that
    tshark assigns to SIP, so heuristics come first on TCP too.

    With segments out of order, as from mirror ports, the rest of a TLS connection is lost unless tshark reorders them;
    if a segment is lost, reordering loses the rest of a plain TCP connection instead (both observed with 4.0).
    So reordering is off if plain TCP is to be read and no key log is given.
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
    """tshark's output, in pieces; the process ends with this generator.

    The user's Wireshark settings are not used, so that a capture is read the same way everywhere.
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
