"""Calls from the phone: to whom the INVITE goes, and what becomes of the dialog."""

from __future__ import annotations

from sipaudit.simulate.clock import NEVER, Inbox, Steps
from sipaudit.simulate.digest import credentials, nonce_of
from sipaudit.simulate.message import Message
from sipaudit.simulate.numbers import BUSY, RINGS_ON
from sipaudit.simulate.phone.device import Answer, Talk
from sipaudit.simulate.phone.line import HEAD, Line
from sipaudit.simulate.phone.registering import SETTLED, fail_over, register, try_primary
from sipaudit.simulate.plan.values import Calls
from sipaudit.simulate.wire.media import Stream, sdp

CANCELS_AFTER = 4.0
LONG_EXPIRED = 40.0    # seconds after the end of the last binding; a judge allows 32
CONTACT_COUNTS = 40.0  # seconds for which a packet to the primary excuses a call (32 and some)
LONG_BEFORE = 45.0     # seconds before a move that a call must have been up to have no grace


class Call:
    """One call of a line: its dialog as the phone has it. `index`: the server it lives at."""

    def __init__(self, line: Line, plan: Calls) -> None:
        self.line = line
        self.plan = plan
        number = {"busy": BUSY, "cancel": RINGS_ON, "far-end": f"26{min(999, int(plan.seconds)):03d}"}.get(
            plan.kind, plan.number or str(2000 + line.phone.chance.randrange(400)))
        self.callee = f"sip:{number}@{line.domain}"
        self.call_id = line.phone.name("call") + "@" + line.phone.place[0]
        self.tag = line.phone.name("t")
        self.cseq = 0
        self.to_tag = ""
        self.target = self.callee
        self.index = HEAD
        self.inbox: Inbox = line.phone.busy(self.call_id)
        self.invite: Message | None = None

    def request(self, method: str, body: str = "", headers: str = "") -> Message:
        """The next request of the dialog, or the one that opens it."""
        self.cseq += 1
        return self.line.request(method, self.call_id, self.cseq, self.target, self.callee, self.tag, body=body,
                                 headers=headers, to_tag=self.to_tag)


def place_call(line: Line, plan: Calls) -> Steps[None]:
    """A call from its first INVITE to its end; the phone is busy all the while."""
    phone = line.phone
    if line.hesitates() or line.out:
        return
    forgot = line.wrong("signalling-after-expiry") and _long_expired(line)
    if line.invalidates and not line.live(line.working) and not forgot:
        return  # no call while the line is registered nowhere
    _commit_by_calling(line, forgot)
    call = Call(line, plan)
    try:
        answer = yield from _reach(call)
        if answer.ok and answer.message is not None:
            yield from talk(call, answer.message)
    finally:
        phone.free(call.call_id)
        if forgot:
            line.renew_at = phone.clock.now
            line.woken()


def _long_expired(line: Line) -> bool:
    """Whether the line's last binding ended long ago, and nothing is done about it."""
    now = line.phone.clock.now
    return line.renew_at == NEVER and bool(line.bindings) and all(
        binding.until < now - LONG_EXPIRED for binding in line.bindings.values())


def _commit_by_calling(line: Line, forgot: bool) -> None:
    """Deviations that lie in where this call is going to."""
    if forgot:
        line.commit("signalling-after-expiry")
    if line.away and line.mode != "registration" and line.neglects():
        line.commit("overdue-failback")
        line.due, line.neglected = line.phone.clock.now + 30.0, NEVER
        line.woken()


def _reach(call: Call) -> Steps[Answer]:
    """The INVITE at the server that has its turn, and at others when that one fails."""
    line = call.line
    line.calls_since += 1
    if line.primary_first() and not _passes_over_primary(line):
        answer = yield from (_home_by_register(call) if line.invalidates else _home_by_call(call))
        if answer is not None:
            return answer
    if line.wrong("failover-without-failure") and _all_is_well(line):
        yield from _leave_for_no_reason(call)
    answer = Answer(cause="timeout")
    for _ in line.servers:
        server = line.working
        answer = yield from invite(call, server)
        if not line.fails(answer):
            return answer
        if not line.gated:
            return (yield from _divert(call, server, answer))
        if line.wrong("signalling-to-unregistered-server"):
            early = yield from _before_registering(call, line.following(server)[0])
            if early is not None:
                yield from _moved_on(line, server)
                return early
        if line.wrong("failover-missing") or not (yield from _moved_on(line, server)):
            break
    return answer


