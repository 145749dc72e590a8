"""The detectors of incidents, and what is told to all of them: that time passes, what may be forgotten, the end."""

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

    A kind that is not among `kinds` is not looked for; without server-outage there are neither partial outages nor lost
    calls. (`rolling`) full tables make room for what is new; else they take in nothing more.
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
        """Nothing was seen yet."""
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
        """Nothing earlier than `now` (seconds since the epoch) comes any more: what that settles."""
        timers = self.timers
        if now > timers.now:
            timers.now = now
            if now >= self.requests.next_look:
                self._look_for_silence(now)
            if now >= timers.next:
                timers.pass_time(now)

    def _look_for_silence(self, now: float) -> None:
        """Which requests have not been answered for as long as their phones wait."""
        for waiting in self.requests.due(now):
            self._evidence.ran_out(waiting)

    def _look_once_more(self, now: float) -> None:
        """The same of all requests, for the last time: renewals that began before others are only now followed."""
        self.requests.sort()
        self._look_for_silence(now)

    def finish(self, now: float) -> None:
        """The captures have ended at `now`."""
        self.pass_time(now)
        self._look_once_more(now)
        if self.outages is not None:
            self.outages.finish(now, self.tally.servers)

    # -- what need not be remembered, or is no longer true

    def forget(self, before: float) -> None:
        """Forget what was over before that time (seconds since the epoch), and was told. What is open is kept, and what
        may go on with less than half an hour in between."""
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
        """Other bounds from now on: so many incidents and servers, and so many requests, calls, and attempts to call.
        """
        self.drafts.tighten(incidents)
        self.tally.tighten(servers)
        self.requests.tighten(requests)
        self.calls.tighten(requests)

    def release(self, lines: Set[int], phones: Set[int]) -> None:
        """These lines and phones were forgotten, by their numbers: nothing holds them any longer."""
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
        """Nothing was seen for a while until `now`: what was asked before may have been answered, and who held a server
        for failed may have found it."""
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
        """The clock was set back to `now`. What was found until then stands as it was last known, and ends with that;
        what comes is followed as if first seen: times from before would lie in its future."""
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
        """Every incident that was found by now, of the kinds that are wanted but for lost calls."""
        found = [*self.drafts.all, *self.gaps.drafts()]
        if self._storms is not None:
            now = self.timers.now
            found += self._storms.of_all(self.tally.servers.values(), self.tally.seconds_seen(now), now)
        return [draft for draft in found if draft.kind in self.kinds and not self._is_doubtful(draft)]

    def lost_from_sight(self, server: str, time: float) -> bool:
        """Whether the captures may not have shown a server at that time, as they did before: to nobody, or not to all
        of its phones, since of several, and of more than some packets lack anyway, what they sent about then lacks."""
        known = self.tally.servers.get(server)
        if known is None:
            return False
        unseen = self._evidence.unseen(time)
        return unseen >= max(SEVERAL, LOSS_ALLOWED * len(known.served)) or known.is_out_of_sight(time, self.timers.now)

    def _is_doubtful(self, draft: Draft) -> bool:
        """Whether an outage rests on what one phone was not seen to be answered, and the captures lack packets: those
        of a live run about that time."""
        if not isinstance(draft, Outage) or len(draft.first) >= 2 or draft.sure:
            return False
        return draft.is_doubtful(self._lossy(), self.timers.now) if self._rolling else self._lossy()

    @property
    def evicted(self) -> dict[str, int]:
        """What the bounds pushed out, or turned away, by kind."""
        return {"incidents": self.drafts.dropped, "watched-servers": self.tally.evicted,
                "watched-requests": self.requests.evicted, "watched-calls": self.calls.evicted,
                "timers": self.timers.dropped}

    @property
    def open(self) -> dict[str, int]:
        """How much is remembered now, by kind."""
        return {"incidents": len(self.drafts.all), "watched-servers": len(self.tally.servers),
                "watched-requests": len(self.requests), "minutes": len(self.tally.minutes)}
