"""Turns IP packets into items by their transport: SIP over UDP, HEP, DNS, TCP segments and ICMP errors."""

from __future__ import annotations

from collections.abc import Sequence

from msgspec import Struct

from sipaudit.capture.bounds import CaptureBounds
from sipaudit.capture.content import DNS_PORT, SIP_PORT, is_keepalive, udp_stop
from sipaudit.capture.dns import parse_dns
from sipaudit.capture.duplicates import Duplicates
from sipaudit.capture.flows import Flows, host
from sipaudit.capture.health import CaptureHealth
from sipaudit.capture.hep import HepPacket, aside, parse_hep
from sipaudit.capture.icmp import transport_error
from sipaudit.capture.ip import ICMP, ICMP6, TCP, UDP, IpPacket, protocol_stop
from sipaudit.capture.layers import TRUNCATED, Stop, Tally
from sipaudit.capture.neighbours import of_discovery
from sipaudit.capture.starts import DHCP_PORTS, TFTP_PORT, read_dhcp, read_tftp
from sipaudit.capture.tcp import Streams
from sipaudit.capture.tcp_lifecycle import RST
from sipaudit.sip.datagram import Datagram, Flow, Item, Start
from sipaudit.sip.framing import looks_like_sip

HEP_BEHIND, HEP_AHEAD = 86_400.0, 5.0  # seconds: an agent's time further off is replaced by the capture's

Result = Item | list[Item] | Stop | None


class Origin(Struct, frozen=True, gc=False):
    """Where the packet being decoded was captured, with the sender's MAC and VLAN tags. `frames` are all its packets if
    it was reassembled from fragments."""

    time: float
    capture: int
    frame: int
    frames: tuple[int, ...] = ()
    mac: bytes = b""
    tags: bytes = b""

    @property
    def link(self) -> bytes:
        """The link part of the flow's key, which distinguishes flows with the same addresses (see `Flows.get`)."""
        return self.mac and self.mac + self.tags


class _Udp(Struct, frozen=True, gc=False):
    """A UDP payload with its packed addresses and ports; `datagram` is its IP packet, empty if reassembled."""

    addresses: bytes
    ports: bytes
    payload: bytes
    cut: bool
    datagram: bytes


