"""The entry point of the detectors: receives every event of every line, once, in the order in which it is followed."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence

from sipaudit.incidents.detectors import Detectors
from sipaudit.incidents.draft import Watched
from sipaudit.incidents.requests import SHORTEST, OpenRequest
from sipaudit.incidents.servers import ServerWatch
from sipaudit.model.events import (
    CHALLENGES,
    Answered,
    Booted,
    CallChanged,
    Contacted,
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
from sipaudit.model.packets import success
from sipaudit.model.renewal import Renewal
from sipaudit.model.replay import Step
from sipaudit.model.routine import Renewals
from sipaudit.model.state import Binding, PhoneState, Stay
from sipaudit.rulebook.rules import IncidentKind

Siblings = Callable[[int], Sequence[Watched]]


class Watch(Detectors):
    """Passes events to the detectors. `siblings` returns the replays of a line at all its entries."""

    __slots__ = ("siblings",)

    def __init__(self, kinds: Iterable[IncidentKind], siblings: Siblings, lossy: Callable[[], bool], *,
                 rolling: bool = False) -> None:
        super().__init__(kinds, lossy, rolling=rolling)
        self.siblings = siblings

    # -- the roads

    def registers(self, request: Sent, subject: Watched) -> None:
        """A REGISTER of a phone's first registration; the same as `follow`, which would do no more."""
        self.pass_time(request.time)
        self.tally.asked(request)
        self.requests.add(request, subject)

    def answers(self, answer: Answered, subject: Watched) -> None:
        """The same for an answer to it."""
        self.pass_time(answer.time)
        server, _ = self._heard(answer, subject)
        if answer.status < 300:
            server.served.add(answer.phone)
        if answer.sent is not None:
            server.lived_registering(answer.sent, answer.time, answer.phone)   # no failure of this phone to disprove

    def arrived(self, granted: Answered, subject: Watched) -> None:
        """A phone's first registration has ended with this 200."""
        self._works(subject, granted.server, granted.time)
        if granted.line in self._evidence.unserved:
            self._evidence.served(subject)

    def renewed(self, renewals: Renewals, renewal: Renewal) -> None:
        """A mere renewal, from its REGISTER to the 200; the same as `follow` with each of its events."""
        time, timers = renewal.answered, self.timers
        if time > timers.now:
            timers.now = time
            if time >= timers.next:
                timers.pass_time(time)
        server = self.tally.renewed(renewals, renewal)
        if server.failing and self.outages is not None:
            if renewal.status != 0:   # it was challenged
                self.outages.answered(server, renewals.phone, "REGISTER", renewal.sent, renewal.challenged, helps=False)
            self.outages.answered(server, renewals.phone, "REGISTER", renewal.asked, time, helps=True)

    def passes_by(self, event: Received | Replied) -> None:
        """An event that leaves its line as it is; the same as `follow`, which would do no more."""
        self.pass_time(event.time)
        if event.call is not None:
            self.calls.message(event)
        elif event.method == "NOTIFY":
            self._notified(event)

    def minds(self, line: int) -> bool:
        """Whether a request of the line to its working server must be followed in full, not only counted (`calm`)."""
        return line in self.gaps.open

    def follow(self, step: Step, subject: Watched, phone: PhoneState) -> None:
        """One event, followed step by step; `phone` is the phone's state before it."""
        event, timers = step.event, self.timers
        if event.time > timers.now:
            self.pass_time(event.time)
        if type(event) is Sent:
            self._sent(event, subject, step, phone)
        elif type(event) is Answered:
            self._answered(event, subject, step)
        elif type(event) is Resent:
            self.requests.repeated(event)
        elif type(event) is Received or type(event) is Replied:
            self.calls.message(event)
            self._notified(event)
        elif type(event) is CallChanged:
            self.calls.changed(event, subject)
        elif isinstance(event, EntryChanged) and self._names is not None:
            self._names.changed(event, subject)
        if step.before.stays is not step.after.stays:
            self._stayed(step, subject, phone)

    def _notified(self, event: Received | Replied) -> None:
        if event.method != "NOTIFY" or self._subscriptions is None:
            return
        if type(event) is Replied:
            self._subscriptions.notified(event)
        elif type(event) is Received and event.ends:
            self._subscriptions.ended(event)

    def of_phone(self, event: ModelEvent, subjects: Sequence[Watched], phone: PhoneState) -> None:
        """An event of a whole phone; `subjects` are its lines, `phone` is its state before the event."""
        self.pass_time(event.time)
        if isinstance(event, Contacted | Failed):
            self._evidence.broke(event, subjects, phone, self.requests)
        if isinstance(event, Failed):
            waiting = None if event.transaction is None else self.requests.pop(event.transaction, None)
            self._evidence.failed(event, subjects, phone, waiting)
            for subject in subjects:
                if subject.follows(event.server):
                    self._unbound(event, subject, subject.state.bindings, phone)
        elif isinstance(event, Lost):
            self._evidence.lacks(event)
            self.calls.lacks(event.phone, event.time)
            for subject in subjects:
                self.gaps.lost(subject.number, event.since)
        elif isinstance(event, Booted) and not event.possible:
            for server in self.tally.servers.values():
                server.failing.pop(event.phone, None)
            for subject in subjects:
                self.gaps.gone(subject.number)

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
        if 0.0 < until <= time or number in self.gaps.open or (until == 0.0 and subject.fallback):
            self._unbound(event, subject, step.before.bindings, phone)
        stay = step.before.stays[0] or step.before.stays[1]
        if stay is not None and stay.first is not None and self._stuck is not None:
            self._stuck.sent(event, subject, phone)
        if self._names is not None and number in self._names.gone:
            self._names.sent(event, subject)
        if self._subscriptions is not None and number in self._subscriptions.of:
            self._subscriptions.sent(event, subject)

    def _unbound(self, event: Sent | Failed, subject: Watched, own: Sequence[Binding], phone: PhoneState) -> None:
        """A request, or a failure to send one, of a line that may be registered nowhere."""
        elsewhere = (binding for one in self.siblings(subject.number) if one is not subject
                     for binding in one.state.bindings)
        self.gaps.sent(event, subject, (*own, *elsewhere), phone)

    # -- answers

    def _answered(self, event: Answered, subject: Watched, step: Step) -> None:
        status, method = event.status, event.method
        server, waited = self._heard(event, subject)
        if event.call is not None:
            self.calls.message(event)
        if method == "INVITE" and not event.in_dialog:
            self._evidence.invite_answered(event, server)
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
        elif method == "REGISTER" and self.gaps.open and status in CHALLENGES:
            self.gaps.challenged(subject.number, event)
        elif method == "SUBSCRIBE" and waited is not None and self._subscriptions is not None:
            self._subscriptions.answered(event, waited.request, subject)

    def _heard(self, event: Answered, subject: Watched) -> tuple[ServerWatch, OpenRequest | None]:
        """Count an answer; returns its server, and the request that it ended, if any."""
        time, status, sent = event.time, event.status, event.sent
        server, waited = self.tally.now(event.server, time), self.requests.hear(event)
        server.minute.answered(status)
        if sent is not None and (waited is not None if event.method == "INVITE" else status >= 200):
            server.minute.took(time - sent)
        if waited is not None:
            took = time - waited.request.time
            if took > SHORTEST and took > subject.silence and took > waited.silence:   # nearly never
                self._evidence.ran_out(waited)
        return server, waited

    # -- where lines work

    def _stayed(self, step: Step, subject: Watched, phone: PhoneState) -> None:
        """A stay has changed on the track of the line's regime: the line has turned away, moved, or its server was
        found."""
        track = subject.track
        before, after = step.before.stays[track], step.after.stays[track]
        if after is None or after is before:
            return
        if before is not None and before.server == after.server:
            if after.driven and not before.driven and self.outages is not None:
                self.outages.turned(self.tally.server(after.server, step.event.time), subject, step.event.time)
            if after.driven and after.aside is step.event:
                self._evidence.taken_in(subject, after, phone)
            return
        self._works(subject, after.server, after.arrived.time)
        if before is not None:
            self._moved(subject, after, phone)
        else:
            self._evidence.found(subject, after.arrived, phone)

    def _works(self, subject: Watched, server: str, time: float) -> None:
        """The line now works with this server."""
        if self._split is not None:
            self._split.works(subject, server, time)
        if self._stuck is not None:
            self._stuck.works(subject, server, time)

    def _moved(self, subject: Watched, stay: Stay, phone: PhoneState) -> None:
        moves = subject.history.moves
        if not moves or moves[-1].time != stay.arrived.time:
            return  # more moves than a history keeps
        move = moves[-1]
        if self._flapping is not None:
            self._flapping.moved(subject, move)
        if move.kind is not MoveKind.FAILOVER:
            return
        self._fails_over(subject, move, phone)

    def falls_back(self, subject: Watched, move: MoveSeen) -> None:
        """A line has gone to a server of another of its entries, since the server of this one had failed."""
        self._evidence.left(subject, move)

    def _fails_over(self, subject: Watched, move: MoveSeen, phone: PhoneState) -> None:
        self.calls.moved(subject, move, phone)
        if self._subscriptions is not None:
            self._subscriptions.moved(subject, move)
        self._evidence.left(subject, move)
