"""Media: the SDP of a call, and RTP in bulk."""

from __future__ import annotations

import struct
from functools import lru_cache

from sipaudit.capture.write import ethernet_frame, udp_packet
from sipaudit.simulate.clock import Clock, Steps
from sipaudit.simulate.message import Endpoint
from sipaudit.simulate.wire.tap import SERVER_MAC, Tap

FRAME = 0.02      # seconds of sound in a packet (G.711, 160 bytes)
CHUNK = 25        # packets in each direction that are made at once: half a second
PHONE_PORT, SERVER_PORT = 20_002, 16_384


@lru_cache(maxsize=4096)
def sdp(place: Endpoint, direction: str = "sendrecv") -> str:
    """An offer or answer of one audio stream."""
    version, port = ("IP6" if ":" in place[0] else "IP4"), PHONE_PORT
    return (f"v=0\r\no=- 1 1 IN {version} {place[0]}\r\ns=-\r\nc=IN {version} {place[0]}\r\nt=0 0\r\n"
            f"m=audio {port} RTP/AVP 0\r\na={direction}\r\n")


class Stream:
    """RTP in both directions between two addresses until it is stopped; passed to the tap in chunks."""

    def __init__(self, clock: Clock, tap: Tap, phone: Endpoint, server: Endpoint, mac: str, number: int) -> None:
        self._clock = clock
        self._tap = tap
        self._number = number
        self._heads = (
            self._head((phone[0], PHONE_PORT), (server[0], SERVER_PORT + 2 * (number % 8000)), mac, SERVER_MAC),
            self._head((server[0], SERVER_PORT + 2 * (number % 8000)), (phone[0], PHONE_PORT), SERVER_MAC, mac),
        )
        self.running = True

    @staticmethod
    def _head(source: Endpoint, destination: Endpoint, source_mac: str, destination_mac: str) -> bytes:
        """The frame up to the first two bytes of RTP; over IPv4 without UDP checksum, as RFC 768 allows."""
        packet = bytearray(udp_packet(source, destination, bytes(172)))
        head = 40 if ":" in source[0] else 20
        if head == 20:
            packet[head + 6 : head + 8] = b"\0\0"
        frame = ethernet_frame(bytes(packet), source_mac=source_mac, destination_mac=destination_mac)
        return frame[: len(frame) - 172] + b"\x80\0"

    def play(self) -> Steps[None]:
        """Pass the packets of the call to the tap, at most half a second ahead."""
        see, pack = self._tap.see_frame, struct.Struct("!HII").pack
        sequence, source, sound = 0, self._number, bytes(160)
        out, back = self._heads
        while self.running:
            now = self._clock.now
            for step in range(CHUNK):
                time = now + step * FRAME
                rest = pack(sequence & 0xFFFF, sequence * 160 & 0xFFFFFFFF, source) + sound
                see(time, out + rest, True)
                see(time + 0.01, back + rest, False)
                sequence += 1
            yield CHUNK * FRAME
