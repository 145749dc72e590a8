"""The observer comes late: a capture, or a view that begins anew after a blind interval, starts in the middle of a
life.

The phone behaves as in `story.py`; its events begin at a random moment, in the form that reconstruction would give
them: a request whose first sending was not captured begins with the next one, an answer to a request that never was has
no request, an old call is up once an in-dialog request shows it. After a blind interval (`Auditor.view_begins`) the
requests from before it are still remembered; at the start of a capture none are.
"""

from __future__ import annotations

import random
from collections.abc import Iterator, Sequence

from msgspec.structs import replace

from sipaudit.model.events import Answered, CallChanged, ModelEvent, Received, Resent, Sent
from sipaudit.model.profile import Profile
from tests.model.fleet.story import History, obedient
from tests.model.fleet.wire import AGAIN

BLIND = (3, 20, 100, 600, 2000)   # seconds
OF_CALLS = frozenset({"INVITE", "UPDATE", "INFO", "PRACK", "BYE"})
SHOW_CALLS = frozenset({"INVITE", "UPDATE", "INFO"})   # inside a dialog these show that the call is up


def late(seed: int) -> History:
    """An obeying phone, seen from a random moment of its life on; without events where the view begins after its
    end."""
    history = obedient(seed)
    chance = random.Random(f"blind{seed}")
    if not history.events:
        return history
    blind = chance.uniform(history.events[0].time, history.events[-1].time)
    begins = blind + chance.choice(BLIND)
    remembered = blind if chance.random() < 0.5 else 0.0
    return begun(history, begins, remembered)


def begun(history: History, begins: float, remembered: float = 0.0) -> History:
    """The history for an observer that saw nothing before `begins`, except that it remembers the requests from before
    `remembered` (seconds since the history's beginning)."""
    events = list(Late(history.events, begins, remembered).told())
    return History(history.seed, history.habits, events, _covered(history.profiles, begins))


def _covered(profiles: Sequence[tuple[float, Profile]], begins: float) -> list[tuple[float, Profile]]:
    """The profiles with coverage from `begins` on: phone, settings and servers stay known."""
    at_first = next(profile for since, profile in reversed(profiles) if since <= begins)
    since = [(begins, at_first), *((time, profile) for time, profile in profiles if time > begins)]
    return [(time, replace(profile, covered_from=begins)) for time, profile in since]


class Late:
    """The events from a moment on, as reconstruction would report them."""

    def __init__(self, events: Sequence[ModelEvent], begins: float, remembered: float) -> None:
        self.events = [event for event in events if event.time > begins]
        self.asked = {event.transaction: event for event in events if isinstance(event, Sent)}
        before = [event for event in events if event.time < remembered]
        self.known = {event.transaction: event for event in before if isinstance(event, Sent)}
        self.again = {event.transaction for event in before if isinstance(event, Answered) and event.status in AGAIN}
        self.calls = {event.call for event in before if isinstance(event, CallChanged)}
        self.lines = {event.line for event in before}
        self.up: set[int] = set()   # calls that were seen to be answered

    def told(self) -> Iterator[ModelEvent]:
        for event in self.events:
            if isinstance(event, Sent):
                yield self._sent(event)
            elif isinstance(event, Resent) and event.transaction not in self.known:
                yield self._sent(replace(self.asked[event.transaction], time=event.time, frame=event.frame))
            elif isinstance(event, Answered):
                yield from self._answered(event)
            else:
                yield event
            if isinstance(event, CallChanged):
                self.calls.add(event.call)
                self.up = self.up | {event.call} if event.state == "up" else self.up - {event.call}
            self.lines.add(event.line)
            yield from self._call(event)

    def _sent(self, request: Sent) -> Sent:
        if request.follows not in self.again:
            request = replace(request, follows=None, proves=False)
        self.known[request.transaction] = request
        return request

    def _answered(self, answer: Answered) -> Iterator[Answered]:
        request = self.known.get(answer.transaction)
        if request is None and answer.line not in self.lines:
            return  # the answer cannot be attributed to a line
        if answer.status in AGAIN:
            self.again.add(answer.transaction)
        if request is None:
            in_dialog = answer.method in OF_CALLS - {"INVITE"} or answer.call in self.up
            yield replace(answer, sent=None, asked=None, in_dialog=in_dialog)
        else:
            yield replace(answer, sent=request.time)

    def _call(self, event: ModelEvent) -> Iterator[CallChanged]:
        """A call that began before the view is up as soon as an in-dialog request shows it."""
        if not isinstance(event, Sent | Received) or not event.in_dialog or event.method not in SHOW_CALLS \
                or event.call is None or event.call in self.calls:
            return
        self.calls.add(event.call)
        yield CallChanged(event.time, event.capture, event.frame, event.phone, event.line, event.server, event.call,
                          "up")
