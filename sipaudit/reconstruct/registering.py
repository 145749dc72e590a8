"""REGISTER: the first packet of each, and what its Call-ID and CSeq show about the phone."""

from __future__ import annotations

from collections.abc import Iterator
from math import inf

from sipaudit.model.events import FETCH, Booted, Sent
from sipaudit.model.timers import BOOT_SILENCE
from sipaudit.reconstruct.bounds import KEPT_CALL_IDS, SOURCE_LINES, UNRESOLVED
from sipaudit.reconstruct.contacts import asked_expiry, own_contact
from sipaudit.reconstruct.identity import SHARED, weak
from sipaudit.reconstruct.late_challenges import CHALLENGE_ANSWERED_WITHIN, note_unasked
from sipaudit.reconstruct.memory import FIRST_CSEQ, FIRST_SENDING, Memory
from sipaudit.reconstruct.phones import BEGINS_AGAIN, CARRIES, LOGS_OUT, Line, Phone, of_phone
from sipaudit.reconstruct.senders import caller, place, stranger, turned_to
from sipaudit.reconstruct.starts import is_at_head
from sipaudit.reconstruct.transactions import Key, Transaction
from sipaudit.sip.datagram import Datagram
from sipaudit.sip.message import Address, Request
from sipaudit.turned_away import forget_oldest

NEVER_USED = None, ""


