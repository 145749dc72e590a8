"""A server: registrar, proxy and far end in one, with the faults that the plan gives it."""

from __future__ import annotations

import random
from collections import deque
from typing import Any

from sipaudit.simulate.clock import NEVER, Clock, Inbox, Steps
from sipaudit.simulate.digest import challenge, nonce_of
from sipaudit.simulate.message import Endpoint, Message, host, reply
from sipaudit.simulate.network import Network
from sipaudit.simulate.numbers import BUSY, RINGS_ON, hangs_up_after
from sipaudit.simulate.plan.values import Fault, ServerPlan
from sipaudit.simulate.wire.media import sdp

REMEMBERED = 40.0  # seconds for which an answer is given again to a retransmission (RFC 3261 17.2: 64*T1 and some)
MUTE = ("silent", "flapping")
RESENT = (0.5, 1.0, 2.0, 4.0, 4.0, 4.0, 4.0, 4.0, 4.0, 4.0)  # waits between sendings, to 32 s


class Binding:
    """Where a Contact is reached, and until when."""

    __slots__ = ("contact", "granted", "place", "transport", "until")

    def __init__(self, contact: str, place: Endpoint, transport: str, granted: float, until: float) -> None:
        self.contact = contact
        self.place = place
        self.transport = transport
        self.granted = granted
        self.until = until


class FarDialog:
    """A call as the far end has it; `inbox` gets what comes for it."""

    __slots__ = ("cseq", "inbox", "invite", "ours", "place", "tag")

    def __init__(self, invite: Message, place: Endpoint, tag: str, inbox: Inbox, ours: bool) -> None:
        self.invite = invite
        self.place = place
        self.tag = tag
        self.inbox = inbox
        self.ours = ours
        self.cseq = 1


