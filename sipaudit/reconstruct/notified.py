"""NOTIFY and its 200, on a short path.

Where phones watch each other, a third of all messages are these. While no evidence of failure is held against any
server, they change nothing of the line but when it was last seen. The follower of the events says whether that is so
(`LetsPass`); then no event is made or judged. Like the short road (`short_road`), each of the two steps either does
everything else that the long road does with such a message, or nothing.
"""

from __future__ import annotations

from collections.abc import Callable

from sipaudit.reconstruct.memory import Memory
from sipaudit.reconstruct.phones import Line
from sipaudit.reconstruct.traffic import tally
from sipaudit.reconstruct.transactions import Transaction, identifies
from sipaudit.sip.datagram import Datagram
from sipaudit.sip.forms import Form
from sipaudit.sip.message import Request, Response

LetsPass = Callable[[int, str, float], bool]
"""Provided by the follower of the events. For a line, a server and a time (seconds since the epoch): whether a request
from that server to the line outside calls, or its answer, changes nothing. If so, the time was advanced."""


class Notified:
    """Takes NOTIFYs of known subscriptions and the answers to them."""

    __slots__ = ("_lets_pass", "_memory")

    def __init__(self, memory: Memory, lets_pass: LetsPass) -> None:
        self._memory = memory
        self._lets_pass = lets_pass

    def asks(self, item: Datagram, request: Request, _form: Form | None = None) -> bool:
        """Take a NOTIFY of a line's server, as `Requests.take` does. False: it must go the long road."""
        memory, flow, time, call_id, tag = self._memory, item.flow, item.time, request.call_id, request.to.tag
        calls, host, source, via = memory.calls, flow.destination_host, flow.source_host, request.via
        leg, branch, number = calls.known.find((host, call_id, tag)), via.branch, request.cseq.number
        if leg is None or leg.number is not None or tag is None or host == source or request.ends:
            return False
        line, last = leg.line, leg.cseq_in
        if line is None or line.held is not None or line.flow is None or line.flow.destination != flow.source \
                or line.revision != line.view.revision:
            return False
        server, key, other = line.server, (branch, via.host, "NOTIFY"), (source, call_id, request.from_.tag)
        if server not in line.heard or not memory.servers.knows(server) or memory.transaction(key) is not None \
                or not identifies(branch) \
                or calls.known.find(other) is not None or calls.strange.find(other) is not None \
                or not self._may_pass(line, server, time):
            return False
        methods = memory.traffic.methods
        try:
            methods["NOTIFY"] += 1
        except KeyError:
            tally(methods, "NOTIFY")
        clock = leg.seen = memory.clock
        if number > last:
            leg.cseq_in = number
        line.last = time
        memory.numbers += 1
        memory.transactions.add(Transaction(
            memory.numbers, key, number, call_id, "NOTIFY", flow, line, line.owner, server, False, time, True, clock,
            None, None, request.uri, tag, leg), True)
        return True

    def answers(self, item: Datagram, response: Response, _form: Form | None = None) -> bool:
        """Take a phone's 200 to a NOTIFY, as `Responses.take` does. False: as above."""
        memory, via, time = self._memory, response.via, item.time
        transaction = memory.transaction((via.branch, via.host, "NOTIFY"))
        if transaction is None or response.status != 200 or transaction.cseq != response.cseq.number \
                or transaction.classes or transaction.from_phone or transaction.sibling is not None:
            return False
        line, leg = transaction.line, transaction.leg
        if line is None or leg is None or line.held is not None or leg.line is None or leg.number is not None \
                or leg.key[2] is None or not self._may_pass(line, transaction.server, time):
            return False
        statuses = memory.traffic.statuses
        statuses[200] = statuses.get(200, 0) + 1
        transaction.seen = leg.seen = memory.clock
        transaction.classes, transaction.status = 1 << 2, 200
        line.last = line.owner.last = time
        return True

    def _may_pass(self, line: Line, server: str, time: float) -> bool:
        """Whether it changes nothing; if so, time has passed until then. The line's own follower, if any, is asked
        first: it decides faster."""
        follower = line.follower
        return (follower is not None and line.revision == line.view.revision and follower.lets_pass(server, time)) \
            or self._lets_pass(line.number, server, time)
