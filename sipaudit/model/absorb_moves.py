"""How an answer moves a line to another server, or confirms the one it works with.  Descriptive and total, as `absorb`.
"""

from __future__ import annotations

from math import inf

from msgspec.structs import replace

from sipaudit.model.absorb_phone import LATE_FROM, grants_nothing
from sipaudit.model.absorb_stays import Stays, each, may_be_due, renews_as_before
from sipaudit.model.events import NO_LINE, Answered, Failed, Sent
from sipaudit.model.packets import DIALOG_INITIATING, MOVERS, NOTHING_NEW, holds, is_own, redirects
from sipaudit.model.reach import Evidence, Reach, evidence
from sipaudit.model.state import LineState, PhoneState, Stay, Track
from sipaudit.model.timers import FLAPPING_WITHIN, SILENCE_MAX, UNDECLARED_EARLIEST
from sipaudit.turned_away import turned_away

MOVES_KEPT = 4         # moves kept for one line
MOVES_WITHIN = 2 * FLAPPING_WITHIN   # seconds: three moves within that span, and three that end with the last but one
PERHAPS_KEPT = 8       # servers kept where a line may work instead
OTHERS_KEPT = 8        # answers kept that may have moved a line, beside the last
SLOW = 3.0             # seconds after which a phone may have given up a request (F2: 3.5 by default)
NOWHERE = (None, None, None)   # the stays of a line that was not found at any server so far


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
        if (plain and known) or _went_its_way(phone, answer):
            return line.stays
        late = _may_be_given_up(phone, answer)
        return each(line.stays, lambda stay: _served(stay, answer, late))
    if answer.in_dialog or answer.method in NOTHING_NEW or _went_its_way(phone, answer):
        return each(line.stays, lambda stay: noted(stay, answer))
    if line.stays == NOWHERE and answer.method == "REGISTER" and answer.granted != 0:
        found = _moved(line, phone, None, answer, Track.ANSWERED)  # `_moves` says the same of all tracks
        return found, found, found
    return (_moved(line, phone, answered, answer, Track.ANSWERED),
            _moved(line, phone, registered, answer, Track.REGISTERED),
            _moved(line, phone, regained, answer, Track.REGAINED))


def is_plain(stay: Stay) -> bool:
    """Whether another answer of the working server tells nothing new."""
    return stay.aside is None and stay.took == 0.0 and not stay.unsure and stay.turned is None


def _takes(phone: PhoneState, answer: Answered) -> float:
    """Seconds that an answer took, 0 where the request had a provisional response before."""
    ringing = answer.transaction in phone.reach(answer.server).ringing
    return 0.0 if answer.sent is None or ringing else answer.time - answer.sent


def _may_be_given_up(phone: PhoneState, answer: Answered) -> bool:
    """Whether the phone may have given up what is answered here (F2), or has taken it back (RFC 3261 9.1)."""
    return _takes(phone, answer) >= LATE_FROM or answer.transaction in phone.reach(answer.server).cancelled


def _served(stay: Stay | None, answer: Answered, late: bool) -> Stay | None:
    """The stay after another answer of its server: a call through it shows that what another server answered before it
    was made has not moved the line; what was asked after the arrival shows that the arrival had; unless the phone may
    have given it up before (`late`)."""
    if stay is None or not _is_weighty(answer):
        return stay
    if answer.method in DIALOG_INITIATING and not stay.answers_calls:
        stay = replace(stay, answers_calls=True)
    # (not REGISTER, which may be a mere refresh, F7)
    if stay.turned is not None and answer.method != "REGISTER" and (answer.sent or answer.time) >= stay.turned:
        stay = replace(stay, turned=None)
    call = answer.method == "INVITE" and not late
    if call and stay.aside is not None and (answer.sent or answer.time) >= stay.aside.time:
        stay = replace(stay, away=None, aside=None, driven=False, others=())
    asked_since = answer.sent is not None and answer.sent > stay.arrived.time
    if asked_since and not late and not _may_not_move(answer) and (stay.took or stay.unsure):
        refreshes = answer.method == "REGISTER" and (stay.refreshed or not _may_not_move(stay.arrived))
        # (not what may have been a mere refresh: the next may be another, F5, F7)
        doubtful = stay.took >= LATE_FROM or (stay.unsure and _may_not_move(stay.arrived))
        proven = answer.time if doubtful else stay.proven
        stay = replace(stay, took=0.0, unsure=stay.unsure and refreshes, proven=proven)
    return stay


