"""Describes incidents: a few sentences for each kind, with servers by their shortest name and times by the clock."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from copy import copy
from datetime import tzinfo
from math import inf

from msgspec.structs import replace

from sipaudit.incidents.chronicle import STOP, UNSEEN
from sipaudit.incidents.course import ANSWERS_AGAIN, BEFORE, HUNG, NOTHING, OTHER_PHONES
from sipaudit.incidents.moves import LAST_MOVE
from sipaudit.incidents.outage import OUTAGE
from sipaudit.model.values import Incident, Report
from sipaudit.report.manners import entry_of, failed, failed_before, freed, logged_out, tells, unwatched
from sipaudit.report.names import short_names
from sipaudit.report.no_server import Without, without_any
from sipaudit.report.often import each, times
from sipaudit.report.screen import brief, count_of, grouped
from sipaudit.report.when import last_asked, lasting, style_of
from sipaudit.report.why import causes
from sipaudit.times import TimeStyle, format_time

GROUPS_SHOWN = 8
COUNTED = frozenset({"calls-lost", "overload"})   # kinds whose sentences have counts of their own


class Words:
    """Makes the sentences that describe incidents."""

    def __init__(self, clock: tzinfo, names: Mapping[str, str], style: TimeStyle, alone: bool,
                 unasked_since: Mapping[str, float], without: Mapping[str, Without]) -> None:
        """`names`: of servers; `alone`: every phone has one line; `unasked_since`: when servers that got no request in
        the last minutes got their last one; `without`: by incident id, when an entry had no server left."""
        self._clock = clock
        self._names = names
        self._style = style
        self._alone = alone
        self._unasked_since = unasked_since
        self._without = without
        self.again: Sequence[Incident] = ()     # those described as one
        self.outages: Sequence[Incident] = ()   # all outages in the report
        self.known: frozenset[str] = frozenset()   # sentences on the captures that stand above

    def over(self, incidents: Sequence[Incident]) -> Words:
        """A copy that describes these incidents as one."""
        words = copy(self)
        words.again = incidents
        return words

    def after(self, said: Iterable[str]) -> Words:
        """A copy that does not repeat these sentences, which stand above."""
        words = copy(self)
        words.known = self.known | frozenset(said)
        return words

    def of(self, incident: Incident) -> list[str]:
        """The sentences that describe an incident."""
        say = SAID.get(incident.kind)
        if say is None:
            return [f"{incident.kind}{self.at(incident)} {self.span(incident)}.", *self.unseen(incident)]
        return [*say(self, incident), *self.unseen(incident), *self.nobody_left(incident)]

    def server(self, server: str | None) -> str:
        return "A server" if server is None else self._names.get(server, brief(server))

    def time(self, seconds: float) -> str:
        return format_time(seconds, self._clock, self._style).rpartition(".")[0] or format_time(seconds, self._clock)

    def span(self, incident: Incident) -> str:
        """`from 12:03:04 to 12:09:10`, or `from 12:03:04 on` while it lasts."""
        since = f"{self.time(incident.start)}{', or before,' if tells(incident, BEFORE) else ''}"
        if incident.end is None:
            span = f"from {since} on"
        elif incident.end == incident.start:
            span = f"at {self.time(incident.start)}"
        else:
            span = f"from {since} to {self.time(incident.end)}"
        alone = not self.again or incident.kind in COUNTED
        return span if alone else f"{times(len(self.again))} {span}{each(self.again)}"

    def unasked(self, incident: Incident) -> str:
        """For an incident that lasts, that nobody asked its server again: it may have ended long ago."""
        since = self._unasked_since.get(incident.server or "")
        return "" if incident.end is not None or since is None else f"; nobody asked it again after {self.time(since)}"

    def at(self, incident: Incident) -> str:
        return "" if incident.server is None else f" at {self.server(incident.server)}"

    def lines(self, count: int) -> str:
        """`3 phones` if every phone has one line, otherwise `3 lines`."""
        return count_of(count, "phone" if self._alone else "line")

    def whom(self, incident: Incident) -> str:
        """How many lines it reached; `in all` for several described as one, as not each of them reached all."""
        return self.lines(len(incident.lines)) + (" in all" if self.again else "")

    def phones(self, incident: Incident) -> str:
        """How many phones it concerned; `up to` the most of several described as one, if they differ."""
        differ = len({one.phones for one in self.again}) > 1
        return ("up to " if differ else "") + count_of(incident.phones, "phone")

    def hidden(self, incident: Incident) -> list[str]:
        """The servers of its timeline of which the captures show nothing: somebody may have been served there."""
        return [self.server(entry.what.removeprefix(UNSEEN)) for entry in incident.timeline
                if entry.what.startswith(UNSEEN)]

    def unseen(self, incident: Incident) -> Iterator[str]:
        """The sentence on servers of which the captures show nothing, unless it stands above already."""
        servers = self.hidden(incident)
        sentence = f"The captures show nothing of {' and '.join(servers)}: what was done there is not known."
        if servers and sentence not in self.known:
            yield sentence

    def nobody_left(self, incident: Incident) -> Iterator[str]:
        """The sentence that no server of the entry was left, which points to something that they share."""
        without = self._without.get(incident.id)
        if without is not None:
            entry, lines, start, end = without
            span = f"from {self.time(start)} on" if end is None else f"from {self.time(start)} to {self.time(end)}"
            if lines is None:
                yield (f"No server of {entry} was left {span}: what they share, the network to them or a name server, "
                       "may have failed.")
            else:
                yield (f"No server of {entry} was left to {self.lines(lines)} {span}: the network between may have "
                       "failed.")

    def why(self, incident: Incident) -> Iterator[str]:
        """Which servers kept the lines of a gap from registering, and how; for several gaps described as one, only what
        is true of all."""
        gaps = self.again or [incident]
        said = [dict.fromkeys(f"{self.server(server)} {how}." for server, how in causes(one, self._out(one)))
                for one in gaps]
        yield from (sentence for sentence in said[0] if all(sentence in told for told in said))

    def _out(self, gap: Incident) -> frozenset[str]:
        """The servers with an outage during the gap."""
        return frozenset(one.server or "" for one in self.outages
                         if one.start <= (gap.end or inf) and gap.start <= (one.end or inf))

    def groups(self, incident: Incident) -> Iterator[str]:
        """`Affected: 40 of 42 phones of Site A, 3 of 9 of B.`, where it reached several groups or a part of one."""
        shares = [f"{grouped(share.lines)} of {grouped(share.of) if place else self.lines(share.of)} of {share.group}"
                  for place, share in enumerate(incident.groups[:GROUPS_SHOWN])]
        if shares:
            yield f"Affected: {', '.join(shares)}."


def words_of(report: Report, clock: tzinfo) -> Words:
    """The words for a report's incidents; times have their day if the captures span several."""
    alone = len({line.phone for line in report.lines}) == len(report.lines)
    words = Words(clock, short_names(report.servers), style_of(report, clock), alone,
                  last_asked(report), without_any(report))
    words.outages = [incident for incident in report.incidents if incident.kind == OUTAGE]
    return words


