"""What is known of a line and of its phone: frozen values, made of the events that taught it.

State never holds a verdict, a setting or a reading.  Where the regimes part -
which answer makes a server the working one - the state carries one `Stay` a
track, and the expectations pick theirs.
"""

from __future__ import annotations

from collections.abc import Iterator
from enum import IntEnum

from msgspec import Struct

from sipaudit.model.events import Answered, Booted, EntryChanged, Failed, Sent
from sipaudit.model.settings import Regime
from sipaudit.model.timers import NO_EXPIRY


class Track(IntEnum):
    """The three ways to tell the working server (reference-model.md 1, *working server*)."""

    ANSWERED = 0     # R0: any out-of-dialog request answered with 2xx
    REGISTERED = 1   # R1: only after its 200 to a REGISTER; an older binding, even lapsed, will do (F7)
    REGAINED = 2     # R2, R3: only after a 200 to a REGISTER sent since the server was left (F8)


TRACK_OF = {Regime.R0: Track.ANSWERED, Regime.R1: Track.REGISTERED, Regime.R2: Track.REGAINED,
            Regime.R3: Track.REGAINED}


class Stay(Struct, frozen=True, gc=False):
    """A line's stay at its working server.

    `arrived` is the answer that made it the working server, `first` the first
    packet to another server after the last send to the server left (T0 lies
    between the two; None when the stay was found in progress).  `origin` is the
    server left.  `failed` holds the evidence against `origin` at the move.
    `away` is the first packet to another server since the last send to this
    one, `tried` the first request that may have been a failback try since, and
    `aside` the last answer of another server meanwhile that moved nothing: a 2xx
    inside a dialog, to a keepalive or an emergency call, or to a request from before
    the stay; in R0 any other that is neither challenge nor failure.
    `origin_since` is when the stay at `origin` began.
    """

    server: str
    arrived: Answered
    first: Sent | None = None
    origin: str | None = None
    failed: tuple[Evidence, ...] = ()
    away: Sent | None = None
    tried: Sent | None = None
    aside: Answered | None = None
    origin_since: float | None = None

    @property
    def began(self) -> tuple[float, float] | None:
        """T0 as an interval, None when the arrival was not seen."""
        return None if self.first is None else (self.first.time, self.arrived.time)


class Binding(Struct, frozen=True, gc=False):
    """A line's registration at one server, a small machine of its own.

    `register` is the REGISTER in progress (challenged or not) and `resent` its last retransmission, `granted` the 200
    in force, `since` the 200 that began the row, `refused` a final refusal after it; `left` is
    the time of a failover away, after which R2 and R3 hold the binding invalid (F8); `late` says that the phone may
    have given up the REGISTER that was granted.
    """

    server: str
    register: Sent | None = None
    granted: Answered | None = None
    since: Answered | None = None
    refreshes: int = 0
    refused: Answered | None = None
    left: float | None = None
    resent: float | None = None
    late: bool = False

    @property
    def expires(self) -> float:
        """Seconds granted: own Contact's or the header's, else what was asked, else without end (F6)."""
        if self.granted is None:
            return 0.0
        if self.granted.granted is not None:
            return self.granted.granted
        return NO_EXPIRY if self.granted.asked is None else self.granted.asked

    @property
    def until(self) -> float:
        """When the binding runs out by the clock; 0 when there is none."""
        return 0.0 if self.granted is None else self.granted.time + self.expires


class Reach(Struct, frozen=True, gc=False):
    """What a phone has learned of one server's health: requests still open, and failures not yet disproved.

    `waiting`: requests without final answer, oldest first.  `ringing`: numbers of
    those that had a provisional answer.  `hard`: transport failures.  `doubtful`:
    answers that may count as failures (503, open codes) or that sent the phone
    elsewhere (3xx).  `answered`: the last answer that proves the server alive.
    """

    server: str
    waiting: tuple[Sent, ...] = ()
    ringing: tuple[int, ...] = ()
    hard: tuple[Failed, ...] = ()
    doubtful: tuple[Answered, ...] = ()
    answered: Answered | None = None


Evidence = Sent | Failed | Answered


class PhoneState(Struct, frozen=True, gc=False):
    """What all lines of a phone share: failure evidence by server, and signs that the capture lacks packets."""

    reaches: tuple[Reach, ...] = ()
    lost: float | None = None

    def reach(self, server: str) -> Reach:
        for reach in self.reaches:
            if reach.server == server:
                return reach
        return Reach(server)


class LineState(Struct, frozen=True, gc=False):
    """All that is known of one line at one server entry.

    `stays` by track, `bindings` by server, `boot` the last possible boot (or
    log-out), `answers` the last DNS answers for the entry, newest last,
    `reordered` the last one that changed its servers or their order, `served` the
    last 2xx of a working server outside of dialogs.
    """

    stays: tuple[Stay | None, Stay | None, Stay | None] = (None, None, None)
    bindings: tuple[Binding, ...] = ()
    boot: Booted | None = None
    answers: tuple[EntryChanged, ...] = ()
    reordered: EntryChanged | None = None
    served: Answered | None = None

    def stay(self, regime: Regime) -> Stay | None:
        return self.stays[TRACK_OF[regime]]

    def binding(self, server: str) -> Binding | None:
        for binding in self.bindings:
            if binding.server == server:
                return binding
        return None

    def latest_grant(self) -> Binding | None:
        """The binding granted last, whichever server granted it (B3, R0)."""
        held = [binding for binding in self.bindings if binding.granted is not None]
        return max(held, key=lambda binding: binding.granted.time if binding.granted else 0.0, default=None)


def evidence(reach: Reach, now: float, earliest: float) -> Iterator[Evidence]:
    """Failures of the server that stand at `now`: transport failures, doubtful answers, and requests
    unanswered for at least `earliest` seconds (F2-F4)."""
    yield from reach.hard
    yield from reach.doubtful
    for request in reach.waiting:
        if now - request.time >= earliest:
            yield request