class Registering:
    """Turns REGISTERs into events."""

    __slots__ = ("_memory",)

    def __init__(self, memory: Memory) -> None:
        self._memory = memory

    def take(self, item: Datagram, request: Request, key: Key) -> Transaction:
        """The first packet of a REGISTER. Most messages are these, so nothing is looked up twice here."""
        memory, flow, time, to = self._memory, item.flow, item.time, request.to
        cseq, call_id, uri, contacts = request.cseq.number, request.call_id, to.uri, request.contacts
        contact = contacts[0] if len(contacts) == 1 else own_contact(contacts)
        line = memory.sights.get(flow.source, uri.user)
        if line is None or (
            (line.uri is not uri or line.address is not contact or line.user_agent is not request.user_agent)
            and not line.looks(uri, contact, request.user_agent)
        ):
            line = place(memory, item, request, uri, contact)
            if line is None:
                return self._of_no_line(item, request, key, contact)
        phone = line.owner
        if flow is not line.flow or line.revision != line.view.revision:
            memory.use(line, flow, item, registers=True)
            if line.call_id == call_id and line.turned == time:
                phone.counts |= CARRIES
        server = line.server
        if contact is None and not item.cut:
            return self._fetches(item, request, key, line)
        asked = asked_expiry(request, contact)
        if asked == 0:
            phone.counts |= LOGS_OUT
        follows, _, proves = memory.follows(phone, request, removes=asked == 0) if phone.again else FIRST_SENDING
        started, before = False, line.call_id
        if call_id == before:
            call_id, fresh = before, False   # one string object for all events that store it
        else:
            fresh = self._is_unused(call_id, phone, line)
        if (fresh or cseq < line.cseq) and (   # a phone that restarts its CSeq has lost it (RFC 3261 10.2)
            time - phone.last >= BOOT_SILENCE or time <= phone.omens.may_start or memory.starts.began(phone, time)
        ):
            started = self._may_have_started(phone, line, item)
        if fresh:
            if before is not None:
                note_another(line, before, started)
            memory.begins(phone, item, "REGISTER", cseq, line.first)
        elif cseq > line.cseq + 1:
            self._jumps(phone, line, cseq, item)
        elif follows is None and time - line.asked <= CHALLENGE_ANSWERED_WITHIN and request.credentials:
            note_unasked(memory, phone, item, request)
        line.cseq = cseq
        line.asked = line.spoke = phone.last = line.last = time
        memory.numbers = number = memory.numbers + 1
        transaction = Transaction(
            number, key, cseq, call_id, "REGISTER", flow, line, phone, server, True, time, False, memory.clock, asked,
            contact, request.uri, to.tag,
        )
        memory.transactions.add(transaction, line.held is None)
        memory.registry.emit(phone, line, Sent(
            time, item.capture, item.frame, line.phone, line.number, server, "REGISTER", number, False, asked,
            follows, fresh, False, None, call_id, "", proves, fresh and cseq == FIRST_CSEQ,
        ))
        return transaction

    def _of_no_line(self, item: Datagram, request: Request, key: Key, contact: Address | None) -> Transaction:
        """A REGISTER truncated by the snap length may lack its Contact, so that its line cannot be found."""
        phone = caller(self._memory, item.flow, contact)
        if phone is not None:
            turned_to(self._memory, phone, item)
        return stranger(self._memory, item, request, key)

    def _fetches(self, item: Datagram, request: Request, key: Key, line: Line) -> Transaction:
        """A REGISTER without Contact only queries the bindings (RFC 3261 10.2.3): it takes a CSeq, but it binds, moves
        and renews nothing."""
        memory, phone, cseq = self._memory, line.owner, request.cseq.number
        follows, _, proves = memory.follows(phone, request, FETCH) if phone.again else FIRST_SENDING
        if request.call_id == line.call_id:
            line.cseq, line.asked = cseq, item.time
        phone.last = line.last = line.spoke = item.time
        memory.numbers = number = memory.numbers + 1
        transaction = Transaction(
            number, key, cseq, request.call_id, FETCH, item.flow, line, phone, line.server, True, item.time, False,
            memory.clock, uri=request.uri, to_tag=request.to.tag)
        memory.transactions.add(transaction, line.held is None)
        memory.registry.emit(phone, line, Sent(
            item.time, item.capture, item.frame, line.phone, line.number, line.server, FETCH, number, follows=follows,
            call_id=request.call_id, proves=proves))
        return transaction

    def _is_unused(self, call_id: str, phone: Phone, line: Line) -> bool:
        """Note another Call-ID for the line's REGISTERs; whether the phone never used it before."""
        stays = line.turned <= line.asked   # both Call-IDs are used at one server
        if line.call_id is not None:
            if phone.call_ids is None:
                phone.call_ids = {}
            phone.call_ids.pop(line.call_id, None)
            phone.call_ids[line.call_id] = line.cseq, "" if stays else line.server
        line.call_id = call_id
        call_ids = phone.call_ids or {}
        last, supplanted = call_ids.get(call_id, NEVER_USED)
        if last is not None and weak(phone) and (stays or supplanted in ("", line.server)):
            phone.unsure = SHARED   # a phone may have one Call-ID per server, not two for one
        if last is None and len(phone.lines) > 1:
            last = max((other.cseq for other in under_one_call_id(line)), default=None)
        if last is not None:
            line.cseq, line.asked = last, line.first
            return False
        forget_oldest(call_ids, KEPT_CALL_IDS + len(phone.lines), "phone-state")
        return True

    def _jumps(self, phone: Phone, line: Line, cseq: int, item: Datagram) -> None:
        """The line's CSeq grew by more than one: a loss, unless the gap is explained. Several lines may share the CSeqs
        of one Call-ID (RFC 3261 10.2), and a request that found no connection, or no address, used a number (8.1.1.5)
        but was never sent."""
        latest = max((line, *under_one_call_id(line)), key=lambda one: one.cseq)
        if latest.cseq < cseq - 1 - phone.omens.unsent_since(latest.asked):
            self._memory.lose(phone, item, "a jump in CSeq", latest.asked)

    def _may_have_started(self, phone: Phone, line: Line, item: Datagram) -> bool:
        """A new Call-ID, or a restarted CSeq, after a silence: a boot, seen or possible, when it goes to the head of
        the list (reference-model.md 1, *boot*). A phone with a new address starts afresh wherever it sends to; one
        never seen before has no past to forget. Whether there may have been a boot."""
        devices = self._memory.registry.devices
        moved = devices.moved(phone)
        if moved:
            for each in phone.lines:
                each.since = item.time
            if line.proven:
                devices.here(line)
        seen = self._memory.starts.ends(phone, line, item.time) and is_at_head(line)
        unresolved = item.time - phone.omens.unresolved <= UNRESOLVED   # then the list's head may not resolve either
        if not seen and not moved and (phone.last == -inf or not (unresolved or is_at_head(line))):
            return False
        self._memory.registry.emit(phone, None, Booted(*of_phone(phone, item), not seen))
        return True


def note_another(line: Line, supplanted: str, started: bool) -> None:
    """A line behind a NAT has a Call-ID never used before, in place of `supplanted`. A phone keeps one Call-ID for all
    its REGISTERs of a boot cycle (RFC 3261 10.2), or has another at each server. So if the former one was used at this
    server, or moved from one server to another, and was never logged out, then either the phone `started`, or another
    phone shares the line; the latter only counts if nothing but guises distinguishes the two."""
    phone = line.owner
    assert phone.call_ids is not None
    if line.contact_host == phone.host or phone.counts & LOGS_OUT or not weak(phone) or phone.mac is not None:
        return
    stays = phone.call_ids[supplanted][1] == ""
    if not (stays or phone.counts & CARRIES):
        return
    if started:
        phone.counts |= BEGINS_AGAIN
    else:
        phone.unsure = SHARED


def under_one_call_id(line: Line) -> Iterator[Line]:
    """The phone's other lines that register under the line's Call-ID."""
    for other in line.owner.lines[:SOURCE_LINES]:
        if other is not line and other.call_id == line.call_id:
            yield other
