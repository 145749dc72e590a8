"""How a server failed, as its incident tells: it was silent, slow, refused all, or was not reached, and for whom."""

from __future__ import annotations

import re

from sipaudit.incidents.course import GRANTS, OTHER_PHONES, OTHERS, PINGED, TOO_LATE
from sipaudit.model.values import Happening, Incident
from sipaudit.report.screen import count_of

MANNERS = (OTHERS, PINGED, GRANTS, OTHER_PHONES)   # entries of a timeline that say how a server failed
REFUSED = {"INVITE": "calls", "REGISTER": "REGISTERs"}   # by method, where all of them are of one
LATE = re.compile(rf"\S+{TOO_LATE}([0-9.]+) s \(median\)")
UNREACHED = frozenset({"icmp", "refused", "reset", "tls", "dns"})   # how the evidence of a transport failure begins


def tells(incident: Incident, ending: str) -> bool:
    """Whether an entry of its timeline ends so."""
    return any(entry.what.endswith(ending) for entry in incident.timeline)


def late_entry(incident: Incident) -> Happening | None:
    """The entry of its timeline that says that it answers, and too late."""
    return next((entry for entry in incident.timeline if LATE.fullmatch(entry.what)), None)


def failed(incident: Incident) -> str:
    """How the server failed, as far as the first packets that show it agree."""
    late = late_entry(incident)
    if late is not None:
        some = tells(incident, OTHER_PHONES)
        whom, though = (f" {count_of(incident.phones, 'phone')}", ", though it answered others,") if some else ("", "")
        return f"answered{whom} too late (after {late.what.partition(TOO_LATE)[2].split()[0]} s, median){though}"
    if tells(incident, OTHERS):
        return "answered no REGISTER, though it answered other requests,"
    shown = {frame.summary.partition(" ")[0] for frame in incident.evidence}
    if tells(incident, PINGED):
        return "answered everything but OPTIONS with 503" if shown == {"503"} else "answered nothing but OPTIONS"
    if tells(incident, GRANTS):
        asked = {" ".join(frame.summary.split()[1:2]) for frame in incident.evidence}
        return f"refused {REFUSED.get(' '.join(asked), 'requests')} with 503, though it granted other requests,"
    if tells(incident, OTHER_PHONES):
        return _failed_some(count_of(incident.phones, "phone"), shown)
    if shown == {"503"}:
        return "answered nothing but 503"
    if shown == {"dns"}:
        return "could not be found, since its name did not resolve,"
    return "could not be reached" if shown and shown <= UNREACHED else "did not answer"


def _failed_some(phones: str, shown: set[str]) -> str:
    """The same of one that some phones alone have lost."""
    if shown == {"503"}:
        return f"refused {phones} with 503, though it served others,"
    if shown and shown <= UNREACHED:
        return f"could not be reached by {phones}, though others reached it,"
    return f"did not answer {phones}, though it answered others,"
