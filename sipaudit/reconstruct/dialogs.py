"""Dialogs, early ones and forks (RFC 3261 12), and what they tell of a phone's calls.

A *leg* is what one phone shares under one Call-ID and one local tag: the
dialogs of all forks of its INVITE or SUBSCRIBE.  Two phones of a call have two
legs, also when they stand behind one address.
"""

from __future__ import annotations

from collections import deque
from enum import StrEnum

from sipaudit.model.events import NO_LINE, CallChanged
from sipaudit.reconstruct.bounds import CALL_LIFE, DIALOG_CHECK, DIALOG_LIFE, FORKS, SUBSCRIPTION_LIFE, Bounds
from sipaudit.reconstruct.phones import Line, Phone, Registry
from sipaudit.sip.datagram import Datagram

CALL_METHODS = frozenset({"INVITE", "BYE", "UPDATE", "INFO", "PRACK"})  # in a dialog they tell that it is a call's
DIALOG_METHODS = frozenset({"INVITE", "SUBSCRIBE", "REFER"})            # out of one they may begin one

LegKey = tuple[str, str, str | None]  # the phone's host, Call-ID, local tag


class CallState(StrEnum):
    """A call as the events tell it; `NONE` is a leg of which nothing was told."""

    NONE = "none"
    RINGING = "ringing"
    UP = "up"
    OVER = "over"


class Leg:
    """One phone's side of a Call-ID. `number` is the call's, None for a subscription; `remotes` the far ends' tags
    (True: confirmed); `invite` the number of the INVITE transaction that counts; `endpoint` the phone's host:port."""

    __slots__ = ("check", "cseq_in", "cseq_out", "endpoint", "invite", "key", "life", "line", "number", "phone",
                 "remotes", "seen", "server", "state")

    def __init__(self, number: int | None, key: LegKey, phone: Phone, line: Line | None, server: str, endpoint: str,
                 clock: float) -> None:
        self.number = number
        self.key = key
        self.phone = phone
        self.line = line
        self.server = server
        self.endpoint = endpoint
        self.state = CallState.NONE
        self.remotes: dict[str | None, bool] = {}
        self.invite = -1
        self.cseq_out = -1
        self.cseq_in = -1
        self.life = SUBSCRIPTION_LIFE if number is None else DIALOG_LIFE
        self.seen = clock
        self.check = clock + DIALOG_CHECK

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
        self._ring: deque[Leg] = deque()
        self.find = self._by_key.get
        self.evicted = 0

    def __len__(self) -> int:
        return len(self._ring)

    def add(self, leg: Leg) -> None:
        self._by_key[leg.key] = leg
        self._ring.append(leg)
        if len(self._ring) > self._limit:
            self._evict()

    def rename(self, leg: Leg, key: LegKey) -> None:
        """The leg under its full key, once the phone's tag is known."""
        self._drop(leg)
        leg.key = key
        self._by_key[key] = leg

    def sweep(self, clock: float) -> list[Leg]:
        """Forget the legs whose time is over; returned are those whose call was not."""
        lost = []
        ring = self._ring
        while ring and ring[0].check <= clock:
            leg = ring.popleft()
            if leg.seen + leg.life > clock:
                leg.check = clock + DIALOG_CHECK
                ring.append(leg)
                continue
            self._drop(leg)
            if leg.state in (CallState.RINGING, CallState.UP):
                lost.append(leg)
        return lost

    def _evict(self) -> None:
        ring = self._ring
        for _ in range(8):
            if ring[0].state is not CallState.UP:
                break
            ring.rotate(-1)
        self._drop(ring.popleft())
        self.evicted += 1

    def _drop(self, leg: Leg) -> None:
        if self._by_key.get(leg.key) is leg:
            del self._by_key[leg.key]


class Calls:
    """All legs, and the call events that follow from what happens in them."""

    def __init__(self, registry: Registry, bounds: Bounds) -> None:
        self._registry = registry
        self.known = Legs(bounds.legs)
        self.strange = Legs(bounds.strange_legs)
        self._numbers = 0

    def find(self, host: str, call_id: str, tag: str | None) -> Leg | None:
        key = (host, call_id, tag)
        return self.known.find(key) or self.strange.find(key)

    def open(self, key: LegKey, phone: Phone, line: Line | None, server: str, endpoint: str, clock: float,
             call: bool) -> Leg:
        """A new leg, with a number if it is a call's."""
        number = None
        if call:
            self._numbers += 1
            number = self._numbers
        leg = Leg(number, key, phone, line, server, endpoint, clock)
        (self.strange if phone.held is not None else self.known).add(leg)
        return leg

    def tagged(self, leg: Leg, tag: str | None) -> None:
        """The phone's tag became known: its first response with one."""
        host, call_id, known = leg.key
        if tag is not None and known is None:
            store = self.known if self.known.find(leg.key) is leg else self.strange
            store.rename(leg, (leg.phone.host, call_id, tag))

    def begin(self, leg: Leg, invite: int, server: str, item: Datagram) -> None:
        """An INVITE out of a dialog: of several under one Call-ID the last counts, a phone gives up one for the next."""
        leg.invite = invite
        leg.server = server
        if leg.state in (CallState.NONE, CallState.OVER):
            if leg.state is CallState.NONE and leg.line is not None:
                leg.line.calls += 1
            self._change(leg, CallState.RINGING, item)

    def answered(self, leg: Leg, invite: int, status: int, tag: str | None, server: str, item: Datagram) -> None:
        """A response to an INVITE of the leg; `tag` is the far end's."""
        if status < 300:
            if len(leg.remotes) < FORKS or tag in leg.remotes:
                leg.remotes[tag] = status >= 200 or leg.remotes.get(tag, False)
            if status >= 200:
                leg.server = server
                self.up(leg, item)
        elif leg.invite == invite and leg.state is CallState.RINGING:
            self._change(leg, CallState.OVER, item)

    def up(self, leg: Leg, item: Datagram) -> None:
        if leg.number is not None and leg.state is not CallState.UP:
            self._change(leg, CallState.UP, item)

    def ended(self, leg: Leg, tag: str | None, item: Datagram) -> None:
        """BYE: this fork is over, and the call with its last confirmed one."""
        leg.remotes.pop(tag, None)
        if leg.number is not None and leg.state is not CallState.OVER and True not in leg.remotes.values():
            self._change(leg, CallState.OVER, item)

    def given_up(self, leg: Leg, invite: int, item: Datagram) -> None:
        """An INVITE transaction was forgotten: the call rang, and will never be answered."""
        if leg.invite == invite and leg.state is CallState.RINGING:
            self._change(leg, CallState.OVER, item)

    def sweep(self, clock: float, item: Datagram) -> None:
        for leg in self.known.sweep(clock):
            self._change(leg, CallState.OVER, item)
        self.strange.sweep(clock)

    def _change(self, leg: Leg, state: CallState, item: Datagram) -> None:
        leg.state = state
        leg.life = CALL_LIFE if state is CallState.UP else DIALOG_LIFE
        if leg.number is None:
            return
        number = NO_LINE if leg.line is None else leg.line.number
        self._registry.emit(leg.phone, leg.line, CallChanged(
            item.time, item.capture, item.frame, leg.phone.number, number, leg.server, leg.number, state.value,
        ))
