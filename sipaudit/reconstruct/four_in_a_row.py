"""A whole renewal in four consecutive messages: REGISTER, challenge, REGISTER, 200.

Where few phones send at a time, nearly all renewals look like this. The checks that the short road (`short_road`) makes
for each message are made for the four together, and their result is stored once, without the state in between. If
anything is odd, none of the four is taken, and they go that road one by one. Only messages of known forms come here,
which have not been parsed.
"""

from __future__ import annotations

from sipaudit.model.renewal import Renewal
from sipaudit.model.routine import Renewals
from sipaudit.model.timers import LATE_FROM
from sipaudit.reconstruct.memory import Memory
from sipaudit.reconstruct.phones import Line
from sipaudit.reconstruct.traffic import tally
from sipaudit.reconstruct.transactions import Transaction, identifies
from sipaudit.reconstruct.wording import Answering, Asking
from sipaudit.sip.datagram import Flow
from sipaudit.sip.forms import Repeat

FOUR = 4

Unread = tuple[Repeat, object, object]
Four = tuple[Unread, Unread, Unread, Unread]
"""Four items as `Parsed`. Only the first is known to be a `Repeat`: `take` checks the others before anything else."""


class FourInARow:
    """Takes whole renewals. `pieced` collects those messages that came in several packets; the caller clears it."""

    __slots__ = ("_memory", "pieced")

    def __init__(self, memory: Memory) -> None:
        self._memory = memory
        self.pieced: list[Repeat] = []

    def take(self, four: Four, newest: float, capture: int) -> bool:
        """Take four messages, if they are a renewal; `newest` is the time of the item before them. The caller advances
        the clock. Written without helper calls, because most messages of most captures come here."""
        (one, _, _), (two, _, _), (three, _, _), (last, _, _) = four
        if type(two) is not Repeat or type(three) is not Repeat or type(last) is not Repeat:
            return False
        form, again, refused, granted = one.form, three.form, two.form, last.form
        asking, memory, cseq = form.known, self._memory, one.cseq
        if (
            one.branch != two.branch or three.branch != last.branch or again.known is not asking
            or refused.request is not asking or granted.request is not asking or type(asking) is not Asking
        ):
            return False
        challenging: Answering = refused.known  # type: ignore[assignment]  # because `request` is set (`short_road`)
        granting: Answering = granted.known  # type: ignore[assignment]
        if not (challenging.challenges and granting.grants) or asking.asked == 0:
            return False
        sent, challenged, asked, time, flow = one.time, two.time, three.time, last.time, form.flow
        line = memory.sights.get(flow.source, asking.uri.user)
        if (
            line is None or two.cseq != cseq or three.cseq != cseq + 1 or last.cseq != cseq + 1
            or not newest <= sent <= challenged <= asked <= time or memory.clock + time - newest >= memory.next_sweep
            or challenged - sent >= LATE_FROM or time - asked >= LATE_FROM
            or one.capture != capture or two.capture != capture or three.capture != capture or last.capture != capture
            or again.flow is not flow or not self._may_renew(line, asking, flow, sent, cseq)
        ):
            return False
        first, second = one.branch, three.branch
        key, second_key = (first, asking.host, "REGISTER"), (second, asking.host, "REGISTER")
        find = memory.transaction
        if first == second or find(key) is not None or find(second_key) is not None \
                or not (identifies(first) and identifies(second)):
            return False
        if one.frames or two.frames or three.frames or last.frames:
            self.pieced += [item for item in (one, two, three, last) if item.frames]
        self._note(line, asking, challenging, granting, four, key, second_key, newest)
        return True

    def _note(self, line: Line, asking: Asking, challenging: Answering, granting: Answering, four: Four,
              key: tuple[str, str, str], second_key: tuple[str, str, str], newest: float) -> None:
        """Store the renewal as two finished transactions, and report it to `Renewals`."""
        (one, _, _), (two, _, _), (three, _, _), (last, _, _) = four
        memory, phone, server, flow = self._memory, line.owner, line.server, one.form.flow
        call_id, number = asking.call_id, memory.numbers + 1
        sent, asked, time = one.time, three.time, last.time
        renewals: Renewals = line.renewals  # type: ignore[assignment]  # checked by `_may_renew`
        status, begun = challenging.status, memory.clock - newest   # our clock when the capture's was 0
        tally(memory.traffic.methods, "REGISTER", 2)
        for answered in (status, 200):
            memory.traffic.statuses[answered] = memory.traffic.statuses.get(answered, 0) + 1
        memory.numbers = number + 1
        first = Transaction(
            number, key, line.cseq + 1, call_id, "REGISTER", flow, line, phone, server, True, sent, False, begun + sent,
            asking.asked, asking.contact, asking.target, asking.to_tag, None, 1 << 4, status)
        second = Transaction(
            number + 1, second_key, line.cseq + 2, call_id, "REGISTER", flow, line, phone, server, True, asked, False,
            begun + asked, asking.asked, asking.contact, asking.target, asking.to_tag, None, 1 << 2, 200)
        memory.transactions.add(first, True)
        memory.transactions.add(second, True)
        first.seen, second.seen = begun + two.time, begun + time
        line.cseq += 2
        line.last, line.asked, line.spoke, phone.last = time, asked, asked, asked
        renewal = Renewal(
            one.capture, one.frame, sent, number, asking.asked, call_id, status, two.time, two.frame, asked,
            three.frame, number + 1, three.nonce == two.nonce != "", time, last.frame, granting.granted or 0.0)
        renewals.pass_by(renewal)

    def _may_renew(self, line: Line, asking: Asking, flow: Flow, time: float, cseq: int) -> bool:
        """Whether the line may begin a mere renewal with this REGISTER, to a known registrar that has sent to the line
        before."""
        memory, renewals, server = self._memory, line.renewals, line.server
        return (
            renewals is not None and renewals.current is None and renewals.last is None
            and renewals.since < time < renewals.until
            and server == renewals.server and flow is line.flow and line.revision == line.view.revision
            and cseq == line.cseq + 1 and asking.call_id == line.call_id and not line.owner.again
            and ((line.uri is asking.uri and line.address is asking.contact and line.user_agent is asking.user_agent)
                 or line.looks(asking.uri, asking.contact, asking.user_agent))
            and server in line.heard and flow.destination in memory.servers.registrars and not memory.servers.relays
        )