def _may_not_move(answer: Answered) -> bool:
    """Whether a 2xx to REGISTER leaves it open if the phone is registered: its Contact is not listed, or ends (F6)."""
    return answer.method == "REGISTER" and (answer.own is not True or answer.granted == 0)


def _went_its_way(phone: PhoneState, answer: Answered) -> bool:
    """Whether an emergency call is answered, or a request for an address: it goes wherever it can, and the line stays
    where it is. A later one that was answered before it does not change that."""
    if answer.method == "REGISTER":
        return False
    return any(request.transaction == answer.transaction and request.goes_its_way
               for request in phone.reach(answer.server).unsettled)


def noted(stay: Stay | None, answer: Answered) -> Stay | None:
    """A 2xx inside a dialog, to a keepalive or an emergency call, or to a request from before the stay moves nothing,
    nor does another answer in R0; but it might (reference-model.md 1, *working server*). What might less, an expiry of
    0 for one (F6), does not take the place of what might more."""
    if stay is None or stay.server == answer.server:
        return stay
    last = stay.aside
    if last is None or not _is_weighty(last):
        return replace(stay, aside=answer)
    if not _is_weighty(answer) or answer.granted == 0:
        return stay
    # what came of the last is as open as it was: the first and the last of each server are kept
    first = next((one for one in stay.others if one.server == last.server), None)
    others = tuple(one for one in stay.others if one.server != last.server or one is first)
    if len(others) >= OTHERS_KEPT:
        turned_away("line-state")
    return replace(stay, aside=answer, others=(*others[-OTHERS_KEPT + 1:], last))


def _is_weighty(answer: Answered) -> bool:
    """Whether it is an answer of the kind by which a working server is told."""
    return not (answer.in_dialog or answer.method in NOTHING_NEW)


def _moved(line: LineState, phone: PhoneState, stay: Stay | None, answer: Answered, track: Track) -> Stay | None:
    """The stay after a 2xx to a request out of any dialog: the same, another, or the same with a doubt noted."""
    if stay is not None and stay.server == answer.server:
        return _served(stay, answer, _may_be_given_up(phone, answer))
    if stay is not None and is_late(line, phone, stay, answer):
        return noted(stay, answer)
    if not _moves(line, phone, stay, answer, track):
        return noted(stay, answer) if _may_have_left(line, stay, answer) or _regains(line, answer, track) else stay
    took = _takes(phone, answer)
    if stay is None:  # what was asked before the capture began may have been given up, too
        took = SILENCE_MAX if answer.sent is None else took
        return Stay(answer.server, answer, took=took, unsure=_may_not_move(answer))
    failed = against(phone.reach(stay.server), answer.time, UNDECLARED_EARLIEST)
    perhaps = _perhaps(stay)
    late = _came_late(stay) if answer.server in perhaps else 0.0
    refresh, held = _may_only_refresh(line, phone, stay, answer, track), line.binding(answer.server)
    unsure = _may_not_move(answer) or _may_have_gone_on(stay, answer) or refresh
    # neither driven away nor back from where it was driven: a dial plan may send single calls elsewhere
    explained = bool(failed) or bool(stay.failed)
    moves = (*_lately(stay.moves, answer.time), answer) if explained else ()
    called = tuple(one.call_id for one in stay.tries
                   if one.server == answer.server and one.method == "INVITE" and one.call_id)
    return Stay(answer.server, answer, stay.away, stay.server, failed, origin_since=stay.arrived.time,
                moves=moves, called=called, took=max(took, late), unsure=unsure, earliest=stay.turned, late=late,
                older=_may_have_moved_before(stay, answer), perhaps=perhaps, found=only_registers(stay),
                doubted=stay.first is None and _is_doubtful(stay),
                refreshed=refresh and held is not None and held.until > answer.time)


