"""From one captured packet to what it says about SIP.

`Decoder.decode` is two roads to the same place.  The short one is flat, for what nearly every SIP packet is (IPv4
without options, whole, UDP, on Ethernet or Linux cooked, at most two VLAN tags); it decides nothing that the other
would decide differently, and hands over whenever it is not sure.  The long one peels header after header.
"""

from __future__ import annotations

from collections.abc import Sequence
from struct import Struct as Layout

from msgspec import Struct

from ..sip.datagram import Datagram, Flow, Item
from ..sip.framing import looks_like_sip
from .content import DNS_PORT, SIP_PORT, is_keepalive, udp_stop
from .dns import parse_dns
from .duplicates import Duplicates
from .flows import Flows, host
from .fragments import Fragments
from .health import CaptureHealth
from .hep import SIP, HepPacket, parse_hep
from .icmp import transport_error
from .ip import ICMP, ICMP6, TCP, UDP, Fragment, IpPacket, behind_extensions, parse_ip, protocol_stop
from .layers import NESTING, TRUNCATED, Stop, Tally, descend
from .link import by_link_type
from .linktypes import ETHERNET, LINUX_SLL
from .packet import Packet
from .tcp import Streams
from .tunnel import tunnelled

TUNNELS = 8  # tunnels inside one another; an ERSPAN mirror of VXLAN with GRE in it has three
ADVANCE = 0.5  # seconds of capture time between two looks at the deadlines of streams
HEP_CLOCK = 86_400.0  # seconds by which an agent's clock may be off before we trust the capture's

Result = Item | list[Item] | Stop | None

# EtherType, version, IHL and TOS; total length; fragment, TTL and protocol; UDP length
_IP4_UDP = Layout(">IHxxIxx8xxxxxH")
_SHORT_ROADS = {ETHERNET: 14, LINUX_SLL: 16}  # link types of the short road, and where their payload begins
_SHORTEST = 16 + 2 * 4 + 28  # the longest link header of the short road, IPv4 and UDP
# Most messages begin so; `looks_like_sip` says yes to each, and would take a third of the short road to say it
_USUAL_STARTS = (b"SIP/2.0 ", b"REGISTER sip:", b"INVITE sip:", b"SUBSCRIBE sip:", b"NOTIFY sip:", b"OPTIONS sip:")
_VLAN = frozenset((b"\x81\x00", b"\x88\xa8", b"\x91\x00"))
_IP = (b"\x08\x00", b"\x86\xdd")
_RST = 0x04
_COOKED_ETHERNET = b"\x00\x01\x00\x06"  # ARPHRD_ETHER with a 6 byte address


class _Origin(Struct, frozen=True, gc=False):
    """Where the packet being decoded was captured. `frames` are all its packets when fragments made it."""

    time: float
    capture: int
    frame: int
    frames: tuple[int, ...] = ()
    mac: bytes = b""


class _Udp(Struct, frozen=True, gc=False):
    """A UDP payload with its packed addresses and ports; `datagram` is its IP packet, empty if reassembled."""

    addresses: bytes
    ports: bytes
    payload: bytes
    cut: bool
    datagram: bytes


