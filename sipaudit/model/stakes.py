"""Which events must be judged: a quick check that rules out nearly all."""

from __future__ import annotations

from collections.abc import Callable

from sipaudit.model.events import Answered, ModelEvent, Replied, Sent
from sipaudit.model.expectations import Trigger
from sipaudit.model.packets import DIALOG_INITIATING, grants_nothing
from sipaudit.model.profile import Profile
from sipaudit.model.state import LineState, PhoneState

Plain = Callable[[], Profile]


def at_stake(line: LineState, phone: PhoneState, event: ModelEvent, plain: Plain) -> Trigger | None:
    """The trigger of an event, None where no row could apply. `plain` returns the line's profile without the parts that
    grow while the capture is read; it is called only where servers matter."""
    if type(event) is Sent:
        return _sent(line, phone, event, plain)
    if type(event) is Answered:
        return _answered(line, event, plain)
    if type(event) is Replied:
        return Trigger.REPLY if line.offered or line.failed else None
    return None


def _sent(line: LineState, phone: PhoneState, request: Sent, plain: Plain) -> Trigger | None:
    """The trigger of a request. Nearly all go to the primary, which the line works with on every track: no row is about
    them."""
    if request.in_dialog:
        # a re-send with credentials counts as the request that it repeats, here and below
        return Trigger.DIALOG if line.failed and request.follows is None and line.mark(request.server) else None
    if request.follows is not None:
        return Trigger.CREDENTIALS if request.proves and _challenged_elsewhere(line, request) else None
    server = request.server
    answered, registered, regained = line.stays
    if (
        (answered is not None and answered.server != server) or (registered is not None and registered.server != server)
        or (regained is not None and regained.server != server)
    ):
        return Trigger.REQUEST
    method = request.method
    if method != "REGISTER" and method not in DIALOG_INITIATING and not line.failed:
        return None
    if request.expires == 0 or line.failed or _asks_again(phone, request):
        return Trigger.REQUEST
    if method == "REGISTER":
        return Trigger.REQUEST if has_moved(line) and not at_home(server, plain) else None
    held = any(binding.until > request.time for binding in line.bindings)
    return None if held and at_home(server, plain) else Trigger.REQUEST


def _challenged_elsewhere(line: LineState, request: Sent) -> bool:
    challenge = line.challenge(request.follows)
    return challenge is not None and challenge.server != request.server


def _asks_again(phone: PhoneState, request: Sent) -> bool:
    """Whether a request of the same method and line is already open at that server."""
    return any(one.method == request.method and one.line == request.line
               for one in phone.reach(request.server).waiting)


def has_moved(line: LineState) -> bool:
    """Whether the line came to its working server from another: then it matters whether that is its primary."""
    return any(stay is not None and stay.first is not None for stay in line.stays)


def at_home(server: str, plain: Plain) -> bool:
    """Whether the server is the primary of its entry, or of an entry that is not known."""
    entry = plain().entry
    return entry is None or (entry.primary is not None and entry.primary.key == server)


def _answered(line: LineState, answer: Answered, plain: Plain) -> Trigger | None:
    if answer.status < 200:
        return None
    if answer.method == "REGISTER":
        return Trigger.ANSWER if answer.asked and grants_nothing(answer) else None
    for stay in line.stays:
        if stay is not None and stay.first is not None and stay.server == answer.server:
            return None if at_home(answer.server, plain) else Trigger.ANSWER
    return None
