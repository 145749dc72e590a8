"""`absorb_line`: how the state of a line follows the phone's events.  Descriptive and total.

It never fails and never judges: whatever the phone does, right or wrong, the state follows it, so that one fault cannot
cause a second one later.  It knows no settings and no reading; where the regimes differ, it follows every track.
"""

from __future__ import annotations

from msgspec.structs import replace

from sipaudit.model.absorb_marks import challenged, mark_answered, mark_sent, mark_set, offered
from sipaudit.model.absorb_moves import noted, stays_answered
from sipaudit.model.absorb_phone import in_its_place
from sipaudit.model.absorb_stays import Stays, all_touched
from sipaudit.model.answers import is_late
from sipaudit.model.events import CHALLENGES, Answered, Booted, EntryChanged, ModelEvent, Received, Resent, Sent
from sipaudit.model.packets import ALIVE, NOTHING_NEW, success, tells_failure
from sipaudit.model.reach import LONG_AGO, Reach
from sipaudit.model.state import Beginning, Binding, LineState, PhoneState, Stay, Track
from sipaudit.model.timers import BOOT_SILENCE
from sipaudit.turned_away import latest

BINDINGS_KEPT = 16     # servers kept for one line
ANSWERS_KEPT = 16      # DNS answers kept for one line
ASKED_KEPT = 4         # lookups without answer kept for one line
ANSWERED_WITHIN = 10.0   # seconds within which a name server answers a lookup, if at all


def absorb_line(line: LineState, phone: PhoneState, event: ModelEvent) -> LineState:
    """The line's state after `event`; `phone` is the phone's state before it."""
    if type(event) is Sent:
        return _line_sent(line, phone, event)
    if type(event) is Answered:
        return _line_answered(line, phone, event)
    if isinstance(event, Resent):
        return _line_resent(line, event)
    if isinstance(event, Received):
        return offered(line, event)
    if isinstance(event, Booted):
        return _line_booted(line, event)
    if isinstance(event, EntryChanged):
        return _line_resolved(line, event)
    return line


def _line_resolved(line: LineState, event: EntryChanged) -> LineState:
    if event.asked:
        return replace(line, asked=(*line.asked[-ASKED_KEPT + 1:], event.time))
    return replace(line, answers=latest(line.answers, event, ANSWERS_KEPT, "line-state"),
                   reordered=event if event.reordered else line.reordered,
                   asked=tuple(time for time in line.asked if time < event.time - ANSWERED_WITHIN))


def _line_sent(line: LineState, phone: PhoneState, request: Sent) -> LineState:
    stays = all_touched(line, phone, request)
    bindings, boot = line.bindings, line.boot
    if request.method == "REGISTER":
        if request.expires == 0 and any(stay is not None and stay.server == request.server for stay in line.stays):
            boot = Booted(request.time, request.capture, request.frame, request.phone, request.line, True)
        old = line.binding(request.server) or Binding(request.server)
        bindings = with_binding(bindings, Binding(
            old.server, request, old.granted, old.since, old.refreshes, old.refused, old.left, None, old.late,
            old.removed, _missed(line, old, request)))
    began = line.began
    if request.anew and _comes_up(line, phone, request):
        began = Beginning(request.time, request.server, request.call_id)
    elif began is not None and lived_before(line, phone, request):
        began = None
    failed = mark_sent(line.failed, request) if line.failed else ()
    challenges = line.challenges
    if challenges and request.follows is not None:   # it answers that challenge, so nothing else will
        challenges = tuple(challenge for challenge in challenges if challenge.transaction != request.follows)
    if stays is line.stays and bindings is line.bindings and began is line.began \
            and (not line.failed or failed == line.failed) and len(challenges) == len(line.challenges):
        return line
    return LineState(stays, bindings, boot, line.answers, line.reordered, line.served, failed, challenges,
                     line.offered, began, line.challenger, line.asked)


def _missed(line: LineState, old: Binding, request: Sent) -> Sent | None:
    """The last REGISTER there whose answer the capture may lack: the next one may follow only once it was answered or
    has run out (RFC 3261 10.2), before which it would have been retransmitted (17.1.2.2)."""
    if old.register is None or old.resent is not None or request.follows is not None:
        return old.missed
    return line.unanswered(old) or old.missed


def _comes_up(line: LineState, phone: PhoneState, request: Sent) -> bool:
    """Whether nothing was seen before of the line, nor of its phone except that it has just begun to register."""
    seen = line.bindings or any(stay is not None for stay in line.stays)
    called = phone.calls or phone.quiet > LONG_AGO   # an incoming call, too, shows that the phone lived
    return not (seen or called) and all(_only_registers(reach, request.time - BOOT_SILENCE) for reach in phone.reaches)


