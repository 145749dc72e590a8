"""A server: registrar, proxy and far end in one, with the faults that the plan assigns to it."""

from __future__ import annotations

import random
from collections import deque
from collections.abc import Mapping
from typing import Any

from sipaudit.simulate.clock import Clock, Inbox, Steps
from sipaudit.simulate.far_end import FarEnd
from sipaudit.simulate.message import Endpoint, Message, host, reply
from sipaudit.simulate.network import Network
from sipaudit.simulate.plan.values import Fault, ServerPlan
from sipaudit.simulate.registrar import Registrar
from sipaudit.simulate.repeating import RESENT

REMEMBERED = 40.0  # seconds for which a retransmission gets the same answer (RFC 3261 17.2: 64*T1 plus a margin)
MUTE = ("silent", "flapping")


class Server:
    """Answers the messages that arrive at its address, as far as its faults let it."""

    def __init__(self, name: str, plan: ServerPlan, clock: Clock, network: Network, seed: int, domain: str,
                 places: Mapping[str, Endpoint]) -> None:
        self.name = name
        self.plan = plan
        self.place: Endpoint = (plan.address, plan.port)
        self.clock = clock
        self.network = network
        self.domain = domain
        self._places = places   # of all servers, by name
        self.registrar = Registrar(self)
        self._far_end = FarEnd(self, random.Random(f"server {name} {seed}"))
        self._answers: dict[tuple[str, str], Message | None] = {}
        self._answered: deque[tuple[float, tuple[str, str]]] = deque()
        self._waiting: dict[str, Inbox] = {}
        self._count = 0

    # -- what is wrong with it

    def fault(self, *kinds: str) -> Fault | None:
        """The first fault of these kinds that is active now."""
        now = self.clock.now
        for fault in self.plan.faults:
            if fault.kind in kinds and fault.start <= now < fault.end:
                if fault.kind == "flapping" and (now - fault.start) % (fault.up + fault.down) >= fault.down:
                    continue
                return fault
        return None

    def hears(self) -> bool:
        return not (self.plan.faults and self.fault(*MUTE))

    def refuses(self) -> str:
        if self.fault("reset", "unreachable"):
            return "reset"
        return "alert" if self.fault("tls-alert") else ""

    # -- in

    def receive(self, message: Message, source: Endpoint, packet: bytes) -> None:
        if not self.hears():
            return
        if self.plan.faults and message.transport == "UDP" and self.fault("unreachable"):
            self.network.refuse(self.place, source, packet, message)
        elif message.status:
            inbox = self._waiting.get(message.branch)
            if inbox is not None:
                inbox.put(message)
        elif message.method == "ACK":
            self._far_end.hear(message)
        else:
            self._take(message, source)

    def _take(self, request: Message, source: Endpoint) -> None:
        """Take a request: a retransmission gets the same answer again, a new one is handled after the answer delay."""
        key = (request.branch, request.method)
        if key in self._answers:
            again = self._answers[key]
            if again is not None:
                self.send(source, again)
            return
        self._remember(key, None)
        slow = self.fault("slow") if self.plan.faults else None
        self.clock.after(self.plan.answer if slow is None else slow.delay, self._handle, request, source)

    def unreachable(self, message: Message) -> None:
        """A phone is gone: nothing to do, since its calls time out."""

    def _handle(self, request: Message, source: Endpoint) -> None:
        if self.plan.faults and self._refused(request, source):
            return
        if not request.to_tag and self.registrar.challenged(request, source):
            return
        method = request.method
        if method == "REGISTER":
            self.registrar.register(request, source)
        elif method == "INVITE":
            self._far_end.invited(request, source)
        elif method in ("BYE", "CANCEL"):
            self._far_end.over(request, source)
        elif method == "SUBSCRIBE":
            self._far_end.subscribed(request, source)
        else:
            self.answer(request, source, 202 if method == "REFER" else 200)

    def _refused(self, request: Message, source: Endpoint) -> bool:
        """Whether a fault decides about this request: it is then refused, redirected or ignored."""
        fault = self.fault("unavailable")
        if fault is not None and request.method != "CANCEL":
            after = "" if fault.retry_after is None else f"Retry-After: {fault.retry_after}\r\n"
            self.answer(request, source, 503, headers=after)
            return True
        if request.method == "INVITE" and self.fault("no-calls"):
            return True
        fault = self.fault("redirects")
        if request.method == "INVITE" and not request.to_tag and fault is not None:
            there = self._places[fault.target or self.name]
            self.answer(request, source, 302, contact=f"<sip:{request.user}@{host(there)}>")
            return True
        if request.method == "REGISTER" and self.fault("forbids"):
            self.answer(request, source, 403)
            return True
        return False

    # -- out

    def send(self, place: Endpoint, message: Message) -> None:
        """Send a message to a phone, unless a fault keeps the server from sending."""
        if not (self.plan.faults and self.fault(*MUTE, "unreachable")):
            self.network.send(self.place, place, message)

    def answer(self, request: Message, place: Endpoint, status: int, **more: Any) -> None:
        """Send a response, and keep it for retransmissions of the request."""
        response = reply(request, status, tag=self.tag(request), **more)
        self._remember((request.branch, request.method), response)
        self.send(place, response)

    def _remember(self, key: tuple[str, str], answer: Message | None) -> None:
        now = self.clock.now
        if key not in self._answers:
            self._answered.append((now, key))
            while self._answered and self._answered[0][0] < now - REMEMBERED:
                self._answers.pop(self._answered.popleft()[1], None)
        self._answers[key] = answer

    def ask(self, place: Endpoint, request: Message) -> Steps[Message | None]:
        """Send a request to a phone; returns its final response, None if there was none."""
        inbox = self._waiting[request.branch] = Inbox(self.clock)
        try:
            for wait in RESENT:
                self.send(place, request)
                response: Message | None = yield (inbox, wait)
                while response is not None and response.status < 200:
                    response = yield (inbox, 120.0)
                if response is not None:
                    return response
            return None
        finally:
            del self._waiting[request.branch]

    # -- names

    def number(self) -> int:
        """A number that this server has not used before."""
        self._count += 1
        return self._count

    def branch(self) -> str:
        return f"z9hG4bK{self.name}{self.number()}"

    def tag(self, request: Message) -> str:
        return f"{self.name}{request.from_tag[-8:]}"

    # -- on its own initiative

    def ring(self, user: str, seconds: float) -> bool:
        """Make a call to a user through this server; False if the user is not registered or the server cannot send."""
        binding = self.registrar.newest(user)
        if binding is None or self.fault(*MUTE, "unreachable"):
            return False
        self.clock.begin(self._far_end.call(user, binding, seconds))
        return True

    def ping(self) -> Steps[None]:
        """Send OPTIONS to every registered phone, periodically."""
        while True:
            yield self.plan.options_every
            for user in self.registrar.users:
                binding = self.registrar.newest(user)
                if binding is not None:
                    number = self.number()
                    self.clock.begin(self.ask(binding.place, Message(
                        "OPTIONS", f"o{number}@{self.place[0]}", 1, self.branch(), host(self.place),
                        f"sip:ping@{self.domain}", f"sip:{user}@{self.domain}", f"o{number}",
                        uri=binding.target, transport=binding.transport,
                    )))
