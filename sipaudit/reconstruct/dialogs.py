"""Dialogs, early ones and forks (RFC 3261 12).

A *leg* is what one phone shares under one Call-ID and one local tag: the
dialogs of all forks of its INVITE or SUBSCRIBE.  Two phones of a call have two
legs, also when they stand behind one address.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Container
from enum import StrEnum

from sipaudit.reconstruct.bounds import DIALOG_CHECK, FORKS, SECOND_CHANCES, SUBSCRIPTION_LIFE
from sipaudit.reconstruct.phones import CallSeen, Line, Phone
from sipaudit.turned_away import turned_away

CALL_METHODS = frozenset({"INVITE", "BYE", "UPDATE", "INFO", "PRACK"})  # in a dialog they tell that it is a call's
DIALOG_METHODS = frozenset({"INVITE", "SUBSCRIBE", "REFER"})            # out of one they may begin one

LegKey = tuple[str, str, str | None]  # the phone's host, Call-ID, local tag


class CallState(StrEnum):
    """A call as the events tell it; `NONE` is a leg of which nothing was told."""

    NONE = "none"
    RINGING = "ringing"
    UP = "up"
    OVER = "over"


class Fork(StrEnum):
    """One dialog of a leg, by its remote tag."""

    EARLY = "early"
    CONFIRMED = "confirmed"
    ENDED = "ended"


class Leg:
    """One phone's side of a Call-ID. `number` is the call's, None for a subscription; `forks` its dialogs by
    remote tag; `invite` the number of the INVITE transaction that counts; `endpoint` the phone's host:port
    and `far_host` the server's host; `shown` the call as the report will show it."""

    __slots__ = ("check", "cseq_in", "cseq_out", "endpoint", "far_host", "forks", "invite", "key", "life", "line",
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
        self.state = CallState.NONE
        self.forks: dict[str | None, Fork] = {}
        self.invite = -1
        self.shown: CallSeen | None = None
        self.cseq_out = -1
        self.cseq_in = -1
        self.life = SUBSCRIPTION_LIFE
        self.seen = clock
        self.check = clock + DIALOG_CHECK

    def note(self, tag: str | None, state: Fork) -> bool:
        """Take in how the dialog with this remote tag stands; False if that is old news (a late or repeated
        response)."""
        known = self.forks.get(tag)
        if known is Fork.ENDED or (known is Fork.CONFIRMED and state is Fork.EARLY):
            return False
        if known is not None or len(self.forks) < FORKS:
            self.forks[tag] = state
        else:
            turned_away("dialog-state")
        return True

    def follows(self, cseq: int, outward: bool) -> bool:
        """Whether a request with this CSeq was made after one of the leg that was seen: in one direction they are
        counted up, in the other it follows the INVITE (RFC 3261 12.2.1.1)."""
        last = self.cseq_out if outward else self.cseq_in
        return last < cseq if last >= 0 else self.invite >= 0

    def jumps(self, cseq: int, outward: bool) -> bool:
        """Whether a CSeq is missing before this one in its direction (RFC 3261 12.2.1.1: one by one)."""
        last = self.cseq_out if outward else self.cseq_in
        if cseq > last:
            if outward:
                self.cseq_out = cseq
            else:
                self.cseq_in = cseq
        return 0 <= last < cseq - 1


class Legs:
    """Legs by key, bounded: the longest unheard of go first, those of calls that are up last."""

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._by_key: dict[LegKey, Leg] = {}
        self._by_call: dict[tuple[str, str | None], Leg] = {}
        self._ring: deque[Leg] = deque()
        self.find = self._by_key.get
        self.evicted = 0

    def __len__(self) -> int:
        return len(self._ring)

    def add(self, leg: Leg) -> None:
        self._by_key[leg.key] = leg
        self._by_call[leg.key[1:]] = leg
        self._ring.append(leg)
        if len(self._ring) > self._limit:
            self._evict()

    def rename(self, leg: Leg, key: LegKey) -> None:
        """The leg under its full key, once the phone's tag is known."""
        self._drop(leg)
        leg.key = key
        self._by_key[key] = leg
        self._by_call[key[1:]] = leg

    def anywhere(self, call_id: str, tag: str | None) -> Leg | None:
        """A leg with this Call-ID and local tag, whoever's."""
        return self._by_call.get((call_id, tag))

    def sweep(self, clock: float) -> list[Leg]:
        """Forget the legs whose time is over; returned are those whose call was not."""
        lost = []
        ring, check = self._ring, clock + DIALOG_CHECK
        while ring:
            leg = ring[0]
            if leg.check > clock:
                break
            if leg.seen + leg.life > clock:
                leg.check = check
                ring.rotate(-1)
                continue
            ring.popleft()
            self._drop(leg)
            if leg.state in (CallState.RINGING, CallState.UP):
                lost.append(leg)
        return lost

    def release(self, phones: Container[Phone]) -> None:
        """Forget the legs of phones that are forgotten."""
        kept = [leg for leg in self._ring if leg.phone not in phones]
        if len(kept) < len(self._ring):
            for leg in self._ring:
                if leg.phone in phones:
                    self._drop(leg)
            self._ring = deque(kept)

    def tighten(self, limit: int) -> None:
        """Another bound from now on."""
        self._limit = limit
        while len(self._ring) > limit:
            self._evict()

    def _evict(self) -> None:
        ring = self._ring
        if _pass_over(ring, lambda leg: leg.state is CallState.UP):
            _pass_over(ring, lambda leg: leg.phone.lasting)
        self._drop(ring.popleft())
        self.evicted += 1

    def _drop(self, leg: Leg) -> None:
        if self._by_key.get(leg.key) is leg:
            del self._by_key[leg.key]
        if self._by_call.get(leg.key[1:]) is leg:
            del self._by_call[leg.key[1:]]


def _pass_over(ring: deque[Leg], matters: Callable[[Leg], bool]) -> bool:
    """Turn the ring until its head does not matter; whether all that were looked at do."""
    for _ in range(SECOND_CHANCES):
        if not matters(ring[0]):
            return False
        ring.rotate(-1)
    return True
