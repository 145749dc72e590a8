"""A phone's first registration, written down once: REGISTER, mostly its challenge and the REGISTER that answers it, and
the 200.

For a line and a phone of which nothing was known, the states after these four events are known beforehand.  While the
events come as expected they are only remembered.  For most lines the states are never built: mere renewals follow
(`routine`), and it is enough to keep what the states can be made of.  Anything else is absorbed event by event:
correctness does not depend on this file, and a test makes sure that both roads lead to the same result.
"""

from __future__ import annotations

from sipaudit.model.absorb import absorb_line
from sipaudit.model.absorb_phone import absorb_phone
from sipaudit.model.events import Answered, ModelEvent, Sent
from sipaudit.model.renewal import Arrived
from sipaudit.model.routine import OFF, ON, Way, answered
from sipaudit.model.state import Beginning, LineState, PhoneState


def begins_to_register(event: ModelEvent) -> bool:
    """Whether the first event of a phone is a REGISTER that begins a registration."""
    return type(event) is Sent and event.method == "REGISTER" and event.follows is None and event.expires != 0


class Arriving:
    """A first registration under way: `first` is the REGISTER with which it began, `challenge` the 401 or 407 to it,
    and `asked` the REGISTER with credentials (or `first`). No rule is about any of them (`stakes`)."""

    __slots__ = ("asked", "challenge", "first")

    def __init__(self, first: Sent) -> None:
        self.first = self.asked = first
        self.challenge: Answered | None = None

    def take(self, event: ModelEvent) -> Way:
        """What the phone's next event is to the registration; remembered unless it is the last one, or unrelated."""
        first, asked = self.first, self.asked
        if type(event) is Answered:
            if event.transaction != asked.transaction:
                return OFF
            way = answered(event, self.challenge is not None, asked is not first)
            if way is ON:
                self.challenge = event
            return way
        if type(event) is not Sent or self.challenge is None or asked is not first or event.line != first.line \
                or event.follows != first.transaction or event.server != first.server or event.expires == 0:
            return OFF
        self.asked = event
        return ON

    def done(self, granted: Answered) -> Arrived:
        """What to keep after the 200 that ends it."""
        first = self.first
        began = Beginning(first.time, first.server, first.call_id) if first.anew else None
        return Arrived(granted, self.asked, began, self.challenge is not None)

    def so_far(self) -> tuple[LineState, PhoneState]:
        """The states after the events seen so far."""
        line, phone = LineState(), PhoneState()
        for event in (self.first, self.challenge, None if self.asked is self.first else self.asked):
            if event is not None:
                line, phone = absorb_line(line, phone, event), absorb_phone(phone, event)
        return line, phone
