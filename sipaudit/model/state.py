"""What is known of a line and of its phone: frozen values, made of the events that taught it.

State never holds a verdict, a setting or a reading.  Where the regimes part -
which answer makes a server the working one - the state carries one `Stay` a
track, and the expectations pick theirs.
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
    REGISTERED = 1   # R1: only after its 200 to a REGISTER; an older binding, even lapsed, will do (F7)
    REGAINED = 2     # R2, R3: only after a 200 to a REGISTER sent since the server was left (F8)


TRACK_OF = {Regime.R0: Track.ANSWERED, Regime.R1: Track.REGISTERED, Regime.R2: Track.REGAINED,
            Regime.R3: Track.REGAINED}


class Stay(Struct, frozen=True, gc=False):
    """A line's stay at its working server.

    How it began.
    `arrived`: the answer that made it the working server.  `first`: the first packet to another server after the last
    to the server left; T0 lies between the two (None: the stay was found in progress).
    `origin`: the server left, `origin_since` when the stay there began, `failed` the evidence against it at the move.
    `moves`: the answers that made the moves of the last twenty minutes, this one's last, since one that no failure
    explains.  `called`: Call-IDs of the last calls sent here since the line came from another server, or asked another.
    `opened`: when the first dialog-initiating request was sent here that did not belong to the move (of a stay found in
    progress: the first of all).

    Whether it began at all, and then.
    `took`: seconds that the arrival's answer took; a phone may have given up before (F2; 0: a provisional came first,
    or the server has served the line since).  `unsure`: the answer need not have moved the line (F6, F7).
    `refreshed`: it may only have renewed a live binding there.  `proven`: when a later answer showed that the line had
    come, where the arrival's need not have moved it: by then, at the latest, T0 was over.
    `older`: the line may have been here before, and never have left.  `perhaps`: the servers where it may have worked
    all the while at the move.  `found`: nothing but REGISTERs showed the line at the server left, mere refreshes of an
    old binding, maybe (F7).  `doubted`: it was found there by an answer that need not have brought it.
    `earliest`: `turned` of the server left: T0 may be as early.  `late`: seconds that the answer took after which the
    line seemed to leave this server for the one left: if it gave up before (F2), it never did.

    What has happened since.
    `answers_calls`: the server has answered with 2xx what opens a dialog.
    `away`: the first packet to another server since the last to this one, `driven` whether something spoke against this
    one as the line turned away.  `tries`: what may have been failback tries, the first and the last few.
    `aside`: the last answer of another server that moved nothing: a 2xx inside a dialog, to a keepalive or an emergency
    call, or to a request from before the stay; in R0 any other that is neither challenge nor failure.  `others`: those
    before it by which a working server is told, the first and the last of each server.
    `turned`: when the line was first driven to another server and asked this one again since: it may have moved by an
    answer that the capture lacks, and renew its old binding here (F7), until something else is answered.
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
        """The answers of other servers that moved nothing, but might have."""
        return self.others if self.aside is None else (*self.others, self.aside)

    @property
    def began(self) -> tuple[float, float] | None:
        """T0 as an interval, None when the arrival was not seen. What is answered may have been on its way when another
        request still went to the server left."""
        if self.first is None:
            return None
        asked = self.first.time if self.arrived.sent is None else min(self.arrived.sent, self.first.time)
        return asked if self.earliest is None else min(asked, self.earliest), self.arrived.time


