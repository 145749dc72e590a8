"""How a line notes the servers that R2 holds for failed (F9), and challenges (F13).  Descriptive and total."""

from __future__ import annotations

from msgspec.structs import replace

from sipaudit.model.events import Answered, Failed, Received, Sent
from sipaudit.model.packets import ASKS_AGAIN, MOVERS, is_own, success, turned_to
from sipaudit.model.reach import REQUEST_LASTS, Evidence, Reach
from sipaudit.model.state import FailedMark, LineState, PhoneState, Stay
from sipaudit.turned_away import latest

CHALLENGES_KEPT = 4
OFFERS_KEPT = 8
Marks = tuple[FailedMark, ...]


def mark_set(line: LineState, before: Stay | None, after: Stay | None, phone: PhoneState) -> Marks:
    """The marks after a move: a failover marks the server it leaves, and ends all earlier marks; a return without a
    failure ends the mark of the server returned to. A move that may have been either leaves marks that are not sure."""
    marks = line.failed
    if before is None or after is None or before.server == after.server:
        return marks
    if after.failed:
        sure = _left_for(line, before, after, phone)
        return (FailedMark(before.server, after.arrived, after.failed, turned_to(after), sure,
                           began=before.arrived.time if before.first is None else before.first.time, took=before.took),)
    return tuple(replace(mark, again=True, sure=() if before.driven else mark.sure)
                 for mark in marks if mark.server != after.server)


def _left_for(line: LineState, before: Stay, after: Stay, phone: PhoneState) -> tuple[Evidence, ...]:
    """The evidence that surely made the line leave the server: the line's own, from its stay; none unless it surely
    worked there, and surely works at the other now. Not counted: what its phone learned on other lines, which it need
    not share; a request answered late, which it need not have given up; one that was answered since or is long past
    (a caller may have given it up, F4); and the fate of messages and keepalives, which move no line."""
    between = before.aside is not None and before.aside.method == "REGISTER" and before.aside.server != after.server
    single = after.arrived.method != "REGISTER"  # a call through a server that the line may have kept (F7)
    if before.unsure or after.unsure or between or single or _began_anew(line, before):
        return ()
    reach = phone.reach(before.server)
    if _tried_since(before, after, reach):
        return ()
    return tuple(item for item in after.failed if item.time >= before.arrived.time and (
        is_own(item, reach, after.arrived.line, _first(after)) if isinstance(item, Failed)
        else item.line == after.arrived.line and item.method in MOVERS and not reach.was_late(item.transaction)
        and _first(after) - item.time <= REQUEST_LASTS and not line.served_since(before.server, item.time)))


def _tried_since(before: Stay, after: Stay, left: Reach) -> bool:
    """Whether an earlier answer may have brought the line to its server, and it has since tried the other (`left`):
    that ended the silence (reference-model.md 1, *failed*)."""
    came = [one.time for one in before.asides if one.server == after.server and one.method == "REGISTER"]
    return bool(came) and left.registering is not None and left.registering.time > min(came)


def _began_anew(line: LineState, before: Stay) -> bool:
    """Whether a boot or log-out during the stay may have moved the line: its server has not served it since."""
    boot = line.boot
    return boot is not None and boot.time >= before.arrived.time and not line.served_since(before.server, boot.time)


def _first(stay: Stay) -> float:
    """When the line first turned away from the server it left."""
    return turned_to(stay) if stay.first is None else stay.first.time


def mark_sent(marks: Marks, request: Sent) -> Marks:
    """The marks after a request: a REGISTER that asks for more than 0 is a try, and ends the silence (F9); a request
    that opens a dialog ends the mark: rightly or wrongly, the line has gone back."""
    if request.in_dialog or request.expires == 0 or request.method not in MOVERS:
        return marks
    if request.method != "REGISTER":
        return tuple(mark for mark in marks if mark.server != request.server)
    return tuple(
        replace(mark, tried=request, refused=None) if mark.server == request.server else mark for mark in marks)


def mark_answered(marks: Marks, answer: Answered) -> Marks:
    """The marks after the answer to a try: success ends the mark, a refusal leaves the server failed, though the
    advisory can then be read both ways."""
    if success(answer.status):
        return tuple(mark for mark in marks if not _tried(mark, answer))
    if answer.status in ASKS_AGAIN:
        return marks
    return tuple(replace(mark, refused=answer.time) if _tried(mark, answer) else mark for mark in marks)


def _tried(mark: FailedMark, answer: Answered) -> bool:
    """Whether this answers the try, not an older REGISTER."""
    return (mark.server == answer.server and mark.tried is not None and answer.sent is not None
            and answer.sent >= mark.tried.time)


def challenged(line: LineState, answer: Answered) -> LineState:
    """The line after a 401 or 407; if too many challenges are unanswered, the oldest is dropped."""
    challenges = latest(line.challenges, answer, CHALLENGES_KEPT, "line-state")
    return replace(line, challenges=challenges, challenger=answer.server)


def offered(line: LineState, received: Received) -> LineState:
    """The line after an INVITE, or an in-call request, from a server that is failed for it at that time."""
    counts = received.method == "INVITE" or (received.in_dialog and received.call is not None)
    if not counts or line.mark(received.server) is None:
        return line
    return replace(line, offered=latest(line.offered, received, OFFERS_KEPT, "line-state"))
