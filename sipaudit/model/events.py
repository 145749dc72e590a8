"""What can happen to a line, as the model sees it.

`reconstruct/` makes these from messages; the model knows nothing else.  A *server* here is its `host:port` key: the
entry's server when the address is one of an entry (whatever port or transport was used, reference-model.md 1),
otherwise the destination as seen.  All times are seconds since the epoch as captured.

A *transaction* number is unique in a run.  A retransmission has the number of its first sending, so it can never be
mistaken for a new event.
"""

from __future__ import annotations

from enum import StrEnum

from msgspec import Struct

NO_LINE = -1
CHALLENGES = (401, 407)   # statuses that ask for credentials (RFC 3261 22)
FETCH = "FETCH"   # our method name for a REGISTER without Contact, which queries the bindings (RFC 3261 10.2.3)


class Event(Struct, frozen=True, gc=False):
    """Common to all: when, in which packet, of which phone and line.

    `line` and `phone` are the numbers that reconstruction gave them; `line` is NO_LINE if the event concerns the whole
    phone.  `capture` and `frame` name the packet (frame as Wireshark counts).
    """

    time: float
    capture: int
    frame: int
    phone: int
    line: int


class Sent(Event, frozen=True, gc=False):
    """The phone starts a request: the first sending of a transaction. ACK is never an event; CANCEL is.

    `in_dialog`: it carries a To tag (ends, or belongs to, a dialog).
    `expires`: REGISTER and SUBSCRIBE: the expiry asked for (0 removes), None if it names none.
    `follows`: the transaction of which this is the re-send with credentials, after 422/423 or a redirect (same Call-ID,
    next CSeq); otherwise None.
    `fresh`: REGISTER only: this phone did not use its Call-ID before.
    `emergency`: the number called is one of the site's emergency numbers.
    `addressed`: its URI itself determines where it is sent, whatever the list of the line says.
    `call`: number of the dialog-forming call (shared by INVITE transactions and in-dialog requests of one Call-ID);
    None in a subscription's dialog.
    `call_id`: the Call-ID, for comparison only.  `target`: dialog-opening requests only, one text for comparison only:
    of an INVITE To and Request-URI, of a SUBSCRIBE To and event package.
    `anew`: REGISTER only: the first of all under its Call-ID, according to its CSeq.
    `proves`: it carries credentials with the nonce of the 401/407 that it `follows`.
    """

    server: str
    method: str
    transaction: int
    in_dialog: bool = False
    expires: float | None = None
    follows: int | None = None
    fresh: bool = False
    emergency: bool = False
    call: int | None = None
    call_id: str = ""
    target: str = ""
    proves: bool = False
    anew: bool = False
    addressed: bool = False

    @property
    def goes_its_way(self) -> bool:
        """Whether its number or its address determines where it goes, whatever server the line works with."""
        return self.emergency or self.addressed


class Resent(Event, frozen=True, gc=False):
    """The phone retransmits a request, unchanged (same branch)."""

    server: str
    method: str
    transaction: int


class Answered(Event, frozen=True, gc=False):
    """A response reaches the phone (the first of its status class; retransmissions are not events).

    `sent`: when the request was first sent, None if its beginning is not in the capture.
    REGISTER 2xx: `granted` the expiry in seconds that holds for the phone's own Contact (own Contact's `expires`,
    otherwise the Expires header, None if there is neither), `own` whether the phone's own Contact is listed (None: no
    Contact at all), `asked` the expiry that the request asked for.  `call`: as in its request.
    """

    server: str
    method: str
    transaction: int
    status: int
    sent: float | None = None
    in_dialog: bool = False
    granted: float | None = None
    own: bool | None = None
    asked: float | None = None
    retry_after: int | None = None
    call: int | None = None

    @property
    def request_time(self) -> float:
        """When the request was first sent; where that was not seen, when it was answered: the latest possible time."""
        return self.time if self.sent is None else self.sent


class FailureKind(StrEnum):
    """Hard evidence that a server cannot be used (F2). Silence and status codes are not included; they follow from Sent
    and Answered."""

    ICMP = "icmp"
    REFUSED = "refused"
    RESET = "reset"
    TLS = "tls"
    DNS = "dns"


class Failed(Event, frozen=True, gc=False):
    """Hard failure evidence of (phone, server); `sent` is when the failed packet was first sent."""

    server: str
    kind: FailureKind
    sent: float
    transaction: int | None = None


class ContactKind(StrEnum):
    """A contact that is no request."""

    SYN = "syn"
    LOOKUP = "lookup"
    CLOSED = "closed"
    DROPPED = "dropped"  # an idle connection was not closed by the side that opened it: it may have failed
    SOUGHT = "sought"    # its address was queried on the segment, repeatedly and without answer
    RESOLVED = "resolved"   # its name, which did not resolve before, does again
    UNREAD = "unread"    # the capture lacks data that it was sent over a connection


class Contacted(Event, frozen=True, gc=False):
    """The phone touches a server without a request (the wide term *contact*)."""

    server: str
    kind: ContactKind


class Received(Event, frozen=True, gc=False):
    """A server starts a request to the phone (first arrival). `ends`: the Call-ID of the subscription that a NOTIFY
    terminates, for comparison only; otherwise empty."""

    server: str
    method: str
    transaction: int
    in_dialog: bool = False
    call: int | None = None
    ends: str = ""


class Replied(Event, frozen=True, gc=False):
    """The phone answers a request it received (first response of its class)."""

    server: str
    method: str
    transaction: int
    status: int
    in_dialog: bool = False
    call: int | None = None


class CallChanged(Event, frozen=True, gc=False):
    """A call of the line begins (first INVITE), is up (2xx), or ends (last final response, BYE, expiry). `own`: the
    phone itself sent the packet that shows the call up."""

    server: str
    call: int
    state: str  # ringing | up | over
    own: bool = False


class Booted(Event, frozen=True, gc=False):
    """The phone booted: seen (`possible` false), or merely possible (reference-model.md 1)."""

    possible: bool


class EntryChanged(Event, frozen=True, gc=False):
    """A DNS answer gave the line's entry another list, order or end of life.

    `until`: when the first record of the chain expires, `later` when the others do; `ttl_low`, `ttl_high`: smallest and
    largest TTL of the chain in seconds; `reordered`: servers or priorities differ from before. `asked`: it is not an
    answer, but a lookup by the phone that has none so far: all the rest is as before, and may be out of date. `own`:
    the phone has been seen to get such answers itself; answers to others do not say how long its own live. `turned`:
    the phone was given its servers in another order than declared, or in none.
    """

    entry: str
    until: float
    ttl_low: float
    ttl_high: float
    reordered: bool
    later: tuple[float, ...] = ()
    asked: bool = False
    own: bool = True
    turned: bool = False


class Lost(Event, frozen=True, gc=False):
    """The capture lacks a packet of this phone: a response without its request, an ACK without its final response, a
    jump in CSeq, a stream gap; or it has one too late: a challenge after the request that answers it.  The packet
    passed after `since`, or shortly before this event where that is None; `over`: no more packets are missing for that
    reason."""

    why: str
    since: float | None = None
    over: bool = False


ModelEvent = (
    Sent | Resent | Answered | Failed | Contacted | Received | Replied | CallChanged | Booted | EntryChanged | Lost
)


def server_of(event: ModelEvent) -> str:
    """The server that an event is about; empty if it is about none."""
    return "" if isinstance(event, Booted | EntryChanged | Lost) else event.server
