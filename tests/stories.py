"""Stories told in packets: phones, servers and what lies between them, for what a scenario cannot say.

Times are seconds after `tests.wire.ORIGIN`.  A `Handset` writes what its phone
sends and what is sent to it; a `Court` writes capture and site file, runs the
whole route and answers with what was found, one line of text each.
"""

from __future__ import annotations

import random
import struct
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import dns.message
import dns.rrset
import yaml

from sipaudit import pipeline
from sipaudit.capture.write import (
    TCP_ACK,
    TCP_PSH,
    TCP_RST,
    TCP_SYN,
    Endpoint,
    ethernet_frame,
    icmp_unreachable_packet,
    ip_packet,
    tcp_packet,
    udp_packet,
)
from sipaudit.model.values import Severity
from tests.frames import Timed, write_pcap
from tests.segment import advertisement, arp, solicitation
from tests.wire import ORIGIN

P, S, T = ("10.0.0.1", 5060), ("10.0.0.2", 5060), ("10.0.0.3", 5060)
P6, S6, T6 = ("2001:db8::1", 5060), ("2001:db8::2", 5060), ("2001:db8::3", 5060)
BRANCH = ("10.9.0.1", 5060)
RESOLVER = ("10.0.0.53", 53)
STRANGERS = (("10.8.0.1", 9999), ("10.8.0.2", 9999))
VVX = "PolycomVVX-VVX_500-UA/4.0.1.13681"
DOMAIN = "pbx.example.com"
CALLEE = f"sip:2000@{DOMAIN}"
OWN_MAC, FAR_MAC = "020000000001", "0200000000fe"   # of all packets of stories; of nobody whose packets are seen
COVERED = 50_000.0        # seconds that the capture shows before a story begins, unless it says otherwise
RETRANSMITTED = (0.0, 0.5, 1.5, 3.5)
GIVES_UP = 5.5            # seconds after which an unanswered phone moves on

R0 = {"reRegisterOn": 0}
R1 = {"reRegisterOn": 1, "failRegistrationOn": 0}
R2 = {"reRegisterOn": 1, "failRegistrationOn": 1, "onlySignalWithRegistered": 1}
R3 = {"reRegisterOn": 1, "failRegistrationOn": 1, "onlySignalWithRegistered": 0}
MINUTE = {"failBack.mode": "duration", "failBack.timeout": 60}

Settings = dict[str, Any]


def at(place: Endpoint) -> str:
    """`host:port` as a URI has it; the usual port is left out."""
    host = f"[{place[0]}]" if ":" in place[0] else place[0]
    return host if place[1] == 5060 else f"{host}:{place[1]}"


@dataclass(frozen=True)
class Packet:
    """One frame, and what a test may choose it by: `what` is `INVITE` or `200 INVITE` (empty beside SIP)."""

    time: float
    frame: bytes
    source: Endpoint
    destination: Endpoint
    what: str = ""


