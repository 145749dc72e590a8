"""Conditions on the servers that are failed for a line: F9, and the grace for what was open (reference-model.md 6)."""

from __future__ import annotations

from msgspec.structs import replace

from sipaudit.model.case import FAILS, HOLDS, Case, Ground
from sipaudit.model.conditions.failures import sends_away
from sipaudit.model.conditions.refreshes import renewal_may_have_come
from sipaudit.model.conditions.requests import of_a_call
from sipaudit.model.conditions.timing import declared_ttl
from sipaudit.model.conditions.trust import may_have_crossed
from sipaudit.model.conditions.unseen import left_open
from sipaudit.model.events import Answered, FailureKind, Replied, Sent
from sipaudit.model.machines import FailedServer, failed_server
from sipaudit.model.observations import Fact
from sipaudit.model.readings import ALWAYS, NEVER, Reading, negate, taken
from sipaudit.model.settings import Mode
from sipaudit.model.state import Call, FailedMark
from sipaudit.model.timers import SILENCE_MAX
from sipaudit.model.values import Assumption, Reason

OF_SETUP = frozenset({"BYE", "PRACK"})    # they set up or end a dialog
NEVER_LEFT = frozenset({FailureKind.REFUSED, FailureKind.TLS, FailureKind.DNS})
NEVER_REFUSED = frozenset({"NOTIFY", "OPTIONS", "CANCEL"})


def server_failed(case: Case) -> Ground:
    """F9: the server is failed for the line. Nothing is judged between a try there and its result. After a failed try
    the advisory can be read either way for the requests of a call, and says nothing of others."""
    mark = case.line.mark(case.request.server)
    if mark is None or may_have_crossed(case, mark.since):
        return FAILS
    of_call = of_a_call(case) is HOLDS
    facts: dict[str, Fact] = {"elapsed": case.now - mark.since.time, "working": case.stay.server}
    proof = (*mark.against[:2], mark.since)
    if mark.tried is None:
        facts["kind"] = "call" if of_call else "other"
        return Ground(_failed_in(case, mark), facts=facts, proof=proof)
    facts["kind"] = "after-try"
    in_vain = failed_server(mark, case.now) is FailedServer.OPEN
    return Ground(_failed_in(case, mark), facts=facts, proof=(*proof, mark.tried)) if in_vain and of_call else FAILS


def _failed_in(case: Case, mark: FailedMark) -> int:
    """The worlds in which the server is failed for the line: it was the working one, left for a failure (F2-F4), and
    the mark is the line's, or the phone's and no other line's REGISTER there has ended it."""
    silent = case.profile.earliest_silence
    may, must = NEVER, NEVER
    for item in mark.against:
        if not isinstance(item, Sent):
            worlds = sends_away(item, case)
        else:
            worlds = ALWAYS if mark.moved - item.time >= silent else NEVER
        may |= worlds
        must |= worlds if item in mark.sure else NEVER
    if _may_have_returned(case, mark) or mark.took >= case.gives_up:
        must = NEVER
    holds = may & (must | negate(taken(Reading.UNMOVED)))
    registering = case.phone.reach(mark.server).registering
    elsewhere = registering is not None and registering.line != case.event.line \
        and registering.time > mark.since.time
    return holds & negate(taken(Reading.PHONE_WIDE)) if elsewhere else holds


def _may_have_returned(case: Case, mark: FailedMark) -> bool:
    """Whether the move may have been a due failback, which leaves no server failed (F8): it went upward."""
    mode, settings = case.mode, case.profile.settings
    if not case.profile.leads_up(mark.server, mark.since.server):
        return False
    stayed = mark.moved - mark.began + case.profile.tolerances.timer
    if mode is Mode.DURATION:
        timeout = settings.failback_timeout
        return timeout is None or (timeout > 0 and stayed >= timeout)
    if mode is Mode.REGISTRATION:
        binding = case.line.binding(mark.server)
        return binding is None or binding.granted is None or renewal_may_have_come(case, binding, mark.moved)
    if mode is Mode.DNSTTL:
        lows = [*declared_ttl(case), *(answer.ttl_low for answer in case.line.answers)]
        return bool(case.line.asked) or stayed >= min(lows, default=0.0) or _ran_out(case, mark)
    return True


def _ran_out(case: Case, mark: FailedMark) -> bool:
    """Whether a DNS answer that the phone had from before its stay at the server expired during that stay (B2)."""
    until = mark.moved + case.profile.tolerances.timer
    return any(mark.began <= end <= until for answer in case.line.answers if answer.time <= mark.began
               for end in (answer.until, *answer.later))


