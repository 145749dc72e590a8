"""What the route feeds: every event of every line, once, in the order in which it is followed."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence, Set

from sipaudit.incidents.calls import Calls
from sipaudit.incidents.draft import Draft, Drafts, Watched
from sipaudit.incidents.gaps import Gaps
from sipaudit.incidents.moves import Flapping, SplitBrain
from sipaudit.incidents.outages import Outage, Outages
from sipaudit.incidents.overload import Overloads
from sipaudit.incidents.servers import NEVER, ServerWatch
from sipaudit.incidents.storms import Storms
from sipaudit.incidents.stuck import StaleNames, Stuck
from sipaudit.incidents.subscriptions import Subscriptions
from sipaudit.incidents.tally import Tally
from sipaudit.incidents.timers import Timers
from sipaudit.model.absorb_phone import success
from sipaudit.model.conditions.trust import LOSS_REACH
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
from sipaudit.model.replay import Step
from sipaudit.model.routine import Renewal, Renewals
from sipaudit.model.settings import LineSettings
from sipaudit.model.state import PhoneState, Stay
from sipaudit.model.timers import earliest_silence
from sipaudit.rulebook.rules import IncidentKind

OPEN_KEPT = 200_000           # requests that wait for an answer
SILENT_METHODS = frozenset({"REGISTER", "INVITE"})   # that every server answers, so that silence says something
KEEPS_REGISTERING = frozenset({"REGISTER", "OPTIONS"})
LOOK_EVERY = 0.5              # seconds between two looks at what waits for an answer
SHORTEST = 0.1                # seconds: no phone gives up sooner
DEFAULT_SILENCE = 3.15        # F2 with the phones' default timers: 3.5 s less 10 %

Siblings = Callable[[int], Sequence[Watched]]


def silence_of(settings: LineSettings) -> float:
    """Seconds without an answer after which a phone with these settings may hold a server for failed: F2's earliest,
    of the default timers where none are declared."""
    known = settings.number("retryTimeOut") is not None and settings.number("retryMaxCount") is not None
    return earliest_silence(settings) if known else DEFAULT_SILENCE


class Waiting:
    """A request that waits for an answer; `repeated` that its phone sent it again."""

    __slots__ = ("repeated", "request", "subject")

    def __init__(self, request: Sent, subject: Watched) -> None:
        self.request = request
        self.subject = subject
        self.repeated = False


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
        self._limit = OPEN_KEPT
        self._evicted = 0
        self.tally = Tally(rolling=self._rolling)
        self.drafts = Drafts(rolling=self._rolling)
        self.timers = Timers()
        self._open: dict[int, Waiting] = {}
        self._lost: dict[int, float] = {}
        self._next_look = NEVER
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
        self._storms = None if storm is None else Storms(storm)
        flapping, split, stuck = wanted("flapping"), wanted("split-brain"), wanted("stuck-on-secondary")
        self._flapping = None if flapping is None else Flapping(flapping, drafts)
        self._split = None if split is None else SplitBrain(split, drafts, timers, out, self.tally.servers)
        self._stuck = None if stuck is None else Stuck(stuck, drafts, out, self.tally.servers)
        gap = wanted("registration-gap")
        self.gaps = Gaps(float("inf") if gap is None else gap["lasting"])
        self._subscriptions = None if wanted("dead-subscriptions") is None else Subscriptions(drafts, timers)
        self._names = None if wanted("stale-dns") is None else StaleNames(drafts)

    # -- what need not be remembered

    def forget(self, before: float) -> None:
        """Forget what was over before that time (seconds since the epoch), and was told. What is open is kept, and what
        may go on with less than half an hour in between."""
        out = {} if self.outages is None else self.outages.open
        self.drafts.forget(before)
        self.tally.forget(before, out)
        self.calls.forget(before)
        self.gaps.forget(before)
        self._lost = {phone: time for phone, time in self._lost.items() if time >= before}
        for each in (self.outages, self._overloads, self._flapping, self._subscriptions):
            if each is not None:
                each.forget(before)

    def tighten(self, incidents: int, servers: int, requests: int) -> None:
        """Other bounds from now on: so many incidents and servers, and so many requests, calls, and attempts to call.
        """
        self.drafts.tighten(incidents)
        self.tally.tighten(servers)
        self._limit = min(requests, OPEN_KEPT)
        while len(self._open) > self._limit:
            self._shed()
        self.calls.tighten(requests)

    def release(self, lines: Set[int], phones: Set[int]) -> None:
        """These lines and phones were forgotten, by their numbers: nothing holds them any longer."""
        now = self.timers.now
        self.drafts.release(lines)
        self.tally.release(lines, phones)
        self._open = {number: one for number, one in self._open.items() if one.subject.number not in lines}
        for phone in self._lost.keys() & phones:
            del self._lost[phone]
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
                "watched-requests": self._evicted, "watched-calls": self.calls.evicted, "timers": self.timers.dropped}

    @property
    def open(self) -> dict[str, int]:
        """How much is remembered now, by kind."""
        return {"incidents": len(self.drafts.all), "watched-servers": len(self.tally.servers),
                "watched-requests": len(self._open), "minutes": len(self.tally.minutes)}

    def _has_room(self) -> bool:
        """The table of waiting requests is full: whether the oldest makes room."""
        if self._rolling:
            self._shed()
        else:
            self._evicted += 1
        return self._rolling

    def _shed(self) -> None:
        del self._open[next(iter(self._open))]
        self._evicted += 1

    # -- the three roads

    def registers(self, request: Sent, subject: Watched) -> None:
        """A REGISTER of a phone's first registration: `follow` would do no more."""
        self.pass_time(request.time)
        self._asked(request, subject)

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
        self.calls.message(event)

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
        elif isinstance(event, Resent):
            waiting = self._open.get(event.transaction)
            if waiting is not None:
                waiting.repeated = True
        elif isinstance(event, Received | Replied):
            self.calls.message(event)
        elif isinstance(event, CallChanged):
            self.calls.changed(event, subject)
        elif isinstance(event, EntryChanged) and self._names is not None:
            self._names.changed(event, subject)
        if step.before.stays is not step.after.stays:
            self._stayed(step, subject, phone)

    def of_phone(self, event: ModelEvent, subjects: Sequence[Watched]) -> None:
        """What concerns a whole phone; `subjects` are its lines."""
        self.pass_time(event.time)
        if isinstance(event, Failed):
            self._failed(event, subjects)
        elif isinstance(event, Lost):
            self._lost[event.phone] = event.time
        elif isinstance(event, Booted) and not event.possible:
            for server in self.tally.servers.values():
                server.failing.pop(event.phone, None)
            for subject in subjects:
                self.gaps.gone(subject.number)

    def pass_time(self, now: float) -> None:
        timers = self.timers
        if now > timers.now:
            timers.now = now
            if now >= self._next_look:
                self._look_for_silence(now)
            if now >= timers.next:
                timers.pass_time(now)

    # -- requests

    def _sent(self, event: Sent, subject: Watched, step: Step, phone: PhoneState) -> None:
        time = event.time
        self._asked(event, subject)
        if event.call is not None:
            self.calls.message(event)
            if event.method == "INVITE" and not event.in_dialog:
                self.calls.tried(event, subject)
        number = subject.number
        until = 0.0
        for binding in step.before.bindings:
            until = max(until, binding.until)
        if 0.0 < until <= time or number in self.gaps.open:
            self._unbound(event, subject, step, phone)
        stay = step.before.stays[0] or step.before.stays[1]
        if stay is not None and stay.first is not None and self._stuck is not None:
            self._stuck.sent(event, subject, phone)
        if self._names is not None and number in self._names.gone:
            self._names.sent(event, subject)
        if self._subscriptions is not None and number in self._subscriptions.of:
            self._subscriptions.sent(event, subject)

    def _asked(self, event: Sent, subject: Watched) -> None:
        """A request is counted, and waits for its answer."""
        self.tally.asked(event)
        if event.method != "CANCEL" and (len(self._open) < self._limit or self._has_room()):
            self._open[event.transaction] = Waiting(event, subject)

    def _unbound(self, event: Sent, subject: Watched, step: Step, phone: PhoneState) -> None:
        """A request of a line that may be registered nowhere."""
        elsewhere = (binding for one in self.siblings(subject.number) if one is not subject
                     for binding in one.state.bindings)
        self.gaps.sent(event, subject, (*step.before.bindings, *elsewhere), phone)

    def _look_for_silence(self, now: float) -> None:
        """Which requests have not been answered for as long as their phones wait."""
        self._next_look = now + LOOK_EVERY
        due = []
        for waiting in self._open.values():
            sent = waiting.request.time
            if sent + SHORTEST > now:
                break
            if sent + waiting.subject.silence <= now:
                due.append(waiting)
        for waiting in due:
            del self._open[waiting.request.transaction]
            self._ran_out(waiting)

    def _ran_out(self, waiting: Waiting) -> None:
        """A request was not answered for as long as phones wait."""
        event = waiting.request
        server = self.tally.server(event.server, event.time)
        self.tally.minute_then(server, event.time).unanswered += 1
        if waiting.repeated and not event.in_dialog and event.method in SILENT_METHODS:
            self._came_to_nothing(server, event, waiting.subject, sure=False)

    def _came_to_nothing(self, server: ServerWatch, event: Sent, subject: Watched, *, sure: bool) -> None:
        """A REGISTER or INVITE found no answer, and its phone showed that it heard none: it sent it again, or (`sure`)
        went elsewhere. An answer that the capture lost shows neither."""
        lost = self._lost.get(event.phone, NEVER)
        if server is self.tally.beyond or not _was_served(subject) or abs(lost - event.time) <= LOSS_REACH:
            return
        if event.method == "INVITE":
            self._attempt_failed(event, subject)
        if self.outages is not None:
            self.outages.fails(server, event.phone, event.method, event.time, event, [subject], sure=sure)

    def _attempt_failed(self, event: Sent, subject: Watched) -> None:
        attempt = self.calls.attempt(event, subject)
        if attempt is not None and self.outages is not None:
            attempt.failed = event.time
            self.outages.failed_attempt(event.server, attempt)

    def _failed(self, event: Failed, subjects: Sequence[Watched]) -> None:
        """A transport failure: of the lines that work with that server, or else of all lines of the phone."""
        server = self.tally.server(event.server, event.sent)
        server.used(event.phone, event.sent)
        waiting = self._open.pop(event.transaction, None) if event.transaction is not None else None
        if waiting is not None:
            self.tally.minute_then(server, waiting.request.time).unanswered += 1
            if waiting.request.method == "INVITE":
                self._attempt_failed(waiting.request, waiting.subject)
        there = [subject for subject in subjects if _works_with(subject, event.server)] or list(subjects)
        if self.outages is not None and there and server is not self.tally.beyond:
            self.outages.fails(server, event.phone, None, event.sent, event, there, sure=True)

    # -- answers

    def _answered(self, event: Answered, subject: Watched, step: Step) -> None:
        server, waited = self._heard(event, subject)
        if event.call is not None:
            self.calls.message(event)
        if event.method == "INVITE" and not event.in_dialog:
            self._invite_answered(event, server)
        if event.status == 503:
            self._refused(event, server, subject)
        elif event.status >= 200 and not event.in_dialog:
            if event.status < 300:
                server.served.add(event.phone)
            self._lives(event, server)
        if event.method == "REGISTER" and success(event.status) and step.before.bindings is not step.after.bindings:
            binding = step.after.binding(event.server)
            if binding is not None and binding.granted is event:
                self.gaps.granted(subject, event.time)
        elif event.method == "SUBSCRIBE" and event.status >= 200 and waited is not None \
                and self._subscriptions is not None:
            self._subscriptions.answered(event, waited.request, subject)

    def _heard(self, event: Answered, subject: Watched) -> tuple[ServerWatch, Waiting | None]:
        """An answer is counted. The server that it is from, and what waited for it."""
        server = self.tally.now(event.server, event.time)
        minute = server.minute
        minute.answered(event.status)
        waited = self._open.pop(event.transaction, None)
        if waited is not None:
            took = event.time - waited.request.time
            if took > SHORTEST and took > subject.silence:   # nearly never: the line is asked for nothing
                self._ran_out(waited)
        if event.sent is not None and (waited is not None if event.method == "INVITE" else event.status >= 200):
            minute.took(event.time - event.sent)
        return server, waited

    def _lives(self, event: Answered, server: ServerWatch) -> None:
        """A final answer outside of dialogs: the server is there."""
        if event.method in KEEPS_REGISTERING and event.sent is not None:
            server.lived_registering(event.sent, event.time)
        else:
            server.lived(event.time)
        if self.outages is not None:
            self.outages.answered(server, event.phone, event.method, event.sent)

    def _refused(self, event: Answered, server: ServerWatch, subject: Watched) -> None:
        """503 counts against a server (F3)."""
        if self._overloads is not None:
            self._overloads.refused(event, subject)
        server.refusals.append(event.time)
        outage = None if self.outages is None else self.outages.open.get(server.key)
        if outage is not None:
            outage.refusals += 1
        if self.outages is None or event.in_dialog or server is self.tally.beyond:
            return
        sent = event.time if event.sent is None else event.sent
        self.outages.fails(server, event.phone, None, sent, event, [subject], sure=True)

    def _invite_answered(self, event: Answered, server: ServerWatch) -> None:
        if self.outages is not None and event.status != 503:
            self.outages.invite_answered(server, event)
        attempt = self.calls.answered(event)
        if attempt is not None and self.outages is not None:
            self.outages.failed_attempt(event.server, attempt)

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
        server = self.tally.server(move.source, move.time)
        for event in move.evidence:   # over TCP nothing is sent again: that the line left shows that it heard nothing
            if isinstance(event, Sent) and event.server == move.source and event.line == subject.number \
                    and not event.in_dialog and event.method in SILENT_METHODS:
                self._came_to_nothing(server, event, subject, sure=True)
        if self.outages is not None and server is not self.tally.beyond:
            self.outages.left(server, subject, move)

    def view_begins(self) -> None:
        """Nothing was seen for a while: what was asked before may have been answered, and who held a server for failed
        may have found it."""
        self._open.clear()
        self._lost.clear()
        self.gaps.view_begins()
        for server in self.tally.servers.values():
            server.failing.clear()

    def set_back(self, now: float) -> None:
        """The clock was set back to `now`. What was found until then stands as it was last known, and ends with that;
        what comes is followed as if first seen: times from before would lie in its future."""
        told = self.all()
        for draft in told:
            draft.close(draft.last if isinstance(draft, Outage) else self.timers.now)
        counted = self.drafts.dropped, self.tally.evicted, self._evicted, self.calls.evicted, self.timers.dropped
        limits = self.drafts.limit, self.tally.limit, self._limit
        self._begin()
        self.drafts.all = told
        self.drafts.dropped, self.tally.evicted, self._evicted, self.calls.evicted, self.timers.dropped = counted
        self.timers.now = now
        self.tighten(*limits)

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


def _was_served(subject: Watched) -> bool:
    """Whether anything was ever seen answering the line: where only one direction is captured, silence says nothing."""
    return any(stay is not None for stay in subject.state.stays)


def _works_with(subject: Watched, server: str) -> bool:
    stay = subject.state.stays[subject.track]
    return stay is not None and stay.server == server
