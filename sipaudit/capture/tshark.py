"""The tshark engine: SIP that needs Wireshark's dissectors (TLS, WebSocket, SCTP), read by our own parser.

`tshark -U "OSI layer 7" -w -` exports decrypted and reassembled messages as bytes, with the original times,
addresses and frame numbers; everything else of a capture (ICMP, DNS, TCP's own story) stays with our engine.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import IO

from ..errors import InputError
from ..sip.datagram import Datagram
from .exported import ExportedSip
from .health import CaptureHealth
from .pcapng import PcapngRecords

INSTALL_HINT = "install tshark (Debian, Ubuntu: apt install tshark; Fedora: dnf install wireshark-cli)"

_READ = 1 << 16  # bytes asked of the pipe, and of a key log, at a time
_ERRORS_KEPT = 4_000  # bytes of stderr
_TLS_PORTS_TRIED = 1_000  # a command line has an end, and a hostile capture may greet every port
_KEYLOG_LINE = re.compile(rb"^(?:[A-Z][A-Z0-9_]+ [0-9a-fA-F]{2,} [0-9a-fA-F]{2,}|RSA Session-ID:)", re.MULTILINE)
_USERS_DOING = re.compile(r"doesn't exist|permission to read|isn't a capture file|is a (?:directory|socket|pipe)")
_CUT_SHORT = "cut short in the middle"


def tshark_available() -> str | None:
    """The path of the tshark program, None when it is not installed."""
    return shutil.which("tshark")


def tshark_items(
    path: str, *, capture: int, health: CaptureHealth, keylog: str | None = None, tls_ports: Sequence[int] = (),
    only: frozenset[str] | None = None, until: float | None = None,
) -> Iterator[Datagram]:
    """The SIP messages that tshark finds in the file at `path`, in the file's order.

    `keylog` names a TLS key log (secrets inside a pcapng are used without it), `tls_ports` the servers' ports at
    which TLS may carry SIP (5061 is known; a port with SIP over secure WebSocket may be among them), `only` the
    transports wanted (udp, tcp, tls, ws, wss, sctp; None: all).  The first packet later than `until` (seconds since
    the epoch) ends the reading.

    Raises InputError for a key log or a capture that cannot be used.  What else goes wrong is counted in `health`,
    and what was read before is given.
    """
    if keylog is not None:
        check_keylog(keylog)
    return _items(command(path, keylog, tls_ports, only), path, ExportedSip(capture, health, only), health, until)


def check_keylog(path: str) -> None:
    """Raise InputError unless the file holds TLS secrets; tshark would say nothing and decrypt nothing."""
    fix = "name the file that SSLKEYLOGFILE made (lines like CLIENT_RANDOM ...)"
    try:
        with Path(path).open("rb") as stream:
            start = stream.read(_READ)
    except OSError as error:
        raise InputError(f"the TLS key log cannot be read: {error.strerror}", fix=fix, file=path) from error
    if not _KEYLOG_LINE.search(start):
        raise InputError("this is not a TLS key log", fix=fix, file=path)


def command(
    path: str, keylog: str | None, tls_ports: Sequence[int], only: frozenset[str] | None = None
) -> list[str]:
    """The command line; exported PDUs go to stdout.

    Heuristics first, since WebSocket may come on a port that tshark knows as SIP's.  Reordered segments, as mirror
    ports make them, cost a TLS connection its remainder unless they are put in order; where a segment is lost,
    putting in order costs a plain TCP connection its remainder instead (both measured with 4.0), so it is left off
    when plain TCP is to be read and no keys are at hand.
    """
    words = [tshark_available() or "tshark", "-n", "-r", path, "-o", "tcp.try_heuristic_first:TRUE"]
    if keylog is not None:
        words += ["-o", f"tls.keylog_file:{keylog}"]
    if keylog is not None or (only is not None and "tcp" not in only):
        words += ["-o", "tcp.reassemble_out_of_order:TRUE"]
    for port in sorted(set(tls_ports))[:_TLS_PORTS_TRIED]:
        words += ["-d", f"tls.port=={port},sip"]
    return [*words, "-U", "OSI layer 7", "-w", "-"]


def _items(
    words: list[str], path: str, exported: ExportedSip, health: CaptureHealth, until: float | None
) -> Iterator[Datagram]:
    records = PcapngRecords(CaptureHealth("tshark"))
    for data in _output(words, path, health):
        for packet in (packet for batch in records.feed(data) for packet in batch.packets()):
            if until is not None and packet[0] > until:
                return
            yield from exported.datagrams(packet)
    if records.damaged:
        health.undecoded["tshark-output"] += 1


def _output(words: list[str], path: str, health: CaptureHealth) -> Iterator[bytes]:
    """What tshark writes, in pieces; the process is gone when this generator is.

    The settings of whoever runs us are kept out, so that a capture reads the same everywhere.
    """
    with tempfile.TemporaryDirectory(prefix="sipaudit-") as settings, tempfile.TemporaryFile() as errors:
        environment = {**os.environ, "WIRESHARK_CONFIG_DIR": settings}
        process = subprocess.Popen(
            words, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=errors, env=environment, bufsize=0
        )
        assert process.stdout is not None
        try:
            while data := process.stdout.read(_READ):
                yield data
            if process.wait():
                _judge(path, process.returncode, errors, health)
        finally:
            process.kill()
            process.stdout.close()
            process.wait()


def _judge(path: str, code: int, errors: IO[bytes], health: CaptureHealth) -> None:
    """tshark did not end well: the user's doing is an error, damage in the file a note."""
    errors.seek(0)
    said = errors.read(_ERRORS_KEPT).decode("utf-8", "replace")
    if _CUT_SHORT in said:
        health.truncated = True
    elif reason := _USERS_DOING.search(said):
        raise InputError(f"tshark cannot read this capture (it says: {reason[0]})", file=path)
    else:
        health.undecoded[f"tshark-error-{code}"] += 1