@dataclass
class Story:
    """What passes the tap. `vlans` and `mtu` (bytes of payload of an IP fragment) dress all packets alike."""

    packets: list[Packet] = field(default_factory=list)
    vlans: tuple[int, ...] = ()
    mtu: int = 0
    count: int = 0
    branches: int = 0
    sequences: dict[tuple[Endpoint, Endpoint], int] = field(default_factory=dict)
    snaplen: int | None = None   # bytes of each frame that the capture keeps
    ordered: bool = False     # the packets stand in the order of the file, whatever their times say

    def put(self, time: float, packet: bytes, source: Endpoint, destination: Endpoint, what: str = "") -> None:
        for piece in _fragments(packet, self.mtu) if self.mtu else (packet,):
            frame = ethernet_frame(piece, vlans=self.vlans)
            self.packets.append(Packet(time, frame, source, destination, what))

    def udp(self, time: float, source: Endpoint, destination: Endpoint, payload: bytes, what: str = "") -> bytes:
        """One datagram; returned is its IP packet, for an ICMP error to quote."""
        self.count = self.count % 65_000 + 1
        packet = udp_packet(source, destination, payload, identification=self.count)
        self.put(time, packet, source, destination, what)
        return packet

    def tcp(self, time: float, source: Endpoint, destination: Endpoint, payload: bytes, what: str = "") -> None:
        """One message on the connection of these ends, which is opened 3 ms before if there is none."""
        if (source, destination) not in self.sequences:
            self.syn(time - 0.003, source, destination)
            self._segment(time - 0.002, destination, source, TCP_SYN | TCP_ACK)
            self._segment(time - 0.001, source, destination, TCP_ACK)
        self._segment(time, source, destination, TCP_PSH | TCP_ACK, payload, what)

    def unread(self, time: float, client: Endpoint, server: Endpoint) -> None:
        """A TLS session of which nobody has the keys."""
        hello = bytes.fromhex("160301002f0100002b0303") + bytes(32) + bytes.fromhex("00000213010100") + bytes(2)
        sealed = bytes.fromhex("1703030040") + bytes(64)
        self.tcp(time, client, server, hello)
        self.tcp(time + 0.01, server, client, bytes.fromhex("160303000402000000") + sealed)
        for later in (0.02, 0.03):
            self.tcp(time + later, client, server, sealed)
            self.tcp(time + later + 0.005, server, client, sealed)

    def syn(self, time: float, source: Endpoint, destination: Endpoint) -> None:
        self.sequences[source, destination] = 1000 + 7 * len(self.sequences)
        self.sequences[destination, source] = 5000 + 7 * len(self.sequences)
        self._segment(time, source, destination, TCP_SYN)

    def reset(self, time: float, source: Endpoint, destination: Endpoint) -> None:
        """`source` refuses or resets the connection; the next message opens another."""
        self._segment(time, source, destination, TCP_RST | TCP_ACK)
        del self.sequences[source, destination], self.sequences[destination, source]

    def _segment(self, time: float, source: Endpoint, destination: Endpoint, flags: int, payload: bytes = b"",
                 what: str = "") -> None:
        way, back = (source, destination), (destination, source)
        acknowledged = self.sequences[back] if flags & TCP_ACK else 0
        packet = tcp_packet(source, destination, payload, sequence=self.sequences[way], acknowledgement=acknowledged,
                            flags=flags)
        self.put(time, packet, source, destination, what)
        self.sequences[way] += len(payload) + bool(flags & TCP_SYN)

    def unreachable(self, time: float, quoted: bytes, source: Endpoint, destination: Endpoint) -> None:
        """ICMP: `source` could not be reached by `destination`'s packet."""
        self.put(time, icmp_unreachable_packet(source[0], quoted), source, destination, "icmp")

    def seek(self, time: float, host: str, target: str, *, mac: str = OWN_MAC, answered: bool = False) -> None:
        """`host` asks its segment for `target`, three times where nobody answers."""
        version6 = ":" in target
        for second in range(1 if answered else 3):
            asked = solicitation(host, target, mac) if version6 else arp(1, mac, host, target)
            self.packets.append(Packet(time + second, asked, (host, 0), (target, 0), "seek"))
        if answered:
            told = advertisement(target, host, FAR_MAC) if version6 else arp(2, FAR_MAC, target, host)
            self.packets.append(Packet(time + 0.001, told, (target, 0), (host, 0), "seek"))

    def lookup(self, time: float, client: Endpoint, name: str, kind: str, *records: str, transport: str = "udp",
               rcode: int = 0, answered: bool = True) -> None:
        """A DNS query and, a millisecond later, its answer; records are zone file lines: `name ttl IN A address`."""
        query = dns.message.make_query(name, kind, id=self.count)
        answer = dns.message.make_response(query)
        answer.set_rcode(dns.rcode.Rcode(rcode))
        for owner, ttl, _, type_, *data in (record.split() for record in records):
            answer.answer.append(dns.rrset.from_text(owner, int(ttl), "IN", type_, " ".join(data)))
        for after, way, message in ((0.0, ((client[0], 40_053), RESOLVER), query.to_wire()),
                                    (0.001, (RESOLVER, (client[0], 40_053)), answer.to_wire()))[:1 + answered]:
            if transport == "udp":
                self.udp(time + after, *way, message)
            else:
                self.tcp(time + after, *way, len(message).to_bytes(2, "big") + message)

    def murmur(self, start: float, end: float) -> None:
        """Somebody else's packets, one every second."""
        for second in range(int(start), int(end)):
            self.udp(second + 0.5, *STRANGERS, b"\x80stray")

    def media(self, start: float, end: float, source: Endpoint, destination: Endpoint, *, first: int = 0) -> None:
        """RTP, fifty packets a second, numbered from `first` on (RFC 3550 5.1)."""
        for number in range(round((end - start) * 50)):
            counters = struct.pack(">HI", (first + number) % 65_536, 160 * number)
            self.udp(start + number / 50, source, destination, b"\x80\x08" + counters + b"talk" + bytes(160))

    # -- what may befall a capture

    def frames(self) -> list[Timed]:
        """What the capture holds, in its order: that of the times, if the story is not told in another on purpose."""
        packets = self.packets if self.ordered else sorted(self.packets, key=lambda packet: packet.time)
        return [(ORIGIN + packet.time, packet.frame) for packet in packets]

    def without(self, lost: Callable[[Packet], bool]) -> Story:
        """The story as a tap tells it that missed some packets."""
        return replace(self, packets=[packet for packet in self.packets if not lost(packet)])

    def thinned(self, share: float, seed: int) -> Story:
        """The story with this share of its packets missing at random."""
        chance = random.Random(seed)
        return self.without(lambda _: chance.random() < share)

    def retimed(self, clock: Callable[[float], float]) -> Story:
        """The story by another clock, the packets in their old order."""
        ordered = sorted(self.packets, key=lambda packet: packet.time)
        return replace(self, packets=[replace(packet, time=clock(packet.time)) for packet in ordered], ordered=True)


