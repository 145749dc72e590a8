"""An outgoing call: whether the phone makes it, and the course of its dialog."""

from __future__ import annotations

from sipaudit.simulate.clock import NEVER, Steps
from sipaudit.simulate.message import Message
from sipaudit.simulate.phone.call import Call, invite
from sipaudit.simulate.phone.device import Talk
from sipaudit.simulate.phone.line import Line
from sipaudit.simulate.phone.reaching import reach
from sipaudit.simulate.plan.values import Calls
from sipaudit.simulate.wire.media import Stream, sdp

LONG_EXPIRED = 40.0  # seconds since the last binding ended; the auditor tolerates 32
LONG_BEFORE = 45.0   # seconds before a move since when a call must have been up to get no grace period


def place_call(line: Line, plan: Calls) -> Steps[None]:
    """Make a call, from its first INVITE to its end; the phone counts as busy throughout."""
    phone, line = line.phone, line.acting
    if plan.kind == "emergency":
        yield from _call_for_help(line, plan)
        return
    if line.hesitates() or line.out:
        return
    forgot = line.wrong("signalling-after-expiry") and _long_expired(line)
    if line.invalidates and not line.live(line.working) and not forgot:
        return  # no call while the line is registered nowhere
    _commit_by_calling(line, forgot)
    call = Call(line, plan)
    try:
        answer = yield from reach(call)
        if answer.ok and answer.message is not None:
            yield from talk(call, answer.message)
    finally:
        phone.free(call.call_id)
        if forgot:
            line.renew_at = phone.clock.now
            line.woken()


def _call_for_help(line: Line, plan: Calls) -> Steps[None]:
    """Make an emergency call through any server that takes it, registered there or not; the line does not move."""
    call = Call(line, plan)
    order = list(range(len(line.servers)))
    line.phone.chance.shuffle(order)
    try:
        for index in order:
            answer = yield from invite(call, index)
            if answer.ok and answer.message is not None:
                yield from talk(call, answer.message)
            if not line.fails(answer):
                return
    finally:
        line.phone.free(call.call_id)


def _long_expired(line: Line) -> bool:
    """Whether the line's last binding ended long ago and no renewal is scheduled."""
    now = line.phone.clock.now
    return line.renew_at == NEVER and bool(line.bindings) and all(
        binding.until < now - LONG_EXPIRED for binding in line.bindings.values())


def _commit_by_calling(line: Line, forgot: bool) -> None:
    """Commit the deviations that this call shows by the server it goes to."""
    if forgot:
        line.commit("signalling-after-expiry")
    if line.away and line.mode != "registration" and line.neglects():
        line.commit_neglect()
        line.woken()


def talk(call: Call, response: Message) -> Steps[None]:
    """Run an answered call until either side hangs up."""
    line, plan = call.line, call.plan
    phone = line.phone
    phone.talks[call.call_id] = Talk(phone.clock.now, phone.clock.now + plan.seconds, call.index)
    call.to_tag = response.to_tag
    call.target = response.target
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
    """Deviation: a call through a failed server is ended there with a BYE."""
    line = call.line
    if not line.wrong("signalling-to-failed-server") or line.failed_tries:
        return False
    if line.phone.talks[call.call_id].since > line.moved_at - LONG_BEFORE:
        return False  # allowed for a while: the call was being set up when the line moved
    line.commit("signalling-to-failed-server")
    return True


def _media(call: Call) -> Stream:
    phone = call.line.phone
    server = call.line.servers[call.index]
    stream = Stream(phone.clock, phone.network.tap, phone.wire, server, phone.mac, phone.number)
    phone.do(stream.play())
    return stream


def _listen(call: Call, seconds: float) -> Steps[bool]:
    """Wait; returns whether the far end has hung up meanwhile. A retransmitted 200 is acknowledged again."""
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
    """Hold or resume the call, or transfer it; False if the call ended instead."""
    line = call.line
    phone, server = line.phone, line.servers[call.index]
    if line.shuns(call.index):
        return False  # the phone drops the call without a message (F9)
    if call.plan.kind == "transfer":
        refer = call.request("REFER", headers=f"Refer-To: <sip:2001@{line.domain}>\r\n")
        yield from phone.ask(server, refer, last=True)
        return True
    request = call.invite = call.request("INVITE", sdp(phone.place, "sendonly" if part == 0 else "sendrecv"))
    answer = yield from phone.ask(server, request, last=True)
    if answer.message is not None:
        phone.acknowledge(server, request, answer.message)
    return True
