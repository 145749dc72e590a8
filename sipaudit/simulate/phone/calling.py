"""Calls from the phone: to whom the INVITE goes, and what becomes of the dialog."""

from __future__ import annotations

from sipaudit.simulate.clock import Inbox, Steps
from sipaudit.simulate.digest import credentials, nonce_of
from sipaudit.simulate.message import Message
from sipaudit.simulate.numbers import BUSY, RINGS_ON
from sipaudit.simulate.phone.device import Answer
from sipaudit.simulate.phone.line import HEAD, Line
from sipaudit.simulate.phone.registering import fail_over, try_primary
from sipaudit.simulate.plan.values import Calls
from sipaudit.simulate.wire.media import Stream, sdp

CANCELS_AFTER = 4.0


class Call:
    """One call of a line: its dialog as the phone has it. `index`: the server it lives at."""

    def __init__(self, line: Line, plan: Calls) -> None:
        self.line = line
        self.plan = plan
        number = {"busy": BUSY, "cancel": RINGS_ON, "far-end": f"26{min(999, int(plan.seconds)):03d}"}.get(
            plan.kind, plan.number)
        self.callee = f"sip:{number}@{line.domain}"
        self.call_id = line.phone.name("call") + "@" + line.phone.place[0]
        self.tag = line.phone.name("t")
        self.cseq = 0
        self.to_tag = ""
        self.target = self.callee
        self.index = HEAD
        self.inbox = Inbox(line.phone.clock)
        self.invite: Message | None = None

    def request(self, method: str, body: str = "", headers: str = "") -> Message:
        """The next request of the dialog, or the one that opens it."""
        self.cseq += 1
        return self.line.request(method, self.call_id, self.cseq, self.target, self.callee, self.tag, body=body,
                                 headers=headers, to_tag=self.to_tag)


def place_call(line: Line, plan: Calls) -> Steps[None]:
    """A call from its first INVITE to its end; the phone is busy all the while."""
    phone = line.phone
    if line.invalidates and not line.live(line.working):
        return  # no call while the line is registered nowhere
    call = Call(line, plan)
    phone.up += 1
    phone.dialogs[call.call_id] = call.inbox
    try:
        answer = yield from _reach(call)
        if answer.ok and answer.message is not None:
            yield from talk(call, answer.message)
    finally:
        if not phone.off:
            phone.up -= 1
            phone.dialogs.pop(call.call_id, None)


def _reach(call: Call) -> Steps[Answer]:
    """The INVITE at the server that has its turn, and at others when that one fails."""
    line = call.line
    if line.primary_first():
        answer = yield from (_home_by_register(call) if line.invalidates else _home_by_call(call))
        if answer is not None:
            return answer
    answer = Answer(cause="timeout")
    for _ in line.servers:
        server = line.working
        answer = yield from invite(call, server)
        if not line.fails(answer):
            return answer
        if not line.gated:
            return (yield from _divert(call, server, answer))
        if not (yield from _moved_on(line, server)):
            break
    return answer


def _home_by_register(call: Call) -> Steps[Answer | None]:
    """newRequests in R2 and R3: the primary is asked by REGISTER, then the call goes where the line works (B6)."""
    line = call.line
    if line.mode != "newRequests":
        return None
    yield from line.lock.acquire()
    try:
        if line.away:
            yield from try_primary(line)
    finally:
        line.lock.release()
    return None


def _home_by_call(call: Call) -> Steps[Answer | None]:
    """R0 and R1: the call itself is the try (F7, B1 to B4)."""
    line = call.line
    answer = yield from invite(call, HEAD)
    if line.fails(answer) or answer.cause:
        line.try_failed()
        return None if line.fails(answer) else answer
    if line.away:
        line.returned()
        binding = line.bindings.get(HEAD)
        if line.gated:
            now = line.phone.clock.now
            line.renew_at = binding.renew if binding and binding.renew > now else now + 0.5
    return answer


def _divert(call: Call, server: int, answer: Answer) -> Steps[Answer]:
    """R0: the same call at the next servers, with no registration first (F5)."""
    line = call.line
    for index in line.following(server):
        answer = yield from invite(call, index)
        if not line.fails(answer) and not answer.cause:
            if line.working == server:
                line.moved(server, index)
            return answer
    return answer


def _moved_on(line: Line, server: int) -> Steps[bool]:
    """Whether the line works elsewhere than at this server, after a failover if need be."""
    yield from line.lock.acquire()
    try:
        return line.working != server or (yield from fail_over(line, server))
    finally:
        line.lock.release()


def invite(call: Call, index: int) -> Steps[Answer]:
    """The INVITE at one server, challenged or not; its final answer is acknowledged."""
    line = call.line
    phone, server = line.phone, line.servers[index]
    call.index = index
    headers = ""
    answer = Answer(cause="timeout")
    patience = CANCELS_AFTER if call.plan.kind == "cancel" else 45.0
    for _ in range(2):
        request = call.invite = call.request("INVITE", sdp(phone.place), headers)
        answer = yield from phone.ask(server, request, last=index == len(line.servers) - 1, cancel_after=patience)
        if answer.message is not None:
            phone.acknowledge(server, request, answer.message)
        if answer.status not in (401, 407) or answer.message is None:
            break
        nonce = nonce_of(answer.message.headers) or ""
        headers = credentials(line.user, "INVITE", call.target, nonce, answer.status)
    return answer


def talk(call: Call, response: Message) -> Steps[None]:
    """An answered call until somebody hangs up."""
    line, plan = call.line, call.plan
    phone = line.phone
    call.to_tag = response.to_tag
    call.target = response.contact.strip("<>")
    media = _media(call) if plan.rtp else None
    try:
        thirds = 3 if plan.kind in ("hold", "transfer") else 1
        for part in range(thirds):
            if (yield from _listen(call, plan.seconds / thirds)):
                return
            if part < thirds - 1 and not (yield from _change(call, part)):
                return
        if line.shuns(call.index):
            return  # R2: the call ends with no message (F9)
        yield from phone.ask(line.servers[call.index], call.request("BYE"), last=True)
    finally:
        if media is not None:
            media.running = False


def _media(call: Call) -> Stream:
    phone = call.line.phone
    server = call.line.servers[call.index]
    stream = Stream(phone.clock, phone.network.tap, phone.wire, server, phone.mac, phone.number)
    phone.do(stream.play())
    return stream


def _listen(call: Call, seconds: float) -> Steps[bool]:
    """Wait; whether the far end has hung up meanwhile. A 200 that comes again is acknowledged again."""
    phone = call.line.phone
    until = phone.clock.now + seconds
    while True:
        heard = yield (call.inbox, max(0.0, until - phone.clock.now))
        if heard is None:
            return False
        if heard.status and call.invite is not None:
            phone.acknowledge(call.line.servers[call.index], call.invite, heard)
        elif heard.method == "BYE":
            return True


def _change(call: Call, part: int) -> Steps[bool]:
    """Hold and resume, or a transfer; False when the call is over by that."""
    line = call.line
    phone, server = line.phone, line.servers[call.index]
    if line.shuns(call.index):
        return False  # the call ends at the phone, and no message is sent (F9)
    if call.plan.kind == "transfer":
        refer = call.request("REFER", headers=f"Refer-To: <sip:2001@{line.domain}>\r\n")
        yield from phone.ask(server, refer, last=True)
        return True
    request = call.invite = call.request("INVITE", sdp(phone.place, "sendonly" if part == 0 else "sendrecv"))
    answer = yield from phone.ask(server, request, last=True)
    if answer.message is not None:
        phone.acknowledge(server, request, answer.message)
    return True
