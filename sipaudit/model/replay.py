"""`step` and `replay`: the fold of judging and absorbing over a line's events."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator

from msgspec import Struct

from sipaudit.model.absorb import absorb_line
from sipaudit.model.absorb_phone import absorb_phone
from sipaudit.model.events import ModelEvent, Sent
from sipaudit.model.judge import at_stake, judge, settle
from sipaudit.model.observations import Observation
from sipaudit.model.profile import Profile
from sipaudit.model.state import LineState, PhoneState

WAITING_KEPT = 8


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


def step(line: LineState, phone: PhoneState, event: ModelEvent, profile: Callable[[], Profile],
         waiting: tuple[Observation, ...] = ()) -> Step:
    """Judge `event` by what was known before it, then follow it.

    `profile` is asked for only when something is at stake, which is nearly never.
    """
    observations: tuple[Observation, ...] = ()
    if waiting:
        observations = settle(waiting, event)
        if observations:
            said = {id(one.event) for one in observations}
            waiting = tuple(one for one in waiting if id(one.event) not in said)
    if isinstance(event, Sent) and at_stake(line, event):
        judged = judge(line, phone, event, profile())
        observations = (*observations, *(one for one in judged if one.awaited is None))
        waiting = (*waiting, *(one for one in judged if one.awaited is not None))
        observations = (*observations, *waiting[:-WAITING_KEPT])
        waiting = waiting[-WAITING_KEPT:]
    after = absorb_line(line, phone, event)
    return Step(event, line, after, absorb_phone(phone, event), observations, waiting)


def replay(events: Iterable[ModelEvent], profile: Profile) -> Iterator[Step]:
    """The steps of one line alone on its phone, from nothing known."""
    line, phone = LineState(), PhoneState()
    waiting: tuple[Observation, ...] = ()
    for event in events:
        taken = step(line, phone, event, lambda: profile, waiting)
        line, phone, waiting = taken.after, taken.phone, taken.waiting
        yield taken
