"""What lines do where nothing is wrong, taken in short (`model.calling`): calls, subscriptions, and what is said in their
dialogs. What it changes is written down when anything else comes.
"""

from __future__ import annotations

from collections.abc import Container

from sipaudit.incidents.watch import Watch
from sipaudit.model.calling import Calling, begins_to_call
from sipaudit.model.events import Answered, CallChanged, ModelEvent, Sent
from sipaudit.model.state import PhoneState
from sipaudit.rulebook.faults import Faults
from sipaudit.run.line_replay import LineReplay
from sipaudit.run.replays import Replays


class Calls:
    """Takes events of such lines, one of a phone at a time. `phones` are the states of phones that were written down,
    `timed` phones of which something waits for time to pass."""

    def __init__(self, replays: Replays, phones: dict[int, PhoneState], timed: Container[int], faults: Faults,
                 watch: Watch) -> None:
        self._replays = replays
        self._phones = phones
        self._timed = timed
        self._faults = faults
        self._watch = watch
        self.going_on: dict[int, tuple[Calling, LineReplay]] = {}   # by phone

    def takes(self, event: ModelEvent) -> bool:
        """Take an event of a phone of which something goes on, if it is part of that."""
        calling, replay = self.going_on[event.phone]
        if replay.is_home(calling.server) and not (self._faults.open and self._may_rearm(replay)):
            kind = type(event)
            if kind is Answered:
                if calling.answers(event):   # type: ignore[arg-type]
                    self._watch.hears(event, replay)   # type: ignore[arg-type]
                    return True
            elif kind is Sent:
                if calling.asks(event):   # type: ignore[arg-type]
                    self._watch.asks(event, replay)   # type: ignore[arg-type]
                    return True
            elif kind is CallChanged and calling.changes(event):   # type: ignore[arg-type]
                self._watch.changes(event, replay)   # type: ignore[arg-type]
                return True
        return False

    def begins(self, request: Sent) -> bool:
        """Take a request, if from then on what its line does may be taken so."""
        phone = self._phones.get(request.phone)
        if phone is None or request.phone in self._timed:
            return False
        replay = self._replays.only(request.line)
        if replay is None or replay.waiting or replay.index or replay.history.tries \
                or not replay.is_home(request.server) or not begins_to_call(replay.written, phone, request) \
                or self._watch.minds(request.line) or (self._faults.open and self._may_rearm(replay)):
            return False
        calling = Calling(replay.written, phone, request)
        if not calling.asks(request):
            return False
        replay.calling = calling
        self.going_on[request.phone] = calling, replay
        self._watch.asks(request, replay)
        return True

    def _may_rearm(self, replay: LineReplay) -> bool:
        """Whether a fault is open of the line, which its next event may close."""
        return (replay.line, replay.phone) in self._faults.open

    def end(self, phone: int) -> None:
        """Write down what went on of the phone."""
        going_on = self.going_on.pop(phone, None)
        if going_on is not None:
            calling, replay = going_on
            self._phones[phone] = calling.phone_after(self._phones[phone])
            replay.write_down()

    def end_all(self) -> None:
        """Write down all of it."""
        for phone in tuple(self.going_on):
            self.end(phone)