def lived_before(line: LineState, phone: PhoneState, request: Sent) -> bool:
    """Whether `request` shows that a line which seemed to come up had lived before: it belongs to a call, or to
    REGISTERs under another Call-ID, whose beginning was not seen."""
    if request.in_dialog:
        return request.call is not None and phone.call(request.call) is None
    if request.method != "REGISTER" or request.anew or request.follows is not None:
        return False
    return not (line.began is None or request.call_id == line.began.call_id or line.binding(request.server) is not None)


def _only_registers(reach: Reach, since: float) -> bool:
    seen: list[Sent | Answered] = [*reach.waiting, *reach.doubtful]
    if reach.answered is not None:
        seen.append(reach.answered)
    return reach.touched >= since and all(one.method == "REGISTER" for one in seen)


def _line_resent(line: LineState, packet: Resent) -> LineState:
    binding = line.binding(packet.server)
    if binding is None or binding.register is None or binding.register.transaction != packet.transaction:
        return line
    return replace(line, bindings=with_binding(line.bindings, replace(binding, resent=packet.time)))


def with_binding(bindings: tuple[Binding, ...], binding: Binding) -> tuple[Binding, ...]:
    """`bindings` with `binding` in place of its server's; if there are too many, the oldest is dropped."""
    if len(bindings) == 1 and bindings[0].server == binding.server:
        return (binding,)
    return in_its_place(bindings, binding, BINDINGS_KEPT)


def _line_answered(line: LineState, phone: PhoneState, answer: Answered) -> LineState:
    if answer.status < 200:
        return line
    stays, served = line.stays, line.served
    if success(answer.status):
        stays = stays_answered(line, phone, answer)
        served = answer if _serves(stays, answer) else served
    elif answer.status in CHALLENGES:
        line = challenged(line, answer)
    elif answer.status not in ALIVE and not tells_failure(answer):
        stays = (noted(stays[0], answer), *stays[1:])
    if answer.method == "REGISTER":
        return _registered(line, phone, answer, stays, served)
    if stays is line.stays and served is line.served:
        return line
    # a call may settle what the REGISTER before it left open: that the line had moved on
    failed = mark_set(line, line.stays[Track.REGAINED], stays[Track.REGAINED], phone) if line.failed else ()
    return LineState(stays, line.bindings, line.boot, line.answers, line.reordered, served, failed,
                     line.challenges, line.offered, line.began, line.challenger, line.asked)


def _serves(stays: Stays, answer: Answered) -> bool:
    """Whether a stay's server answers a request sent to it as the working one: no dialog, keepalive or CANCEL."""
    if answer.in_dialog or answer.method in NOTHING_NEW:
        return False
    answered = stays[0]
    return (answered is not None and answered.server == answer.server) or any(
        stay is not None and stay.server == answer.server for stay in stays)


def _registered(
    line: LineState, phone: PhoneState, answer: Answered, stays: Stays, served: Answered | None
) -> LineState:
    binding = _granted(line.binding(answer.server) or Binding(answer.server), answer)
    stay = line.stays[Track.ANSWERED]
    if stay is not None and stay.server != answer.server and is_late(line, phone, stay, answer):
        binding = replace(binding, late=True)
    bindings = with_binding(line.bindings, binding)
    before, after = line.stays[Track.REGAINED], stays[Track.REGAINED]
    bindings = _left(bindings, before, after)
    failed = mark_set(line, before, after, phone)
    if failed:
        failed = mark_answered(failed, answer)
    return LineState(stays, bindings, line.boot, line.answers, line.reordered, served, failed, line.challenges,
                     line.offered, line.began, line.challenger, line.asked)


def _granted(binding: Binding, answer: Answered) -> Binding:
    """The binding after a final answer to a REGISTER (RFC 3261 10.2.4; F6 for the expiry)."""
    register = None if binding.register and binding.register.transaction == answer.transaction else binding.register
    if not success(answer.status):
        if answer.status in ALIVE:
            if register is None and binding.register is not None and binding.register.follows is None:
                register = binding.register  # challenged: a REGISTER with credentials will follow
            return Binding(binding.server, register, binding.granted, binding.since, binding.refreshes,
                           binding.refused, binding.left, None, binding.late, binding.removed, binding.missed)
        return replace(binding, register=register, refused=answer)
    if answer.asked == 0 or (answer.granted == 0 and answer.own is not False):
        held = answer.asked == 0 or binding.granted is not None or binding.removed is not None
        return Binding(binding.server, register, since=binding.since if answer.asked else None,
                       refused=answer if answer.asked else None, left=binding.left, removed=answer if held else None)
    # a REGISTER sent before the server was left: its 200 restores nothing (F8)
    stale = binding.left is not None and answer.sent is not None and answer.sent < binding.left
    left = binding.left if stale else None
    if binding.granted is not None and binding.until > answer.request_time and binding.left is None:
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
    return LineState(bindings=tuple(Binding(binding.server) for binding in line.bindings), answers=line.answers,
                     asked=line.asked)
