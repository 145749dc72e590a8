"""Registrations: at the start, at their renewal, and at another server when one fails."""

from __future__ import annotations

from sipaudit.simulate.clock import NEVER, Steps
from sipaudit.simulate.digest import credentials, nonce_of
from sipaudit.simulate.message import Message
from sipaudit.simulate.phone.device import Answer
from sipaudit.simulate.phone.line import HEAD, Binding, Line

MOST_CHALLENGES = 3
TOO_OFTEN = 5
SURELY_UP = 4.0  # seconds
SETTLED = 150.0  # seconds after which a deviation that needs no fault of a server may be committed
STAYS = 42.0    # seconds: longer than any F2 lets a request run
IDLE_CHECK = 1.0  # seconds: the EA has a busy phone look again every second (B5)


def register(line: Line, index: int, expires: int | None = None) -> Steps[Answer]:
    """A REGISTER to a server of the list, challenged as often as it takes. `ok` only when it is granted some time."""
    phone, server = line.phone, line.servers[index]
    if line.out and expires != 0:
        return Answer(cause="abandoned")
    asked = line.settings.expires if expires is None else expires
    answer = Answer(cause="timeout")
    yield from phone.resolve()
    for _ in range(MOST_CHALLENGES):
        request = _register_request(line, index, asked)
        answer = yield from phone.ask(server, request, last=index == len(line.servers) - 1)
        response = answer.message
        if answer.status in (401, 407) and response is not None:
            line.nonces[index] = nonce_of(response.headers) or ""
            if line.wrong("credentials-to-wrong-server") and phone.clock.now > SETTLED and index == line.working:
                yield from _credentials_astray(line, index, asked)
        elif answer.status == 423 and response is not None:
            asked = int(response.headers.partition("Min-Expires:")[2].split()[0])
        else:
            break
    if answer.ok and answer.message is not None and asked:
        granted = _granted(line, answer.message, asked)
        if not granted:
            line.truth("registration-without-expiry", maybe=line.granted_nothing)
            line.granted_nothing = True  # one fault until it is registered anew
            line.bindings.pop(index, None)
            return Answer(answer.status, answer.message, "refused")
        _note(line, index, granted)
    return answer


def _credentials_astray(line: Line, index: int, asked: int) -> Steps[None]:
    """Deviation: what one server's challenge asks for goes to another one."""
    astray = line.following(index)[0]
    line.commit("credentials-to-wrong-server")
    yield from line.phone.ask(line.servers[astray], _register_request(line, index, asked), last=True)


def _register_request(line: Line, index: int, asked: int) -> Message:
    call_id = line.call_id
    if line.phone.habits.new_call_id and index != HEAD:
        call_id = f"{index}{line.call_id}"
    cseq = line.cseqs[call_id] = line.cseqs.get(call_id, 0) + 1
    uri = f"sip:{line.domain}"
    nonce = line.nonces.get(index)
    headers = credentials(line.user, "REGISTER", uri, nonce) if nonce else ""
    return line.request("REGISTER", call_id, cseq, uri, line.aor, f"r{line.user}", expires=asked, headers=headers)


def _granted(line: Line, response: Message, asked: int) -> int:
    """The expiry of the own Contact, else of the Expires header, else what was asked for (F6)."""
    _, own, rest = response.contact.partition(line.contact)
    if own and rest.startswith(";expires="):
        return int(rest[len(";expires="):].partition(",")[0].partition(";")[0])
    return asked if response.expires is None else response.expires


def _note(line: Line, index: int, granted: int) -> None:
    now, overlap = line.phone.clock.now, line.settings.expires_overlap
    renewal = granted / 2 if line.phone.habits.half_renewal else _renewal(granted, overlap)
    line.granted_nothing = line.granted_nothing and line.live(index)
    line.bindings[index] = Binding(now, now + granted, now + renewal)
    line.home = index
    if index == line.working or not line.gated:
        line.renew_at = now + renewal


def _renewal(granted: int, overlap: int) -> float:
    """Seconds after which a binding is renewed; when both are equal any time in the first half will do."""
    if granted > overlap:
        return float(granted - overlap)
    return granted / 2 if granted < overlap else granted / 4