def _outage(words: Words, incident: Incident) -> Iterator[str]:
    again = entry_of(incident, ANSWERS_AGAIN)
    last = "" if again is None or incident.end is not None else (
        f"; it answered again at {words.time(again.time)}, shortly before the capture ends")
    after = last or words.unasked(incident)
    yield f"{words.server(incident.server)} {_how(words, incident)}{after}."
    some = freed(incident)
    if some is not None:
        yield f"It answered {some[0]} of them again from {words.time(some[1])} on."
    if tells(incident, HUNG):
        yield "Then it answered at once what it had been asked meanwhile, as one does that hung."
    if not words.again:
        yield from unwatched(incident)
    yield from _reaction(words, incident)
    yield from words.groups(incident)


def _how(words: Words, incident: Incident) -> str:
    """How the server failed, and when; and from when on it did not answer at all, if it failed otherwise before."""
    total = entry_of(incident, NOTHING)
    if total is None:
        return f"{failed(incident, words.phones(incident))} {words.span(incident)}"
    whole = words.span(replace(incident, start=total.time))
    before = failed_before(incident)
    return f"{before} from {words.time(incident.start)} on, and did not answer at all {whole}"


def _partial(words: Words, incident: Incident) -> Iterator[str]:
    some = ", though it took those of others," if tells(incident, OTHER_PHONES) else ""
    yield (f"{words.server(incident.server)} answered registrations but let the calls of "
           f"{words.whom(incident)} run out{some} {words.span(incident)}.")
    yield from _reaction(words, incident)
    yield from words.groups(incident)


