"""`step` and `replay`: the fold of judging and absorbing over a line's events."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator

from msgspec import Struct

from sipaudit.model.absorb import absorb_line
from sipaudit.model.absorb_phone import absorb_phone
from sipaudit.model.events import Answered, ModelEvent
from sipaudit.model.expectations import Trigger
from sipaudit.model.judge import judge
from sipaudit.model.observations import Observation
from sipaudit.model.profile import Profile
from sipaudit.model.proofs import hold, settle
from sipaudit.model.stakes import at_stake
from sipaudit.model.state import LineState, PhoneState


class Step(Struct, frozen=True, gc=False):
    """One event replayed: the state before and after it, and what was observed.

    `waiting` are observations that stay open until what they await is seen; at
    the end of the capture they are inconclusive.
    """

    event: ModelEvent
    before: LineState
    after: LineState
    phone: PhoneState
    observations: tuple[Observation, ...] = ()
    waiting: tuple[Observation, ...] = ()


def step(line: LineState, phone: PhoneState, event: ModelEvent, full: Callable[[], Profile],
         waiting: tuple[Observation, ...] = (), plain: Callable[[], Profile] | None = None) -> Step:
    """Judge `event` by what was known before it, then follow it.

    `full` gives the profile, and is asked only when something is at stake, which is nearly never; `plain` the same
    without what grows while the capture is read.
    """
    observations: tuple[Observation, ...] = ()
    if waiting:
        observations, waiting = settle(waiting, event, phone)
    trigger = at_stake(line, phone, event, plain or full)
    if trigger is not None:
        said, waiting = hold(waiting, judge(line, phone, event, trigger, full()))
        observations = (*observations, *said)
    after = absorb_line(line, phone, event)
    if after.stays is not line.stays and type(event) is Answered and _moved(line, after):
        observations = (*observations, *judge(after, phone, event, Trigger.MOVE, full()))
    return Step(event, line, after, absorb_phone(phone, event), observations, waiting)


def _moved(before: LineState, after: LineState) -> bool:
    """Whether the working server has changed, on any track, for the third time or more of late."""
    for old, new in zip(before.stays, after.stays, strict=True):
        if new is not None and len(new.moves) > 2 and old is not None and old.server != new.server:
            return True
    return False


def replay(events: Iterable[ModelEvent], profile: Profile) -> Iterator[Step]:
    """The steps of one line alone on its phone, from nothing known."""
    line, phone = LineState(), PhoneState()
    waiting: tuple[Observation, ...] = ()
    for event in events:
        taken = step(line, phone, event, lambda: profile, waiting)
        line, phone, waiting = taken.after, taken.phone, taken.waiting
        yield taken