def _fragments(packet: bytes, mtu: int) -> Iterable[bytes]:
    """An IPv4 packet without options in fragments (RFC 791 3.2)."""
    body, number = packet[20:], int.from_bytes(packet[4:6], "big")
    source, destination = (".".join(map(str, packet[start : start + 4])) for start in (12, 16))
    step = mtu // 8 * 8
    for start in range(0, len(body), step):
        more = 0x2000 if start + step < len(body) else 0
        yield ip_packet(source, destination, packet[9], body[start : start + step], identification=number,
                        fragment=more | start // 8)


@dataclass(frozen=True)
class Asked:
    """A request on its way, for retransmissions and answers to repeat."""

    text: str
    server: Endpoint
    method: str
    call_id: str
    number: int
    packet: bytes = b""

    @property
    def near(self) -> str:
        """The phone's tag in the dialog that its request opens."""
        return _near(self.call_id)


def _near(call_id: str) -> str:
    return f"near{call_id[:6]}"


@dataclass
class Handset:
    """A phone with one line. `place` is where it speaks from, as captured; `contact` its Contact's address."""

    story: Story
    user: str = "1001"
    place: Endpoint = ("10.1.0.5", 5060)
    agent: str | None = VVX
    contact: str = ""
    parameters: str = ""      # of its Contact
    domain: str = DOMAIN
    transport: str = "udp"
    challenges: bool = True   # servers challenge its REGISTERs
    granted: int = 3600
    asks: int = 3600
    registration: str = ""    # Call-ID of its REGISTERs
    numbers: dict[str, int] = field(default_factory=dict)
    calls: int = 0

    def __post_init__(self) -> None:
        self.contact = self.contact or f"sip:{self.user}@{at(self.place)}"
        self.registration = self.registration or f"reg-{self.user}@{self.place[0]}:{self.place[1]}"

    @property
    def aor(self) -> str:
        return f"sip:{self.user}@{self.domain}"

    # -- one message

    def ask(self, time: float, server: Endpoint, method: str, *, to: str | None = None, call_id: str | None = None,
            tag: str = "", expires: int | None = None, headers: str = "", contact: str | None = None,
            uri: str | None = None, sender: str | None = None, transport: str | None = None) -> Asked:
        """Send a new request. `tag`: the far end's, which puts it in a dialog."""
        registers = method == "REGISTER"
        if call_id is None:
            self.calls += 1
            host, port = self.place
            call_id = self.registration if registers else f"call{self.calls}-{self.user}@{host}:{port}"
        number = self.numbers[call_id] = self.numbers.get(call_id, 0) + 1
        to = to or (self.aor if registers else CALLEE)
        self.story.branches += 1
        by = (transport or self.transport).upper()
        said = [
            f"{method} {uri or (f'sip:{self.domain}' if registers else to)} SIP/2.0",
            f"Via: SIP/2.0/{by} {at(self.place)};branch=z9hG4bK{self.story.branches}",
            f"From: <{sender or self.aor}>;tag={_near(call_id)}", f"To: <{to}>" + (f";tag={tag}" if tag else ""),
            f"Call-ID: {call_id}", f"CSeq: {number} {method}", "Max-Forwards: 70",
        ]
        said += [] if contact == "" else [f"Contact: {contact or f'<{self.contact}>{self.parameters}'}"]
        said += [f"User-Agent: {self.agent}"] if self.agent else []
        said += [f"Expires: {expires}"] if expires is not None else []
        text = "\r\n".join(said) + f"\r\n{headers}Content-Length: 0\r\n\r\n"
        asked = Asked(text, server, method, call_id, number)
        return replace(asked, packet=self._carry(time, self.place, server, text, method, transport))

    def again(self, time: float, asked: Asked) -> None:
        """The same request once more."""
        self._carry(time, self.place, asked.server, asked.text, asked.method)

    def told(self, time: float, asked: Asked, status: int, *, headers: str = "", tag: str = "far",
             transport: str | None = None) -> None:
        """The server answers a request."""
        self._carry(time, asked.server, self.place, _answer(asked.text, status, headers, tag),
                    f"{status} {asked.method}", transport)

    def called(self, time: float, server: Endpoint, method: str, *, call_id: str, number: int = 1, tag: str = "",
               far: str = "far", headers: str = "") -> Asked:
        """A server sends a request to the phone; `tag` is the phone's, inside a dialog."""
        self.story.branches += 1
        text = "\r\n".join([
            f"{method} {self.contact} SIP/2.0",
            f"Via: SIP/2.0/{self.transport.upper()} {at(server)};branch=z9hG4bKs{self.story.branches}",
            f"From: <{CALLEE}>;tag={far}", f"To: <{self.aor}>" + (f";tag={tag}" if tag else ""),
            f"Call-ID: {call_id}", f"CSeq: {number} {method}", f"Contact: <sip:2000@{at(server)}>",
        ]) + f"\r\n{headers}Content-Length: 0\r\n\r\n"
        self._carry(time, server, self.place, text, method)
        return Asked(text, server, method, call_id, number)

    def replies(self, time: float, asked: Asked, status: int) -> None:
        """The phone answers a server's request."""
        contact = f"Contact: <{self.contact}>\r\n"
        self._carry(time, self.place, asked.server, _answer(asked.text, status, contact, "near"),
                    f"{status} {asked.method}")

    def _carry(self, time: float, source: Endpoint, destination: Endpoint, text: str, what: str,
               transport: str | None = None) -> bytes:
        if (transport or self.transport) == "tcp":
            self.story.tcp(time, source, destination, text.encode(), what)
            return b""
        return self.story.udp(time, source, destination, text.encode(), what)

    def orphan(self, time: float, server: Endpoint) -> None:
        """An answer whose request the capture lacks."""
        asked = self.ask(time, server, "OPTIONS")
        self.story.packets.pop()
        self.told(time + 0.004, asked, 200)

    # -- what phones do; each returns when it was over

    def register(self, time: float, server: Endpoint = P, *, expires: int | None = None, challenged: bool | None = None,
                 listed: str | None = None, headers: str = "", call_id: str | None = None) -> float:
        """REGISTER and its 200 some milliseconds later. `listed` is the 200's Contact, by default the phone's own."""
        asks = self.asks if expires is None else expires
        if call_id is not None:
            self.registration = call_id
        if self.challenges if challenged is None else challenged:
            asked = self.ask(time, server, "REGISTER", expires=asks)
            self.told(time + 0.004, asked, 401, headers=CHALLENGE)
            time += 0.007
        asked = self.ask(time, server, "REGISTER", expires=asks, headers=CREDENTIALS)
        own = f"<{self.contact}>{self.parameters};expires={self.granted}" if asks else ""
        contact = own if listed is None else listed
        self.told(time + 0.004, asked, 200, headers=(f"Contact: {contact}\r\n" if contact else "") + headers)
        return time + 0.007

    def fetch(self, time: float, server: Endpoint, granted: int = 600, **said: Any) -> float:
        """A REGISTER without Contact, challenged, and the 200 that lists what is registered (RFC 3261 10.2.3)."""
        self.told(time + 0.004, self.ask(time, server, "REGISTER", contact="", **said), 401, headers=CHALLENGE)
        asked = self.ask(time + 0.007, server, "REGISTER", contact="", headers=CREDENTIALS, **said)
        self.told(time + 0.011, asked, 200, headers=f"Contact: <{self.contact}>;expires={granted}\r\n")
        return time + 0.014

    def silence(self, time: float, server: Endpoint = P, method: str = "INVITE", **said: Any) -> float:
        """A request that nobody answers, with its retransmissions; the phone moves on when they are over."""
        if method == "REGISTER":
            said.setdefault("expires", self.asks)
        asked = self.ask(time, server, method, **said)
        for step in RETRANSMITTED[1:]:
            self.again(time + step, asked)
        return time + GIVES_UP

    def call(self, time: float, server: Endpoint = P, seconds: float = 10.0, **said: Any) -> float:
        """INVITE, 100, 180, 200, ACK, and BYE with its 200 after so many seconds."""
        asked = self.ask(time, server, "INVITE", **said)
        self.told(time + 0.003, asked, 100)
        self.told(time + 0.1, asked, 180)
        self.told(time + 1.0, asked, 200, headers=f"Contact: <sip:2000@{at(server)}>\r\n")
        self.acknowledge(time + 1.01, asked)
        return self.hang_up(time + seconds, asked) if seconds else time + 1.02

    def acknowledge(self, time: float, asked: Asked) -> None:
        self.numbers[asked.call_id] -= 1  # an ACK has its INVITE's number
        self.ask(time, asked.server, "ACK", call_id=asked.call_id, tag="far")

    def hang_up(self, time: float, asked: Asked, *, answered: bool = True) -> float:
        bye = self.ask(time, asked.server, "BYE", call_id=asked.call_id, tag="far")
        if answered:
            self.told(time + 0.004, bye, 200)
        return time + 0.01

    def fail_over(self, time: float, origin: Endpoint = P, to: Endpoint = S, *, registers: bool = True) -> float:
        """A call into silence, and over again at the next server: after a REGISTER there, or at once."""
        time = self.silence(time, origin)
        if registers:
            time = self.register(time, to)
        return self.call(time, to, 5.0)


CHALLENGE = 'WWW-Authenticate: Digest realm="pbx", nonce="n1", algorithm=MD5\r\n'
PROXY_CHALLENGE = 'Proxy-Authenticate: Digest realm="pbx", nonce="n2", algorithm=MD5\r\n'
CREDENTIALS = ('Authorization: Digest username="u", realm="pbx", nonce="n1", uri="sip:pbx.example.com", '
               'response="0123456789abcdef0123456789abcdef"\r\n')


def handsets(story: Story, numbers: Iterable[int]) -> list[Handset]:
    """A phone for each number N of two digits: the user 10N at 10.1.0.N."""
    return [Handset(story, user=f"10{number}", place=(f"10.1.0.{number}", 5060)) for number in numbers]


def _answer(request: str, status: int, headers: str, tag: str) -> str:
    lines = request.split("\r\n")
    kept = [line for line in lines if line.startswith(("Via:", "From:", "Call-ID:", "CSeq:"))]
    to = next(line for line in lines if line.startswith("To:"))
    to += "" if ";tag=" in to or status == 100 else f";tag={tag}"
    return "\r\n".join([f"SIP/2.0 {status} Any", *kept, to]) + f"\r\n{headers}Content-Length: 0\r\n\r\n"


# -- before the court

def site(settings: Settings | None, *servers: Endpoint, ttl: int | None = None, priorities: tuple[int, ...] = (),
         match: Settings | None = None, **more: Any) -> dict[str, Any]:
    """A site file with one entry, `sbc`, and one item of lines. Settings None: none are declared."""
    listed = [{"address": host, "port": port} for host, port in servers or (P, S)]
    for server, priority in zip(listed, priorities, strict=False):
        server["priority"] = priority
    entry: dict[str, Any] = {"servers": listed} | ({"dns_ttl": ttl} if ttl is not None else {})
    line: dict[str, Any] = {"match": match or {}, "entry": "sbc"}
    if settings is not None:
        line["settings"] = settings
    return {"entries": {"sbc": entry}, "lines": [line], **more}


class Court:
    """Judges stories in a folder of its own. Of rules that are not among `about` (None: all) only errors and warnings
    are told, nothing weak and nothing that was left open."""

    def __init__(self, folder: Path, about: Sequence[str] | None = None) -> None:
        self.folder = folder
        self.about = about
        self.count = 0

    def __call__(self, story: Story | list[Story], declared: dict[str, Any] | None, *, covered: float = COVERED,
                 **job: Any) -> list[str]:
        """What was found (`335.000 premature-failback 1001 10.0.0.1 certain`) and what was left open
        (`? premature-failback started-later`), sorted. Several stories are the captures of several taps."""
        report = self.report(story, declared, covered=covered, **job)
        found = [
            " ".join([f"{(finding.time or 0.0) - ORIGIN:.3f}", finding.rule, finding.line[4:].partition("@")[0],
                      (finding.server or "").rpartition(":")[0], finding.confidence, *finding.assumptions])
            for finding in report.findings if self._is_asked(finding.rule) or finding.severity is not Severity.INFO
        ]
        left_open = (f"? {row.rule} {row.reason}" for row in report.inconclusive if self._is_asked(row.rule))
        return sorted([*found, *left_open])

    def _is_asked(self, rule: str) -> bool:
        return self.about is None or rule in self.about

    def report(self, story: Story | list[Story], declared: dict[str, Any] | None, *, covered: float = COVERED,
               **job: Any) -> Any:
        """The whole report."""
        self.count += 1
        paths = [self._write(number, told, covered) for number, told in
                 enumerate([story] if isinstance(story, Story) else story)]
        where = None
        if declared is not None:
            file = self.folder / f"site{self.count}.yaml"
            file.write_text(yaml.safe_dump(declared))
            where = str(file)
        return pipeline.analyze(pipeline.Job(paths=tuple(paths), site=where, zone="utc", **job))

    def _write(self, number: int, story: Story, covered: float) -> str:
        """A capture; the first one begins with a packet of somebody else."""
        stray = [(ORIGIN - covered, ethernet_frame(udp_packet(*STRANGERS, b"\x80stray")))]
        path = self.folder / f"{self.count}-{number}.pcap"
        return str(write_pcap(path, (stray if covered and not number else []) + story.frames(), snaplen=story.snaplen))
