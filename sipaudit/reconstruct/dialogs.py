"""Dialogs, including early ones and forks (RFC 3261 12).

A *leg* is one phone's side of a call or subscription, under one Call-ID and one local tag: the dialogs of all forks of
its INVITE or SUBSCRIBE. Two phones of a call have two legs, even behind one address.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Container
from enum import StrEnum
from math import inf

from sipaudit.reconstruct.bounds import DIALOG_CHECK, DIALOG_LIFE, FORKS, SECOND_CHANCES, SUBSCRIPTION_LIFE
from sipaudit.reconstruct.phones import CallSeen, Line, Phone
from sipaudit.reconstruct.rounds import Round, Rounds
from sipaudit.turned_away import turned_away

CALL_METHODS = frozenset({"INVITE", "BYE", "UPDATE", "INFO", "PRACK"})  # in a dialog: it is a call's
DIALOG_METHODS = frozenset({"INVITE", "SUBSCRIBE", "REFER"})            # outside a dialog: they may begin one

LegKey = tuple[str, str, str | None]  # the phone's host, Call-ID, local tag


class CallState(StrEnum):
    """A call's state as events report it; `NONE` is a leg without any call event."""

    NONE = "none"
    RINGING = "ringing"
    UP = "up"
    OVER = "over"


class Fork(StrEnum):
    """State of one dialog of a leg, by its remote tag; ACKNOWLEDGED after the phone's ACK of the 2xx that confirmed it.
    """

    EARLY = "early"
    CONFIRMED = "confirmed"
    ACKNOWLEDGED = "acknowledged"
    ENDED = "ended"


NONE, RINGING, UP, OVER = CallState   # a lookup of an Enum member costs as much as two tests
EARLY, CONFIRMED, ACKNOWLEDGED, ENDED = Fork
STANDS = (CONFIRMED, ACKNOWLEDGED)


class Leg:
    """One phone's side of a Call-ID. `number` is the call's, None for a subscription; `forks` the state of each dialog
    by remote tag; `invite` the number of the INVITE transaction that counts; `endpoint` the phone's host:port and
    `far_host` the server's host; `shown` the call as the report will show it."""

    __slots__ = ("cseq_in", "cseq_out", "endpoint", "far_host", "forks", "invite", "key", "life", "line",
                 "number", "phone", "seen", "server", "shown", "state")

    def __init__(self, key: LegKey, phone: Phone, line: Line | None, server: str, endpoint: str,
                 far_host: str, clock: float) -> None:
        self.number: int | None = None
        self.key = key
        self.phone = phone
        self.line = line
        self.server = server
        self.endpoint = endpoint
        self.far_host = far_host
        self.state = NONE
        self.forks: dict[str | None, Fork] = {}
        self.invite = -1
        self.shown: CallSeen | None = None
        self.cseq_out = -1
        self.cseq_in = -1
        self.life = SUBSCRIPTION_LIFE
        self.seen = clock

    @property
    def lives_until(self) -> float:
        """The earliest time when it may expire, for a call as if it ended now; further traffic postpones it."""
        return self.seen + (self.life if self.number is None else DIALOG_LIFE)

    def note(self, tag: str | None, state: Fork) -> bool:
        """Store the state of the dialog with this remote tag; False if it is outdated (a late or repeated response)."""
        known = self.forks.get(tag)
        if known is ENDED or (known in STANDS and state is EARLY):
            return False
        if known is ACKNOWLEDGED and state is CONFIRMED:
            return True
        if known is not None or len(self.forks) < FORKS:
            self.forks[tag] = state
        else:
            turned_away("dialog-state")
        return True

    def may_be_left(self, tag: str | None) -> bool:
        """Whether the phone may have left the dialog with this remote tag: several far ends have answered, and no ACK
        from the phone to this one was seen, without which the far end gives up (RFC 3261 13.3.1.4)."""
        answered = sum(state is not EARLY for state in self.forks.values())
        return answered > 1 and self.forks.get(tag) is not ACKNOWLEDGED

    def stands_with(self, tag: str | None) -> bool:
        """Whether a dialog with this remote tag exists: an answered call, or a subscription for which a NOTIFY has
        come."""
        return self.forks.get(tag) in STANDS or (self.number is None and self.cseq_in >= 0)

    def follows(self, cseq: int, outward: bool) -> bool:
        """Whether a request with this CSeq was sent after another request of the leg that was seen: CSeqs of one
        direction increase, and the first of the other direction follows the INVITE (RFC 3261 12.2.1.1)."""
        last = self.cseq_out if outward else self.cseq_in
        return last < cseq if last >= 0 else self.invite >= 0

    def jumps(self, cseq: int, outward: bool) -> bool:
        """Whether the phone skipped a CSeq before this one (RFC 3261 12.2.1.1: they increase by one). Requests of the
        far end need not all arrive: a proxy challenges some, a border controller answers PRACK or UPDATE itself
        (12.2.2)."""
        last = self.cseq_out if outward else self.cseq_in
        if cseq > last:
            if outward:
                self.cseq_out = cseq
            else:
                self.cseq_in = cseq
        return outward and 0 <= last < cseq - 1


