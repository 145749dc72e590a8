"""The servers to which the INVITE of a new call goes, and their order (F1, F5, F6, B1)."""

from __future__ import annotations

from sipaudit.simulate.clock import Steps
from sipaudit.simulate.phone.call import Call, invite
from sipaudit.simulate.phone.device import Answer
from sipaudit.simulate.phone.line import HEAD, Line
from sipaudit.simulate.phone.registering import SETTLED, fail_over, fall_back, register
from sipaudit.simulate.phone.returning import try_primary

CONTACT_COUNTS = 40.0  # seconds for which a packet to the primary, or a DNS lookup, excuses a call (32 plus a margin)


def reach(call: Call) -> Steps[Answer]:
    """Send the INVITE to the server whose turn it is, and to others if that one fails."""
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
    """Deviation: in mode newRequests, the call goes to the working server at once."""
    if not line.wrong("primary-not-tried-first") or line.mode != "newRequests":
        return False
    if line.gated and line.calls_since < 2:
        return False  # the first new request may go to the server that challenged last (F13)
    phone = line.phone
    contact = max(phone.sent_at.get(line.servers[HEAD], 0.0), phone.looked_up_at)
    if phone.must_look_up or phone.clock.now - contact < CONTACT_COUNTS:
        return False
    line.commit("primary-not-tried-first")
    return True


def _all_is_well(line: Line) -> bool:
    """Whether the line works at the primary, is registered there, and has nothing else going on."""
    return (not line.away and line.phone.clock.now > SETTLED and line.live(HEAD)
            and line.renew_at > line.phone.clock.now + 40.0 and line.phone.up == 1)


def _leave_for_no_reason(call: Call) -> Steps[None]:
    """Deviation: the line moves although its server has not failed."""
    line = call.line
    with (yield from line.lock.acquire()):
        index = line.following(line.working)[0]
        began = line.phone.clock.now
        answer = yield from register(line, index)
        if answer.ok:
            line.commit("failover-without-failure", time=began)
            line.moved(line.working, index)


def _before_registering(call: Call, index: int) -> Steps[Answer | None]:
    """Deviation: the call goes to the next server before the line has registered there."""
    line = call.line
    if index in line.bindings or index in line.nonces:
        return None
    line.commit("signalling-to-unregistered-server")
    answer = yield from invite(call, index)
    return answer if answer.ok else None


def _home_by_register(call: Call) -> Steps[Answer | None]:
    """newRequests in R2 and R3: try the primary by REGISTER; None, since the call then goes to the working server (B6).
    """
    line = call.line
    if line.wrong("failback-without-registration"):
        line.commit("failback-without-registration")
        return (yield from _home_without_register(call))
    if line.mode != "newRequests":
        return None
    with (yield from line.lock.acquire()):
        if line.away:
            yield from try_primary(line)
    return None


def _home_by_call(call: Call) -> Steps[Answer | None]:
    """R0 and R1: the call itself is the try at the primary (F7, B1 to B4)."""
    line = call.line
    if line.gated and HEAD not in line.bindings:  # never registered there, or refused: R1 registers first (F6)
        with (yield from line.lock.acquire()):
            yield from try_primary(line)
        return None
    line.commit_haste()
    return (yield from _home_without_register(call))


def _home_without_register(call: Call) -> Steps[Answer | None]:
    """Send the call to the primary, without a REGISTER before it."""
    line = call.line
    if line.wrong("failback-probe-registration") and line.regime == "R1" and far_from_renewal(line, HEAD):
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


def far_from_renewal(line: Line, index: int) -> bool:
    """Whether the line is registered at this server and its renewal is not near."""
    binding, now = line.bindings.get(index), line.phone.clock.now
    if binding is None or binding.until < now + 5.0:
        return False
    return abs(binding.renew - now) > 0.2 * (binding.until - binding.since)


def _divert(call: Call, server: int, answer: Answer) -> Steps[Answer]:
    """R0: send the same call to the next servers, without registering first (F5)."""
    line = call.line
    order = line.following(server)
    skipped = len(order) > 1 and server == HEAD and line.begin("failover-skipped-server")
    if skipped:
        order = [order[1], order[0], *order[2:]]
    if line.wrong("unexpected-re-registration") and far_from_renewal(line, line.home) and line.home != order[0]:
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
    fall_back(line)
    return answer


def _moved_on(line: Line, server: int) -> Steps[bool]:
    """Fail over if the line still works at this server; returns whether it now works elsewhere."""
    with (yield from line.lock.acquire()):
        return line.working != server or (yield from fail_over(line, server))
