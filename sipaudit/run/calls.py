"""What lines do where nothing is wrong, taken in short (`model.calling`): calls, subscriptions, and what is said in
their dialogs. What it changes is written down when anything else comes.
"""

from __future__ import annotations

from collections.abc import Container

from sipaudit.incidents.calm import Calm
from sipaudit.incidents.watch import Watch
from sipaudit.model.calling import Calling, begins_to_call
from sipaudit.model.events import Answered, CallChanged, ModelEvent, Sent
from sipaudit.model.state import PhoneState
from sipaudit.run.line_replay import LineReplay
from sipaudit.run.replays import Replays


class GoesOn:
    """What goes on of a line; who looks for incidents hears of each event when it comes. Each of the three takes an
    event if it is part of that, and false says that it was not. Faults hear of none: nothing is observed, and no fault
    may be said again before the line moves or registers anew."""

    __slots__ = ("_calm", "calling", "replay")

    def __init__(self, calling: Calling, replay: LineReplay, calm: Calm) -> None:
        self.calling = calling
        self.replay = replay
        self._calm = calm

    def asks(self, request: Sent) -> bool:
        """A request of the phone."""
        if not self.calling.asks(request):
            return False
        self._calm.asks(request, self.replay)
        return True

    def hears(self, answer: Answered) -> bool:
        """An answer to one."""
        if not self.calling.answers(answer):
            return False
        self._calm.hears(answer, self.replay)
        return True

    def changes(self, change: CallChanged) -> bool:
        """A call begins, is up, or is over."""
        if not self.calling.changes(change):
            return False
        self._calm.changes(change, self.replay)
        return True

    def lets_pass(self, server: str, time: float) -> bool:
        """Whether a request of that server, of no call, or its answer, changes nothing; time has passed, if so."""
        if server != self.calling.server:
            return False
        self._calm.pass_time(time)
        return True


class Calls:
    """Takes events of such lines, one of a phone at a time. `phones` are the states of phones that were written down,
    `timed` phones of which something waits for time to pass. (`in_short`) reconstruction may tell of them at once:
    nobody else wants them."""

    __slots__ = ("_phones", "_replays", "_timed", "_watch", "going_on", "in_short")

    def __init__(self, replays: Replays, phones: dict[int, PhoneState], timed: Container[int], watch: Watch) -> None:
        self._replays = replays
        self._phones = phones
        self._timed = timed
        self._watch = watch
        self.going_on: dict[int, GoesOn] = {}   # by phone
        self.in_short = False

    def takes(self, event: ModelEvent) -> bool:
        """Take an event of a phone of which something goes on, if it is part of that."""
        going, kind = self.going_on[event.phone], type(event)
        if not going.replay.is_home(going.calling.server):   # DNS has told otherwise meanwhile
            return False
        if kind is Answered:
            return going.hears(event)   # type: ignore[arg-type]
        if kind is Sent:
            return going.asks(event)   # type: ignore[arg-type]
        return kind is CallChanged and going.changes(event)   # type: ignore[arg-type]

    def begins(self, request: Sent) -> bool:
        """Take a request, if from then on what its line does may be taken so."""
        phone = self._phones.get(request.phone)
        if phone is None or request.phone in self._timed:
            return False
        replay = self._replays.only(request.line)
        if replay is None or replay.waiting or replay.index or replay.history.is_trying \
                or not replay.is_home(request.server) or not begins_to_call(replay.written, phone, request) \
                or self._watch.minds(request.line):
            return False
        going = GoesOn(Calling(replay.written, phone, request), replay, self._watch.calm)
        if not going.asks(request):
            return False
        replay.calling = going.calling
        self.going_on[request.phone] = going
        if self.in_short:
            replay.record.goes_on = going
        return True

    def end(self, phone: int) -> None:
        """Write down what went on of the phone."""
        going = self.going_on.pop(phone, None)
        if going is not None:
            self._phones[phone] = going.calling.phone_after(self._phones[phone])
            going.replay.write_down()

    def end_all(self) -> None:
        """Write down all of it."""
        for phone in tuple(self.going_on):
            self.end(phone)
