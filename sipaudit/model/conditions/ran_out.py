"""Conditions on requests that ran out, one after the other, at a silent server (F2, failover-missing)."""

from __future__ import annotations

from collections.abc import Iterator
from math import inf

from sipaudit.model.case import FAILS, Case, Ground
from sipaudit.model.conditions.failures import CONTACT_WAIT, RETRY_WAIT, retry_after
from sipaudit.model.conditions.refreshes import is_renewed_after
from sipaudit.model.conditions.trust import clock_was_set
from sipaudit.model.events import FailureKind, Sent
from sipaudit.model.observations import Awaited, Fact, Sign
from sipaudit.model.reach import Reach, evidence, repeated_until
from sipaudit.model.timers import DEFAULT_RETRIES, SILENCE_MAX, SLACK_SHARE, T1, last_resend, latest_silence
from sipaudit.model.values import Reason

ASKED_AGAIN = 600.0     # seconds after which a phone that finds no other server tries a failed one again
PATIENCE_SHARE = 0.25   # share by which a phone's timers, as captured, may differ from one time to the next


def ran_out_before(case: Case) -> Ground:
    """F2: an earlier request of the line with the same method timed out at this server, and its caller had not given it
    up."""
    before = _run_out(case)
    if before is None:
        return FAILS
    if latest_silence(case.profile.settings) is None:
        return Ground(reason=Reason.SETTINGS_UNKNOWN)
    facts: dict[str, Fact] = {"silent": case.now - before.time}
    if not _shown_unanswered(case, before):
        # F4: whether a caller gave it up is open, as an unanswered CANCEL is
        reason = Reason.OPEN_CODE if before.method == "INVITE" else Reason.ONE_WAY
        return Ground(reason=reason, facts=facts, proof=(before,))
    return Ground(facts=facts, proof=(before,))


def _silent_before(case: Case) -> Iterator[Sent]:
    """Requests of the line like the one on trial that its server has not answered at all, without those given up."""
    request, reach = case.request, case.phone.reach(case.request.server)
    for one in reach.waiting:
        alike = one.line == request.line and one.method == request.method and one.expires != 0
        open_code = one.transaction in reach.ringing or one.transaction in reach.cancelled
        if alike and not one.in_dialog and not one.goes_its_way and not open_code:
            yield one


def _run_out(case: Case) -> Sent | None:
    """The last of them that ran out: a REGISTER is not repeated before that (RFC 3261 10.2), a call may be."""
    settings = case.profile.settings
    latest = (latest_silence(settings) or SILENCE_MAX) + case.profile.tolerances.timer
    least = case.profile.earliest_silence if case.request.method == "REGISTER" else latest
    ran_out = [one for one in _silent_before(case)
               if case.now - one.time >= least and not clock_was_set(case, one, ahead=True)]
    return ran_out[-1] if ran_out else None


def _shown_unanswered(case: Case, before: Sent) -> bool:
    """Whether the phone itself shows that it got no answer: an INVITE was retransmitted for as long as no caller would
    have given it up; a REGISTER was retransmitted, or repeated sooner than a renewal (without any 200 it is not known
    how soon that would be). Otherwise the answers may take a path that the capture does not see."""
    if before.method == "INVITE":
        until = repeated_until(case.phone.reach(before.server), before)
        return until >= _persists(case, before, until - before.time)
    latest = (latest_silence(case.profile.settings) or 0.0) + case.profile.tolerances.timer
    binding = case.line.binding(before.server)
    if binding is not None and binding.register is before and binding.resent is not None:
        return True
    passed = case.now - before.time
    if binding is None or (binding.granted or binding.refused or binding.removed) is None:
        return False
    renews = binding.granted is not None and is_renewed_after(case, binding, passed)
    return passed <= latest + RETRY_WAIT and not renews


