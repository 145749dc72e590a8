"""Reduces a history to what a finding needs, so that a human can read it.

Only events that cannot make the phone guilty are left out: calls it received, requests in dialogs, requests of no
weight, and registrations in the middle of a series at one server.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable

from sipaudit.model.events import Answered, CallChanged, ModelEvent, Received, Replied, Resent, Sent

CALLED = (Received, Replied, CallChanged, Sent)
LIGHT = frozenset({"OPTIONS", "MESSAGE", "PUBLISH", "NOTIFY", "SUBSCRIBE"})


def shrunk(events: list[ModelEvent], accused: Callable[[list[ModelEvent]], bool]) -> list[ModelEvent]:
    """The events, without the groups that the finding does not need."""
    groups = _groups(events)
    for group in sorted({name for name in groups.values() if name is not None}, key=str):
        kept = [event for event in events if groups[id(event)] != group]
        if len(kept) < len(events) and accused(kept):
            events = kept
    return events


def _groups(events: list[ModelEvent]) -> dict[int, Hashable]:
    """For each event, by its id(): the group that can be left out as a whole; None if the event has weight."""
    calls_in = {event.call for event in events if isinstance(event, Received) and event.call is not None}
    calls_out = {event.call for event in events if isinstance(event, Sent) and event.method == "INVITE"
                 and not event.in_dialog}
    light = {event.transaction for event in events
             if isinstance(event, (Sent, Received)) and (event.in_dialog or event.method in LIGHT)}
    steady = _steady(events)
    groups: dict[int, Hashable] = {}
    for event in events:
        call = getattr(event, "call", None)
        number = getattr(event, "transaction", None)
        if call is not None and call in calls_in - calls_out and isinstance(event, CALLED):
            groups[id(event)] = ("call", call)
        elif number is not None and (number in light or number in steady):
            groups[id(event)] = ("transaction", number)
        else:
            groups[id(event)] = None
    return groups


def _steady(events: list[ModelEvent]) -> set[int]:
    """Transactions of REGISTERs (and of those that they follow) answered by the server that also answered the
    registration before and the one after."""
    answered = [event for event in events if isinstance(event, Answered) and event.method == "REGISTER"
                and event.status == 200]
    sent = {event.transaction: event for event in events if isinstance(event, Sent)}
    again = {event.transaction for event in events if isinstance(event, Resent)}
    steady: set[int] = set()
    for before, this, after in zip(answered, answered[1:], answered[2:], strict=False):
        if before.server == this.server == after.server and this.transaction not in again:
            steady.add(this.transaction)
            request = sent.get(this.transaction)
            if request is not None and request.follows is not None:
                steady.add(request.follows)
    return steady
