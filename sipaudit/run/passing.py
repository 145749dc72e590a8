"""What was reported because time passed without a packet, and can be taken back when one comes late."""

from __future__ import annotations

from collections.abc import Iterable

from msgspec import Struct

from sipaudit.model.observations import Observation
from sipaudit.rulebook.fault import Held
from sipaudit.rulebook.faults import Faults
from sipaudit.run.line_replay import LineReplay
from sipaudit.turned_away import turned_away

LATE_KEPT = 8   # times in a row that the passing of time settled something for one phone


class Passed(Struct):
    """Until `now` nothing had come for the line of `replay`; `waiting` and `held` are its waiting observations and the
    faults held against it before the passing of time settled any."""

    now: float
    replay: LineReplay
    waiting: tuple[Observation, ...]
    held: Held


class Passing:
    """By phone, what the passing of time has settled since the phone's last packet."""

    __slots__ = ("_faults", "_of")

    def __init__(self, faults: Faults) -> None:
        self._faults = faults
        self._of: dict[int, list[Passed]] = {}

    def note(self, phone: int, now: float, replay: LineReplay, waiting: tuple[Observation, ...]) -> None:
        """Observations of this line will be settled because no packet came until `now`: store what is needed to take
        that back."""
        passed = self._of.setdefault(phone, [])
        passed.append(Passed(now, replay, waiting, self._faults.held(replay, phone, now)))
        if len(passed) > LATE_KEPT and passed[0].now < now:
            turned_away("line-state")
            del passed[0]

    def release(self, phones: Iterable[int]) -> None:
        """Nothing will be taken back for these phones."""
        for phone in phones:
            self._of.pop(phone, None)

    def forget(self, before: float) -> None:
        """What was settled before that time (seconds since the epoch) stands."""
        self._of = {phone: passed for phone, passed in self._of.items() if passed[-1].now >= before}

    def came(self, phone: int, time: float) -> list[LineReplay]:
        """A packet of the phone has come, sent or received at `time`: take back what it shows to be wrong. Returns the
        lines whose observations wait again."""
        back = []
        for passed in reversed(self._of.pop(phone, ())):
            if passed.now <= time:
                break
            self._faults.take_back(passed.replay, phone, passed.held)
            passed.replay.waiting = passed.waiting
            back.append(passed.replay)
        return back
