"""Answers to a line's INVITEs, BYEs and SUBSCRIBEs, taken in short where nothing is wrong.

The line's follower has asked to be told of them at once (`Line.follower`).  That spares the questions which of several
transactions is answered, what the answer proves, and which of the tables' rows it is about.  It takes only an answer to
which all of these have the usual reply, and does the rest as the long road (`responses`) does; else it does nothing.
"""

from __future__ import annotations

from sipaudit.model.events import Answered
from sipaudit.reconstruct.memory import Memory
from sipaudit.reconstruct.responses import answered
from sipaudit.sip.datagram import Datagram
from sipaudit.sip.forms import Form
from sipaudit.sip.message import Response


class Heard:
    """Takes such answers."""

    __slots__ = ("_memory",)

    def __init__(self, memory: Memory) -> None:
        self._memory = memory

    def answers(self, item: Datagram, response: Response, _form: Form | None = None) -> bool:
        """Take the first answer of its class to a request of the line, as `Responses.take` does. False: it must go the
        long road."""
        memory, via, cseq, status = self._memory, response.via, response.cseq, response.status
        transaction = memory.transaction((via.branch, via.host, cseq.method))
        if transaction is None or not transaction.from_phone or transaction.sibling is not None \
                or transaction.cseq != cseq.number:
            return False
        line, server, classes = transaction.line, transaction.server, transaction.classes
        bit = 1 << status // 100 if status != 100 else 1
        if line is None or line.follower is None or classes & bit or line.revision != line.view.revision \
                or server not in line.heard or not line.proven:
            return False
        time, leg, method = item.time, transaction.leg, transaction.method
        if not line.follower.hears(Answered(
            time, item.capture, item.frame, line.phone, line.number, server, method, transaction.number, status,
            transaction.time, transaction.in_dialog, None, None, transaction.asked, response.retry_after,
            None if leg is None else leg.number,
        )):
            return False
        statuses = memory.traffic.statuses
        statuses[status] = statuses.get(status, 0) + 1
        transaction.seen, transaction.classes, line.last = memory.clock, classes | bit, time
        if status > transaction.status:
            transaction.status = status
        answered(memory, transaction, line.owner, item, response)
        return True
