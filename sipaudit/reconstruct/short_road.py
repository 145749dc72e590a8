"""The short road: renewals of lines with no other traffic.

Nine messages of ten belong to the REGISTER, challenge, REGISTER, 200 by which a phone renews its registration; each
time they differ only in branch, CSeq, nonce and time. The long road (`requests`, `responses`) finds the line of each
and makes an event of it, and the follower of the events then notes only that it was a mere renewal (`model.routine`).
Once a line has `Line.renewals`, a message that matches its last renewal is stored here as the long road would store it,
and `Renewals` is updated directly, without an event.

The constant content of such a message is stored with its form (`sip.forms`): from then on messages of the same form are
taken without being parsed.

Each of the two steps either does all that the long road does with such a message, or nothing: anything odd is left to
the long road. So correctness does not depend on this file, and a test holds that both roads give the same result.
"""

from __future__ import annotations

from sipaudit.model.renewal import Renewal
from sipaudit.model.timers import LATE_FROM
from sipaudit.one import one_number
from sipaudit.reconstruct.contacts import granted_expiry
from sipaudit.reconstruct.memory import Memory
from sipaudit.reconstruct.phones import Line, MayAskAgain
from sipaudit.reconstruct.traffic import tally
from sipaudit.reconstruct.transactions import Transaction, identifies, proves
from sipaudit.reconstruct.whose import Note, whose
from sipaudit.reconstruct.wording import Answering, Asking, one_answer, one_uri
from sipaudit.sip.datagram import Datagram, Flow
from sipaudit.sip.forms import Form, Repeat
from sipaudit.sip.message import Challenge, Request, Response


class ShortRoad:
    """Takes messages of mere renewals."""

    __slots__ = ("_memory",)

    def __init__(self, memory: Memory) -> None:
        self._memory = memory

    def repeats(self, repeat: Repeat) -> bool:
        """Take a message of a known form, if it belongs to a renewal. False: it must be parsed and passed in again."""
        form, nonce = repeat.form, repeat.nonce
        known = form.known
        if type(known) is Answering:
            asking: Asking = form.request  # type: ignore[assignment]  # as `_know_answer` notes it
            transaction = self._memory.transaction((repeat.branch, asking.host, "REGISTER"))
            challenges = (Challenge(known.realm, nonce),) if nonce else ()
            return transaction is not None and transaction.contact == asking.contact \
                and self._answer(repeat, known, transaction, repeat.cseq, challenges)
        if type(known) is not Asking:
            return False
        flow = form.flow
        line = self._memory.sights.get(flow.source, known.uri.user)
        credentials = (Challenge("", nonce),) if nonce else ()   # only the nonce is used
        return line is not None and self._ask(repeat, flow, line, known, repeat.branch, repeat.cseq, credentials)

    def asks(self, item: Datagram, request: Request, form: Form | None = None) -> bool:
        """Take a REGISTER that begins a renewal, or answers its challenge. False: it must go the long road."""
        line = self._memory.sights.get(item.flow.source, request.to.uri.user)
        if line is None or line.renewals is None or len(request.contacts) != 1:
            return False
        asking = _asking(request, line)
        if form is not None:
            form.known = asking
        return self._ask(item, item.flow, line, asking, request.via.branch, request.cseq.number, request.credentials)

    def answers(self, item: Datagram, response: Response, form: Form | None = None) -> bool:
        """Take the answer to a REGISTER, if it is a challenge, or the 200 that ends a renewal. False: it must go the
        long road."""
        via = response.via
        transaction = self._memory.transaction((via.branch, via.host, "REGISTER"))
        if transaction is None or transaction.line is None or transaction.line.renewals is None \
                or response.retry_after is not None:
            return False
        answering = _answering(response, transaction)
        if form is not None:
            _know_answer(form, answering, transaction)
        return self._answer(item, answering, transaction, response.cseq.number, response.challenges)

    def note(self, form: Form, message: Request | Response, transaction: Transaction) -> None:
        """Learn a form's content from a message of that form that has gone the long road."""
        if transaction.line is None or message.cseq.method != "REGISTER":
            return
        if type(message) is Response:
            form.known = form.request = None
            if message.retry_after is None:
                _know_answer(form, _answering(message, transaction), transaction)
        elif len(message.contacts) == 1:
            form.known = _asking(message, transaction.line)  # type: ignore[arg-type]

    def _ask(self, item: Datagram | Repeat, flow: Flow, line: Line, asking: Asking, branch: str, cseq: int,
             credentials: tuple[Challenge, ...]) -> bool:
        """Take a REGISTER with this content and these variable parts; False if it is no step of a mere renewal."""
        memory, uri, contact, renewals = self._memory, asking.uri, asking.contact, line.renewals
        call_id = line.call_id
        if renewals is None or (
            (line.uri is not uri or line.address is not contact or line.user_agent is not asking.user_agent)
            and not line.looks(uri, contact, asking.user_agent)
        ) or flow is not line.flow or line.revision != line.view.revision \
                or cseq != line.cseq + 1 or call_id is None or asking.call_id != call_id:
            return False
        phone, server, time = line.owner, line.server, item.time
        again, renewal = phone.again, renewals.current
        key = (branch, asking.host, "REGISTER")
        if memory.transaction(key) is not None or not identifies(branch):
            return False
        asked = asking.asked   # the Contact is no `*`: no line has that
        number = memory.numbers + 1
        if renewal is None:
            if again or renewals.last is not None or not renewals.since < time < renewals.until \
                    or server != renewals.server or asked == 0:
                return False
            renewals.begin(Renewal(item.capture, item.frame, time, number, asked, call_id))
        else:
            refused = None if again is None else again.get(call_id)
            if again is None or refused is None or refused.cseq != line.cseq \
                    or refused.transaction != renewal.transaction or renewal.again or len(again) > 1 \
                    or asked != renewal.expires or server != renewals.server or item.capture != renewal.capture:
                return False
            phone.again = None
            renewal.asked, renewal.asked_frame, renewal.again = time, item.frame, number
            renewal.proves = proves(credentials, refused.challenges)
        memory.numbers = number
        methods = memory.traffic.methods
        try:
            methods["REGISTER"] += 1
        except KeyError:
            tally(methods, "REGISTER")
        line.cseq = cseq
        line.asked = line.spoke = line.last = phone.last = time
        memory.transactions.add(Transaction(
            number, key, cseq, call_id, "REGISTER", flow, line, phone, server, True, time, False, memory.clock, asked,
            contact, asking.target, asking.to_tag,
        ), True)
        return True

    def _answer(self, item: Datagram | Repeat, answering: Answering, transaction: Transaction, cseq: int,
                challenges: tuple[Challenge, ...]) -> bool:
        """Take an answer with this content and these variable parts; False if it is no step of a mere renewal."""
        memory, line = self._memory, transaction.line
        if line is None or transaction.classes or transaction.sibling is not None:
            return False
        renewals, time, status = line.renewals, item.time, answering.status
        if renewals is None or renewals.current is None:
            return False
        renewal, phone, number, sent = renewals.current, line.owner, transaction.number, transaction.time
        if number != (renewal.again or renewal.transaction) or transaction.cseq != cseq \
                or sent is None or time - sent >= LATE_FROM or item.capture != renewal.capture \
                or line.revision != line.view.revision or transaction.server not in line.heard \
                or transaction.flow.destination not in memory.servers.registrars:
            return False
        statuses = memory.traffic.statuses
        if status == 200:
            granted = answering.granted
            if granted is None or not answering.grants or memory.servers.relays \
                    or (renewal.status and not renewal.again):
                return False
            if not renewal.again:
                renewal.asked = sent
            renewal.answered, renewal.answer_frame, renewal.granted = time, item.frame, granted
        elif answering.challenges:
            if renewal.status or phone.again:
                return False
            phone.again = {transaction.call_id: MayAskAgain(transaction.cseq, "REGISTER", number, None, challenges)}
            renewal.status, renewal.challenged, renewal.challenge_frame = status, time, item.frame
        else:
            return False
        statuses[status] = statuses.get(status, 0) + 1
        transaction.seen, transaction.status, transaction.classes = memory.clock, status, 1 << status // 100
        line.last = time
        if status == 200:
            renewals.end(renewal)
        return True


