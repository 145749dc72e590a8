"""Calls and call attempts, as far as incidents need them: which ones an outage cost, and which one end has
forgotten."""

from __future__ import annotations

from collections.abc import Set
from typing import Any

from sipaudit.incidents.draft import TOGETHER, Drafts, Watched, let_go
from sipaudit.incidents.spells import was_there
from sipaudit.incidents.timers import Timers
from sipaudit.model.conditions.trust import LOSS_REACH
from sipaudit.model.events import CHALLENGES, Answered, CallChanged, Received, Replied, Sent
from sipaudit.model.history import MoveSeen
from sipaudit.model.packets import SAME_NUMBER, success
from sipaudit.model.reach import LONG_AGO
from sipaudit.model.settings import Regime
from sipaudit.model.state import PhoneState
from sipaudit.model.timers import SILENCE_MAX

CALLS_KEPT = 100_000
ATTEMPTS_KEPT = 20_000
OFFERS_KEPT = 16        # unanswered requests of the far end in one call
IGNORED_AFTER = SILENCE_MAX   # seconds without an answer to the far end
SAYS_NOTHING = frozenset({100, *CHALLENGES, 422})   # do not show whether the call gets through
GIVEN_UP = 487        # the phone has cancelled the call
WAITED = 10.0         # seconds until a CANCEL after which the attempt has failed, if nobody rang
REFUSED = frozenset({403, 408})   # beside 5xx: the service failed, not the callee


class CallUp:
    """A call that is up. `last`: time of its last message; `left`: when its line left the server, until the phone sends
    something in the call again; `offers`: requests of the far end that the phone has not answered since; `taken`: when
    the server failed; `hung_up`: whether the far end has sent BYE."""

    __slots__ = ("hung_up", "last", "left", "offers", "server", "subject", "taken")

    def __init__(self, subject: Watched, server: str, up: float) -> None:
        self.subject = subject
        self.server = server
        self.last = up
        self.left: float | None = None
        self.taken = LONG_AGO
        self.hung_up = False
        self.offers: dict[int, Received] = {}

    def may_be_over(self, time: float) -> bool:
        """Whether nothing shows that the call was still up at `time`: the far end has hung up; or since the last
        message an outage has taken the call, or the phone has (maybe) restarted; or the line no longer renews its
        registration, like that of a phone that is off."""
        boot = self.subject.state.boot
        return self.hung_up or self.taken > self.last or (boot is not None and boot.time > self.last) \
            or not was_there(self.subject, time)


class Attempt:
    """An attempt to make a call. `made`: whether it got through after all, by whatever server; `blamed`: the server
    whose outage it counts for."""

    __slots__ = ("blamed", "event", "made", "subject")

    def __init__(self, event: Sent, subject: Watched) -> None:
        self.event = event
        self.subject = subject
        self.made = False
        self.blamed: str | None = None

    def blame(self, server: str | None) -> None:
        """Count the attempt for an outage of this server, too. It is one call, and counts at the server that was tried
        first."""
        if self.blamed is None or server == self.event.server:
            self.blamed = server

    def blames(self, server: str | None) -> bool:
        """Whether the attempt counts for this server's outage, if it fails at all."""
        return self.blamed is None or self.blamed == server

    def acquit(self, server: str) -> None:
        """Undo `blame`: there was no outage, or it did not affect this call."""
        if self.blamed == server:
            self.blamed = None

    @property
    def failure(self) -> str:
        """The timeline entry for the failed attempt."""
        whom = "an emergency call" if self.event.emergency else "a call"
        return f"{self.subject.line} could not make {whom}"


