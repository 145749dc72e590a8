"""Sites whose phones fell silent together, for which there is no incident: a phone of which nothing is captured has no
registration-gap (reference-model.md 7). If nearly all phones of one group let their registrations expire at once, while
others went on, no rule is broken and no server failed, but it is the first thing that an operator wants to know.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from math import inf
from typing import NamedTuple

from sipaudit.incidents.minutes import MINUTE
from sipaudit.model.values import Incident, LineSummary, Report
from sipaudit.report.by_key import by_key
from sipaudit.report.incident_words import Words
from sipaudit.report.networks import network_of
from sipaudit.report.screen import count_of, shortened
from sipaudit.report.when import ends_of
from sipaudit.sip.datagram import host_of

PHONES = 3            # least phones of a group
NEARLY_ALL = 0.9      # least share of its phones
OTHERS = 2            # least lines of other groups that went on
LASTING = 60.0        # least seconds without a registration, as for a registration-gap
TELLING = frozenset({"server-outage", "partial-outage", "registration-gap"})   # kinds that explain a missing one
NAME_SHOWN = 60
SAID = 3
RETURN = 120.0        # seconds within which phones register once their link is back


class Stretch(NamedTuple):
    """A time in which one line had no registration; `end` is inf if it still lasts. `granted` is the duration (seconds)
    of the registration that expired, `seen` when the line was last seen before `end`."""

    start: float
    end: float
    granted: float
    seen: float
    line: LineSummary


def absent(report: Report, words: Words) -> Iterator[str]:
    """A sentence for each site that fell silent, those with the most lines first; SAID at most."""
    over = max(ends_of(report), default=-inf)
    told = by_key((line, one) for one in report.incidents if one.kind in TELLING for line in one.lines)
    found: list[tuple[int, str]] = []
    for group, members in by_key((_group(line), line) for line in report.lines).items():
        if len({line.phone for line in members}) >= PHONES and len(members) < len(report.lines):
            stretches = [one for line in members for one in _stretches(line, over, told)]
            found += [(len(together), _said(words, group, members, together)) for together in _together(stretches)
                      if _fell_silent(members, together, report, over)] \
                or [(len(together), _said_unseen(words, group, members, together)) for together in _unseen(stretches)
                    if _were_unseen(members, together, report)]
    yield from (sentence for _, sentence in sorted(found, key=lambda one: -one[0])[:SAID])


def _group(line: LineSummary) -> str:
    """The line's group, or its phone's subnet if it has none."""
    return line.group or str(network_of(line.phone) or host_of(line.phone))


def _stretches(line: LineSummary, over: float, told: Mapping[str, list[Incident]]) -> Iterator[Stretch]:
    """The times in which the line's registration had expired, nothing else of the line was seen, and no incident
    explains it. `over` is when the captures end, `told` has by line the incidents that explain a missing one."""
    rows = sorted(line.registrations, key=lambda row: row.from_)
    until, last = -inf, None
    for row in [*rows, None]:
        end = inf if row is None else row.from_
        if last is not None and until < min(end, over) and last.end in ("expired", None):
            granted = float(last.expires or 0)
            stretch = Stretch(until, end, granted, _seen_last(line, until - granted, end), line)
            if not _was_seen(stretch) and not _is_told(stretch, told):
                yield stretch
        if row is not None and (row.until or inf) > until:
            until, last = row.until or inf, row


def _times(line: LineSummary) -> list[float]:
    """When the line did anything other than register."""
    return [*(one.time for one in line.tries), *(one.first_packet or one.time for one in line.moves),
            *(time for one in line.call_spans for time in (one.from_, one.until) if time is not None)]


def _seen_last(line: LineSummary, renewed: float, end: float) -> float:
    """When the line was last seen before `end`, at the earliest `renewed`, when the expired registration was granted
    last."""
    return max((time for time in _times(line) if renewed < time < end - MINUTE), default=renewed)


def _was_seen(stretch: Stretch) -> bool:
    """Whether the line did anything else during the stretch."""
    line = stretch.line
    seen = any(stretch.start < time < min(stretch.end, line.last) - MINUTE for time in _times(line))
    return seen or (stretch.end == inf and line.last > stretch.start)


def _is_told(stretch: Stretch, told: Mapping[str, list[Incident]]) -> bool:
    return any(one.start < stretch.end and stretch.start < (one.end or inf)
               for one in told.get(stretch.line.line, ()))


def _together(stretches: Iterable[Stretch]) -> Iterator[list[Stretch]]:
    """Groups of stretches that all overlap at one time."""
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


def _unseen(stretches: Iterable[Stretch]) -> Iterator[list[Stretch]]:
    """Groups of stretches that ended within RETURN seconds, as when the link to the phones is back."""
    found: list[Stretch] = []
    for one in sorted((one for one in stretches if one.end < inf), key=lambda one: one.end):
        if found and one.end - found[0].end > RETURN:
            yield found
            found = []
        found.append(one)
    if found:
        yield found


def _were_unseen(members: Sequence[LineSummary], together: Iterable[Stretch], report: Report) -> bool:
    """Whether nothing was seen of nearly all phones of the group at one time, while others went on."""
    start, end = _unseen_in_common(together)
    return _nearly_all(members, together, start) and end - start >= LASTING \
        and _others_went_on(members, report, start, end)


def _nearly_all(members: Iterable[LineSummary], together: Iterable[Stretch], start: float) -> bool:
    """Whether the stretches cover nearly all phones of the group that had registered before `start`."""
    known = {line.phone for line in members if any(row.from_ < start for row in line.registrations)}
    return len({one.line.phone for one in together}) >= max(PHONES, NEARLY_ALL * len(known))


def _unseen_in_common(together: Iterable[Stretch]) -> tuple[float, float]:
    return max(one.seen for one in together), min(one.end for one in together)


def _others_went_on(members: Sequence[LineSummary], report: Report, start: float, end: float) -> bool:
    theirs = set(map(id, members))
    return sum(id(line) not in theirs and _renewed(line, start, end) for line in report.lines) >= OTHERS


def _fell_silent(members: Sequence[LineSummary], together: Iterable[Stretch], report: Report, over: float) -> bool:
    """Whether nearly all phones of the group had no registration at one time, while others went on."""
    start, end = _in_common(together)
    first = min(one.start for one in together)
    return _nearly_all(members, together, start) and min(end, over) - start >= LASTING \
        and start - first <= max(one.granted for one in together) and _others_went_on(members, report, first, end)


def _renewed(line: LineSummary, start: float, end: float) -> bool:
    """Whether a registration of the line that began at least LASTING seconds before `end` was last granted after
    `start`."""
    return any(row.until is not None and row.expires is not None and row.from_ < end - LASTING
               and row.until - row.expires > start for row in line.registrations)


def _in_common(together: Iterable[Stretch]) -> tuple[float, float]:
    return max(one.start for one in together), min(one.end for one in together)


def _said(words: Words, group: str, members: Iterable[LineSummary], together: Iterable[Stretch]) -> str:
    """`The registrations of all 10 phones of Site A had run out by 12:10:40, and ...`"""
    start, end = _in_common(together)
    whose = _whose(members, together)
    until = "by the end of the captures" if end == inf else f"before {words.time(end)}"
    return (f"The registrations of {whose} of {shortened(group, NAME_SHOWN)} had run out at {words.time(start)}, and "
            f"none was renewed {until}, while other phones went on: their power or the link to them may have failed, "
            "or the captures do not show them any more.")


def _said_unseen(words: Words, group: str, members: Iterable[LineSummary], together: Iterable[Stretch]) -> str:
    """`Nothing was seen of all 10 phones of Site A from 12:10:00 to 12:15:00, in which ...`"""
    start, end = _unseen_in_common(together)
    return (f"Nothing was seen of {_whose(members, together)} of {shortened(group, NAME_SHOWN)} from "
            f"{words.time(start)} to {words.time(end)}, and their registrations ran out, while other phones went on: "
            "their power or the link to them may have failed, or the captures did not show them.")


def _whose(members: Iterable[LineSummary], together: Iterable[Stretch]) -> str:
    """`all 10 phones`, `9 of 10 phones`."""
    gone, known = len({one.line.phone for one in together}), len({line.phone for line in members})
    return f"all {count_of(gone, 'phone')}" if gone == known else f"{gone} of {count_of(known, 'phone')}"
