"""What is known of a line and of its phone: frozen values, built from the events that showed it.

State never holds a verdict, a setting or a reading.  Where the regimes differ in which answer makes a server the
working one, the state has one `Stay` for each track, and the expectations pick theirs.
"""

from __future__ import annotations

from enum import IntEnum

from msgspec import Struct

from sipaudit.model.events import Answered, Booted, CallChanged, EntryChanged, Received, Sent
from sipaudit.model.reach import LONG_AGO, Evidence, Reach
from sipaudit.model.settings import Regime
from sipaudit.model.timers import NO_EXPIRY


class Track(IntEnum):
    """The three ways to tell the working server (reference-model.md 1, *working server*)."""

    ANSWERED = 0     # R0: any out-of-dialog request answered with 2xx
    REGISTERED = 1   # R1: only after its 200 to a REGISTER; an older binding, even an expired one, is enough (F7)
    REGAINED = 2     # R2, R3: only after a 200 to a REGISTER sent since the server was left (F8)


TRACK_OF = {Regime.R0: Track.ANSWERED, Regime.R1: Track.REGISTERED, Regime.R2: Track.REGAINED,
            Regime.R3: Track.REGAINED}


class Stay(Struct, frozen=True, gc=False):
    """A line's stay at its working server.

    How it began.
    `arrived`: the answer that made it the working server.  `first`: the first packet to another server after the last
    to the server left; T0 lies between the two (None: the stay was found in progress).
    `origin`: the server left, `origin_since` when the stay there began, `failed` the evidence against it at the move.
    `moves`: the answers that made the moves of the last twenty minutes, this one's last, after the last that no
    failure explains.  `called`: Call-IDs of the last calls sent here after the line came from, or tried, another one.
    `opened`: when the first dialog-initiating request was sent here that was not part of the move (of a stay found in
    progress: the first of all).

    Whether it began at all, and when.
    `took`: seconds until the arrival's answer; the phone may have given up before (F2; 0: a provisional came first, or
    the server has served the line since).  `unsure`: the answer need not have moved the line (F6, F7).
    `refreshed`: that answer may only have renewed a live binding here.  `proven`: when a later answer showed that the
    line had come, where the arrival's need not have moved it: T0 was over by then at the latest.
    `older`: the line may have been here before, and never have left.  `perhaps`: the servers where it may in fact have
    worked until the move.  `found`: only REGISTERs showed the line at the server left, perhaps mere refreshes of an old
    binding (F7).  `doubted`: it was found there by an answer that need not have brought it.
    `earliest`: `turned` of the server left: T0 may be as early.  `late`: seconds that an answer took after which the
    line seemed to leave this server for the one left: if the phone gave up before (F2), it never left.

    What has happened since.
    `answers_calls`: the server has answered a dialog-initiating request with 2xx.
    `away`: the first packet to another server since the last to this one, `driven` whether there was evidence against
    this one as the line turned away.  `tries`: possible failback tries, the first and the last few.
    `aside`: the last answer of another server that moved nothing: a 2xx inside a dialog, to a keepalive or an emergency
    call, or to a request from before the stay; in R0 any other that is neither challenge nor failure.  `others`:
    earlier ones of a kind that can make a server the working one, the first and the last of each server.
    `turned`: when the line was first driven to another server before it asked this one again: an answer that the
    capture lacks may have moved it, and it may renew its old binding here (F7), until something else is answered.
    """

    server: str
    arrived: Answered
    first: Sent | None = None
    origin: str | None = None
    failed: tuple[Evidence, ...] = ()
    origin_since: float | None = None
    moves: tuple[Answered, ...] = ()
    called: tuple[str, ...] = ()
    opened: float | None = None
    took: float = 0.0
    unsure: bool = False
    refreshed: bool = False
    proven: float | None = None
    older: bool = False
    perhaps: tuple[str, ...] = ()
    found: bool = False
    doubted: bool = False
    earliest: float | None = None
    late: float = 0.0
    answers_calls: bool = False
    away: Sent | None = None
    driven: bool = False
    tries: tuple[Sent, ...] = ()
    aside: Answered | None = None
    others: tuple[Answered, ...] = ()
    turned: float | None = None

    @property
    def asides(self) -> tuple[Answered, ...]:
        """Answers of other servers that moved nothing, but might have."""
        return self.others if self.aside is None else (*self.others, self.aside)

    @property
    def began(self) -> tuple[float, float] | None:
        """T0 as an interval, None when the arrival was not seen. The request that was answered may have been on its way
        while another still went to the server left."""
        if self.first is None:
            return None
        asked = self.first.time if self.arrived.sent is None else min(self.arrived.sent, self.first.time)
        return asked if self.earliest is None else min(asked, self.earliest), self.arrived.time


