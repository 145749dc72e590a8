"""Registrations: at the start, at their renewal, and at another server when one fails."""

from __future__ import annotations

from sipaudit.simulate.clock import NEVER, Steps
from sipaudit.simulate.digest import credentials, nonce_of
from sipaudit.simulate.message import Message
from sipaudit.simulate.phone.device import Answer
from sipaudit.simulate.phone.line import HEAD, Binding, Line

MOST_CHALLENGES = 3
IDLE_CHECK = 1.0  # seconds: the EA has a busy phone look again every second (B5)


def register(line: Line, index: int, expires: int | None = None) -> Steps[Answer]:
    """A REGISTER to a server of the list, challenged as often as it takes. `ok` only when it is granted some time."""
    phone, server = line.phone, line.servers[index]
    asked = line.settings.expires if expires is None else expires
    answer = Answer(cause="timeout")
    for _ in range(MOST_CHALLENGES):
        request = _register_request(line, index, asked)
        answer = yield from phone.ask(server, request, last=index == len(line.servers) - 1)
        response = answer.message
        if answer.status in (401, 407) and response is not None:
            line.nonces[index] = nonce_of(response.headers) or ""
        elif answer.status == 423 and response is not None:
            asked = int(response.headers.partition("Min-Expires:")[2].split()[0])
        else:
            break
    if answer.ok and answer.message is not None and asked:
        granted = _granted(line, answer.message, asked)
        if not granted:
            line.truth("registration-without-expiry")
            return Answer(answer.status, answer.message, "refused")
        _note(line, index, granted)
    return answer


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
    renewal = _renewal(granted, overlap)
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
    for index in line.following(old):
        answer = yield from register(line, index)
        if answer.ok and not answer.cause:
            if old == line.working or line.gated:
                line.moved(old, index)
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
                return
            if line.fails(answer) and (yield from fail_over(line, HEAD)):
                return
        finally:
            line.lock.release()
        yield retry(line)


def _try_at(line: Line) -> float:
    """When a try by REGISTER is due; R0 and R1 try with a call instead (B5)."""
    return line.due if line.invalidates and line.mode in ("duration", "DNSTTL") else NEVER


def come_home(line: Line) -> Steps[None]:
    """A due try at the primary, once the phone is idle (B5, B6)."""
    phone = line.phone
    if phone.up:
        yield IDLE_CHECK
        return
    yield from line.lock.acquire()
    try:
        if line.away and _try_at(line) <= phone.clock.now:
            yield from try_primary(line)
    finally:
        line.lock.release()


def try_primary(line: Line) -> Steps[bool]:
    """REGISTER to the primary; the caller holds the lock. After a failed try the line goes on where it is (F11)."""
    answer = yield from register(line, HEAD)
    if answer.ok and not answer.cause:
        line.returned()
        _keep_time(line)
        return True
    line.try_failed()
    return False


def _renew(line: Line) -> Steps[None]:
    yield from line.lock.acquire()
    try:
        if line.renew_at > line.phone.clock.now:
            return  # a failover has renewed it meanwhile
        if line.mode == "registration" and line.away and (yield from _renewed_at_primary(line)):
            return
        index = line.working
        if not line.gated and line.phone.habits.renews == "home" and line.live(line.home):
            index = line.home
        answer = yield from register(line, index)
        if answer.ok and not answer.cause:
            return
        if line.fails(answer) and (yield from fail_over(line, index)):
            return
        line.renew_at = line.phone.clock.now + retry(line)
    finally:
        line.lock.release()


def _renewed_at_primary(line: Line) -> Steps[bool]:
    """Mode registration: the renewal goes to the primary (B3); in R0 and R1 it may as well stay where it is."""
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
    """The user logs out: the binding at the working server is removed."""
    line.renew_at = line.due = NEVER
    yield from register(line, line.working, expires=0)
