"""The route from items to judged steps, for captures as well as for a live port."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from math import inf
from typing import Any

from sipaudit.capture.health import CaptureHealth
from sipaudit.incidents.chronicle import Chronicle
from sipaudit.incidents.known import KnownEvents, called
from sipaudit.incidents.minutes import as_reported, wanted_minutes
from sipaudit.incidents.settled import Settled
from sipaudit.model.captures import CaptureSummary, ServerMinute, ServerSummary
from sipaudit.model.events import ModelEvent
from sipaudit.model.profile import vouched
from sipaudit.model.values import Finding, KnownEvent, moment
from sipaudit.reconstruct.phones import Line
from sipaudit.reconstruct.reconstruction import FILE_BOUNDS, Reconstruction
from sipaudit.reconstruct.servers import Server
from sipaudit.reconstruct.whose import Note
from sipaudit.run.auditor import Auditor
from sipaudit.run.brief import Brief
from sipaudit.run.budget import Budget
from sipaudit.run.holes import hole
from sipaudit.run.issue_findings import issue_findings
from sipaudit.run.lost import lost
from sipaudit.run.naming import Locate, Naming
from sipaudit.run.profiles import Profiles
from sipaudit.run.summary import capture_summary
from sipaudit.safe_text import safe_path
from sipaudit.sip.datagram import Datagram, Item
from sipaudit.sip.forms import Form, Repeat
from sipaudit.sip.message import Message
from sipaudit.sip.parse import tighten as tighten_parser
from sipaudit.times import Span

EVENTS_KEPT = 1_000      # events found, beside those of the site file and the command line
FRAMES_KEPT = 50_000    # messages of several frames whose frames are stored
LEARNT = ("reconstruction", "auditor", "naming", "_frames", "_first")   # attributes of a route that a checkpoint stores

Listener = Callable[[ModelEvent], None]


class Route:
    """Items in; phones, lines and findings about them out.

    `brief` holds the declarations and the rules in force, `health` has one entry for each capture or source, `first` is
    the time since when they show all; `span` is the period reported. `note` is called with every message and the phone
    and line it belongs to; `place` tells where packets can be found, if not by number in their capture. With a `budget`
    the route has no end: old state can be forgotten (`forget`), and a full table makes room for new items.
    """

    __slots__ = ("_budget", "_first", "_frames", "_named", "_own_events", "auditor", "brief", "health", "known_events",
                 "naming", "reconstruction", "settled", "span")

    def __init__(self, brief: Brief, span: Span, first: float, health: Sequence[CaptureHealth], *,
                 note: Note | None = None, place: Locate | None = None, budget: Budget | None = None) -> None:
        self.brief = brief
        self._budget = budget
        self.span = span
        self.health = health
        self._first = first
        self.known_events = _known(brief, first)
        self._own_events: list[KnownEvent] = []
        self._named: dict[str, str] = {}
        self._frames: dict[tuple[int, int], tuple[int, ...]] = {}
        self.reconstruction = self.reconstructing(note)
        servers = self.reconstruction.servers
        self.naming = Naming([safe_path(one.path) for one in health], self.server, servers.knows, servers.connects,
                             self.skew, self._frames, place)
        profiles = Profiles(first, self._steps, self._unconnected)
        profiles.obey(brief.site.tolerances, brief.pack.tolerances_of(brief.site.tolerances))
        self.auditor = Auditor(brief.pack.rules, self.reconstruction.lines, self.reconstruction.phones, self.naming,
                               profiles, brief.pack.incidents, since=span.start, loss=self.loss,
                               rolling=budget is not None)
        if budget is not None:
            self.reconstruction.when_dropped(self.auditor.release)
            self.tighten(budget)
        self.settled = Settled()
        self.reconstruction.when_silent(self._after_silence)

    def reconstructing(self, note: Note | None) -> Reconstruction:
        """A new reconstruction, which numbers phones and lines exactly as every other one of this route does."""
        bounds = FILE_BOUNDS if self._budget is None else self._budget.reconstruct
        return Reconstruction(self.brief.declared, note=note, bounds=bounds)

    def follow(self, item: Item | Repeat, message: Message | None, form: Form | None = None) -> Sequence[ModelEvent]:
        """Process one item, from reconstruction to judgement. Returns the events that it made."""
        if (type(item) is Datagram or type(item) is Repeat) and item.frames:
            self.remember([item])
        events = self.reconstruction.feed(item, message, form)
        if events:
            take = self.auditor.take
            for event in events:
                take(event)
        return events

    def forget(self, before: float, unheard: float | None = None) -> None:
        """Forget what was over and reported before that time, and the lines not seen since `unheard` (both seconds
        since the epoch)."""
        self.reconstruction.forget(before, unheard)
        self.auditor.forget(before)

    def set_back(self, before: float, now: float) -> None:
        """A clock was set back, from `before` to `now` (seconds since the epoch): the view begins anew."""
        self.auditor.set_back(before, now)
        self.reconstruction.forget(inf)

    def _after_silence(self, since: float, until: float) -> None:
        """Nothing was seen between these two moments. If phones should have sent something, they may have done
        anything, and the view begins anew."""
        if since == -inf:   # nothing at all was seen before
            since = min(self._first, until)
        what = hole(self.auditor.replays, self.health, since, until)
        if what:
            self.happened(since, what)
            self.auditor.view_begins(until)

    def happened(self, time: float, what: str) -> None:
        """Add an event to the timelines of incidents."""
        event = KnownEvent(moment(time), what)
        self._own_events = [*self._own_events[-EVENTS_KEPT + 1:], event]
        self.known_events = [*self.known_events, event][-EVENTS_KEPT - len(self.brief.events):]

    def tighten(self, budget: Budget) -> None:
        """Apply new bounds from now on: whatever exceeds them is forgotten at once."""
        self._budget = budget
        tighten_parser(budget.lines_read)
        self.reconstruction.tighten(budget.reconstruct)
        self.auditor.faults.tighten(budget.findings)
        self.auditor.watch.tighten(budget.incidents, budget.watched_servers, budget.watched_requests)

    @property
    def evicted(self) -> dict[str, int]:
        """How much the bounds evicted, or turned away, by kind."""
        return {**self.reconstruction.evicted, **self.auditor.evicted}

    @property
    def open(self) -> dict[str, int]:
        """How much is stored now, by kind."""
        return {**self.reconstruction.open, **self.auditor.open}

    def obey(self, brief: Brief) -> None:
        """Put another site file, rules and suppressions in force. Lines whose declaration changes begin anew: what they
        did before falls under the former declaration."""
        self.brief = brief
        self._named.clear()
        self.settled = Settled()
        self.known_events = _known(brief, self._first)
        self.known_events += self._own_events
        self.auditor.faults.obey(brief.pack.rules)
        self.auditor.profiles.obey(brief.site.tolerances, brief.pack.tolerances_of(brief.site.tolerances))
        self.auditor.begin_anew(self.reconstruction.declare(brief.declared))

    def state(self) -> dict[str, Any]:
        """Everything learnt, as one object graph."""
        return {name: getattr(self, name) for name in LEARNT}

    def restore(self, state: dict[str, Any]) -> None:
        """Continue from the state of another route over the same captures."""
        for name in LEARNT:
            setattr(self, name, state[name])
        if self._budget is not None:
            self.tighten(self._budget)
        self.obey(self.brief)

    def _steps(self) -> tuple[tuple[int, int, float], ...]:
        """Capture, frame and seconds of each step of a clock."""
        return tuple((index, frame, seconds) for index, health in enumerate(self.health)
                     for frame, _, seconds in health.clock_steps)

    def _unconnected(self, line: Line) -> bool:
        """Whether the line uses connections, but its phone's capture only has the messages in them."""
        return line.flow is not None and line.flow.transport != "udp" and (
            self.health[line.owner.capture].without_connections)

    def remember(self, pieced: Iterable[Datagram | Repeat]) -> None:
        """Store the frames of messages that came in several, for evidence; the oldest are forgotten."""
        for item in pieced:
            if len(self._frames) >= FRAMES_KEPT:
                del self._frames[next(iter(self._frames))]
            self._frames[item.capture, item.frame] = item.frames

    def loss(self) -> float:
        """The share of packets that the captures lack, as far as measured until now."""
        return lost(self.health, self.reconstruction.traffic)

    # -- what of it is told

    def server(self, key: str) -> str:
        """A server with its transport, such as `10.0.0.1:5060/udp`: that of its entry, otherwise the first one seen."""
        servers = self.reconstruction.servers
        if key not in self._named and servers.knows(key):
            self._named = {one.key: f"{one.key}/{_transport(one)}" for one in servers.all()}
        return self._named.get(key) or f"{key}/{servers.declared(key) or 'udp'}"

    def skew(self, _host: str) -> float:
        """By how many seconds the clocks of captures that show a host may differ: 0, since all come from one clock, or
        were aligned."""
        return 0.0

    def phone(self, number: int | None) -> str | None:
        """The address of a phone; None without a number, or for a candidate that proved to be no phone."""
        phone = None if number is None else self.reconstruction.phones.get(number)
        return phone.address if phone else None

    def line(self, number: int | None) -> str | None:
        """The AOR of a line; None without a number, or for a line of such a candidate."""
        line = None if number is None else self.reconstruction.lines.get(number)
        return line.aor if line else None

    def captures_seen(self) -> list[CaptureSummary]:
        """The captures with their health, in order."""
        traffic = self.reconstruction.traffic
        return [capture_summary(health, traffic.get(index)) for index, health in enumerate(self.health)]

    def servers_seen(self) -> list[ServerSummary]:
        """The servers by entry and priority; those without an entry last."""
        servers = [ServerSummary(self.server(server.key), server.name, server.entry.name if server.entry else None,
                                 server.priority, list(server.transports))
                   for server in self.reconstruction.servers.all()]
        return sorted(servers, key=lambda row: (row.entry or "~", row.priority or 0, row.server))

    def lines_shown(self) -> list[Line]:
        """The lines seen since the reported span began."""
        return [line for line in self.reconstruction.lines.values() if line.last >= self.span.start]

    def chronicle(self) -> Chronicle:
        """All incidents in their present state."""
        names = {one.key: called(one.key, one.name) for one in self.reconstruction.servers.all()}
        known = KnownEvents(self.known_events, names)
        return Chronicle(self.auditor.watch, self.auditor.replays.everyone, known, self.server, self.span.touches,
                         self.settled)

    def of_settings(self, lines: Iterable[Line]) -> list[Finding]:
        """The findings about the provisioning files of these lines."""
        if not self.brief.declared.provisioned:
            return []
        issues = [(issue, line.aor) for line in lines for issue in self.brief.declared.issues(
            line.identity, line.firmware, vouched(line.model, line.firmware))]
        return issue_findings(issues, self.brief.pack.settings)

    def minutes(self, wanted: Callable[[float, float], bool]) -> list[ServerMinute]:
        """Requests to servers and their answers by minute, for the wanted minutes (a filter by begin and end)."""
        return as_reported(((key, minute) for key, server in self.auditor.watch.tally.servers.items()
                            for minute in wanted_minutes(server.minutes, wanted)), self.server)


def _transport(server: Server) -> str:
    """The transport of the server in its entry, otherwise the first one seen."""
    listed = next((one for one in server.entry.servers if one.key == server.key), None) if server.entry else None
    return listed.transport if listed else next(iter(server.transports), "udp")


def _known(brief: Brief, first: float) -> list[KnownEvent]:
    """The known events given by the user; one given twice, on the command line and in the site file, counts once."""
    return list(dict.fromkeys(KnownEvent(moment(when.resolve(first)), what) for when, what in brief.events))
