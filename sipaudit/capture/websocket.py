"""SIP over WebSocket (RFC 7118), recognised and counted; its frames are left to tshark."""

from __future__ import annotations

import re

HEAD_LIMIT = 8 * 1024

_SIP_PROTOCOL = re.compile(rb"\nSec-WebSocket-Protocol[ \t]*:[^\r\n]{0,256}\bsip\b", re.IGNORECASE).search
_SWITCHING = re.compile(rb"HTTP/1\.1 101\b").match
_TEXT, _BINARY = 1, 2


def head_length(data: bytes | bytearray) -> int:
    """Length of an HTTP head, including its empty line; 0 while it is incomplete."""
    return data.find(b"\r\n\r\n") + 4 if b"\r\n\r\n" in data else 0


def asks_for_sip(head: bytes | bytearray) -> bool:
    """Whether an HTTP request asks for the `sip` subprotocol (RFC 7118 4.1)."""
    return head.startswith(b"GET ") and _SIP_PROTOCOL(head) is not None


class Frames:
    """Counts the messages of one direction after the HTTP head; a frame missing in the capture ends the counting."""

    __slots__ = ("_header", "_left", "_lost", "_opened")

    def __init__(self) -> None:
        self._header = bytearray()
        self._left = 0
        self._opened = False
        self._lost = False

    def feed(self, data: bytes) -> int:
        """Read the next bytes of the stream; returns how many text or binary messages begin in them."""
        if not self._opened:
            data = self._open(data)
        count = at = 0
        while at < len(data) and not self._lost:
            if self._left:
                step = min(self._left, len(data) - at)
                self._left -= step
                at += step
                continue
            self._header.append(data[at])
            at += 1
            count += self._enter()
        return count

    def lost(self, count: int) -> None:
        """The next `count` bytes are not in the capture."""
        self._left -= count
        if self._left < 0 or not self._opened or self._header:
            self._lost = True

    def _open(self, data: bytes) -> bytes:
        """Skip the HTTP head, which may come in parts; returns the bytes behind it."""
        head = self._header
        head += data
        length = head_length(head)
        if length:
            self._opened = True
            self._lost = head.startswith(b"HTTP/") and not _SWITCHING(head)
        elif len(head) > HEAD_LIMIT:
            self._lost = True
        else:
            return b""
        rest = bytes(head[length:])
        head.clear()
        return rest

    def _enter(self) -> int:
        """If the frame header is complete (RFC 6455 5.2), start its payload; returns 1 if a message begins with it."""
        header = self._header
        if len(header) < 2:
            return 0
        short = header[1] & 0x7F
        size = 2 + {126: 2, 127: 8}.get(short, 0)
        whole = size + (4 if header[1] & 0x80 else 0)
        if len(header) < whole:
            return 0
        self._left = int.from_bytes(header[2:size], "big") if size > 2 else short
        begins = header[0] & 0x0F in (_TEXT, _BINARY)
        header.clear()
        return int(begins)
