"""What is remembered between two packets, and the small questions that every part of reconstruction asks of it."""

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
from sipaudit.reconstruct.phones import Line, MayAskAgain, Phone, of_phone
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

SERVERS = 64   # that lines have in one tuple for all (`_alone`)
FIRST_CSEQ = 1   # of a Call-ID, as phones count (RFC 3261 8.1.1.5 lets them begin anywhere)
FROM_ONE = {"INVITE": 1, "REGISTER": 2}   # bits of `Phone.counts`

FIRST_SENDING: tuple[None, None, bool] = (None, None, False)  # what is said of a request that is no re-send


class Memory:
    """The registries of one reconstruction. `clock` is the seconds that passed, whatever the capture's clock did;
    `swept_at` the item at which was last swept; `traffic` the capture's counters."""

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
        self.transaction = self.transactions.find   # of a key, the first; its siblings hang on it
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
        """Forget what is over."""
        self.swept_at = item
        self.next_sweep = self.clock + SWEEP
        self.transactions.sweep(self.clock)
        self.calls.sweep(self.clock, item)

    def tighten(self, bounds: Bounds) -> None:
        """Other bounds from now on."""
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
        """These lines, and phones, are forgotten: nothing here may hold them."""
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
        """A transaction has gone: nothing is waited for any more that was to follow on it, nor does its call ring."""
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
        """The answer was one after which a phone sends the same again, with CSeq + 1; its challenges, if any."""
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
        answers a challenge of that transaction, by its nonce (F13). `method` is the request's, if it has another name
        here; one that `removes` a registration repeats none that asks for it."""
        again = phone.again.get(request.call_id) if phone.again is not None else None
        if again is None or again.cseq + 1 != request.cseq.number or again.method != (method or request.method) \
                or again.removes is not removes:
            return FIRST_SENDING
        _asked_again(phone, request.call_id)
        return again.transaction, again.leg, proves(request.credentials, again.challenges)

    # -- roles and servers ---------------------------------------------------------------------------------------

    def is_server(self, address: str, host: str, flow: Flow) -> bool:
        """Whether this end of a flow is a server's; ports decide where both ends share a host, or a phone does."""
        by_host = flow.source_host != flow.destination_host and not self.registry.is_phone(host)
        return self.servers.holds(address, host, by_host)

    def goes_to_server(self, flow: Flow, method: str) -> bool | None:
        """Whether a request goes from a phone to a server (False: the other way; None: neither)."""
        relays = self.servers.relays
        from_server = flow.source in relays or self.is_server(flow.source, flow.source_host, flow)
        to_server = flow.destination in relays or self.is_server(flow.destination, flow.destination_host, flow)
        if from_server or to_server:
            return None if from_server and to_server else to_server
        from_phone = self.registry.is_phone(flow.source_host)
        if from_phone or self.registry.is_phone(flow.destination_host):
            return from_phone
        return True if method == "INVITE" else None  # it may prove to be a phone; others cannot

    def relays_calls(self, address: str, host: str) -> None:
        """This `host:port` treats calls as a server does: a phone there that never registered is none."""
        if address not in self.servers.relays and not self.registry.has_registered(host):
            self.servers.relayed(address)
            if self.registry.withdraw(host):
                self.sights.clear()

    def use(self, line: Line, flow: Flow, item: Item, *, registers: bool = False) -> None:
        """The line sends on this flow: see to it that its entries and its server are those of now."""
        if line.revision != line.view.revision:
            self.catch_up(line, item)
        if flow == line.flow:
            line.flow = flow   # another object, where too many flows were known (`run.packing`)
            return
        host = flow.destination_host
        view = self.entries.with_chain(line.view, flow)
        if view is not line.view:
            line.view, line.revision = view, -1
            self.catch_up(line, item)
        elif registers and view.declared and host not in view.hosts:
            line.strayed = True
        beside = line.flow is not None and len(line.owner.lines) > 1   # of most lines no flow but one is ever seen
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
        """The line sends to its server for the first time, or over this transport."""
        line.ways = latest(line.ways, flow, ROUTES, "phone-state")
        line.servers = (*line.servers, line.server)[-ROUTES:] if line.servers else _alone(line.server)
        for state in view.states:
            if flow.transport not in state.spoken:
                state.spoken |= {flow.transport}
        if line.held is None:
            self.servers.note(line.server, flow)

    def catch_up(self, line: Line, item: Item) -> None:
        """DNS changed the line's entries since it was last seen, or may now tell of one."""
        for flow in line.ways:
            view = self.entries.with_chain(line.view, flow)
            if view is not line.view:
                line.view, line.revision = view, -1
        before = line.revision
        line.revision = line.view.revision
        if before < 0:
            self._not_found(line, item)
        line.flow = line.follower = None   # whoever follows it may have to ask which servers it has
        for state in line.view.states:
            if state.changed > before and state.ends:
                told = self.lookups.told(line.owner.host)
                for changed in entry_noticed(line, state, item, told, found=before < 0):
                    self.registry.emit(line.owner, line, changed)

    def _not_found(self, line: Line, item: Item) -> None:
        """Which servers of the line have no address, as its phone was told before it was known for one (F2)."""
        if self.lookups.singles:   # else no call is made for every new line
            note_single(self.lookups, line)
        told = self.lookups.lives and self.lookups.told(line.owner.host)
        for changed in told_at_once(line, item, told, self.names) if told else ():
            self.registry.emit(line.owner, line, changed)
        for refusal in self.lookups.refusals(line.owner.host, item.time):
            for server in failing(line, refusal, self.names):
                self.registry.emit(line.owner, None, Failed(
                    *of_phone(line.owner, item), server, FailureKind.DNS, refusal.time))

    def heard(self, line: Line, server: str) -> None:
        """This server was seen speaking to the line."""
        if server not in line.heard:
            line.heard = latest(line.heard, server, ROUTES * 2, "phone-state") if line.heard else _alone(server)
            line.owner.heard = True

    # -- loss ----------------------------------------------------------------------------------------------------

    def missing(self, phone: Phone, item: Item, why: str, since: float | None = None) -> None:
        """Half of a transaction is missing: it began before the capture, or the capture lost it. It surely did where
        the half passed after `since`, a moment at which the phone was seen."""
        if since is None and item.time - phone.first < MID_LIFE:
            self.traffic.mid_life += 1
            return
        self.lose(phone, item, why, since)

    def begins(self, phone: Phone, item: Item, method: str, cseq: int, since: float | None = None) -> None:
        """The first request of a Call-ID that is seen. Where the phone began another with 1, a larger number shows that
        the capture lacks those before; one that was never seen to may begin anywhere."""
        if cseq == FIRST_CSEQ:
            phone.counts |= FROM_ONE[method]
            return
        phone.lived = phone.lived or method == "REGISTER"
        if phone.counts & FROM_ONE[method]:
            self.lose(phone, item, "the first of a Call-ID", since)

    def lose(self, phone: Phone, item: Item, why: str, since: float | None = None) -> None:
        """The capture lacks a packet of this phone, one that passed after `since` if that is known: maybe before the
        capture began."""
        if since is None or since >= self.traffic.first:
            self.traffic.missing_halves += 1
        self.registry.emit(phone, None, Lost(*of_phone(phone, item), why, since))


@lru_cache(SERVERS)
def _alone(server: str) -> tuple[str]:
    """One for all lines that know of this server only."""
    return (server,)


def _asked_again(phone: Phone, call_id: str) -> None:
    assert phone.again is not None
    del phone.again[call_id]
    if not phone.again:
        phone.again = None  # a dict that was used keeps its table, and there are as many of these as phones
