"""`absorb_line`: how the state of a line follows the phone.  Descriptive and total.

It never fails and never judges: whatever the phone does, right or wrong, the
state follows it, so that one fault cannot make a second one out of what comes
after.  It knows no settings and no reading; where regimes part, every track is
followed.
"""

from __future__ import annotations

from msgspec.structs import replace

from sipaudit.model.absorb_marks import challenged, mark_answered, mark_sent, mark_set, offered
from sipaudit.model.absorb_phone import ALIVE, LATE_FROM, REDIRECTS, success, tells_failure
from sipaudit.model.events import (
    NO_LINE,
    Answered,
    Booted,
    EntryChanged,
    ModelEvent,
    Received,
    Resent,
    Sent,
)
from sipaudit.model.state import Binding, Evidence, LineState, PhoneState, Reach, Stay, Track, evidence, speaks_against
from sipaudit.model.timers import UNDECLARED_EARLIEST

BINDINGS_KEPT = 16     # servers kept for one line
ANSWERS_KEPT = 16      # DNS answers kept for one line
TRIES_KEPT = 6         # failback tries kept for one stay: the first, and the last of the others
MOVES_KEPT = 4         # moves kept for one line
SLOW = 3.0             # seconds after which a phone may have given up a request (F2: 3.5 by default)
SAME_NUMBER = 128.0    # seconds within which the number called tells the call: as four silent servers take (64*T1 each)
OVERLAP_MAX = 120.0    # seconds of expires.overlap, which few sites set beyond its default of 60
RENEWAL_SLACK = 5.0    # seconds by which a timer may run early
KEEPALIVES = frozenset({"OPTIONS", "NOTIFY", "PING"})
NOTHING_NEW = KEEPALIVES | {"CANCEL"}   # whose 2xx does not make a server the working one
DIALOG_INITIATING = frozenset({"INVITE", "SUBSCRIBE", "REFER"})

Stays = tuple[Stay | None, Stay | None, Stay | None]


def absorb_line(line: LineState, phone: PhoneState, event: ModelEvent) -> LineState:
    """The line's state after `event`; `phone` is the phone's state before it."""
    kind = type(event)
    if kind is Sent:
        return _line_sent(line, phone, event)  # type: ignore[arg-type]
    if kind is Answered:
        return _line_answered(line, phone, event)  # type: ignore[arg-type]
    if isinstance(event, Resent):
        return _line_resent(line, event)
    if isinstance(event, Received):
        return offered(line, event)
    if isinstance(event, Booted):
        return _line_booted(line, event)
    if isinstance(event, EntryChanged):
        return replace(line, answers=(*line.answers[-ANSWERS_KEPT + 1:], event),
                       reordered=event if event.reordered else line.reordered)
    return line


def _line_sent(line: LineState, phone: PhoneState, request: Sent) -> LineState:
    stays = _all_touched(line, phone, request)
    bindings, boot = line.bindings, line.boot
    if request.method == "REGISTER":
        if request.expires == 0 and any(stay is not None and stay.server == request.server for stay in line.stays):
            boot = Booted(request.time, request.capture, request.frame, request.phone, request.line, True)
        old = line.binding(request.server) or Binding(request.server)
        bindings = with_binding(bindings, Binding(
            old.server, request, old.granted, old.since, old.refreshes, old.refused, old.left, None, old.late,
            old.removed))
    failed = mark_sent(line.failed, request) if line.failed else ()
    if stays is line.stays and bindings is line.bindings and failed == line.failed:
        return line
    return LineState(stays, bindings, boot, line.answers, line.reordered, line.served, failed, line.challenges,
                     line.offered)


def _line_resent(line: LineState, packet: Resent) -> LineState:
    binding = line.binding(packet.server)
    if binding is None or binding.register is None or binding.register.transaction != packet.transaction:
        return line
    return replace(line, bindings=with_binding(line.bindings, replace(binding, resent=packet.time)))