class NotedRoad(ShortRoad):
    """Calls `note` with each message that it takes; with a `note` all messages come here parsed (`run.reading`)."""

    __slots__ = ("_tell",)

    def __init__(self, memory: Memory, note: Note) -> None:
        super().__init__(memory)
        self._tell = note

    def asks(self, item: Datagram, request: Request, form: Form | None = None) -> bool:
        return super().asks(item, request, form) and self._noted(item, request)

    def answers(self, item: Datagram, response: Response, form: Form | None = None) -> bool:
        return super().answers(item, response, form) and self._noted(item, response)

    def _noted(self, item: Datagram, message: Request | Response) -> bool:
        via = message.via
        transaction = self._memory.transaction((via.branch, via.host, "REGISTER"))
        self._tell(item, message, whose(item, message, transaction), False)
        return True


def _asking(request: Request, line: Line) -> Asking:
    """The content of a REGISTER with one Contact: the line's own equal objects are reused, and the very object of its
    last REGISTER if that was the same."""
    uri, contact, agent, via = request.to.uri, request.contacts[0], request.user_agent, request.via
    asked = request.expires if contact.expires is None else contact.expires
    if (line.uri is not uri or line.address is not contact or line.user_agent is not agent) \
            and line.uri is not None and line.address is not None and line.looks(uri, contact, agent):
        uri, contact, agent = line.uri, line.address, line.user_agent
    call_id = request.call_id if line.call_id != request.call_id else line.call_id
    host = via.host if line.contact_host != via.host else line.contact_host
    asking = Asking(uri, contact, agent, call_id, host, asked and one_number(asked), one_uri(request.uri),
                    request.to.tag)
    if line.said != asking:
        line.said = asking
    return line.said


def _answering(response: Response, transaction: Transaction) -> Answering:
    """The content of an answer to a REGISTER."""
    granted, own = granted_expiry(transaction.contact, response) if response.status == 200 else (None, None)
    return one_answer(response.status, granted, own, response.challenges[0].realm if response.challenges else "")


def _know_answer(form: Form, answering: Answering, transaction: Transaction) -> None:
    """Store with a form that its messages answer the line's last REGISTER, if that was this transaction's."""
    said = None if transaction.line is None else transaction.line.said
    form.known = form.request = None
    if said is not None and transaction.key[1] == said.host and transaction.contact == said.contact:
        form.known, form.request = answering, said
