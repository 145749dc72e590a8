"""A whole renewal in four messages in a row: REGISTER, challenge, REGISTER, 200, and nothing between.

Where few phones speak at a time nearly all renewals pass so.  All that the short
road (`short_road`) asks of each message and does with it is asked here of the
four, once, and done once; what is odd in any way goes its way.  Only messages of
known forms come here, which nobody has read.
"""

from __future__ import annotations

from collections.abc import Sequence

from sipaudit.model.absorb_phone import LATE_FROM
from sipaudit.model.routine import Renewal
from sipaudit.reconstruct.memory import Memory
from sipaudit.reconstruct.phones import Line
from sipaudit.reconstruct.short_road import Answering, Asking
from sipaudit.reconstruct.traffic import tally
from sipaudit.reconstruct.transactions import CHALLENGES, COOKIE, Transaction
from sipaudit.sip.datagram import Datagram, Flow
from sipaudit.sip.forms import Parsed, Repeat

FOUR = 4


class FourInARow:
    """Takes renewals whole."""

    def __init__(self, memory: Memory) -> None:
        self._memory = memory

    def take(self, four: Sequence[Parsed], newest: float, capture: int) -> bool:
        """Take four messages, if they are a renewal: the first of a known form, `newest` the time of what came before
        them. The clock is moved on by who asks."""
        (one, ask, _), (two, challenge, _), (three, again, _), (four_, grant, _) = four
        if type(challenge) is not Repeat or type(again) is not Repeat or type(grant) is not Repeat \
                or ask.branch != challenge.branch or again.branch != grant.branch:  # type: ignore[union-attr]
            return False
        asking, granting = ask.form.known, grant.form.known  # type: ignore[union-attr]
        if type(asking) is not Asking:
            return False
        if asking.answered is not granting or asking.challenged is not challenge.form.known \
                or asking.again is not again.form.known:
            if not _belong_together(asking, challenge.form.known, again.form.known, granting):
                return False
        memory, cseq, sent, challenged, asked, time = (
            self._memory, ask.cseq, one.time, two.time, three.time, four_.time)  # type: ignore[union-attr]
        line = memory.sights.get(asking.sight)
        begun = memory.clock - newest   # what our clock showed when the capture's showed 0
        if (
            line is None or challenge.cseq != cseq or again.cseq != cseq + 1 or grant.cseq != cseq + 1
            or not newest <= sent <= challenged <= asked <= time or begun + time >= memory.next_sweep
            or challenged - sent >= LATE_FROM or time - asked >= LATE_FROM
            or one.capture != capture or two.capture != capture or three.capture != capture or four_.capture != capture
            or one.frames or two.frames or three.frames or four_.frames  # type: ignore[union-attr]
            or three.flow is not one.flow or not self._may_renew(line, asking, one.flow, sent, cseq)  # type: ignore[union-attr]
        ):
            return False
        first, second = ask.branch, again.branch  # type: ignore[union-attr]
        key, second_key = (first, asking.host, asking.port, "REGISTER"), (second, asking.host, asking.port, "REGISTER")
        find = memory.find
        if find(key) is not None or find(second_key) is not None or first == second or first == COOKIE \
                or second == COOKIE or not (first.startswith(COOKIE) and second.startswith(COOKIE)):
            return False
        number = memory.numbers
        memory.numbers = number + 2
        phone, renewals, call_id, status = line.owner, line.renewals, line.call_id, asking.challenged.status  # type: ignore[union-attr]
        line.cseq, line.asked, line.last, phone.last = cseq + 1, asked, time, asked
        self._count(status)
        add = memory.transactions.add_over
        add(Transaction(
            number + 1, key, cseq, call_id, "REGISTER", one.flow, line, phone, line.server, True, sent,  # type: ignore[arg-type, union-attr]
            False, begun + challenged, asking.asked, asking.contact, asking.target, asking.to_tag, None,
            1 << status // 100, status), begun + sent)
        add(Transaction(
            number + 2, second_key, cseq + 1, call_id, "REGISTER", one.flow, line, phone, line.server, True, asked,  # type: ignore[arg-type, union-attr]
            False, begun + time, asking.asked, asking.contact, asking.target, asking.to_tag, None, 4, 200), begun + asked)
        renewals.end_whole(Renewal(  # type: ignore[union-attr]
            capture, one.frame, sent, number + 1, asking.asked, call_id, status, challenged, two.frame, asked,  # type: ignore[arg-type, union-attr]
            three.frame, number + 2, again.nonce == challenge.nonce != "", time, four_.frame, granting.granted))  # type: ignore[union-attr]
        return True

    def _may_renew(self, line: Line, asking: Asking, flow: Flow, time: float, cseq: int) -> bool:
        """Whether the line may begin a mere renewal with this REGISTER, and hear of it by its server."""
        memory, renewals, server = self._memory, line.renewals, line.server
        return (
            renewals is not None and renewals.current is None and renewals.last is None and time < renewals.until
            and server == renewals.server and flow is line.flow and line.revision == line.view.revision
            and cseq == line.cseq + 1 and asking.call_id == line.call_id and not line.owner.again
            and ((line.uri is asking.uri and line.address is asking.contact and line.user_agent is asking.user_agent)
                 or line.looks(asking.uri, asking.contact, asking.user_agent))
            and server in line.heard and flow.destination in memory.servers.registrars and not memory.servers.relays
        )

    def _count(self, status: int) -> None:
        """Two requests, and their answers."""
        methods, statuses = self._memory.traffic.methods, self._memory.traffic.statuses
        if "REGISTER" not in methods:
            tally(methods, "REGISTER")
            methods["REGISTER"] -= 1
        methods["REGISTER"] += 2
        statuses[status] = statuses.get(status, 0) + 1
        statuses[200] = statuses.get(200, 0) + 1


def _belong_together(asking: Asking, challenging: object, again: object, granting: object) -> bool:
    """Whether messages of these forms are a renewal, when what is new in them is right; noted with the first of them."""
    if type(challenging) is not Answering or type(again) is not Asking or type(granting) is not Answering:
        return False
    place = asking.host, asking.port
    if not (
        place == (challenging.host, challenging.port) == (again.host, again.port) == (granting.host, granting.port)
        and challenging.status in CHALLENGES and granting.status == 200 and len(challenging.proof) == 1
        and len(again.proof) < 2 and asking.asked == again.asked != 0 and asking.call_id == again.call_id
        and asking.sight == again.sight and asking.uri == again.uri and asking.contact == again.contact
        and asking.user_agent == again.user_agent and asking.target == again.target and asking.to_tag == again.to_tag
        and granting.contact is again.contact and granting.own is True and granting.granted
    ):
        return False
    asking.challenged, asking.again, asking.answered = challenging, again, granting
    return True
