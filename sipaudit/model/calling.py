"""What a line does where nothing is wrong: it calls, subscribes, and sends requests in its dialogs, all to its working
server, which answers.

Such events leave hardly anything behind: a request waits, and its answer ends that.  While they come as expected, and
no rule can be about any of them (`stakes`), their changes are noted in one record, `Calling`.  The states of line and
phone are written once something else comes or a state is asked for, the same as if the events had been followed one by
one.  Correctness does not depend on this file, and a test makes sure that both roads lead to the same result.
"""

from __future__ import annotations

from msgspec.structs import replace

from sipaudit.model.absorb_phone import with_reach
from sipaudit.model.events import CHALLENGES, Answered, CallChanged, Sent
from sipaudit.model.state import Call, LineState, PhoneState, Stay
from sipaudit.model.timers import LATE_FROM

OPENING = frozenset({"INVITE", "SUBSCRIBE"})


def begins_to_call(line: LineState, phone: PhoneState, event: Sent) -> bool:
    """Whether `event` may be the first that `Calling` notes, if the line holds a binding: it opens a dialog at the
    server that the line works with on every track, and nothing is open, failed, tried or doubtful."""
    stay, server = line.stays[0], event.server
    if event.method not in OPENING or event.in_dialog or event.follows is not None \
            or stay is None or stay is not line.stays[1] or stay is not line.stays[2]:
        return False
    if line.failed or line.offered or line.challenges or len(phone.calls) > 1 \
            or stay.server != server or not _is_settled(stay, event):
        return False
    reach = phone.reach(server)
    return not (reach.waiting or reach.ringing or reach.hard or reach.doubtful or reach.late or reach.repeated)


def _is_settled(stay: Stay, request: Sent) -> bool:
    """Whether an answer to the request can show nothing about the stay but that its server serves the line."""
    return stay.away is None and stay.aside is None and not (stay.failed or stay.tries or stay.unsure) \
        and stay.took < LATE_FROM and request.time > stay.arrived.time


class Calling:
    """What a line's events have changed since its states were written; at most one request waits at a time, and at most
    one call is not over.

    `since` is when the line had come to its server, `until` when its last binding expires. `waiting` is the request
    under way, `rang` whether it had a provisional response; `challenge` is the 401 or 407 not yet answered with
    credentials, `challenged` whether there was any; `opened` is when the first dialog-opening request was sent,
    `served` the last out-of-dialog 2xx; `answered` the last final answer, `invited` when the last out-of-dialog INVITE
    that has a final answer was sent; `call` is the call, `quiet` when the last one ended, `touched` when the phone last
    sent a request.
    """

    __slots__ = ("answered", "call", "challenge", "challenged", "invited", "line", "opened", "quiet", "rang", "served",
                 "server", "since", "touched", "until", "waiting")

    def __init__(self, line: LineState, phone: PhoneState, event: Sent) -> None:
        self.line, self.server = event.line, event.server
        stay = line.stays[0]
        self.since = 0.0 if stay is None else stay.arrived.time
        self.until = 0.0
        for binding in line.bindings:
            self.until = max(self.until, binding.until)
        self.waiting: Sent | None = None
        self.rang = False
        self.challenge: Answered | None = None
        self.challenged = False
        self.opened: float | None = None
        self.served: Answered | None = None
        self.answered: Answered | None = None
        self.invited: float | None = None
        self.touched = event.time
        self.call: Call | None = phone.calls[0] if phone.calls else None
        self.quiet = phone.quiet

    # Each of these notes an event, or returns False if it might matter in another way: the long road takes it.

    def asks(self, request: Sent) -> bool:
        """A request: in a known dialog, or one that opens a dialog."""
        if self.waiting is not None or request.line != self.line or request.server != self.server \
                or not self.since < request.time < self.until or request.expires == 0 or request.goes_its_way:
            return False
        if request.in_dialog:
            if request.follows is not None or request.method == "CANCEL" or not self._knows(request.call):
                return False
        elif request.method not in OPENING or not self._opens(request):
            return False
        self.waiting, self.touched = request, request.time
        return True

    def _knows(self, call: int | None) -> bool:
        """Whether `call` is the known call, or None: a subscription's dialog."""
        return call is None or (self.call is not None and self.call.number == call)

    def _opens(self, request: Sent) -> bool:
        """Note a request that opens a dialog: its first sending, or the one with the credentials asked for."""
        challenge = self.challenge
        if request.follows is None:
            if challenge is not None:
                return False
            if self.opened is None:
                self.opened = request.time
        elif challenge is None or request.follows != challenge.transaction:
            return False
        self.challenge = None
        return True

    def answers(self, answer: Answered) -> bool:
        """A timely answer to the waiting request."""
        request, status = self.waiting, answer.status
        if request is None or answer.transaction != request.transaction:
            return False
        rang = self.rang
        if not rang and answer.time - request.time >= LATE_FROM:
            return False
        if status < 200:
            self.rang = rang or answer.method == "INVITE"   # F4: a provisional stops the timer of INVITEs only
            return True
        if status < 300:
            if not answer.in_dialog:
                self.served = answer
        elif status in CHALLENGES and self.challenge is None:
            self.challenge, self.challenged = answer, True
        else:
            return False
        if answer.method == "INVITE" and not answer.in_dialog:
            self.invited = request.time
        self.waiting, self.rang, self.answered = None, False, answer
        return True

    def changes(self, change: CallChanged) -> bool:
        """The call begins, is up, or is over."""
        call, time = self.call, change.time
        if change.line != self.line or change.server != self.server \
                or (call is not None and call.number != change.call):
            return False
        if change.state == "over":
            waiting = self.waiting
            if waiting is not None and waiting.method == "INVITE" and not self.rang:
                return False   # it has run out: the call was over before this event
            self.call, self.quiet = None, time
        else:
            up, answered = (time, change) if change.state == "up" else (None, None)
            began = time if call is None else call.began
            self.call = Call(change.call, change.line, change.server, began, up, answered)
        return True

    # -- the states after them

    def line_after(self, line: LineState) -> LineState:
        """The line's state now; `line` is the state that was written when this began."""
        before, served = line.stays[0], self.served
        assert before is not None
        stay = replace(before, opened=self.opened if before.opened is None else before.opened,
                       took=before.took if served is None else 0.0,
                       answers_calls=before.answers_calls or served is not None)
        return LineState(
            (stay, stay, stay), line.bindings, line.boot, line.answers, line.reordered, served or line.served,
            line.failed, () if self.challenge is None else (self.challenge,), line.offered, line.began,
            self.server if self.challenged else line.challenger, line.asked)

    def phone_after(self, phone: PhoneState) -> PhoneState:
        """The phone's state now; `phone` is the one that was written when this began."""
        reach, waiting = phone.reach(self.server), self.waiting
        known = with_reach(phone, replace(
            reach, waiting=() if waiting is None else (waiting,),
            ringing=(waiting.transaction,) if waiting is not None and self.rang else (),
            answered=self.answered or reach.answered, touched=self.touched,
            called=reach.called if self.invited is None else self.invited))
        return replace(known, calls=() if self.call is None else (self.call,), quiet=self.quiet)