def _all_touched(line: LineState, phone: PhoneState, packet: Sent) -> Stays:
    """Stays after a send: where the packet went elsewhere than to the working server, or back to it."""
    answered, registered, regained = line.stays
    if _is_at(answered, packet) and _is_at(registered, packet) and _is_at(regained, packet):
        if packet.method not in DIALOG_INITIATING or packet.in_dialog:
            return line.stays  # the usual case, and the only one that must be cheap
        return _opened(answered, packet), _opened(registered, packet), _opened(regained, packet)
    return (_touched(line, phone, answered, packet, Track.ANSWERED),
            _touched(line, phone, registered, packet, Track.REGISTERED),
            _touched(line, phone, regained, packet, Track.REGAINED))


def _opened(stay: Stay | None, packet: Sent) -> Stay | None:
    """The stay after a dialog-initiating request to its server: the first that is not the one diverted by the move."""
    if stay is None or packet.follows is not None or stay.opened is not None:
        return stay
    diverted = any(isinstance(item, Sent) and same_call(item, packet) for item in stay.failed)
    return stay if diverted else replace(stay, opened=packet)


def same_call(one: Sent, other: Sent) -> bool:
    """Whether two INVITEs are sendings of one call: by Call-ID, or by whom they call (RFC 3263 4.3 allows either)."""
    if one.method != "INVITE" or other.method != "INVITE":
        return False
    if one.call_id == other.call_id and one.call_id != "":
        return True
    return one.target == other.target and one.target != "" and abs(one.time - other.time) <= SAME_NUMBER


def _is_at(stay: Stay | None, packet: Sent) -> bool:
    """Whether the packet goes to the working server, as the one before it did."""
    return stay is None or (stay.server == packet.server and stay.away is None)


def _opens(packet: Sent, track: Track) -> bool:
    """Whether a packet may open a failback: dialog-initiating, or in R2 and R3 a REGISTER that asks for more than 0."""
    if packet.in_dialog or packet.follows is not None or packet.emergency:
        return False
    if packet.method == "REGISTER":
        return track is Track.REGAINED and packet.expires != 0
    return packet.method in DIALOG_INITIATING


def _touched(line: LineState, phone: PhoneState, stay: Stay | None, packet: Sent, track: Track) -> Stay | None:
    if stay is None:
        return None
    if packet.server == stay.server:
        # what belongs to old calls, and keepalives, may go there at any time, while the line is moving too
        aside = packet.in_dialog or packet.method == "CANCEL" or packet.method in KEEPALIVES
        if packet.method in DIALOG_INITIATING and not packet.in_dialog:
            stay = _opened(stay, packet) or stay
        return stay if stay.away is None or aside or _may_have_moved(stay) else replace(stay, away=None, driven=False)
    if stay.away is None:
        stay = replace(stay, away=packet)
    if not stay.driven and _goes_elsewhere(packet) and speaks_against(
            phone.reach(stay.server), packet.time, UNDECLARED_EARLIEST):
        stay = replace(stay, driven=True)
    if _opens(packet, track) and not _refreshes(line, packet, track):
        tries = stay.tries
        stay = replace(stay, tries=(*tries[:1], *tries[1:][-TRIES_KEPT + 2:], packet))
    return stay


def _goes_elsewhere(packet: Sent) -> bool:
    """Whether a line that leaves its server sends such a packet to the next."""
    return not packet.in_dialog and not packet.emergency and packet.method in DIALOG_INITIATING | {"REGISTER"}


def _may_have_moved(stay: Stay) -> bool:
    """Whether another server gave a final answer that may have made it the working one: a 2xx, or in R0 any
    (reference-model.md 1, *working server*)."""
    aside, away = stay.aside, stay.away
    return (
        aside is not None and away is not None and aside.server == away.server and not aside.in_dialog
        and aside.method not in KEEPALIVES and aside.sent is not None and aside.sent >= away.time
    )


def _refreshes(line: LineState, packet: Sent, track: Track) -> bool:
    """Whether a REGISTER renews a binding that the line still holds at that server (F7)."""
    if packet.method != "REGISTER":
        return False
    binding = line.binding(packet.server)
    return binding is not None and _holds(binding, packet.time, track)


