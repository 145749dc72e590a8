"""How an answer moves a line to another server, or confirms its working server.  Descriptive and total, as `absorb`."""

from __future__ import annotations

from math import inf

from msgspec.structs import replace

from sipaudit.model.absorb_stays import Stays, each
from sipaudit.model.answers import (
    is_late,
    is_weighty,
    may_be_given_up,
    may_have_gone_on,
    may_have_left,
    may_have_moved_before,
    may_not_move,
    may_only_refresh,
    moves_line,
    regains,
    takes,
    went_its_way,
)
from sipaudit.model.events import Answered
from sipaudit.model.packets import DIALOG_INITIATING, NOTHING_NEW, against
from sipaudit.model.state import LineState, PhoneState, Stay, Track
from sipaudit.model.timers import FLAPPING_WITHIN, LATE_FROM, SILENCE_MAX, UNDECLARED_EARLIEST
from sipaudit.turned_away import latest, turned_away

MOVES_KEPT = 4         # moves kept for one line
MOVES_WITHIN = 2 * FLAPPING_WITHIN   # seconds: three moves within FLAPPING_WITHIN, and the three before the last one
PERHAPS_KEPT = 8       # servers kept at which a line may in fact work
OTHERS_KEPT = 8        # answers kept that may have moved a line, apart from the last
NOT_FOUND = (None, None, None)   # the stays of a line whose working server is not known yet


def stays_answered(line: LineState, phone: PhoneState, answer: Answered) -> Stays:
    """The stays after a 2xx, on every track."""
    answered, registered, regained = line.stays
    server, one = answer.server, answered is registered is regained
    if answered is not None and answered.server == server and (one or (
        registered is not None and registered.server == server and regained is not None and regained.server == server
    )):
        assert registered is not None
        assert regained is not None
        plain = is_plain(answered) and (one or (is_plain(registered) and is_plain(regained)))
        known = answer.method not in DIALOG_INITIATING or (
            answered.answers_calls and registered.answers_calls and regained.answers_calls)
        if (plain and known) or went_its_way(phone, answer):
            return line.stays
        late = may_be_given_up(phone, answer)
        return each(line.stays, lambda stay: _served(stay, answer, late))
    if answer.in_dialog or answer.method in NOTHING_NEW or went_its_way(phone, answer):
        return each(line.stays, lambda stay: noted(stay, answer))
    if line.stays == NOT_FOUND and answer.method == "REGISTER" and answer.granted != 0:
        found = _moved(line, phone, None, answer, Track.ANSWERED)  # `moves_line` is the same on all tracks
        return found, found, found
    return (_moved(line, phone, answered, answer, Track.ANSWERED),
            _moved(line, phone, registered, answer, Track.REGISTERED),
            _moved(line, phone, regained, answer, Track.REGAINED))


def is_plain(stay: Stay) -> bool:
    """Whether another answer of the working server would add nothing to the stay."""
    return stay.aside is None and stay.took == 0.0 and not stay.unsure and stay.turned is None


def _served(stay: Stay | None, answer: Answered, late: bool) -> Stay | None:
    """The stay after another answer of its server. A call through it shows that an answer of another server from before
    that call has not moved the line; an answer to a request sent after the arrival shows that the arrival had moved it.
    Neither holds if the phone may have given up the request before (`late`)."""
    if stay is None or not is_weighty(answer):
        return stay
    if answer.method in DIALOG_INITIATING and not stay.answers_calls:
        stay = replace(stay, answers_calls=True)
    # (not REGISTER, which may be a mere refresh, F7)
    if stay.turned is not None and answer.method != "REGISTER" and answer.request_time >= stay.turned:
        stay = replace(stay, turned=None)
    call = answer.method == "INVITE" and not late
    if call and stay.aside is not None and answer.request_time >= stay.aside.time:
        stay = replace(stay, away=None, aside=None, driven=False, others=())
    asked_since = answer.sent is not None and answer.sent > stay.arrived.time
    if asked_since and not late and not may_not_move(answer) and (stay.took or stay.unsure):
        refreshes = answer.method == "REGISTER" and (stay.refreshed or not may_not_move(stay.arrived))
        # (not if the arrival may have been a mere refresh: this may be another, F5, F7)
        doubtful = stay.took >= LATE_FROM or (stay.unsure and may_not_move(stay.arrived))
        proven = answer.time if doubtful else stay.proven
        stay = replace(stay, took=0.0, unsure=stay.unsure and refreshes, proven=proven)
    return stay


