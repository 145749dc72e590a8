"""The course of an outage, as entries of its timeline."""

from __future__ import annotations

from collections.abc import Iterator
from math import inf

from sipaudit.incidents.metrics import moved_in, percentile, turned_in
from sipaudit.incidents.outage import OUTAGE, PARTIAL, Outage
from sipaudit.model.events import Answered, Failed, FailureKind
from sipaudit.model.timers import SILENCE_MAX

# How entries end, after the server's name.
ANSWERS_AGAIN = " answers again"
OTHERS = " answers others than REGISTERs"   # where only the registrar is out
PINGED = " answers OPTIONS"   # where it answers nothing else, or refuses the rest
OTHER_PHONES = " answers other phones"   # where only some phones have lost it
OTHER_REQUESTS = " answers other requests"   # where it refuses some
BY_TURNS = " answers some requests, and others not"
FREED, OF_THEM = " answers ", " of them again"   # around the number of phones that had lost it only for a while
NOTHING = " answers nothing any more"   # where until then only calls went unanswered, or all was refused
TOO_LATE = " answers too late, after "   # where it is slow; the median in seconds follows
HUNG = " answers at once what it had been asked"   # where it was frozen, and goes on
BEFORE = " is not seen to answer anybody before"   # where it may have been out already
FIRST_OF, IN_VAIN = "first request of ", " that came to nothing"   # around a group's name
LATER = 60.0       # seconds without any event of the kind
GROUPS_TOLD = 8
MOSTLY_LATE = 0.5   # of the phones: if fewer are answered at all, the server is out
AT_ONCE = 0.25      # of the time span of the requests: a slow server spreads its answers over as long a time
SOON = 10.0         # seconds before all are answered again: earlier answers to some within them mean nothing
A_WHILE = 10.0      # seconds: requests that span less may be answered within less by chance

Happened = tuple[float, str]


def course(outage: Outage, server: str) -> Iterator[Happened]:
    """The timeline entries for the server and its lines."""
    if outage.last_answer == -inf and outage.stop is None:
        yield outage.start, f"{server}{BEFORE}"
    elif outage.last_answer is not None and outage.last_answer != -inf:
        yield outage.last_answer, f"last answer from {server}"
    yield outage.start, f"first {_came_to(outage)}"
    yield from _groups_of(outage)
    yield from _meanwhile(outage, server)
    silent = _silent_since(outage)
    if silent is not None:
        yield silent, f"{server}{NOTHING}"
    freed = [time for time in outage.some.freed.values() if time < outage.until - SOON]
    if freed and not outage.is_by_turns:
        yield min(freed), f"{server}{FREED}{len(freed)}{OF_THEM}"
    yield from _late(outage, server)
    yield from _lines_of(outage)
    again = _answered_again(outage)
    if again is not None:
        yield again, f"{server}{ANSWERS_AGAIN}"


def _answered_again(outage: Outage) -> float | None:
    """When the server first answered anybody, or a phone concerned, after the last failure. For an outage without an
    end, None: the capture does not show that the server stays up."""
    if outage.end is not None or outage.kind != OUTAGE:
        return outage.end
    return outage.answer if outage.some.meanwhile is None else outage.some.returned


def _groups_of(outage: Outage) -> Iterator[Happened]:
    """When each group that was reached later had its first failure: another site, whose link was not cut at first."""
    firsts: dict[str, float] = {}
    for subject in outage.lines.values():
        first = outage.first.get(subject.owner)
        if first is not None and subject.group is not None:
            firsts[subject.group] = min(first, firsts.get(subject.group, first))
    later = sorted((first, group) for group, first in firsts.items() if first > outage.start + LATER)
    for first, group in later[:GROUPS_TOLD]:
        yield first, f"{FIRST_OF}{group}{IN_VAIN}"