def _holds(binding: Binding, now: float, track: Track) -> bool:
    """Whether the line holds the binding at `now` on this track: by the clock, and not left by a failover (F8)."""
    return binding.until > now and not (track is Track.REGAINED and binding.left is not None)


def with_binding(bindings: tuple[Binding, ...], binding: Binding) -> tuple[Binding, ...]:
    if len(bindings) == 1 and bindings[0].server == binding.server:
        return (binding,)
    for index, known in enumerate(bindings):
        if known.server == binding.server:
            return (*bindings[:index], binding, *bindings[index + 1:])
    return (*bindings[-BINDINGS_KEPT + 1:], binding)


def _line_answered(line: LineState, phone: PhoneState, answer: Answered) -> LineState:
    if answer.status < 200:
        return line
    stays, served = line.stays, line.served
    if success(answer.status):
        stays = _stays_answered(line, phone, answer)
        served = answer if _serves(stays, answer) else served
    elif answer.status in (401, 407):
        line = challenged(line, answer)
    elif answer.status not in ALIVE and not tells_failure(answer):
        stays = (_noted(stays[0], answer), *stays[1:])
    if answer.method == "REGISTER":
        return _registered(line, phone, answer, stays, served)
    if stays is line.stays and served is line.served:
        return line
    return LineState(stays, line.bindings, line.boot, line.answers, line.reordered, served, line.failed,
                     line.challenges, line.offered)


def _serves(stays: Stays, answer: Answered) -> bool:
    """Whether a working server answers what the phone sent it for being that."""
    if answer.in_dialog or answer.method in KEEPALIVES:
        return False
    answered = stays[0]
    return (answered is not None and answered.server == answer.server) or any(
        stay is not None and stay.server == answer.server for stay in stays)


def _stays_answered(line: LineState, phone: PhoneState, answer: Answered) -> Stays:
    answered, registered, regained = line.stays
    server = answer.server
    if (
        answered is not None and answered.server == server and registered is not None and registered.server == server
        and regained is not None and regained.server == server
    ):
        if is_plain(answered) and is_plain(registered) and is_plain(regained):
            return line.stays
        return _served(answered, answer), _served(registered, answer), _served(regained, answer)
    if answer.in_dialog or answer.method in NOTHING_NEW or _was_emergency(phone, answer):
        return _noted(answered, answer), _noted(registered, answer), _noted(regained, answer)
    return (_moved(line, phone, answered, answer, Track.ANSWERED),
            _moved(line, phone, registered, answer, Track.REGISTERED),
            _moved(line, phone, regained, answer, Track.REGAINED))


def is_plain(stay: Stay) -> bool:
    """Whether another answer of the working server tells nothing new."""
    return stay.aside is None and stay.took == 0.0 and not stay.unsure


def _served(stay: Stay, answer: Answered) -> Stay:
    """The stay after another answer of its server: a call through it shows that what another server answered before has
    not moved the line, and whatever was asked after the arrival shows that the arrival had."""
    if answer.in_dialog or answer.method in NOTHING_NEW:
        return stay
    if stay.aside is not None and answer.method == "INVITE":
        stay = replace(stay, away=None, aside=None, driven=False)
    asked_since = answer.sent is not None and answer.sent > stay.arrived.time
    if asked_since and not _may_not_move(answer) and (stay.took or stay.unsure):
        refreshes = answer.method == "REGISTER" and not _may_not_move(stay.arrived)
        stay = replace(stay, took=0.0, unsure=stay.unsure and refreshes)
    return stay


def _may_not_move(answer: Answered) -> bool:
    """Whether a 2xx to REGISTER leaves it open if the phone is registered: its Contact is not listed (F6)."""
    return answer.method == "REGISTER" and answer.own is not True


def _was_emergency(phone: PhoneState, answer: Answered) -> bool:
    """Whether an emergency call is answered: it goes wherever it can, and the line stays where it is."""
    return answer.method == "INVITE" and any(
        request.transaction == answer.transaction and request.emergency
        for request in phone.reach(answer.server).waiting
    )