def _reaction(words: Words, incident: Incident) -> Iterator[str]:
    """How many lines of a failed server moved, how fast, and how many lost all registrations."""
    metrics = incident.metrics
    moved, stayed = metrics.get("lines_moved") or 0, metrics.get("lines_stayed") or 0
    if words.again:
        moves = f", with {count_of(int(moved), 'move')} to other servers" if moved else ""
        yield f"Affected in all: {words.lines(len(incident.lines))}{moves}."
        return
    if moved or stayed:
        median = metrics.get("time_to_recover_p50")
        stop = next((entry for entry in incident.timeline if entry.what.startswith(STOP)), None)
        since = "" if stop is None else f", counted from the known stop at {words.time(stop.time)}"
        middle = " (median)" if moved > 1 else ""
        within = f" in {lasting(median)}{middle}{since}" if moved and median is not None else ""
        known = len(incident.lines) if tells(incident, OTHER_PHONES) else int(moved + stayed)
        who = words.lines(1) if known == 1 else f"{grouped(int(moved)) if moved else 'None'} of {words.lines(known)}"
        if moved or known > 1:
            yield f"{who} {'moved' if moved or not words.hidden(incident) else 'was seen to move'}{within}."
        else:
            yield f"{who} {'was not seen to' if words.hidden(incident) else 'did not'} move."
    if metrics.get("registrations_lost"):
        yield f"{words.lines(int(metrics['registrations_lost'] or 0))} lost every registration."


def _overload(words: Words, incident: Incident) -> Iterator[str]:
    yield (f"{words.server(incident.server)} refused {words.whom(incident)} with "
           f"{count_of(int(incident.metrics.get('responses_503') or 0), 'response')} 503 {words.span(incident)}.")
    yield from words.groups(incident)


def _storm(words: Words, incident: Incident) -> Iterator[str]:
    peak, median = incident.metrics.get("register_rate_peak") or 0, incident.metrics.get("register_rate_median") or 0
    server = words.server(incident.server)
    hit = f"{words.whom(incident)} hit {server} with" if incident.lines else f"{server} was hit by"
    yield f"{hit} up to {peak:g} REGISTERs a second (usual: {median:g}) {words.span(incident)}."
    out = logged_out(incident)
    if out and not words.again:
        yield f"{out} of them logged out."
    yield from words.groups(incident)


def _flapping(words: Words, incident: Incident) -> Iterator[str]:
    last = next((entry for entry in incident.timeline if entry.what == LAST_MOVE), None)
    so_far = "" if last is None or incident.end is not None else f"; the last move was at {words.time(last.time)}"
    yield f"{words.whom(incident)} kept moving between servers {words.span(incident)}{so_far}."
    yield from words.groups(incident)


def _split(words: Words, incident: Incident) -> Iterator[str]:
    entry = incident.entry or "an entry"
    yield f"The lines of {entry} were spread over two servers that both answered {words.span(incident)}."
    yield from words.groups(incident)


def _stuck(words: Words, incident: Incident) -> Iterator[str]:
    yield (f"{words.whom(incident)} did not return to {words.server(incident.server)}, which served "
           f"others, {words.span(incident)}.")
    yield from words.groups(incident)


def _gap(words: Words, incident: Incident) -> Iterator[str]:
    yield f"{words.whom(incident)} had no registration anywhere {words.span(incident)}."
    yield from words.why(incident)
    yield from words.groups(incident)


def _calls_lost(words: Words, incident: Incident) -> Iterator[str]:
    metrics, at = incident.metrics, words.at(incident)
    if metrics.get("emergency_failed"):
        yield f"{count_of(int(metrics['emergency_failed'] or 0), 'emergency call')} failed{at}."
    if metrics.get("calls_failed"):
        yield f"{count_of(int(metrics['calls_failed'] or 0), 'call')} could not be made{at} {words.span(incident)}."
    if metrics.get("calls_lost"):
        lost = int(metrics["calls_lost"] or 0)
        were = "was" if lost == 1 else "were"
        it = "it" if metrics.get("calls_failed") else words.server(incident.server)
        when = "" if words.again else f" at {words.time(incident.start)}"
        yield f"{count_of(lost, 'call')} that {were} up through {it}{when} {were} not heard of again."


def _ghosts(words: Words, incident: Incident) -> Iterator[str]:
    yield (f"Calls of {words.whom(incident)} lived on{words.at(incident)} that the phones had forgotten, "
           f"{words.span(incident)}.")


def _dead(words: Words, incident: Incident) -> Iterator[str]:
    yield (f"{words.whom(incident)} did not renew subscriptions after leaving "
           f"{words.server(incident.server)}, {words.span(incident)}.")


def _stale(words: Words, incident: Incident) -> Iterator[str]:
    yield (f"{words.whom(incident)} went on using {words.server(incident.server)}, which DNS no longer "
           f"lists, {words.span(incident)}.")


Saying = Callable[[Words, Incident], Iterator[str]]
SAID: dict[str, Saying] = {   # the gravest first
    "server-outage": _outage, "partial-outage": _partial, "calls-lost": _calls_lost, "registration-gap": _gap,
    "overload": _overload, "ghost-calls": _ghosts, "stuck-on-secondary": _stuck, "split-brain": _split,
    "register-storm": _storm, "flapping": _flapping, "dead-subscriptions": _dead, "stale-dns": _stale,
}
