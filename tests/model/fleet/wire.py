"""Requests and answers between a phone and its servers, and the events that an observer sees of them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, TypedDict

from sipaudit.model.events import (
    NO_LINE,
    Answered,
    Booted,
    CallChanged,
    Contacted,
    ContactKind,
    EntryChanged,
    Failed,
    FailureKind,
    ModelEvent,
    Received,
    Replied,
    Resent,
    Sent,
)
from tests.model.fleet.clock import Clock, Mailbox
from tests.model.fleet.servers import Plan

HARD = {"icmp": FailureKind.ICMP, "refused": FailureKind.REFUSED, "reset": FailureKind.RESET, "tls": FailureKind.TLS}
CHALLENGES = (401, 407)
AGAIN = (*CHALLENGES, 422, 423, *range(300, 400))  # the phone asks again under the same Call-ID
BOOT_SILENCE = 20.0
UNRESOLVED = 32.0  # a booting phone may pass over servers whose names failed so lately
FORGOTTEN = 36.0  # an observer considers an unanswered INVITE over after this


@dataclass
class Callee:
    """What happens to an INVITE at a working server. With `final` 0 it rings for ever."""

    rings_after: float
    answers_after: float
    final: int


class Details(TypedDict, total=False):
    """What a request may have beside its method."""

    in_dialog: bool
    expires: float
    call: int | None
    call_id: str
    callee: Callee | None
    target: str
    emergency: bool
    proves: bool
    fresh: bool


@dataclass
class Exchange:
    """One transaction as the phone sees it. `taken`: the server is going to answer it."""

    number: int
    line: int
    server: str
    method: str
    born: float
    news: Mailbox
    in_dialog: bool = False
    expires: float | None = None
    call: int | None = None
    call_id: str = ""
    callee: Callee | None = None
    proves: bool = False
    follows: int | None = None
    taken: bool = False
    ringing: bool = False
    cancelled: bool = False
    final: int = 0
    granted: float | None = None
    own: bool | None = None
    retry_after: int | None = None
    late: Callable[[int], None] | None = None  # called with answers for which the phone no longer waits


@dataclass
class Leg:
    """A call as an observer counts it; `forks` are the servers through which it is up (one may answer late)."""

    server: str
    state: str = "none"
    invite: int = 0
    forks: set[str] = field(default_factory=set)


@dataclass
class Wire:
    """Writes events. Those of the whole phone carry NO_LINE, unless the phone has one line only: then only that line's
    replay exists."""

    clock: Clock
    plan: Plan
    lines: int
    transport: str
    events: list[ModelEvent] = field(default_factory=list)
    numbers: int = 0
    spoke: float = -1000.0              # the phone's last packet
    failed_names: float = -1000.0       # the last failure to resolve a server's name
    legs: dict[int, Leg] = field(default_factory=dict)
    registered: dict[tuple[str, int], float] = field(default_factory=dict)  # (server, line) -> until when
    asked_at: dict[int, str] = field(default_factory=dict)  # transaction -> server
    grants_nothing: list[tuple[float, int]] = field(default_factory=list)

    def say(self, kind: Callable[..., ModelEvent], line: int, *details: Any, **more: Any) -> None:
        self.events.append(kind(self.clock.now, 0, len(self.events) + 1, 0, line, *details, **more))

    def _phone_wide(self) -> int:
        return 0 if self.lines == 1 else NO_LINE

    def new_number(self) -> int:
        self.numbers += 1
        return self.numbers

    # -- beside requests

    def booted(self, possible: bool) -> None:
        self.say(Booted, self._phone_wide(), possible)

    def looked_up(self, server: str) -> None:
        self.say(Contacted, self._phone_wide(), server, ContactKind.LOOKUP)

    def unresolved(self, server: str) -> None:
        self.failed_names = self.clock.now
        self.say(Failed, self._phone_wide(), server, FailureKind.DNS, self.clock.now)

    def resolved(self, low: float, high: float, reordered: bool) -> None:
        for line in range(self.lines):
            self.say(EntryChanged, line, "sbc", self.clock.now + low, low, high, reordered)

    # -- the phone's requests

    def send(self, line: int, server: str, method: str, head: str, *, fresh: bool = False, target: str = "",
             emergency: bool = False, **details: Any) -> Exchange:
        """Send a request for the first time; `head` is the server at the head of the phone's list."""
        heads = server == head or self.clock.now - self.failed_names <= UNRESOLVED
        if fresh and method == "REGISTER" and heads and self.clock.now - self.spoke >= BOOT_SILENCE \
                and self.numbers:
            self.booted(possible=True)  # this looks like a boot to an observer (reference-model.md 1, *boot*)
        exchange = Exchange(self.new_number(), line, server, method, self.clock.now, Mailbox(self.clock), **details)
        self.asked_at[exchange.number] = server
        if self.transport != "udp" and self.plan.chance.random() < 0.1:
            self.say(Contacted, self._phone_wide(), server, ContactKind.SYN)
        self.say(Sent, line, server, method, exchange.number, exchange.in_dialog, exchange.expires, exchange.follows,
                 fresh, emergency, exchange.call, exchange.call_id, target,
                 exchange.proves, fresh and method == "REGISTER")
        self.spoke = self.clock.now
        if method == "INVITE" and not exchange.in_dialog and exchange.call is not None:
            leg = self.legs.setdefault(exchange.call, Leg(server))
            leg.invite, leg.server = exchange.number, server
            if leg.state in ("none", "over"):
                self._change(exchange.call, line, "ringing")
        self._deliver(exchange)
        return exchange

    def resend(self, exchange: Exchange) -> None:
        self.say(Resent, exchange.line, exchange.server, exchange.method, exchange.number)
        self.spoke = self.clock.now
        self._deliver(exchange)

    def given_up(self, exchange: Exchange) -> None:
        """The phone stops waiting; later an observer forgets an INVITE that was never answered."""
        call = exchange.call
        if exchange.method == "INVITE" and call is not None and not exchange.ringing and not exchange.in_dialog:
            self.clock.after(FORGOTTEN, lambda: self._forget(call, exchange))

    def _forget(self, call: int, exchange: Exchange) -> None:
        leg = self.legs[call]
        if leg.state == "ringing" and leg.invite == exchange.number and not exchange.ringing and not exchange.final:
            self._change(call, exchange.line, "over")

    def _change(self, call: int, line: int, state: str) -> None:
        leg = self.legs[call]
        leg.state = state
        self.say(CallChanged, line, leg.server, call, state)

    def bye(self, call: int, line: int, server: str) -> None:
        """This fork of the call is over; the call is, when its last fork is."""
        if call in self.legs and self.legs[call].state != "over":
            self.legs[call].forks.discard(server)
            if not self.legs[call].forks:
                self._change(call, line, "over")

    # -- the servers' side

    def _deliver(self, exchange: Exchange) -> None:
        now = self.clock.now
        fate = self.plan.fate(exchange.server, now, exchange.method)
        if fate in HARD:
            self.clock.after(0.01, lambda: self._hard(exchange, fate, now))
        elif not exchange.taken and fate != "silent":
            exchange.taken = True
            delay = self.plan.delay(exchange.server, now)
            if fate in ("503", "503-wait"):
                self._answer_in(delay, exchange, 503, retry_after=120 if fate == "503-wait" else None)
            elif fate == "refuses" and exchange.method not in ("OPTIONS", "CANCEL", "BYE", "NOTIFY"):
                self._answer_in(delay, exchange, self.plan.code(exchange.server, now))
            else:
                self._serve(exchange, delay)

    def _hard(self, exchange: Exchange, fate: str, sent: float) -> None:
        self.say(Failed, self._phone_wide(), exchange.server, HARD[fate], sent,
                 exchange.number if fate == "icmp" else None)
        exchange.news.put(fate)

    def _serve(self, exchange: Exchange, delay: float) -> None:
        """The answer of a working server."""
        plan, method = self.plan, exchange.method
        challenge = plan.challenges.get(exchange.server, 0)
        if not exchange.proves and not exchange.in_dialog and method in ("REGISTER", "INVITE", "SUBSCRIBE") \
                and (challenge == 407 or (challenge == 401 and method == "REGISTER")):
            self._answer_in(delay, exchange, challenge)
        elif exchange.proves and self.asked_at.get(exchange.follows or 0, exchange.server) != exchange.server:
            self._answer_in(delay, exchange, 403)  # the nonce is another server's
        elif method == "REGISTER":
            self._register(exchange, delay)
        elif method == "INVITE" and not exchange.in_dialog:
            self._ring(exchange, delay)
        elif method == "CANCEL":
            self._answer_in(delay, exchange, 200)
        else:
            self._answer_in(delay, exchange, 200)

    def _register(self, exchange: Exchange, delay: float) -> None:
        plan, asked = self.plan, exchange.expires or 0.0
        if asked and asked < plan.min_expires:
            self._answer_in(delay, exchange, 423)
            return
        if plan.chance.random() < plan.trying:
            self._answer_in(0.3 * delay, exchange, 100)
        granted: float | None = float(int(asked * plan.grants)) if plan.grants < 1.0 and asked >= 120 else asked
        own: bool | None = True
        if asked and plan.chance.random() < plan.odd_contacts:
            own = False
        if not asked:
            granted, own = None, None
        elif plan.chance.random() < plan.no_life:
            granted, own = plan.chance.choice(((0.0, True), (None, None)))
        elif plan.chance.random() < 0.1:
            granted = None  # 200 without expiry: what was requested holds
        self._answer_in(delay, exchange, 200, granted=granted, own=own)

    def _ring(self, exchange: Exchange, delay: float) -> None:
        plan, callee = self.plan, exchange.callee
        assert callee is not None
        if plan.chance.random() < plan.redirects and exchange.follows is None:
            self._answer_in(delay, exchange, 302)
            return
        if plan.chance.random() < plan.tries_invites:
            self._answer_in(delay, exchange, 100)
        if callee.final in (0, 200, 486):
            self._answer_in(delay + callee.rings_after, exchange, 180)
        if callee.final:
            self._answer_in(delay + callee.rings_after + callee.answers_after, exchange, callee.final)

    def cancel(self, exchange: Exchange) -> None:
        """The far end has received a CANCEL of this INVITE."""
        if not exchange.final:
            exchange.cancelled = True
            self._answer_in(0.05, exchange, 487, cancelling=True)

    def _answer_in(self, delay: float, exchange: Exchange, status: int, *, cancelling: bool = False,
                   **details: Any) -> None:
        self.clock.after(delay, lambda: self._answer(exchange, status, cancelling, details))

    def _answer(self, exchange: Exchange, status: int, cancelling: bool, details: dict[str, Any]) -> None:
        if exchange.final or (exchange.cancelled and not cancelling):
            return
        if self.plan.fate(exchange.server, self.clock.now, exchange.method) in ("silent", *HARD):
            return  # the server failed before it could answer
        asked = exchange.expires if exchange.method == "REGISTER" else None
        self.say(Answered, exchange.line, exchange.server, exchange.method, exchange.number, status,
                 sent=exchange.born, in_dialog=exchange.in_dialog, asked=asked, call=exchange.call, **details)
        if status >= 200:
            exchange.final = status
            exchange.granted, exchange.own = details.get("granted"), details.get("own")
            exchange.retry_after = details.get("retry_after")
        elif status > 100:
            exchange.ringing = True
        self._tell(exchange, status)
        self._count(exchange, status)
        if exchange.late is not None:
            exchange.late(status)
        else:
            exchange.news.put(status)

    def _tell(self, exchange: Exchange, status: int) -> None:
        """Store the registration that a 200 to REGISTER creates at the server."""
        if exchange.method != "REGISTER" or status != 200:
            return
        life = exchange.granted if exchange.granted is not None else exchange.expires or 0.0
        if exchange.expires and (exchange.granted == 0.0 or (exchange.granted is None and exchange.own is None)):
            self.grants_nothing.append((self.clock.now, exchange.line))
            life = 0.0
        self.registered[exchange.server, exchange.line] = self.clock.now + life

    def _count(self, exchange: Exchange, status: int) -> None:
        """Update the call's state as an observer would on this answer."""
        if exchange.call is None or exchange.call not in self.legs:
            return
        leg = self.legs[exchange.call]
        if exchange.method == "INVITE" and not exchange.in_dialog and status >= 200 and status not in AGAIN:
            if status < 300:
                leg.server = exchange.server
                leg.forks.add(exchange.server)
                if leg.state != "up":
                    self._change(exchange.call, exchange.line, "up")
            elif leg.state == "ringing" and leg.invite == exchange.number:
                self._change(exchange.call, exchange.line, "over")
        elif status == 481:
            self.bye(exchange.call, exchange.line, exchange.server)

    # -- requests from servers

    def receive(self, line: int, server: str, method: str, call: int | None, *, in_dialog: bool) -> int:
        """A request reaches the phone; returns the number of its transaction."""
        number = self.new_number()
        self.say(Received, line, server, method, number, in_dialog, call)
        if method == "INVITE" and not in_dialog and call is not None:
            self.legs[call] = Leg(server, invite=number)
            self._change(call, line, "ringing")
        return number

    def reply(self, line: int, server: str, method: str, number: int, status: int, call: int | None, *,
              in_dialog: bool = False) -> None:
        self.say(Replied, line, server, method, number, status, in_dialog, call)
        self.spoke = self.clock.now
        if call is None or call not in self.legs:
            return
        leg = self.legs[call]
        if method == "INVITE" and not in_dialog and status >= 200:
            if status < 300:
                leg.forks.add(server)
                self._change(call, line, "up")
            elif leg.state == "ringing":
                self._change(call, line, "over")
        elif method == "BYE" and status >= 200:
            self.bye(call, line, server)
