"""Sites that fell silent together, of which no incident can tell: a registration-gap is none of a phone of which
nothing is seen (reference-model.md 7). That nearly all phones of one group let their registrations run out at once,
while others went on, is no rule broken and no server's failure, and what an operator wants to know before all else.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from ipaddress import ip_network
from math import inf
from typing import NamedTuple

from sipaudit.incidents.minutes import MINUTE
from sipaudit.model.values import Incident, LineSummary, Report
from sipaudit.report.incident_words import Words
from sipaudit.report.screen import count_of, shortened
from sipaudit.report.when import ends_of
from sipaudit.sip.datagram import host_of

PHONES = 3            # of a group
NEARLY_ALL = 0.9      # of its phones
OTHERS = 2            # lines of other groups that went on
LASTING = 60.0        # seconds without a registration, as for a registration-gap
TELLING = frozenset({"server-outage", "partial-outage", "registration-gap"})   # kinds that say why a line has none
SUBNET = {4: 24, 6: 64}
NAME_SHOWN = 60
SAID = 3


class Stretch(NamedTuple):
    """A time without a registration of one line, `end` inf where it lasts; `granted` is for how long it had been."""

    start: float
    end: float
    granted: float
    line: LineSummary


def absent(report: Report, words: Words) -> Iterator[str]:
    """Which sites that were, those of most phones first."""
    over = max(ends_of(report), default=-inf)
    told = _told(report.incidents)
    found = [(group, members, together) for group, members in _groups(report.lines).items()
             if len({line.phone for line in members}) >= PHONES and len(members) < len(report.lines)
             for together in _together([one for line in members for one in _stretches(line, over, told)])
             if _fell_silent(members, together, report, over)]
    for group, members, together in sorted(found, key=lambda one: -len(one[2]))[:SAID]:
        yield _said(words, group, members, together)


def _groups(lines: Iterable[LineSummary]) -> dict[str, list[LineSummary]]:
    """The lines by group, or by subnet where they have none."""
    groups: dict[str, list[LineSummary]] = {}
    for line in lines:
        groups.setdefault(line.group or _subnet(line.phone), []).append(line)
    return groups


def _subnet(phone: str) -> str:
    host = host_of(phone).strip("[]")
    try:
        return str(ip_network(f"{host}/{SUBNET[6 if ':' in host else 4]}", strict=False))
    except ValueError:
        return host


def _told(incidents: Iterable[Incident]) -> Mapping[str, list[Incident]]:
    """By line the incidents that say why it has no registration."""
    told: dict[str, list[Incident]] = {}
    for incident in incidents:
        if incident.kind in TELLING:
            for line in incident.lines:
                told.setdefault(line, []).append(incident)
    return told


def _stretches(line: LineSummary, over: float, told: Mapping[str, list[Incident]]) -> Iterator[Stretch]:
    """When the line had no registration since its time had run out, and nothing of it was seen; `over` is when the
    captures end."""
    rows = sorted(line.registrations, key=lambda row: row.from_)
    until, last = -inf, None
    for row in [*rows, None]:
        end = inf if row is None else row.from_
        if last is not None and until < min(end, over) and last.end in ("expired", None):
            stretch = Stretch(until, end, float(last.expires or 0), line)
            if not _was_seen(stretch) and not _is_told(stretch, told):
                yield stretch
        if row is not None and (row.until or inf) > until:
            until, last = row.until or inf, row


def _was_seen(stretch: Stretch) -> bool:
    """Whether its phone did anything else meanwhile."""
    line = stretch.line
    times = [*(one.time for one in line.tries), *(one.first_packet or one.time for one in line.moves),
             *(one.from_ for one in line.call_spans if one.from_ is not None)]
    seen = any(stretch.start < time < min(stretch.end, line.last) - MINUTE for time in times)
    return seen or (stretch.end == inf and line.last > stretch.start)


def _is_told(stretch: Stretch, told: Mapping[str, list[Incident]]) -> bool:
    return any(one.start < stretch.end and stretch.start < (one.end or inf)
               for one in told.get(stretch.line.line, ()))


def _together(stretches: Iterable[Stretch]) -> Iterator[list[Stretch]]:
    """Those that have a time in common."""
    found: list[Stretch] = []
    ends = inf
    for one in sorted(stretches, key=lambda one: one.start):
        if found and one.start >= ends:
            yield found
            found, ends = [], inf
        found.append(one)
        ends = min(ends, one.end)
    if found:
        yield found


def _fell_silent(members: Sequence[LineSummary], together: Iterable[Stretch], report: Report, over: float) -> bool:
    """Whether that were nearly all of the group, at one time, while others went on."""
    start, end = _in_common(together)
    known = {line.phone for line in members if any(row.from_ < start for row in line.registrations)}
    gone = {one.line.phone for one in together}
    first = min(one.start for one in together)
    if len(gone) < max(PHONES, NEARLY_ALL * len(known)) or min(end, over) - start < LASTING \
            or start - first > max(one.granted for one in together):
        return False
    theirs = set(map(id, members))
    return sum(id(line) not in theirs and _renewed(line, first, end) for line in report.lines) >= OTHERS


def _renewed(line: LineSummary, start: float, end: float) -> bool:
    """Whether a registration of the line that was made well before `end` was granted anew after `start`."""
    return any(row.until is not None and row.expires is not None and row.from_ < end - LASTING
               and row.until - row.expires > start for row in line.registrations)


def _in_common(together: Iterable[Stretch]) -> tuple[float, float]:
    return max(one.start for one in together), min(one.end for one in together)


def _said(words: Words, group: str, members: Iterable[LineSummary], together: Iterable[Stretch]) -> str:
    """`The registrations of all 10 phones of Site A had run out by 12:10:40, and ...`"""
    start, end = _in_common(together)
    gone, known = len({one.line.phone for one in together}), len({line.phone for line in members})
    whose = f"all {count_of(gone, 'phone')}" if gone == known else f"{gone} of {count_of(known, 'phone')}"
    until = "by the end of the captures" if end == inf else f"before {words.time(end)}"
    return (f"The registrations of {whose} of {shortened(group, NAME_SHOWN)} had run out at {words.time(start)}, and "
            f"none was renewed {until}, while other phones went on: their power or the link to them may have failed, "
            "or the captures do not show them any more.")
