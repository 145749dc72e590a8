"""A TCP conversation told segment by segment, as the tap sees it."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from sipaudit.capture.health import CaptureHealth
from sipaudit.capture.tcp import Streams
from sipaudit.sip.datagram import Datagram, Flow, Item, flow

FIN, SYN, RST, PSH, ACK = 0x01, 0x02, 0x04, 0x08, 0x10
PHONE, SERVER, OTHER_SERVER = "10.1.0.5", "10.0.0.1", "10.0.0.2"


def message(number: int, body: bytes = b"") -> bytes:
    """A request with a Content-Length."""
    return (
        b"MESSAGE sip:1001@pbx.example.com SIP/2.0\r\nVia: SIP/2.0/TCP 10.1.0.5;branch=z9hG4bK%d\r\n" % number
        + b"Call-ID: %d\r\nContent-Length: %d\r\n\r\n" % (number, len(body)) + body
    )


def answer(number: int) -> bytes:
    """A response."""
    return b"SIP/2.0 200 OK\r\nVia: SIP/2.0/TCP 10.1.0.5;branch=z9hG4bK%d\r\nContent-Length: 0\r\n\r\n" % number


@dataclass
class Tap:
    """Feeds `Streams` and collects all items; each segment advances the frame number by 1 and the time by 1 ms."""

    streams: Streams = field(init=False)
    options: dict[str, Any] = field(default_factory=dict)
    time: float = 1_700_000_000.0
    frame: int = 0
    items: list[Item] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.health = [CaptureHealth("a.pcap"), CaptureHealth("b.pcap")]
        self.streams = Streams(self.health, **self.options)
        self.capture = 0

    def see(self, way: Flow, seq: int, ack: int, flags: int, payload: bytes = b"", *, cut: bool = False) -> list[Item]:
        """One segment passes."""
        self.frame += 1
        self.time += 0.001
        got = self.streams.segment(
            self.time, self.capture, self.frame, way, seq % 2**32, ack % 2**32, flags, payload, cut
        )
        self.items += got
        return got

    def wait(self, seconds: float) -> list[Item]:
        """Capture time passes, in steps of half a second as the decoder takes them."""
        end = self.time + seconds
        got: list[Item] = []
        while self.time < end:
            self.time = min(self.time + 0.5, end)
            got += self.streams.advance(self.time)
        self.items += got
        return got

    def finish(self) -> list[Item]:
        """The capture ends."""
        got = self.streams.finish()
        self.items += got
        return got

    def of(self, kind: type[Any]) -> list[Any]:
        """All items of a kind so far."""
        return [item for item in self.items if isinstance(item, kind)]

    def messages(self) -> list[bytes]:
        """The payloads of all messages so far."""
        return [item.payload for item in self.of(Datagram)]


def read(items: list[Item]) -> list[Datagram]:
    """The items, all of which must be messages."""
    messages = [item for item in items if isinstance(item, Datagram)]
    assert messages == items
    return messages


class Side:
    """One end of a connection, which counts its sequence numbers."""

    def __init__(self, tap: Tap, way: Flow, isn: int) -> None:
        self.tap = tap
        self.way = way
        self.next = isn
        self.peer: Side

    def sends(self, payload: bytes = b"", flags: int = PSH | ACK, *, cut: bool = False) -> list[Item]:
        """The next segment, acknowledging all that the other side sent."""
        got = self.tap.see(self.way, self.next, self.peer.next if flags & ACK else 0, flags, payload, cut=cut)
        self.next += len(payload) + bool(flags & (SYN | FIN))
        return got

    def loses(self, payload: bytes) -> None:
        """A segment that the tap misses."""
        self.next += len(payload)

    def again(self, back: int, payload: bytes) -> list[Item]:
        """A segment that begins `back` bytes before the next sequence number."""
        return self.tap.see(self.way, self.next - back, self.peer.next, PSH | ACK, payload)


def sides(
    tap: Tap, *, port: int = 5060, client_port: int = 49152, isn: int = 1000, server: str = SERVER, phone: str = PHONE
) -> tuple[Side, Side]:
    """Phone and server, not yet connected."""
    client = Side(tap, flow("tcp", phone, client_port, server, port), isn)
    host = Side(tap, flow("tcp", server, port, phone, client_port), isn + 7_000_000)
    client.peer, host.peer = host, client
    return client, host


def connected(tap: Tap, **options: Any) -> tuple[Side, Side]:
    """Phone and server behind their handshake."""
    client, host = sides(tap, **options)
    client.sends(flags=SYN)
    host.sends(flags=SYN | ACK)
    client.sends(flags=ACK)
    return client, host
