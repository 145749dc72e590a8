"""Decides whether an outage goes on although an answer seemed to end it, as the answer disproves nothing of it
(reference-model.md 1, *failure*), and whether an outage is none, as the server is working."""

from __future__ import annotations

from collections.abc import Collection, Mapping

from sipaudit.incidents.draft import TOGETHER
from sipaudit.incidents.failing import Failing
from sipaudit.incidents.outage import Outage
from sipaudit.incidents.servers import ServerWatch
from sipaudit.incidents.untold import Untold
from sipaudit.model.events import Answered

SELDOM = 1740.0   # seconds between two failures of a method unused by others in between: live, half an hour is kept


def serves_others(server: ServerWatch, failing: Collection[Failing], start: float, sent: float) -> bool:
    """Whether the server works despite the evidence `failing` from `start` until `sent`: it refuses some requests with
    503 and serves others, or the phones only fail to resolve its name."""
    if all(isinstance(one.event, Answered) for one in failing):
        served = server.first_service_after(start, start)
        return served is not None and served < sent
    return server.answered > min(one.first for one in failing) and all(one.unnamed for one in failing)


def runs_out_as_before(server: ServerWatch, last: Outage, method: str | None, sent: float, untold: Untold) -> bool:
    """Whether the same kind of requests as in the last outage runs out again, whatever else is answered: only calls,
    only registrations, or both with nothing but OPTIONS answered since."""
    if last.methods == {method} == {"INVITE"}:
        start = untold.since_in_part(server)
        if start is not None and (last.end or start) >= start:
            return True
    if method is None or None in last.methods or not last.last < sent <= last.last + SELDOM:
        return False
    if last.methods == {method} == {"REGISTER"}:
        return not server.registers_between(last.last, sent)
    served = server.first_service_after(last.last, last.start)
    return served is None or served >= sent


def answers_late(server: ServerWatch, last: Outage, sent: float) -> bool:
    """Whether every answer between the last failure of the last outage and `sent` came after the phone had given up:
    the server is as slow as before."""
    return bool(last.late) and last.last < sent <= last.last + TOGETHER and not server.in_time_between(last.last, sent)


def still_failing(server: ServerWatch, last: Outage, sent: float, soon: float, few: float) -> Mapping[int, Failing]:
    """The phones whose requests have failed since the server's last outage ended by an answer to others, until `sent`.
    Empty if that outage was one of refusals, or if this may be another outage: what had failed for one of its phones
    was answered since, `few` or more of the failing phones were served since, or nobody was answered between these
    requests or `soon` after them; the last does not matter if the outage already was one of only some phones, including
    one of these (`stands`)."""
    if last.end is None or last.some.disproved or last.is_of_refusals or not last.last < sent <= last.last + TOGETHER:
        return {}
    failing = {phone: one for phone, one in server.failing_since(last.end) if one.sends[-1] > last.end}
    lost = {phone: one for phone, one in failing.items()
            if one.first <= last.last or not one.served_since(server.key, last.end)}
    first = min((time for one in lost.values() for time in one.sends if time > last.end), default=sent)
    others = server.first_life_of_others(first, sent + soon, {*last.own, *lost})
    meanwhile = others is not None or stands(last, lost)
    return lost if meanwhile and len(failing) - len(lost) < few else {}


def stands(last: Outage, failing: Mapping[int, Failing]) -> bool:
    """Whether others were answered during the last outage, and one of these phones, which began to fail in it, has had
    no answer since."""
    return last.some.spared is not None and any(one.first <= last.last for one in failing.values())


def is_there(server: ServerWatch, outage: Outage, soon: float) -> bool:
    """Whether the outage is none: the server refused some with 503 and within `soon` seconds served others, which could
    not be known at the first refusals."""
    if not outage.is_of_refusals or not outage.beyond_options or outage.some.meanwhile is not None:
        return False
    served = server.first_service_after(outage.start, outage.start)
    return served is not None and served < outage.start + soon


def is_one_with(server: ServerWatch, before: Outage, outage: Outage, few: float) -> bool:
    """Whether an outage of only some phones is one with the outage before it: `few` or more of its phones have had no
    answer since they failed in that one, nor has any other phone of it; and the phones answered meanwhile are none of
    these."""
    standing = (server.failing[phone].first <= before.last for phone in outage.first if phone in server.failing)
    others = outage.some.spared is not None and outage.some.spared[0] not in before.first
    return others and not before.some.disproved and sum(standing) >= few
