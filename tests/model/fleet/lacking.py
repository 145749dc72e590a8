"""One packet is missing from the capture: an answer, or one sending of a request.

The phone behaves as in `story.py`. When an answer is missing, nothing in the capture shows the loss; a missing request
shows by its answer, as it would in reconstruction.
"""

from __future__ import annotations

import random
from collections.abc import Iterator, Sequence

from sipaudit.model.events import NO_LINE, Answered, CallChanged, Contacted, ContactKind, Lost, ModelEvent, Resent, Sent
from sipaudit.model.packets import MOVERS
from tests.model.fleet.late import Late
from tests.model.fleet.story import History, obedient

MID_LIFE = 32.0   # seconds after the start in which an answer's request may be from before the capture
SHOWS_SILENCE = 0.8   # how often an unanswered request is chosen, if there is one: those drive phones away


def lacking(seed: int) -> History:
    """An obeying phone, with one answer that was not captured."""
    history = obedient(seed)
    answers = [event for event in history.events if isinstance(event, Answered)]
    return without(history, random.Random(f"lacking{seed}").choice(answers)) if answers else history


def without(history: History, gone: Answered) -> History:
    """The history without that answer."""
    events = [event for event in history.events if event is not gone]
    return History(history.seed, history.habits, events, history.profiles)


def unasked(seed: int) -> History:
    """An obeying phone, with one sending of a request that was not captured."""
    history = obedient(seed)
    chance = random.Random(f"unasked{seed}")
    sends: Sequence[Sent | Resent] = [event for event in history.events if isinstance(event, Sent | Resent)]
    answered = {event.transaction for event in history.events if isinstance(event, Answered) and event.status >= 200}
    in_vain = [event for event in sends if isinstance(event, Sent) and event.transaction not in answered
               and event.method in MOVERS and not event.in_dialog]
    if in_vain and chance.random() < SHOWS_SILENCE:
        sends = in_vain
    return without_sending(history, chance.choice(sends)) if sends else history


def without_sending(history: History, gone: Sent | Resent) -> History:
    """The history without that packet. The loss shows as a missing segment of a connection, or in the CSeq of the next
    REGISTER."""
    told = list(_Unsent(history.events, gone).told())
    shows = [event for event in told if event.time >= gone.time and (
        history.habits.transport != "udp" or (isinstance(event, Sent) and event.method == gone.method == "REGISTER"
                                              and event.call_id == getattr(gone, "call_id", "")))]
    if isinstance(gone, Sent) and shows and getattr(shows[0], "transaction", 0) != gone.transaction:
        missed: list[ModelEvent] = [Lost(shows[0].time, gone.capture, gone.frame, gone.phone, NO_LINE, "a gap",
                                         gone.time)]
        if history.habits.transport != "udp":
            missed.append(Contacted(shows[0].time, gone.capture, gone.frame, gone.phone, NO_LINE, gone.server,
                                    ContactKind.UNREAD))
        at = told.index(shows[0])
        told[at:at] = missed
    return History(history.seed, history.habits, told, history.profiles)


class _Unsent(Late):
    """All events but one sending of a request: the next sending begins the request, or else its answer has none."""

    def __init__(self, events: list[ModelEvent], gone: Sent | Resent) -> None:
        super().__init__(events, float("-inf"), float("-inf"))
        self.events = [event for event in events if event is not gone]
        self.gone = gone
        self.first = events[0].time

    def told(self) -> Iterator[ModelEvent]:
        ringing: CallChanged | None = None
        for event in super().told():
            if isinstance(self.gone, Sent) and isinstance(event, CallChanged) and event.state == "ringing" \
                    and event.call == self.gone.call and event.time == self.gone.time:
                ringing = event   # the call begins with the first sending that was captured
                continue
            yield event
            if ringing is not None and isinstance(event, Sent) and event.transaction == self.gone.transaction:
                yield CallChanged(event.time, event.capture, event.frame, event.phone, event.line, ringing.server,
                                  ringing.call, "ringing")
            if isinstance(event, Answered) and event.sent is None and event.time - self.first >= MID_LIFE:
                yield Lost(event.time, event.capture, event.frame, event.phone, NO_LINE, "no request")
