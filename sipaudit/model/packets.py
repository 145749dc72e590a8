"""Sets of methods and statuses, and predicates on packets, that the state, the conditions and the incidents share."""

from __future__ import annotations

from typing import TypeGuard

from sipaudit.model.events import CHALLENGES, FETCH, Answered, Failed, Sent
from sipaudit.model.reach import Evidence, Reach, evidence
from sipaudit.model.state import Binding, Stay, Track
from sipaudit.model.timers import SILENCE_MAX

SLOW = 3.0             # seconds after which a phone may have given up a request (F2: 3.5 by default)
AT_ONCE = 2.0          # seconds from a connection's failure to the line's first packet elsewhere
SAME_NUMBER = 4 * SILENCE_MAX   # seconds in which the same number called means the same call: four silent servers
KEEPALIVES = frozenset({"OPTIONS", "NOTIFY", "PING", FETCH})   # FETCH asks for no more than the others do
NOTHING_NEW = KEEPALIVES | {"CANCEL"}   # whose 2xx does not make a server the working one
DIALOG_INITIATING = frozenset({"INVITE", "SUBSCRIBE", "REFER"})
MOVERS = DIALOG_INITIATING | {"REGISTER"}   # the requests by which a phone notices that a server has failed
OF_SUBSCRIPTIONS = frozenset({"SUBSCRIBE", "NOTIFY"})
REDIRECTS = range(300, 400)
ASKS_AGAIN = frozenset({*CHALLENGES, 422, 423})   # the phone sends the request again: the try is not over
ALIVE = frozenset({*CHALLENGES, 423})   # statuses that are no refusal, not even of a REGISTER (F4)


def success(status: int) -> bool:
    return 200 <= status < 300


def tells_failure(answer: Answered) -> bool:
    """Whether a final answer may count as a failure of its server, or leads away from it (F3, F4)."""
    status = answer.status
    if answer.method == "REGISTER" and status >= 400 and status not in ALIVE:
        return True
    return status in (408, 480) or 500 <= status < 600 or status in REDIRECTS


def grants_nothing(answer: Answered) -> bool:
    """Whether a 2xx to REGISTER registers nothing, or not for sure: an expiry of 0, none at all, or other Contacts only
    (F6). No source says what a phone makes of it."""
    if answer.method != "REGISTER" or not success(answer.status) or answer.asked == 0:
        return False
    return answer.granted == 0 or answer.own is False or (answer.granted is None and answer.own is None)


def same_call(one: Sent, other: Sent) -> bool:
    """Whether two INVITEs of a line are attempts at one call: same Call-ID, which RFC 3263 4.3 means to be kept at the
    next server, or same number called, since some phones take a fresh Call-ID."""
    if one.line != other.line or one.method != "INVITE" or other.method != "INVITE":
        return False
    if one.call_id == other.call_id and one.call_id != "":
        return True
    return one.target == other.target and one.target != "" and abs(one.time - other.time) <= SAME_NUMBER


def goes_on_here(one: Sent, other: Sent, stay: Stay) -> bool:
    """Whether `other` continues the call that was tried elsewhere as `one`; the number alone no longer counts once that
    call has come to the server of the stay under its own Call-ID."""
    return same_call(one, other) and (one.call_id == other.call_id or one.call_id not in stay.called)


def waits_for_call(reach: Reach, request: Sent, stay: Stay) -> bool:
    """Whether an attempt at this call waits at a server, overtaken or not; one that has rung may wait without limit
    (F4). An attempt that waits at the server of the stay has not come from elsewhere, but may go on from there."""
    here = reach.server == stay.server
    return any((same_call(one, request) if here else goes_on_here(one, request, stay))
               or (one.transaction in reach.ringing and one.line == request.line and one.target == request.target != "")
               for one in reach.unsettled)


def holds(binding: Binding, now: float, track: Track) -> bool:
    """Whether the line holds the binding at `now` on this track: by the clock, and not left by a failover (F8)."""
    return binding.until > now and not (track is Track.REGAINED and binding.left is not None)


def redirects(item: Evidence) -> bool:
    """Whether the server sent the phone elsewhere, which is no failure (F4)."""
    return isinstance(item, Answered) and item.status in REDIRECTS


def is_open_code(item: Evidence) -> TypeGuard[Answered]:
    """Whether it is an answer for which no source says what a line makes of it (F4)."""
    return isinstance(item, Answered) and item.status != 503


def is_open_of_call(item: Evidence) -> bool:
    """Whether it is such an answer to anything but a REGISTER, as 480 if nobody was there: it moves no line later."""
    return is_open_code(item) and item.method != "REGISTER"


def is_own(failure: Failed, reach: Reach, line: int, turned: float) -> bool:
    """Whether a failure of the phone is one of the line, which turned away at `turned`: it hit a request of the line,
    came while one waited, or sent the line elsewhere at once. Failures of keepalives or in dialogs move no line."""
    own = [one for one in reach.waiting if one.line == line and one.method in MOVERS and not one.in_dialog]
    if failure.transaction is not None:
        return any(one.transaction == failure.transaction for one in own)
    return any(one.time <= failure.time for one in own) or 0 <= turned - failure.time <= AT_ONCE


def turned_to(stay: Stay) -> float:
    """When the line turned to the stay's server: with the first REGISTER there, even if that was challenged."""
    first = stay.first
    if first is not None and first.method == "REGISTER" and first.server == stay.server:
        return first.time
    return stay.arrived.request_time


def asked_at(item: Evidence) -> float:
    """When the request that failed was sent (seconds since the epoch)."""
    return item.sent if isinstance(item, Failed) else item.time


def against(reach: Reach, now: float, earliest: float) -> tuple[Evidence, ...]:
    """Evidence against a server at `now` that makes a line leave it: no redirection, nothing inside a dialog, no
    silence after a provisional answer, nor any that ended soon."""
    return tuple(item for item in evidence(reach, now, earliest) if _drives_away(item, reach))


def _drives_away(item: Evidence, reach: Reach) -> bool:
    if not isinstance(item, Sent):
        return not redirects(item) and not (isinstance(item, Answered) and item.in_dialog)
    soon = any(request is item and until - request.time < SLOW for request, until in reach.late)
    return not (item.in_dialog or item.transaction in reach.ringing or soon)