def call_lives_there(case: Case) -> Ground:
    """F9: the request belongs to a call that F9 binds, one that was up before the failover."""
    mark, call = case.line.mark(case.request.server), case.phone.call(case.request.call)
    if mark is None or case.request.method == "CANCEL":
        return FAILS  # it belongs to a request from before
    return Ground(reason=Reason.STARTED_LATER) if call is None else _is_bound(call, mark, case.request.method, case.now)


def _is_bound(call: Call, mark: FailedMark, method: str, now: float) -> Ground:
    """The call was up before the failover. A call that was then being set up has its grace: it may go on until it is
    up, and be ended. So may one answered just before, until 32 s after the life of its INVITE."""
    if call.up is None or call.began > mark.since.time:
        return FAILS
    graced = call.up >= mark.since.time or now <= call.up + SILENCE_MAX
    if graced and method in OF_SETUP:
        return FAILS
    return HOLDS if call.answered is None else Ground(proof=(call.answered,))


def offered_while_failed(case: Case) -> Ground:
    """F9: the phone rings for, or accepts, an INVITE that arrived from a server while that was failed for the line."""
    reply = case.event
    assert isinstance(reply, Replied)
    if reply.in_dialog or not (180 <= reply.status < 190 or 200 <= reply.status < 300):
        return FAILS
    return _accepted(case, reply, "call")


def spoken_while_failed(case: Case) -> Ground:
    """F9: the phone accepts an in-dialog request of a call that arrived from a failed server."""
    reply = case.event
    assert isinstance(reply, Replied)
    if not reply.in_dialog or not 200 <= reply.status < 300 or reply.method in NEVER_REFUSED:
        return FAILS
    accepted = _accepted(case, reply, "dialog")
    mark, call = case.line.mark(reply.server), case.phone.call(reply.call)
    if accepted is FAILS or mark is None:
        return FAILS
    if call is None:
        return Ground(reason=Reason.STARTED_LATER)
    bound = _is_bound(call, mark, reply.method, case.now)
    return FAILS if bound is FAILS else replace(accepted, proof=(*bound.proof, *accepted.proof))


def _accepted(case: Case, reply: Replied, kind: str) -> Ground:
    """The request arrived while the server was failed, and is answered while it is: a phone that did not answer it may
    accept a repetition once it has tried to return."""
    mark = case.line.mark(reply.server)
    offer = next((one for one in case.line.offered if one.transaction == reply.transaction), None)
    if offer is None or mark is None or mark.tried is not None:
        return FAILS
    return Ground(_failed_in(case, mark), facts={"kind": kind, "status": reply.status, "working": case.stay.server},
                  proof=(*mark.against[:2], mark.since, offer))


def last_failover(case: Case) -> Ground:
    """F9: the failover that left the server is the line's last one, since the next one ends the mark. During a gap
    between two captures the line may have returned, and a move without a visible failure may have been a failover."""
    mark = case.line.mark(case.server)
    if mark is not None and mark.since.time < case.profile.covered_from:
        return Ground(reason=Reason.STARTED_LATER)
    if mark is None:
        return HOLDS
    if mark.again or _may_have_gone_on(case, mark) or _may_have_come_by(case, mark) or _tried_unseen(case, mark):
        return Ground(reason=Reason.READINGS_DIFFER)
    lost = case.phone.lost   # the lost packet may have been the REGISTER of a try
    return HOLDS if lost is None or lost < mark.since.time else Ground(assumptions=(Assumption.CAPTURE_COMPLETE,))


def _tried_unseen(case: Case, mark: FailedMark) -> bool:
    """Whether the line may have tried to return by a REGISTER that was never sent, for want of a connection."""
    return any(item.kind in NEVER_LEFT and item.time > mark.since.time for item in case.phone.reach(mark.server).hard)


def _may_have_come_by(case: Case, mark: FailedMark) -> bool:
    """Whether the line may have come by way of a third server, whose 200 to its REGISTER the capture lacks: an
    unanswered request is repeated before a line goes on to the next server."""
    thirds = [binding for binding in case.line.bindings if binding.server not in (case.stay.server, mark.server)]
    return any(mark.since.time > register.time >= (case.stay.origin_since or 0.0)
               for binding in thirds for register in left_open(case, binding))


def _may_have_gone_on(case: Case, mark: FailedMark) -> bool:
    """Whether the line has turned away from its working server, and a third one has answered its REGISTER: that may
    have been the next failover, or a refresh of a binding there (F7). If no answer of the third was seen, the capture
    may lack it."""
    stay, away = case.stay, case.stay.away
    if away is None:
        return False
    asked: list[Sent | Answered] = [one.register for one in case.line.bindings if one.register is not None]
    answered = [one for one in stay.asides if one.method == "REGISTER"]
    return any(one.server not in (stay.server, mark.server) and one.time >= away.time for one in (*asked, *answered))
