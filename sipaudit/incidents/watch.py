"""What the route feeds: every event of every line, once, in the order in which it is followed."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence, Set

from sipaudit.incidents.calls import Calls
from sipaudit.incidents.calm import Calm
from sipaudit.incidents.draft import Draft, Drafts, Watched
from sipaudit.incidents.evidence import Evidence
from sipaudit.incidents.gaps import Gaps
from sipaudit.incidents.moves import Flapping, SplitBrain
from sipaudit.incidents.outages import Outage, Outages
from sipaudit.incidents.overload import Overloads
from sipaudit.incidents.requests import SHORTEST, OpenRequests, Waiting
from sipaudit.incidents.servers import ServerWatch
from sipaudit.incidents.storms import Storms
from sipaudit.incidents.stuck import StaleNames, Stuck
from sipaudit.incidents.subscriptions import Subscriptions
from sipaudit.incidents.tally import Tally
from sipaudit.incidents.timers import Timers
from sipaudit.model.absorb_phone import success
from sipaudit.model.events import (
    Answered,
    Booted,
    CallChanged,
    EntryChanged,
    Failed,
    Lost,
    ModelEvent,
    Received,
    Replied,
    Resent,
    Sent,
)
from sipaudit.model.history import MoveKind, MoveSeen
from sipaudit.model.renewal import Renewal
from sipaudit.model.replay import Step
from sipaudit.model.routine import Renewals
from sipaudit.model.state import PhoneState, Stay
from sipaudit.rulebook.rules import IncidentKind

Siblings = Callable[[int], Sequence[Watched]]


class Watch:
    """All detectors, and what they share. `siblings` gives the replays of a line at all its entries, `lossy` says
    whether the captures lack more packets than evidence by absence allows.

    A kind that is not among `kinds` is not looked for; without server-outage there are neither partial outages nor lost
    calls. (`rolling`) full tables make room for what is new; else they take in nothing more.
    """

    def __init__(self, kinds: Iterable[IncidentKind], siblings: Siblings, lossy: Callable[[], bool], *,
                 rolling: bool = False) -> None:
        self._thresholds = {kind.id: kind.thresholds for kind in kinds}
        self.kinds = frozenset(self._thresholds)
        self.siblings = siblings
        self._rolling = rolling
        self._lossy = lossy
        self._begin()

    def _begin(self) -> None:
        """Nothing was seen yet."""
        self.tally = Tally(rolling=self._rolling)
        self.drafts = Drafts(rolling=self._rolling)
        self.timers = Timers()
        self.requests = OpenRequests(rolling=self._rolling)
        self._build(self._thresholds)

    def _build(self, thresholds: Mapping[str, Mapping[str, float]]) -> None:
        drafts, timers = self.drafts, self.timers
        wanted = thresholds.get
        self.calls = Calls(drafts, timers, ghosts="ghost-calls" in thresholds)
        outage, overload, storm = wanted("server-outage"), wanted("overload"), wanted("register-storm")
        self.outages = None if outage is None else Outages(outage, drafts, timers, self.calls)
        out = {} if self.outages is None else self.outages.open
        if self.outages is not None:
            self.tally.gone = self.outages.dropped
        self._overloads = None if overload is None else Overloads(overload, drafts)
        self._evidence = Evidence(self.tally, self.calls, self.outages, self._overloads)
        self._storms = None if storm is None else Storms(storm)
        flapping, split, stuck = wanted("flapping"), wanted("split-brain"), wanted("stuck-on-secondary")
        self._flapping = None if flapping is None else Flapping(flapping, drafts)
        self._split = None if split is None else SplitBrain(split, drafts, timers, out, self.tally.servers)
        self._stuck = None if stuck is None else Stuck(stuck, drafts, out, self.tally.servers)
        gap = wanted("registration-gap")
        self.gaps = Gaps(float("inf") if gap is None else gap["lasting"])
        self._subscriptions = None if wanted("dead-subscriptions") is None else Subscriptions(drafts, timers)
        self._names = None if wanted("stale-dns") is None else StaleNames(drafts)
        self.calm = Calm(timers, self.tally, self.requests, self.calls, self._evidence, self._subscriptions,
                         self.pass_time)

    # -- what need not be remembered

    def forget(self, before: float) -> None:
        """Forget what was over before that time (seconds since the epoch), and was told. What is open is kept, and what
        may go on with less than half an hour in between."""
        out = {} if self.outages is None else self.outages.open
        self.drafts.forget(before)
        self.tally.forget(before, out)
        self.calls.forget(before)
        self.gaps.forget(before)
        lost = self._evidence.lost
        self._evidence.lost = {phone: time for phone, time in lost.items() if time >= before}
        for each in (self.outages, self._overloads, self._flapping, self._subscriptions):
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
        for phone in self._evidence.lost.keys() & phones:
            del self._evidence.lost[phone]
        if self.outages is not None:
            self.outages.release(lines, phones)
        for each in (self.calls, self.gaps, self._overloads, self._flapping, self._names):
            if each is not None:
                each.release(lines)
        for one in (self._stuck, self._subscriptions, self._split):
            if one is not None:
                one.release(lines, now)

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

    # -- the three roads

    def registers(self, request: Sent, subject: Watched) -> None:
        """A REGISTER of a phone's first registration: `follow` would do no more."""
        self.pass_time(request.time)
        self.tally.asked(request)
        self.requests.add(request, subject)

    def answers(self, answer: Answered, subject: Watched) -> None:
        """The same for an answer to it."""
        self.pass_time(answer.time)
        server, _ = self._heard(answer, subject)
        if answer.status < 300:
            server.served.add(answer.phone)
        server.lived_registering(answer.sent, answer.time)   # type: ignore[arg-type]  # disproves nothing of this phone

    def arrived(self, granted: Answered, subject: Watched) -> None:
        """A phone's first registration has ended with this 200."""
        self._works(subject, granted.server, granted.time)

    def renewed(self, renewals: Renewals, renewal: Renewal) -> None:
        """A mere renewal, from its REGISTER to the 200: it comes to the same as `follow` with each of its events."""
        time, timers = renewal.answered, self.timers
        if time > timers.now:
            timers.now = time
            if time >= timers.next:
                timers.pass_time(time)
        server = self.tally.renewed(renewals, renewal)
        if server.failing and self.outages is not None:
            self.outages.answered(server, renewals.phone, "REGISTER", renewal.asked)

    def passes_by(self, event: Received | Replied) -> None:
        """An event that leaves its line as it is: `follow` would do no more."""
        self.pass_time(event.time)
        if event.call is not None:
            self.calls.message(event)

    def touched(self, event: ModelEvent, subject: Watched) -> None:
        """A call that changes, or a provisional answer: `follow` would do no more."""
        self.pass_time(event.time)
        if type(event) is Answered:
            self._answer(event, subject)
        else:
            self.calls.changed(event, subject)  # type: ignore[arg-type]

    def minds(self, line: int) -> bool:
        """Whether a request of the line may tell more than that it was made (`calm`)."""
        return line in self.gaps.open or (self._names is not None and line in self._names.gone)

    def follow(self, step: Step, subject: Watched, phone: PhoneState) -> None:
        """One event followed step by step; `phone` is its phone's state before it."""
        event, timers = step.event, self.timers
        if event.time > timers.now:
            self.pass_time(event.time)
        kind = type(event)
        if kind is Sent:
            self._sent(event, subject, step, phone)  # type: ignore[arg-type]
        elif kind is Answered:
            self._answered(event, subject, step)  # type: ignore[arg-type]
        elif kind is Resent:
            self.requests.repeated(event.transaction)  # type: ignore[union-attr, arg-type]
        elif kind is Received or kind is Replied:
            self.calls.message(event)  # type: ignore[arg-type]
        elif kind is CallChanged:
            self.calls.changed(event, subject)  # type: ignore[arg-type]
        elif isinstance(event, EntryChanged) and self._names is not None:
            self._names.changed(event, subject)
        if step.before.stays is not step.after.stays:
            self._stayed(step, subject, phone)

    def of_phone(self, event: ModelEvent, subjects: Sequence[Watched]) -> None:
        """What concerns a whole phone; `subjects` are its lines."""
        self.pass_time(event.time)
        if isinstance(event, Failed):
            waiting = None if event.transaction is None else self.requests.pop(event.transaction, None)
            self._evidence.failed(event, subjects, waiting)
        elif isinstance(event, Lost):
            self._evidence.lost[event.phone] = event.time
        elif isinstance(event, Booted) and not event.possible:
            for server in self.tally.servers.values():
                server.failing.pop(event.phone, None)
            for subject in subjects:
                self.gaps.gone(subject.number)

    def pass_time(self, now: float) -> None:
        timers = self.timers
        if now > timers.now:
            timers.now = now
            if now >= self.requests.next_look:
                self._look_for_silence(now)
            if now >= timers.next:
                timers.pass_time(now)

    # -- requests

    def _sent(self, event: Sent, subject: Watched, step: Step, phone: PhoneState) -> None:
        time = event.time
        self.tally.asked(event)
        self.requests.add(event, subject)
        if event.call is not None:
            self.calls.message(event)
            if event.method == "INVITE" and not event.in_dialog:
                self.calls.tried(event, subject)
        number = subject.number
        until = 0.0
        for binding in step.before.bindings:
            runs_out = binding.until
            if runs_out > until:
                until = runs_out
        if 0.0 < until <= time or number in self.gaps.open:
            self._unbound(event, subject, step, phone)
        stay = step.before.stays[0] or step.before.stays[1]
        if stay is not None and stay.first is not None and self._stuck is not None:
            self._stuck.sent(event, subject, phone)
        if self._names is not None and number in self._names.gone:
            self._names.sent(event, subject)
        if self._subscriptions is not None and number in self._subscriptions.of:
            self._subscriptions.sent(event, subject)

    def _unbound(self, event: Sent, subject: Watched, step: Step, phone: PhoneState) -> None:
        """A request of a line that may be registered nowhere."""
        elsewhere = (binding for one in self.siblings(subject.number) if one is not subject
                     for binding in one.state.bindings)
        self.gaps.sent(event, subject, (*step.before.bindings, *elsewhere), phone)

    def _look_for_silence(self, now: float) -> None:
        """Which requests have not been answered for as long as their phones wait."""
        for waiting in self.requests.due(now):
            self._evidence.ran_out(waiting)

    # -- answers

    def _answered(self, event: Answered, subject: Watched, step: Step) -> None:
        status, method = event.status, event.method
        server, waited = self._answer(event, subject)
        if status < 200:
            return
        if status == 503:
            self._evidence.refused(event, server, subject)
        elif not event.in_dialog:
            if status < 300:
                server.served.add(event.phone)
            self._evidence.lives(event, server)
        if method == "REGISTER" and success(status) and step.before.bindings is not step.after.bindings:
            binding = step.after.binding(event.server)
            if binding is not None and binding.granted is event:
                self.gaps.granted(subject, event.time)
        elif method == "SUBSCRIBE" and waited is not None and self._subscriptions is not None:
            self._subscriptions.answered(event, waited.request, subject)

    def _answer(self, event: Answered, subject: Watched) -> tuple[ServerWatch, Waiting | None]:
        """What any answer tells, a provisional one as well; returned as by `_heard`."""
        heard = self._heard(event, subject)
        if event.call is not None:
            self.calls.message(event)
        if event.method == "INVITE" and not event.in_dialog:
            self._evidence.invite_answered(event, heard[0])
        return heard

    def _heard(self, event: Answered, subject: Watched) -> tuple[ServerWatch, Waiting | None]:
        """An answer is counted. The server that it is from, and what waited for it."""
        time, status, sent = event.time, event.status, event.sent
        server, waited = self.tally.now(event.server, time), self.requests.pop(event.transaction, None)
        server.minute.answered(status)
        if sent is not None and (waited is not None if event.method == "INVITE" else status >= 200):
            server.minute.took(time - sent)
        if waited is not None:
            took = time - waited.request.time
            if took > SHORTEST and took > subject.silence:   # nearly never: the line is asked for nothing
                self._evidence.ran_out(waited)
        return server, waited

    # -- where lines work

    def _stayed(self, step: Step, subject: Watched, phone: PhoneState) -> None:
        track = subject.track
        before, after = step.before.stays[track], step.after.stays[track]
        if after is None or after is before or (before is not None and before.server == after.server):
            return
        self._works(subject, after.server, after.arrived.time)
        if before is not None:
            self._moved(subject, after, phone)

    def _works(self, subject: Watched, server: str, time: float) -> None:
        """A line works with this server now."""
        if self._split is not None:
            self._split.works(subject, server, time)
        if self._stuck is not None:
            self._stuck.works(subject, server, time)

    def _moved(self, subject: Watched, stay: Stay, phone: PhoneState) -> None:
        move = next(iter(subject.history.moves[-1:]), None)
        if move is None or move.time != stay.arrived.time:
            return  # beyond what a history keeps
        if self._flapping is not None:
            self._flapping.moved(subject, move)
        if move.kind is not MoveKind.FAILOVER:
            return
        self._fails_over(subject, move, phone)

    def _fails_over(self, subject: Watched, move: MoveSeen, phone: PhoneState) -> None:
        self.calls.moved(subject, move, phone)
        if self._subscriptions is not None:
            self._subscriptions.moved(subject, move)
        self._evidence.left(subject, move)

    def view_begins(self) -> None:
        """Nothing was seen for a while: what was asked before may have been answered, and who held a server for failed
        may have found it."""
        self.requests.clear()
        self._evidence.lost.clear()
        self.gaps.view_begins()
        for server in self.tally.servers.values():
            server.failing.clear()

    def set_back(self, now: float) -> None:
        """The clock was set back to `now`. What was found until then stands as it was last known, and ends with that;
        what comes is followed as if first seen: times from before would lie in its future."""
        told = self.all()
        for draft in told:
            draft.close(draft.last if isinstance(draft, Outage) else self.timers.now)
        drafts, tally, requests, calls, timers = self.drafts, self.tally, self.requests, self.calls, self.timers
        self._begin()
        self.drafts.all, self.drafts.dropped = told, drafts.dropped
        self.tally.evicted, self.requests.evicted, self.calls.evicted = tally.evicted, requests.evicted, calls.evicted
        self.timers.dropped, self.timers.now = timers.dropped, now
        self.tighten(drafts.limit, tally.limit, requests.limit)

    # -- the end

    def finish(self, now: float) -> None:
        """The captures have ended at `now`."""
        self.pass_time(now)
        self._look_for_silence(now)
        if self.outages is not None:
            self.outages.finish(now, self.tally.servers)

    def all(self) -> list[Draft]:
        """Every incident that was found by now, of the kinds that are wanted but for lost calls."""
        found = [*self.drafts.all, *self.gaps.drafts()]
        if self._storms is not None:
            found += self._storms.of_all(self.tally.servers.values(), self.tally.began, self.timers.now)
        return [draft for draft in found if draft.kind in self.kinds and not self._is_doubtful(draft)]

    def _is_doubtful(self, draft: Draft) -> bool:
        """Whether an outage rests on what one phone was not seen to be answered, and the captures lack packets."""
        return isinstance(draft, Outage) and len(draft.first) < 2 and not draft.sure and self._lossy()
