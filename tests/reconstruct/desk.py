"""A reconstruction on a desk: feed it messages between named ends, read the events."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple, TypeVar

from sipaudit.model.events import ModelEvent
from sipaudit.model.settings import Declaration, EntryServer, LineIdentity, ServerEntry
from sipaudit.reconstruct.bounds import Bounds
from sipaudit.reconstruct.phones import Line, Phone
from sipaudit.reconstruct.reconstruction import Reconstruction
from sipaudit.reconstruct.whose import Whose
from sipaudit.sip.datagram import Datagram, Flow, Item
from sipaudit.sip.message import Message
from tests.factories import datagram, path, request, response

P, S, T = "10.0.0.1:5060", "10.0.0.2:5060", "10.0.0.3:5060"
PHONE = "10.1.0.5:5060"
DOMAIN = "pbx.example.com"

Kind = TypeVar("Kind", bound=ModelEvent)
FAR = "sip:2002@pbx.example.com"


class Knowledge:
    """A site file as a test sets it; empty by default."""

    def __init__(
        self,
        entries: Mapping[str, ServerEntry] | None = None,
        declare: Callable[[LineIdentity], Declaration] | None = None,
        phones: tuple[str, ...] = (),
        emergency: tuple[str, ...] = (),
    ) -> None:
        self.entries: Mapping[str, ServerEntry] = entries or {}
        names = tuple(self.entries)
        self.declare = declare or (lambda identity: Declaration(names))
        self.declares_phone: Callable[[str, str | None], bool] = lambda address, mac: address in phones
        self.emergency = frozenset(emergency)


def entry(*servers: str, name: str = "sbc", names: tuple[str | None, ...] = ()) -> ServerEntry:
    """An entry of `host:port` servers in priority order; a name instead of an address is left to DNS."""
    made = []
    for index, server in enumerate(servers):
        host, _, port = server.partition(":")
        address = host if host[:1].isdigit() else None
        named = names[index] if index < len(names) else None if address else host
        made.append(EntryServer(address, int(port or 5060), "udp", index + 1, named))
    return ServerEntry(name, tuple(made))


class Seen(NamedTuple):
    """A message with its phone, line and server."""

    item: Datagram
    message: Message
    phone: int | None
    line: int | None
    server: str | None
    from_phone: bool | None
    retransmission: bool


class Desk:
    """A reconstruction with every event it made and every message it read."""

    def __init__(self, knowledge: Knowledge | None = None, bounds: Bounds | None = None, **known: Any) -> None:
        self.seen: list[Seen] = []
        self.rec = Reconstruction(knowledge or Knowledge(**known), note=self.note, bounds=bounds or Bounds())
        self.events: list[ModelEvent] = []
        self.branches = 0
        self.flows: dict[tuple[str, str, str], Flow] = {}

    def note(self, item: Datagram, message: Message, whose: Whose, repeated: bool) -> None:
        self.seen.append(Seen(item, message, *whose, repeated))

    def feed(self, item: Item) -> Sequence[ModelEvent]:
        events = self.rec.feed(item)
        self.events += events
        return events

    def send(self, time: float, source: str, destination: str, payload: bytes, transport: str = "udp",
             **more: Any) -> Sequence[ModelEvent]:
        """A packet from `host:port` to `host:port`; the same pair always has the same flow."""
        key = (source, destination, transport)
        return self.feed(datagram(time, self.flows.setdefault(key, path(*key)), payload, **more))

    def of(self, kind: type[Kind]) -> list[Kind]:
        return [event for event in self.events if isinstance(event, kind)]

    @property
    def line(self) -> Line:
        """The only line."""
        (line,) = self.rec.lines.values()
        return line

    @property
    def phone(self) -> Phone:
        """The only phone."""
        (phone,) = self.rec.phones.values()
        return phone


class Handset:
    """A phone for the tests: it counts its own CSeq and branches, and writes what phones write."""

    def __init__(self, desk: Desk, user: str = "1001", at: str = PHONE, *, contact: str | None = None,
                 params: str = "", user_agent: str | None = None, domain: str = DOMAIN, call_id: str | None = None,
                 transport: str = "udp") -> None:
        self.desk = desk
        self.user = user
        self.at = at
        self.aor = f"sip:{user}@{domain}"
        self.contact = f"<{contact or f'sip:{user}@{at}'}>{params}"
        self.user_agent = user_agent
        self.domain = domain
        self.call_id = call_id or f"reg-{user}@{at}"
        self.transport = transport
        self.cseq = 0

    def branch(self) -> str:
        self.desk.branches += 1
        return f"z9hG4bK-{self.user}-{self.desk.branches}"

    def compose(self, method: str, to: str | None = None, **more: Any) -> bytes:
        """A request of this phone, with a new branch and the next CSeq unless others are given."""
        if "cseq" not in more:
            self.cseq += 1
        defaults: dict[str, Any] = {
            "source": self.at, "branch": None, "call_id": self.call_id, "cseq": self.cseq, "from_": self.aor,
            "to": to or self.aor, "contact": self.contact, "user_agent": self.user_agent,
            "transport": self.transport.upper(),
        }
        made = {**defaults, **more}
        uri = made.pop("uri", f"sip:{self.domain}" if method == "REGISTER" else made["to"])
        if made["branch"] is None:
            made["branch"] = self.branch()
        return request(method, uri, **made)

    def send(self, time: float, server: str, payload: bytes, **more: Any) -> Sequence[ModelEvent]:
        return self.desk.send(time, self.at, server, payload, self.transport, **more)

    def hear(self, time: float, server: str, payload: bytes, **more: Any) -> Sequence[ModelEvent]:
        return self.desk.send(time, server, self.at, payload, self.transport, **more)

    def register(self, time: float, server: str = P, *, expires: int = 3600, granted: int | None = 3600,
                 **more: Any) -> list[ModelEvent]:
        """REGISTER and its 200 a moment later."""
        asked = self.compose("REGISTER", expires=expires, **more)
        listed = more.get("contact", self.contact)
        listed = f"{listed};expires={granted}" if granted is not None else listed
        events = list(self.send(time, server, asked))
        return events + list(self.hear(time + 0.02, server, response(200, asked, contact=listed)))

    def invite(self, time: float, server: str = P, *, to: str = "sip:2002@pbx.example.com", call_id: str = "call-1",
               cseq: int = 1, **more: Any) -> bytes:
        """Send an INVITE and return its bytes, to be answered."""
        asked = self.compose("INVITE", to, call_id=call_id, cseq=cseq, from_tag="me", **more)
        self.send(time, server, asked)
        return asked


def incoming(method: str = "INVITE", *, branch: str = "z9hG4bK-in-1", uri: str = "sip:1001@10.1.0.5:5060",
             to: str = "sip:1001@pbx.example.com", call_id: str = "in-1", cseq: int = 1, source: str = P,
             to_tag: str | None = None) -> bytes:
    return request(method, uri, source=source, branch=branch, call_id=call_id, cseq=cseq, from_=FAR, to=to,
                   from_tag="far", to_tag=to_tag, contact="<sip:2002@10.0.0.1>")