def _passes_over_primary(line: Line) -> bool:
    """Deviation: mode newRequests, and the call goes to the working server at once."""
    if not line.wrong("primary-not-tried-first") or line.mode != "newRequests":
        return False
    if line.gated and line.calls_since < 2:
        return False  # the first new request may go to who challenged last (F13)
    silent_for = line.phone.clock.now - line.phone.sent_at.get(line.servers[HEAD], 0.0)
    if silent_for < CONTACT_COUNTS:
        return False
    line.commit("primary-not-tried-first")
    return True


def _all_is_well(line: Line) -> bool:
    """Whether nothing speaks against the working server, which is the primary."""
    return (not line.away and line.phone.clock.now > SETTLED and line.live(HEAD)
            and line.renew_at > line.phone.clock.now + 40.0 and line.phone.up == 1)


def _leave_for_no_reason(call: Call) -> Steps[None]:
    """Deviation: the line moves although its server is well."""
    line = call.line
    yield from line.lock.acquire()
    try:
        index = line.following(line.working)[0]
        began = line.phone.clock.now
        answer = yield from register(line, index)
        if answer.ok and not answer.cause:
            line.commit("failover-without-failure", time=began)
            line.moved(line.working, index)
    finally:
        line.lock.release()


def _before_registering(call: Call, index: int) -> Steps[Answer | None]:
    """Deviation: the call goes to the next server before the line has registered there."""
    line = call.line
    if index in line.bindings or index in line.nonces:
        return None
    line.commit("signalling-to-unregistered-server")
    answer = yield from invite(call, index)
    return answer if answer.ok else None


def _home_by_register(call: Call) -> Steps[Answer | None]:
    """newRequests in R2 and R3: the primary is asked by REGISTER, then the call goes where the line works (B6)."""
    line = call.line
    if line.wrong("failback-without-registration"):
        line.commit("failback-without-registration")
        return (yield from _home_without_register(call))
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
    if line.gated and HEAD not in line.bindings:  # never registered there, or refused: R1 registers first (F6)
        yield from line.lock.acquire()
        try:
            yield from try_primary(line)
        finally:
            line.lock.release()
        return None
    line.commit_haste()
    return (yield from _home_without_register(call))


def _home_without_register(call: Call) -> Steps[Answer | None]:
    """The call to the primary, with no REGISTER before it."""
    line = call.line
    if line.wrong("failback-probe-registration") and line.regime == "R1" and _far_from_renewal(line, HEAD):
        line.commit("failback-probe-registration")
        yield from register(line, HEAD)
    answer = yield from invite(call, HEAD)
    if line.fails(answer) or answer.cause:
        line.try_failed()
        return None if line.fails(answer) else answer
    if line.away:
        line.returned(by_call=answer.ok)
        binding = line.bindings.get(HEAD)
        if line.gated:
            now = line.phone.clock.now
            line.renew_at = binding.renew if binding and binding.renew > now else now + 0.5
    return answer


def _far_from_renewal(line: Line, index: int) -> bool:
    """Whether the line is registered there, and not about to renew."""
    binding, now = line.bindings.get(index), line.phone.clock.now
    if binding is None or binding.until < now + 5.0:
        return False
    return abs(binding.renew - now) > 0.2 * (binding.until - binding.since)


def _divert(call: Call, server: int, answer: Answer) -> Steps[Answer]:
    """R0: the same call at the next servers, with no registration first (F5)."""
    line = call.line
    order = line.following(server)
    skipped = line.wrong("failover-skipped-server") and len(order) > 1 and server == HEAD
    if skipped:
        order = [order[1], order[0], *order[2:]]
    if line.wrong("unexpected-re-registration") and _far_from_renewal(line, line.home) and line.home != order[0]:
        line.commit("unexpected-re-registration")
        yield from register(line, order[0])
    for index in order:
        began = line.phone.clock.now
        answer = yield from invite(call, index)
        if skipped and index == order[0] and not line.fails(answer):
            line.commit("failover-skipped-server", time=began)
        if not line.fails(answer) and not answer.cause:
            if line.working == server:
                line.moved(server, index, sure=answer.ok)
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
    yield from phone.resolve()
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
    phone.talks[call.call_id] = Talk(phone.clock.now, phone.clock.now + plan.seconds, call.index)
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
        if line.shuns(call.index) and not _speaks_to_failed(call):
            return  # R2: the call ends with no message (F9)
        yield from phone.ask(line.servers[call.index], call.request("BYE"), last=True)
    finally:
        if media is not None:
            media.running = False


def _speaks_to_failed(call: Call) -> bool:
    """Deviation: the call that lives at a failed server is ended there by BYE."""
    line = call.line
    if not line.wrong("signalling-to-failed-server") or line.failed_tries:
        return False
    if line.phone.talks[call.call_id].since > line.moved_at - LONG_BEFORE:
        return False  # by right, for a while: the call was being set up when the line moved
    line.commit("signalling-to-failed-server")
    return True


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
