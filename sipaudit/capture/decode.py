"""From one captured packet to what it says about SIP.

`Decoder.decode` is two roads to the same place.  The short one is flat, for what nearly every SIP packet is (IPv4
without options, whole, UDP, on Ethernet or Linux cooked, at most two VLAN tags); it decides nothing that the other
would decide differently, and hands over whenever it is not sure.  The long one peels header after header.
"""

from __future__ import annotations

from collections.abc import Sequence
from struct import Struct as Layout

from sipaudit.capture.fragments import Fragments
from sipaudit.capture.health import CaptureHealth
from sipaudit.capture.ip import UDP, Fragment, IpPacket, behind_extensions, parse_ip
from sipaudit.capture.layers import NESTING, Stop, descend
from sipaudit.capture.link import by_link_type
from sipaudit.capture.linktypes import ETHERNET, LINUX_SLL
from sipaudit.capture.packet import Packet
from sipaudit.capture.transports import Origin, Result, Transports
from sipaudit.capture.tunnel import tunnelled
from sipaudit.sip.datagram import Datagram, Item
from sipaudit.sip.framing import looks_like_sip

TUNNELS = 8  # tunnels inside one another; an ERSPAN mirror of VXLAN with GRE in it has three
ADVANCE = 0.5  # seconds of capture time between two looks at the deadlines of streams

# EtherType, version, IHL and TOS; total length; fragment, TTL and protocol; UDP length
_IP4_UDP = Layout(">IHxxIxx8xxxxxH")
_SHORT_ROADS = {ETHERNET: 14, LINUX_SLL: 16}  # link types of the short road, and where their payload begins
_SHORTEST = 16 + 2 * 4 + 28  # the longest link header of the short road, IPv4 and UDP
# Most messages begin so; `looks_like_sip` says yes to each, and would take a third of the short road to say it
_USUAL_STARTS = (b"SIP/2.0 ", b"REGISTER sip:", b"INVITE sip:", b"SUBSCRIBE sip:", b"NOTIFY sip:", b"OPTIONS sip:")
_VLAN = frozenset((b"\x81\x00", b"\x88\xa8", b"\x91\x00"))
_IP = (b"\x08\x00", b"\x86\xdd")
_COOKED_ETHERNET = b"\x00\x01\x00\x06"  # ARPHRD_ETHER with a 6 byte address


