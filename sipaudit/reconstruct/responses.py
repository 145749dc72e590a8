"""Responses: those that a phone receives, those that it sends, and the owner of those whose request is missing."""

from __future__ import annotations

from math import inf

from sipaudit.model.events import CHALLENGES, Answered, Booted, Replied
from sipaudit.model.timers import BOOT_SILENCE, RETRY_AFTER
from sipaudit.reconstruct.bounds import START_TAKES, STIRS
from sipaudit.reconstruct.contacts import granted_expiry
from sipaudit.reconstruct.dialogs import CALL_METHODS, Leg
from sipaudit.reconstruct.late_challenges import challenged
from sipaudit.reconstruct.memory import Memory
from sipaudit.reconstruct.phones import Line, Phone, of_phone
from sipaudit.reconstruct.transactions import ANOTHER_CSEQ, BRANCH_KEY, Key, Transaction, of_response, transaction_key
from sipaudit.sip.datagram import Datagram, Flow
from sipaudit.sip.message import Response

TRYING = 2.0  # seconds in which a 100 follows its request, also on a slow path (200 ms by RFC 3261 17.2.1)
REGISTRAR_ANSWERS = frozenset({*CHALLENGES, *range(200, 300)})


class Responses:
    """Turns responses into events."""

    __slots__ = ("_memory",)

    def __init__(self, memory: Memory) -> None:
        self._memory = memory

    def take(self, item: Datagram, response: Response) -> Transaction | None:
        """Process a response; returns the transaction it belongs to."""
        memory, status, cseq = self._memory, response.status, response.cseq
        statuses = memory.traffic.statuses
        statuses[status] = statuses.get(status, 0) + 1
        key = transaction_key(response, cseq.method)
        found = memory.transaction(key)
        if found is None:
            transaction = self._orphan(item, response, key)
        elif found.sibling is None and found.cseq == cseq.number and len(key) == BRANCH_KEY:
            transaction = found  # nearly always
        else:
            transaction = of_response(found, response, item.flow) or self._orphan(item, response, key)
        if transaction is None:
            return None
        transaction.seen = memory.clock
        bit = 1 << status // 100 if status != 100 else 1  # 100 comes from the next hop: a class of its own
        classes = transaction.classes
        if classes & bit:
            memory.repeated = True
            if transaction.leg is not None:  # it may come from another fork
                memory.calls.answered(transaction.leg, transaction, response, item, memory.clock)
            return transaction
        transaction.classes = classes | bit
        if status > transaction.status:
            transaction.status = status
        line = transaction.line
        if line is not None and transaction.from_phone:
            self._answer(transaction, line, item, response)
        elif transaction.phone is not None:
            if transaction.from_phone:   # which of its lines sent the request is not known
                answered(memory, transaction, transaction.phone, item, response)
            else:
                self._reply(transaction, transaction.phone, item, response)
        elif transaction.method == "REGISTER" and status in REGISTRAR_ANSWERS:
            self._passed_on(transaction.flow)
        return transaction

    def _answer(self, transaction: Transaction, line: Line, item: Datagram, response: Response) -> None:
        """A response to a request of the phone."""
        memory, leg, time = self._memory, transaction.leg, item.time
        status, method, server = response.status, transaction.method, transaction.server
        if server not in line.heard:
            memory.heard(line, server)
        if line.revision != line.view.revision:
            memory.catch_up(line, item)
        line.last = time
        granted, own = self._registers(transaction, line, item, response) if method == "REGISTER" else (None, None)
        if not line.proven and 200 <= status < 300 and self._proves(transaction):
            self._prove(line)
        retry_after = response.retry_after
        if item.cut and retry_after is None and status >= 400:
            retry_after = RETRY_AFTER   # the part cut off may have had a Retry-After of unknown length
        event = Answered(
            time, item.capture, item.frame, line.phone, line.number, server, method, transaction.number, status,
            transaction.time, transaction.in_dialog, granted, own, transaction.asked, retry_after,
            None if leg is None else leg.number,
        )
        if line.follower is None or memory.registry.out or not line.follower.hears(event):
            if line.held is None:
                memory.registry.out.append(event)
            else:
                memory.registry.emit(line.owner, line, event)
        answered(memory, transaction, line.owner, item, response)

    def _registers(self, transaction: Transaction, line: Line, item: Datagram, response: Response
                   ) -> tuple[int | None, bool | None]:
        """Handle the answer to a REGISTER: note a registrar; returns what the answer grants (`granted_expiry`)."""
        servers, status = self._memory.servers, response.status
        if transaction.flow.destination not in servers.registrars and status in REGISTRAR_ANSWERS:
            self._answers_registers(transaction.flow)
        if not 200 <= status < 300:
            return None, None
        line.registered = True
        if servers.relays:
            servers.relays.pop(transaction.flow.source, None)
        granted, own = granted_expiry(transaction.contact, response)
        if granted is None and item.cut and transaction.asked:
            return int(transaction.asked), False   # cut off by the snap length: the expiry is unknown
        return granted, own

    def _proves(self, transaction: Transaction) -> bool:
        """Whether a 2xx proves the sender a phone: to REGISTER, or to an INVITE that no phone answered."""
        if transaction.method == "REGISTER":
            return True
        if transaction.method != "INVITE" or transaction.in_dialog:
            return False
        memory, flow = self._memory, transaction.flow
        return memory.is_server(flow.destination, flow.destination_host, flow) \
            or not memory.registry.has_registered(flow.destination_host)

    def _prove(self, line: Line) -> None:
        """The line is a phone's: release its events, and note the servers it used as servers."""
        memory = self._memory
        shown = line.held is None
        if memory.registry.prove(line) and not shown:
            for known in line.owner.lines:
                for server, flow in known.routes if known.held is None else ():
                    memory.servers.note(server, flow)

    def _answers_registers(self, flow: Flow) -> None:
        """This address is a registrar, and no phone, though it may have been taken for one when its INVITEs were
        answered."""
        memory = self._memory
        memory.servers.registered(flow)
        if flow.source_host != flow.destination_host and memory.registry.withdraw(flow.destination_host):
            memory.sights.clear()

    def _passed_on(self, flow: Flow) -> None:
        """A REGISTER not sent by a phone is answered: if a server forwarded it, the answer comes from the registrar
        behind."""
        memory = self._memory
        if memory.is_server(flow.source, flow.source_host, flow) \
                and not memory.registry.has_registered(flow.destination_host):
            self._answers_registers(flow)

    def _reply(self, transaction: Transaction, phone: Phone, item: Datagram, response: Response) -> None:
        """The phone answers a request."""
        memory, status, leg = self._memory, response.status, transaction.leg
        silence, starts = item.time - phone.last, memory.starts
        if BOOT_SILENCE <= silence < inf or (
            item.time - starts.latest <= START_TAKES and silence < inf and starts.began(phone, item.time)
        ):
            self._may_stir(transaction, phone, item, status)
        phone.last = item.time
        if leg is not None and leg.line is None:
            leg.line = transaction.line = memory.registry.of_contact(phone, response.contacts)
        line = transaction.line
        if line is not None:
            line.last = item.time
            if not line.proven and self._answers_entry(transaction, status):
                self._prove(line)
            # a phone also answers in a fork that it has left: that shows nothing about its call
            call = None if leg is not None and leg.may_be_left(response.from_.tag) else transaction.call
            memory.registry.emit(phone, line, Replied(
                item.time, item.capture, item.frame, phone.number, line.number, transaction.server,
                transaction.method, transaction.number, status, transaction.in_dialog, call,
            ))
        if leg is not None:
            memory.calls.answered(leg, transaction, response, item, memory.clock)

    def _may_stir(self, transaction: Transaction, phone: Phone, item: Datagram, status: int) -> None:
        """After a silence the phone gives an answer that a phone just booted gives, too: note that it may have started.
        If it accepts an INVITE before it registers, that counts only if all signs that only a starting device gives
        were seen."""
        began = self._memory.starts.began(phone, item.time)
        if began or status >= 300 or transaction.method != "INVITE":
            phone.omens = phone.omens._replace(may_start=max(phone.omens.may_start, item.time + STIRS))
        if began:
            self._memory.registry.emit(phone, None, Booted(*of_phone(phone, item), True))

    def _answers_entry(self, transaction: Transaction, status: int) -> bool:
        """Whether a phone accepts an INVITE from a server of an entry, as only a phone of that server would."""
        return transaction.method == "INVITE" and 100 < status < 300 \
            and transaction.flow.source_host in self._memory.entries.hosts

    def _orphan(self, item: Datagram, response: Response, key: Key) -> Transaction | None:
        """A response whose request is not stored: lost, or older than the capture. None if it belongs to no known line.
        """
        memory, flow, method = self._memory, item.flow, response.cseq.method
        replies = memory.is_server(flow.destination, flow.destination_host, flow) \
            or not memory.registry.is_phone(flow.destination_host)
        host, tag = (flow.source_host, response.to.tag) if replies else (flow.destination_host, response.from_.tag)
        leg = memory.calls.find(host, response.call_id, tag)
        line = self._line_at(host, response, replies) if leg is None or leg.line is None else leg.line
        if line is None:
            memory.traffic.mid_life += 1
            return None
        since = self._asked_after(line, leg, response, replies, item)
        within = leg is not None and leg.stands_with(response.from_.tag if replies else response.to.tag)
        memory.missing(line.owner, item, "a response without its request", since)
        outward = flow if replies else flow.back()   # from the phone to its server
        server = line.view.key(outward.destination, outward.destination_host, outward.destination_port)
        if leg is None and method in CALL_METHODS and tag is not None:
            ends = outward.source, outward.destination_host
            leg = memory.calls.open(
                (host, response.call_id, tag), line.owner, line, server, ends, memory.clock, call=True)
        memory.numbers += 1
        transaction = Transaction(
            memory.numbers, key, response.cseq.number, response.call_id, method, flow.back(), line, line.owner,
            server, not replies, None, within or (method != "INVITE" and method in CALL_METHODS), memory.clock,
            contact=line.address if method == "REGISTER" else None, leg=leg,
        )
        memory.transactions.add(transaction, known=line.held is None)
        if leg is not None and method == "BYE" and response.status >= 200 and not replies:
            memory.calls.answered(leg, transaction, response, item, memory.clock)   # the BYE itself was not seen
        return transaction

    def _line_at(self, host: str, response: Response, replies: bool) -> Line | None:
        """The line of the phone at this host that an orphan belongs to, by its AOR."""
        registry = self._memory.registry
        if not registry.is_phone(host):
            return None
        near = response.to if replies or response.cseq.method == "REGISTER" else response.from_
        return registry.of_aor(host, near.uri)

    def _asked_after(self, line: Line, leg: Leg | None, response: Response, replies: bool, item: Datagram
                     ) -> float | None:
        """A moment in the capture after which the request of an orphan was sent; None if it may have been sent before
        the capture."""
        cseq, since = response.cseq.number, None
        if leg is not None:
            if leg.follows(cseq, outward=not replies):
                since = item.time - (self._memory.clock - leg.seen)
            leg.jumps(cseq, outward=not replies)
        elif response.cseq.method == "REGISTER" and response.call_id == line.call_id and line.cseq < cseq:
            since, line.cseq = line.asked, cseq  # CSeqs of REGISTERs under one Call-ID increase, too (RFC 3261 10.2)
        elif response.status == 100 and line.owner.first < item.time - TRYING:
            since = item.time - TRYING
        return since


def answered(memory: Memory, transaction: Transaction, phone: Phone, item: Datagram, response: Response) -> None:
    """Apply an answer to a request of the phone to everything but its line: re-sends to expect, the server, the call.
    """
    status, method, leg = response.status, transaction.method, transaction.leg
    if status in ANOTHER_CSEQ:
        memory.may_ask_again(phone, transaction, response.challenges)
        if memory.unasked and method == "REGISTER":
            challenged(memory, phone, transaction, item, response.challenges)
        if method == "INVITE" and status in CHALLENGES:
            memory.relays_calls(transaction.flow.destination, transaction.flow.destination_host)
    if leg is not None:
        leg.seen = memory.clock
        if (method == "INVITE" and status > 100) or status == 481:   # nothing else says anything about the call
            memory.calls.answered(leg, transaction, response, item, memory.clock)
