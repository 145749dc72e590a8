"""All servers, within bounds, and the requests and answers of each, by minute.

Nine events of ten are mere renewals, which the model handles in one step; they are counted in one step here, too
(`renewed`), with the same result as one by one.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Container, Set
from heapq import nsmallest
from math import inf

from sipaudit.incidents.crowds import shed
from sipaudit.incidents.draft import SHED
from sipaudit.incidents.minutes import Minute, Minutes
from sipaudit.incidents.servers import APART, ServerWatch
from sipaudit.model.events import Sent
from sipaudit.model.renewal import Renewal
from sipaudit.model.routine import Renewals

SERVERS_KEPT = 4_096
HOLES_KEPT = 1_000
SHED_EVERY = 60.0   # seconds between two checks of how many lines are recorded


class Tally:
    """`servers` by key; `began`: when the first of them was first used, or since when data is kept; `beyond`: stands
    for all servers that exceed the bound. With `rolling`, a full table evicts servers with a single phone first, then
    those unused for longest; `gone` is called with each, and `evicted` counts them."""

    __slots__ = ("_holes", "_next_shed", "_rolling", "began", "beyond", "evicted", "gone", "limit", "minutes",
                 "servers")

    def __init__(self, *, rolling: bool = False) -> None:
        self._rolling = rolling
        self.limit = SERVERS_KEPT
        self.evicted = 0
        self.gone: Callable[[ServerWatch], None] = _nothing
        self.servers: dict[str, ServerWatch] = {}
        self.minutes = Minutes()
        self.began = inf
        self.beyond = ServerWatch("", Minute(-inf))
        self._next_shed = -inf
        self._holes: deque[tuple[float, float]] = deque(maxlen=HOLES_KEPT)

    def server(self, key: str, time: float) -> ServerWatch:
        """The server of this key, added if new; `time` is that of its first request."""
        server = self.servers.get(key)
        if server is None:
            if len(self.servers) >= self.limit:
                if not self._rolling:
                    return self.beyond
                self._shed(None)
            server = self.servers[key] = ServerWatch(key, Minute(-inf))
            self.began = min(self.began, time)
        return server

    def view_begins(self, since: float, until: float) -> None:
        """The captures show nothing between these times."""
        if since < until:
            self._holes.append((since, until))

    def seconds_seen(self, now: float) -> int:
        """The number of seconds until `now` with nothing missing: in the others it is unknown what passed."""
        unseen = sum(max(min(until, now) - max(since, self.began), 0.0) for since, until in self._holes)
        return 0 if self.began > now else int(now) - int(self.began) + 1 - int(unseen)

    def tighten(self, limit: int) -> None:
        """Set another bound."""
        self.limit = min(limit, SERVERS_KEPT)
        while len(self.servers) > self.limit:
            self._shed(None)

    def _shed(self, spared: ServerWatch | None) -> None:
        others = (one for one in self.servers.values() if one is not spared)
        for server in nsmallest(len(self.servers) // SHED + 1, others,
                                key=lambda one: (len(one.users) > 1, one.minute.end)):
            self._drop(server)
            self.evicted += 1

    def _drop(self, server: ServerWatch) -> None:
        del self.servers[server.key]
        self.minutes.forget(server.minutes, inf)
        self.gone(server)

    def release(self, lines: Set[int], phones: Set[int]) -> None:
        """These lines and phones were forgotten."""
        for server in self.servers.values():
            server.release(lines, phones)

    def forget(self, before: float, open_: Container[str]) -> None:
        """Forget the minutes and seconds before that time, and the servers without requests since, except those with an
        open outage."""
        self.began = max(self.began, before) if self.servers else inf
        while self._holes and self._holes[0][1] < before:
            self._holes.popleft()
        for server in list(self.servers.values()):
            self.minutes.forget(server.minutes, min(before, server.minute.end))
            server.seconds.forget(before)
            server.crowd.forget(before)
            if server.minute.end < before and server.key not in open_:
                self._drop(server)

    def now(self, key: str, time: float) -> ServerWatch:
        """The server of this key, with its current minute set to that of `time`, which is now."""
        server = self.servers.get(key) or self.server(key, time)
        minute = server.minute
        if not minute.time <= time < minute.end:
            self._turn(server, time)
        return server

    def minute(self, server: ServerWatch, time: float) -> Minute:
        """The server's minute at `time`, which is now."""
        if not server.minute.time <= time < server.minute.end:
            self._turn(server, time)
        return server.minute

    def _turn(self, server: ServerWatch, time: float) -> None:
        """Begin the minute of `time`."""
        if self._rolling and self.minutes.full:
            self._shed(server)
        over, minute = server.over, self.minutes.at(server.minutes, time)
        server.turn(minute)
        if over is not minute:
            self.minutes.lay_by(server.minutes, over)
        server.seconds.lay_by(server.minute.time)
        server.crowd.thin(time)
        if time >= self._next_shed:
            self._next_shed = time + SHED_EVERY
            shed([one.crowd for one in self.servers.values()])

    def minute_then(self, server: ServerWatch, time: float) -> Minute:
        """The server's minute at a time that may be past."""
        minute = server.minute
        return minute if minute.time <= time < minute.end else self.minutes.at(server.minutes, time)

    def asked(self, request: Sent) -> None:
        """Count a new request."""
        time = request.time
        server = self.now(request.server, time)
        server.minute.asked(request.method)
        server.used(request.phone, time)
        if request.method == "REGISTER":
            server.asked_to_register(time, request.line)

    def renewed(self, renewals: Renewals, renewal: Renewal) -> ServerWatch:
        """Count a mere renewal; returns its server."""
        sent, asked, time, line = renewal.sent, renewal.asked, renewal.answered, renewals.line
        server = self.servers.get(renewals.server) or self.server(renewals.server, sent)
        minute, challenged = server.minute, renewal.status != 0
        if minute.time <= sent and time < minute.end:   # nearly always: the same as below, without calls
            delays, answers, second, times = minute.delays, minute.answers, int(asked), 1
            delay = longest = time - asked
            delays[int(delay * 1000 + 0.5)] += 1    # below half a second, or it would be no mere renewal
            answers[2] += 1
            if challenged:
                delay = renewal.challenged - sent
                if delay > longest:
                    longest = delay
                delays[int(delay * 1000 + 0.5)] += 1
                answers[4] += 1
                if int(sent) == second:
                    times = 2
                else:
                    server.seconds.counting[int(sent)] += 1
                    server.crowd.note(int(sent), line)
            if longest > minute.longest:
                minute.longest = longest
            server.seconds.counting[second] += times
            server.crowd.note(second, line, times)
            minute.asked("REGISTER", 2 if challenged else 1)
        else:
            if challenged:
                self._asked(server, sent, line)
                self._answered(server, sent, renewal.challenged, renewal.status)
            self._asked(server, asked, line)
            self._answered(server, asked, time, 200)
        phone = renewals.phone
        server.asking[phone] = asked
        server.served.add(phone)
        if time > server.answered:
            server.answered = time
        if sent - server.noted >= APART:
            server.lived_registering(sent, renewal.challenged if challenged else time, phone)
        if asked - server.noted >= APART:
            server.lived_registering(asked, time, phone)
        return server

    def _asked(self, server: ServerWatch, time: float, line: int) -> None:
        """A REGISTER of a renewal that crosses the end of a minute."""
        self.minute(server, time).asked("REGISTER")
        server.asked_to_register(time, line)

    def _answered(self, server: ServerWatch, sent: float, time: float, status: int) -> None:
        """A response in such a renewal."""
        minute = self.minute(server, time)
        minute.answered(status)
        minute.took(time - sent)


def _nothing(_: ServerWatch) -> None:
    """The default of `gone`: ignores dropped servers."""