def retry(line: Line) -> float:
    """Seconds before the next attempt after a refused or failed registration (RFC 5626 4.5)."""
    longest = min(line.settings.registerRetry_maxTimeOut, line.settings.registerRetry_baseTimeOut)
    return longest * (0.5 + 0.5 * line.phone.chance.random())


def fail_over(line: Line, old: int) -> Steps[bool]:
    """Register at the next server that lets the line (F1, F6); the caller holds the line's lock."""
    order = line.following(old)
    skipped = line.wrong("failover-skipped-server") and len(order) > 1 and old == HEAD and order[1] not in line.nonces
    if skipped:
        order = [order[1], order[0], *order[2:]]
    removed_at = line.phone.clock.now
    removes = line.gated and line.wrong("deregistration-at-failover") and line.live(old)
    if removes:
        line.phone.do(register(line, old, expires=0))
        yield 0.01
    for index in order:
        began, sure = line.phone.clock.now, line.gated and not line.live(index)
        answer = yield from register(line, index)
        if answer.ok and not answer.cause:
            if old == line.working or line.gated:
                if skipped and index == order[0]:
                    line.commit("failover-skipped-server", time=began)
                if removes:
                    line.commit("deregistration-at-failover", time=removed_at)
                line.moved(old, index, sure=sure)
                _keep_time(line)
            return True
    return False


def _keep_time(line: Line) -> None:
    """The next renewal is that of the working server's binding."""
    binding = line.bindings.get(line.working)
    line.renew_at = line.phone.clock.now if binding is None else binding.renew


def attend(line: Line) -> Steps[None]:
    """The life of a registration: found at the start, renewed, and brought home when the mode says so."""
    phone = line.phone
    yield from _begin(line)
    while True:
        try_at = _try_at(line)
        yield from _until(line, min(line.renew_at, try_at, _old_binding(line)))
        now = phone.clock.now
        if _try_at(line) <= now and line.away:
            yield from come_home(line)
        elif line.renew_at <= now:
            yield from _renew(line)
        elif _old_binding(line) <= now:
            yield from _refresh_old(line)


def _until(line: Line, time: float) -> Steps[None]:
    """Wait for a moment, or until the line's times have changed."""
    left = time - line.phone.clock.now
    if left > 0:
        yield (line.wake, left)


def _begin(line: Line) -> Steps[None]:
    """The first registration, at whichever server lets the line."""
    while True:
        yield from line.lock.acquire()
        try:
            answer = yield from register(line, HEAD)
            if answer.ok and not answer.cause:
                line.began()
                return
            if line.fails(answer) and (yield from fail_over(line, HEAD)):
                return
        finally:
            line.lock.release()
        yield retry(line)


def _try_at(line: Line) -> float:
    """When a try by REGISTER is due; R0 and R1 try with a call instead (B5)."""
    if not line.invalidates or not (line.mode in ("duration", "DNSTTL") or line.hasty):
        return NEVER
    return NEVER if line.wrong("failback-without-registration") else line.due


def come_home(line: Line) -> Steps[None]:
    """A due try at the primary, once the phone is idle (B5, B6)."""
    phone = line.phone
    during = False
    if phone.up:
        during = line.wrong("failback-during-call") and _talks_on(line)
        if not during:
            yield IDLE_CHECK
            return
    yield from line.lock.acquire()
    try:
        if line.away and _try_at(line) <= phone.clock.now:
            if during and _talks_on(line):
                line.commit("failback-during-call")
            yield from try_primary(line)
    finally:
        line.lock.release()


def try_primary(line: Line) -> Steps[bool]:
    """REGISTER to the primary; the caller holds the lock. After a failed try the line goes on where it is (F11)."""
    _commit_by_trying(line)
    answer = yield from register(line, HEAD)
    if answer.ok and not answer.cause:
        line.returned()
        _keep_time(line)
        return True
    line.try_failed()
    if line.working != HEAD and line.working not in line.bindings:
        yield from register(line, line.working)
    return False