def _lately(moves: tuple[Answered, ...], now: float) -> tuple[Answered, ...]:
    """Of the moves before one that is made now those that it may be one too many with."""
    return tuple(move for move in moves[-MOVES_KEPT + 1:] if now - move.time <= MOVES_WITHIN)


def only_registers(stay: Stay) -> bool:
    """Whether nothing but REGISTERs shows that the line works there: it was found there, or came without a failure of
    its own, and may only have refreshed what it held (F7)."""
    own = any(item.line == stay.arrived.line for item in stay.failed)
    return not (stay.answers_calls or own) and stay.arrived.method == "REGISTER"


def _is_doubtful(stay: Stay) -> bool:
    """Whether the answer with which the stay began need not have brought the line there (F2, F6)."""
    return stay.unsure or stay.took >= LATE_FROM


def _perhaps(stay: Stay) -> tuple[str, ...]:
    """Where the line may have worked all the while, since it need not have come to the server of its stay."""
    if stay.origin is None or not _is_doubtful(stay):
        return ()
    perhaps = tuple(dict.fromkeys((stay.origin, *stay.perhaps)))
    if len(perhaps) > PERHAPS_KEPT:
        turned_away("line-state")
    return perhaps[:PERHAPS_KEPT]


def _came_late(stay: Stay) -> float:
    """For how long, in seconds, the line may have waited for the answer with which its stay began before it gave up and
    went back: without end where that answer need not have moved it (F6, F7)."""
    return inf if stay.unsure else stay.took


def _may_have_left(line: LineState, stay: Stay | None, answer: Answered) -> bool:
    """Whether a refresh elsewhere may be the line's move: something spoke against the working server as the line turned
    away, or the last 200 there listed other Contacts than the phone's, which may be a refusal (F6)."""
    if stay is None or answer.method != "REGISTER":
        return False
    here = line.binding(stay.server)
    return stay.driven or (here is not None and here.granted is not None and grants_nothing(here.granted))


def _may_have_gone_on(stay: Stay, answer: Answered) -> bool:
    """Whether the line may have come to this server before, and have gone on to another since it asked what is answered
    now: the server just left moves nothing."""
    aside = stay.aside
    return aside is not None and aside.server != answer.server and _is_weighty(aside) \
        and answer.sent is not None and aside.sent is not None and aside.sent > answer.sent


def _may_have_moved_before(stay: Stay, answer: Answered) -> bool:
    """Whether an earlier answer of the same server may have moved the line there, which then went back and forth."""
    away = stay.away
    return any(one.server == answer.server and _is_weighty(one) and (away is None or away.time > one.time)
               for one in stay.asides)


def _may_only_refresh(line: LineState, phone: PhoneState, stay: Stay, answer: Answered, track: Track) -> bool:
    """Whether a REGISTER may have renewed what the line had, although the working server has failed: in R0 whatever
    server granted it (F5); there (F7) in R0 and R1 a live binding, when its time has come, or that of another (B3: a
    renewal goes to either) and no failure drives the line away for sure; else only if what stands against the working
    server is of other lines, or from before the stay; in R1 one that a 200 has ended."""
    if answer.method != "REGISTER":
        return False
    if track is Track.ANSWERED and any(one.granted is not None for one in line.bindings):
        return True
    binding = line.binding(answer.server)
    keeps = track is not Track.REGAINED
    if binding is None or binding.granted is None:
        ended = binding is not None and binding.removed is not None and binding.removed.asked != 0
        return keeps and ended  # the server said 0: the phone may hold on to it (F6), and renew it in its time
    standing = against(phone.reach(stay.server), answer.time, SLOW)
    if keeps and binding.until > answer.time:
        due = [one.server for one in line.bindings if one.granted and may_be_due(one, one.granted, answer.time)]
        drives = [item for item in standing if _surely_drives(item, phone, stay, answer)]
        if answer.server in due or (due and not drives):
            return True
    own = any(item.line in (answer.line, NO_LINE) and item.time > stay.arrived.time for item in standing)
    return bool(standing) and not own