class Server:
    """Answers what arrives at its place while it is in a state to do so."""

    def __init__(self, name: str, plan: ServerPlan, clock: Clock, network: Network, seed: int, domain: str) -> None:
        self.name = name
        self.plan = plan
        self.place: Endpoint = (plan.address, plan.port)
        self.clock = clock
        self.network = network
        self.domain = domain
        self._random = random.Random(f"server {name} {seed}")
        self._bindings: dict[str, dict[str, Binding]] = {}
        self._answers: dict[tuple[str, str], Message | None] = {}
        self._answered: deque[tuple[float, tuple[str, str]]] = deque()
        self._dialogs: dict[str, FarDialog] = {}
        self._waiting: dict[str, Inbox] = {}
        self._count = 0

    # -- what is wrong with it

    def fault(self, *kinds: str) -> Fault | None:
        """The first fault of these kinds that acts now."""
        now = self.clock.now
        for fault in self.plan.faults:
            if fault.kind in kinds and fault.start <= now < fault.end:
                if fault.kind == "flapping" and (now - fault.start) % (fault.up + fault.down) >= fault.down:
                    continue
                return fault
        return None

    # -- in and out

    def receive(self, message: Message, source: Endpoint, packet: bytes) -> None:
        if self.plan.faults:
            if self.fault(*MUTE):
                return
            if self.fault("unreachable") and message.transport == "UDP":
                self.network.refuse(self.place, source, packet, message)
                return
        if message.status:
            inbox = self._waiting.get(message.branch)
            if inbox is not None:
                inbox.put(message)
            return
        if message.method == "ACK":
            self._hear(message)
            return
        key = (message.branch, message.method)
        if key in self._answers:
            again = self._answers[key]
            if again is not None:
                self._send(source, again)
            return
        self._remember(key, None)
        slow = self.fault("slow") if self.plan.faults else None
        delay = self.plan.answer if slow is None else slow.delay
        self.clock.after(delay, self._handle, message, source)

    def unreachable(self, message: Message) -> None:
        """A phone is gone: its calls run out by themselves."""

    def hears(self) -> bool:
        return not (self.plan.faults and self.fault(*MUTE))

    def refuses(self) -> str:
        if self.fault("reset", "unreachable"):
            return "reset"
        return "alert" if self.fault("tls-alert") else ""

    def _send(self, place: Endpoint, message: Message) -> None:
        if not (self.plan.faults and self.fault(*MUTE, "unreachable")):
            self.network.send(self.place, place, message)

    def _remember(self, key: tuple[str, str], answer: Message | None) -> None:
        now = self.clock.now
        if key not in self._answers:
            self._answered.append((now, key))
            while self._answered and self._answered[0][0] < now - REMEMBERED:
                self._answers.pop(self._answered.popleft()[1], None)
        self._answers[key] = answer

    def _answer(self, request: Message, place: Endpoint, status: int, **more: Any) -> None:
        response = reply(request, status, tag=self._tag(request), **more)
        self._remember((request.branch, request.method), response)
        self._send(place, response)

    def _tag(self, request: Message) -> str:
        return f"{self.name}{request.from_tag[-8:]}"

    # -- requests

    def _handle(self, request: Message, source: Endpoint) -> None:
        if self.plan.faults and self._refused(request, source):
            return
        if not request.to_tag and self._challenged(request, source):
            return
        method = request.method
        if method == "REGISTER":
            self._register(request, source)
        elif method == "INVITE":
            self._invite(request, source)
        elif method in ("BYE", "CANCEL"):
            self._over(request, source)
        elif method == "SUBSCRIBE":
            self._subscribe(request, source)
        else:
            self._answer(request, source, 202 if method == "REFER" else 200)

    def _refused(self, request: Message, source: Endpoint) -> bool:
        """Whether a fault has the say about this request."""
        fault = self.fault("unavailable")
        if fault is not None and request.method != "CANCEL":
            after = "" if fault.retry_after is None else f"Retry-After: {fault.retry_after}\r\n"
            self._answer(request, source, 503, headers=after)
            return True
        if request.method == "INVITE" and self.fault("no-calls"):
            return True
        if request.method == "REGISTER" and self.fault("forbids"):
            self._answer(request, source, 403)
            return True
        return False

    def _nonce(self) -> str:
        life = self.plan.nonce_life
        return self.name + ("0" if life == NEVER else str(int(self.clock.now // life)))

    def _challenged(self, request: Message, source: Endpoint) -> bool:
        """Whether the request must come again with credentials."""
        asked = {"none": (), "register": ("REGISTER",), "all": ("REGISTER", "INVITE", "SUBSCRIBE")}
        if request.method not in asked[self.plan.challenge]:
            return False
        given, nonce = nonce_of(request.headers), self._nonce()
        if given == nonce:
            return False
        status = 401 if request.method == "REGISTER" else 407
        self._answer(request, source, status, headers=challenge(nonce, status, given is not None))
        return True

    # -- registrar

    def _register(self, request: Message, source: Endpoint) -> None:
        user = request.sender.partition(":")[2].partition("@")[0]
        bindings = self._bindings.setdefault(user, {})
        now, asked = self.clock.now, request.expires if request.expires is not None else 3600
        granted = min(asked, self.plan.expires)
        if self.fault("grants-nothing"):
            granted = 0
        if granted:
            bindings[request.contact] = Binding(request.contact, source, request.transport, now, now + granted)
        else:
            bindings.pop(request.contact, None)
        for gone in [contact for contact, binding in bindings.items() if binding.until <= now]:
            del bindings[gone]
        contact = f"{request.contact};expires={granted}" if granted or asked else ""
        if self.fault("no-contact"):
            contact = ""
        others = [f"<sip:{user}@192.0.2.{number}>;expires=1800" for number in range(10, 10 + self.plan.contacts)]
        self._answer(request, source, 200, contact=", ".join([*others, contact] if contact else others))

    def newest(self, user: str) -> Binding | None:
        """The live binding of a user that is the youngest here."""
        live = [binding for binding in self._bindings.get(user, {}).values() if binding.until > self.clock.now]
        return max(live, key=lambda binding: binding.granted, default=None)

    # -- calls from phones

    def _invite(self, request: Message, source: Endpoint) -> None:
        if request.to_tag:
            known = request.call_id in self._dialogs
            self._answer(request, source, 200 if known else 481, contact=self._contact(request.user),
                         body=sdp(self.place) if known else "")
            return
        self._send(source, reply(request, 100))
        if request.user == BUSY:
            self._answer(request, source, 486)
            return
        dialog = FarDialog(request, source, self._tag(request), Inbox(self.clock), ours=False)
        self._dialogs[request.call_id] = dialog
        self.clock.begin(self._answer_call(dialog))

    def _contact(self, user: str) -> str:
        return f"<sip:{user}@{host(self.place)}>"

    def _answer_call(self, dialog: FarDialog) -> Steps[None]:
        """180, 200 until the ACK, then until somebody hangs up."""
        request, place = dialog.invite, dialog.place
        yield 0.12
        self._answer(request, place, 180, contact=self._contact(request.user))
        patience = 120.0 if request.user == RINGS_ON else 0.8 + 2.0 * self._random.random()
        ended = yield (dialog.inbox, patience)
        if ended is not None:
            self._answer(request, place, 487)
            del self._dialogs[request.call_id]
            return
        for wait in RESENT:
            self._answer(request, place, 200, contact=self._contact(request.user), body=sdp(self.place))
            heard = yield (dialog.inbox, wait)
            if heard is not None:
                break
        else:
            del self._dialogs[request.call_id]
            return
        if heard.method == "ACK":
            seconds = hangs_up_after(request.user) or 7200.0
            until = self.clock.now + seconds
            while (heard := (yield (dialog.inbox, until - self.clock.now))) is not None and heard.method == "ACK":
                pass
            if heard is None:
                yield from self._hang_up(dialog)
        self._dialogs.pop(request.call_id, None)

    def _hang_up(self, dialog: FarDialog) -> Steps[None]:
        """BYE to the phone, sent until it answers."""
        invite = dialog.invite
        dialog.cseq += 1
        swapped = (invite.callee, invite.sender, dialog.tag, invite.from_tag)
        if dialog.ours:
            swapped = (invite.sender, invite.callee, invite.from_tag, dialog.tag)
        bye = Message(
            "BYE", invite.call_id, dialog.cseq, self._branch(), host(self.place), swapped[0], swapped[1],
            swapped[2], swapped[3], uri=self._uri(dialog), transport=invite.transport,
        )
        yield from self._ask(dialog.place, bye)

    def _uri(self, dialog: FarDialog) -> str:
        return dialog.invite.uri if dialog.ours else dialog.invite.contact.strip("<>")

    def _branch(self) -> str:
        self._count += 1
        return f"z9hG4bK{self.name}{self._count}"

    def _ask(self, place: Endpoint, request: Message) -> Steps[Message | None]:
        """A request to a phone and its final response, None when none came."""
        inbox = self._waiting[request.branch] = Inbox(self.clock)
        try:
            for wait in RESENT:
                self._send(place, request)
                response: Message | None = yield (inbox, wait)
                while response is not None and response.status < 200:
                    response = yield (inbox, 120.0)
                if response is not None:
                    return response
            return None
        finally:
            del self._waiting[request.branch]

    def _hear(self, request: Message) -> None:
        dialog = self._dialogs.get(request.call_id)
        if dialog is not None:
            dialog.inbox.put(request)

    def _over(self, request: Message, source: Endpoint) -> None:
        known = request.call_id in self._dialogs
        self._answer(request, source, 200 if known else 481)
        self._hear(request)

    # -- calls to phones

    def ring(self, user: str, seconds: float) -> bool:
        """A call for a user comes in here; False when nobody is registered."""
        binding = self.newest(user)
        if binding is None or self.fault(*MUTE, "unreachable"):
            return False
        self.clock.begin(self._call_out(user, binding, seconds))
        return True

    def _call_out(self, user: str, binding: Binding, seconds: float) -> Steps[None]:
        self._count += 1
        call_id = f"in{self._count}-{user}@{self.place[0]}"
        caller = f"sip:2000@{self.domain}"
        invite = Message(
            "INVITE", call_id, 1, self._branch(), host(self.place), caller, f"sip:{user}@{self.domain}",
            f"c{self._count}", uri=binding.contact.strip("<>"), contact=self._contact("2000"), body=sdp(self.place),
            transport=binding.transport,
        )
        response = yield from self._ask(binding.place, invite)
        if response is None:
            return
        dialog = FarDialog(invite, binding.place, response.to_tag, Inbox(self.clock), ours=True)
        self._dialogs[call_id] = dialog
        taken = response.status < 300
        self._send(binding.place, Message(
            "ACK", call_id, 1, self._branch() if taken else invite.branch, host(self.place), caller, invite.callee,
            invite.from_tag, response.to_tag, uri=invite.uri, transport=binding.transport,
        ))
        if taken and (yield (dialog.inbox, seconds)) is None:
            yield from self._hang_up(dialog)
        del self._dialogs[call_id]

    # -- the rest

    def _subscribe(self, request: Message, source: Endpoint) -> None:
        """202, and a NOTIFY of the state; within the life of a subscription only the answer."""
        seconds = min(request.expires or 0, 3600)
        self._answer(request, source, 202, contact=self._contact(request.user), expires=seconds)
        self.clock.begin(self._notify(request, source, seconds))

    def _notify(self, request: Message, source: Endpoint, seconds: int) -> Steps[None]:
        yield 0.05
        notify = Message(
            "NOTIFY", request.call_id, request.cseq + 1000, self._branch(), host(self.place), request.callee,
            request.sender, request.to_tag or self._tag(request), request.from_tag,
            uri=request.contact.strip("<>"), contact=self._contact(request.user),
            headers=f"Event: message-summary\r\nSubscription-State: active;expires={seconds}\r\n",
            transport=request.transport,
        )
        yield from self._ask(source, notify)

    def ping(self) -> Steps[None]:
        """OPTIONS to every phone that is registered here, over and over."""
        while True:
            yield self.plan.options_every
            for user in list(self._bindings):
                binding = self.newest(user)
                if binding is not None:
                    self._count += 1
                    request = Message(
                        "OPTIONS", f"o{self._count}@{self.place[0]}", 1, self._branch(), host(self.place),
                        f"sip:ping@{self.domain}", f"sip:{user}@{self.domain}", f"o{self._count}",
                        uri=binding.contact.strip("<>"), transport=binding.transport,
                    )
                    self.clock.begin(self._ask(binding.place, request))
