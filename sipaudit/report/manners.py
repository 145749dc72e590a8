"""How a server failed, read from its incident: it was silent, slow, unreachable, or refused everything; for whom."""

from __future__ import annotations

import re
from collections.abc import Iterator
from math import inf

from sipaudit.incidents.chronicle import LOG_OUT
from sipaudit.incidents.course import (
    ANSWERS_AGAIN,
    BEFORE,
    BY_TURNS,
    FREED,
    HUNG,
    NOTHING,
    OF_THEM,
    OTHER_PHONES,
    OTHER_REQUESTS,
    OTHERS,
    PINGED,
    TOO_LATE,
)
from sipaudit.incidents.outage import OUTAGE
from sipaudit.model.values import Happening, Incident

# entries of a timeline that say how a server failed
MANNERS = (OTHERS, PINGED, OTHER_REQUESTS, OTHER_PHONES, BY_TURNS, HUNG)
ENDINGS = frozenset({*MANNERS, ANSWERS_AGAIN, BEFORE, NOTHING})   # what follows the server in entries
REFUSED = {"INVITE": "calls", "REGISTER": "REGISTERs"}   # by method, if all refused requests have the same
LATE = re.compile(rf"{TOO_LATE}([0-9]{{1,9}}\.[0-9]) s \(median\)")
OUT = re.compile(rf"([0-9]{{1,9}}){LOG_OUT}")
AWAY = re.compile(r"known: (?:no SIP|nothing) was captured for ([0-9]{1,9}) s, (?:in which|until) ")   # `run/holes.py`
OF_SOME = re.compile(rf"{FREED}([0-9]{{1,9}}){OF_THEM}")
UNREACHED = frozenset({"icmp", "refused", "reset", "tls", "dns"})   # how the evidence of a transport failure begins


# headings of an outage: if its timeline says this, then if nothing but this kind of evidence shows it
HEADINGS = {
    BY_TURNS: "A server answered only a part of what its phones asked",
    OTHERS: "A server stopped answering REGISTERs", PINGED: "A server answered nothing but OPTIONS",
    OTHER_REQUESTS: "A server refused some requests with 503",
    OTHER_PHONES: "A server failed for some of its phones",
}
UNNAMED, NOT_REACHED = "A server could not be found by its name", "A server could not be reached"
REFUSING, SLOW = "A server answered nothing but 503", "A server answered too late"


def heading(incident: Incident, title: str) -> str:
    """The heading of an incident: `title`, that of its kind, or one that says more exactly how the server failed."""
    if incident.kind != OUTAGE:
        return f"{title}, for some of its phones" if tells(incident, OTHER_PHONES) else title
    if lateness(incident) is not None:
        return SLOW
    told = next((said for manner, said in HEADINGS.items() if tells(incident, manner)), None)
    if told is not None:
        return told
    shown = shown_by(incident)
    if shown and shown <= UNREACHED:
        return UNNAMED if shown == {"dns"} else NOT_REACHED
    return REFUSING if shown == {"503"} and not tells(incident, NOTHING) else title


def shown_by(incident: Incident) -> set[str]:
    """The kinds of its evidence: the first word of each packet's summary (`503`, `icmp`, `dns`)."""
    return {frame.summary.partition(" ")[0] for frame in incident.evidence}


def entry_of(incident: Incident, ending: str) -> Happening | None:
    """The timeline entry that consists of its server and `ending`. The whole text is compared, since known events as
    users describe them may end in the same words."""
    return next((entry for entry in incident.timeline if entry.what == f"{incident.server}{ending}"), None)


def tells(incident: Incident, ending: str) -> bool:
    """Whether its timeline has the entry of its server and `ending`."""
    return entry_of(incident, ending) is not None


def freed(incident: Incident) -> tuple[str, float] | None:
    """How many of its phones were answered again before the others, and from when on; None if not known."""
    return _found(incident, OF_SOME)


def lateness(incident: Incident) -> float | None:
    """After how many seconds (median) the server answered, if the timeline says that it was too late."""
    found = _found(incident, LATE)
    return None if found is None else float(found[0])


def logged_out(incident: Incident) -> int:
    """How many lines logged out in a storm; 0 if the timeline does not say so."""
    found = _found(incident, OUT)
    return 0 if found is None else int(found[0])


def unwatched(incident: Incident) -> Iterator[str]:
    """A sentence on how many seconds of the incident the captures do not show, if any."""
    seconds = sum(int(told[1]) for entry in incident.timeline if (told := AWAY.match(entry.what)) is not None
                  and incident.start <= entry.time < (incident.end or inf))
    if seconds:
        yield f"The captures do not show {seconds} s of that, in which it may have answered."


def _found(incident: Incident, pattern: re.Pattern[str]) -> tuple[str, float] | None:
    """The number in the timeline entry of its server that fits `pattern`, and the time of that entry."""
    for entry in incident.timeline:
        told = pattern.fullmatch(entry.what.removeprefix(incident.server or ""))
        if told is not None:
            return told[1], entry.time
    return None


def failed(incident: Incident, phones: str) -> str:
    """How the server failed, by its timeline and by what its first evidence agrees on; `phones` is how many phones that
    concerned, in words."""
    late = lateness(incident)
    if late is not None:
        some = tells(incident, OTHER_PHONES)
        whom, though = (f" {phones}", ", though it answered others,") if some else ("", "")
        return f"answered{whom} too late (after {late:.1f} s, median){though}"
    if tells(incident, BY_TURNS):
        return f"answered only a part of what {phones} asked"
    if tells(incident, OTHERS):
        return "answered no REGISTER, though it answered other requests,"
    shown = shown_by(incident)
    if tells(incident, PINGED):
        return "answered everything but OPTIONS with 503" if shown == {"503"} else "answered nothing but OPTIONS"
    if tells(incident, OTHER_REQUESTS):
        asked = {" ".join(frame.summary.split()[1:2]) for frame in incident.evidence}
        return f"refused {REFUSED.get(' '.join(asked), 'requests')} with 503, though it answered other requests,"
    if tells(incident, OTHER_PHONES):
        return _failed_some(phones, shown)
    if shown == {"503"}:
        return "answered nothing but 503"
    if shown == {"dns"}:
        return "could not be found, since its name did not resolve,"
    return "could not be reached" if shown and shown <= UNREACHED else "did not answer"


def failed_before(incident: Incident) -> str:
    """How the server failed before it stopped answering at all."""
    late = lateness(incident)
    if late is not None:
        return f"answered too late (after {late:.1f} s, median)"
    refused = incident.evidence[:1] and incident.evidence[0].summary.startswith("503")
    return "answered nothing but 503" if refused else "let calls run out"


def _failed_some(phones: str, shown: set[str]) -> str:
    """How a server failed that failed for some of its phones only."""
    if shown == {"503"}:
        return f"refused {phones} with 503, though it served others,"
    if shown and shown <= UNREACHED:
        return f"could not be reached by {phones}, though others reached it,"
    return f"did not answer {phones}, though it answered others,"
