"""`settle`: verdicts that wait for their proof, and what proves or disproves each (reference-model.md 4: they are
raised when the proof comes, with the time of the request)."""

from __future__ import annotations

from collections.abc import Callable
from math import inf

from msgspec.structs import replace

from sipaudit.model.events import Answered, Booted, ModelEvent, Received, Replied, Resent, Sent
from sipaudit.model.observations import Awaited, News, Observation, Outcome, Sign, Verdict
from sipaudit.model.packets import (
    ASKS_AGAIN,
    DIALOG_INITIATING,
    NOTHING_NEW,
    OF_SUBSCRIPTIONS,
    same_call,
    success,
    tells_failure,
)
from sipaudit.model.proofs_by_time import DEADLINES
from sipaudit.model.state import PhoneState
from sipaudit.model.timers import SILENCE_MAX
from sipaudit.turned_away import turned_away

SKEW = 1.0               # seconds by which the clocks of two captures may differ
REORDERED = 0.01         # seconds by which one direction of a mirror may lag behind the other
BEHIND = 0.1             # seconds by which it may lag because of its queue: 12 MB at 1 Gbit/s
WORKS_WITHIN = 2 * SILENCE_MAX   # seconds in which a failover ends: open requests run out, and the next server answers
LOG_OUT = 5.0            # seconds in which a log-out removes the line's other bindings, too
LOGS_IN = 20.0           # seconds in which no user can have logged in again
WAITING_KEPT = 8         # observations of one line that may wait

CONDEMN = (Outcome.CONDEMNED, Outcome.DOUBTED)
Waiting = tuple[Observation, ...]


def hold(waiting: Waiting, judged: tuple[Observation, ...]) -> tuple[Waiting, Waiting]:
    """Of newly judged observations, those that can be reported now, and those that wait: all that come from one event
    wait for the last of them, because one request makes one finding."""
    if not any(one.awaited for one in judged):
        return judged, waiting
    kept = (*waiting, *judged)
    oldest = kept[:-WAITING_KEPT]
    if oldest:
        turned_away("line-state", len(oldest))
    return oldest, kept[-WAITING_KEPT:]


def settle(waiting: Waiting, event: ModelEvent, phone: PhoneState) -> tuple[Waiting, Waiting]:
    """The observations that an event settles, and those that still wait; deadlines before the event have passed."""
    said, waiting = pass_time(waiting, event.time, phone)
    more, waiting = _release(tuple(_told(one, event) for one in waiting))
    return (*said, *more), waiting


def pass_time(waiting: Waiting, now: float, phone: PhoneState) -> tuple[Waiting, Waiting]:
    """The observations settled by time passing until `now` (seconds since the epoch), and those that still wait;
    `phone` is the phone's state then. A second call with the same time changes nothing."""
    return _release(tuple(_passed(one, now, phone) for one in waiting))


def _passed(one: Observation, now: float, phone: PhoneState) -> Observation:
    """A waiting observation after all of its deadlines until `now`: some have a second deadline after the first."""
    def settled(awaited: Awaited) -> News:
        return DEADLINES[awaited.sign](one, awaited, phone) if awaited.until < now else None

    while next_deadline((one,)) < now:
        one = _with(one, settled)
    return one


def awaits_call(waiting: Waiting) -> bool:
    """Whether any observation waits for a sign that a call of the phone, on whichever line, is up."""
    return any(awaited.sign is Sign.CALL for one in waiting for awaited in one.awaited)


def spoken(waiting: Waiting, event: Sent | Replied | Received) -> tuple[Waiting, Waiting]:
    """What an event on another line of its phone settles for a line: a call that is up there shows the phone busy (B5).
    """
    def tell(one: Observation) -> Observation:
        return _with(one, lambda awaited: _call(one, awaited, event) if awaited.sign is Sign.CALL else None, event)
    return _release(tuple(tell(one) for one in waiting))


def next_deadline(waiting: Waiting) -> float:
    """When `pass_time` next has something to settle, seconds since the epoch; infinite where nothing waits for it."""
    return min((awaited.until for one in waiting for awaited in one.awaited), default=inf)


def _release(waiting: Waiting) -> tuple[Waiting, Waiting]:
    open_events = {id(one.event) for one in waiting if one.awaited}
    return (tuple(one for one in waiting if id(one.event) not in open_events),
            tuple(one for one in waiting if id(one.event) in open_events))


def _told(one: Observation, event: ModelEvent) -> Observation:
    return _with(one, lambda awaited: SETTLES[awaited.sign](one, awaited, event), event)


