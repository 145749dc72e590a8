"""What an answer says about where its line works: whether it moves the line, may have moved it, or came too late.
Descriptive and total, as `absorb`."""

from __future__ import annotations

from sipaudit.model.absorb_stays import may_be_due, renews_as_before
from sipaudit.model.events import NO_LINE, Answered, Failed, Sent
from sipaudit.model.packets import AT_ONCE, MOVERS, NOTHING_NEW, SLOW, against, grants_nothing, holds, is_own
from sipaudit.model.reach import Evidence
from sipaudit.model.state import LineState, PhoneState, Stay, Track
from sipaudit.model.timers import LATE_FROM, SILENCE_MAX


def takes(phone: PhoneState, answer: Answered) -> float:
    """Seconds that an answer took; 0 if a provisional response came before, or the request was not seen."""
    ringing = answer.transaction in phone.reach(answer.server).ringing
    return 0.0 if answer.sent is None or ringing else answer.time - answer.sent


def may_be_given_up(phone: PhoneState, answer: Answered) -> bool:
    """Whether the phone may have given up the request answered here (F2), or has cancelled it (RFC 3261 9.1)."""
    return takes(phone, answer) >= LATE_FROM or answer.transaction in phone.reach(answer.server).cancelled


def may_not_move(answer: Answered) -> bool:
    """Whether a 2xx leaves it open that the line works with its server: it answers a REGISTER whose Contact is not
    listed, or ends (F6), or a request that was not seen, perhaps an emergency call."""
    if answer.method != "REGISTER":
        return answer.sent is None
    return answer.own is not True or answer.granted == 0


def is_weighty(answer: Answered) -> bool:
    """Whether the answer is of a kind that can make a server the working one."""
    return not (answer.in_dialog or answer.method in NOTHING_NEW)


def went_its_way(phone: PhoneState, answer: Answered) -> bool:
    """Whether it answers an emergency call, or a request for an address: that goes wherever it can, and the line stays
    where it is, even if a later request was answered first."""
    if answer.method == "REGISTER":
        return False
    return any(request.transaction == answer.transaction and request.goes_its_way
               for request in phone.reach(answer.server).unsettled)


def moves_line(line: LineState, phone: PhoneState, stay: Stay | None, answer: Answered, track: Track) -> bool:
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
    if track is Track.REGAINED and not holds(binding, answer.request_time, track):
        return True
    if track is Track.ANSWERED and renews_as_before(line, phone, stay, answer):
        return False
    # F7: the refresh of a binding elsewhere moves nothing, unless the working server had failed, or had
    # ended the line's registration there
    left = line.binding(stay.server)
    if left is not None and left.granted is None:
        return True
    return bool(against(phone.reach(stay.server), answer.time, SLOW))


def regains(line: LineState, answer: Answered, track: Track) -> bool:
    """Whether a REGISTER renews a binding that had run out, or that the phone need not know of, or in R2 and R3 one of
    an earlier stay. No source says whether the line returns with that, or only keeps the binding (F7)."""
    binding = line.binding(answer.server)
    if answer.method != "REGISTER" or answer.asked == 0 or binding is None or binding.granted is None:
        return False
    return track is Track.REGAINED or binding.late or binding.until <= answer.request_time


def is_late(line: LineState, phone: PhoneState, stay: Stay, answer: Answered) -> bool:
    """Whether the phone may have given up the request answered here: a call that was cancelled (RFC 3261 9.1); one sent
    before the stay, or before its server last served the line; or a slow one, while that server has not failed."""
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


def may_have_left(line: LineState, stay: Stay | None, answer: Answered) -> bool:
    """Whether a refresh elsewhere may be the line's move: there was evidence against the working server as the line
    turned away, or the last 200 there listed only Contacts other than the phone's, which may be a refusal (F6)."""
    if stay is None or answer.method != "REGISTER":
        return False
    here = line.binding(stay.server)
    return stay.driven or (here is not None and here.granted is not None and grants_nothing(here.granted))


def may_have_gone_on(stay: Stay, answer: Answered) -> bool:
    """Whether the line may have come to this server before, and gone on to another since it sent the request answered
    now: an answer of the server just left moves nothing."""
    aside = stay.aside
    return aside is not None and aside.server != answer.server and is_weighty(aside) \
        and answer.sent is not None and aside.sent is not None and aside.sent > answer.sent


def may_have_moved_before(stay: Stay, answer: Answered) -> bool:
    """Whether an earlier answer of this server may have moved the line there, which then went back and forth."""
    away = stay.away
    return any(one.server == answer.server and is_weighty(one) and (away is None or away.time > one.time)
               for one in stay.asides)


def may_only_refresh(line: LineState, phone: PhoneState, stay: Stay, answer: Answered, track: Track) -> bool:
    """Whether a REGISTER may only have renewed an existing binding, although the working server has failed. In R0: at
    whatever server granted it (F5). In R0 and R1: a live binding there (F7) whose renewal is due, or when another's is
    due (B3: a renewal goes to either) and no failure surely drives the line away. In R1 also one that a 200 has ended.
    Otherwise only if the evidence against the working server is of other lines, or from before the stay."""
    if answer.method != "REGISTER":
        return False
    if track is Track.ANSWERED and any(one.granted is not None for one in line.bindings):
        return True
    binding = line.binding(answer.server)
    keeps = track is not Track.REGAINED
    if binding is None or binding.granted is None:
        ended = binding is not None and binding.removed is not None and binding.removed.asked != 0
        return keeps and ended  # the server granted 0: the phone may hold on to it (F6), and renew it when due
    standing = against(phone.reach(stay.server), answer.time, SLOW)
    if keeps and binding.until > answer.time:
        due = [one.server for one in line.bindings if one.granted and may_be_due(one, one.granted, answer.time)]
        drives = [item for item in standing if _surely_drives(item, phone, stay, answer)]
        if answer.server in due or (due and not drives):
            return True
    own = any(item.line in (answer.line, NO_LINE) and item.time > stay.arrived.time for item in standing)
    return bool(standing) and not own


def _surely_drives(item: Evidence, phone: PhoneState, stay: Stay, answer: Answered) -> bool:
    """Whether it is sure that this evidence moves the line. Not sure: an answer, which no firmware need take for a
    failure (F3, F4); a request answered late (F2); what the line did not meet itself; a call after which the line did
    not go elsewhere as soon as it had run out, as at the end of its list (F1)."""
    reach, turned = phone.reach(stay.server), answer.request_time if stay.away is None else stay.away.time
    if isinstance(item, Failed):
        return is_own(item, reach, answer.line, turned)
    if not isinstance(item, Sent) or item.method not in MOVERS or item.line != answer.line:
        return False
    at_once = item.method == "REGISTER" or turned - item.time <= SILENCE_MAX + AT_ONCE
    return at_once and not reach.was_late(item.transaction)
