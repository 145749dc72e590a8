"""Phones and their lines: the records (reference-model.md 1, *phone* and *line*)."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from typing import TYPE_CHECKING, Protocol, final

from msgspec import Struct

from sipaudit.model.events import NO_LINE, Answered, CallChanged, ModelEvent, Sent
from sipaudit.model.profile import Vendor
from sipaudit.model.reach import LONG_AGO
from sipaudit.model.routine import Renewals
from sipaudit.model.settings import Declaration, LineIdentity, ServerEntry
from sipaudit.reconstruct.bounds import LASTING, SOURCE_LINES
from sipaudit.reconstruct.contacts import port_of
from sipaudit.reconstruct.omens import NO_OMENS
from sipaudit.reconstruct.several import Several
from sipaudit.reconstruct.source import Source
from sipaudit.reconstruct.useragent import Device
from sipaudit.reconstruct.views import View
from sipaudit.reconstruct.wording import Asking
from sipaudit.sip.datagram import Datagram, Flow, Item
from sipaudit.sip.message import Address, Challenge, Uri
from sipaudit.sip.uri import aor as address_of_record
from sipaudit.turned_away import turned_away

if TYPE_CHECKING:
    from sipaudit.reconstruct.dialogs import Leg

Guise = tuple[str | None, int]  # User-Agent, Contact port

# Bits of `Phone.counts`: it numbers a Call-ID from 1; its REGISTERs carry their Call-ID from server to server, log out,
# took a new Call-ID as after a boot
FROM_ONE = {"INVITE": 1, "REGISTER": 2}
CARRIES, LOGS_OUT, BEGINS_AGAIN = 4, 8, 16
CALLS_KEPT = 200  # the last ones of one line, shown as bars in a report


class CallSeen:
    """A call of a line as a report shows it: `began` is None if it began before the capture, `up` and `over` are None
    until then; `server` is the key of the last server that its INVITE went to, `tries` the number of servers tried in
    turn."""

    __slots__ = ("began", "over", "server", "tries", "up")

    def __init__(self, began: float | None, server: str) -> None:
        self.began = began
        self.server = server
        self.tries = 1
        self.up: float | None = None
        self.over: float | None = None

    def turn(self, server: str) -> None:
        """The INVITE of the call goes to a server, for the first time or again."""
        if server != self.server:
            self.server = server
            self.tries += 1


class Follower(Protocol):
    """Follows a line with nothing wrong as long as its entries stay unchanged, and receives its events at once: each
    method takes an event, or returns False to send it the usual way."""

    def asks(self, request: Sent) -> bool: ...
    def hears(self, answer: Answered) -> bool: ...
    def changes(self, change: CallChanged) -> bool: ...
    def lets_pass(self, server: str, time: float) -> bool:
        """As `notified.LetsPass`."""


@final
class Line:
    """One registration of a phone: AOR + Contact user and host.

    Identity: `phone` is the phone's number and `owner` the phone; `user` and `domain` are the AOR's.

    Observations (times as captured): `first` and `last` when it was seen, `since` the time before which it may have
    been elsewhere; `heard` the keys of the servers that ever sent to it; `calls` their number, `spans` the last of
    them; `strayed` whether it registered outside its entries, or its phone received a single server from DNS.

    The follower of its events sets `renewals` while it sees only mere renewals, which may then be reported without
    events (`short_road`), and `follower` while nothing is wrong, which then receives events at once.

    Internal to reconstruction: `by_name` whether it registered with a name instead of an address; `asked` when it last
    sent a REGISTER, `said` that REGISTER's content, `spoke` when it last began a request; `flow` (since `taken`) and
    `server` (since `turned`) where it sends to, `ways` and `servers` all it ever used; `view` its entries, as of
    `revision`; `held` its events until it proves to be a phone's.
    """

    __slots__ = ("_ways", "address", "aor", "asked", "by_name", "call_id", "calls", "contact_host", "contact_port",
                 "contact_user", "cseq", "declaration", "device", "domain", "first", "flow", "follower", "heard",
                 "held", "last", "number", "owner", "phone", "proven", "registered", "renewals", "revision", "said",
                 "server", "servers", "since", "spans", "spoke", "strayed", "taken", "turned", "uri", "user",
                 "user_agent", "view")
    ways = Several[Flow]()

    def __init__(self, number: int, owner: Phone, aor: str, user: str, domain: str, time: float) -> None:
        self.number = number
        self.phone = owner.number
        self.owner = owner
        self.aor = aor
        self.user = user
        self.domain = domain
        self.declaration = Declaration()
        self.contact_user: str | None = None
        self.contact_host: str | None = None
        self.contact_port = 0
        self.user_agent: str | None = None
        self.device: Device | None = None
        self.first = time
        self.last = time
        self.calls = 0
        self.spans: list[CallSeen] | None = None
        self.call_id: str | None = None
        self.cseq = -1
        self.heard: tuple[str, ...] = ()
        self.strayed = False
        self.by_name = False
        self.proven = False
        self.registered = False
        self.renewals: Renewals | None = None
        self.said: Asking | None = None
        self.follower: Follower | None = None
        self.address: Address | None = None
        self.uri: Uri | None = None
        self.flow: Flow | None = None
        self.server = ""
        self.taken = self.turned = time
        self.asked = self.spoke = time
        self.since = LONG_AGO
        self.servers: tuple[str, ...] = ()
        self.ways = ()
        self.view: View
        self.revision = -1
        self.held: list[ModelEvent] | None = owner.held

    def looks(self, uri: Uri, contact: Address | None, user_agent: str | None) -> bool:
        """Whether a request has the same URI, Contact and User-Agent as the line's last one."""
        return self.uri == uri and self.address == contact and self.user_agent == user_agent

    def forget_calls(self, before: float) -> None:
        """Forget the calls that ended before that time (seconds since the epoch)."""
        spans = self.spans or []
        over = next((at for at, call in enumerate(spans) if call.over is None or call.over >= before), len(spans))
        del spans[:over]

    def note_call(self, call: CallSeen) -> None:
        """Add a call; the oldest is forgotten if there are too many."""
        if self.spans is None:
            self.spans = []
        elif len(self.spans) >= CALLS_KEPT:
            turned_away("line-calls")
            del self.spans[0]
        self.spans.append(call)

    @property
    def routes(self) -> Iterator[tuple[str, Flow]]:
        """The servers that the line used, with the flow to each."""
        return zip(self.servers, self.ways, strict=True)

    @property
    def identity(self) -> LineIdentity:
        """The properties by which the site file can match it."""
        return LineIdentity(self.user, self.domain, self.aor, self.owner.host, self.user_agent, self.model,
                            self.owner.mac)

    @property
    def contact(self) -> str | None:
        """The Contact as one text, None before a request showed it; its user and host, which distinguish lines, stay
        the first seen."""
        if self.address is None:
            return None
        uri = self.address.uri
        if uri.host != self.contact_host:
            uri = Uri("sip", self.contact_user, self.contact_host or "", self.contact_port)
        return address_of_record(uri)

    @property
    def model(self) -> str | None:
        return self.device.model if self.device else None

    @property
    def firmware(self) -> str | None:
        return self.device.firmware if self.device else None

    @property
    def entries(self) -> tuple[ServerEntry, ...]:
        """The server entries, resolved, in fallback order."""
        return self.view.entries

    @property
    def list_in_doubt(self) -> bool:
        """Whether the phone or DNS showed an address outside the declared entries, or DNS gave another list."""
        return self.strayed or self.view.in_doubt(self.owner.host, self.last, self.domain, self.ways)


