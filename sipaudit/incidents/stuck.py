"""stuck-on-secondary and stale-dns: lines at a server that they should have left."""

from __future__ import annotations

from collections.abc import Mapping, Set
from math import inf

from sipaudit.incidents.draft import TOGETHER, Draft, Drafts, Watched, let_go
from sipaudit.incidents.outage import Outage
from sipaudit.incidents.servers import ServerWatch
from sipaudit.incidents.timers import Timers
from sipaudit.model.conditions.overdue import LONG_CALL
from sipaudit.model.events import EntryChanged, Sent
from sipaudit.model.packets import MOVERS
from sipaudit.model.reach import LONG_AGO
from sipaudit.model.settings import Mode, Regime, ServerEntry
from sipaudit.model.state import Call, PhoneState, Stay
from sipaudit.model.timers import renewal
from sipaudit.turned_away import has_room

RENEWED_WITHIN = 0.5   # seconds: a binding that has just run out may be renewed this late
IDLE_FOR = 5.0         # seconds after a call before a return is overdue (B5)
LISTED_KEPT = 32       # servers that an entry once listed
LINES_KEPT = 100_000


class Stuck:
    """Lines that do not return to their primary, by primary, for as long as they are registered."""

    def __init__(self, thresholds: Mapping[str, float], drafts: Drafts, timers: Timers, outages: Mapping[str, Outage],
                 servers: Mapping[str, ServerWatch]) -> None:
        self._factor = thresholds["factor"]
        self._drafts = drafts
        self._timers = timers
        self._outages = outages
        self._servers = servers
        self._open: dict[str, tuple[Draft, set[int]]] = {}

    def sent(self, request: Sent, subject: Watched, phone: PhoneState) -> None:
        """A request of a line to its working server, which may not be the one where it belongs; `phone` is the state
        before it."""
        stay = subject.state.stays[subject.track]
        if stay is None or stay.server != request.server or stay.first is None or not stay.failed:
            return
        entry = subject.profile().entry
        primary = entry.primary if entry is not None else None
        if entry is None or primary is None or primary.key == stay.server or subject.fallback:
            return
        limit = self._limit(primary.key, entry, subject, stay)
        busy = any(not _may_be_over(call, stay, subject, request.time) for call in phone.calls)
        if request.time > limit and not busy and request.time > phone.quiet + IDLE_FOR:
            self._is_stuck(primary.key, subject, limit, request)

    def _limit(self, primary: str, entry: ServerEntry, subject: Watched, stay: Stay) -> float:
        """The time from which the line counts as stuck: several failback delays after it could have returned; inf while
        nothing shows that it could. A request to the primary that failed since the line left still counts against the
        server (section 1, *failure*), and so does any other outcome of the line's tries to return: it rightly stays
        where it is (F11)."""
        server, delay = self._servers.get(primary), _delay(entry, subject, stay)
        if server is None or delay is None or primary in self._outages:
            return inf
        tried = max((one.time for one in stay.tries if one.server == primary), default=LONG_AGO)
        back = max(server.restored, stay.arrived.time, server.failed_last(subject.owner), tried)
        serves_others = server.answered > back + delay and len(server.users) > 1
        return back + self._factor * delay if serves_others else inf

    def _is_stuck(self, primary: str, subject: Watched, limit: float, request: Sent) -> None:
        draft, numbers = self._open.get(primary, (None, set[int]()))
        if draft is None:
            draft = self._drafts.series("stuck-on-secondary", primary, subject.entry, limit, TOGETHER)
            draft.end = None
            self._open[primary] = draft, numbers
        if subject.number not in numbers:
            numbers.add(subject.number)
            draft.start = min(draft.start, limit)
            draft.add([subject], request)
            self._look_later(primary, subject, request.time)

    def _look_later(self, primary: str, subject: Watched, now: float) -> None:
        until = max([now, *(binding.until for binding in subject.state.bindings)])
        self._timers.at(until + RENEWED_WITHIN, self._look, (primary, subject.number, until))

    def _look(self, looked_at: tuple[str, int, float]) -> None:
        """A line whose bindings have all expired is nowhere: its phone may be off."""
        primary, number, ended = looked_at
        draft, numbers = self._open.get(primary, (None, set[int]()))
        subject = None if draft is None else draft.lines.get(number)
        if subject is None or number not in numbers:
            return
        bindings = subject.state.bindings
        if any(binding.until > ended for binding in bindings):
            self._look_later(primary, subject, ended)
        elif bindings:
            self._without(primary, {number}, ended)

    def works(self, subject: Watched, server: str, time: float) -> None:
        """A line works with this server now."""
        if server in self._open:
            self._without(server, {subject.number}, time)

    def release(self, lines: Set[int], now: float) -> None:
        """These lines were forgotten."""
        for server in list(self._open):
            self._without(server, lines, now)

    def _without(self, server: str, lines: Set[int], time: float) -> None:
        draft, numbers = self._open[server]
        numbers -= lines
        if not numbers:
            draft.end = time
            del self._open[server]