class Decoder:
    """Turns packets into items, and counts in `health[capture]` whatever gives none.

    Packets come in the order in which they are to be understood; `capture` says which capture each is from.
    `streams` knows which TCP connections only tshark can read.
    """

    def __init__(self, health: Sequence[CaptureHealth]) -> None:
        self._health = health
        self._fragments = Fragments(health)
        self._transports = Transports(health)
        self._flows = self._transports.flows
        self._duplicates = self._transports.duplicates
        self.streams = self._transports.streams
        self._since = self._until = 0.0  # the capture time in which no deadline of a stream is looked at

    def decode(self, packet: Packet, capture: int) -> Item | list[Item] | None:
        """What one packet completes: nothing, one message, or several items."""
        time, frame, link_type, data, _ = packet
        if not self._since <= time < self._until and (due := self._advance(time)):
            return due + _listed(self.decode(packet, capture))
        at = _SHORT_ROADS.get(link_type, 0)
        if not at or len(data) < _SHORTEST:
            return self._counted(capture, self._layered(packet, capture))
        if data[at - 2] != 8:
            at = _behind_tags(data, at)
        kind, total, carried, length = _IP4_UDP.unpack_from(data, at - 2)
        end = at + total
        if kind & 0xFFFFFF00 != 0x08004500 or carried & 0x3FFF00FF != UDP or length != total - 20 or end > len(data):
            return self._counted(capture, self._untagged(packet, capture, at))
        payload = data[at + 28 : end]
        if not (payload.startswith(_USUAL_STARTS) or looks_like_sip(payload)) or (
            link_type == LINUX_SLL and data[2:6] != _COOKED_ETHERNET
        ):
            return self._counted(capture, self._untagged(packet, capture, at))
        if self._duplicates.seen(time, data[at:end]):
            self._health[capture].duplicates += 1
            return None
        flow = self._flows.young.get(data[at + 12 : at + 24] + data[6:12]) or self._flows.get(
            "udp", data[at + 12 : at + 20], data[at + 20 : at + 24], data[6:12]
        )
        return Datagram(time, capture, frame, flow, payload)

    def finish(self) -> list[Item]:
        """The captures have ended: what streams still hold; incomplete fragments are counted."""
        self._fragments.finish()
        return self.streams.finish()

    def _advance(self, time: float) -> list[Item]:
        self._since, self._until = time - ADVANCE, time + ADVANCE
        return self.streams.advance(time)

    def _counted(self, capture: int, result: Result) -> Item | list[Item] | None:
        """What a road led to; a packet that it led nowhere is counted."""
        if not isinstance(result, Stop):
            return result
        result.count(self._health[capture])
        return None

    def _untagged(self, packet: Packet, capture: int, at: int) -> Result:
        """The long road from where the short one left it: the link header and its tags end at `at`."""
        time, frame, link_type, data, wire_length = packet
        if data[at - 2 : at] not in _IP or (link_type == LINUX_SLL and data[2:6] != _COOKED_ETHERNET):
            return self._layered(packet, capture)
        missing = wire_length > len(data)
        return self._network(Origin(time, capture, frame, (), data[6:12]), parse_ip(data[at:], missing), missing)

    def _layered(self, packet: Packet, capture: int) -> Result:
        """The long road from its beginning: link headers, one after the other."""
        time, frame, link_type, data, wire_length = packet
        below = descend(by_link_type(link_type, data))
        if isinstance(below, Stop):
            return below
        missing = wire_length > len(data)
        return self._network(Origin(time, capture, frame, (), below.mac), parse_ip(below.data, missing), missing)

    def _network(self, origin: Origin, ip: IpPacket | Stop, missing: bool) -> Result:
        """From an IP packet through what it tunnels to a transport. `missing`: the snap length cut the frame."""
        for _ in range(TUNNELS + 1):
            if isinstance(ip, Stop):
                return ip
            if ip.fragment is not None:
                whole = self._defragmented(origin, ip, ip.fragment)
                if whole is None or isinstance(whole, Stop):
                    return whole
                ip, frames = whole
                origin = Origin(origin.time, origin.capture, origin.frame, frames, origin.mac)
            inner = tunnelled(ip)
            if inner is None:
                return self._transports.read(origin, ip)
            below = descend(inner)
            if isinstance(below, Stop):
                return below
            origin = Origin(origin.time, origin.capture, origin.frame, origin.frames, below.mac)
            ip = parse_ip(below.data, missing)
        return NESTING

    def _defragmented(
        self, origin: Origin, ip: IpPacket, fragment: Fragment
    ) -> tuple[IpPacket, tuple[int, ...]] | Stop | None:
        """The datagram that this fragment completes, with its frames; a fragment mirrored twice counts once."""
        if self._transports.repeated(origin, ip.datagram):
            return None
        frames = origin.frames or (origin.frame,)
        whole = self._fragments.add(origin.time, origin.capture, frames, ip, fragment)
        if whole is None:
            return None
        packet = behind_extensions(whole[0])
        if isinstance(packet, Stop):
            return packet
        return Stop("fragment-nested") if packet.fragment else (packet, whole[1])


def _behind_tags(data: bytes, at: int) -> int:
    """Where what two VLAN tags at the most carry begins."""
    for _ in range(2):
        if data[at - 2 : at] in _VLAN:
            at += 4
    return at


def _listed(items: Item | list[Item] | None) -> list[Item]:
    return items if isinstance(items, list) else [] if items is None else [items]
