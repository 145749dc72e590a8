"""How a phone's messages travel: in datagrams, or in segments of one TCP connection that stays open."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from sipaudit.capture.write import TCP_ACK, TCP_PSH, TCP_SYN, ethernet_frame, tcp_packet
from tests.frames import udp_frame

SBC = ("10.0.0.1", 5060)
MSS, SMALL_MSS = 1460, 536   # bytes in a segment; on small links a REGISTER with credentials needs two
SMALL_LINKS = 10             # one phone in ten is behind a small link
LATER = 0.0001               # seconds between the segments of a message

Packet = tuple[float, bytes]
"""Seconds since the epoch, and an Ethernet frame."""


class Udp:
    """Each message is a datagram; nothing is opened or acknowledged."""

    name, parameter = "UDP", ""

    def __init__(self, host: str, mac: str) -> None:
        self._address, self._mac = (host, 5060), mac

    def opened(self, _time: float) -> Iterable[Packet]:
        return ()

    def settled(self, _time: float) -> Iterable[Packet]:
        return ()

    def sent(self, time: float, message: bytes) -> Iterable[Packet]:
        return ((time, udp_frame(self._address, SBC, message, source_mac=self._mac)),)

    def received(self, time: float, message: bytes) -> Iterable[Packet]:
        return ((time, udp_frame(SBC, self._address, message, destination_mac=self._mac)),)


class Tcp:
    """One connection: opened before the first message, never closed. A message is one or more segments; if no message
    follows that acknowledges it, a segment without data does (`settled`)."""

    name, parameter = "TCP", ";transport=tcp"

    def __init__(self, host: str, mac: str, number: int) -> None:
        self._address, self._mac = (host, 49_152 + number % 16_000), mac
        self._most = SMALL_MSS if number % SMALL_LINKS == 0 else MSS
        self._next = [1_000_003 * number & 0xFFFFFFFF, 2_000_003 * number & 0xFFFFFFFF]  # sequence: the phone's, ours
        self._open = False

    def opened(self, time: float) -> Iterator[Packet]:
        """SYN, SYN-ACK, ACK, before the first message only."""
        if self._open:
            return
        self._open = True
        for step, (ours, flags) in enumerate(((True, TCP_SYN), (False, TCP_SYN | TCP_ACK), (True, TCP_ACK))):
            yield self._segment(ours, time + step * 0.001, b"", flags)

    def settled(self, time: float) -> Iterator[Packet]:
        yield self._segment(True, time + 0.040, b"", TCP_ACK)

    def sent(self, time: float, message: bytes) -> Iterator[Packet]:
        return self._message(True, time, message)

    def received(self, time: float, message: bytes) -> Iterator[Packet]:
        return self._message(False, time, message)

    def _message(self, ours: bool, time: float, message: bytes) -> Iterator[Packet]:
        for begin in range(0, len(message), self._most):
            yield self._segment(ours, time, message[begin : begin + self._most], TCP_PSH | TCP_ACK)
            time += LATER

    def _segment(self, ours: bool, time: float, data: bytes, flags: int) -> Packet:
        """One segment, from the phone (`ours`) or from the server."""
        ends = (self._address, SBC) if ours else (SBC, self._address)
        acknowledged = self._next[ours] if flags & TCP_ACK else 0
        packet = tcp_packet(*ends, data, sequence=self._next[not ours], acknowledgement=acknowledged, flags=flags)
        self._next[not ours] += len(data) + (1 if flags & TCP_SYN else 0)
        if ours:
            return time, ethernet_frame(packet, source_mac=self._mac)
        return time, ethernet_frame(packet, destination_mac=self._mac)
