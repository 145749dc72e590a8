"""How events change the state of a phone: failure evidence by server, and calls.  Descriptive, total, as `absorb`."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TypeVar

from msgspec.structs import replace

from sipaudit.model.events import (
    Answered,
    Booted,
    CallChanged,
    Contacted,
    ContactKind,
    Failed,
    Lost,
    ModelEvent,
    Resent,
    Sent,
)
from sipaudit.model.packets import MOVERS, tells_failure
from sipaudit.model.reach import REQUEST_LASTS, Reach, repeated_until
from sipaudit.model.state import Binding, Call, PhoneState
from sipaudit.model.timers import LATE_FROM, SILENCE_MAX, SLACK_MIN, T1
from sipaudit.model.unanswered import call_runs_out
from sipaudit.turned_away import latest, turned_away

WAITING_KEPT = 16      # requests in flight kept for one (phone, server)
EVIDENCE_KEPT = 8
REACHES_KEPT = 32      # servers kept for one phone
CALLS_KEPT = 32        # calls kept for one phone that are not over
REPEATED_KEPT = 600.0  # seconds for which times of retransmissions are kept: more than enough for any lookup
LATE_KEPT = 8          # requests kept that may have run out although they were answered

Failure = TypeVar("Failure", bound=Answered | Failed)
OfServer = TypeVar("OfServer", bound=Binding | Reach)


def absorb_phone(phone: PhoneState, event: ModelEvent) -> PhoneState:
    """The phone's state after `event`."""
    if type(event) is Sent:
        return with_reach(phone, _sent(phone.reach(event.server), event))
    if type(event) is Answered:
        before = phone.reach(event.server)
        after = (_finally_answered if event.status >= 200 else _answered)(before, event)
        return phone if after is before and before in phone.reaches else with_reach(phone, after)
    if type(event) is CallChanged:
        return _called(phone, event)
    if type(event) is Resent:
        return with_reach(phone, _resent(phone.reach(event.server), event))
    if isinstance(event, Failed):
        return with_reach(phone, _failed(phone.reach(event.server), event))
    if isinstance(event, Contacted):
        return with_reach(phone, _contacted(phone.reach(event.server), event))
    if isinstance(event, Lost):
        return replace(phone, lost=event.time)
    if isinstance(event, Booted) and not event.possible:
        return PhoneState((), phone.lost, started=event.time)
    return phone


def with_reach(phone: PhoneState, reach: Reach) -> PhoneState:
    """The phone's state with this new `Reach` of one server."""
    reaches = phone.reaches
    alone = len(reaches) == 1 and reaches[0].server == reach.server   # nearly always
    return PhoneState((reach,) if alone else in_its_place(reaches, reach, REACHES_KEPT), phone.lost,
                      phone.calls, phone.quiet, phone.started)


def in_its_place(known: tuple[OfServer, ...], one: OfServer, most: int) -> tuple[OfServer, ...]:
    """`known` with `one` in place of its server's entry; if there are more than `most`, the oldest is dropped."""
    for index, other in enumerate(known):
        if other.server == one.server:
            return (*known[:index], one, *known[index + 1:])
    return latest(known, one, most, "line-state")


def _sent(reach: Reach, request: Sent) -> Reach:
    if request.method == "CANCEL":
        return _cancelled(reach, request)
    waiting = reach.waiting
    if len(waiting) >= WAITING_KEPT:
        waiting = waiting[:-1]   # the oldest stay: evidence counts from the first unanswered send
        turned_away("line-state")
    registering = request if request.method == "REGISTER" and request.expires != 0 else reach.registering
    return Reach(reach.server, (*waiting, request), reach.ringing, reach.hard, reach.doubtful, reach.answered,
                 request.time, reach.closed, registering, reach.later, reach.cancelled, reach.repeated, reach.late,
                 reach.called, reach.broke, reach.resolved)


def _cancelled(reach: Reach, cancel: Sent) -> Reach:
    """The phone gives up its last INVITE of that call there."""
    given_up = [request.transaction for request in reach.waiting if request.method == "INVITE"
                and request.line == cancel.line and request.call == cancel.call]
    if len(reach.cancelled) > WAITING_KEPT and given_up:
        turned_away("line-state")
    return replace(reach, touched=cancel.time, cancelled=(*reach.cancelled[-WAITING_KEPT:], *given_up[-1:]))


def _resent(reach: Reach, packet: Resent) -> Reach:
    late = reach.late
    if packet.transaction in reach.ringing:
        late = _not_heard(reach, packet)
    elif late:  # still retransmitted although a later request was answered: it is open still
        late = tuple((request, request.time + SILENCE_MAX if request.transaction == packet.transaction else until)
                     for request, until in late)
    open_ = {request.transaction for request in reach.unsettled} - {packet.transaction}
    repeated = (*(one for one in reach.repeated if one[0] in open_), (packet.transaction, packet.time))
    return replace(reach, touched=packet.time, repeated=repeated, late=late)


