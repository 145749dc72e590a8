"""A phone: its address on the network, its transactions, and its incoming messages."""

from __future__ import annotations

import random
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from msgspec import Struct

from sipaudit.simulate.clock import Clock, Inbox, Steps, Task
from sipaudit.simulate.message import Endpoint, Message, acknowledgement, host, reply
from sipaudit.simulate.network import Network
from sipaudit.simulate.phone.patience import FULL, patience
from sipaudit.simulate.plan.values import Group, Habits
from sipaudit.simulate.truth import Truth

if TYPE_CHECKING:
    from sipaudit.simulate.phone.line import Line

LOOKED_UP_AFTER = 0.02
ROUTER_MAC = "0200000000fe"  # of the router in front of phones behind a NAT
RINGING = 45.0  # seconds after which the caller gives up if no final response follows the first response


class Answer(Struct, gc=False):
    """How a request ended: with a final response, or with a `cause` when there was none (`timeout`, `icmp`, `reset`,
    `abandoned`) or when a 2xx granted nothing (`refused`)."""

    status: int = 0
    message: Message | None = None
    cause: str = ""

    @property
    def ok(self) -> bool:
        return 200 <= self.status < 300 and not self.cause


class Talk(Struct, gc=False):
    """An answered call: its start, its planned end (both in simulated seconds), and the server that it runs through."""

    since: float
    until: float
    index: int