def _may_be_over(call: Call, stay: Stay, subject: Watched, now: float) -> bool:
    """Whether the call may have ended unseen: in R2, a call through a server that the line has left ends without a BYE
    (F9).
    """
    gone = call.server != stay.server and call.began < stay.arrived.time
    return gone and subject.profile().settings.regime is Regime.R2 and now > stay.arrived.time + LONG_CALL


def _delay(entry: ServerEntry, subject: Watched, stay: Stay) -> float | None:
    """The failback delay of a line (reference-model.md 3, D) in seconds; None if it is unknown or infinite."""
    settings = subject.profile().settings
    if settings.mode is Mode.DURATION:
        return settings.failback_timeout or None
    if settings.mode is Mode.DNSTTL:
        ttls = [answer.ttl_high for answer in subject.state.answers[-1:]]
        ttls += [] if entry.dns_ttl is None else [float(entry.dns_ttl)]
        return max(ttls, default=None) or None
    if settings.mode is Mode.REGISTRATION:
        binding = subject.state.binding(stay.server)
        if binding is None or binding.granted is None or binding.expires == inf:
            return None
        return renewal(binding.expires, settings) or None
    return None


class StaleNames:
    """Requests to addresses that a newer DNS answer no longer lists, after the older answer has expired."""

    def __init__(self, drafts: Drafts) -> None:
        self._drafts = drafts
        self._listed: dict[int, dict[str, None]] = {}
        self.gone: dict[int, dict[str, float]] = {}

    def changed(self, event: EntryChanged, subject: Watched) -> None:
        """An entry of the line has another list, or another expiry."""
        entry = subject.profile().entry
        if entry is None:
            return
        if subject.number not in self._listed and not has_room(self._listed, LINES_KEPT, "watched-lines"):
            return
        listed = self._listed.setdefault(subject.number, {})
        now = dict.fromkeys(server.key for server in entry.servers)
        if event.reordered:
            self._vanished(event, subject, [key for key in listed if key not in now])
        for key in now:
            self.gone.get(subject.number, {}).pop(key, None)
            if key in listed or has_room(listed, LISTED_KEPT, "watched-lines"):
                listed[key] = None

    def release(self, lines: Set[int]) -> None:
        """These lines were forgotten."""
        let_go(lines, self._listed, self.gone)

    def _vanished(self, event: EntryChanged, subject: Watched, keys: list[str]) -> None:
        """These servers are no longer listed: a phone may use them until the previous answer expires."""
        before = [answer.until for answer in subject.state.answers if answer is not event]
        gone = self.gone.setdefault(subject.number, {})
        for key in keys:
            gone.setdefault(key, max([*before[-1:], event.time]))

    def sent(self, request: Sent, subject: Watched) -> None:
        """A request of a line."""
        since = self.gone.get(subject.number, {}).get(request.server)
        if since is None or request.time <= since or request.in_dialog or request.expires == 0 \
                or request.method not in MOVERS or _lists(subject, request.server):
            return
        draft = self._drafts.series("stale-dns", request.server, subject.entry, request.time, TOGETHER)
        draft.add([subject], request)


def _lists(subject: Watched, server: str) -> bool:
    """Whether the line's entry lists the server, even if an answer for another entry, or for an earlier declaration,
    does not."""
    entry = subject.profile().entry
    return entry is not None and entry.priority(server) is not None