def _persists(case: Case, request: Sent, lasted: float) -> float:
    """When the last retransmission before F2's earliest is due, at the latest: a phone not seen to send it has given up
    its INVITE, or uses a connection, where nothing shows that it has not. With many retries, whose intervals may
    double, the last of all counts: a caller does not wait so long. A request that `lasted` longer than the retries
    explain waits the whole 32 s, as at the last server of a list (F2, *latest*)."""
    settings, earliest = case.profile.settings, case.profile.earliest_silence
    interval, retries = (settings.number("retryTimeOut") or 0) / 1000, settings.number("retryMaxCount") or 0
    count = retries or DEFAULT_RETRIES
    if lasted > T1 + (count * interval or last_resend(count)):
        return request.time + (SILENCE_MAX - max(interval, T1)) * (1 - SLACK_SHARE)
    if interval:
        return request.time + max(earliest - interval, 0.0)
    if retries > DEFAULT_RETRIES:
        return request.time + last_resend(retries) * (1 - SLACK_SHARE)
    return request.time + max((earliest - T1) / 2, 0.0)


def no_contact_elsewhere(case: Case) -> Ground:
    """F2: the phone contacts no other server from the first of the two requests until 32 s after the second has timed
    out."""
    request, entry, latest = case.request, case.profile.entry, latest_silence(case.profile.settings)
    first = _run_out(case) or request
    lost = case.phone.lost
    if lost is not None and lost >= first.time:
        return Ground(reason=Reason.LOSS_NEARBY)
    others = tuple(server.key for server in entry.servers if server.key != request.server) if entry else ()
    if any(_asked_since(case, case.phone.reach(key), first.time) for key in others):
        return FAILS
    if any(key.startswith("[") != request.server.startswith("[") for key in others):
        # it is reached from an address of the other family, for us another phone (reference-model.md 1)
        return Ground(reason=Reason.IDENTITY_UNSURE)
    if others and (left_alone := _left_alone(case, others)):
        return Ground(reason=left_alone)
    until = request.time + (latest or 0.0) + case.profile.tolerances.timer + CONTACT_WAIT
    repeats, rests = _persists_alike(case, first) if request.method == "INVITE" else (request.time, inf)
    # a line with further entries may fall back to one of those
    return Ground(reason=Reason.CAPTURE_ENDED, awaited=Awaited(
        Sign.SILENCE, request.transaction, since=first.time, until=until, server=request.server,
        others=() if case.profile.fallback else others, repeats=repeats, rests=rests), elsewhere=others)


def _left_alone(case: Case, others: tuple[str, ...]) -> Reason | None:
    """Why the line may pass over all these servers: each has failed, too, since the silent server did, so that the next
    in order is that one again (F1), has asked not to be used (F3), or does not resolve. No source says for how long a
    failure keeps a line from asking a server again."""
    silent = case.profile.earliest_silence
    since = min((item.time for item in evidence(case.phone.reach(case.request.server), case.now, silent)),
                default=case.now)
    fit = [key for key in others if not _is_nowhere(case.phone.reach(key)) and not any(
        item.time >= since and case.now - item.time <= ASKED_AGAIN
        for item in evidence(case.phone.reach(key), case.now, silent))]
    if any(not retry_after(case, key) for key in fit):
        return None
    return Reason.RETRY_AFTER if fit else Reason.READINGS_DIFFER


def _is_nowhere(reach: Reach) -> bool:
    """Whether its name did not resolve at the last lookup: a phone need not repeat that before the negative answer
    expires (RFC 2308), however long ago it was."""
    return any(item.kind is FailureKind.DNS and item.time >= reach.touched for item in reach.hard)


def _asked_since(case: Case, reach: Reach, since: float) -> bool:
    """Whether the phone has contacted the server since then, or had a request open there: over a connection nothing is
    retransmitted."""
    lasts = (latest_silence(case.profile.settings) or 0.0) + case.profile.tolerances.timer
    return reach.touched >= since or any(one.time + lasts >= since for one in reach.waiting)


def _persists_alike(case: Case, first: Sent) -> tuple[float, float]:
    """Between which times the request on trial must be retransmitted last, if neither it nor the first was given up by
    its caller: a phone is as patient with a server the second time as it was the first."""
    request = case.request
    lasted = repeated_until(case.phone.reach(first.server), first) - first.time
    least = request.time + lasted * (1 - PATIENCE_SHARE)
    return max(_persists(case, request, lasted), least), request.time + lasted * (1 + PATIENCE_SHARE) + T1