def _noted(stay: Stay | None, answer: Answered) -> Stay | None:
    """A 2xx inside a dialog, to a keepalive or an emergency call, or to a request from before the stay moves nothing,
    nor does another answer in R0; but it might (reference-model.md 1, *working server*)."""
    return stay if stay is None or stay.server == answer.server else replace(stay, aside=answer)


def _moved(line: LineState, phone: PhoneState, stay: Stay | None, answer: Answered, track: Track) -> Stay | None:
    if stay is not None and stay.server == answer.server:
        return _served(stay, answer)
    if stay is not None and _is_late(line, phone, stay, answer):
        return _noted(stay, answer)
    if not _moves(line, phone, stay, answer, track):
        return _noted(stay, answer) if _regains(line, answer, track) else stay
    ringing = answer.transaction in phone.reach(answer.server).ringing
    took = 0.0 if answer.sent is None or ringing else answer.time - answer.sent
    if stay is None:
        return Stay(answer.server, answer, took=took, unsure=_may_not_move(answer))
    failed = _against(phone.reach(stay.server), answer.time, UNDECLARED_EARLIEST)
    was_there = stay.origin == answer.server and (stay.unsure or stay.took >= LATE_FROM)
    unsure = was_there or _may_not_move(answer) or _may_only_refresh(line, phone, stay, answer, track)
    # neither driven away nor back from where it was driven: a dial plan may send single calls elsewhere
    explained = bool(failed) or bool(stay.failed)
    moves = (*stay.moves[-MOVES_KEPT + 1:], answer) if explained else ()
    return Stay(answer.server, answer, stay.away, stay.server, failed, origin_since=stay.arrived.time,
                moves=moves, took=took, unsure=unsure)


def _may_only_refresh(line: LineState, phone: PhoneState, stay: Stay, answer: Answered, track: Track) -> bool:
    """Whether a REGISTER may have renewed what the line had, although the working server has failed: in R0 whatever
    server granted it (F5); there (F7) in R0 and R1 a live binding, when its time has come, else only if what stands
    against the working server is of other lines, or from before the stay."""
    if answer.method != "REGISTER":
        return False
    if track is Track.ANSWERED and any(one.granted is not None for one in line.bindings):
        return True
    binding = line.binding(answer.server)
    if binding is None or binding.granted is None:
        return False
    live = track is not Track.REGAINED and binding.until > answer.time
    if live and _may_be_due(binding, binding.granted, answer.time):
        return True
    against = _against(phone.reach(stay.server), answer.time, SLOW)
    own = any(item.line in (answer.line, NO_LINE) and item.time > stay.arrived.time for item in against)
    return bool(against) and not own


def _may_be_due(binding: Binding, granted: Answered, now: float) -> bool:
    """Whether the binding may be at its renewal: no firmware comes before half of its life, unless the overlap is more
    than that."""
    return binding.expires <= 2 * OVERLAP_MAX or now - granted.time >= binding.expires / 2 - RENEWAL_SLACK


def _against(reach: Reach, now: float, earliest: float) -> tuple[Evidence, ...]:
    """What speaks against a server at `now` so that a line leaves it: no redirection, nothing inside a dialog, no
    silence after a provisional answer, nor any that ended soon."""
    return tuple(item for item in evidence(reach, now, earliest) if _drives_away(item, reach))


def _drives_away(item: Evidence, reach: Reach) -> bool:
    if not isinstance(item, Sent):
        return not redirects(item) and not (isinstance(item, Answered) and item.in_dialog)
    soon = any(request is item and until - request.time < SLOW for request, until in reach.late)
    return not (item.in_dialog or item.transaction in reach.ringing or soon)


def redirects(item: Evidence) -> bool:
    """Whether the server sent the phone elsewhere, which is no failure (F4)."""
    return isinstance(item, Answered) and item.status in REDIRECTS


