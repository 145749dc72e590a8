"""What a phone has learned of a server's health, and what counts as evidence against the server (F2-F4).

Like all state (`state.py`) it holds no verdict, no setting and no reading.
"""

from __future__ import annotations

from collections.abc import Iterator
from math import inf

from msgspec import Struct

from sipaudit.model.events import Answered, Failed, FailureKind, Sent
from sipaudit.model.timers import LONG_RING, SILENCE_MAX

REQUEST_LASTS = 2 * SILENCE_MAX   # seconds that a request may run, including at a second server
LONG_AGO = -inf

Evidence = Sent | Failed | Answered


class Reach(Struct, frozen=True, gc=False):
    """What a phone has learned of one server's health: requests still open, and failures not yet disproved.

    Open requests: `waiting` are those without final answer, oldest first; `ringing` the numbers of those that had a
    provisional answer; `repeated` the times of the last retransmissions of those in `waiting`; `cancelled` the numbers
    of INVITEs that the phone has given up; `late` requests that may have run out although they, or later ones, were
    answered, and until when they were open.

    Evidence against the server: `hard` are transport failures; `doubtful` answers that may count as failures (503, open
    codes) or that sent the phone elsewhere (3xx); `later` is when its Retry-After ends; `broke` when a transport
    failure last occurred, or may have (an idle connection dropped, no answer on the segment), disproved or not.

    Evidence for it: `answered` is the last answer that proves it alive; `called` is when the last out-of-dialog INVITE
    was sent to which it gave such an answer.

    Contacts: `touched` is the time of the last one, by any request, SYN or lookup; `closed` when a connection last
    ended; `resolved` when its name last resolved again after it had not; `registering` the last REGISTER of any line
    that asked for more than 0.
    """

    server: str
    waiting: tuple[Sent, ...] = ()
    ringing: tuple[int, ...] = ()
    hard: tuple[Failed, ...] = ()
    doubtful: tuple[Answered, ...] = ()
    answered: Answered | None = None
    touched: float = LONG_AGO
    closed: float = LONG_AGO
    registering: Sent | None = None
    later: float = LONG_AGO
    cancelled: tuple[int, ...] = ()
    repeated: tuple[tuple[int, float], ...] = ()
    late: tuple[tuple[Sent, float], ...] = ()
    called: float = LONG_AGO
    broke: float = LONG_AGO
    resolved: float = LONG_AGO

    @property
    def unsettled(self) -> tuple[Sent, ...]:
        """Requests that wait, and those that may have run out although they were answered or overtaken."""
        return *self.waiting, *(request for request, _ in self.late)

    @property
    def is_nowhere(self) -> bool:
        """Whether its name does not resolve, by the last lookup result that was seen."""
        return any(failure.kind is FailureKind.DNS and failure.time > self.resolved for failure in self.hard)

    def was_late(self, transaction: int) -> bool:
        """Whether the request may have been given up before it was answered."""
        return any(request.transaction == transaction for request, _ in self.late)


def evidence(reach: Reach, now: float, earliest: float) -> Iterator[Evidence]:
    """Failures of the server that stand at `now`: transport failures, doubtful answers, and requests unanswered for at
    least `earliest` seconds (F2-F4)."""
    yield from reach.hard
    yield from reach.doubtful
    for request in reach.waiting:
        if now - request.time >= earliest:
            yield request
    for request, until in reach.late:
        # a request overtaken by another line's answer may run for as long as this phone waits (F2, latest)
        ran = (now if until >= request.time + SILENCE_MAX else min(until, now)) - request.time
        if until > request.time and ran >= earliest:
            yield request


def speaks_against(reach: Reach, now: float, earliest: float, *, rings: float = 0.0, closes: bool = True) -> bool:
    """Whether there is any evidence against the server at `now`, however slight: what F2-F4 leave open, a connection
    that ended (if not `closes`: only one not closed by the side that opened it), a call that has rung for `rings`
    seconds, or a request that was overtaken by others."""
    since = LONG_AGO if reach.answered is None else reach.answered.time
    closed = LONG_AGO < (reach.closed if closes else min(reach.closed, reach.broke)) >= since
    rung = any(request.transaction in reach.ringing and now - request.time >= rings for request in reach.waiting)
    overtaken = any(until == request.time and now - request.time <= _runs_on(request, reach)
                    for request, until in reach.late)
    return closed or rung or overtaken or reach.later >= now or any(
        not isinstance(item, Sent) or item.transaction not in reach.ringing for item in evidence(reach, now, earliest))


def _runs_on(request: Sent, reach: Reach) -> float:
    """How many seconds an overtaken request may still run after its start; one that rings may do so for long (F4)."""
    return LONG_RING if request.transaction in reach.ringing else REQUEST_LASTS


def repeated_until(reach: Reach, request: Sent) -> float:
    """When a waiting request was last sent."""
    return next((time for number, time in reach.repeated if number == request.transaction), request.time)


def unanswered(reach: Reach) -> Iterator[Sent]:
    """Requests that wait for a final answer, or did until others overtook them, and were not cancelled."""
    overtaken = (request for request, until in reach.late if request.transaction not in reach.ringing
                 and until in (request.time, request.time + SILENCE_MAX))   # otherwise its own answer came late
    return (one for one in (*reach.waiting, *overtaken) if one.transaction not in reach.cancelled)
