"""Requests: the first packet of each transaction, the phone and line it belongs to, and its dialog."""

from __future__ import annotations

from sipaudit.model.events import Received, Resent, Sent
from sipaudit.reconstruct.bounds import REFERRED, START_TAKES
from sipaudit.reconstruct.contacts import own_contact
from sipaudit.reconstruct.dialogs import ACKNOWLEDGED, CALL_METHODS, CONFIRMED, DIALOG_METHODS, CallState, Leg
from sipaudit.reconstruct.memory import FIRST_SENDING, Memory
from sipaudit.reconstruct.phones import Line, Phone
from sipaudit.reconstruct.registering import Registering
from sipaudit.reconstruct.senders import caller, place, stranger, turned_to
from sipaudit.reconstruct.traffic import tally
from sipaudit.reconstruct.transactions import Key, Transaction, of_request, transaction_key
from sipaudit.sip.datagram import Datagram, Flow
from sipaudit.sip.message import Address, Request

SUMMONS = "check-sync"   # the Event of NOTIFYs that tell phones to fetch new settings


class Requests:
    """Turns requests into events."""

    __slots__ = ("_memory", "_registering")

    def __init__(self, memory: Memory) -> None:
        self._memory = memory
        self._registering = Registering(memory)

    def take(self, item: Datagram, request: Request) -> Transaction | Leg | None:
        """Process a request; returns the transaction or leg it belongs to, None if it belongs to none."""
        memory, method = self._memory, request.method
        methods = memory.traffic.methods
        try:
            methods[method] += 1
        except KeyError:
            tally(methods, method)
        key = transaction_key(request, "INVITE" if method == "ACK" else method)
        found = memory.transaction(key)
        if found is not None:
            found = of_request(found, request, item.flow)
            if found is not None:
                return self._acknowledged(found, item) if method == "ACK" else self._sent_again(found, item)
        if method == "REGISTER":
            return self._registering.take(item, request, key)
        if method == "ACK":
            return self._ack_of_success(item, request)
        return self._begin(item, request, key)

    def _sent_again(self, transaction: Transaction, item: Datagram) -> Transaction:
        """A retransmission: the same branch to the same server."""
        transaction.seen = self._memory.clock
        self._memory.repeated = True
        phone, line = transaction.phone, transaction.line
        if transaction.from_phone and phone is not None and line is not None:
            phone.last = line.last = item.time
            self._memory.registry.emit(phone, line, Resent(
                item.time, item.capture, item.frame, phone.number, line.number, transaction.server,
                transaction.method, transaction.number,
            ))
        return transaction

    def _begin(self, item: Datagram, request: Request, key: Key) -> Transaction:
        """The first packet of a transaction other than REGISTER: from a phone, to a phone, or neither."""
        memory, flow, uri, call_id = self._memory, item.flow, request.from_.uri, request.call_id
        leg = memory.leg_at(flow.source, flow.source_host, flow, call_id, request.from_.tag)
        if leg is not None and leg.line is not None:
            return self._send(item, request, key, leg.line, leg)
        if request.to.tag is not None:
            called = memory.leg_at(flow.destination, flow.destination_host, flow, call_id, request.to.tag)
            if called is not None:
                return self._receive(item, request, key, called.line, called)
        contact = own_contact(request.contacts)
        line = memory.sights.get(flow.source, uri.user)
        if line is not None and line.looks(uri, contact, request.user_agent):
            return self._send(item, request, key, line, leg)
        if memory.calls.passes_on(call_id, request.from_.tag, flow.source_host):
            memory.relays_calls(flow.source, flow.source_host)
        goes = memory.goes_to_server(flow, request.method)
        if goes is None:
            return stranger(memory, item, request, key)
        if goes:
            line = place(memory, item, request, uri, contact)
            return self._send(item, request, key, line, leg) if line else self._call(item, request, key, leg, contact)
        return self._receive(item, request, key, self._called(item, request), None)

    def _called(self, item: Datagram, request: Request) -> Line | None:
        memory, flow = self._memory, item.flow
        line = memory.registry.called(request, flow)
        if line is None and request.method == "INVITE" and flow.source_host in memory.entries.hosts \
                and not memory.registry.is_phone(flow.destination_host):
            line = memory.registry.place_called(request, flow, item)
        return line

    def _send(self, item: Datagram, request: Request, key: Key, line: Line, leg: Leg | None) -> Transaction:
        """A phone starts a request."""
        memory, phone, flow, method, time = self._memory, line.owner, item.flow, request.method, item.time
        if flow is not line.flow or line.revision != line.view.revision:
            memory.use(line, flow, item)
        server, asked = line.server, None
        follows, before, proves = memory.follows(phone, request) if phone.again else FIRST_SENDING
        leg = leg or before or self._leg_for(request, phone, line, request.from_.tag, server,
                                               (flow.source, flow.destination_host))
        if method == "SUBSCRIBE":
            asked = request.expires
            if leg is not None and leg.number is None:
                leg.life = max(leg.life, 2.0 * (asked or 0))
        transaction = self._new(item, request, key, phone, line, server, leg, asked, from_phone=True)
        phone.last = line.last = line.spoke = time
        in_dialog = transaction.in_dialog
        event = Sent(
            time, item.capture, item.frame, phone.number, line.number, server, method, transaction.number, in_dialog,
            asked, follows, False, method == "INVITE" and self._calls_for_help(request),
            None if leg is None else leg.number, request.call_id, "" if in_dialog else _target(request), proves,
            addressed=not in_dialog and method != "REGISTER" and _is_addressed(request, flow, line, time),
        )
        if line.follower is None or memory.registry.out or not line.follower.asks(event):
            memory.registry.emit(phone, line, event)
        if leg is not None or method == "CANCEL":
            self._follow(transaction, request, item)
        return transaction

    def _call(self, item: Datagram, request: Request, key: Key, leg: Leg | None, contact: Address | None
              ) -> Transaction:
        """A request from a phone whose line cannot be told. It is a contact, and if it is a call it keeps the phone
        busy."""
        memory, flow = self._memory, item.flow
        server, ends = flow.destination, (flow.source, flow.destination_host)
        phone = leg.phone if leg is not None else caller(memory, flow, contact)
        if phone is None:
            return stranger(memory, item, request, key)
        turned_to(memory, phone, item)
        leg = leg or self._leg_for(request, phone, None, request.from_.tag, server, ends)
        transaction = self._new(item, request, key, phone, None, server, leg, None, from_phone=True)
        self._follow(transaction, request, item)
        return transaction

    def _receive(self, item: Datagram, request: Request, key: Key, line: Line | None, leg: Leg | None) -> Transaction:
        """A server starts a request to a phone. Without a line it makes no event, but its call keeps the phone busy."""
        memory, flow = self._memory, item.flow
        phone = line.owner if line is not None else leg.phone if leg is not None \
            else memory.registry.only_phone(flow.destination_host)
        if phone is None:
            return stranger(memory, item, request, key)
        if request.method == "REFER":
            phone.omens = phone.omens._replace(referred=item.time)
        if request.event is not None and request.event.startswith(SUMMONS):
            phone.omens = phone.omens._replace(may_start=item.time + START_TAKES)
        server = flow.source
        if line is not None:
            if line.revision != line.view.revision:
                memory.catch_up(line, item)
            server = memory.servers.origin(line.view, flow)
            memory.heard(line, server)
            line.last = item.time
        leg = leg or self._leg_for(request, phone, line, request.to.tag, server, (flow.destination, flow.source_host))
        transaction = self._new(item, request, key, phone, line, server, leg, None, from_phone=False)
        if line is not None:
            memory.registry.emit(phone, line, Received(
                item.time, item.capture, item.frame, phone.number, line.number, server, request.method,
                transaction.number, transaction.in_dialog, transaction.call, request.call_id if request.ends else "",
            ))
        self._follow(transaction, request, item)
        return transaction

    def _new(self, item: Datagram, request: Request, key: Key, phone: Phone, line: Line | None, server: str,
             leg: Leg | None, asked: int | None, *, from_phone: bool) -> Transaction:
        memory = self._memory
        if leg is not None and leg.number is None and request.method in CALL_METHODS:
            memory.calls.count(leg)
        memory.numbers += 1
        tag = request.to.tag
        transaction = Transaction(
            memory.numbers, key, request.cseq.number, request.call_id, request.method, item.flow, line, phone, server,
            from_phone, item.time, tag is not None, memory.clock, asked, None, request.uri, tag, leg,
        )
        memory.transactions.add(transaction, (phone.held if line is None else line.held) is None)
        return transaction

    def _leg_for(self, request: Request, phone: Phone, line: Line | None, tag: str | None, server: str,
                 ends: tuple[str, str]) -> Leg | None:
        """A leg for a request that has none so far: for one that may begin a dialog, or one inside a dialog that began
        before the capture; None for others. An incoming INVITE has no local tag yet: the phone's endpoint replaces the
        host in its key."""
        memory, method, in_dialog = self._memory, request.method, request.to.tag is not None
        if not in_dialog and method not in DIALOG_METHODS:
            return None
        if in_dialog:
            memory.traffic.mid_life += 1
        key = (phone.host if tag is not None else ends[0], request.call_id, tag)
        known = None if in_dialog else memory.calls.find(*key)
        return known or memory.calls.open(key, phone, line, server, ends, memory.clock, method in CALL_METHODS)

    def _follow(self, transaction: Transaction, request: Request, item: Datagram) -> None:
        """Apply a request to others: CANCEL to its INVITE, the rest to the dialogs of its leg."""
        memory, leg = self._memory, transaction.leg
        if leg is not None and request.method != "CANCEL":
            clock, seen = memory.clock, leg.seen
            if leg.cseq_out < 0 and transaction.from_phone and request.method == "INVITE" and not transaction.in_dialog:
                memory.begins(leg.phone, item, "INVITE", request.cseq.number)
            if memory.calls.began(leg, transaction, request, item, clock):
                memory.lose(leg.phone, item, "a jump in CSeq", item.time - (clock - seen))
        elif request.method == "CANCEL":
            self._cancelled(transaction.key)

    def _cancelled(self, key: Key) -> None:
        """CANCEL: its INVITE ends within 32 s (RFC 3261 9.1)."""
        invite = self._memory.transaction((*key[:2], "INVITE", *key[3:]))
        while invite is not None:
            invite.cancelled, invite.seen = True, self._memory.clock
            invite = invite.sibling

    def _calls_for_help(self, request: Request) -> bool:
        """Whether an INVITE calls an emergency number of the site, or an emergency service URN (RFC 5031)."""
        uri = request.uri
        if uri.scheme == "urn":
            return uri.host.lower().startswith("service:sos")
        return uri.user is not None and uri.user.partition(";")[0] in self._memory.emergency

    def _acknowledged(self, invite: Transaction, item: Datagram) -> Transaction:
        """The ACK of a non-2xx final response: it has its INVITE's branch (RFC 3261 17.1.1.3)."""
        invite.seen = self._memory.clock
        if invite.phone is not None:
            if invite.from_phone:
                invite.phone.last = item.time
            if invite.status < 200:
                self._memory.missing(invite.phone, item, "an ACK without its final response", invite.time)
                invite.status = 699
        return invite

    def _ack_of_success(self, item: Datagram, request: Request) -> Leg | None:
        """The ACK of a 2xx: a transaction of its own, which is matched by its dialog."""
        memory, flow, call_id = self._memory, item.flow, request.call_id
        leg = memory.leg_at(flow.source, flow.source_host, flow, call_id, request.from_.tag)
        if leg is not None:
            leg.phone.last = item.time
            if leg.forks.get(request.to.tag) is CONFIRMED:
                leg.forks[request.to.tag] = ACKNOWLEDGED
        elif request.to.tag is not None:
            leg = memory.leg_at(flow.destination, flow.destination_host, flow, call_id, request.to.tag)
        if leg is None:
            if memory.registry.is_phone(flow.source_host) or memory.registry.is_phone(flow.destination_host):
                memory.traffic.mid_life += 1
            return None
        unheard, leg.seen = memory.clock - leg.seen, memory.clock
        if leg.state is CallState.RINGING:
            memory.missing(leg.phone, item, "an ACK without its final response", item.time - unheard)
            memory.calls.up(leg, item, own=flow.source_host == leg.phone.host)
        return leg


