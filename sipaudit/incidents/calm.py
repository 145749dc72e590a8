"""Counts what a line does while nothing is wrong: the requests to its working server, and the answers it receives.

Most events other than renewals come here. `watch` need not check these events for lines that move, are refused, or lose
a registration: each of the three methods does exactly what `watch` would do, with no checks.
"""

from __future__ import annotations

from collections.abc import Callable

from sipaudit.incidents.calls import CallWatch
from sipaudit.incidents.draft import Watched
from sipaudit.incidents.evidence import EvidenceWatch
from sipaudit.incidents.requests import SHORTEST, OpenRequests
from sipaudit.incidents.subscriptions import Subscriptions
from sipaudit.incidents.tally import Tally
from sipaudit.incidents.timers import Timers
from sipaudit.model.events import Answered, CallChanged, Sent


class Calm:
    """The follower of these events (`model.calling`); `pass_time` is that of the watch."""

    __slots__ = ("_calls", "_evidence", "_requests", "_subscriptions", "_tally", "_timers", "pass_time")

    def __init__(self, timers: Timers, tally: Tally, requests: OpenRequests, calls: CallWatch, evidence: EvidenceWatch,
                 subscriptions: Subscriptions | None, pass_time: Callable[[float], None]) -> None:
        self._timers = timers
        self._tally = tally
        self._requests = requests
        self._calls = calls
        self._evidence = evidence
        self._subscriptions = subscriptions
        self.pass_time = pass_time

    def asks(self, request: Sent, subject: Watched) -> None:
        """A request of a line at its working server, while it holds a binding."""
        time, method, phone = request.time, request.method, request.phone
        if time > self._timers.now:
            self.pass_time(time)
        server = self._tally.servers.get(request.server)
        if server is None or not server.minute.time <= time < server.minute.end:
            server = self._tally.now(request.server, time)
        server.minute.asked(method)
        server.used(phone, time)
        self._requests.add(request, subject)
        if request.call is not None:
            self._calls.message(request)
            if method == "INVITE" and not request.in_dialog:
                self._calls.tried(request, subject)
        if self._subscriptions is not None and subject.number in self._subscriptions.of:
            self._subscriptions.sent(request, subject)

    def hears(self, answer: Answered, subject: Watched) -> None:
        """An answer that leaves the line where it is: not to a REGISTER, and no failure. Written flat: most events come
        here."""
        time, status, sent = answer.time, answer.status, answer.sent
        if time > self._timers.now:
            self.pass_time(time)
        server, requests = self._tally.servers.get(answer.server), self._requests
        invites = answer.method == "INVITE"
        waited = requests.pop(answer.transaction, None) if invites or status >= 200 else requests.hear(answer)
        if server is None or not server.minute.time <= time < server.minute.end:
            server = self._tally.now(answer.server, time)
        server.minute.answers[status // 100] += 1
        if waited is not None:
            took = time - waited.request.time
            if took > SHORTEST and took > subject.silence and took > waited.silence:
                self._evidence.ran_out(waited)
        if sent is not None and (waited is not None if invites else status >= 200):
            server.minute.took(time - sent)
        if answer.call is not None:
            self._calls.message(answer)
        if not answer.in_dialog:
            if invites:
                self._evidence.invite_answered(answer, server)
            if status >= 200:
                if status < 300:
                    server.served.add(answer.phone)
                self._evidence.lives(answer, server)
        if waited is not None and status >= 200 and self._subscriptions is not None and answer.method == "SUBSCRIBE":
            self._subscriptions.answered(answer, waited.request, subject)

    def changes(self, change: CallChanged, subject: Watched) -> None:
        """A call of the line begins, is up, or is over."""
        if change.time > self._timers.now:
            self.pass_time(change.time)
        self._calls.changed(change, subject)