def _commit_by_trying(line: Line) -> None:
    """Deviations that this try is, or brings along."""
    now = line.phone.clock.now
    line.commit_haste()
    line.tries = [*(time for time in line.tries if time > now - line.delay), now]
    often = line.wrong("failback-retried-too-often") and len(line.tries) >= TOO_OFTEN
    if often and line.phone.idle_for() > now - line.tries[-TOO_OFTEN]:
        line.commit("failback-retried-too-often", slack=2.0)
    if line.wrong("secondary-abandoned") and line.live(line.working):
        line.phone.do(_abandon(line, line.working))


def _abandon(line: Line, index: int) -> Steps[None]:
    """Deviation: the binding at the working server is removed while the primary is being tried."""
    yield 0.001
    line.commit("secondary-abandoned")
    line.bindings.pop(index, None)
    yield from register(line, index, expires=0)


def _talks_on(line: Line) -> bool:
    """Whether a call of this phone is up beyond doubt, and will be heard of again at a server it has not left."""
    now = line.phone.clock.now
    return any(talk.since < now - SURELY_UP and talk.until > now + SURELY_UP and talk.index == line.working
               for talk in line.phone.talks.values())


def _renew(line: Line) -> Steps[None]:
    yield from line.lock.acquire()
    try:
        if line.renew_at > line.phone.clock.now:
            return  # a failover has renewed it meanwhile
        if line.wrong("signalling-after-expiry") and line.invalidates and line.phone.clock.now > SETTLED:
            line.renew_at = NEVER  # deviation: the renewal is forgotten, until after a call
            return
        if line.mode == "registration" and line.away and (yield from _renewed_at_primary(line)):
            return
        if line.neglects() and line.invalidates:
            line.commit("overdue-failback")
            line.due, line.neglected = line.phone.clock.now + 30.0, NEVER
        index = line.working
        if not line.gated and line.phone.habits.renews == "home" and line.live(line.home):
            index = line.home
        asked = line.phone.clock.now
        answer = yield from register(line, index)
        if answer.ok and not answer.cause:
            return
        if answer.cause == "timeout" and line.wrong("failover-missing"):
            yield from _stay(line, index, asked)
            return
        if line.fails(answer) and (yield from fail_over(line, index)):
            return
        line.renew_at = line.phone.clock.now + retry(line)
    finally:
        line.lock.release()


def _stay(line: Line, index: int, first: float) -> Steps[None]:
    """Deviation: after silence, to a request of the time `first`, the same server is asked again, and no other one; the
    failover comes much later."""
    yield STAYS
    began = line.phone.clock.now
    answer = yield from register(line, index)
    if not answer.cause:
        line.renew_at = line.phone.clock.now + retry(line) if not answer.ok else line.renew_at
        return
    yield began + STAYS * 2 - line.phone.clock.now
    line.commit("failover-missing", time=began)
    line.truth("failover-missing", time=first, maybe=True)  # where the answer to the one before it is not captured
    if not (yield from fail_over(line, index)):
        line.renew_at = line.phone.clock.now + retry(line)


def _renewed_at_primary(line: Line) -> Steps[bool]:
    """Mode registration: the renewal goes to the primary (B3); in R0 and R1 it may as well stay where it is."""
    if line.wrong("overdue-failback") and line.invalidates:
        line.commit("overdue-failback")
        return False
    if not line.invalidates and line.phone.habits.renews == "working":
        line.due = line.phone.clock.now
        return False
    return (yield from try_primary(line))


def _old_binding(line: Line) -> float:
    """R1: when the binding at the primary is renewed while the line works elsewhere, if the phone does so (F7)."""
    binding = line.bindings.get(HEAD)
    if line.regime != "R1" or not line.away or not line.phone.habits.keeps_old or binding is None:
        return NEVER
    return binding.renew


def _refresh_old(line: Line) -> Steps[None]:
    line.bindings[HEAD].renew = NEVER
    renew_at, due = line.renew_at, line.due
    yield from register(line, HEAD)
    line.renew_at, line.due = renew_at, due


def log_out(line: Line) -> Steps[None]:
    """The user logs out: the binding at the working server is removed; what was under way is awaited."""
    yield from line.lock.acquire()
    try:
        line.out = True
        line.renew_at = line.due = NEVER
        yield from register(line, line.working, expires=0)
    finally:
        line.lock.release()