class Phone:
    """One device. Its lines share only its address and its idle time (reference-model.md 1)."""

    __slots__ = (
        "_count", "_known_until", "_on_connection", "_pending", "_ports", "_tasks", "chance", "clock",
        "dialogs", "group", "habits", "idle_since", "lines", "look_up", "looked_up_at", "mac", "network", "number",
        "off", "on_request", "place", "sent_at", "talks", "truth", "up", "wire",
    )

    def __init__(
        self, group: Group, number: int, place: Endpoint, clock: Clock, network: Network, truth: Truth,
        chance: random.Random,
    ) -> None:
        self.group = group
        self.number = number
        self.clock = clock
        self.network = network
        self.truth = truth
        self.chance = chance
        self.habits = _drawn(group.habits, chance)
        self.mac = f"0004f2{number:06x}"
        self.place = place
        self.wire = place
        self.lines: dict[str, Line] = {}
        self.up = 0
        self.off = True
        self.idle_since = 0.0
        self.talks: dict[str, Talk] = {}
        self.sent_at: dict[Endpoint, float] = {}
        self.looked_up_at = 0.0
        self._ports: dict[Endpoint, int] = {}
        self._on_connection: dict[Endpoint, list[Inbox]] = {}
        self._count = 0
        self._tasks: dict[Task, None] = {}
        self._pending: dict[str, Inbox] = {}
        self.dialogs: dict[str, Inbox] = {}
        self.look_up: Callable[[Phone], float] | None = None
        self._known_until = 0.0
        self.on_request: Callable[[Message, Endpoint], None] | None = None

    # -- presence on the network

    def attach(self) -> None:
        self.off = False
        self.network.attach(self.wire, self, ROUTER_MAC if self.group.nat else self.mac)

    def vanish(self) -> None:
        """Power off: every running task stops at once."""
        self.off = True
        self.network.detach(self.wire)
        for task in list(self._tasks):
            task.stop()
        self._tasks.clear()
        self._pending.clear()
        self.dialogs.clear()
        self.talks.clear()
        self._known_until = 0.0
        self._ports.clear()
        self._on_connection.clear()
        self.up = 0

    def do(self, steps: Steps[Any]) -> Task:
        """Start steps that stop when the phone is powered off."""
        task = self.clock.begin(steps, self._done)
        self._tasks[task] = None
        return task

    def _done(self, task: Task) -> None:
        self._tasks.pop(task, None)

    def busy(self, call_id: str) -> Inbox:
        """Begin a call; returns the inbox for messages of its dialog."""
        self.up += 1
        inbox = self.dialogs[call_id] = Inbox(self.clock)
        return inbox

    def free(self, call_id: str) -> None:
        """End a call."""
        if not self.off:
            self.up -= 1
            self.idle_since = self.clock.now
            self.dialogs.pop(call_id, None)
            self.talks.pop(call_id, None)

    def idle_for(self) -> float:
        """Seconds since the last call ended, 0 during a call."""
        return 0.0 if self.up else self.clock.now - self.idle_since

    @property
    def must_look_up(self) -> bool:
        """Whether the servers' name must be looked up before the next request: its TTL has expired, or this is the
        first lookup."""
        return self.look_up is not None and self.clock.now >= self._known_until

    def resolve(self) -> Steps[None]:
        """Look up the servers' name if necessary."""
        if self.look_up is not None and self.must_look_up:
            self.looked_up_at = self.clock.now
            self._known_until = self.clock.now + self.look_up(self)
            yield LOOKED_UP_AFTER

    # -- out

    def name(self, kind: str) -> str:
        """A name that this phone has not used before."""
        self._count += 1
        return f"{kind}{self.number:x}x{self._count:x}"

    def call_id(self, kind: str) -> str:
        return f"{self.name(kind)}@{self.place[0]}"

    def branch(self) -> str:
        return "z9hG4bK" + self.name("b")

    @property
    def via(self) -> str:
        return host(self.place)

    def send(self, server: Endpoint, message: Message) -> None:
        self.sent_at[server] = self.clock.now
        if self.group.transport == "udp":
            self.network.send(self.wire, server, message)
            return
        port = self._ports.get(server)
        if port is None:
            port = self._ports[server] = self.network.port(self.wire[0])
        place = (self.wire[0], port)
        connection = self.network.connection(place, server, self, lambda: self._broken(server),
                                             self.group.transport == "tls")
        connection.send(message, 0)

    def _broken(self, server: Endpoint) -> None:
        """A connection was refused or reset: requests pending on it fail at once (F2)."""
        self._ports.pop(server, None)
        for inbox in self._on_connection.pop(server, []):
            inbox.put(Answer(cause="reset"))

    def _hang_up_on(self, server: Endpoint) -> None:
        """Close a connection on which no answer came; the next request opens a new one."""
        port = self._ports.pop(server, None)
        if port is not None:
            self.network.connection((self.wire[0], port), server, self, lambda: None, False).close()

    def hears(self) -> bool:
        return not self.off

    def refuses(self) -> str:
        return ""

    def ask(self, server: Endpoint, request: Message, *, last: bool = False, cancel_after: float = RINGING
            ) -> Steps[Answer]:
        """Send a request, with retransmissions; returns its final response, or the cause why there is none.

        After the first response to an INVITE the caller waits `cancel_after` seconds (from the first sending), and then
        cancels.
        """
        invite, reliable = request.method == "INVITE", self.group.transport != "udp"
        inbox = self._pending[request.branch] = Inbox(self.clock)
        if reliable:
            self._on_connection.setdefault(server, []).append(inbox)
        try:
            began = self.clock.now
            for wait in self._waits(last, invite):
                self.send(server, request)
                heard = yield from self._hear(inbox, wait, until_any=invite)
                if isinstance(heard, Answer):
                    return heard
                if heard is not None:
                    return (yield from self._rings(server, request, inbox, began + cancel_after))
            if reliable:
                self._hang_up_on(server)
            return Answer(cause="timeout")
        finally:
            self._pending.pop(request.branch, None)
            if inbox in self._on_connection.get(server, ()):
                self._on_connection[server].remove(inbox)

    def _waits(self, last: bool, invite: bool) -> tuple[float, ...]:
        """Seconds to wait after each sending; a single wait on reliable transports, where the transaction does not
        retransmit (RFC 3261 17.1.1.2)."""
        settings = self.group.settings
        waits = patience(settings.retryTimeOut, settings.retryMaxCount, self.habits.retries or "capped", last, invite)
        return waits if self.group.transport == "udp" else (sum(waits),)

    def _hear(self, inbox: Inbox, wait: float, *, until_any: bool) -> Steps[Any]:
        """Wait up to `wait` seconds for a response. With `until_any` the first one counts; otherwise a 1xx does not end
        the wait (F4)."""
        until = self.clock.now + wait
        heard = yield (inbox, wait)
        while heard is not None and not isinstance(heard, Answer) and not until_any:
            heard = yield (inbox, max(0.0, until - self.clock.now))
        return heard

    def _rings(self, server: Endpoint, request: Message, inbox: Inbox, until: float) -> Steps[Answer]:
        """After a 1xx to an INVITE: wait for the final response, and send CANCEL when the caller gives up."""
        for deadline in (until, until + FULL):
            heard = True
            while heard is not None:
                heard = yield (inbox, max(0.0, deadline - self.clock.now))
                if isinstance(heard, Answer):
                    return heard
            if deadline == until:
                cancel = Message("CANCEL", request.call_id, request.cseq, request.branch, request.via,
                                 request.sender, request.callee, request.from_tag, uri=request.uri,
                                 transport=request.transport)
                self.send(server, cancel)
        return Answer(cause="abandoned")

    def acknowledge(self, server: Endpoint, request: Message, response: Message) -> None:
        """Send the ACK for a final response to an INVITE."""
        self.send(server, acknowledgement(request, response, self.branch))

    def answer(self, server: Endpoint, request: Message, status: int, **more: Any) -> None:
        self.send(server, reply(request, status, tag=f"p{self.number:x}", **more))

    # -- in

    def receive(self, message: Message, source: Endpoint, _packet: bytes) -> None:
        if message.status:
            self._response(message)
        elif self.on_request is not None:
            self.on_request(message, source)

    def _response(self, message: Message) -> None:
        inbox = self._pending.get(message.branch)
        if message.method == "CANCEL":
            return
        if inbox is not None:
            inbox.put(message if message.status < 200 else Answer(message.status, message))
        elif message.method == "INVITE" and 200 <= message.status < 300:
            dialog = self.dialogs.get(message.call_id)
            if dialog is not None:
                dialog.put(message)

    def unreachable(self, message: Message) -> None:
        """Take an ICMP error about a message of this phone: its request fails at once (F2)."""
        inbox = self._pending.get(message.branch)
        if inbox is not None and message.method != "ACK":
            inbox.put(Answer(cause="icmp"))


def _drawn(habits: Habits, chance: random.Random) -> Habits:
    """The habits of the plan; those that it leaves open are drawn at random."""
    draws = {
        "retries": ("capped", "rfc", "short"), "on_503": ("moves", "stays"), "renews": ("home", "working"),
        "keeps_old": (False, True), "refuses": ("answer", "silence"), "new_call_id": (False, True),
    }
    values = {name: chance.choice(choices) for name, choices in draws.items()}
    given = {name: getattr(habits, name) for name in draws if getattr(habits, name) is not None}
    return Habits(**(values | given), half_renewal=habits.half_renewal)
