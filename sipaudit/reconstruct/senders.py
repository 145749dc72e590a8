"""The sender of a request that the shortcut by address and user (`sights`) does not find."""

from __future__ import annotations

from sipaudit.model.events import Contacted, ContactKind
from sipaudit.reconstruct.memory import Memory
from sipaudit.reconstruct.phones import Line, Phone, of_phone, servers_of
from sipaudit.reconstruct.transactions import Key, Transaction
from sipaudit.reconstruct.wording import in_words_of
from sipaudit.sip.datagram import Datagram, Flow
from sipaudit.sip.message import Address, Request, Uri
from sipaudit.sip.uri import is_name


def place(memory: Memory, item: Datagram, request: Request, uri: Uri, contact: Address | None) -> Line | None:
    """The line of a request by a phone, by the full search; the shortcut is stored if it is a phone's."""
    flow = item.flow
    if memory.is_server(flow.source, flow.source_host, flow):
        return None  # a server that forwards requests of phones
    line = memory.registry.place(request, flow, uri, contact, item)
    if line is not None and request.method == "REGISTER" and not line.by_name:
        line.by_name = is_name(request.uri.host)
    if line is not None and line.held is None and contact is not None:
        if len(memory.sights) >= memory.bounds.sights:
            memory.sights.clear()
        memory.sights.see(flow.source, uri.user, line)
        if line.uri != uri:
            line.uri = in_words_of(uri, line.user)
    return line


def caller(memory: Memory, flow: Flow, contact: Address | None) -> Phone | None:
    """The phone that sends a request whose From and Contact do not tell the line."""
    if memory.is_server(flow.source, flow.source_host, flow):
        return None
    registry, host = memory.registry, flow.source_host
    return registry.only_phone(host) if contact is None else registry.calls_from(host, contact)


def turned_to(memory: Memory, phone: Phone, item: Datagram) -> None:
    """One of the phone's lines has sent to a server; whether that fails is not tracked."""
    phone.last = item.time
    for server in servers_of(phone, item.flow.destination_host):
        memory.registry.emit(phone, None, Contacted(*of_phone(phone, item), server, ContactKind.SOUGHT))


def stranger(memory: Memory, item: Datagram, request: Request, key: Key) -> Transaction:
    """A transaction without a known phone: stored so that its responses are not taken for orphans."""
    memory.numbers += 1
    transaction = Transaction(
        memory.numbers, key, request.cseq.number, request.call_id, request.method, item.flow, None, None,
        item.flow.destination, True, item.time, request.to.tag is not None, memory.clock,
        uri=request.uri, to_tag=request.to.tag,
    )
    memory.transactions.add(transaction, known=False)
    return transaction
