"""Where SIP messages begin and end: recognition by content, and the splitting of byte streams into messages.

A datagram is one message and needs only `looks_like_sip`.  On a stream the
Content-Length tells where a message ends (RFC 3261 18.3); `Framer` follows it, and
searches for the next start line when the length is missing, wrong, or not captured.
"""

from __future__ import annotations

import re

MESSAGE_LIMIT = 256 * 1024   # bytes of a message, of its head, and of its first line: longer ones are not taken for SIP
HEAD_LIMIT = 64 * 1024
LINE_LIMIT = 8 * 1024

_TOKEN = rb"[A-Za-z0-9\-.!%*_+`'~]"  # RFC 3261 25.1
_METHODS = rb"INVITE|ACK|BYE|CANCEL|REGISTER|OPTIONS|PRACK|SUBSCRIBE|NOTIFY|PUBLISH|INFO|REFER|MESSAGE|UPDATE"
_CERTAIN = rb"(?:" + _METHODS + rb") (?:sips?|tel):"  # needs no line end: the snap length may have taken it
_CERTAIN_LINE = rb"SIP/\d\.\d |" + _CERTAIN
_ANY_LINE = _TOKEN + rb"{1,64} [^\r\n]{1,8192} SIP/\d+\.\d+[ \t]*(?:\r?\n|\Z)"

_START = re.compile(rb"[\r\n\0 \t]{0,64}(?:" + _CERTAIN_LINE + rb"|" + _ANY_LINE + rb")").match
_PLAIN_STARTS = (b"SIP/2.0 ", b"REGISTER sip:")  # most messages begin so, and `startswith` is faster
_CERTAIN_START = re.compile(_CERTAIN_LINE).match
_FIRST_LINE = re.compile(_CERTAIN_LINE + rb"|" + _ANY_LINE).match
# After a gap the next bytes may be the middle of a line.  There only unambiguous start lines count, and a line that
# begins with an unknown method must not contain a known one further on.
_NEXT_START = re.compile(
    rb"SIP/2\.0 [1-6]\d\d |" + _CERTAIN + rb"[^\r\n]{1,512} SIP/2\.0[ \t]*\r?\n"
    rb"|^(?=" + _TOKEN + rb"{1,64} )(?![^\r\n]{1,8192}?" + _CERTAIN + rb")[^\r\n]{1,8192} SIP/\d+\.\d+[ \t]*\r?\n",
    re.MULTILINE,
)
_EMPTY_LINE = re.compile(rb"\n(?:\n\r\n|\r?\n)").search
# Whichever comes first: the Content-Length as nearly all write it (perhaps followed by the end of the head, or by the
# end of the message), or the end of the head.
_PLAIN_LENGTH_OR_END = re.compile(
    rb"\n(?:Content-Length: (?:0\r\n\r\n\Z()|(\d{1,10})\r(\n\r\n)?)?|\n\r\n|\r\n|\n)"
).search
_ALL = 1  # the group that matches at the end of the message
_DIGITS = re.compile(rb"(\d{1,10})\r").match
_PLAIN_LENGTH = b"\nContent-Length: "
_LENGTH = re.compile(  # with white space and folding (RFC 3261 7.3.1), or in compact form (7.3.3)
    rb"\n(?:content-length|l)[ \t]*:[ \t]*(?:\r?\n[ \t]+)?(\d{1,10})[ \t]*[\r\n]", re.IGNORECASE
).search


def looks_like_sip(payload: bytes | bytearray) -> bool:
    """Whether the payload begins with a SIP start line, of a known or unknown method (RFC 3261 7.1, 7.2).

    Up to 64 bytes of line ends, blanks and NULs may precede it.
    """
    return payload.startswith(_PLAIN_STARTS) or _START(payload) is not None


def surely_sip(beginning: bytes) -> bool:
    """Whether `looks_like_sip` is true of any payload that begins with these bytes."""
    return _CERTAIN_START(beginning) is not None


def is_one_message(data: bytes, *, synced: bool) -> bool:
    """Whether the next bytes of a stream with nothing buffered are exactly one message; `synced`: a message is known to
    begin there."""
    if not (data.startswith(_PLAIN_STARTS) or _FIRST_LINE(data) if synced else _NEXT_START.match(data)):
        return False
    plain = _PLAIN_LENGTH_OR_END(data)
    if not plain:
        return False
    if plain.lastindex == _ALL:
        return len(data) <= MESSAGE_LIMIT
    known = plain[2]
    found = plain if plain[3] else _EMPTY_LINE(data, plain.end() - 1 if known else 0)
    if not found:
        return False
    length = int(known) if known else _body_length(data, found.end())
    return found.end() + length == len(data) <= MESSAGE_LIMIT


def begins_message(data: bytes, *, synced: bool) -> bool:
    """Whether the next bytes of a stream with nothing buffered are the first part of one message; if so, the next bytes
    can be appended and the whole passed to `is_one_message`."""
    if len(data) > LINE_LIMIT or data[-1] in b"\r\n" or not (_FIRST_LINE if synced else _NEXT_START.match)(data):
        return False
    end = _head_end(data, 0)
    return end < 0 or end + _body_length(data, end) > len(data)