def _meanwhile(outage: Outage, server: str) -> Iterator[Happened]:
    """What, or whom, the server answered although it is out."""
    if outage.is_of_registrations and outage.others is not None:
        yield outage.others, f"{server}{OTHERS}"
    elif outage.ends_with_any_call:
        return
    elif outage.is_by_turns and outage.turns.since is not None:
        yield outage.turns.since, f"{server}{BY_TURNS}"
    elif outage.pings and outage.others is not None:
        yield outage.others, f"{server}{PINGED}"
    elif outage.is_of_refusals and outage.service is not None:
        yield outage.service, f"{server}{OTHER_REQUESTS}"
    elif outage.some.spared is not None:
        yield outage.some.spared[1], f"{server}{OTHER_PHONES}"
    elif not _is_late(outage):
        answered = outage.some.meanwhile or outage.service   # some of the phones concerned, and later ones
        if answered is not None and outage.start + A_WHILE <= answered <= outage.last - A_WHILE:
            yield answered, f"{server}{BY_TURNS}"


def _silent_since(outage: Outage) -> float | None:
    """Since when nothing at all is answered, if at first only calls went unanswered, all was refused, or all was late.
    None if other phones are still answered."""
    if outage.kind == PARTIAL or outage.some.meanwhile is not None:
        return None
    if _fails_on(outage):
        since = outage.hush.since
        return since if since is not None and outage.last - since >= LATER and _is_late(outage) else None
    began = outage.evidence[0][0] if outage.evidence else None
    refused = isinstance(began, Answered) and not outage.beyond_options
    return outage.total or (outage.hush.since if refused else None)


def _fails_on(outage: Outage) -> bool:
    """Whether requests still fail after one was answered too late."""
    return any(answered < outage.last for _, answered in outage.late.values())


def _is_late(outage: Outage) -> bool:
    return len(_given_up(outage)) >= MOSTLY_LATE * len(outage.first) > 0


def _given_up(outage: Outage) -> list[tuple[float, float]]:
    """When requests that were answered too late were sent, and answered. A phone that has no other server retransmits
    (RFC 3261 17.1.1.2), and may be answered as soon as the server is back. So if nothing goes unanswered after the
    first of these answers, only those count whose phones had turned away by then, or can no longer have been
    retransmitting."""
    late = outage.late
    if _fails_on(outage):
        return list(late.values())
    turned: dict[int, float] = {}
    for line, time in outage.turned.items():
        if line in outage.lines:
            owner = outage.lines[line].owner
            turned[owner] = min(time, turned.get(owner, time))
    return [(sent, answered) for phone, (sent, answered) in late.items()
            if sent <= turned.get(phone, inf) < answered or answered > sent + SILENCE_MAX]


def _late(outage: Outage, server: str) -> Iterator[Happened]:
    """The entry for a server that answers what its phones have given up: late, or all of it as soon as it can."""
    if outage.is_by_turns or not _is_late(outage):
        return
    late = _given_up(outage)
    sends, answers = zip(*late, strict=True)
    asked = max(sends) - min(sends)
    if asked >= A_WHILE and max(answers) - min(answers) <= AT_ONCE * asked:
        yield min(answers), f"{server}{HUNG}"
    else:
        median = percentile([time - sent for sent, time in late], 50) or 0.0
        yield min(answers), too_late(server, median)


def too_late(server: str | None, median: float) -> str:
    """The timeline entry for a slow server, with the median delay of its answers in seconds."""
    return f"{server}{TOO_LATE}{median:.1f} s (median)"


def _lines_of(outage: Outage) -> Iterator[Happened]:
    """The first line that turned away, and the last one that moved."""
    for time, subject, _ in turned_in(outage)[:1]:
        yield time, f"first line turns to another server: {subject.line}"
    moves = moved_in(outage)
    if moves:
        which = f"the last of {len(moves)} lines" if len(moves) > 1 else "the only line"
        yield moves[-1][1].time, f"{which} has moved: {moves[-1][0].line}"


def _came_to(outage: Outage) -> str:
    """What kind of request failed first, and how."""
    shown = [event for event, _ in outage.evidence if isinstance(event, Answered | Failed)]
    first = next((event for event in shown if event.sent == outage.start), None)
    if first is None and outage.methods == {None}:   # evidence holds each phone's first failure, which may be earlier
        first = next(iter(shown), None)
    if first is None:
        return "request without answer"
    if isinstance(first, Answered):
        return "request refused with 503"
    named = first.kind is FailureKind.DNS
    return "lookup of its name that came to nothing" if named else "request that could not be delivered"
