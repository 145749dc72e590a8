"""The state of a phone's calls, from their dialogs: when a call rings, is up, and is over."""

from __future__ import annotations

from collections.abc import Container

from sipaudit.model.events import NO_LINE, CallChanged
from sipaudit.reconstruct.bounds import CALL_LIFE, DIALOG_LIFE, RINGING_LIFE, Bounds
from sipaudit.reconstruct.dialogs import (
    ACKNOWLEDGED,
    CALL_METHODS,
    CONFIRMED,
    EARLY,
    ENDED,
    NONE,
    OVER,
    RINGING,
    UP,
    CallState,
    Leg,
    LegKey,
    Legs,
)
from sipaudit.reconstruct.phones import CallSeen, Line, Phone
from sipaudit.reconstruct.registry import Registry
from sipaudit.reconstruct.transactions import ANOTHER_CSEQ, Transaction
from sipaudit.sip.datagram import Item
from sipaudit.sip.message import Request, Response

TOLD = {state: state.value for state in CallState}   # the state's name in events
LIVES = {RINGING: RINGING_LIFE, UP: CALL_LIFE}  # a ringing call ends sooner if its INVITE ends


class Calls:
    """All legs, and the call events that follow from what happens in them."""

    __slots__ = ("_numbers", "_registry", "known", "strange")

    def __init__(self, registry: Registry, bounds: Bounds) -> None:
        self._registry = registry
        self.known = Legs(bounds.legs)
        self.strange = Legs(bounds.strange_legs)
        self._numbers = 0

    def release(self, phones: Container[Phone]) -> None:
        """Forget the legs of phones that are forgotten."""
        self.known.release(phones)
        self.strange.release(phones)

    def tighten(self, bounds: Bounds) -> None:
        """Apply new bounds from now on."""
        self.known.tighten(bounds.legs)
        self.strange.tighten(bounds.strange_legs)

    def find(self, host: str, call_id: str, tag: str | None) -> Leg | None:
        """The leg of the phone at this host with this Call-ID and local tag."""
        key = (host, call_id, tag)
        return self.known.find(key) or self.strange.find(key)

    def passes_on(self, call_id: str, tag: str | None, host: str) -> bool:
        """Whether this host forwards a request that a phone sent to it: same Call-ID, same From tag."""
        leg = self.known.anywhere(call_id, tag) or self.strange.anywhere(call_id, tag)
        return leg is not None and leg.far_host == host != leg.phone.host

    def open(self, key: LegKey, phone: Phone, line: Line | None, server: str, ends: tuple[str, str], clock: float,
             call: bool) -> Leg:
        """A new leg, with a number if it is a call's; `ends` are the phone's `host:port` and the server's host."""
        leg = Leg(key, phone, line, server, *ends, clock)
        if call:
            self._number(leg)
        (self.strange if phone.held is not None else self.known).add(leg)
        return leg

    def count(self, leg: Leg) -> None:
        """The leg of a subscription turns out to belong to a call: number it."""
        self._number(leg)
        self.known.doubt()
        self.strange.doubt()

    def _number(self, leg: Leg) -> None:
        self._numbers += 1
        leg.number = self._numbers
        leg.life = DIALOG_LIFE

    def began(self, leg: Leg, transaction: Transaction, request: Request, item: Item, clock: float) -> bool:
        """Apply a new request to its leg's dialogs and call; whether a CSeq is missing before it."""
        leg.seen = clock
        outward = transaction.from_phone
        method = request.method
        if method == "INVITE" and not transaction.in_dialog:
            self._begin(leg, transaction, item)
        elif method == "BYE" and outward:
            self._end(leg, request.to.tag, item)
        elif leg.state is NONE and method in ("INVITE", "UPDATE", "INFO"):
            self.up(leg, item, own=outward)  # the middle of a call that began before the capture
        return leg.jumps(request.cseq.number, outward)

    def answered(self, leg: Leg, transaction: Transaction, response: Response, item: Item, clock: float) -> None:
        """Apply a response to the dialogs of its leg."""
        leg.seen = clock
        status, method, outward = response.status, transaction.method, transaction.from_phone
        if not outward:
            self._tag(leg, response.to.tag)
        if method == "INVITE" and not transaction.in_dialog:
            if status > 100 and status not in ANOTHER_CSEQ:
                far = response.to.tag if outward else response.from_.tag
                self._invite_answered(leg, transaction, status, far, item)
        elif (method == "BYE" and status >= 200) or (
            status == 481 and outward and method in CALL_METHODS  # RFC 3261 12.2.1.2
        ):
            self._end(leg, response.to.tag if outward else response.from_.tag, item)

    def up(self, leg: Leg, item: Item, *, own: bool) -> None:
        """The call is up: a 2xx to its INVITE, or a request that only follows one. `own`: the phone sent it."""
        if leg.number is not None and leg.state is not UP:
            self._change(leg, UP, item, own)

    def given_up(self, leg: Leg, invite: Transaction, item: Item) -> None:
        """An INVITE transaction was forgotten, or its phone has given it up: if its call still rang, it will never be
        answered."""
        if leg.invite == invite.number and leg.state is RINGING:
            self._change(leg, OVER, item)

    def sweep(self, clock: float, item: Item) -> None:
        """Forget legs without traffic for long; a call that never ended counts as over then."""
        for leg in (*self.known.sweep(clock), *self.strange.sweep(clock)):
            self._change(leg, OVER, item)

    def _tag(self, leg: Leg, tag: str | None) -> None:
        """The phone's tag became known, from its first response with one."""
        _, call_id, known = leg.key
        if tag is not None and known is None:
            store = self.known if self.known.find(leg.key) is leg else self.strange
            store.rename(leg, (leg.phone.host, call_id, tag))

    def _begin(self, leg: Leg, invite: Transaction, item: Item) -> None:
        """An INVITE outside a dialog. Of several under one Call-ID the last counts: a phone gives up one for the next.
        """
        leg.invite, leg.server = invite.number, invite.server
        if leg.state in (NONE, OVER):
            if leg.state is NONE and leg.line is not None:
                leg.line.calls += 1
            self._change(leg, RINGING, item)
        if leg.shown is not None:
            leg.shown.turn(invite.server)

    def _invite_answered(self, leg: Leg, invite: Transaction, status: int, tag: str | None, item: Item) -> None:
        """A response to an INVITE of the leg; `tag` is the far end's tag."""
        if status < 300:
            if leg.note(tag, CONFIRMED if status >= 200 else EARLY) and status >= 200:
                leg.server = invite.server
                self.up(leg, item, own=not invite.from_phone)
        elif leg.invite == invite.number and leg.state is RINGING:
            self._change(leg, OVER, item)

    def _end(self, leg: Leg, tag: str | None, item: Item) -> None:
        """BYE: this fork is over, and the call ends with its last confirmed fork."""
        leg.note(tag, ENDED)
        forks = leg.forks.values()
        if leg.number is not None and leg.state is not OVER and CONFIRMED not in forks and ACKNOWLEDGED not in forks:
            self._change(leg, OVER, item)

    def _change(self, leg: Leg, state: CallState, item: Item, own: bool = False) -> None:
        """Put the leg into this state. If it is a call, make an event of it, for the line's follower or else the usual
        way."""
        leg.state = state
        leg.life = LIVES.get(state, DIALOG_LIFE)
        if leg.number is None:
            return
        line, number = leg.line, NO_LINE
        if line is not None:
            _show(leg, line, state, item.time)
            number = line.number
        event = CallChanged(
            item.time, item.capture, item.frame, leg.phone.number, number, leg.server, leg.number, TOLD[state], own)
        if line is None or line.follower is None or self._registry.out or line.revision != line.view.revision \
                or not line.follower.changes(event):
            self._registry.emit(leg.phone, line, event)


def _show(leg: Leg, line: Line, state: CallState, time: float) -> None:
    """Record the call's state for the report; a call that is tried again after its end is still one call."""
    call = leg.shown
    if call is None:
        call = leg.shown = CallSeen(time if state is RINGING else None, leg.server)
        line.note_call(call)
    call.over = time if state is OVER else None
    if state is UP:
        call.up = time