def _with(one: Observation, tell: Callable[[Awaited], News], event: ModelEvent | None = None) -> Observation:
    """The observation after `tell` on each sign that it awaits: any one may acquit, all must come to condemn."""
    told = [(awaited, tell(awaited)) for awaited in one.awaited]
    if all(news is None for _, news in told):
        return one
    if any(news is Outcome.ACQUITTED for _, news in told) or one.unless is None:
        return Observation(one.expectation, one.clause, Verdict.CONFORMED, one.event, one.server)
    left = tuple(news if isinstance(news, Awaited) else awaited for awaited, news in told
                 if news not in CONDEMN)
    slight = one.slight or any(news is Outcome.DOUBTED for _, news in told)
    proof = one.proof if event is None or len(left) == len(told) else (*one.proof, event)
    if left:
        return replace(one, reason=left[0].why, awaited=left, proof=proof, slight=slight)
    return replace(one, verdict=one.unless, reason=None, unless=None, awaited=(), proof=proof, slight=slight)


# -- proof by events -------------------------------------------------------------------------------------------------

def _waited(one: Observation, awaited: Awaited, event: ModelEvent) -> News:
    """Its answer, its retransmission or its re-send shows that the phone was still waiting. The clocks of two taps
    differ, and the two directions at one tap may have queues or clocks of their own: an answer that comes soon, or no
    later than the fastest other answer, is weaker proof."""
    if not isinstance(event, Answered | Resent | Sent):
        return None
    overtaken, after = REORDERED if isinstance(event, Answered) else 0.0, event.time - one.event.time
    if after < (overtaken if event.capture == one.event.capture else SKEW):
        return None
    if isinstance(event, Sent):
        shows = event.follows == awaited.transaction
    elif event.transaction != awaited.transaction:
        return None
    elif isinstance(event, Answered):
        soon = after <= max(BEHIND, awaited.behind)
        return None if event.status < 200 else Outcome.DOUBTED if soon else Outcome.CONDEMNED
    else:
        shows = event.time >= awaited.since
    return Outcome.CONDEMNED if shows else None


def _answered(_one: Observation, awaited: Awaited, event: ModelEvent) -> News:
    if isinstance(event, Answered) and event.transaction == awaited.transaction:
        return Outcome.ACQUITTED if tells_failure(event) else Outcome.CONDEMNED
    return None


def _refused(_one: Observation, awaited: Awaited, event: ModelEvent) -> News:
    """The answer to the try. After a challenge the wait goes on for the re-send with credentials."""
    if isinstance(event, Sent) and event.follows == awaited.transaction:
        return replace(awaited, transaction=event.transaction)
    if not isinstance(event, Answered) or event.transaction != awaited.transaction or event.status < 200:
        return None
    if event.status in ASKS_AGAIN:
        return None
    return Outcome.ACQUITTED if success(event.status) else Outcome.CONDEMNED


def _call(one: Observation, awaited: Awaited, event: ModelEvent) -> News:
    """Only the phone's own packets show that the call was up for the phone; those of a subscription that shares its
    dialog outlive the call (RFC 5057 2). An answer to a BYE counts only if the BYE came after the request on trial,
    because it ends the call."""
    if isinstance(event, Booted):
        return Outcome.ACQUITTED
    if not isinstance(event, Sent | Replied | Received) or event.method in OF_SUBSCRIPTIONS \
            or event.call not in awaited.calls or _may_be_earlier(one, awaited, event):
        return None
    if isinstance(event, Received):
        return replace(awaited, transaction=event.transaction) if event.method == "BYE" else None
    answers = isinstance(event, Sent) or (
        event.status < 300 and (event.method != "BYE" or event.transaction == awaited.transaction))
    return Outcome.CONDEMNED if answers else None


def _may_be_earlier(one: Observation, awaited: Awaited, event: ModelEvent) -> bool:
    """Whether this may have passed the phone before the request on trial, though captured after it: a packet to the
    phone may have crossed that request in a mirror, and another tap has another clock."""
    queued = BEHIND if isinstance(event, Received) else 0.0
    return event.time < awaited.since + (queued if event.capture == one.event.capture else SKEW)


def _silence(one: Observation, awaited: Awaited, event: ModelEvent) -> News:
    """An answer to the unanswered request's method, a request elsewhere, a call cancelled by its caller or a boot ends
    it. That the server answers other methods does not: it may have failed in part (reference-model.md 1, *failure*)."""
    if isinstance(event, Booted):
        return Outcome.ACQUITTED
    if awaited.seen:  # the time has passed; now the phone shows that it was alive
        return Outcome.CONDEMNED if isinstance(event, Sent | Resent | Replied) else None
    if isinstance(event, Sent):
        elsewhere = event.server != awaited.server and not event.in_dialog
        return Outcome.ACQUITTED if elsewhere or event.method == "CANCEL" else None
    answers = isinstance(event, Answered) and event.server == awaited.server and not event.in_dialog \
        and isinstance(one.event, Sent) and event.method == one.event.method
    return Outcome.ACQUITTED if answers else None


