"""The short path for lines with nothing wrong (`model.calling`): calls, subscriptions, and requests in their dialogs.
The changes are written to the states when any other event comes. What this saves, and why results stay the same, is
explained in `registrations`."""

from __future__ import annotations

from collections.abc import Container

from sipaudit.incidents.calm import Calm
from sipaudit.incidents.watch import Watch
from sipaudit.model.calling import Calling, begins_to_call
from sipaudit.model.events import Answered, CallChanged, ModelEvent, Sent
from sipaudit.model.state import PhoneState
from sipaudit.run.line_replay import LineReplay
from sipaudit.run.replays import Replays


class CallFollower:
    """Follows one line with nothing wrong (`reconstruct.phones.Follower`). The search for incidents gets each event as
    it comes; faults get none, because no rule applies, and no fault can be raised again before the line moves or
    registers again."""

    __slots__ = ("_calm", "calling", "replay")

    def __init__(self, calling: Calling, replay: LineReplay, calm: Calm) -> None:
        self.calling = calling
        self.replay = replay
        self._calm = calm

    def asks(self, request: Sent) -> bool:
        """Take a request of the phone."""
        if not self.calling.asks(request):
            return False
        self._calm.asks(request, self.replay)
        return True

    def hears(self, answer: Answered) -> bool:
        """Take an answer to such a request."""
        if not self.calling.answers(answer):
            return False
        self._calm.hears(answer, self.replay)
        return True

    def changes(self, change: CallChanged) -> bool:
        """Take a change of a call: it begins, is up, or is over."""
        if not self.calling.changes(change):
            return False
        self._calm.changes(change, self.replay)
        return True

    def lets_pass(self, server: str, time: float) -> bool:
        """Whether a request of that server outside calls, or the answer to it, changes nothing; if so, time has passed
        until then."""
        if server != self.calling.server:
            return False
        self._calm.pass_time(time)
        return True


class CallFollowers:
    """The followers of such lines, at most one per phone. `phones` are the written states of phones, `timed` the phones
    with a verdict that waits for time to pass. `in_short`: reconstruction may pass events to a follower directly,
    because nobody else needs them."""

    __slots__ = ("_phones", "_replays", "_timed", "_watch", "followers", "in_short")

    def __init__(self, replays: Replays, phones: dict[int, PhoneState], timed: Container[int], watch: Watch) -> None:
        self._replays = replays
        self._phones = phones
        self._timed = timed
        self._watch = watch
        self.followers: dict[int, CallFollower] = {}   # by phone
        self.in_short = False

    def takes(self, event: ModelEvent) -> bool:
        """Take an event of a followed phone, if nothing is wrong with it."""
        follower = self.followers[event.phone]
        if not follower.replay.is_home(follower.calling.server):   # DNS has changed the entry meanwhile
            return False
        if type(event) is Answered:
            return follower.hears(event)
        if type(event) is Sent:
            return follower.asks(event)
        return type(event) is CallChanged and follower.changes(event)

    def begins(self, request: Sent) -> bool:
        """Take a request, if its line can be followed from then on."""
        phone = self._phones.get(request.phone)
        if phone is None or request.phone in self._timed:
            return False
        replay = self._replays.only(request.line)
        if replay is None or replay.waiting or replay.index or (replay.kept is not None and replay.kept.is_trying) \
                or not replay.is_home(request.server) or not begins_to_call(replay.written, phone, request) \
                or self._watch.minds(request.line):
            return False
        follower = CallFollower(Calling(replay.written, phone, request), replay, self._watch.calm)
        if not follower.asks(request):
            return False
        replay.calling = follower.calling
        self.followers[request.phone] = follower
        if self.in_short:
            replay.record.follower = follower
        return True

    def end(self, phone: int) -> None:
        """Stop following the phone, and write its state."""
        follower = self.followers.pop(phone, None)
        if follower is not None:
            self._phones[phone] = follower.calling.phone_after(self._phones[phone])
            follower.replay.write_down()

    def end_all(self) -> None:
        """Stop following all phones, and write their states."""
        for phone in tuple(self.followers):
            self.end(phone)
