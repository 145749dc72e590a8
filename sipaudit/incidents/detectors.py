"""The detectors of incidents, and what all of them are notified of: time passing, what to forget, the end."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Set
from math import inf

from sipaudit.incidents.calls import CallWatch
from sipaudit.incidents.calm import Calm
from sipaudit.incidents.draft import Draft, Drafts
from sipaudit.incidents.evidence import EvidenceWatch
from sipaudit.incidents.gaps import Gaps
from sipaudit.incidents.moves import Flapping, SplitBrain
from sipaudit.incidents.outage import Outage
from sipaudit.incidents.outages import Outages
from sipaudit.incidents.overload import Overloads
from sipaudit.incidents.refused import Refusals
from sipaudit.incidents.requests import OpenRequests
from sipaudit.incidents.servers import SEVERAL
from sipaudit.incidents.storms import Storms
from sipaudit.incidents.stuck import StaleNames, Stuck
from sipaudit.incidents.subscriptions import Subscriptions
from sipaudit.incidents.tally import Tally
from sipaudit.incidents.timers import Timers
from sipaudit.rulebook.fault import LOSS_ALLOWED
from sipaudit.rulebook.rules import IncidentKind


class Detectors:
    """All detectors, and what they share. `lossy` says whether the captures lack more packets than evidence by absence
    allows.

    Kinds that are not in `kinds` are not looked for; without server-outage there are neither partial outages nor lost
    calls. With `rolling`, full tables make room for new rows; otherwise they accept no more.
    """

    __slots__ = ("_evidence", "_flapping", "_lossy", "_names", "_overloads", "_refusals", "_rolling", "_split",
                 "_storms", "_stuck", "_subscriptions", "_thresholds", "calls", "calm", "drafts", "gaps", "kinds",
                 "outages", "requests", "tally", "timers")

    def __init__(self, kinds: Iterable[IncidentKind], lossy: Callable[[], bool], *, rolling: bool = False) -> None:
        self._thresholds = {kind.id: kind.thresholds for kind in kinds}
        self.kinds = frozenset(self._thresholds)
        self._rolling = rolling
        self._lossy = lossy
        self._begin()

    def _begin(self) -> None:
        """Start empty, as if nothing had been seen."""
        self.tally = Tally(rolling=self._rolling)
        self.drafts = Drafts(rolling=self._rolling)
        self.timers = Timers()
        self.requests = OpenRequests(rolling=self._rolling)
        self._build()

    def _build(self) -> None:
        drafts, timers, thresholds = self.drafts, self.timers, self._thresholds
        wanted = thresholds.get
        self.calls = CallWatch(drafts, timers, ghosts="ghost-calls" in thresholds)
        outage, overload, storm = wanted("server-outage"), wanted("overload"), wanted("register-storm")
        self.outages = None if outage is None else Outages(outage, drafts, timers, self.calls)
        out = {} if self.outages is None else self.outages.open
        if self.outages is not None:
            self.tally.gone = self.outages.dropped
        self._overloads = None if overload is None else Overloads(overload, drafts)
        lost_calls = None if self.outages is None else wanted("calls-lost")
        self._refusals = None if lost_calls is None else Refusals(lost_calls, drafts, out)
        self._evidence = EvidenceWatch(self.tally, timers, self.calls, self.outages, self._overloads,
                                       self._refusals)
        self._storms = None if storm is None else Storms(storm)
        flapping, split, stuck = wanted("flapping"), wanted("split-brain"), wanted("stuck-on-secondary")
        self._flapping = None if flapping is None else Flapping(flapping, drafts)
        self._split = None if split is None else SplitBrain(split, drafts, timers, out, self.tally.servers)
        self._stuck = None if stuck is None else Stuck(stuck, drafts, timers, out, self.tally.servers)
        gap = wanted("registration-gap")
        self.gaps = Gaps(inf if gap is None else gap["lasting"])
        self._subscriptions = None if wanted("dead-subscriptions") is None else Subscriptions(drafts, timers)
        self._names = None if wanted("stale-dns") is None else StaleNames(drafts)
        self.calm = Calm(timers, self.tally, self.requests, self.calls, self._evidence, self._subscriptions,
                         self.pass_time)

    # -- time passes

    def pass_time(self, now: float) -> None:
        """No event before `now` (seconds since the epoch) comes any more: settle what depends on that."""
        timers = self.timers
        if now > timers.now:
            timers.now = now
            if now >= self.requests.next_look:
                self._look_for_silence(now)
            if now >= timers.next:
                timers.pass_time(now)

    def _look_for_silence(self, now: float) -> None:
        """Find the requests that have not been answered for as long as their phones wait."""
        for waiting in self.requests.due(now):
            self._evidence.ran_out(waiting)

    def _look_once_more(self, now: float) -> None:
        """Check all requests for the last time: renewals that began before others may have been added after them."""
        self.requests.sort()
        self._look_for_silence(now)

    def finish(self, now: float) -> None:
        """The captures have ended at `now`."""
        self.pass_time(now)
        self._look_once_more(now)
        if self.outages is not None:
            self.outages.finish(now, self.tally.servers)

    # -- what may be forgotten, or is no longer true

    def forget(self, before: float) -> None:
        """Forget what was over before that time (seconds since the epoch) and has been reported. Open incidents are
        kept, and so are those that may continue after a pause of less than half an hour."""
        out = {} if self.outages is None else self.outages.open
        self.drafts.forget(before)
        self.tally.forget(before, out)
        self.calls.forget(before)
        self.gaps.forget(before)
        self._evidence.forget(before)
        for each in (self.outages, self._overloads, self._refusals, self._flapping, self._subscriptions):
            if each is not None:
                each.forget(before)

    def tighten(self, incidents: int, servers: int, requests: int) -> None:
        """Set lower bounds: so many incidents and servers, and so many requests, calls, and call attempts."""
        self.drafts.tighten(incidents)
        self.tally.tighten(servers)
        self.requests.tighten(requests)
        self.calls.tighten(requests)

    def release(self, lines: Set[int], phones: Set[int]) -> None:
        """Drop every reference to these lines and phones (numbers), which were forgotten."""
        now = self.timers.now
        self.drafts.release(lines)
        self.tally.release(lines, phones)
        self.requests.release(lines)
        self._evidence.release(lines, phones)
        if self.outages is not None:
            self.outages.release(lines, phones)
        self.calls.release(lines, phones)
        for each in (self.gaps, self._overloads, self._refusals, self._flapping, self._names):
            if each is not None:
                each.release(lines)
        for one in (self._stuck, self._subscriptions, self._split):
            if one is not None:
                one.release(lines, now)

    def view_begins(self, now: float) -> None:
        """Nothing was captured for a while until `now`: earlier requests may have been answered, and phones that held a
        server for failed may have found it working."""
        self._look_once_more(self.timers.now)
        self.tally.view_begins(self.timers.now, now)
        self.requests.clear()
        self._evidence.view_begins()
        self.gaps.view_begins()
        self.calls.view_begins(self.timers.now)
        for server in self.tally.servers.values():
            server.failing.clear()
            server.cut.clear()

    def set_back(self, now: float) -> None:
        """The clock was set back to `now`. What was found until then stands as last known, and ends. New events are
        followed as if nothing had been seen before: earlier times would lie in their future."""
        told = self.all()
        for draft in told:
            draft.close(self.timers.now)
        drafts, tally, requests, calls, timers = self.drafts, self.tally, self.requests, self.calls, self.timers
        self._begin()
        self.drafts.all, self.drafts.dropped = told, drafts.dropped
        self.tally.evicted, self.requests.evicted, self.calls.evicted = tally.evicted, requests.evicted, calls.evicted
        self.timers.dropped, self.timers.now = timers.dropped, now
        self.tighten(drafts.limit, tally.limit, requests.limit)

    # -- what was found

    def all(self) -> list[Draft]:
        """Every incident found so far, of the wanted kinds, except lost calls."""
        found = [*self.drafts.all, *self.gaps.drafts()]
        if self._storms is not None:
            now = self.timers.now
            found += self._storms.of_all(self.tally.servers.values(), self.tally.seconds_seen(now), now)
        return [draft for draft in found if draft.kind in self.kinds and not self._is_doubtful(draft)]

    def lost_from_sight(self, server: str, time: float) -> bool:
        """Whether the captures may have failed to show a server at that time, as they did before: to nobody, or not to
        all of its phones, since packets sent about then are missing for several phones, and for more than the usual
        loss allows."""
        known = self.tally.servers.get(server)
        if known is None:
            return False
        unseen = self._evidence.unseen(time)
        return unseen >= max(SEVERAL, LOSS_ALLOWED * len(known.served)) or known.is_out_of_sight(time, self.timers.now)

    def _is_doubtful(self, draft: Draft) -> bool:
        """Whether an outage rests on missing answers to one phone while the captures lack packets; in a live run,
        packets about that time."""
        if not isinstance(draft, Outage) or len(draft.first) >= 2 or draft.sure:
            return False
        return draft.is_doubtful(self._lossy(), self.timers.now) if self._rolling else self._lossy()

    @property
    def evicted(self) -> dict[str, int]:
        """What the bounds evicted or turned away, by kind."""
        return {"incidents": self.drafts.dropped, "watched-servers": self.tally.evicted,
                "watched-requests": self.requests.evicted, "watched-calls": self.calls.evicted,
                "timers": self.timers.dropped}

    @property
    def open(self) -> dict[str, int]:
        """The current number of rows, by kind."""
        return {"incidents": len(self.drafts.all), "watched-servers": len(self.tally.servers),
                "watched-requests": len(self.requests), "minutes": len(self.tally.minutes)}