class Decoder:
    """Turns packets into items, and counts in `health[capture]` whatever gives none.

    Packets come in the order in which they are to be understood; `capture` says which capture each is from.
    `streams` knows which TCP connections only tshark can read.
    """

    def __init__(self, health: Sequence[CaptureHealth]) -> None:
        self._health = health
        self._flows = Flows()
        self._duplicates = Duplicates()
        self._fragments = Fragments(health)
        self.streams = Streams(health)
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
        flow = self._flows.udp4.get(data[at + 12 : at + 24] + data[6:12]) or self._flows.get(
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
        return self._network(_Origin(time, capture, frame, (), data[6:12]), parse_ip(data[at:], missing), missing)

    def _layered(self, packet: Packet, capture: int) -> Result:
        """The long road from its beginning: link headers, one after the other."""
        time, frame, link_type, data, wire_length = packet
        below = descend(by_link_type(link_type, data))
        if isinstance(below, Stop):
            return below
        missing = wire_length > len(data)
        return self._network(_Origin(time, capture, frame, (), below.mac), parse_ip(below.data, missing), missing)

    def _network(self, origin: _Origin, ip: IpPacket | Stop, missing: bool) -> Result:
        """From an IP packet through what it tunnels to a transport. `missing`: the snap length cut the frame."""
        for _ in range(TUNNELS + 1):
            if isinstance(ip, Stop):
                return ip
            if ip.fragment is not None:
                whole = self._defragmented(origin, ip, ip.fragment)
                if whole is None or isinstance(whole, Stop):
                    return whole
                ip, frames = whole
                origin = _Origin(origin.time, origin.capture, origin.frame, frames, origin.mac)
            inner = tunnelled(ip)
            if inner is None:
                return self._transport(origin, ip)
            below = descend(inner)
            if isinstance(below, Stop):
                return below
            origin = _Origin(origin.time, origin.capture, origin.frame, origin.frames, below.mac)
            ip = parse_ip(below.data, missing)
        return NESTING

    def _defragmented(
        self, origin: _Origin, ip: IpPacket, fragment: Fragment
    ) -> tuple[IpPacket, tuple[int, ...]] | Stop | None:
        """The datagram that this fragment completes, with its frames; a fragment mirrored twice counts once."""
        if self._repeated(origin, ip.datagram):
            return None
        frames = origin.frames or (origin.frame,)
        whole = self._fragments.add(origin.time, origin.capture, frames, ip, fragment)
        if whole is None:
            return None
        packet = behind_extensions(whole[0])
        if isinstance(packet, Stop):
            return packet
        return Stop("fragment-nested") if packet.fragment else (packet, whole[1])

    def _transport(self, origin: _Origin, ip: IpPacket) -> Result:
        if ip.protocol == UDP:
            udp = _udp(ip)
            return udp if isinstance(udp, Stop) else self._udp(origin, udp)
        if ip.protocol == TCP:
            return self._tcp(origin, ip)
        if ip.protocol in (ICMP, ICMP6):
            return self._icmp(origin, ip)
        return protocol_stop(ip.protocol)

    def _udp(self, origin: _Origin, udp: _Udp) -> Result:
        payload = udp.payload
        if looks_like_sip(payload):
            return self._sip(origin, udp)
        if hep := parse_hep(payload):
            if hep.version == 3 or looks_like_sip(hep.payload):  # the older ones have no mark to know them by
                return self._hep(origin, udp, hep)
        elif payload[:4] == b"HEP3":
            return Stop("hep")
        source_port, destination_port = int.from_bytes(udp.ports[:2], "big"), int.from_bytes(udp.ports[2:], "big")
        if DNS_PORT in (source_port, destination_port):
            return self._dns(origin, udp, source_port)
        if SIP_PORT in (source_port, destination_port) and not is_keepalive(payload):
            return self._sip(origin, udp)  # damaged beyond recognition: the parser counts it as malformed
        return udp_stop(source_port, destination_port, payload)

    def _sip(self, origin: _Origin, udp: _Udp) -> Datagram | None:
        if self._repeated(origin, udp.datagram):
            return None
        flow = self._flows.get("udp", udp.addresses, udp.ports, origin.mac)
        return self._datagram(origin, origin.time, flow, udp.payload, udp.cut)

    def _datagram(self, origin: _Origin, time: float, flow: Flow, payload: bytes, cut: bool) -> Datagram:
        if cut:
            self._health[origin.capture].snaplen_cut += 1
        return Datagram(time, origin.capture, origin.frame, flow, payload, origin.frames, cut)

    def _hep(self, origin: _Origin, udp: _Udp, hep: HepPacket) -> Result:
        """A message with the addresses that the agent saw.

        Its time is the agent's: that is when the message passed, while the HEP packet may have been queued.  An
        agent whose clock is more than a day off says nothing, then it is the packet's own time.  Messages come out
        in the order of their packets, so times of several agents may step back by their delays.
        """
        if hep.type != SIP:
            return Stop(f"hep-type-{hep.type}", Tally.CONTENT)
        if hep.transport is None:
            return Stop(f"hep-proto-{hep.protocol}")
        if is_keepalive(hep.payload):
            return Stop("keepalive", Tally.CONTENT)
        if self._repeated(origin, udp.datagram):
            return None
        time = hep.time if hep.time is not None and abs(hep.time - origin.time) <= HEP_CLOCK else origin.time
        flow = self._flows.get(hep.transport, hep.addresses, hep.ports)
        return self._datagram(origin, time, flow, hep.payload, hep.cut or udp.cut)

    def _dns(self, origin: _Origin, udp: _Udp, source_port: int) -> Item | None:
        if self._repeated(origin, udp.datagram):
            return None
        self._health[origin.capture].content["dns"] += 1
        half = len(udp.addresses) // 2
        return parse_dns(
            udp.payload, time=origin.time, capture=origin.capture, frame=origin.frame,
            source_host=host(udp.addresses[:half]), destination_host=host(udp.addresses[half:]),
            source_port=source_port,
        )

    def _tcp(self, origin: _Origin, ip: IpPacket) -> Result:
        header = ip.payload
        if len(header) < 20 or len(header) < (header[12] >> 4) * 4:
            return TRUNCATED
        if header[12] < 0x50:
            return Stop("tcp-header")
        # Hosts send RSTs without an identification (RFC 6864 4.1): two are alike without a mirror, and do no harm.
        if not header[13] & _RST and self._repeated(origin, ip.datagram):
            return None
        self._health[origin.capture].content["tcp"] += 1
        flow = self._flows.get("tcp", ip.source + ip.destination, header[:4], origin.mac)
        return self.streams.segment(
            origin.time, origin.capture, origin.frame, flow,
            int.from_bytes(header[4:8], "big"), int.from_bytes(header[8:12], "big"), header[13],
            header[(header[12] >> 4) * 4 :], ip.cut,
        )

    def _icmp(self, origin: _Origin, ip: IpPacket) -> Result:
        if self._repeated(origin, ip.datagram):
            return None
        error = transport_error(ip, origin.time, origin.capture, origin.frame, self._flows)
        return error or Stop("icmp", Tally.CONTENT)

    def _repeated(self, origin: _Origin, datagram: bytes) -> bool:
        """Whether a mirror showed this IP packet before; what fragments made was asked when they came."""
        if not datagram or not self._duplicates.seen(origin.time, datagram):
            return False
        self._health[origin.capture].duplicates += 1
        return True


def _behind_tags(data: bytes, at: int) -> int:
    """Where what two VLAN tags at the most carry begins."""
    for _ in range(2):
        if data[at - 2 : at] in _VLAN:
            at += 4
    return at


def _udp(ip: IpPacket) -> _Udp | Stop:
    """The UDP payload of an IP packet; a length that the packet cannot hold is none that a host would deliver."""
    data = ip.payload
    if len(data) < 8:
        return TRUNCATED
    length = int.from_bytes(data[4:6], "big") or len(data)  # 0: a jumbogram (RFC 2675 4)
    if length < 8 or (length > len(data) and not ip.cut):
        return Stop("udp-length")
    return _Udp(ip.source + ip.destination, data[:4], data[8:length], ip.cut and length > len(data), ip.datagram)


def _listed(items: Item | list[Item] | None) -> list[Item]:
    return items if isinstance(items, list) else [] if items is None else [items]