def _is_late(line: LineState, phone: PhoneState, stay: Stay, answer: Answered) -> bool:
    """Whether the phone may have given up what is answered here: its working server, not failed, has served the line
    since it was asked, or much time has passed."""
    if answer.sent is None:
        return False
    served = line.served
    since = served.sent if served is not None and served.server == stay.server else None
    if answer.sent < stay.arrived.time or (since is not None and answer.sent < since):
        return True
    slow = answer.time - answer.sent > SLOW and answer.transaction not in phone.reach(answer.server).ringing
    return slow and not _against(phone.reach(stay.server), answer.time, SLOW)


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
        return binding is not None and _holds(binding, answer.time, track)
    if answer.asked == 0 or (answer.granted == 0 and track is not Track.ANSWERED):
        return False  # a de-registration moves nothing, and an explicit 0 keeps the gate shut (F6)
    if stay is None or binding is None or binding.granted is None:
        return True
    if track is Track.REGAINED and not _holds(binding, answer.sent or answer.time, track):
        return True
    # F7: the refresh of a binding elsewhere moves nothing, unless the working server had failed, or had
    # ended the line's registration there
    left = line.binding(stay.server)
    turned_away = left is not None and left.granted is None
    return turned_away or bool(_against(phone.reach(stay.server), answer.time, SLOW))


def _registered(
    line: LineState, phone: PhoneState, answer: Answered, stays: Stays, served: Answered | None
) -> LineState:
    binding = _granted(line.binding(answer.server) or Binding(answer.server), answer)
    stay = line.stays[Track.ANSWERED]
    if stay is not None and stay.server != answer.server and _is_late(line, phone, stay, answer):
        binding = replace(binding, late=True)
    bindings = with_binding(line.bindings, binding)
    before, after = line.stays[Track.REGAINED], stays[Track.REGAINED]
    bindings = _left(bindings, before, after)
    failed = mark_set(line.failed, before, after, phone)
    if failed:
        failed = mark_answered(failed, answer)
    return LineState(stays, bindings, line.boot, line.answers, line.reordered, served, failed, line.challenges,
                     line.offered)


def _granted(binding: Binding, answer: Answered) -> Binding:
    """The binding after a final answer to a REGISTER (RFC 3261 10.2.4; F6 for the expiry)."""
    register = None if binding.register and binding.register.transaction == answer.transaction else binding.register
    if not success(answer.status):
        if answer.status in ALIVE:
            if register is None and binding.register is not None and binding.register.follows is None:
                register = binding.register  # challenged: another will follow
            return Binding(binding.server, register, binding.granted, binding.since, binding.refreshes,
                           binding.refused, binding.left, None, binding.late)
        return replace(binding, register=register, refused=answer)
    if answer.asked == 0 or (answer.granted == 0 and answer.own is not False):
        held = answer.asked == 0 or binding.granted is not None or binding.removed is not None
        return Binding(binding.server, register, left=binding.left, removed=answer if held else None)
    # sent before the server was left, the 200 restores nothing (F8)
    stale = binding.left is not None and answer.sent is not None and answer.sent < binding.left
    left = binding.left if stale else None
    if binding.granted is not None and binding.until > (answer.sent or answer.time) and binding.left is None:
        return Binding(binding.server, register, answer, binding.since, binding.refreshes + 1, None, left)
    return Binding(binding.server, register, answer, answer, 0, None, left)


def _left(bindings: tuple[Binding, ...], before: Stay | None, after: Stay | None) -> tuple[Binding, ...]:
    """Mark the binding at the server that a failover left (F8). A failback leaves no mark: it goes back to where
    the line came from, without evidence against the server it leaves."""
    if before is None or after is None or before is after or before.server == after.server:
        return bindings
    if not after.failed and after.server == before.origin:
        return bindings
    return tuple(
        replace(binding, left=after.arrived.time) if binding.server == before.server else binding
        for binding in bindings
    )


def _line_booted(line: LineState, boot: Booted) -> LineState:
    if boot.possible:
        return replace(line, boot=boot)
    # a boot that was seen: no registration anywhere, and neither marks nor timers (reference-model.md 1)
    return LineState(bindings=tuple(Binding(binding.server) for binding in line.bindings), answers=line.answers)
