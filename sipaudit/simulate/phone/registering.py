"""Registrations: how they are requested, what they grant, and how the next server is chosen when one fails."""

from __future__ import annotations

from sipaudit.simulate.clock import Steps
from sipaudit.simulate.digest import credentials, nonce_of
from sipaudit.simulate.message import Message
from sipaudit.simulate.phone.device import Answer
from sipaudit.simulate.phone.line import HEAD, Binding, Line

MOST_CHALLENGES = 3
SETTLED = 150.0  # seconds from which on deviations that need no server fault may be committed


def register(line: Line, index: int, expires: int | None = None) -> Steps[Answer]:
    """Send a REGISTER to a server of the list, answering challenges (MOST_CHALLENGES requests in all). The answer is
    `ok` only if the server grants an expiry above 0, or the request was a removal."""
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
        if answer.status not in (401, 407) or response is None:
            break
        line.nonces[index] = nonce_of(response.headers) or ""
        if line.wrong("credentials-to-wrong-server") and phone.clock.now > SETTLED and index == line.working:
            yield from _credentials_astray(line, index, asked)
    if answer.ok and answer.message is not None and asked:
        granted = _granted(line, answer.message, asked)
        if not granted:
            line.truth("registration-without-expiry", maybe=line.granted_nothing)
            line.granted_nothing = True  # counts as one fault until the line is registered again
            line.bindings.pop(index, None)
            return Answer(answer.status, answer.message, "refused")
        _note(line, index, granted)
    return answer


def _credentials_astray(line: Line, index: int, asked: int) -> Steps[None]:
    """Deviation: the credentials for one server's challenge go to another server."""
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
    """Granted seconds: from the own Contact, else from the Expires header, else those requested (F6)."""
    _, own, rest = response.contact.partition(line.contact)
    if own and rest.startswith(";expires="):
        return int(rest[len(";expires="):].partition(",")[0].partition(";")[0])
    return asked if response.expires is None else response.expires


def _note(line: Line, index: int, granted: int) -> None:
    now, overlap = line.phone.clock.now, line.settings.expires_overlap
    renewal = granted / 2 if line.phone.habits.half_renewal else _renewal(granted, overlap)
    line.granted_nothing = line.granted_nothing and line.live(index)
    line.down = False
    line.bindings[index] = Binding(now, now + granted, now + renewal)
    line.home = index
    if index == line.working or not line.gated:
        line.renew_at = now + renewal


def _renewal(granted: int, overlap: int) -> float:
    """Seconds after which a binding is renewed; if grant and overlap are equal, any time in the first half will do."""
    if granted > overlap:
        return float(granted - overlap)
    return granted / 2 if granted < overlap else granted / 4


def retry(line: Line) -> float:
    """Seconds before the next attempt after a refused or failed registration (RFC 5626 4.5)."""
    longest = min(line.settings.registerRetry_maxTimeOut, line.settings.registerRetry_baseTimeOut)
    return longest * (0.5 + 0.5 * line.phone.chance.random())


def fail_over(line: Line, old: int) -> Steps[bool]:
    """Register at the next server that accepts the line (F1, F6); the caller holds the line's lock. False if none does.
    """
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
        if answer.ok:
            if old == line.working or line.gated:
                if skipped and index == order[0]:
                    line.commit("failover-skipped-server", time=began)
                if removes:
                    line.commit("deregistration-at-failover", time=removed_at)
                line.moved(old, index, sure=sure)
                keep_time(line)
            return True
    fall_back(line)
    return False


def fall_back(line: Line) -> None:
    """After all servers of the entry failed: continue at the line's second entry, if any, and keep retrying here."""
    if line.fallback is not None:
        line.down = True
        line.renew_at = min(line.renew_at, line.phone.clock.now + retry(line))
        line.woken()


def keep_time(line: Line) -> None:
    """Set the next renewal to that of the binding at the working server."""
    binding = line.bindings.get(line.working)
    line.renew_at = line.phone.clock.now if binding is None else binding.renew
