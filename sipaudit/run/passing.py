"""What was said because time passed without a packet, and can be taken back when one comes late."""

from __future__ import annotations

from collections.abc import Iterable

from msgspec import Struct

from sipaudit.model.observations import Observation
from sipaudit.rulebook.fault import Held
from sipaudit.rulebook.faults import Faults
from sipaudit.run.line_replay import LineReplay
from sipaudit.turned_away import turned_away

LATE_KEPT = 8   # times that time passed for one phone and something was said, in a row


class Passed(Struct):
    """Until `now` nothing had come of the line that is replayed; `waiting` and `held` are what waited and what was held
    against it before that was said."""

    now: float
    replay: LineReplay
    waiting: tuple[Observation, ...]
    held: Held


class Passing:
    """By phone, what the passing of time made be said since its last packet."""

    __slots__ = ("_faults", "_of")

    def __init__(self, faults: Faults) -> None:
        self._faults = faults
        self._of: dict[int, list[Passed]] = {}

    def note(self, phone: int, now: float, replay: LineReplay, waiting: tuple[Observation, ...]) -> None:
        """Something of this line will be said for want of a packet until `now`."""
        passed = self._of.setdefault(phone, [])
        passed.append(Passed(now, replay, waiting, self._faults.held(replay, phone, now)))
        if len(passed) > LATE_KEPT and passed[0].now < now:
            turned_away("line-state")
            del passed[0]

    def release(self, phones: Iterable[int]) -> None:
        """Nothing will be taken back of these phones."""
        for phone in phones:
            self._of.pop(phone, None)

    def forget(self, before: float) -> None:
        """What was said before that time (seconds since the epoch) stands."""
        self._of = {phone: passed for phone, passed in self._of.items() if passed[-1].now >= before}

    def came(self, phone: int, time: float) -> list[LineReplay]:
        """A packet of the phone has come, sent or received at `time`: what it shows to be wrong is taken back. The
        lines whose observations wait again."""
        back = []
        for passed in reversed(self._of.pop(phone, ())):
            if passed.now <= time:
                break
            self._faults.take_back(passed.replay, phone, passed.held)
            passed.replay.waiting = passed.waiting
            back.append(passed.replay)
        return back