class Binding(Struct, frozen=True, gc=False):
    """A line's registration at one server, a small machine of its own.

    `register` is the REGISTER in progress (challenged or not) and `resent` its last retransmission, `granted` the 200
    in force, `since` the 200 that began the row (of one that the server has ended, too), `refused` a final refusal
    after it; `left` is the time of a failover away, after which R2 and R3 hold the binding invalid (F8); `late` says
    that the phone may have given up the REGISTER that was granted, `removed` is the 200 that ended the binding.
    `missed` is the last REGISTER that another followed though it had been sent once only: the capture may lack the 200
    to it.
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
        """Seconds granted: own Contact's or the header's, else what was asked, else without end (F6)."""
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
        """When the line renews it next, at the pace at which it has done so; without end while it has not."""
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
    """A call of the phone that is not over: `line` may be NO_LINE, `up` is when its 2xx passed (None: it rings), and
    `answered` tells of that packet."""

    number: int
    line: int
    server: str
    began: float
    up: float | None = None
    answered: CallChanged | None = None


class FailedMark(Struct, frozen=True, gc=False):
    """A server that is *failed* for the line (F9): since the answer that made another the working one, until `tried`,
    a REGISTER there that asks for more than 0 (the last of them); `refused` is when that try had failed by an answer.

    `against` is what stood against the server when the line left it, `sure` what of it the line surely left it for:
    empty where the failover, or that of a later move, may have been none. `began` is when the line had turned to this
    server and `moved` when it turned to the other; `again` says that the line has moved since for no failure that was
    seen: if there was one, it ended the mark. `took` are the seconds that the answer took with which the line had come
    to this server: if it gave up before (F2), it was not here.
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

    `quiet` is when the last call that ended was over, `started` when a boot was last seen.
    """

    reaches: tuple[Reach, ...] = ()
    lost: float | None = None
    calls: tuple[Call, ...] = ()
    quiet: float = LONG_AGO
    started: float = LONG_AGO

    def call(self, number: int | None) -> Call | None:
        return next((call for call in self.calls if call.number == number), None)

    def reach(self, server: str) -> Reach:
        """What it has learned of a server; of one that it never turned to, nothing."""
        for reach in self.reaches:
            if reach.server == server:
                return reach
        return Reach(server)


class Beginning(Struct, frozen=True, gc=False):
    """A REGISTER with which a line came up: of a whole site that is a packet a line, kept for good."""

    time: float
    server: str
    call_id: str


class LineState(Struct, frozen=True, gc=False):
    """All that is known of one line at one server entry.

    `stays` by track, `bindings` by server, `boot` the last possible boot (or log-out), `answers` the last DNS answers
    for the entry, newest last, `reordered` the last one that changed its servers or their order, `asked` when the phone
    last looked it up and no answer was seen, `served` the last 2xx of a working server outside of dialogs.  `failed`
    are the servers that R2 holds for failed (F9), `challenges` the last 401s and 407s that no credentials answered so
    far and `challenger` the server of the last of all, `offered` what arrived from a failed server: INVITEs, and
    requests in calls.
    `began` is the REGISTER with which the line came up, where that was seen: the first packet of all, under a Call-ID
    that began with it, when nothing had been heard of the phone before.
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
        """The mark of this server, if it is failed for the line (F9)."""
        return next((mark for mark in self.failed if mark.server == server), None)

    def challenge(self, transaction: int | None) -> Answered | None:
        """The 401 or 407 to this transaction, while no credentials have answered it (F13)."""
        return next((answer for answer in self.challenges if answer.transaction == transaction), None)

    def unanswered(self, binding: Binding) -> Sent | None:
        """The REGISTER there that asks for a binding and was not even challenged so far."""
        register = binding.register
        if register is None or register.expires == 0 or self.challenge(register.transaction) is not None:
            return None
        return register

    def served_since(self, server: str, time: float) -> bool:
        """Whether that server has served the line, as its working one, what was asked at `time` or later."""
        served = self.served
        return served is not None and served.server == server and served.asked != 0 \
            and served.sent is not None and served.sent >= time

    def stay(self, regime: Regime) -> Stay | None:
        """The stay at the working server as this regime tells it; None while that is not known."""
        return self.stays[TRACK_OF[regime]]

    def binding(self, server: str) -> Binding | None:
        """What is known of the line's registration there; None where it never asked for one."""
        for binding in self.bindings:
            if binding.server == server:
                return binding
        return None

    def latest_grant(self) -> Binding | None:
        """The binding granted last, whichever server granted it (B3, R0)."""
        held = [binding for binding in self.bindings if binding.granted is not None]
        return max(held, key=lambda binding: binding.granted.time if binding.granted else 0.0, default=None)


NOTHING = LineState()   # one for all lines of which nothing is written
NOBODY = PhoneState()   # and for all phones
