"""Everything stored between two packets, and the small queries on it that every part of reconstruction makes."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import lru_cache

from sipaudit.model.events import Failed, FailureKind, Lost
from sipaudit.reconstruct.bounds import AGAIN_KEPT, MID_LIFE, ROUTES, SWEEP, Bounds
from sipaudit.reconstruct.calls import Calls
from sipaudit.reconstruct.dialogs import Leg
from sipaudit.reconstruct.entries import Entries
from sipaudit.reconstruct.identity import SEVERAL, in_turns, note_apart
from sipaudit.reconstruct.knowledge import Knowledge
from sipaudit.reconstruct.lives import entry_noticed, told_at_once
from sipaudit.reconstruct.lookups import Lookups, failing, note_single
from sipaudit.reconstruct.names import Names
from sipaudit.reconstruct.phones import FROM_ONE, Line, MayAskAgain, Phone, of_phone
from sipaudit.reconstruct.registry import Registry
from sipaudit.reconstruct.servers import Servers
from sipaudit.reconstruct.sights import Sights
from sipaudit.reconstruct.starts import Starts
from sipaudit.reconstruct.traffic import Traffic
from sipaudit.reconstruct.transactions import ANOTHER_CSEQ, Transaction, Transactions, proves
from sipaudit.reconstruct.views import View
from sipaudit.sip.datagram import Flow, Item
from sipaudit.sip.message import Challenge, Request
from sipaudit.turned_away import forget_oldest, latest

SERVERS = 64   # cached tuples of one server (`_alone`)
FIRST_CSEQ = 1   # of a Call-ID, as phones count (RFC 3261 8.1.1.5 lets them begin anywhere)

FIRST_SENDING: tuple[None, None, bool] = (None, None, False)  # the result for a request that is no re-send


class Memory:
    """The registries of one reconstruction. `clock` is the seconds elapsed, whatever the capture's clock did;
    `swept_at` the item of the last sweep; `traffic` the current capture's counters."""

    __slots__ = ("bounds", "calls", "clock", "emergency", "entries", "lookups", "names", "next_sweep", "numbers",
                 "registry", "repeated", "servers", "sights", "starts", "swept_at", "traffic", "transaction",
                 "transactions", "unasked")

    def __init__(self, knowledge: Knowledge, bounds: Bounds) -> None:
        self.bounds = bounds
        self.names = Names(bounds.names)
        self.lookups = Lookups()
        self.entries = Entries(knowledge.entries, self.names, bounds.chains)
        self.servers = Servers(self.entries, self.names, bounds.servers)
        self.registry = Registry(knowledge, self.entries, bounds)
        self.calls = Calls(self.registry, bounds)
        self.transactions = Transactions(bounds.transactions, bounds.strange_transactions, self._forgotten)
        self.transaction = self.transactions.find   # the first with a key, which links to its siblings
        self.sights = Sights()
        self.starts = Starts()
        self.emergency = knowledge.emergency
        self.traffic = Traffic()
        self.clock = 0.0
        self.next_sweep = 0.0
        self.numbers = 0
        self.entries.used = self._views_used
        self.servers.used = self._servers_used
        self.registry.population.dropped.append(self._dropped)
        self.repeated = False
        self.unasked: dict[tuple[int, str, int], tuple[float, tuple[Challenge, ...]]] = {}   # see `late_challenges`
        self.swept_at: Item

    # -- transactions and legs -----------------------------------------------------------------------------------

    def leg_at(self, address: str, host: str, flow: Flow, call_id: str, tag: str | None) -> Leg | None:
        """The leg of the phone at this end of a flow, with this Call-ID and local tag."""
        calls, key = self.calls, (host, call_id, tag)
        leg = calls.known.find(key) or calls.strange.find(key)
        if leg is not None and flow.source_host == flow.destination_host and leg.endpoint != address:
            return None
        return leg

    def sweep(self, item: Item) -> None:
        """Forget transactions and legs whose lifetime is over."""
        self.swept_at = item
        self.next_sweep = self.clock + SWEEP
        self.transactions.sweep(self.clock)
        self.calls.sweep(self.clock, item)

    def tighten(self, bounds: Bounds) -> None:
        """Apply new bounds from now on."""
        self.bounds = bounds
        self.registry.population.tighten(bounds)
        self.calls.tighten(bounds)
        self.transactions.tighten(bounds.transactions, bounds.strange_transactions)
        self.servers.tighten(bounds.servers)
        self.entries.tighten(bounds.chains)
        self.names.tighten(bounds.names)
        if len(self.sights) > bounds.sights:
            self.sights.clear()

    def _dropped(self, lines: Sequence[Line], phones: Sequence[Phone]) -> None:
        """These lines and phones are forgotten: drop all references to them here."""
        if lines:
            self.sights.drop_blank()
        if phones:
            self.calls.release(set(phones))

    def _views_used(self) -> Iterator[View]:
        return (line.view for line in self.registry.lines.values())

    def _servers_used(self) -> set[str]:
        used = set()
        for line in self.registry.lines.values():
            for key, flow in line.routes:
                used.add(key)
                used.add(flow.destination)
        return used

    def _forgotten(self, transaction: Transaction) -> None:
        """A transaction was forgotten, or its phone has given it up: nothing that should follow it is awaited any more,
        and its call rings no longer."""
        phone = transaction.phone
        if phone is None:
            return
        if transaction.status in ANOTHER_CSEQ:
            again = (phone.again or {}).get(transaction.call_id)
            if again is not None and again.transaction == transaction.number:
                _asked_again(phone, transaction.call_id)
        if transaction.leg is not None and transaction.method == "INVITE":
            self.calls.given_up(transaction.leg, transaction, self.swept_at)

    def may_ask_again(self, phone: Phone, transaction: Transaction, challenges: tuple[Challenge, ...]) -> None:
        """Expect the request again with CSeq + 1 after this answer; `challenges` are the answer's, if any."""
        if phone.again is None:
            phone.again = {}
        else:
            forget_oldest(phone.again, AGAIN_KEPT - 1, "phone-state")
        phone.again[transaction.call_id] = MayAskAgain(
            transaction.cseq, transaction.method, transaction.number, transaction.leg, challenges,
            transaction.method == "REGISTER" and transaction.asked == 0)

    def follows(self, phone: Phone, request: Request, method: str = "", *, removes: bool = False
                ) -> tuple[int | None, Leg | None, bool]:
        """The transaction of which this request is the re-send (same Call-ID, next CSeq), its leg, and whether it
        answers a challenge of that transaction, by its nonce (F13). `method` is the request's name here, if not its
        own; a request that `removes` a registration is no re-send of one that requests it."""
        again = phone.again.get(request.call_id) if phone.again is not None else None
        if again is None or again.cseq + 1 != request.cseq.number or again.method != (method or request.method) \
                or again.removes is not removes:
            return FIRST_SENDING
        _asked_again(phone, request.call_id)
        return again.transaction, again.leg, proves(request.credentials, again.challenges)

    # -- roles and servers ---------------------------------------------------------------------------------------

    def is_server(self, address: str, host: str, flow: Flow) -> bool:
        """Whether this end of a flow is a server; ports decide where both ends share a host, or where a phone is at
        that host."""
        by_host = flow.source_host != flow.destination_host and not self.registry.is_phone(host)
        return self.servers.holds(address, host, by_host)

    def goes_to_server(self, flow: Flow, method: str) -> bool | None:
        """Whether a request goes from a phone to a server (False: from server to phone; None: neither)."""
        relays = self.servers.relays
        from_server = flow.source in relays or self.is_server(flow.source, flow.source_host, flow)
        to_server = flow.destination in relays or self.is_server(flow.destination, flow.destination_host, flow)
        if from_server or to_server:
            return None if from_server and to_server else to_server
        from_phone = self.registry.is_phone(flow.source_host)
        if from_phone or self.registry.is_phone(flow.destination_host):
            return from_phone
        return True if method == "INVITE" else None  # the sender may prove to be a phone; with other methods it cannot

    def relays_calls(self, address: str, host: str) -> None:
        """This `host:port` handles calls as a server does: a phone there that never registered is none."""
        if address not in self.servers.relays and not self.registry.has_registered(host):
            self.servers.relayed(address)
            if self.registry.withdraw(host):
                self.sights.clear()

    def use(self, line: Line, flow: Flow, item: Item, *, registers: bool = False) -> None:
        """The line sends on this flow: bring its entries and its server up to date."""
        if line.revision != line.view.revision:
            self.catch_up(line, item)
        if flow == line.flow:
            line.flow = flow   # an equal object, after `run.packing` dropped its flows
            return
        host = flow.destination_host
        view = self.entries.with_chain(line.view, flow)
        if view is not line.view:
            line.view, line.revision = view, -1
            self.catch_up(line, item)
        elif registers and view.declared and host not in view.hosts:
            line.strayed = True
        beside = line.flow is not None and len(line.owner.lines) > 1   # most lines only ever use one flow
        if beside and in_turns(line):
            line.owner.unsure = SEVERAL
        line.flow, line.taken = flow, item.time
        server = view.key(flow.destination, host, flow.destination_port)
        if server != line.server:
            line.server, line.turned = server, item.time
        ways = line.ways
        if not ways or all(used.destination != flow.destination or used.transport != flow.transport for used in ways):
            self._turns_to(line, flow, view)
        if beside:
            note_apart(line)

    def _turns_to(self, line: Line, flow: Flow, view: View) -> None:
        """The line sends to its server for the first time, or for the first time over this transport."""
        line.ways = latest(line.ways, flow, ROUTES, "phone-state")
        line.servers = (*line.servers, line.server)[-ROUTES:] if line.servers else _alone(line.server)
        for state in view.states:
            if flow.transport not in state.spoken:
                state.spoken |= {flow.transport}
        if line.held is None:
            self.servers.note(line.server, flow)

    def catch_up(self, line: Line, item: Item) -> None:
        """DNS changed the line's entries since its last message, or may now have an entry for it."""
        for flow in line.ways:
            view = self.entries.with_chain(line.view, flow)
            if view is not line.view:
                line.view, line.revision = view, -1
        before = line.revision
        line.revision = line.view.revision
        if before < 0:
            self._not_found(line, item)
        line.flow = line.follower = None   # its servers may have changed
        for state in line.view.states:
            if state.changed > before and state.ends:
                told = self.lookups.told(line.owner.host)
                for changed in entry_noticed(line, state, item, told, found=before < 0):
                    self.registry.emit(line.owner, line, changed)

    def _not_found(self, line: Line, item: Item) -> None:
        """Fail the line's servers without an address, by answers the phone received before it was known as a phone
        (F2)."""
        if self.lookups.singles:   # saves a call for every new line
            note_single(self.lookups, line)
        told = self.lookups.lives and self.lookups.told(line.owner.host)
        for changed in told_at_once(line, item, told, self.names) if told else ():
            self.registry.emit(line.owner, line, changed)
        for refusal in self.lookups.refusals(line.owner.host, item.time):
            for server in failing(line, refusal, self.names):
                self.registry.emit(line.owner, None, Failed(
                    *of_phone(line.owner, item), server, FailureKind.DNS, refusal.time))

    def heard(self, line: Line, server: str) -> None:
        """This server was seen sending to the line."""
        if server not in line.heard:
            line.heard = latest(line.heard, server, ROUTES * 2, "phone-state") if line.heard else _alone(server)
            line.owner.heard = True

    # -- loss ----------------------------------------------------------------------------------------------------

    def missing(self, phone: Phone, item: Item, why: str, since: float | None = None) -> None:
        """Half of a transaction is missing: it began before the capture, or the capture lost it. It is surely lost if
        `since` is given, a moment when the phone was seen and after which the missing half passed."""
        if since is None and item.time - phone.first < MID_LIFE:
            self.traffic.mid_life += 1
            return
        self.lose(phone, item, why, since)

    def begins(self, phone: Phone, item: Item, method: str, cseq: int, since: float | None = None) -> None:
        """The first request seen under a Call-ID. If the phone has begun others with CSeq 1, a larger number shows that
        the capture lacks the requests before; a phone never seen to do so may begin with any number."""
        if cseq == FIRST_CSEQ:
            phone.counts |= FROM_ONE[method]
            return
        phone.lived = phone.lived or method == "REGISTER"
        if phone.counts & FROM_ONE[method]:
            self.lose(phone, item, "the first of a Call-ID", since)

    def lose(self, phone: Phone, item: Item, why: str, since: float | None = None) -> None:
        """The capture lacks a packet of this phone, which passed after `since`, if known: possibly before the capture
        began."""
        if since is None or since >= self.traffic.first:
            self.traffic.missing_halves += 1
        self.registry.emit(phone, None, Lost(*of_phone(phone, item), why, since))


@lru_cache(SERVERS)
def _alone(server: str) -> tuple[str]:
    """One shared tuple for all lines that know only this server."""
    return (server,)


def _asked_again(phone: Phone, call_id: str) -> None:
    assert phone.again is not None
    del phone.again[call_id]
    if not phone.again:
        phone.again = None  # an emptied dict keeps its memory, and every phone would have one