def _works_on(_one: Observation, awaited: Awaited, event: ModelEvent) -> News:
    if isinstance(event, Booted):
        return Outcome.ACQUITTED
    if isinstance(event, Sent) and event.method == "REGISTER" and event.follows is None:
        return _registers_after(awaited, event)
    if not isinstance(event, Answered):
        return None
    if event.transaction == awaited.transaction and not tells_failure(event):
        return Outcome.ACQUITTED
    if not success(event.status) or event.server == awaited.server or event.time > awaited.since + WORKS_WITHIN:
        return None
    asked = event.sent is not None and event.sent > awaited.since
    works = asked and not event.in_dialog and event.method not in NOTHING_NEW and event.asked != 0
    return Outcome.CONDEMNED if works else None


def _registers_after(awaited: Awaited, register: Sent) -> News:
    """Another removal elsewhere means a log-out, and a REGISTER at the server that was left a log-in; so may the first
    REGISTER elsewhere, unless it comes soon."""
    if register.server == awaited.server:
        return None if register.expires == 0 else Outcome.ACQUITTED
    if register.expires == 0 or (register.time > awaited.since + LOGS_IN and not awaited.seen):
        return Outcome.ACQUITTED
    return replace(awaited, seen=True)


def _registers(_one: Observation, awaited: Awaited, event: ModelEvent) -> News:
    """The line goes on: it calls, answers the challenge of its try, or registers before a user could have logged in
    again. A retransmission of the try shows nothing: a REGISTER cannot be cancelled. Nor do requests of calls that had
    begun before."""
    if isinstance(event, Booted):
        return Outcome.ACQUITTED
    if isinstance(event, Sent) and event.method == "INVITE" and not (event.in_dialog or event.goes_its_way):
        # a line that has logged out makes no calls
        return None if event.call in awaited.calls else Outcome.CONDEMNED
    if not isinstance(event, Sent) or event.method != "REGISTER":
        return None
    elsewhere = event.server != awaited.server
    if event.expires == 0:
        # the re-send with credentials is no second one; elsewhere, and soon, it is a log-out
        return Outcome.ACQUITTED if elsewhere and event.time <= awaited.since + LOG_OUT else None
    if event.follows is not None:
        return _or_waits(awaited, event.time) if elsewhere else None
    if not awaited.seen and event.time > awaited.since + LOGS_IN:
        return Outcome.ACQUITTED  # a user who logged out may be back
    return None if event.fresh or awaited.seen else _or_waits(awaited, event.time)


def _or_waits(awaited: Awaited, now: float) -> News:
    """Condemned, once it is too late for a log-out at other servers; until then half of the proof."""
    return replace(awaited, seen=True) if now <= awaited.since + LOG_OUT else Outcome.CONDEMNED


def _stays(one: Observation, awaited: Awaited, event: ModelEvent) -> News:
    """The next dialog that the line opens shows where it is. A call to the same number goes where that number goes."""
    if isinstance(event, Booted):
        return Outcome.ACQUITTED
    if not isinstance(event, Sent) or event.in_dialog or event.follows is not None or event.goes_its_way \
            or event.method not in DIALOG_INITIATING:
        return None
    if event.server in awaited.others:
        return Outcome.ACQUITTED
    again = isinstance(one.event, Sent) and same_call(event, one.event)
    return Outcome.CONDEMNED if event.server == awaited.server and not again else None


def _began(one: Observation, awaited: Awaited, event: ModelEvent) -> News:
    """When it is retransmitted: sooner after the first sending than after any later one. A request that is answered
    before, or came over a connection, leaves that open."""
    if isinstance(event, Answered) and event.transaction == awaited.transaction:
        return Outcome.DOUBTED
    again = isinstance(event, Resent) and event.transaction == awaited.transaction and event.time >= awaited.since
    if not again:
        return None
    return Outcome.CONDEMNED if event.time - one.event.time <= awaited.behind else Outcome.ACQUITTED


SETTLES: dict[Sign, Callable[[Observation, Awaited, ModelEvent], News]] = {
    Sign.WAITED: _waited, Sign.ANSWERED: _answered, Sign.REFUSED: _refused, Sign.CALL: _call,
    Sign.SILENCE: _silence, Sign.WORKS_ON: _works_on, Sign.REGISTERS: _registers, Sign.STAYS: _stays,
    Sign.BEGAN: _began,
}
