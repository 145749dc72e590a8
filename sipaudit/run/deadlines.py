"""Lines with a verdict that waits for something other than their own events: time, or a call of their phone elsewhere.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from math import inf

from sipaudit.model.events import Received, Replied, Sent
from sipaudit.model.observations import Observation
from sipaudit.model.proofs import awaits_call, next_deadline, pass_time, spoken
from sipaudit.model.state import PhoneState
from sipaudit.run.line_replay import LineReplay

Say = Callable[[tuple[Observation, ...], LineReplay], None]
"""Called with the observations of a line."""


class Deadlines:
    """`by_phone` has the replays of such lines; `phones` are the states of phones. `say` is called with settled
    observations."""

    __slots__ = ("_phones", "_say", "by_phone")

    def __init__(self, phones: Mapping[int, PhoneState], say: Say) -> None:
        self._phones = phones
        self._say = say
        self.by_phone: dict[int, dict[LineReplay, None]] = {}   # in the order in which they began to wait

    def wait(self, phone: int, replay: LineReplay, waiting: tuple[Observation, ...]) -> None:
        """Set the observations of a line that wait from now on, for time to pass or for something else; none if empty.
        """
        replay.waiting = waiting
        timed = self.by_phone.setdefault(phone, {})
        if waiting and (next_deadline(waiting) != inf or awaits_call(waiting)):
            timed[replay] = None
        else:
            timed.pop(replay, None)
        if not timed:
            del self.by_phone[phone]

    def pass_time(self, phone: int, now: float) -> None:
        """Settle what the passing of time decides for the phone's lines, before the event at `now` is applied (seconds
        since the epoch)."""
        for replay in tuple(self.by_phone[phone]):
            if next_deadline(replay.waiting) < now:
                said, waiting = pass_time(replay.waiting, now, self._phones[phone])
                self.wait(phone, replay, waiting)
                self._say(said, replay)

    def spoken(self, phone: int, event: Sent | Replied | Received, own: LineReplay) -> None:
        """The phone sends or receives in a call: settle what that decides for lines other than the call's `own`."""
        for replay in tuple(self.by_phone[phone]):
            if replay is not own and awaits_call(replay.waiting):
                said, waiting = spoken(replay.waiting, event)
                self.wait(phone, replay, waiting)
                self._say(said, replay)
