"""The tap: the point of capture, between phones and everything else, and what it does to the packets it sees."""

from __future__ import annotations

import random
import struct

from sipaudit.capture.write import checksum, ethernet_frame, ip_packet, udp_packet
from sipaudit.simulate.plan.values import Tap as TapPlan
from sipaudit.simulate.wire.sink import Sink

OUTER = (("192.0.2.1", "192.0.2.2"), ("192.0.2.2", "192.0.2.1"))  # ends of the tunnel, seen from the phones and back
VXLAN_PORT = 4789
SERVER_MAC = "020000000001"
_GRE_KINDS = {4: 0x0800, 6: 0x86DD}


class Tap:
    """Takes IP packets with time and direction; drops, duplicates and encapsulates them as the plan says."""

    def __init__(self, plan: TapPlan, sink: Sink, seed: int) -> None:
        self._plan = plan
        self._sink = sink
        self._chance = random.Random(f"tap {seed}")
        self._identification = 0
        self._plain = not (plan.loss or plan.start or plan.doubles or plan.vlans or plan.mtu
                           or plan.sees != "both" or plan.tunnel != "none")

    def see(self, time: float, packet: bytes, from_phone: bool, mac: str) -> None:
        """Take an IP packet that passes at `time`; `mac` is the phone's."""
        ends = (mac, SERVER_MAC) if from_phone else (SERVER_MAC, mac)
        if self._plain:
            self._sink.add(time, ethernet_frame(packet, source_mac=ends[0], destination_mac=ends[1]))
            return
        plan, chance = self._plan, self._chance.random
        blind = (plan.sees == "from-phones" and not from_phone) or (plan.sees == "to-phones" and from_phone)
        if time < plan.start or blind:
            return
        for piece in self._fragments(packet):
            if plan.loss and chance() < plan.loss:
                continue
            self._add(time, piece, from_phone, ends)
            if plan.doubles and chance() < plan.doubles:
                self._add(time + 0.0001 + 0.004 * chance(), _routed(piece), from_phone, ends)

    def see_frame(self, time: float, frame: bytes, from_phone: bool) -> None:
        """Take a frame that was made beforehand (media in bulk)."""
        if self._plain:
            self._sink.add(time, frame)
        else:
            mac = frame[6:12] if from_phone else frame[:6]
            self.see(time, frame[14:], from_phone, mac.hex())

    def _add(self, time: float, packet: bytes, from_phone: bool, ends: tuple[str, str]) -> None:
        outer = self._tunnelled(packet, from_phone)
        frame = ethernet_frame(outer, source_mac=ends[0], destination_mac=ends[1], vlans=self._plan.vlans)
        self._sink.add(time, frame)

    def _tunnelled(self, packet: bytes, from_phone: bool) -> bytes:
        kind = self._plan.tunnel
        if kind == "none":
            return packet
        self._identification = (self._identification + 1) & 0xFFFF
        source, destination = OUTER[0] if from_phone else OUTER[1]
        if kind == "vxlan":
            payload = struct.pack("!II", 0x0800_0000, 42 << 8) + ethernet_frame(packet)
            return udp_packet((source, 49_152), (destination, VXLAN_PORT), payload,
                              identification=self._identification)
        version = packet[0] >> 4
        if kind == "gre":
            payload, protocol = struct.pack("!HH", 0, _GRE_KINDS[version]) + packet, 47
        else:
            payload, protocol = packet, {4: 4, 6: 41}[version]
        return ip_packet(source, destination, protocol, payload, identification=self._identification)

    def _fragments(self, packet: bytes) -> list[bytes]:
        """The packet in pieces that fit the MTU (RFC 791; IPv6 packets stay whole)."""
        most = self._plan.mtu
        if most is None or len(packet) <= most or packet[0] != 0x45:
            return [packet]
        size = (most - 20) // 8 * 8
        data = packet[20:]
        pieces = []
        for offset in range(0, len(data), size):
            more = 0x2000 if offset + size < len(data) else 0
            pieces.append(_with_head(packet, struct.pack("!H", more | offset // 8), data[offset : offset + size]))
        return pieces


def _with_head(packet: bytes, fragment: bytes, data: bytes) -> bytes:
    head = packet[:2] + struct.pack("!H", 20 + len(data)) + packet[4:6] + fragment + packet[8:10] + b"\0\0"
    head += packet[12:20]
    return head[:10] + struct.pack("!H", checksum(head)) + head[12:] + data


def _routed(packet: bytes) -> bytes:
    """The packet as it leaves the next router: TTL or hop limit reduced by one."""
    if packet[0] >> 4 == 6:
        return packet[:7] + bytes([packet[7] - 1]) + packet[8:]
    head = packet[:8] + bytes([packet[8] - 1]) + packet[9:10] + b"\0\0" + packet[12:20]
    return head[:10] + struct.pack("!H", checksum(head)) + head[12:] + packet[20:]
