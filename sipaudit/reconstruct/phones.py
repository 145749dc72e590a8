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

Guise = tuple[str | None, int]  # User-Agent, Contact port: what a phone looks like

BEGINS_AGAIN = 16   # a bit of `Phone.counts`: its REGISTERs took another Call-ID, as those of a phone that starts do
CALLS_KEPT = 200  # of one line, the last ones: what a report shows as bars


class CallSeen:
    """A call of a line as a report shows it: `began` None when that was before the capture, `up` and `over` None before
    they come; `server` the key of the last server that its INVITE went to, `tries` to how many in turn."""

    __slots__ = ("began", "over", "server", "tries", "up")

    def __init__(self, began: float | None, server: str) -> None:
        self.began = began
        self.server = server
        self.tries = 1
        self.up: float | None = None
        self.over: float | None = None

    def turn(self, server: str) -> None:
        """The INVITE of the call goes to a server, again or for the first time."""
        if server != self.server:
            self.server = server
            self.tries += 1


class Follower(Protocol):
    """Who follows a line of which nothing is wrong, while its entries are what they were, and is told of its events at
    once: each method takes one, or (False) it goes the usual way."""

    def asks(self, request: Sent) -> bool: ...
    def hears(self, answer: Answered) -> bool: ...
    def changes(self, change: CallChanged) -> bool: ...
    def lets_pass(self, server: str, time: float) -> bool:
        """As `notified.LetsPass`."""


@final
class Line:
    """One registration of a phone: AOR + Contact user and host.

    Who it is: `phone` is the phone's number and `owner` the phone; `user` and `domain` are the AOR's.

    What was seen of it (times as captured): `first` and `last` when, `since` the time before which it may have been
    elsewhere; `heard` the keys of the servers that ever sent to it; `calls` how many it had, `spans` the last of them;
    `strayed` whether it registered elsewhere than its entry says, or was told of one server only.

    Who follows its events sets `renewals` while it sees nothing but these, which may then be told without events
    (`short_road`), and `follower` while nothing is wrong, which is then told of events at once.

    Reconstruction's own: `by_name` whether it registered with a name, no address; `asked` when it last sent a REGISTER,
    `said` what that said, `spoke` when it last began a request; `flow` since `taken` and `server` since `turned` where
    it sends to, `ways` and `servers` where it ever did; `view` what it has of its entries, as of `revision`; `held` its
    events until it is a phone's.
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
        """Whether a request looks just as the line's last one did."""
        return self.uri == uri and self.address == contact and self.user_agent == user_agent

    def forget_calls(self, before: float) -> None:
        """Forget the calls that were over before that time (seconds since the epoch)."""
        spans = self.spans or []
        over = next((at for at, call in enumerate(spans) if call.over is None or call.over >= before), len(spans))
        del spans[:over]

    def note_call(self, call: CallSeen) -> None:
        """One more call; the oldest is forgotten where there are too many."""
        if self.spans is None:
            self.spans = []
        elif len(self.spans) >= CALLS_KEPT:
            turned_away("line-calls")
            del self.spans[0]
        self.spans.append(call)

    @property
    def routes(self) -> Iterator[tuple[str, Flow]]:
        """The servers that it used, with the flow to each."""
        return zip(self.servers, self.ways, strict=True)

    @property
    def identity(self) -> LineIdentity:
        """What the site file can match it by."""
        return LineIdentity(self.user, self.domain, self.aor, self.owner.host, self.user_agent, self.model,
                            self.owner.mac)

    @property
    def contact(self) -> str | None:
        """The Contact as one text, None before a request showed it; its user and host are what parts lines, and stay.
        """
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
        """Whether the phone or DNS showed an address outside the declared entries, or DNS another list."""
        return self.strayed or self.view.in_doubt(self.owner.host, self.last, self.domain, self.ways)


class MayAskAgain(Struct, frozen=True):
    """A request after whose answer a phone sends the same again with CSeq + 1 (RFC 3261 8.1.3.5, 22.2): the number of
    its transaction, its leg if it has one, the answer's challenges, if it is one, and whether it ends a registration.
    """

    cseq: int
    method: str
    transaction: int
    leg: Leg | None
    challenges: tuple[Challenge, ...]
    removes: bool = False


class Phone:
    """One device.

    `address` is its source address and port as contract.md 3 has it, and never changes; `mac` its MAC if it shows
    one; `unsure` why its identity is unsure, None when it is not; `first` when it was first heard of, `last` when it
    last sent, -inf before; `heard` whether any server was ever seen speaking to it; `encrypted` whether it speaks where
    nothing can be read, `lived` whether any of its lines had registered before that was seen, `omens` are what of late
    may explain what it does next; `counts` for which requests it was seen to number a Call-ID from 1
    (`memory.FROM_ONE`), and what it does with those of its REGISTERs (`registering.CARRIES`); `twin` is the number of
    the phone that this device is at another address, and since when both are known, None where it is seen at one.
    `held` is None once it is known to be a phone; `unproven` of its lines were granted nothing so far.
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
        # REGISTER: last CSeq by former Call-ID, the latest few, and at which server another came in its place (the one
        # where it was itself: empty). None, as of `again`, is none: of nearly all phones
        self.call_ids: dict[str, tuple[int, str]] | None = None
        self.again: dict[str, MayAskAgain] | None = None   # by Call-ID

    def add(self, line: Line) -> None:
        """One line more, which nothing was granted to."""
        self.lines += (line,)
        self.unproven += 1
        self.source.has_line(line)

    def lose(self, gone: Collection[Line]) -> None:
        """These lines are no more."""
        self.lines = tuple(line for line in self.lines if line not in gone)
        self.unproven = sum(1 for line in self.lines if not line.proven)
        self.source.lost_lines()

    @property
    def identity_unsure(self) -> bool:
        return self.unsure is not None

    @property
    def may_be_two(self) -> bool:
        """Whether a start of it that is merely possible may be that of another phone of a shared line, with the same
        address behind a NAT."""
        return bool(self.counts & BEGINS_AGAIN)

    @property
    def lasting(self) -> bool:
        """Whether it has been heard for a while: those that a flood invents are heard once."""
        return self.last - self.first >= LASTING

    def uses(self, uri: Uri) -> bool:
        """Whether one of its lines has this Contact host and port now."""
        return any(line.contact_host == uri.host and line.contact_port == port_of(uri) for line in self.lines)


def of_phone(phone: Phone, item: Item) -> tuple[float, int, int, int, int]:
    """How an event of the whole phone begins that this item shows: when it was, in which packet, and whose it is."""
    return item.time, item.capture, item.frame, phone.number, NO_LINE


def servers_of(phone: Phone, host: str) -> list[str]:
    """Keys of the phone's servers at this address, whatever their ports, each once."""
    keys: dict[str, None] = {}
    for line in phone.lines[:SOURCE_LINES]:
        keys.update((server.key, None) for state in line.view.states for server in state.entry.servers
                    if server.address == host)
        keys.update((used, None) for used, flow in line.routes if flow.destination_host == host)
    return list(keys)
