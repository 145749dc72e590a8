"""Events from captured items that are not SIP messages: transport errors, connections, DNS lookups, gaps in streams
(reference-model.md F2; *contact*).

Only for known phones and candidates, and only towards servers of their lines: a phone also talks to provisioning
servers, name servers and web sites.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence

from sipaudit.model.events import Contacted, ContactKind, Failed, FailureKind, Lost
from sipaudit.reconstruct.bounds import SOURCE_LINES
from sipaudit.reconstruct.carriers import Carriers
from sipaudit.reconstruct.lives import entry_asked, entry_changed, told_at_once
from sipaudit.reconstruct.lookups import failing, is_refusal, may_have, note_single
from sipaudit.reconstruct.memory import Memory
from sipaudit.reconstruct.phones import Line, Phone, of_phone, servers_of
from sipaudit.reconstruct.traffic import tally
from sipaudit.reconstruct.transactions import Key, Transaction, identifies
from sipaudit.reconstruct.views import EntryState
from sipaudit.sip.datagram import (
    Connection,
    ConnectionKind,
    DnsMessage,
    ErrorKind,
    Flow,
    Gap,
    Item,
    Sought,
    Start,
    TransportError,
)
from sipaudit.sip.headers import read_via

_FAILURES = {
    ErrorKind.ICMP: FailureKind.ICMP, ErrorKind.REFUSED: FailureKind.REFUSED,
    ErrorKind.UNANSWERED: FailureKind.REFUSED, ErrorKind.RESET: FailureKind.RESET, ErrorKind.TLS: FailureKind.TLS,
}
UNOPENED = frozenset({ErrorKind.REFUSED, ErrorKind.UNANSWERED, ErrorKind.TLS})   # nothing was sent over the connection
_CONTACTS = {
    ConnectionKind.SYN: ContactKind.SYN, ConnectionKind.CLOSED: ContactKind.CLOSED,
    ConnectionKind.DROPPED: ContactKind.DROPPED,
}


class Beside:
    """Turns items that are not SIP messages into events."""

    def __init__(self, memory: Memory) -> None:
        self._memory = memory
        self._registry = memory.registry
        self._carriers = Carriers(memory.registry)
        self._lookups = memory.lookups

    def take(self, item: Item) -> None:
        """Handle any item that is not a datagram."""
        if isinstance(item, DnsMessage):
            phones = self._registry.phones_at(item.client)
            if item.response:
                self._is_told(item, phones)
            else:
                self._looks_up(item, phones)
        elif isinstance(item, TransportError):
            self._transport_error(item)
        elif isinstance(item, Connection):
            self._connection(item)
        elif isinstance(item, Sought):
            self._sought(item)
        elif isinstance(item, Gap):
            self._gap(item)
        elif isinstance(item, Start):
            self._memory.starts.take(item)

    # -- failures ------------------------------------------------------------------------------------------------

    def _transport_error(self, item: TransportError) -> None:
        """A server cannot be reached. It fails the request that ICMP quotes; otherwise everything the phone sends on
        this flow."""
        if item.kind is ErrorKind.ICMP:
            if item.quoted.startswith(b"SIP/2.0"):
                return  # a response could not be delivered: nobody's server failed
            transaction = self._quoted(item)
            if transaction is not None and transaction.phone is not None:
                sent = item.sent if transaction.time is None else transaction.time
                self._fail(transaction.phone, transaction.server, item, sent, transaction.number)
                return
        phone = self._phone_on(item.flow)
        if phone is not None:
            if item.kind in UNOPENED:
                phone.omens = phone.omens.could_not_send(item.sent)
            for server in _servers_on(phone, item.flow):
                self._memory.servers.note(server, item.flow)   # the phone uses it, though nothing could be sent
                self._fail(phone, server, item, item.sent, None)

    def _fail(self, phone: Phone, server: str, item: TransportError, sent: float, transaction: int | None) -> None:
        self._registry.emit(phone, None, Failed(
            *of_phone(phone, item), server, _FAILURES[item.kind], sent, transaction))

    def _quoted(self, item: TransportError) -> Transaction | None:
        """The phone's transaction that the ICMP error quotes."""
        key = read_quoted(item.quoted)
        transaction = None if key is None else self._memory.transaction(key)
        while transaction is not None:
            flow = transaction.flow
            if (
                transaction.from_phone and flow.source_host == item.flow.source_host
                and flow.destination_host == item.flow.destination_host
            ):
                return transaction
            transaction = transaction.sibling
        return None

    # -- connections ---------------------------------------------------------------------------------------------

    def _connection(self, item: Connection) -> None:
        if item.kind is ConnectionKind.ENCRYPTED:
            tally(self._memory.traffic.encrypted, item.flow.transport)
        touched = self._touch(item, item.flow.source_host, item.flow.destination_host, item.flow.destination_port)
        if not touched and item.kind is not ConnectionKind.SYN:  # a server closes connections, or sends, too
            self._touch(item, item.flow.destination_host, item.flow.source_host, item.flow.source_port)

    def _touch(self, item: Connection, host: str, server_host: str, port: int) -> bool:
        """Note a connection between a phone at `host` and one of its servers at the other end; whether it is one."""
        touched = False
        for phone in self._registry.phones_at(host):
            for server in _servers_at(phone, server_host, port):
                touched = True
                if item.kind is ConnectionKind.ENCRYPTED:
                    phone.encrypted = True
                    continue
                self._contact(phone, server, _CONTACTS[item.kind], item)
        return touched

    def _sought(self, item: Sought) -> None:
        """Address requests for a server (ARP, neighbour discovery) go unanswered: the phone at that host, or some phone
        whose packets that router carries, has something to send to the server."""
        phones = self._registry.phones_at(item.host)
        if not phones and item.mac is not None and item.target in self._memory.entries.hosts:
            phones = self._carriers.phones_of(item.mac, item)
        for phone in phones:
            for server in servers_of(phone, item.target):
                self._contact(phone, server, ContactKind.SOUGHT, item)

    def _contact(self, phone: Phone, server: str, kind: ContactKind, item: Item) -> None:
        """Emit a contact. It does not end the silence before a boot: a starting phone looks up names and connects
        first."""
        self._registry.emit(phone, None, Contacted(*of_phone(phone, item), server, kind))

    def _gap(self, item: Gap) -> None:
        """Bytes are missing from a stream between a phone and one of its servers. Whatever the phone sent there, it was
        a contact."""
        for phone in self._registry.phones_at(item.flow.source_host):
            asked = _servers_on(phone, item.flow)
            if asked:
                self._lose(phone, item)
            for server in asked:
                self._contact(phone, server, ContactKind.UNREAD, item)
        for phone in self._registry.phones_at(item.flow.destination_host):
            if _servers_at(phone, item.flow.source_host, item.flow.source_port):
                self._lose(phone, item)

    def _lose(self, phone: Phone, item: Gap) -> None:
        why = f"{item.missing} bytes of a stream" if item.missing else "bytes of a stream"
        self._registry.emit(phone, None, Lost(*of_phone(phone, item), why))

    # -- names ---------------------------------------------------------------------------------------------------

    def _looks_up(self, query: DnsMessage, phones: Sequence[Phone]) -> None:
        """The phones contact the servers of a name; the servers fail if this query shows that earlier ones went
        unanswered."""
        for phone in phones:
            for server in self._servers_named(phone, query.name):
                self._contact(phone, server, ContactKind.LOOKUP, query)
        since = self._lookups.in_vain_since(query, max(phone.last for phone in phones)) if phones else None
        if since is not None:
            self._unresolved(query, phones, since)
        for line in _lines(phones):
            self._asks(line, line.view.states, query)

    def _is_told(self, answer: DnsMessage, phones: Sequence[Phone]) -> None:
        """A DNS answer gives phones, or hosts that are not phones, the records of a name, or says that it has none."""
        resolves_again = self._lookups.ends_failing(answer)
        self._lookups.answered(answer)
        if is_refusal(answer):
            self._unresolved(answer, phones, answer.time)
        elif answer.rcode == 0:
            self._learn(answer, phones)
            if resolves_again and len(phones) == 1:   # of several at one address another may have asked
                self._resolved(answer, phones[0])

    def _learn(self, answer: DnsMessage, phones: Sequence[Phone]) -> None:
        """Store what an answer says about entries, and about the lines of the phones that received it."""
        for line in _lines(phones):
            note_single(self._lookups, line)
        touched = self._memory.entries.learn(answer, self._memory.servers.hosts)
        if len(answer.records) > 1 and answer.type in ("A", "AAAA"):
            self._told_at_once(phones, answer)
        for line in _lines(phones) if touched else ():
            self._renew(line, touched, answer)
            self._asks(line, touched, answer)

    def _unresolved(self, item: DnsMessage, phones: Sequence[Phone], since: float) -> None:
        """A name that does not resolve fails its servers, which the phone has wanted to reach since `since`. A missing
        SRV or NAPTR record of a server's name is no failure, nor is a missing address of the other family (RFC 3263
        4.2)."""
        for phone in phones:
            for server in self._standing_for(phone, item):
                phone.omens = phone.omens._replace(unresolved=item.time).could_not_send(since)
                self._registry.emit(phone, None, Failed(*of_phone(phone, item), server, FailureKind.DNS, since))

    def _resolved(self, item: DnsMessage, phone: Phone) -> None:
        """The servers whose name had not resolved can be tried again."""
        for server in self._standing_for(phone, item):
            self._contact(phone, server, ContactKind.RESOLVED, item)

    def _standing_for(self, phone: Phone, item: DnsMessage) -> Iterable[str]:
        """Keys of the phone's servers that the name in this query or answer leads to, each once."""
        return dict.fromkeys(server for line in phone.lines[:SOURCE_LINES]
                             for server in failing(line, item, self._memory.names))

    def _servers_named(self, phone: Phone, name: str) -> Iterable[str]:
        """Keys of the servers of the phone's lines that this name stands for, each once."""
        return dict.fromkeys(server for line in phone.lines[:SOURCE_LINES]
                             for server in line.view.named(name, may_have(self._memory.names, line, name)))

    def _renew(self, line: Line, touched: list[EntryState], item: DnsMessage) -> None:
        """The phone itself got an answer that concerns its entries: their lifetime is extended, or their lists have
        changed."""
        before = line.revision
        if before != line.view.revision:
            self._memory.catch_up(line, item)
        for state in touched:
            if state in line.view.states and state.ends and state.changed <= before:
                told = self._lookups.told(line.owner.host)
                self._registry.emit(line.owner, line, entry_changed(line, state, item, told, reordered=False))

    def _told_at_once(self, phones: Sequence[Phone], item: DnsMessage) -> None:
        told = self._lookups.told(item.client)
        for line in _lines(phones):
            for changed in told_at_once(line, item, told, self._memory.names):
                self._registry.emit(line.owner, line, changed)

    def _asks(self, line: Line, states: Collection[EntryState], item: DnsMessage) -> None:
        """Emit an event for each of these entries of the line for which the phone still waits for an answer: the
        capture may lack it."""
        for state in states:
            if state in line.view.states and state.ends and self._lookups.waits(item.client, state, self._memory.names):
                self._registry.emit(line.owner, line, entry_asked(line, state, item))

    def _phone_on(self, flow: Flow) -> Phone | None:
        """The phone that sends on this flow: the only one at its address, otherwise the one that uses its port."""
        phones = self._registry.phones_at(flow.source_host)
        if len(phones) == 1:
            return phones[0]
        return next((
            phone for phone in phones
            if any(line.flow is not None and line.flow.source == flow.source for line in phone.lines)
        ), None)