def _not_heard(reach: Reach, packet: Resent) -> tuple[tuple[Sent, float], ...]:
    """An INVITE that is retransmitted was not answered as far as the phone knows (RFC 3261 17.1.1.2): answers in the
    capture, the final one too, may be lost between tap and phone. It may run out once it is no longer retransmitted."""
    request = next((one for one in reach.waiting if one.transaction == packet.transaction), None)
    others = tuple(one for one in reach.late if one[0].transaction != packet.transaction)
    if request is None or len(others) >= LATE_KEPT:
        return reach.late
    return *others, (request, _sent_again_by(request, packet.time))


def _contacted(reach: Reach, contact: Contacted) -> Reach:
    if contact.kind is ContactKind.CLOSED:
        return replace(reach, closed=contact.time)
    if contact.kind is ContactKind.DROPPED:
        return replace(reach, closed=contact.time, broke=contact.time)
    if contact.kind is ContactKind.SOUGHT:
        return replace(reach, touched=contact.time, broke=contact.time)
    if contact.kind is ContactKind.RESOLVED:
        return replace(reach, resolved=contact.time)
    return replace(reach, touched=contact.time)


def _called(phone: PhoneState, change: CallChanged) -> PhoneState:
    """A call begins, is up, or is over; a call not stored yet began before the capture."""
    known, others = (phone.call(change.call), tuple(call for call in phone.calls if call.number != change.call)) \
        if phone.calls else (None, ())
    if change.state == "over":
        return PhoneState(phone.reaches, phone.lost, others, _over(phone, known, change.time), phone.started)
    up, answered = (change.time, change) if change.state == "up" else (None, None)
    call = Call(change.call, change.line, change.server, known.began if known else change.time, up, answered)
    calls = latest(others, call, CALLS_KEPT, "line-state")
    return PhoneState(phone.reaches, phone.lost, calls, phone.quiet, phone.started)


def _over(phone: PhoneState, call: Call | None, noticed: float) -> float:
    """When the phone became quiet: a call that ran out may have ended long before a later packet shows that."""
    ran_out = None if call is None else call_runs_out(phone, call, REQUEST_LASTS)
    return noticed if ran_out is None else max(phone.quiet, min(noticed, ran_out))


def _answered(reach: Reach, answer: Answered) -> Reach:
    """The reach after a provisional answer."""
    if answer.method != "INVITE" or answer.transaction in reach.ringing:
        return reach  # F4: a provisional stops no non-INVITE's timer F
    if len(reach.ringing) > WAITING_KEPT:
        turned_away("line-state")
    return replace(reach, ringing=(*reach.ringing[-WAITING_KEPT:], answer.transaction),
                   late=_late(reach, answer, ()) if _is_late(answer) else reach.late)


def _finally_answered(reach: Reach, answer: Answered) -> Reach:
    """The reach after a final answer: it ends a wait, and disproves failures, unless it may be one itself (F2-F4)."""
    doubt = answer.status >= 300 and tells_failure(answer)
    waiting, hard, doubtful, late = reach.waiting, reach.hard, reach.doubtful, reach.late
    sent, repeated = answer.sent, reach.repeated
    if len(waiting) == 1 and waiting[0].transaction == answer.transaction:
        waiting = ()
    else:
        waiting = tuple(request for request in waiting if not _settles(answer, request, doubt))
    if late or len(reach.waiting) > len(waiting) + 1 or (sent is not None and answer.time - sent >= LATE_FROM):
        late = _late(reach, answer, waiting)
    if hard and not doubt:
        hard = tuple(failure for failure in hard if answer.method not in MOVERS or not _disproves(answer, failure.sent))
    if doubtful and not doubt:
        doubtful = tuple(old for old in doubtful if old.line != answer.line or old.method != answer.method
                         or not _disproves(answer, old.time))
    if doubt:
        doubtful = _evident(doubtful, answer)
    ringing = tuple(number for number in reach.ringing if number != answer.transaction) if reach.ringing else ()
    later = _later(reach, answer) if doubt else reach.later
    called = reach.called
    if answer.method == "INVITE" and not doubt and not answer.in_dialog:
        called = answer.time if sent is None else sent
    return Reach(reach.server, waiting, ringing, hard, doubtful, reach.answered if doubt else answer, reach.touched,
                 reach.closed, reach.registering, later, reach.cancelled,
                 repeated and recent_repeats(repeated, answer.time), late, called, reach.broke,
                 reach.resolved)


def recent_repeats(repeated: tuple[tuple[int, float], ...], now: float) -> tuple[tuple[int, float], ...]:
    """The times of retransmissions (`Reach.repeated`); none once the last is too old to be looked up again."""
    return () if repeated and now - repeated[-1][1] > REPEATED_KEPT else repeated


def _is_late(answer: Answered) -> bool:
    """Whether the phone may have given up the request before this answer came (F2, *earliest*)."""
    return answer.sent is not None and answer.time - answer.sent >= LATE_FROM


