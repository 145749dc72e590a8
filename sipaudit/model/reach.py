"""What a phone has learned of a server's health, and what of it may be held against the server (F2-F4).

Like all state (`state.py`) it holds no verdict, no setting and no reading.
"""

from __future__ import annotations

from collections.abc import Iterator
from math import inf

from msgspec import Struct

from sipaudit.model.events import Answered, Failed, FailureKind, Sent
from sipaudit.model.timers import LONG_RING, SILENCE_MAX

REQUEST_LASTS = 2 * SILENCE_MAX   # seconds that a request may run, and be sent elsewhere then
LONG_AGO = -inf

Evidence = Sent | Failed | Answered


class Reach(Struct, frozen=True, gc=False):
    """What a phone has learned of one server's health: requests still open, and failures not yet disproved.

    Open requests: `waiting` are those without final answer, oldest first; `ringing` the numbers of those that had a
    provisional answer; `repeated` when those that wait were last retransmitted; `cancelled` the numbers of INVITEs that
    the phone has given up; `late` those that may have run out although they, or later ones, were answered, and until
    when they were open.

    Against the server: `hard` are transport failures; `doubtful` answers that may count as failures (503, open codes)
    or that sent the phone elsewhere (3xx); `later` is until when its Retry-After runs; `broke` when it last failed by a
    transport failure, or may have (a connection dropped at rest, no answer on the segment), disproved or not.

    For it: `answered` is the last answer that proves it alive; `called` is when the last INVITE out of a dialog was
    sent to which it has given such a one.

    Contacts: `touched` is the last one, by any request, SYN or lookup; `closed` when a connection last ended;
    `resolved` when its name last resolved after it had not; `registering` the last REGISTER of any line that asked for
    more than 0.
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
        """What waits for its answer, and what may have run out although it was answered, or was overtaken."""
        return *self.waiting, *(request for request, _ in self.late)

    @property
    def is_nowhere(self) -> bool:
        """Whether its name does not resolve, by the last answer of which anything tells."""
        return any(failure.kind is FailureKind.DNS and failure.time > self.resolved for failure in self.hard)

    def was_late(self, transaction: int) -> bool:
        """Whether the request may have been given up before it was answered."""
        return any(request.transaction == transaction for request, _ in self.late)


def evidence(reach: Reach, now: float, earliest: float) -> Iterator[Evidence]:
    """Failures of the server that stand at `now`: transport failures, doubtful answers, and requests
    unanswered for at least `earliest` seconds (F2-F4)."""
    yield from reach.hard
    yield from reach.doubtful
    for request in reach.waiting:
        if now - request.time >= earliest:
            yield request
    for request, until in reach.late:
        # what another line's answer has overtaken may run on for as long as this phone waits (F2, latest)
        ran = (now if until >= request.time + SILENCE_MAX else min(until, now)) - request.time
        if until > request.time and ran >= earliest:
            yield request


def speaks_against(reach: Reach, now: float, earliest: float, *, rings: float = 0.0, closes: bool = True) -> bool:
    """Whether anything may be held against the server at `now`, be it never so little: what F2-F4 leave open, a
    connection that ended (without `closes`: in another way than by whoever had opened it), a call that has rung for
    `rings` seconds, or was overtaken by others.
    """
    since = LONG_AGO if reach.answered is None else reach.answered.time
    closed = LONG_AGO < (reach.closed if closes else min(reach.closed, reach.broke)) >= since
    rung = any(request.transaction in reach.ringing and now - request.time >= rings for request in reach.waiting)
    overtaken = any(until == request.time and now - request.time <= _runs_on(request, reach)
                    for request, until in reach.late)
    return closed or rung or overtaken or reach.later >= now or any(
        not isinstance(item, Sent) or item.transaction not in reach.ringing for item in evidence(reach, now, earliest))


def _runs_on(request: Sent, reach: Reach) -> float:
    """Seconds that a request may run which others have overtaken; one that rings may do so for long (F4)."""
    return LONG_RING if request.transaction in reach.ringing else REQUEST_LASTS


def repeated_until(reach: Reach, request: Sent) -> float:
    """When a request that waits was sent for the last time."""
    return next((time for number, time in reach.repeated if number == request.transaction), request.time)


def unanswered(reach: Reach) -> Iterator[Sent]:
    """What waits for its final answer, or did until others overtook it, and was not taken back."""
    overtaken = (request for request, until in reach.late if request.transaction not in reach.ringing
                 and until in (request.time, request.time + SILENCE_MAX))   # else its own answer came late
    return (one for one in (*reach.waiting, *overtaken) if one.transaction not in reach.cancelled)