def _lines(phones: Sequence[Phone]) -> list[Line]:
    return [line for phone in phones for line in phone.lines][:SOURCE_LINES]


def read_quoted(quoted: bytes) -> Key | None:
    """The transaction key of a request that ICMP quotes (often truncated), from its method and topmost Via.

    None when these cannot be read, or when the branch alone does not identify the transaction (RFC 2543).
    """
    head, _, rest = quoted.partition(b"\r\n")
    method = head.partition(b" ")[0].decode("latin-1")
    for line in rest.split(b"\r\n")[:-1]:
        name, colon, value = line.partition(b":")
        if colon and name.strip().lower() in (b"via", b"v"):
            via = read_via(value.decode("latin-1").strip(), [])
            if not identifies(via.branch):
                return None
            return (via.branch, via.host, "INVITE" if method == "ACK" else method)
    return None


def _servers_on(phone: Phone, flow: Flow) -> Collection[str]:
    return _servers_at(phone, flow.destination_host, flow.destination_port)


def _servers_at(phone: Phone, host: str, port: int) -> Collection[str]:
    """Keys of the phone's servers at this address, listed in its lines' entries or used by its lines; each once."""
    return dict.fromkeys(key for line in phone.lines[:SOURCE_LINES] if (key := _server_of(line, host, port)))


def _server_of(line: Line, host: str, port: int) -> str | None:
    return line.view.find(host, port) or next((
        used for used, flow in line.routes if flow.destination_host == host and flow.destination_port == port), None)