class CallWatch:
    """Follows calls and attempts. `ghosts` says whether ghost calls are wanted."""

    __slots__ = ("_attempts", "_attempts_limit", "_by_call", "_drafts", "_hole", "_lacks", "_limit", "_timers", "_up",
                 "_wanted", "evicted")

    def __init__(self, drafts: Drafts, timers: Timers, *, ghosts: bool) -> None:
        self._drafts = drafts
        self._timers = timers
        self._wanted = ghosts
        self.evicted = 0
        self._limit = CALLS_KEPT
        self._attempts_limit = ATTEMPTS_KEPT
        self._up: dict[int, CallUp] = {}
        self._attempts: dict[tuple[int, str], Attempt] = {}
        self._by_call: dict[int, Attempt] = {}
        self._lacks: dict[int, float] = {}   # by phone: when the capture last lacked a packet of it
        self._hole = LONG_AGO                # when the last gap in the whole capture began

    def tighten(self, limit: int) -> None:
        """Lower the bounds: `limit` calls, and as many attempts."""
        self._limit, self._attempts_limit = min(limit, CALLS_KEPT), min(limit, ATTEMPTS_KEPT)
        self.evicted += _cut(self._up, self._limit) + _cut(self._attempts, self._attempts_limit)
        _cut(self._by_call, self._attempts_limit)

    def forget(self, before: float) -> None:
        """Forget the attempts that were made before that time."""
        self._attempts = {key: one for key, one in self._attempts.items() if one.event.time >= before}
        self._by_call = {call: one for call, one in self._by_call.items() if one.event.time >= before}
        self._lacks = {phone: time for phone, time in self._lacks.items() if time >= before}

    def release(self, lines: Set[int], phones: Set[int]) -> None:
        """Forget these lines and phones."""
        let_go(phones, self._lacks)
        self._up = {number: call for number, call in self._up.items() if call.subject.number not in lines}
        self._attempts = {key: one for key, one in self._attempts.items() if one.subject.number not in lines}
        self._by_call = {call: one for call, one in self._by_call.items() if one.subject.number not in lines}

    # -- calls that are up

    def changed(self, event: CallChanged, subject: Watched) -> None:
        """A call is up, or over. A call that is up was made successfully, even if no answer was captured."""
        if event.state == "over":
            self._up.pop(event.call, None)
        elif event.state == "up" and event.call not in self._up:
            if event.call in self._by_call:
                self._by_call[event.call].made = True
            if len(self._up) >= self._limit:
                del self._up[next(iter(self._up))]
                self.evicted += 1
            self._up[event.call] = CallUp(subject, event.server, event.time)

    def lacks(self, phone: int, time: float) -> None:
        """The capture lacks a packet of this phone."""
        self._lacks[phone] = time

    def view_begins(self, hole: float) -> None:
        """The capture shows nothing between `hole` and now. Calls that were attempted, or taken by an outage, just
        before the gap may have got through, or continued, during it."""
        self._hole = hole
        for call in self._up.values():
            if hole - call.taken < SAME_NUMBER:
                call.last = hole
        for attempt in self._attempts.values():
            attempt.made = attempt.made or hole - attempt.event.time < SAME_NUMBER

    def through(self, server: str, start: float) -> list[CallUp]:
        """The calls that are up through this server, which failed at `start`; not those whose end the capture may
        lack."""
        through = [call for call in self._up.values() if call.server == server and not call.may_be_over(start)
                   and max(self._lacks.get(call.subject.owner, LONG_AGO), self._hole) < call.last]
        for call in through:
            call.taken = start
        return through

    def message(self, event: Sent | Answered | Received | Replied) -> None:
        """Handle a message of a call."""
        call = self._up.get(event.call or 0)
        if call is None:
            return
        call.last = event.time
        if event.method == "BYE" and type(event) is Received:
            call.hung_up = True
        if call.left is not None and event.time > call.left:
            self._after_the_move(call, event)

    # -- ghosts

    def moved(self, subject: Watched, move: MoveSeen, phone: PhoneState) -> None:
        """The line left a server: in R2 its calls there end without a BYE (F9)."""
        if not self._wanted or subject.profile().settings.regime is not Regime.R2:
            return
        for known in phone.calls:
            call = self._up.get(known.number)
            if call is not None and call.subject.number == subject.number and call.server == move.source:
                call.left = move.time

    def _after_the_move(self, call: CallUp, event: Sent | Answered | Received | Replied) -> None:
        """What the phone sends in the call shows that it remembers the call; a refusal shows that it does not."""
        if isinstance(event, Received):
            if event.method == "CANCEL":
                return
            if len(call.offers) >= OFFERS_KEPT:
                self.evicted += 1
            else:
                call.offers[event.transaction] = event
                self._timers.at(event.time + IGNORED_AFTER, self._ignored, (call, event.transaction))
        elif isinstance(event, Replied) and event.status >= 300:
            offer = call.offers.pop(event.transaction, None)
            if offer is not None:
                self._ghost(call, offer, event)
        elif isinstance(event, Sent) or (isinstance(event, Replied) and success(event.status)):
            call.left = None
            call.offers.clear()

    def _ignored(self, offered: tuple[CallUp, int]) -> None:
        call, transaction = offered
        offer = call.offers.pop(transaction, None)
        if offer is not None and abs(self._lacks.get(call.subject.owner, LONG_AGO) - offer.time) > LOSS_REACH:
            self._ghost(call, offer, None)

    def _ghost(self, call: CallUp, offer: Received, refusal: Replied | None) -> None:
        draft = self._drafts.series("ghost-calls", call.server, call.subject.entry, offer.time, TOGETHER)
        draft.add([call.subject], offer)
        if refusal is not None:
            draft.end = max(draft.end or refusal.time, refusal.time)
            draft.add([call.subject], refusal)
        did = "was ignored" if refusal is None else f"was refused with {refusal.status}"
        draft.happened(offer.time, f"{offer.method} in a call that {call.subject.line} had given up {did}")

    # -- attempts

    def tried(self, event: Sent, subject: Watched) -> None:
        """An INVITE that opens a dialog: a new call, or the same call tried again, with the same Call-ID (RFC 3263
        4.3), to whichever target a redirection names (RFC 3261 8.1.3.4), or, as some phones do, with a fresh
        Call-ID."""
        key = (subject.number, event.target or event.call_id)
        attempt = (self._by_call.get(event.call) if event.call else None) or self._attempts.get(key)
        if attempt is None or event.time - attempt.event.time > SAME_NUMBER:
            attempt = Attempt(event, subject)
            if key in self._attempts:
                del self._attempts[key]
        if key not in self._attempts and len(self._attempts) >= self._attempts_limit:
            del self._attempts[next(iter(self._attempts))]
            self.evicted += 1
        self._attempts[key] = attempt
        if len(self._by_call) >= self._attempts_limit:
            del self._by_call[next(iter(self._by_call))]
            self.evicted += 1
        self._by_call[event.call or 0] = attempt

    def attempt(self, event: Sent, subject: Watched) -> Attempt | None:
        return self._attempts.get((subject.number, event.target or event.call_id))

    def answered(self, event: Answered) -> Attempt | None:
        """Handle a response to an INVITE that opens a dialog. Returns the attempt if this response makes it fail,
        otherwise None."""
        attempt, status = self._by_call.get(event.call or 0), event.status
        if attempt is None or status in SAYS_NOTHING or 300 <= status < 400:
            return None
        if _fails(status):
            return attempt
        if status == GIVEN_UP and not attempt.made and event.sent is not None and event.time - event.sent >= WAITED:
            return attempt
        attempt.made = True
        return None


def comes_through(status: int) -> bool:
    """Whether a response to an INVITE shows that the call has reached somebody, or that the callee is not available. A
    cancelled call (487) does not show it: if somebody rang, a provisional response said so before."""
    return not (_fails(status) or status in SAYS_NOTHING or status == GIVEN_UP or 300 <= status < 400)


def _fails(status: int) -> bool:
    return status in REFUSED or 500 <= status < 600


def _cut(table: dict[Any, Any], most: int) -> int:
    """Delete the oldest rows beyond `most`; returns how many."""
    gone = list(table)[: max(len(table) - most, 0)]
    for key in gone:
        del table[key]
    return len(gone)