def _surely_drives(item: Evidence, phone: PhoneState, stay: Stay, answer: Answered) -> bool:
    """Whether it is known what the line makes of it: not of an answer, which no firmware need take for a failure (F3,
    F4), nor of one that came late (F2), nor of what it did not meet itself."""
    reach = phone.reach(stay.server)
    if isinstance(item, Failed):
        turned = answer.sent if stay.away is None else stay.away.time
        return is_own(item, reach, answer.line, turned or answer.time)
    return isinstance(item, Sent) and item.method in MOVERS and item.line == answer.line \
        and not reach.was_late(item.transaction)


def against(reach: Reach, now: float, earliest: float) -> tuple[Evidence, ...]:
    """What speaks against a server at `now` so that a line leaves it: no redirection, nothing inside a dialog, no
    silence after a provisional answer, nor any that ended soon."""
    return tuple(item for item in evidence(reach, now, earliest) if _drives_away(item, reach))


def _drives_away(item: Evidence, reach: Reach) -> bool:
    if not isinstance(item, Sent):
        return not redirects(item) and not (isinstance(item, Answered) and item.in_dialog)
    soon = any(request is item and until - request.time < SLOW for request, until in reach.late)
    return not (item.in_dialog or item.transaction in reach.ringing or soon)


def is_late(line: LineState, phone: PhoneState, stay: Stay, answer: Answered) -> bool:
    """Whether the phone may have given up what is answered here: it is a call that was taken back (RFC 3261 9.1), its
    working server, not failed, has served the line since it was asked, or much time has passed."""
    if answer.transaction in phone.reach(answer.server).cancelled:
        return True
    if answer.sent is None:
        return False
    served = line.served
    since = served.sent if served is not None and served.server == stay.server else None
    if answer.sent < stay.arrived.time or (since is not None and answer.sent < since):
        return True
    slow = answer.time - answer.sent > SLOW and answer.transaction not in phone.reach(answer.server).ringing
    return slow and not against(phone.reach(stay.server), answer.time, SLOW)


def _regains(line: LineState, answer: Answered, track: Track) -> bool:
    """Whether a REGISTER renews a binding that had run out, or that the phone need not know of, or in R2 and R3 one of
    an earlier stay: whether the line returns with that, or keeps the binding only (F7), nobody tells."""
    binding = line.binding(answer.server)
    if answer.method != "REGISTER" or answer.asked == 0 or binding is None or binding.granted is None:
        return False
    return track is Track.REGAINED or binding.late or binding.until <= (answer.sent or answer.time)


def _moves(line: LineState, phone: PhoneState, stay: Stay | None, answer: Answered, track: Track) -> bool:
    """Whether this 2xx to an out-of-dialog request makes its server the working one, on this track."""
    binding = line.binding(answer.server)
    if answer.method != "REGISTER":
        if track is Track.ANSWERED:
            return True
        if track is Track.REGISTERED:
            return binding is not None and binding.granted is not None
        return binding is not None and holds(binding, answer.time, track)
    if answer.asked == 0 or (answer.granted == 0 and track is not Track.ANSWERED):
        return False  # a de-registration moves nothing, and an explicit 0 keeps the gate shut (F6)
    if stay is None or binding is None or binding.granted is None:
        return True
    if track is Track.REGAINED and not holds(binding, answer.sent or answer.time, track):
        return True
    # F7: the refresh of a binding elsewhere moves nothing, unless the working server had failed, or had
    # ended the line's registration there
    left = line.binding(stay.server)
    if left is not None and left.granted is None:
        return True
    if track is Track.ANSWERED and renews_as_before(line, phone, stay, answer):
        return False
    return bool(against(phone.reach(stay.server), answer.time, SLOW))
