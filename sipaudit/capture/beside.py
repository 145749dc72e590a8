"""Merges tshark's messages with what our own engine reads from the same capture."""

from __future__ import annotations

from collections import Counter, deque
from collections.abc import Iterable, Iterator, Sequence

from sipaudit.capture.disorder import LATE
from sipaudit.capture.health import CaptureHealth
from sipaudit.sip.datagram import Connection, ConnectionKind, Datagram, Flow, Item

LOOK_AHEAD = 5.0  # seconds after a connection's first encrypted record: a message within them proves the keys
AHEAD_KEPT = 20_000  # messages read ahead, at most


def merge(
    own: Iterable[Item], extra: Iterator[Datagram], health: Sequence[CaptureHealth] = ()
) -> Iterator[Item]:
    """One stream in the order of the captures. Items within LATE of each other in one capture are ordered by time and
    then by frame, as packets a little out of order were sorted; others in one capture by frame; items of different
    captures by time. Our own item comes first where they are equal.

    Two things are left out: a second copy of a message that both engines read, and our item saying that a connection is
    encrypted if tshark delivers messages of it. If it does for every encrypted connection of a capture, the encrypted
    TLS records are removed from that capture's `health`.
    """
    ahead = _Ahead(extra)
    read = _Read()
    decrypted, unreadable = set[int](), set[int]()
    for item in own:
        while (message := ahead.peek()) is not None and _before(message, item):
            ahead.drop()
            if not read.has(message):
                yield message
        if isinstance(item, Datagram):
            read.add(item)
        elif isinstance(item, Connection) and item.kind is ConnectionKind.ENCRYPTED:
            if ahead.reads(item):
                decrypted.add(item.capture)
                continue
            unreadable.add(item.capture)
        yield item
    while (message := ahead.peek()) is not None:
        ahead.drop()
        if not read.has(message):
            yield message
    for index in decrypted - unreadable:
        if index < len(health):
            health[index].encrypted.pop("tls", None)


class _Read:
    """The payloads that our own engine read in the latest frame of each capture."""

    def __init__(self) -> None:
        self._payloads: dict[int, tuple[int, set[bytes]]] = {}

    def add(self, message: Datagram) -> None:
        frame, payloads = self._payloads.get(message.capture, (0, set()))
        if frame == message.frame:
            payloads.add(message.payload)
        else:
            self._payloads[message.capture] = message.frame, {message.payload}

    def has(self, message: Datagram) -> bool:
        frame, payloads = self._payloads.get(message.capture, (0, set()))
        return frame == message.frame and message.payload in payloads


def _before(message: Datagram, item: Item) -> bool:
    if message.capture != item.capture:
        return message.time < item.time
    if abs(message.time - item.time) > LATE:    # the clock may have been set back
        return message.frame < item.frame
    return (message.time, message.frame) < (item.time, item.frame)


class _Ahead:
    """A stream of messages that can be read up to LOOK_AHEAD seconds ahead."""

    def __init__(self, messages: Iterator[Datagram]) -> None:
        self._messages = messages
        self._queue: deque[Datagram] = deque()
        self._conversations: Counter[frozenset[str]] = Counter()

    def peek(self) -> Datagram | None:
        return self._queue[0] if self._queue or self._fetch() else None

    def drop(self) -> None:
        key = _ends(self._queue.popleft().flow)
        self._conversations[key] -= 1
        if not self._conversations[key]:
            del self._conversations[key]

    def reads(self, connection: Connection) -> bool:
        """Whether a message between these two ends comes within LOOK_AHEAD."""
        key, end = _ends(connection.flow), connection.time + LOOK_AHEAD
        while not self._conversations[key]:
            if len(self._queue) >= AHEAD_KEPT or (self._queue and self._queue[-1].time > end) or not self._fetch():
                return False
        return True

    def _fetch(self) -> bool:
        message = next(self._messages, None)
        if message is None:
            return False
        self._queue.append(message)
        self._conversations[_ends(message.flow)] += 1
        return True


def _ends(flow: Flow) -> frozenset[str]:
    return frozenset((flow.source, flow.destination))
