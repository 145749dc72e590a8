"""A scenario as packets: its events as the frames that a capture would hold.

So every story told in the scenario language can be told again through the whole route, from bytes to findings. Requests
with the same Call-ID (`id=`, `call=`, a subscription's) share it in the packets, their dialogs have tags, challenges
have nonces, and credentials repeat those (`proves`). A scenario that needs what no packet shows is refused
(NoWireFormError).
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from pathlib import Path

import yaml

from sipaudit.capture.write import ethernet_frame, udp_packet
from sipaudit.model.events import (
    Answered,
    Booted,
    CallChanged,
    Contacted,
    EntryChanged,
    Failed,
    Lost,
    ModelEvent,
    Received,
    Replied,
    Resent,
    Sent,
)
from sipaudit.model.scenario import Scenario
from sipaudit.model.settings import ServerEntry
from tests.frames import write_pcap
from tests.wire_beside import Beside, NoWireFormError, server_name

ORIGIN = 1_795_348_800.0
PHONE = ("10.1.0.5", 5060)
CONTACT = "sip:1001@10.1.0.5"
AOR = "sip:1001@pbx.example.com"
CALLEE = "sip:2000@pbx.example.com"
OF_CALLS = ("INVITE", "BYE", "UPDATE", "INFO", "PRACK", "CANCEL")
AGAIN = (401, 407)

__all__ = ["AOR", "ORIGIN", "PHONE", "NoWireFormError", "Wire", "put_on_wire", "write_capture"]


class CallIds:
    """The Call-ID of a request, and its CSeq number there."""

    def __init__(self) -> None:
        self.registration = 0
        self.subscription = "elsewhere@10.1.0.5"
        self.counts: dict[tuple[str, bool], int] = {}

    def of(self, event: Sent | Received, follows: str | None) -> str:
        chosen = self._chosen(event, follows)
        if event.method in ("SUBSCRIBE", "REFER") and event.call is None:
            self.subscription = chosen
        return chosen

    def _chosen(self, event: Sent | Received, follows: str | None) -> str:
        if isinstance(event, Sent) and event.call_id:
            return event.call_id
        if follows is not None:
            return _header(follows, "Call-ID")
        if event.method == "REGISTER":
            self.registration += isinstance(event, Sent) and event.fresh
            return f"reg{self.registration}@10.1.0.5"
        if event.call is not None:
            return f"call{event.call}@10.1.0.5"
        if event.in_dialog and event.method not in OF_CALLS:
            return self.subscription
        return f"{event.method}-{event.transaction}@10.1.0.5"

    def next(self, call_id: str, outward: bool, first: int = 1) -> int:
        """The next CSeq of one side (RFC 3261 12.2.1.1)."""
        self.counts[call_id, outward] = self.counts.get((call_id, outward), first - 1) + 1
        return self.counts[call_id, outward]


class Wire:
    """Writes events as packets; stores requests so that retransmissions and answers can repeat their fields."""

    def __init__(self, agent: str) -> None:
        self.agent = agent
        self.packets: list[tuple[float, bytes]] = []
        self.requests: dict[int, str] = {}
        self.challenged: set[int] = set()
        self.ids = CallIds()
        self.invites: dict[tuple[str, bool], str] = {}
        self.calls: set[int] = set()
        self.beside = Beside(self.packets, PHONE[0])
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
            case Received():
                self.requests[event.transaction] = self._incoming(event)
                self._deliver(event.time, event.server, self.requests[event.transaction])
            case Replied():
                self._send(event.time, event.server, self._response(event, "near", f"Contact: <{CONTACT}>\r\n"))
            case Failed():
                self.beside.failed(event)
            case Contacted():
                self.beside.contacted(event)
            case _:
                self._note(event)

    def _note(self, event: ModelEvent) -> None:
        match event:
            case CallChanged() if event.call in self.calls:
                pass  # the call's own messages show it
            case Booted():
                if not event.possible:
                    self.beside.booted(event.time)  # a possible one shows in the fresh Call-ID of the next REGISTER
            case EntryChanged():
                self.beside.resolved(event)
            case Lost(since=float()):  # shown by a jump in the CSeq of the next REGISTER
                self.ids.next(f"reg{self.ids.registration}@10.1.0.5", outward=True)
            case Lost():  # shown by an answer of the phone without its request
                missing = Received(event.time, 0, 0, 0, 0, f"{self.beside.last}:5060", "OPTIONS", -event.frame)
                self.requests[-event.frame] = self._incoming(missing)
                self.add(Replied(event.time, 0, 0, 0, 0, missing.server, "OPTIONS", -event.frame, 200))
            case _:
                raise NoWireFormError(f"{type(event).__name__} of a call that no message begins")

    def _send(self, time: float, server: str, text: str) -> None:
        self.count += 1
        packet = udp_packet(PHONE, _endpoint(server), text.encode(), identification=self.count)
        self.beside.quotable[server] = packet
        self.beside.last = _endpoint(server)[0]
        self.packets.append((time, ethernet_frame(packet)))

    def _deliver(self, time: float, server: str, text: str) -> None:
        self.count += 1
        packet = udp_packet(_endpoint(server), PHONE, text.encode(), identification=self.count)
        self.packets.append((time, ethernet_frame(packet)))

    # -- requests

    def _request(self, event: Sent) -> str:
        if event.call is not None and event.method == "INVITE":
            self.calls.add(event.call)
        if event.method == "CANCEL":
            return self._cancel((event.server, True))
        follows = self.requests.get(event.follows) if event.follows is not None else None
        call_id = self.ids.of(event, follows)
        to = AOR if event.method == "REGISTER" else CALLEE
        to = _header(follows, "To")[1:-1] if follows is not None and not event.in_dialog else to
        if event.target:
            to = f"sip:{event.target.partition('@')[0]}@pbx.example.com"
        if event.emergency:
            to = "sip:112@pbx.example.com"
        target = "sip:pbx.example.com" if event.method == "REGISTER" else to
        more = "" if event.expires is None else f"Expires: {event.expires:g}\r\n"
        more += "Event: presence\r\n" if event.method in ("SUBSCRIBE", "NOTIFY") else ""
        if event.proves:
            more += (f'Authorization: Digest username="1001", realm="pbx", nonce="n{event.follows}", '
                     f'uri="{target}", response="0123456789abcdef0123456789abcdef"\r\n')
        first = 10 if event.method == "REGISTER" and not event.anew else 1
        text = (
            f"{event.method} {target} SIP/2.0\r\nVia: SIP/2.0/UDP 10.1.0.5:5060;branch=z9hG4bK-{event.transaction}\r\n"
            f"From: <{AOR}>;tag=near\r\nTo: <{to}>{';tag=far' if event.in_dialog else ''}\r\nCall-ID: {call_id}\r\n"
            f"CSeq: {self.ids.next(call_id, True, first)} {event.method}\r\nContact: <{CONTACT}>\r\n"
            f"User-Agent: {self.agent}\r\n{more}Content-Length: 0\r\n\r\n"
        )
        if event.method == "INVITE":
            self.invites[event.server, True] = text
        return text

    def _incoming(self, event: Received) -> str:
        """A request from a server."""
        if event.call is not None and event.method == "INVITE":
            self.calls.add(event.call)
        if event.method == "CANCEL":
            return self._cancel((event.server, False))
        call_id = self.ids.of(event, None)
        more = "Event: presence\r\n" if event.method == "NOTIFY" else ""
        text = (
            f"{event.method} {CONTACT} SIP/2.0\r\n"
            f"Via: SIP/2.0/UDP {event.server};branch=z9hG4bK-s{event.transaction}\r\n"
            f"From: <{CALLEE}>;tag=far\r\nTo: <{AOR}>{';tag=near' if event.in_dialog else ''}\r\nCall-ID: {call_id}\r\n"
            f"CSeq: {self.ids.next(call_id, False)} {event.method}\r\nContact: <sip:2000@{event.server}>\r\n"
            f"{more}Content-Length: 0\r\n\r\n"
        )
        if event.method == "INVITE":
            self.invites[event.server, False] = text
        return text

    def _cancel(self, of: tuple[str, bool]) -> str:
        """A CANCEL has the branch, tags and CSeq number of its INVITE (RFC 3261 9.1)."""
        if of not in self.invites:
            raise NoWireFormError("CANCEL of no INVITE")
        return self.invites[of].replace("INVITE ", "CANCEL ", 1).replace(" INVITE\r\n", " CANCEL\r\n")

    # -- responses

    def _answer(self, event: Answered) -> None:
        if event.transaction not in self.requests:  # its request is not in the capture
            self.requests[event.transaction] = self._request(Sent(
                event.time, 0, 0, 0, 0, event.server, event.method, event.transaction, event.in_dialog,
                call=event.call))
        extra = "" if event.retry_after is None else f"Retry-After: {event.retry_after}\r\n"
        if event.method == "REGISTER" and 200 <= event.status < 300:
            granted = "" if event.granted is None else f"{event.granted:g}"
            if event.own:
                extra += f"Contact: <{CONTACT}>{granted and f';expires={granted}'}\r\n"
            else:  # no own Contact: the Expires header holds what is granted (RFC 3261 10.3)
                extra += "Contact: <sip:2002@10.9.9.9>\r\n" if event.own is False else ""
                extra += granted and f"Expires: {granted}\r\n"
        if event.status in AGAIN:
            name = "WWW" if event.status == 401 else "Proxy"
            extra += f'{name}-Authenticate: Digest realm="pbx", nonce="n{event.transaction}"\r\n'
        self._deliver(event.time, event.server, self._response(event, "far", extra))

    def _response(self, event: Answered | Replied, tag: str, extra: str) -> str:
        if event.transaction not in self.requests:
            raise NoWireFormError(f"{event.status} to a {event.method} of nobody")
        request = self.requests[event.transaction]
        kept = "".join(f"{name}: {_header(request, name)}\r\n" for name in ("Via", "From", "Call-ID", "CSeq"))
        to = _header(request, "To")
        to += "" if "tag=" in to or event.status == 100 else f";tag={tag}"
        return f"SIP/2.0 {event.status} Answer\r\n{kept}To: {to}\r\n{extra}Content-Length: 0\r\n\r\n"


def _header(message: str, name: str) -> str:
    return next(line.partition(": ")[2] for line in message.split("\r\n") if line.startswith(f"{name}: "))


def _endpoint(server: str) -> tuple[str, int]:
    host, _, port = server.rpartition(":")
    return host, int(port)


def write_capture(path: Path, packets: Iterable[tuple[float, bytes]], covered: float) -> None:
    """A pcap of the packets, after one packet between unrelated hosts `covered` seconds before the origin."""
    stray = ethernet_frame(udp_packet(("10.8.0.1", 9999), ("10.8.0.2", 9999), b"\x80stray"))
    write_pcap(path, [(ORIGIN - covered, stray), *((ORIGIN + time, frame) for time, frame in packets)])


def _others(entry: ServerEntry, time: float) -> Iterator[tuple[float, bytes]]:
    """A REGISTER and its 200 at each server by a phone of another make: they show that the tap sees every server."""
    for number, server in enumerate(entry.servers):
        here, there = (f"10.9.0.{number + 1}", 5060), _endpoint(server.key)
        said = (f"Via: SIP/2.0/UDP {here[0]};branch=z9hG4bKo{number}\r\n"
                f"From: <sip:o{number}@other.example.com>;tag=1\r\nTo: <sip:o{number}@other.example.com>\r\n"
                f"Call-ID: o{number}\r\nCSeq: 1 REGISTER\r\n"
                f"Contact: <sip:o{number}@{here[0]}>;expires=3600\r\nContent-Length: 0\r\n\r\n")
        asks = f"REGISTER sip:other.example.com SIP/2.0\r\nUser-Agent: Telephone/1.0\r\n{said}"
        yield time, ethernet_frame(udp_packet(here, there, asks.encode()))
        yield time, ethernet_frame(udp_packet(there, here, f"SIP/2.0 200 OK\r\n{said}".encode()))


def put_on_wire(scenario: Scenario, folder: Path, agent: str) -> tuple[Path, Path]:
    """The scenario as `capture.pcap` and `site.yaml` in `folder`. Raises NoWireFormError."""
    if scenario.profile.covered_from > 0.0:
        raise NoWireFormError("a hole behind which the past is known: the view begins anew there")
    wire = Wire(agent)
    for event in scenario.events:
        wire.add(event)
    capture, site = folder / "capture.pcap", folder / "site.yaml"
    packets = sorted(wire.packets, key=lambda packet: packet[0])
    covered = min(-scenario.profile.covered_from, 100_000.0)
    entry = scenario.profile.entry
    assert entry is not None
    write_capture(capture, [*_others(entry, -covered), *packets], covered)
    servers: list[dict[str, object]] = [
        {"address": server.address, "port": server.port} for server in entry.servers]
    for server in servers if wire.beside.names else ():
        server["name"] = server_name(str(server["address"]))
    declared: dict[str, object] = {"servers": servers}
    if entry.dns_ttl is not None:
        declared["dns_ttl"] = entry.dns_ttl
    line: dict[str, object] = {"match": {"user": "1001"}, "entry": "sbc"}
    values = {name: setting.value for name, setting in scenario.profile.settings.values.items()}
    if values:
        line["settings"] = values
    site.write_text(yaml.safe_dump({"entries": {"sbc": declared}, "lines": [line], "emergency": ["112"]}))
    return capture, site
