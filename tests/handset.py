"""A phone with one line: it writes into a story what it sends and what is sent to it."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from typing import Any

from sipaudit.capture.write import Endpoint
from tests.tap import Story

P, S, T = ("10.0.0.1", 5060), ("10.0.0.2", 5060), ("10.0.0.3", 5060)
P6, S6, T6 = ("2001:db8::1", 5060), ("2001:db8::2", 5060), ("2001:db8::3", 5060)
BRANCH = ("10.9.0.1", 5060)
VVX = "PolycomVVX-VVX_500-UA/4.0.1.13681"
DOMAIN = "pbx.example.com"
CALLEE = f"sip:2000@{DOMAIN}"
RETRANSMITTED = (0.0, 0.5, 1.5, 3.5)
GIVES_UP = 5.5            # seconds after which an unanswered phone moves on
CHALLENGE = 'WWW-Authenticate: Digest realm="pbx", nonce="n1", algorithm=MD5\r\n'
PROXY_CHALLENGE = 'Proxy-Authenticate: Digest realm="pbx", nonce="n2", algorithm=MD5\r\n'
CREDENTIALS = ('Authorization: Digest username="u", realm="pbx", nonce="n1", uri="sip:pbx.example.com", '
               'response="0123456789abcdef0123456789abcdef"\r\n')


def at(place: Endpoint) -> str:
    """`host:port` as in a URI; the default port is left out."""
    host = f"[{place[0]}]" if ":" in place[0] else place[0]
    return host if place[1] == 5060 else f"{host}:{place[1]}"


@dataclass(frozen=True)
class Asked:
    """A request that was sent, stored so that retransmissions and answers can repeat its fields."""

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
    """A phone with one line. `place` is its address as captured; `contact` the address in its Contact."""

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

    # -- single messages

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
        """Retransmit the request."""
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
        """An answer whose request is missing from the capture."""
        asked = self.ask(time, server, "OPTIONS")
        self.story.packets.pop()
        self.told(time + 0.004, asked, 200)

    # -- what phones do; each method returns the time at which it ended

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
        """A REGISTER without Contact, challenged, and the 200 that lists the current bindings (RFC 3261 10.2.3)."""
        self.told(time + 0.004, self.ask(time, server, "REGISTER", contact="", **said), 401, headers=CHALLENGE)
        asked = self.ask(time + 0.007, server, "REGISTER", contact="", headers=CREDENTIALS, **said)
        self.told(time + 0.011, asked, 200, headers=f"Contact: <{self.contact}>;expires={granted}\r\n")
        return time + 0.014

    def silence(self, time: float, server: Endpoint = P, method: str = "INVITE", **said: Any) -> float:
        """A request without any answer, and its retransmissions; the phone moves on when they are over."""
        if method == "REGISTER":
            said.setdefault("expires", self.asks)
        asked = self.ask(time, server, method, **said)
        for step in RETRANSMITTED[1:]:
            self.again(time + step, asked)
        return time + GIVES_UP

    def call(self, time: float, server: Endpoint = P, seconds: float = 10.0, **said: Any) -> float:
        """INVITE, 100, 180, 200, ACK, and after `seconds` the BYE with its 200."""
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
        """A call attempt that stays unanswered, then the call at the next server: after a REGISTER there, or at
        once."""
        time = self.silence(time, origin)
        if registers:
            time = self.register(time, to)
        return self.call(time, to, 5.0)


def handsets(story: Story, numbers: Iterable[int]) -> list[Handset]:
    """A phone for each number N of two digits: the user 10N at 10.1.0.N."""
    return [Handset(story, user=f"10{number}", place=(f"10.1.0.{number}", 5060)) for number in numbers]


def _answer(request: str, status: int, headers: str, tag: str) -> str:
    lines = request.split("\r\n")
    kept = [line for line in lines if line.startswith(("Via:", "From:", "Call-ID:", "CSeq:"))]
    to = next(line for line in lines if line.startswith("To:"))
    to += "" if ";tag=" in to or status == 100 else f";tag={tag}"
    return "\r\n".join([f"SIP/2.0 {status} Any", *kept, to]) + f"\r\n{headers}Content-Length: 0\r\n\r\n"
