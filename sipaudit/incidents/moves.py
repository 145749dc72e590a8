"""flapping and split-brain: incidents found from the moves of an entry's lines."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Set

from sipaudit.incidents.draft import Draft, Drafts, Watched
from sipaudit.incidents.outage import Outage
from sipaudit.incidents.servers import ServerWatch
from sipaudit.incidents.timers import Timers
from sipaudit.model.events import ModelEvent
from sipaudit.model.history import MoveSeen
from sipaudit.model.reach import LONG_AGO
from sipaudit.model.settings import LineSettings, Regime
from sipaudit.turned_away import has_room, turned_away

LINES_KEPT = 100_000
LAST_MOVE = "last move"   # in the timeline of flapping, which may still go on after it
TELLING = frozenset({Regime.R0, Regime.R2, Regime.R3})   # regimes in which a line belongs where it works


class Flapping:
    """Lines that move again and again, by server entry (or by pair of servers if no entry is known)."""

    __slots__ = ("_drafts", "_lines", "_moves", "_often", "_open", "_quiet", "_times", "_within")

    def __init__(self, thresholds: Mapping[str, float], drafts: Drafts) -> None:
        self._lines = int(thresholds["lines"])
        self._moves = int(thresholds["moves"])
        self._within = thresholds["within"]
        self._quiet = thresholds["quiet"]
        self._drafts = drafts
        self._times: dict[int, tuple[float, ...]] = {}
        self._often: dict[str, dict[int, tuple[float, Watched, ModelEvent]]] = {}
        self._open: dict[str, Draft] = {}

    def moved(self, subject: Watched, move: MoveSeen) -> None:
        """A line moved."""
        times = self._times.get(subject.number, ())
        if not times and not has_room(self._times, LINES_KEPT, "watched-lines"):
            return
        times = self._times[subject.number] = (*times, move.time)[-self._moves:]
        key = subject.entry or " ".join(sorted((move.source, move.target)))
        if len(times) == self._moves and not self._note(key, times[0], subject, move):
            return
        often = self._often.get(key, {})
        draft = self._open.get(key)
        if draft is not None and move.time - (draft.end or 0.0) <= self._quiet:
            if subject.number in draft.lines or often.get(subject.number, (LONG_AGO,))[0] >= draft.start:
                draft.end = move.time
                draft.add([subject], move.evidence[-1])
            return
        self._may_open(key, subject, move)

    def _note(self, key: str, first: float, subject: Watched, move: MoveSeen) -> bool:
        """Note that a line has moved often since `first`. Returns whether there was room: without an entry, each pair
        of servers is a key."""
        often = self._often.get(key)
        if often is None:
            if not has_room(self._often, LINES_KEPT, "watched-lines"):
                return False
            often = self._often[key] = {}
        often[subject.number] = first, subject, move.evidence[-1]
        return True

    def _may_open(self, key: str, subject: Watched, move: MoveSeen) -> None:
        """Open an incident if enough lines have moved often enough within one span."""
        often = self._often.get(key, {})
        for number in [number for number, (first, _, _) in often.items() if move.time - first > self._within]:
            del often[number]
        if len(often) < self._lines:
            return
        self._open[key] = draft = Draft("flapping", min(first for first, _, _ in often.values()), None, subject.entry)
        draft.end, draft.quiet = move.time, self._quiet
        self._drafts.open(draft)
        for _, one, event in often.values():
            draft.add([one], event)

    def forget(self, before: float) -> None:
        """Forget the moves before that time."""
        self._times = {number: times for number, times in self._times.items() if times[-1] >= before}
        self._open = {key: draft for key, draft in self._open.items() if draft.goes_on_after(before)}
        self._thin(before)

    def release(self, lines: Set[int]) -> None:
        """These lines were forgotten."""
        self._times = {number: times for number, times in self._times.items() if number not in lines}
        self._thin(LONG_AGO)

    def _thin(self, before: float) -> None:
        """Keep among the lines that move often only those whose moves are still stored and recent enough to count."""
        self._often = {key: kept for key, often in self._often.items() if (kept := {
            number: one for number, one in often.items()
            if number in self._times and one[0] >= before - self._within})}


class Spread:
    """How the lines of one entry are spread over servers. `home`: the server at which all lines work but those in
    `elsewhere`; `counts`: the number of lines at each server; `since`: when two servers came to have enough of them;
    `looks_later`: whether a timer is set to look again; `draft`: the incident."""

    __slots__ = ("counts", "draft", "elsewhere", "home", "lines", "looks_later", "since")

    def __init__(self, home: str) -> None:
        self.home = home
        self.elsewhere: dict[int, str] = {}
        self.counts: Counter[str] = Counter()
        self.lines: dict[int, Watched] = {}
        self.since: float | None = None
        self.looks_later = False
        self.draft: Draft | None = None

    def works(self, subject: Watched, server: str) -> None:
        """The line, not counted so far, works with this server now."""
        self.counts[server] += 1
        self.lines[subject.number] = subject
        if server != self.home:
            self.elsewhere[subject.number] = server

    def left(self, number: int) -> None:
        """Stop counting a line at its server."""
        self.counts[self.elsewhere.pop(number, self.home)] -= 1

    def where(self) -> Iterator[tuple[str, Watched]]:
        """All lines, each with its server."""
        home, elsewhere = self.home, self.elsewhere.get
        return ((elsewhere(number, home), subject) for number, subject in self.lines.items())


class SplitBrain:
    """Entries whose lines work with two servers at the same time."""

    __slots__ = ("_count", "_drafts", "_entries", "_lasting", "_outages", "_servers", "_share", "_timers")

    def __init__(self, thresholds: Mapping[str, float], drafts: Drafts, timers: Timers,
                 outages: Mapping[str, Outage], servers: Mapping[str, ServerWatch]) -> None:
        self._share = thresholds["share"]
        self._lasting = thresholds["lasting"]
        self._drafts = drafts
        self._timers = timers
        self._outages = outages
        self._servers = servers
        self._entries: dict[str, Spread] = {}
        self._count = 0

    def works(self, subject: Watched, server: str, time: float) -> None:
        """A line now works with a server that it did not work with before. Lines that may fall back to another entry
        are ignored."""
        entry = subject.entry
        if entry is None or not subject.belongs or subject.fallback:
            return
        spread = self._entries.get(entry)
        if spread is None:
            spread = self._entries[entry] = Spread(server)
        number = subject.number
        if number in spread.lines:
            spread.left(number)
        elif self._count >= LINES_KEPT:
            turned_away("watched-lines")
            return
        else:
            self._count += 1
        spread.works(subject, server)
        self._look(entry, spread, time)

    def release(self, lines: Set[int], now: float) -> None:
        """These lines were forgotten."""
        for entry, spread in list(self._entries.items()):
            gone = spread.lines.keys() & lines
            for number in gone:
                spread.left(number)
                del spread.lines[number]
            self._count -= len(gone)
            if gone:
                spread.counts = Counter({server: count for server, count in spread.counts.items() if count})
                self._look(entry, spread, now)
            if not spread.lines:
                del self._entries[entry]

    def _look(self, entry: str, spread: Spread, time: float) -> None:
        """Check whether the lines are spread over two servers."""
        if spread.draft is not None and self._is_of_an_outage(spread, spread.draft):
            self._drafts.withdraw(spread.draft)
            spread.draft, spread.since = None, None
        enough = self._share * len(spread.lines)
        counts = spread.counts
        if len(counts) < 2 or sum(count >= enough and count > 0 for count in counts.values()) < 2:
            spread.since = None
            if spread.draft is not None:
                spread.draft.end = time
                spread.draft = None
        elif spread.since is None:
            spread.since = time
            self._look_later(entry, spread, time + self._lasting)

    def _look_later(self, entry: str, spread: Spread, time: float) -> None:
        if not spread.looks_later:
            spread.looks_later = True
            self._timers.at(time, self._lasted, entry)

    def _is_of_an_outage(self, spread: Spread, draft: Draft) -> bool:
        """Whether one of the servers had already failed, which was not known at the time as few requests went to it."""
        outages = (self._outages.get(server) for server in spread.counts)
        return any(outage is not None and outage.start <= draft.start for outage in outages)

    def _two(self, spread: Spread, now: float) -> dict[str, list[Watched]]:
        """The servers of unequal priority that have enough of the entry's lines, with these lines; only lines count
        that are registered at `now` and that may not have gone elsewhere unread."""
        lines = [(server, subject) for server, subject in spread.where()
                 if _is_registered(subject, server, now) and not subject.unread]
        counts = Counter(server for server, _ in lines)
        most = {server for server, count in counts.items() if count >= self._share * len(lines)}
        ranks = {_priority(subject, server) for server, subject in lines if server in most}
        if len(most) < 2 or len(ranks) < 2:
            return {}
        return {server: [subject for there, subject in lines if there == server] for server in sorted(most)}

    def _lasted(self, entry: str) -> None:
        """A timer after the lines began to be spread: only time outside of outages counts."""
        spread, now = self._entries.get(entry), self._timers.now
        if spread is None:
            return
        spread.looks_later = False
        if spread.since is None or spread.draft is not None:
            return
        servers = {server for server, _ in spread.where()}
        out = any(server in self._outages for server in servers)
        ended = max((self._servers[server].restored for server in servers if server in self._servers), default=LONG_AGO)
        since = now if out else max(spread.since, ended)
        if now < since + self._lasting or now <= spread.since:
            self._look_later(entry, spread, since + self._lasting)
            return
        two = self._two(spread, now)
        seen = (self._servers.get(server) for server in two)
        if len(two) < 2 or any(one is not None and one.is_out_of_sight(since, now) for one in seen):
            self._look_later(entry, spread, now + self._lasting)
            return
        spread.draft = draft = _split(entry, since, two)
        self._drafts.open(draft)


def _split(entry: str, since: float, two: Mapping[str, list[Watched]]) -> Draft:
    """The incident: lines of an entry work at two servers since then."""
    draft = Draft("split-brain", since, None, entry)
    for server, subjects in two.items():
        draft.add(subjects)
        stay = subjects[0].state.stays[subjects[0].track]
        if stay is not None:
            draft.evidence.append((stay.arrived, subjects[0]))
        lines = "1 line works" if len(subjects) == 1 else f"{len(subjects)} lines work"
        draft.happened(since, f"{lines} with {subjects[0].server(server)}")
    return draft


def belongs(settings: LineSettings) -> bool:
    """Whether a line with these settings says something about where it belongs: not in R1, where old registrations are
    used by right, nor where that may be, nor when it registers with all servers at once."""
    return settings.regime in TELLING and not settings.can_be("concurrentRegistration", 1)


def _is_registered(subject: Watched, server: str, now: float) -> bool:
    """Whether the line is there still: what was unplugged long ago is spread over nothing."""
    held = [binding for binding in subject.state.bindings if binding.until > now]
    return any(binding.server == server for binding in held) or \
        (subject.profile().settings.regime is Regime.R0 and bool(held))


def _priority(subject: Watched, server: str) -> int | None:
    entry = subject.profile().entry
    return None if entry is None else entry.priority(server)
