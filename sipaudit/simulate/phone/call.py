"""The phone's side of one call, and its INVITE to one server."""

from __future__ import annotations

from sipaudit.simulate.clock import Inbox, Steps
from sipaudit.simulate.digest import credentials, nonce_of
from sipaudit.simulate.message import Message, host
from sipaudit.simulate.numbers import BUSY, EMERGENCY, RINGS_ON, that_hangs_up_after
from sipaudit.simulate.phone.device import RINGING, Answer
from sipaudit.simulate.phone.line import HEAD, Line
from sipaudit.simulate.plan.values import Calls
from sipaudit.simulate.wire.media import sdp

CANCELS_AFTER = 4.0
MOVED = 302


class Call:
    """One call of a line: the phone's side of the dialog. `index` is the server that the call runs through."""

    def __init__(self, line: Line, plan: Calls) -> None:
        self.line = line
        self.plan = plan
        numbers = {"busy": BUSY, "cancel": RINGS_ON, "emergency": EMERGENCY,
                   "far-end": that_hangs_up_after(plan.seconds)}
        number = numbers.get(
            plan.kind, plan.number or str(2000 + line.phone.chance.randrange(400)))
        self.callee = f"sip:{number}@{line.domain}"
        self.call_id = line.phone.call_id("call")
        self.tag = line.phone.name("t")
        self.cseq = 0
        self.to_tag = ""
        self.target = self.callee
        self.index = HEAD
        self.inbox: Inbox = line.phone.busy(self.call_id)
        self.invite: Message | None = None

    def request(self, method: str, body: str = "", headers: str = "") -> Message:
        """The next request of the dialog, or the request that opens it."""
        self.cseq += 1
        return self.line.request(method, self.call_id, self.cseq, self.target, self.callee, self.tag, body=body,
                                 headers=headers, to_tag=self.to_tag)


def invite(call: Call, index: int) -> Steps[Answer]:
    """Send the INVITE to one server, and if that redirects, to the server it names; this is no failover (F4)."""
    answer = yield from _invite_at(call, index)
    if answer.status == MOVED and answer.message is not None:
        there = next((other for other, place in enumerate(call.line.servers)
                      if host(place) == answer.message.target.partition("@")[2]), None)
        if there is not None:
            answer = yield from _invite_at(call, there)
    return answer


def _invite_at(call: Call, index: int) -> Steps[Answer]:
    """Send the INVITE to one server, answering one challenge; the final response is acknowledged."""
    line = call.line
    phone, server = line.phone, line.servers[index]
    call.index = index
    headers = ""
    answer = Answer(cause="timeout")
    yield from phone.resolve()
    patience = CANCELS_AFTER if call.plan.kind == "cancel" else RINGING
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
