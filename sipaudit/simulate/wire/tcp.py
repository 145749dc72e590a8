"""TCP connections between a phone and a server, and TLS records inside them, as far as a tap sees them."""

from __future__ import annotations

import random
from collections.abc import Callable
from typing import TYPE_CHECKING, NamedTuple, Protocol

from sipaudit.capture.write import TCP_ACK, TCP_FIN, TCP_PSH, TCP_RST, TCP_SYN, tcp_packet
from sipaudit.simulate.message import Endpoint, Message, render
from sipaudit.simulate.wire.tls import ALERT, Session, record

if TYPE_CHECKING:
    from sipaudit.simulate.network import Network

MSS = 1400
RTO = 0.4          # seconds before a segment is sent again, doubled each time (RFC 6298, rounded)
MOST_SENDINGS = 7


class Peer(Protocol):
    """An end of a connection."""

    def hears(self) -> bool:
        """Whether this end accepts anything that arrives."""

    def refuses(self) -> str:
        """`reset` if this end refuses connections, `alert` if it refuses the TLS handshake, else empty."""

    def receive(self, message: Message, source: Endpoint, packet: bytes, /) -> None:
        """Take a message that arrived."""


class Segment(NamedTuple):
    """A segment sent by the phone (side 0) or the server (1); `arrived` is called when the other end accepts it."""

    side: int
    flags: int
    payload: bytes
    sequence: int
    arrived: Callable[[], None] | None


class Connection:
    """One connection, opened by the phone with its first message. `broken` is called when the server resets it, or
    refuses the TLS handshake."""

    def __init__(self, network: Network, phone: Endpoint, server: Endpoint, peers: tuple[Peer, Peer],
                 broken: Callable[[], None], tls: bool) -> None:
        self._network = network
        self._places = (phone, server)
        self._peers = peers
        self._broken = broken
        self._tls = Session(random.Random(f"{phone}{server}"), network.keys) if tls else None
        self._next = [1_000, 5_000]  # sequence numbers of phone and server
        self._queue: list[Message] = []
        self._open = False
        self.closed = False
        self._segment(0, TCP_SYN, b"", self._syn_arrived)

    # -- actions of the ends

    def send(self, message: Message, side: int) -> None:
        """Send a message from the phone (0) or the server (1); before the connection is open, the phone's is queued and
        the server's is dropped."""
        if self.closed:
            return
        if not self._open:
            if side == 0:
                self._queue.append(message)
            return
        payload = render(message) if self._tls is None else self._tls.sealed(side, render(message))
        pieces = [payload[start : start + MSS] for start in range(0, len(payload), MSS)]
        for piece in pieces[:-1]:
            self._segment(side, TCP_ACK, piece, None)
        self._segment(side, TCP_ACK | TCP_PSH, pieces[-1], lambda: self._deliver(message, side))

    def close(self) -> None:
        """Close the connection from the phone's side."""
        if not self.closed:
            self._packet(0, TCP_FIN | TCP_ACK, b"", self._next[0])
            self.closed = True
            self._network.forget(*self._places)

    # -- segments

    def _segment(self, side: int, flags: int, payload: bytes, arrived: Callable[[], None] | None) -> None:
        sequence = self._next[side]
        self._next[side] += len(payload) + (1 if flags & TCP_SYN else 0)
        self._try(Segment(side, flags, payload, sequence, arrived), 0)

    def _try(self, segment: Segment, times: int) -> None:
        """Send a segment, and retransmit it until the other end accepts it."""
        if self.closed or (segment.side == 1 and not self._peers[1].hears()):
            return
        arrival = self._packet(segment.side, segment.flags, segment.payload, segment.sequence)
        if arrival is not None:
            self._network.clock.at(arrival, self._arrive, segment, times)
        else:
            self._try_later(segment, times)

    def _try_later(self, segment: Segment, times: int) -> None:
        if times < MOST_SENDINGS:
            self._network.clock.after(RTO * 2**times, self._try, segment, times + 1)

    def _arrive(self, segment: Segment, times: int) -> None:
        if self.closed:
            return
        side = segment.side
        other = self._peers[1 - side]
        if not other.hears():
            self._try_later(segment, times)
        elif side == 0 and other.refuses() == "reset":
            self._reset()
        else:
            if segment.payload:
                self._packet(1 - side, TCP_ACK, b"", self._next[1 - side])
            if segment.arrived is not None:
                segment.arrived()

    def _packet(self, side: int, flags: int, payload: bytes, sequence: int) -> float | None:
        source, destination = self._places[side], self._places[1 - side]
        acknowledgement = 0 if flags == TCP_SYN else self._next[1 - side]
        packet = tcp_packet(source, destination, payload, sequence=sequence, acknowledgement=acknowledgement,
                            flags=flags, identification=self._network.identification(source[0]))
        return self._network.carry(source, destination, packet)

    def _reset(self) -> None:
        arrival = self._packet(1, TCP_RST | TCP_ACK, b"", 0 if not self._open else self._next[1])
        self.closed = True
        self._network.forget(*self._places)
        if arrival is not None:
            self._network.clock.at(arrival, self._broken)

    # -- opening

    def _syn_arrived(self) -> None:
        self._segment(1, TCP_SYN | TCP_ACK, b"", self._established)

    def _established(self) -> None:
        if self._open:
            return
        self._packet(0, TCP_ACK, b"", self._next[0])
        if self._tls is None:
            self._begin()
        else:
            self._segment(0, TCP_ACK | TCP_PSH, self._tls.client_hello(), self._hello_arrived)

    def _hello_arrived(self) -> None:
        assert self._tls is not None
        if self._peers[1].refuses() == "alert":
            self._segment(1, TCP_ACK | TCP_PSH, record(ALERT, b"\x02\x28"), self._alerted)
            return
        self._segment(1, TCP_ACK | TCP_PSH, self._tls.server_hello(), self._keys_agreed)

    def _alerted(self) -> None:
        self.close()
        self._broken()

    def _keys_agreed(self) -> None:
        assert self._tls is not None
        self._segment(0, TCP_ACK | TCP_PSH, self._tls.key_exchange(), self._phone_finished)

    def _phone_finished(self) -> None:
        assert self._tls is not None
        self._segment(1, TCP_ACK | TCP_PSH, self._tls.finished(1), self._begin)

    def _begin(self) -> None:
        self._open = True
        for message in self._queue:
            self.send(message, 0)
        self._queue.clear()

    def _deliver(self, message: Message, side: int) -> None:
        self._peers[1 - side].receive(message, self._places[side], b"")