class Binding(Struct, frozen=True, gc=False):
    """A line's registration at one server, a small state machine of its own.

    `register` is the REGISTER in progress (challenged or not) and `resent` the time of its last retransmission,
    `granted` the 200 in force, `since` the 200 that began this registration (kept even if the server has ended it),
    `refused` a final refusal after `granted`; `left` is the time of a failover away, after which R2 and R3 hold the
    binding invalid (F8); `late`: the phone may have given up the REGISTER that was granted; `removed` is the 200 that
    ended the binding.
    `missed` is the last REGISTER that was sent only once before another followed: the capture may lack its 200.
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
    removed: Answered | None = None
    missed: Sent | None = None

    @property
    def expires(self) -> float:
        """Seconds granted: own Contact's or the header's, otherwise what was asked, otherwise without end (F6)."""
        return 0.0 if self.granted is None else _lasts(self.granted)

    @property
    def until(self) -> float:
        """When the binding runs out by the clock; 0 when there is none."""
        granted = self.granted
        if granted is None:
            return 0.0
        return runs_out(granted) if granted.granted is None else granted.time + granted.granted   # without a call

    @property
    def removal(self) -> Sent | None:
        """The REGISTER in progress, if it asks the server to end the binding."""
        return self.register if self.register is not None and self.register.expires == 0 else None

    @property
    def due(self) -> float:
        """When the line should renew it next, at the average interval so far; without end before its first renewal."""
        if self.granted is None or self.since is None or not self.refreshes:
            return NO_EXPIRY
        granted = self.granted.time
        return granted + (granted - self.since.time) / self.refreshes


def runs_out(granted: Answered) -> float:
    """When a registration granted by this 200 runs out by the clock."""
    return granted.time + _lasts(granted)


def _lasts(granted: Answered) -> float:
    if granted.granted is not None:
        return granted.granted
    return NO_EXPIRY if granted.asked is None else granted.asked


class Call(Struct, frozen=True, gc=False):
    """A call of the phone that is not over: `line` may be NO_LINE, `up` is the time of its 2xx (None: it rings), and
    `answered` the event of that packet."""

    number: int
    line: int
    server: str
    began: float
    up: float | None = None
    answered: CallChanged | None = None


class FailedMark(Struct, frozen=True, gc=False):
    """A server that is *failed* for the line (F9): since the answer that made another the working one, until `tried`,
    the last REGISTER there that asks for more than 0; `refused` is when an answer made that try fail.

    `against` is the evidence against the server when the line left it, `sure` the part that surely made the line leave:
    empty where this or a later failover may not have been one. `began` is when the line had turned to this server,
    `moved` when it turned to the other; `again`: the line has moved since without a visible failure (if there was one,
    it ended the mark). `took` is how many seconds the answer took that brought the line to this server: if the phone
    gave up before (F2), the line was never here.
    """

    server: str
    since: Answered
    against: tuple[Evidence, ...] = ()
    moved: float = LONG_AGO
    sure: tuple[Evidence, ...] = ()
    began: float = LONG_AGO
    again: bool = False
    tried: Sent | None = None
    refused: float | None = None
    took: float = 0.0


class PhoneState(Struct, frozen=True, gc=False):
    """What all lines of a phone share: failure evidence by server, signs that the capture lacks packets, and calls.

    `lost` is the time of the last such sign, `quiet` when the last call ended, `started` the last boot that was seen.
    """

    reaches: tuple[Reach, ...] = ()
    lost: float | None = None
    calls: tuple[Call, ...] = ()
    quiet: float = LONG_AGO
    started: float = LONG_AGO

    def call(self, number: int | None) -> Call | None:
        return next((call for call in self.calls if call.number == number), None)

    def reach(self, server: str) -> Reach:
        """What it has learned of a server; an empty `Reach` for a server that it never used."""
        for reach in self.reaches:
            if reach.server == server:
                return reach
        return Reach(server)


class Beginning(Struct, frozen=True, gc=False):
    """The REGISTER with which a line came up, kept for good: one packet for each line of a whole site."""

    time: float
    server: str
    call_id: str


class LineState(Struct, frozen=True, gc=False):
    """All that is known of one line at one server entry.

    `stays` by track, `bindings` by server, `boot` the last possible boot (or log-out), `answers` the last DNS answers
    for the entry, newest last, `reordered` the last one that changed its servers or their order, `asked` the times of
    the phone's last lookups without a visible answer, `served` the last 2xx of a working server outside of dialogs.
    `failed` are the servers that R2 holds for failed (F9), `challenges` the last 401s and 407s not yet answered with
    credentials, `challenger` the server of the latest one, `offered` INVITEs and in-call requests from a failed server.
    `began` is the REGISTER with which the line came up, if seen: the line's first packet, first under its Call-ID,
    before which nothing of the phone was seen, except that it had just begun to register (`absorb`).
    """

    stays: tuple[Stay | None, Stay | None, Stay | None] = (None, None, None)
    bindings: tuple[Binding, ...] = ()
    boot: Booted | None = None
    answers: tuple[EntryChanged, ...] = ()
    reordered: EntryChanged | None = None
    served: Answered | None = None
    failed: tuple[FailedMark, ...] = ()
    challenges: tuple[Answered, ...] = ()
    offered: tuple[Received, ...] = ()
    began: Beginning | None = None
    challenger: str | None = None
    asked: tuple[float, ...] = ()

    def mark(self, server: str) -> FailedMark | None:
        """The mark of this server, None if it is not failed for the line (F9)."""
        return next((mark for mark in self.failed if mark.server == server), None)

    def challenge(self, transaction: int | None) -> Answered | None:
        """The 401 or 407 to this transaction, until it is answered with credentials (F13)."""
        return next((answer for answer in self.challenges if answer.transaction == transaction), None)

    def unanswered(self, binding: Binding) -> Sent | None:
        """The REGISTER there that asks for a binding and has had no answer yet, not even a challenge."""
        register = binding.register
        if register is None or register.expires == 0 or self.challenge(register.transaction) is not None:
            return None
        return register

    def served_since(self, server: str, time: float) -> bool:
        """Whether that server, as the working one, has answered with 2xx a request sent at `time` or later."""
        served = self.served
        return served is not None and served.server == server and served.asked != 0 \
            and served.sent is not None and served.sent >= time

    def stay(self, regime: Regime) -> Stay | None:
        """The stay at the working server under this regime; None while that is not known."""
        return self.stays[TRACK_OF[regime]]

    def binding(self, server: str) -> Binding | None:
        """The line's registration there; None where it never asked for one."""
        for binding in self.bindings:
            if binding.server == server:
                return binding
        return None

    def latest_grant(self) -> Binding | None:
        """The binding granted last, whichever server granted it (B3, R0)."""
        held = [binding for binding in self.bindings if binding.granted is not None]
        return max(held, key=lambda binding: binding.granted.time if binding.granted else 0.0, default=None)


NOTHING = LineState()   # shared by all lines without a written state
NOBODY = PhoneState()   # shared by all such phones