def _is_addressed(request: Request, flow: Flow, line: Line, time: float) -> bool:
    """Whether a request is sent to a URI that is resolved on its own (RFC 3261 8.1.2), not through the line's list.

    For a line that registers with a name: the URI has the very address that the request goes to, so it was dialled or
    configured as a full URI, or came by REFER. The Request-URI alone does not show this: a phone may write there the
    address of whatever server it uses. It may write that server's name in To as well, so that a name other than the
    line's domain counts only after a REFER, or if the call replaces another (RFC 3891), whose URI the phone received.
    """
    host = request.uri.host
    if host != request.to.uri.host:
        return False
    return (line.by_name and host == flow.destination_host) or (host != line.domain and (
        request.replaces is not None or time - line.owner.omens.referred <= REFERRED))


def _target(request: Request) -> str:
    """Whom an INVITE that opens a dialog is for, as one text to compare, the same in all that a phone sends for one
    call. For a SUBSCRIBE that opens a dialog: whose state, and which event package.

    The host of the Request-URI is left out: it may be the server's own, which differs when the INVITE is diverted.
    """
    if request.method not in ("INVITE", "SUBSCRIBE"):
        return ""
    to = request.to.uri
    if request.method == "SUBSCRIBE":
        return f"{to.user or ''}@{to.host} {(request.event or '').partition(';')[0].strip().lower()}"
    return f"{to.user or ''}@{to.host} {request.uri.user or ''}"
