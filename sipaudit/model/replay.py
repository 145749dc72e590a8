"""`step` and `replay`: the fold of judging and absorbing over a line's events."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator

from sipaudit.model.absorb import absorb_line, absorb_phone
from sipaudit.model.events import ModelEvent, Sent
from sipaudit.model.judge import at_stake, judge
from sipaudit.model.observations import Step
from sipaudit.model.profile import Profile
from sipaudit.model.state import LineState, PhoneState


def step(line: LineState, phone: PhoneState, event: ModelEvent, profile: Callable[[], Profile]) -> Step:
    """Judge `event` by what was known before it, then follow it.

    `profile` is asked for only when something is at stake, which is nearly never.
    """
    observations = judge(line, phone, event, profile()) if isinstance(event, Sent) and at_stake(line, event) else ()
    after = absorb_line(line, phone, event)
    return Step(event, line, after, absorb_phone(phone, event), observations)


def replay(events: Iterable[ModelEvent], profile: Profile) -> Iterator[Step]:
    """The steps of one line alone on its phone, from nothing known."""
    line, phone = LineState(), PhoneState()
    for event in events:
        taken = step(line, phone, event, lambda: profile)
        line, phone = taken.after, taken.phone
        yield taken
