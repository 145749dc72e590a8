"""The short road: renewals of lines of which nothing else is seen.

Nine messages of ten belong to the REGISTER, challenge, REGISTER, 200 by which a
phone renews what it has, alike each time but for branch, CSeq, nonce and time.
The long road (`requests`, `responses`) asks of each whose it may be, and makes
an event of it, of which those who follow the events then remember that it was
a mere renewal (`model.routine`). Where they said so of a line (`Line.renewals`),
a message that is what the last renewal lets expect is remembered here as the
long road would, and `Renewals` is told of it instead of an event.

Each of the two steps does all that the long one does of this, or nothing:
what is odd in any way is left to the long road. So correctness needs nothing of
this file, and a test holds that both roads come to the same.
"""

from __future__ import annotations

from sipaudit.model.absorb_phone import LATE_FROM
from sipaudit.model.routine import Renewal
from sipaudit.reconstruct.memory import Memory, proves
from sipaudit.reconstruct.registrations import granted_expiry
from sipaudit.reconstruct.traffic import tally
from sipaudit.reconstruct.transactions import CHALLENGES, COOKIE, Transaction
from sipaudit.sip.datagram import Datagram
from sipaudit.sip.message import Request, Response


class ShortRoad:
    """Takes messages of mere renewals."""

    def __init__(self, memory: Memory) -> None:
        self._memory = memory

    def asks(self, item: Datagram, request: Request) -> bool:
        """Take a REGISTER that begins a renewal, or answers its challenge. False: it must go the long road."""
        memory, flow, uri, contacts = self._memory, item.flow, request.to.uri, request.contacts
        line = memory.sights.get((flow.source, uri.user))
        if line is None or line.renewals is None or len(contacts) != 1:
            return False
        contact, cseq, call_id = contacts[0], request.cseq.number, line.call_id
        if (
            (line.uri is not uri or line.address is not contact or line.user_agent is not request.user_agent)
            and not line.looks(uri, contact, request.user_agent)
        ) or flow is not line.flow or line.revision != line.view.revision \
                or cseq != line.cseq + 1 or call_id is None or request.call_id != call_id:
            return False
        via, renewals, phone, server, time = request.via, line.renewals, line.owner, line.server, item.time
        branch, again, renewal = via.branch, phone.again, renewals.current
        key = (branch, via.host, via.port, "REGISTER")
        if memory.find(key) is not None or not branch.startswith(COOKIE) or branch == COOKIE:
            return False
        asked = request.expires if contact.expires is None else contact.expires   # it is no `*`: that is no line's own
        number = memory.numbers + 1
        if renewal is None:
            if again or renewals.last is not None or time >= renewals.until or server != renewals.server or asked == 0:
                return False
            renewals.begin(Renewal(item.capture, item.frame, time, number, asked, call_id))
        else:
            challenge = None if again is None else again.get(call_id)
            if again is None or challenge is None or challenge[0] != line.cseq or challenge[2] != renewal.transaction \
                    or renewal.again or len(again) > 1 or asked != renewal.expires or server != renewals.server \
                    or item.capture != renewal.capture:
                return False
            phone.again = None
            renewal.asked, renewal.asked_frame, renewal.again = time, item.frame, number
            renewal.proves = proves(request.credentials, challenge[4])
        memory.numbers = number
        methods = memory.traffic.methods
        try:
            methods["REGISTER"] += 1
        except KeyError:
            tally(methods, "REGISTER")
        line.cseq = cseq
        line.asked = line.last = phone.last = time
        memory.transactions.add(Transaction(
            number, key, cseq, call_id, "REGISTER", flow, line, phone, server, True, time, False, memory.clock, asked,
            contact, request.uri, request.to.tag,
        ), True)
        return True

    def answers(self, item: Datagram, response: Response) -> bool:
        """Take the answer to a REGISTER, if it is a challenge, or the 200 that ends a renewal. False: as above."""
        memory, via, cseq = self._memory, response.via, response.cseq
        transaction = memory.find((via.branch, via.host, via.port, "REGISTER"))
        if transaction is None or transaction.line is None or transaction.classes or transaction.sibling is not None:
            return False
        line = transaction.line
        renewals, time, status = line.renewals, item.time, response.status
        if renewals is None or renewals.current is None or response.retry_after is not None:
            return False
        renewal, phone, number, sent = renewals.current, line.owner, transaction.number, transaction.time
        if number != (renewal.again or renewal.transaction) or transaction.cseq != cseq.number \
                or sent is None or time - sent >= LATE_FROM or item.capture != renewal.capture \
                or line.revision != line.view.revision or transaction.server not in line.heard \
                or transaction.flow.destination not in memory.servers.registrars:
            return False
        statuses = memory.traffic.statuses
        if status == 200:
            granted, own = granted_expiry(transaction.contact, response)
            if own is not True or not granted or memory.servers.relays or (renewal.status and not renewal.again):
                return False
            if not renewal.again:
                renewal.asked = sent
            renewal.answered, renewal.answer_frame, renewal.granted = time, item.frame, granted
        elif status in CHALLENGES:
            if renewal.status or phone.again:
                return False
            phone.again = {transaction.call_id: (transaction.cseq, "REGISTER", number, None, response.challenges)}
            renewal.status, renewal.challenged, renewal.challenge_frame = status, time, item.frame
        else:
            return False
        statuses[status] = statuses.get(status, 0) + 1
        transaction.seen, transaction.status, transaction.classes = memory.clock, status, 1 << status // 100
        line.last = time
        if status == 200:
            renewals.end(renewal)
        return True
