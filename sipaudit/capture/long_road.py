"""The long road: decodes any packet whose headers we know, peeling them one after the other."""

from __future__ import annotations

from collections.abc import Sequence

from sipaudit.capture.bounds import CaptureBounds
from sipaudit.capture.fragments import Fragments
from sipaudit.capture.health import CaptureHealth
from sipaudit.capture.ip import Fragment, IpPacket, behind_extensions, parse_ip
from sipaudit.capture.layers import NESTING, Stop, descend
from sipaudit.capture.link import by_link_type
from sipaudit.capture.neighbours import Neighbours
from sipaudit.capture.packet import Packet
from sipaudit.capture.transports import Origin, Result, Transports
from sipaudit.capture.tunnel import TUNNELS, tunnelled
from sipaudit.sip.datagram import Item


class LongRoad:
    """Decodes packets from link headers through tunnels and fragments to a transport; counts those that stop before."""

    def __init__(self, health: Sequence[CaptureHealth], transports: Transports, bounds: CaptureBounds) -> None:
        self._health = health
        self._transports = transports
        self.fragments = Fragments(health, bounds)
        self._neighbours = Neighbours()

    def items(self, packet: Packet, capture: int) -> list[Item]:
        """The items that one packet completes."""
        return self._counted(self._layered(packet, capture), packet, capture)

    def items_of_ip(self, packet: Packet, capture: int, at: int, mac: bytes, tags: bytes) -> list[Item]:
        """The same if the link headers are already parsed: the sender's MAC, the VLAN tags, and the offset `at` of the
        IP packet."""
        return self._counted(self._ip(packet, capture, packet[3][at:], mac, tags), packet, capture)

    def finish(self) -> None:
        """To be called when the captures have ended: counts incomplete fragments."""
        self.fragments.finish()

    def _counted(self, result: Result, packet: Packet, capture: int) -> list[Item]:
        if isinstance(result, Stop):
            result.count(self._health[capture])
            asked = result.solicitation
            return [] if asked is None else self._neighbours.take(asked, packet[0], capture, packet[1])
        return result if isinstance(result, list) else [] if result is None else [result]

    def _layered(self, packet: Packet, capture: int) -> Result:
        below = descend(by_link_type(packet[2], packet[3]))
        return below if isinstance(below, Stop) else self._ip(packet, capture, below.data, below.mac, below.tags)

    def _ip(self, packet: Packet, capture: int, data: bytes, mac: bytes, tags: bytes) -> Result:
        time, frame, _, captured, wire_length = packet
        missing = wire_length > len(captured)
        return self._network(Origin(time, capture, frame, (), mac, tags), parse_ip(data, missing), missing)

    def _network(self, origin: Origin, ip: IpPacket | Stop, missing: bool) -> Result:
        """Decode an IP packet, through tunnels, down to a transport. `missing`: the snap length cut the frame."""
        for _ in range(TUNNELS + 1):
            if isinstance(ip, Stop):
                return ip
            if ip.fragment is not None:
                whole = self._defragmented(origin, ip, ip.fragment)
                if whole is None or isinstance(whole, Stop):
                    return whole
                ip, frames = whole
                origin = Origin(origin.time, origin.capture, origin.frame, frames, origin.mac, origin.tags)
            inner = tunnelled(ip)
            if inner is None:
                return self._transports.read(origin, ip)
            below = descend(inner)
            if isinstance(below, Stop):
                return below
            origin = Origin(origin.time, origin.capture, origin.frame, origin.frames, below.mac, below.tags)
            ip = parse_ip(below.data, missing)
        return NESTING

    def _defragmented(
        self, origin: Origin, ip: IpPacket, fragment: Fragment
    ) -> tuple[IpPacket, tuple[int, ...]] | Stop | None:
        """The datagram that this fragment completes, with its frames; a fragment captured twice counts once."""
        if self._transports.repeated(origin, ip.datagram):
            return None
        frames = origin.frames or (origin.frame,)
        whole = self.fragments.add(origin.time, origin.capture, frames, ip, fragment)
        if whole is None:
            return None
        packet = behind_extensions(whole[0])
        if isinstance(packet, Stop):
            return packet
        return Stop("fragment-nested") if packet.fragment else (packet, whole[1])