class Transports:
    """Reads the payload of IP packets, ignoring duplicates; holds the flows and streams of all captures."""

    def __init__(self, health: Sequence[CaptureHealth], bounds: CaptureBounds) -> None:
        self._health = health
        self.flows = Flows(bounds.flows)
        self.duplicates = Duplicates(bounds.duplicates)
        self.streams = Streams(health, max_streams=bounds.streams, max_bytes=bounds.stream_bytes)

    def repeated(self, origin: Origin, datagram: bytes) -> bool:
        """Whether this IP packet is a duplicate, as from a mirror; fragments were checked before reassembly."""
        if not datagram or not self.duplicates.seen(origin.time, datagram):
            return False
        self._health[origin.capture].duplicates += 1
        return True

    def read(self, origin: Origin, ip: IpPacket) -> Result:
        """The items in a packet; a Stop if it has nothing to do with SIP, None if there are none, or not yet."""
        if ip.protocol == UDP:
            udp = _udp_payload(ip)
            return udp if isinstance(udp, Stop) else self._udp(origin, udp)
        if ip.protocol == TCP:
            return self._tcp(origin, ip)
        if ip.protocol in (ICMP, ICMP6):
            return self._icmp(origin, ip)
        return protocol_stop(ip.protocol)

    def _udp(self, origin: Origin, udp: _Udp) -> Result:
        payload = udp.payload
        if looks_like_sip(payload):
            return self._sip(origin, udp)
        if hep := parse_hep(payload):
            if hep.version == 3 or looks_like_sip(hep.payload):  # versions 1 and 2 have no magic bytes
                return self._hep(origin, udp, hep)
        elif payload[:4] == b"HEP3":
            return Stop("hep")
        source_port, destination_port = int.from_bytes(udp.ports[:2], "big"), int.from_bytes(udp.ports[2:], "big")
        if DNS_PORT in (source_port, destination_port):
            return self._dns(origin, udp, source_port)
        if SIP_PORT in (source_port, destination_port) and not is_keepalive(payload):
            return self._sip(origin, udp)  # damaged beyond recognition: the parser counts it as malformed
        return self._named(origin, udp, source_port, destination_port)

    def _named(self, origin: Origin, udp: _Udp, source_port: int, destination_port: int) -> Start | Stop | None:
        """Classify a payload by port. A client that requests or receives an address, or requests a file by TFTP, yields
        an item, and is counted as well."""
        start = None
        if destination_port in DHCP_PORTS and source_port in DHCP_PORTS:
            start = read_dhcp(udp.payload, origin.time, origin.capture, origin.frame)
        elif destination_port == TFTP_PORT:
            client = host(udp.addresses[: len(udp.addresses) // 2])
            start = read_tftp(udp.payload, origin.time, origin.capture, origin.frame, client, origin.mac.hex() or None)
        stop = udp_stop(source_port, destination_port, udp.payload)
        if start is None:
            return stop
        if self.repeated(origin, udp.datagram):
            return None
        stop.count(self._health[origin.capture])
        return start

    def _sip(self, origin: Origin, udp: _Udp) -> list[Item] | None:
        if self.repeated(origin, udp.datagram):
            return None
        flow = self.flows.get("udp", udp.addresses, udp.ports, origin.link)
        return [*self.streams.turned(flow, udp.payload, origin.time),
                self._datagram(origin, origin.time, flow, udp.payload, udp.cut)]

    def _datagram(self, origin: Origin, time: float, flow: Flow, payload: bytes, cut: bool) -> Datagram:
        if cut:
            self._health[origin.capture].snaplen_cut += 1
        return Datagram(time, origin.capture, origin.frame, flow, payload, origin.frames, cut)

    def _hep(self, origin: Origin, udp: _Udp, hep: HepPacket) -> Result:
        """A message with the addresses that the agent saw.

        Its time is the agent's, since that is when the message passed; the HEP packet may have been queued.  If the
        agent's time is more than a day behind, or ahead (nothing is shipped before it passed, and one such packet could
        advance the time for all by an hour), the packet's time is used.  Messages come in the order of their packets,
        so the times of several agents may step back by their delays.
        """
        stop = aside(hep)
        if stop is not None or hep.transport is None:
            return stop
        if self.repeated(origin, udp.datagram):
            return None
        is_late = hep.time is not None and -HEP_AHEAD <= origin.time - hep.time <= HEP_BEHIND
        time = hep.time if hep.time is not None and is_late else origin.time
        flow = self.flows.get(hep.transport, hep.addresses, hep.ports)
        self._health[origin.capture].shipped = True
        return self._datagram(origin, time, flow, hep.payload, hep.cut or udp.cut)

    def _dns(self, origin: Origin, udp: _Udp, source_port: int) -> Item | None:
        if self.repeated(origin, udp.datagram):
            return None
        self._health[origin.capture].content["dns"] += 1
        half = len(udp.addresses) // 2
        return parse_dns(
            udp.payload, time=origin.time, capture=origin.capture, frame=origin.frame,
            source_host=host(udp.addresses[:half]), destination_host=host(udp.addresses[half:]),
            source_port=source_port,
        )

    def _tcp(self, origin: Origin, ip: IpPacket) -> Result:
        header = ip.payload
        if len(header) < 20 or len(header) < (header[12] >> 4) * 4:
            return TRUNCATED
        if header[12] < 0x50:
            return Stop("tcp-header")
        # Hosts send RSTs without an IP identification (RFC 6864 4.1), so different RSTs look like duplicates; reading
        # one twice does no harm.
        if not header[13] & RST and self.repeated(origin, ip.datagram):
            return None
        self._health[origin.capture].content["tcp"] += 1
        flow = self.flows.get("tcp", ip.source + ip.destination, header[:4], origin.link)
        return self.streams.segment(
            origin.time, origin.capture, origin.frame, flow,
            int.from_bytes(header[4:8], "big"), int.from_bytes(header[8:12], "big"), header[13],
            header[(header[12] >> 4) * 4 :], ip.cut,
        )

    def _icmp(self, origin: Origin, ip: IpPacket) -> Result:
        if self.repeated(origin, ip.datagram):
            return None
        error = transport_error(ip, origin.time, origin.capture, origin.frame, self.flows)
        return error or Stop("icmp", Tally.CONTENT, of_discovery(ip, origin.mac))


def _udp_payload(ip: IpPacket) -> _Udp | Stop:
    """The UDP payload of an IP packet; a Stop if its length exceeds the packet's, as no host would deliver it."""
    data = ip.payload
    if len(data) < 8:
        return TRUNCATED
    length = int.from_bytes(data[4:6], "big") or len(data)  # 0: a jumbogram (RFC 2675 4)
    if length < 8 or (length > len(data) and not ip.cut):
        return Stop("udp-length")
    return _Udp(ip.source + ip.destination, data[:4], data[8:length], ip.cut and length > len(data), ip.datagram)
