"""How a server failed, as its incident tells: it was silent, slow, refused all, or was not reached, and for whom."""

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
ENDINGS = frozenset({*MANNERS, ANSWERS_AGAIN, BEFORE, NOTHING})   # of entries that begin with the server
REFUSED = {"INVITE": "calls", "REGISTER": "REGISTERs"}   # by method, where all of them are of one
LATE = re.compile(rf"{TOO_LATE}([0-9]{{1,9}}\.[0-9]) s \(median\)")
OUT = re.compile(rf"([0-9]{{1,9}}){LOG_OUT}")
AWAY = re.compile(r"known: (?:no SIP|nothing) was captured for ([0-9]{1,9}) s, (?:in which|until) ")   # `run/holes.py`
OF_SOME = re.compile(rf"{FREED}([0-9]{{1,9}}){OF_THEM}")
UNREACHED = frozenset({"icmp", "refused", "reset", "tls", "dns"})   # how the evidence of a transport failure begins


# what an outage is headed by where its timeline says this, and where nothing but this shows it
HEADINGS = {
    BY_TURNS: "A server answered only a part of what its phones asked",
    OTHERS: "A server stopped answering REGISTERs", PINGED: "A server answered nothing but OPTIONS",
    OTHER_REQUESTS: "A server refused some requests with 503",
    OTHER_PHONES: "A server failed for some of its phones",
}
UNNAMED, NOT_REACHED = "A server could not be found by its name", "A server could not be reached"
REFUSING, SLOW = "A server answered nothing but 503", "A server answered too late"


def heading(incident: Incident, title: str) -> str:
    """The title of its kind, `title`, as it is true of this incident: not every outage is one of the whole server."""
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
    """By what its first packets show it: the word that each begins with."""
    return {frame.summary.partition(" ")[0] for frame in incident.evidence}


def entry_of(incident: Incident, ending: str) -> Happening | None:
    """The entry of its timeline that says this of its server. What users write of known events may end so, too."""
    return next((entry for entry in incident.timeline if entry.what == f"{incident.server}{ending}"), None)


def tells(incident: Incident, ending: str) -> bool:
    """Whether its timeline says this of its server."""
    return entry_of(incident, ending) is not None


def freed(incident: Incident) -> tuple[str, float] | None:
    """How many of its phones were answered again before the others, and since when."""
    return _found(incident, OF_SOME)


def lateness(incident: Incident) -> float | None:
    """After how many seconds (median) it answers, where its timeline says that this is too late."""
    found = _found(incident, LATE)
    return None if found is None else float(found[0])


def logged_out(incident: Incident) -> int:
    """How many lines log out in a storm, where its timeline tells that."""
    found = _found(incident, OUT)
    return 0 if found is None else int(found[0])


def unwatched(incident: Incident) -> Iterator[str]:
    """That the captures do not show all of its time."""
    seconds = sum(int(told[1]) for entry in incident.timeline if (told := AWAY.match(entry.what)) is not None
                  and incident.start <= entry.time < (incident.end or inf))
    if seconds:
        yield f"The captures do not show {seconds} s of that, in which it may have answered."


def _found(incident: Incident, pattern: re.Pattern[str]) -> tuple[str, float] | None:
    """The number in the entry of its timeline that says this of its server, and when that was."""
    for entry in incident.timeline:
        told = pattern.fullmatch(entry.what.removeprefix(incident.server or ""))
        if told is not None:
            return told[1], entry.time
    return None


def failed(incident: Incident, phones: str) -> str:
    """How the server failed, as far as the first packets that show it agree; `phones` is how many that concerned."""
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
    """How one failed that answered nothing any more after that."""
    late = lateness(incident)
    if late is not None:
        return f"answered too late (after {late:.1f} s, median)"
    refused = incident.evidence[:1] and incident.evidence[0].summary.startswith("503")
    return "answered nothing but 503" if refused else "let calls run out"


def _failed_some(phones: str, shown: set[str]) -> str:
    """The same of one that some phones alone have lost."""
    if shown == {"503"}:
        return f"refused {phones} with 503, though it served others,"
    if shown and shown <= UNREACHED:
        return f"could not be reached by {phones}, though others reached it,"
    return f"did not answer {phones}, though it answered others,"