class Legs:
    """Legs by key, bounded: those without traffic for longest are evicted first, those of calls that are up last."""

    __slots__ = ("_by_call", "_by_key", "_limit", "_ring", "_rounds", "evicted", "find")

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._by_key: dict[LegKey, Leg] = {}
        self._by_call: dict[tuple[str, str | None], Leg] = {}
        self._ring: deque[Leg] = deque()
        self._rounds = Rounds()   # of the ring
        self.find = self._by_key.get
        self.evicted = 0

    def __len__(self) -> int:
        return len(self._ring)

    def add(self, leg: Leg) -> None:
        """Remember a new leg."""
        self._by_key[leg.key] = leg
        self._by_call[leg.key[1:]] = leg
        self._ring.append(leg)
        self._rounds.begin(leg.seen + DIALOG_CHECK)
        if len(self._ring) > self._limit:
            self._evict()

    def rename(self, leg: Leg, key: LegKey) -> None:
        """Store the leg under its full key, once the phone's tag is known."""
        self._drop(leg)
        leg.key = key
        self._by_key[key] = leg
        self._by_call[key[1:]] = leg

    def anywhere(self, call_id: str, tag: str | None) -> Leg | None:
        """A leg with this Call-ID and local tag, of any phone."""
        return self._by_call.get((call_id, tag))

    def sweep(self, clock: float) -> list[Leg]:
        """Forget the legs whose lifetime is over; returns those whose call was not over."""
        lost: list[Leg] = []
        if not self._ring:
            return lost
        while (due := self._rounds.due(clock)) is not None:
            if self._rounds.is_idle(due, clock):
                self._ring.rotate(-due.count)
                self._rounds.add(clock + DIALOG_CHECK, due.count, due.safe)
            else:
                self._check(due, clock, lost)
        return lost

    def _check(self, due: Round, clock: float, lost: list[Leg]) -> None:
        """Do so for the first legs of the ring, the members of this round."""
        ring, kept, safe = self._ring, 0, inf
        for _ in range(due.count):
            leg = ring.popleft()
            if leg.seen + leg.life > clock:
                ring.append(leg)
                kept, safe = kept + 1, min(safe, leg.lives_until)
                continue
            self._drop(leg)
            if leg.state in (RINGING, UP):
                lost.append(leg)
        if kept:
            self._rounds.add(clock + DIALOG_CHECK, kept, safe)

    def doubt(self) -> None:
        """A leg may expire sooner than its last check assumed: a subscription's leg has become a call's."""
        self._rounds.doubt()

    def release(self, phones: Container[Phone]) -> None:
        """Forget the legs of phones that are forgotten."""
        kept = [leg for leg in self._ring if leg.phone not in phones]
        if len(kept) < len(self._ring):
            self._rounds.keep(leg.phone not in phones for leg in self._ring)
            for leg in self._ring:
                if leg.phone in phones:
                    self._drop(leg)
            self._ring = deque(kept)

    def tighten(self, limit: int) -> None:
        """Apply a new bound from now on."""
        self._limit = limit
        while len(self._ring) > limit:
            self._evict()

    def _evict(self) -> None:
        if self._pass_over(lambda leg: leg.state is UP):
            self._pass_over(lambda leg: leg.phone.lasting)
        self._rounds.gone()
        self._drop(self._ring.popleft())
        self.evicted += 1

    def _pass_over(self, matters: Callable[[Leg], bool]) -> bool:
        """Rotate the ring until its head does not matter; True if all legs tried (SECOND_CHANCES) do matter."""
        for _ in range(SECOND_CHANCES):
            if not matters(self._ring[0]):
                return False
            self._rounds.turned()
            self._ring.rotate(-1)
        return True

    def _drop(self, leg: Leg) -> None:
        if self._by_key.get(leg.key) is leg:
            del self._by_key[leg.key]
        if self._by_call.get(leg.key[1:]) is leg:
            del self._by_call[leg.key[1:]]