def _made_good(reach: Reach, answer: Answered, request: Sent, until: float) -> bool:
    """Whether the server has since proved that it answers. A request that others overtook may run out all the same,
    while one that rings has no time limit to exceed (F4)."""
    if request.line != answer.line or answer.status < 200:
        return False  # others' answers need not count, and only a final one does (reference-model.md 1, *failure*)
    if until == request.time:
        return answer.time - request.time > REQUEST_LASTS and request.transaction not in reach.ringing
    if answer.sent is not None and repeated_until(reach, request) > answer.sent:
        return False  # it was still retransmitted after the request of this answer: its phone may wait longer (F2)
    return (request.in_dialog or request.method == answer.method) and _disproves(answer, until)


def _not_made_good(reach: Reach, answer: Answered) -> Iterator[tuple[Sent, float]]:
    """Requests that may have run out in spite of this answer. A call that still rings is no longer a failure, just as
    if its own line's answers had overtaken it, but stays open: its phone is busy."""
    for request, until in reach.late:
        if not _made_good(reach, answer, request, until):
            yield request, until
        elif request.transaction in reach.ringing and request.transaction != answer.transaction:
            yield request, request.time


def _rang_in_time(reach: Reach, answer: Answered, request: Sent, until: float) -> bool:
    """Whether `answer` ends a request that another line's answer overtook while it rang: no time ran out (F4)."""
    own = request.transaction == answer.transaction and request.transaction in reach.ringing
    return own and until == request.time + SILENCE_MAX


def _late(reach: Reach, answer: Answered, waiting: tuple[Sent, ...]) -> tuple[tuple[Sent, float], ...]:
    """Requests that may have run out all the same: the one answered, if its answer is late, and those overtaken, in
    case they are still retransmitted. The same line's answer to a later request of the same method disproves it, other
    lines' need not (reference-model.md 1, *failure*). One that rings has been answered already (F4)."""
    waited = None if answer.transaction in reach.ringing else answer.transaction
    kept = [(request, answer.time if request.transaction == waited else until)
            for request, until in _not_made_good(reach, answer) if not _rang_in_time(reach, answer, request, until)]
    for request in reach.waiting:
        if request.transaction == answer.transaction:
            if _is_late(answer) and request.transaction not in reach.ringing:
                kept.append((request, answer.time))
        elif answer.status >= 200 and request not in waiting and not request.in_dialog \
                and (request.call is None or request.call != answer.call):
            kept.append((request, _open_until(reach, answer, request)))
    while len(kept) > LATE_KEPT:
        turned_away("line-state")
        kept.remove(min(kept, key=lambda one: _weighs(one[0], one[1], answer.time)))
    return tuple(kept)


def _open_until(reach: Reach, answer: Answered, request: Sent) -> float:
    """Until when a request that `answer` overtakes may be open. Another line's answer does not end the wait; but a
    phone that has not retransmitted when that was due, after twice the last interval, had given up before."""
    if request.line == answer.line:
        return request.time
    repeated = repeated_until(reach, request)
    ended = _sent_again_by(request, repeated)
    repeats = repeated > request.time and request.transaction not in reach.ringing   # ringing: not retransmitted
    given_up = repeats and answer.sent is not None and ended < answer.sent
    return ended if given_up else request.time + SILENCE_MAX


def _sent_again_by(request: Sent, repeated: float) -> float:
    """By when the phone would have retransmitted a request that it has not given up: after twice the last interval."""
    return request.time + T1 + 2 * (repeated - request.time) + SLACK_MIN


def _weighs(request: Sent, until: float, now: float) -> tuple[bool, float]:
    """Weight of a request that may have run out: movers first, then seconds open (F2) or, if overtaken, left to run."""
    open_for = until - request.time if until > request.time else request.time + REQUEST_LASTS - now
    return request.method in MOVERS and not request.in_dialog, open_for


def _later(reach: Reach, answer: Answered) -> float:
    """Until when the server has asked, by Retry-After, not to be used (F3)."""
    return reach.later if answer.retry_after is None else max(reach.later, answer.time + answer.retry_after)


def _settles(answer: Answered, request: Sent, doubt: bool) -> bool:
    """Whether `answer` ends the wait for `request`: it answers that, or proves the server alive and answers a request
    of the same method begun later; a wait inside a dialog ends with any such later answer."""
    if request.transaction == answer.transaction:
        return True
    same = request.in_dialog or request.method == answer.method
    return not doubt and same and _disproves(answer, request.time)


def _disproves(answer: Answered, since: float) -> bool:
    """Whether `answer` belongs to an out-of-dialog request begun after `since` (reference-model.md 1, *failure*)."""
    return not answer.in_dialog and answer.sent is not None and answer.sent > since


def _failed(reach: Reach, failure: Failed) -> Reach:
    return replace(reach, hard=_evident(reach.hard, failure), broke=failure.time)


def _evident(known: tuple[Failure, ...], one: Failure) -> tuple[Failure, ...]:
    """The evidence against the server, with one more; if there is too much, the first ones and the last are kept."""
    if len(known) >= EVIDENCE_KEPT:
        turned_away("samples")
    return (*known[:EVIDENCE_KEPT - 1], one)
