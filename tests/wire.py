"""A scenario put on the wire: its events as the packets that a capture would hold.

So every story told in the scenario language can be told again through the whole
route, from bytes to findings.  Not everything has a wire form: notes (`*`) and
contacts (`~`) are refused.
"""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

import yaml

from sipaudit.capture.write import PcapWriter, ethernet_frame, icmp_unreachable_packet, udp_packet
from sipaudit.model.events import Answered, Failed, ModelEvent, Resent, Sent
from sipaudit.model.scenario import Scenario

ORIGIN = 1_795_348_800.0
PHONE = ("10.1.0.5", 5060)
AOR = "sip:1001@pbx.example.com"
CALLEE = "sip:2000@pbx.example.com"


class NoWireFormError(Exception):
    """The scenario says something that no packet shows."""


class Wire:
    """Writes events as packets; remembers requests so that retransmissions and answers repeat them."""

    def __init__(self, agent: str) -> None:
        self.agent = agent
        self.packets: list[tuple[float, bytes]] = []
        self.requests: dict[int, str] = {}
        self.cseq: dict[str, int] = {}
        self.last_datagram = b""
        self.count = 0

    def add(self, event: ModelEvent) -> None:
        match event:
            case Sent():
                self.requests[event.transaction] = self._request(event)
                self._send(event.time, event.server, self.requests[event.transaction])
            case Resent():
                self._send(event.time, event.server, self.requests[event.transaction])
            case Answered():
                self._answer(event)
            case Failed(kind="icmp"):
                packet = icmp_unreachable_packet(event.server.rpartition(":")[0], self.last_datagram)
                self.packets.append((event.time, ethernet_frame(packet)))
            case _:
                raise NoWireFormError(type(event).__name__)

    def _send(self, time: float, server: str, text: str) -> None:
        self.count += 1
        self.last_datagram = udp_packet(PHONE, _endpoint(server), text.encode(), identification=self.count)
        self.packets.append((time, ethernet_frame(self.last_datagram)))

    def _request(self, event: Sent) -> str:
        follows = self.requests.get(event.follows) if event.follows is not None else None
        if event.method == "REGISTER":
            call_id, target, to = "reg@10.1.0.5", "sip:pbx.example.com", AOR
        elif follows is not None:
            call_id, target, to = _header(follows, "Call-ID"), CALLEE, CALLEE
        else:
            call_id, target, to = f"call-{event.transaction}@10.1.0.5", CALLEE, CALLEE
        if event.emergency:
            target = to = "sip:112@pbx.example.com"
        self.cseq[call_id] = self.cseq.get(call_id, 0) + 1
        expires = "" if event.expires is None else f"Expires: {event.expires:g}\r\n"
        kind = "Event: presence\r\n" if event.method == "SUBSCRIBE" else ""
        tag = ";tag=far" if event.in_dialog else ""
        return (
            f"{event.method} {target} SIP/2.0\r\nVia: SIP/2.0/UDP 10.1.0.5:5060;branch=z9hG4bK-{event.transaction}\r\n"
            f"From: <{AOR}>;tag=near\r\nTo: <{to}>{tag}\r\nCall-ID: {call_id}\r\n"
            f"CSeq: {self.cseq[call_id]} {event.method}\r\nContact: <sip:1001@10.1.0.5>\r\n"
            f"User-Agent: {self.agent}\r\n{expires}{kind}Content-Length: 0\r\n\r\n"
        )

    def _answer(self, event: Answered) -> None:
        request = self.requests[event.transaction]
        kept = "".join(f"{name}: {_header(request, name)}\r\n" for name in ("Via", "From", "Call-ID", "CSeq"))
        to = _header(request, "To")
        to += "" if "tag=" in to or event.status == 100 else ";tag=far"
        extra = "" if event.retry_after is None else f"Retry-After: {event.retry_after}\r\n"
        if event.method == "REGISTER" and 200 <= event.status < 300:
            granted = "" if event.granted is None else f";expires={event.granted:g}"
            user = {True: "1001@10.1.0.5", False: "1001@10.9.9.9"}.get(event.own) if event.own is not None else None
            extra += f"Contact: <sip:{user}>{granted}\r\n" if user else ""
        if event.status in (401, 407):
            extra += 'WWW-Authenticate: Digest realm="pbx", nonce="n"\r\n'
        text = f"SIP/2.0 {event.status} Answer\r\n{kept}To: {to}\r\n{extra}Content-Length: 0\r\n\r\n"
        self.count += 1
        packet = udp_packet(_endpoint(event.server), PHONE, text.encode(), identification=self.count)
        self.packets.append((event.time, ethernet_frame(packet)))


def _header(message: str, name: str) -> str:
    return next(line.partition(": ")[2] for line in message.split("\r\n") if line.startswith(f"{name}: "))


def _endpoint(server: str) -> tuple[str, int]:
    host, _, port = server.rpartition(":")
    return host, int(port)


def write_capture(path: Path, packets: Iterable[tuple[float, bytes]], covered: float) -> None:
    """A pcap of the packets, with one packet of somebody else `covered` seconds before the origin."""
    with path.open("wb") as stream:
        writer = PcapWriter(stream)
        stray = ethernet_frame(udp_packet(("10.8.0.1", 9999), ("10.8.0.2", 9999), b"\x80stray"))
        writer.write(ORIGIN - covered, stray)
        for time, frame in packets:
            writer.write(ORIGIN + time, frame)


def put_on_wire(scenario: Scenario, folder: Path, agent: str) -> tuple[Path, Path]:
    """The scenario as `capture.pcap` and `site.yaml` in `folder`. Raises NoWireFormError."""
    wire = Wire(agent)
    for event in scenario.events:
        wire.add(event)
    capture, site = folder / "capture.pcap", folder / "site.yaml"
    write_capture(capture, wire.packets, min(-scenario.profile.covered_from, 100_000.0))
    entry = scenario.profile.entry
    assert entry is not None
    servers = [{"address": server.address, "port": server.port} for server in entry.servers]
    declared: dict[str, object] = {"servers": servers}
    if entry.dns_ttl is not None:
        declared["dns_ttl"] = entry.dns_ttl
    line: dict[str, object] = {"match": {}, "entry": "sbc"}
    values = {name: setting.value for name, setting in scenario.profile.settings.values.items()}
    if values:
        line["settings"] = values
    site.write_text(yaml.safe_dump({"entries": {"sbc": declared}, "lines": [line], "emergency": ["112"]}))
    return capture, site