def noted(stay: Stay | None, answer: Answered) -> Stay | None:
    """The stay with an answer of another server that moved nothing, but might have: a 2xx inside a dialog, to a
    keepalive or an emergency call, or to a request from before the stay; in R0 any other answer (reference-model.md 1,
    *working server*). A weaker one, such as an expiry of 0 (F6), does not replace a stronger one."""
    if stay is None or stay.server == answer.server:
        return stay
    last = stay.aside
    if last is None or not is_weighty(last):
        return replace(stay, aside=answer)
    if not is_weighty(answer) or answer.granted == 0:
        return stay
    # whether the last one moved the line is still open: keep the first and the last of each server
    first = next((one for one in stay.others if one.server == last.server), None)
    others = tuple(one for one in stay.others if one.server != last.server or one is first)
    return replace(stay, aside=answer, others=latest(others, last, OTHERS_KEPT, "line-state"))


def _moved(line: LineState, phone: PhoneState, stay: Stay | None, answer: Answered, track: Track) -> Stay | None:
    """The stay after a 2xx to an out-of-dialog request: the same, another, or the same with a doubt noted."""
    if stay is not None and stay.server == answer.server:
        return _served(stay, answer, may_be_given_up(phone, answer))
    if stay is not None and is_late(line, phone, stay, answer):
        return noted(stay, answer)
    if not moves_line(line, phone, stay, answer, track):
        return noted(stay, answer) if may_have_left(line, stay, answer) or regains(line, answer, track) else stay
    if stay is None:  # a request from before the capture may have been given up, too
        took = SILENCE_MAX if answer.sent is None else takes(phone, answer)
        return Stay(answer.server, answer, took=took, unsure=may_not_move(answer))
    return _went_over(line, phone, stay, answer, track)


def _went_over(line: LineState, phone: PhoneState, stay: Stay, answer: Answered, track: Track) -> Stay:
    """The stay at the answering server, for a line that worked with another so far."""
    failed = against(phone.reach(stay.server), answer.time, UNDECLARED_EARLIEST)
    perhaps = _perhaps(stay)
    late = _came_late(stay) if answer.server in perhaps else 0.0
    refresh, held = may_only_refresh(line, phone, stay, answer, track), line.binding(answer.server)
    unsure = may_not_move(answer) or may_have_gone_on(stay, answer) or refresh
    # otherwise neither driven away nor coming back: a dial plan may send single calls elsewhere
    explained = bool(failed) or bool(stay.failed)
    moves = (*_lately(stay.moves, answer.time), answer) if explained else ()
    called = tuple(one.call_id for one in stay.tries
                   if one.server == answer.server and one.method == "INVITE" and one.call_id)
    return Stay(answer.server, answer, stay.away, stay.server, failed, origin_since=stay.arrived.time,
                moves=moves, called=called, took=max(takes(phone, answer), late), unsure=unsure,
                older=may_have_moved_before(stay, answer), perhaps=perhaps, found=only_registers(stay),
                earliest=stay.turned, late=late, doubted=stay.first is None and _is_doubtful(stay),
                refreshed=refresh and held is not None and held.until > answer.time)


def _lately(moves: tuple[Answered, ...], now: float) -> tuple[Answered, ...]:
    """The earlier moves that are recent enough to count together with one made now (flapping)."""
    return tuple(move for move in moves[-MOVES_KEPT + 1:] if now - move.time <= MOVES_WITHIN)


def only_registers(stay: Stay) -> bool:
    """Whether only REGISTERs show that the line works there: it was found there, or came without a failure of its own,
    and may merely have refreshed an old binding (F7)."""
    own = any(item.line == stay.arrived.line for item in stay.failed)
    return not (stay.answers_calls or own) and stay.arrived.method == "REGISTER"


def _is_doubtful(stay: Stay) -> bool:
    """Whether the answer with which the stay began need not have brought the line there (F2, F6)."""
    return stay.unsure or stay.took >= LATE_FROM


def _perhaps(stay: Stay) -> tuple[str, ...]:
    """Other servers where the line may really have worked, since it need not have come to the server of its stay."""
    if stay.origin is None or not _is_doubtful(stay):
        return ()
    perhaps = tuple(dict.fromkeys((stay.origin, *stay.perhaps)))
    if len(perhaps) > PERHAPS_KEPT:
        turned_away("line-state")
    return perhaps[:PERHAPS_KEPT]


def _came_late(stay: Stay) -> float:
    """How many seconds the line may have waited for the answer that began its stay before it gave up and went back:
    infinite where that answer need not have moved it (F6, F7)."""
    return inf if stay.unsure else stay.took
