"""Answers to a line's INVITEs, BYEs and SUBSCRIBEs, on a short path for lines with nothing wrong.

The line's follower receives them at once (`Line.follower`). This skips the checks which of several transactions is
answered, what the answer proves, and which table rows it concerns. An answer is taken only if all of these checks have
their usual result, and everything else is done as on the long road (`responses`); otherwise nothing is done.
"""

from __future__ import annotations

from sipaudit.model.events import Answered
from sipaudit.reconstruct.memory import Memory
from sipaudit.reconstruct.responses import answered
from sipaudit.sip.datagram import Datagram
from sipaudit.sip.forms import Form
from sipaudit.sip.message import Response


class Heard:
    """Takes such answers for the line's follower."""

    __slots__ = ("_memory",)

    def __init__(self, memory: Memory) -> None:
        self._memory = memory

    def answers(self, item: Datagram, response: Response, _form: Form | None = None) -> bool:
        """Take the first answer of its status class to a request of the line, as `Responses.take` does. False: it must
        go the long road."""
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
