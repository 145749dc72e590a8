"""A case on trial, and the answer of a condition to it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from math import inf

from msgspec import Struct

from sipaudit.model.events import NO_LINE, Answered, ModelEvent, Sent, server_of
from sipaudit.model.observations import Awaited, Fact
from sipaudit.model.profile import Profile
from sipaudit.model.readings import ALWAYS, NEVER
from sipaudit.model.settings import Mode, Regime
from sipaudit.model.state import LineState, PhoneState, Stay
from sipaudit.model.timers import LATE_FROM
from sipaudit.model.values import Assumption, Reason

# The stay of a line whose working server is not known: at no server, since -inf.
UNSEEN = Stay("", Answered(-inf, 0, 0, NO_LINE, NO_LINE, "", "", 0, 0))


class Case(Struct, frozen=True):
    """One event on trial under one regime and mode; `stay` is the line's stay at its working server."""

    line: LineState
    phone: PhoneState
    event: ModelEvent
    profile: Profile
    regime: Regime
    mode: Mode
    stay: Stay

    @property
    def now(self) -> float:
        return self.event.time

    @property
    def server(self) -> str:
        """The other end of the packet on trial; empty if the event is not a packet."""
        return server_of(self.event)

    @property
    def gives_up(self) -> float:
        """After how many seconds without an answer the phone may have given up a request (F2)."""
        return max(self.profile.earliest_silence, LATE_FROM)

    @property
    def request(self) -> Sent:
        """The request on trial; only for rows that a request triggers."""
        assert isinstance(self.event, Sent)
        return self.event

    @property
    def answer(self) -> Answered:
        """The answer on trial; only for rows that an answer triggers."""
        assert isinstance(self.event, Answered)
        return self.event


class Ground(Struct, frozen=True):
    """The answer of a condition: the worlds in which it holds, or the `reason` why it cannot be decided, at least not
    before `awaited` comes. `elsewhere` are servers at which contact would have acquitted, and none was seen. `slight`:
    a single packet that the capture may lack, though nothing shows that it does, would acquit."""

    holds: int = ALWAYS
    reason: Reason | None = None
    awaited: Awaited | None = None
    assumptions: tuple[Assumption, ...] = ()
    facts: Mapping[str, Fact] = {}
    proof: tuple[ModelEvent, ...] = ()
    elsewhere: tuple[str, ...] = ()
    slight: bool = False


HOLDS = Ground()
FAILS = Ground(NEVER)
Condition = Callable[[Case], Ground]


def holds_if(true: bool) -> Ground:
    return HOLDS if true else FAILS
