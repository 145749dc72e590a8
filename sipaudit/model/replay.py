"""`step` and `replay`: judge and absorb a line's events, one after the other."""

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
    """One event replayed: the state before and after it, and the observations.

    `waiting` are observations that stay open until the signs they await come; at the end of the capture they are
    inconclusive.
    """

    event: ModelEvent
    before: LineState
    after: LineState
    phone: PhoneState
    observations: tuple[Observation, ...] = ()
    waiting: tuple[Observation, ...] = ()


def step(line: LineState, phone: PhoneState, event: ModelEvent, full: Callable[[], Profile],
         waiting: tuple[Observation, ...] = (), plain: Callable[[], Profile] | None = None) -> Step:
    """Judge `event` by the state before it, then absorb it.

    `full` returns the profile, and is called only when something is at stake, which is rare; `plain` returns the same
    without the parts that grow while the capture is read.
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
    """Whether the working server has changed, on any track, for at least the third time lately."""
    for old, new in zip(before.stays, after.stays, strict=True):
        if new is not None and len(new.moves) > 2 and old is not None and old.server != new.server:
            return True
    return False


def replay(events: Iterable[ModelEvent], profile: Profile) -> Iterator[Step]:
    """The steps of a line that is alone on its phone, beginning with empty states."""
    line, phone = LineState(), PhoneState()
    waiting: tuple[Observation, ...] = ()
    for event in events:
        taken = step(line, phone, event, lambda: profile, waiting)
        line, phone, waiting = taken.after, taken.phone, taken.waiting
        yield taken