class MayAskAgain(Struct, frozen=True):
    """A request that a phone sends again with CSeq + 1 after its answer (RFC 3261 8.1.3.5, 22.2): the number of its
    transaction, its leg if it has one, the challenges of the answer, if any, and whether it ends a registration."""

    cseq: int
    method: str
    transaction: int
    leg: Leg | None
    challenges: tuple[Challenge, ...]
    removes: bool = False


class Phone:
    """One device.

    `address` is its source address and port as in contract.md 3, and never changes; `mac` its MAC if it shows one;
    `unsure` why its identity is unsure, None when it is not; `first` when it was first seen, `last` when it last sent,
    -inf before; `heard` whether any server was ever seen sending to it; `encrypted` whether it uses connections that
    cannot be read; `lived` whether any of its lines had registered before the first REGISTER seen; `omens` recent
    observations that may explain what it does next; `counts` how it was seen to use Call-IDs; `twin` the number of the
    same device's phone at another address, and since when both are known, None if it is seen at one only. `held` is
    None once it is known to be a phone; `unproven` is the number of its lines without a grant so far.
    """

    __slots__ = ("_lines", "address", "again", "agent_mac", "call_ids", "capture", "counts", "declared", "encrypted",
                 "first", "guises", "heard", "held", "host", "instance", "last", "lived", "mac", "number", "omens",
                 "source", "twin", "unproven", "unsure", "vendor")
    lines = Several[Line]()

    def __init__(self, number: int, source: Source, address: str, item: Datagram) -> None:
        self.number = number
        self.source = source
        self.host = source.host
        self.address = address
        self.mac: str | None = None
        self.agent_mac: str | None = None
        self.instance: str | None = None
        self.vendor = Vendor.UNKNOWN
        self.unsure: str | None = None
        self.twin: tuple[int, float] | None = None
        self.declared = False
        self.encrypted = False
        self.heard = False
        self.lived = False
        self.guises: tuple[Guise, ...] = ()
        self.capture = item.capture
        self.first = item.time
        self.last = LONG_AGO
        self.omens = NO_OMENS
        self.counts = 0
        self.lines = ()
        self.unproven = 0
        self.held: list[ModelEvent] | None = []
        # The last CSeq of the latest former REGISTER Call-IDs, and the server where another replaced each (empty: the
        # server where it was used itself). None if there are none, as for nearly all phones; `again` likewise
        self.call_ids: dict[str, tuple[int, str]] | None = None
        self.again: dict[str, MayAskAgain] | None = None   # by Call-ID

    def add(self, line: Line) -> None:
        """Add a line, to which nothing was granted yet."""
        self.lines += (line,)
        self.unproven += 1
        self.source.has_line(line)

    def lose(self, gone: Collection[Line]) -> None:
        """Remove these lines."""
        self.lines = tuple(line for line in self.lines if line not in gone)
        self.unproven = sum(1 for line in self.lines if not line.proven)
        self.source.lost_lines()

    @property
    def identity_unsure(self) -> bool:
        return self.unsure is not None

    @property
    def may_be_two(self) -> bool:
        """Whether a merely possible boot of this phone may be that of another phone which shares the line and the
        address behind a NAT."""
        return bool(self.counts & BEGINS_AGAIN)

    @property
    def lasting(self) -> bool:
        """Whether it has been seen for a while: phones invented by a flood appear once."""
        return self.last - self.first >= LASTING

    def uses(self, uri: Uri) -> bool:
        """Whether one of its lines has this Contact host and port now."""
        return any(line.contact_host == uri.host and line.contact_port == port_of(uri) for line in self.lines)


def of_phone(phone: Phone, item: Item) -> tuple[float, int, int, int, int]:
    """The first fields of an event of the whole phone, from this item: time, capture, frame, phone and no line."""
    return item.time, item.capture, item.frame, phone.number, NO_LINE


def servers_of(phone: Phone, host: str) -> list[str]:
    """Keys of the phone's servers at this host, with any port, each once."""
    keys: dict[str, None] = {}
    for line in phone.lines[:SOURCE_LINES]:
        keys.update((server.key, None) for state in line.view.states for server in state.entry.servers
                    if server.address == host)
        keys.update((used, None) for used, flow in line.routes if flow.destination_host == host)
    return list(keys)