class Framer:
    """Splits one direction of a byte stream into SIP messages.

    `begin` is the stream offset of its first byte, `synced` whether a message begins there.
    `spans` holds the stream offsets `(begin, end)` of the messages that the last call returned; lost bytes count in
    offsets.  `skipped` counts bytes that belong to no message, except empty lines between messages (keepalives,
    RFC 5626 3.5.1).  Work is linear in the bytes fed, and the buffer never holds more than MESSAGE_LIMIT bytes and a
    line.
    """

    __slots__ = ("_buffer", "_head_found", "_need", "_rest", "_scanned", "_synced", "begin", "skipped", "spans")

    def __init__(self, begin: int = 0, *, synced: bool = True) -> None:
        self.spans: list[tuple[int, int]] = []
        self.skipped = 0
        self.begin = begin          # stream offset of the first byte in the buffer
        self._synced = synced       # the next message begins at the front, or after empty lines
        self._buffer = bytearray()
        self._head_found = False    # the buffer begins with a start line
        self._need = 0              # length of the message at the front, 0 when not yet known
        self._scanned = 0           # offset up to which the buffer was searched without success
        self._rest = 0              # bytes of an abandoned message that are still to come

    @property
    def pending(self) -> int:
        """The number of buffered bytes, whose message is not complete yet."""
        return len(self._buffer)

    def feed(self, data: bytes) -> list[bytes]:
        """Take the next bytes of the stream and return the messages that they complete."""
        if self.passes(data):
            self.spans = [(self.begin - len(data), self.begin)]
            return [data]
        self.spans = []
        messages: list[bytes] = []
        buffer = self._buffer
        buffer += data
        if self._rest:
            self._pass_over_rest()
        while self._need or self._measure():
            need = self._need
            if len(buffer) < need:
                break
            messages.append(bytes(buffer[:need]))
            self.spans.append((self.begin, self.begin + need))
            self._drop(need)
        return messages

    def passes(self, data: bytes) -> bool:
        """Whether the next bytes of the stream are exactly one message and nothing is buffered: the usual case, which
        needs no copies. If so, they count as taken and are that message; otherwise the caller must still `feed` them.
        """
        if self._buffer or self._rest or not is_one_message(data, synced=self._synced):
            return False
        self.begin += len(data)
        self._synced = True
        return True

    def lost(self, count: int) -> None:
        """Note that the next `count` bytes are missing from the capture: a message that they touch is abandoned."""
        self._give_up()
        self.begin += count
        self._rest = max(self._rest - count, 0)

    def cut(self) -> bytes | None:
        """Note that the snap length removed the bytes that follow; return a buffered beginning of a message."""
        begun = bytes(self._buffer) if self._head_found or looks_like_sip(self._buffer) else None
        self.spans = [] if begun is None else [(self.begin, self.begin + len(begun))]
        self._give_up()
        return begun

    def _give_up(self) -> None:
        """Drop the unfinished message; if its length is known, its remaining bytes will be skipped."""
        if self._need:
            self._rest = self._need - len(self._buffer)
        self._synced = False
        self._drop(len(self._buffer))

    def _pass_over_rest(self) -> None:
        count = min(self._rest, len(self._buffer))
        self._rest -= count
        self._drop(count)

    def _measure(self) -> bool:
        """Find the length of the message at the front; False when more bytes are needed."""
        if not self._head_found and not self._seek():
            return False
        buffer = self._buffer
        end = _head_end(buffer, self._scanned)
        if end < 0:
            self._scanned = max(len(buffer) - 2, 0)
            if len(buffer) > HEAD_LIMIT:
                self._skip(len(buffer))
            return False
        length = _body_length(buffer, end)
        self._synced = length >= 0
        self._need = end + max(length, 0)  # without a length it ends with its head, and the next start line is sought
        return True

    def _seek(self) -> bool:
        """Drop everything before the next start line; False when more bytes are needed to find one."""
        buffer = self._buffer
        if buffer and buffer[0] in b"\r\n":
            self._drop(len(buffer) - len(buffer.lstrip(b"\r\n")))
        if buffer.find(b"\n", self._scanned) < 0:
            self._wait_for_line()
            return False
        if not (self._synced and _FIRST_LINE(buffer)) and not self._resynchronise():
            return False
        self._head_found = self._synced = True
        self._scanned = 0
        return True

    def _wait_for_line(self) -> None:
        if len(self._buffer) > LINE_LIMIT:
            self._skip(len(self._buffer))
        self._scanned = len(self._buffer)

    def _resynchronise(self) -> bool:
        """Skip to the next start line; without one, to the last line, which may turn out to be one once complete."""
        found = _NEXT_START.search(self._buffer)
        self._skip(found.start() if found else self._buffer.rfind(b"\n") + 1)
        if not found:
            self._wait_for_line()
        return found is not None

    def _skip(self, count: int) -> None:
        """Skip bytes that belong to no message; whether a message begins after them is not known."""
        self.skipped += count
        self._synced = False
        self._drop(count)

    def _drop(self, count: int) -> None:
        """Drop the first `count` bytes, and reset all state about the message at the front."""
        del self._buffer[:count]
        self.begin += count
        self._head_found = False
        self._need = 0
        self._scanned = 0


def _head_end(buffer: bytes | bytearray, begin: int) -> int:
    """Offset after the empty line that ends the head, searched from `begin`; -1 when there is none."""
    found = _EMPTY_LINE(buffer, begin)
    return found.end() if found else -1


def _body_length(buffer: bytes | bytearray, head: int) -> int:
    """The Content-Length; -1 when it is missing, unreadable, or makes the message longer than MESSAGE_LIMIT."""
    at = buffer.find(_PLAIN_LENGTH, 0, head)
    found = _DIGITS(buffer, at + len(_PLAIN_LENGTH), head) if at >= 0 else None
    found = found or _LENGTH(buffer, 0, head)
    return int(found[1]) if found and head + int(found[1]) <= MESSAGE_LIMIT else -1
