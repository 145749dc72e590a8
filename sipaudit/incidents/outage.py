"""One server that is out, or leaves only calls unanswered, and what is known about it so far."""

from __future__ import annotations

from collections.abc import Hashable, Iterable, Mapping, Sequence, Set
from math import inf

from sipaudit.incidents.by_turns import EARLIER_KEPT, ByTurns
from sipaudit.incidents.calls import Attempt, CallUp
from sipaudit.incidents.draft import TOGETHER, Draft, Watched, let_go, works_with
from sipaudit.incidents.failing import Failing, InVain
from sipaudit.incidents.hush import Hush
from sipaudit.incidents.of_some import OfSome
from sipaudit.incidents.servers import ServerWatch
from sipaudit.model.conditions.trust import LOSS_REACH
from sipaudit.model.events import Answered, Failed, FailureKind
from sipaudit.model.reach import LONG_AGO
from sipaudit.turned_away import has_room

OUTAGE, PARTIAL = "server-outage", "partial-outage"
SETTLED_AFTER = 140.0   # seconds after its end in which a call may still get through, and a registration go missing
LOSSES = ("time_to_detect_max", "registrations_lost", "calls_lost", "calls_failed")
ATTEMPTS_KEPT = 20_000  # of one outage

FailedAttempt = tuple[Attempt, float]   # with the time of its failed request


class Outage(Draft):
    """A server that is out. `first`: when each phone's first failed request was sent; `asked`: the same for each line
    that sent requests itself; `last`: when the last failed request of all was sent; `methods`: the methods that ran out
    (None: refused, or not delivered); `answer`: the first answer after that; `last_answer`: the last one before the
    start (-inf: none was seen; None: others were answered all the time); `stop`: when it really stopped, if a known
    event says so; `sure`: whether more than silence shows the outage.

    Answers in the meantime: `served`: when each phone was last answered what had run out; `keeps`: whether a REGISTER
    or OPTIONS was answered, `registers`: whether a REGISTER; `service`: the first answer to anything but OPTIONS,
    `others`: to anything but a REGISTER; `called`: when the last answered INVITE was sent; `takes_calls`: whether one
    was answered between the first two that failed.
    `late`: by phone, when a request that had run out was sent, and answered. `doubts`: when each phone's other request
    failed while only calls run out; `total`: since when nothing was answered, if later than the start. `some`: whether
    only some phones have lost it; `turns`: whether it answers by turns; `hush`: whether it refused, or was late, at
    first.

    `moves`: the lines that left; `turned`: when each first tried another server; `attempts`: the failed calls, each
    with when this server was asked."""

    def __init__(self, start: float, server: str, entry: str | None) -> None:
        super().__init__(OUTAGE, start, server, entry)
        self.first: dict[int, float] = {}
        self.asked: dict[int, float] = {}
        self.served: dict[int, float] = {}
        self.last = start
        self.answer: float | None = None
        self.last_answer: float | None = None
        self.methods: set[str | None] = set()
        self.keeps = False
        self.registers = False
        self.service: float | None = None
        self.others: float | None = None
        self.turned: dict[int, float] = {}
        self.calls: list[CallUp] = []
        self.attempts: list[FailedAttempt] = []
        self.refusals = 0
        self.stop: float | None = None
        self.called = LONG_AGO
        self.takes_calls = False
        self.some = OfSome()
        self.turns = ByTurns()
        self.hush = Hush()
        self.late: dict[int, tuple[float, float]] = {}
        self.doubts: dict[int, float] = {}
        self.total: float | None = None
        self.sure = False
        self._doubtful: bool | None = None

    def is_doubtful(self, lossy: bool, now: float) -> bool:
        """Whether the capture was lossy when the outage was seen; to be called regularly, with the state at `now`. A
        loss much later says nothing about it, nor does the end of the loss."""
        if self._doubtful is None or now <= self.last + LOSS_REACH:
            self._doubtful = self._doubtful or lossy
        return self._doubtful

    def unsettled(self, now: float, spells: int) -> Sequence[Hashable]:
        fail = sum(not one.made and one.blames(self.server) for one, _ in self.attempts)
        return (len(self.lost_calls), fail, len(self.calls), len(self.attempts), len(self.moves), len(self.turned),
                len(self.first), len(self.late), len(self.some.freed), self.answer, self.refusals,
                spells if now - (self.end or now) < SETTLED_AFTER else 0)

    def settle(self, _now: float) -> bool:
        """An outage in which only the server's name does not resolve is none if nobody lost anything by it, nor needed
        the server since the own one had failed: a phone may know the address anyway."""
        return not self.is_of_names or any(self.metrics.get(name) for name in LOSSES) \
            or not all(works_with(subject, self.server) for subject in self.lines.values())

    def seen_last(self, _now: float) -> float:
        return self.last

    def failed(self, attempt: Attempt, sent: float) -> None:
        """Add a call that failed because of this outage; its request was sent at `sent`."""
        if has_room(self.attempts, ATTEMPTS_KEPT, "watched-calls"):
            attempt.blame(self.server)
            self.attempts.append((attempt, sent))

    def serves(self, phone: int, sent: float, time: float, *, disproves: bool, late: bool) -> None:
        """The server answered a request of this phone, sent at `sent`. `disproves`: it is the kind of request that ran
        out; `late`: the request itself had run out."""
        if late and phone in self.first:
            self.late.setdefault(phone, (sent, time))
            self.hush.answers_late(sent, time)
        for one in (self, *self.turns.earlier) if disproves or late else ():
            if phone in one.first:
                one.served[phone] = time
        self.some.answers(phone, time, anew=phone in self.first and sent > self.last, disproves=disproves)

    def asked_in_vain(self, phone: int, sent: float, subjects: Iterable[Watched] = ()) -> None:
        """A request of a phone, for these lines, sent at `sent`, failed."""
        self.some.vain(phone, sent, by_turns=self.turns.shown)
        self.first[phone] = min(sent, self.first.get(phone, sent))
        self.start = min(self.start, sent)
        self.lines_asked(phone, ((subject.number, sent) for subject in subjects))
        self.last = max(self.last, sent)
        if self.answer is not None and sent > self.answer:
            self.answer = None

    def lines_asked(self, phone: int, asked: Iterable[tuple[int, float]]) -> None:
        """Requests of a phone's lines (number, time) failed. A line that was answered in between, and had not turned
        away, starts anew."""
        since = max(self.start, self.served.get(phone, self.start))
        for line, sent in asked:
            if sent >= since:
                known = self.asked.get(line, sent)
                self.asked[line] = sent if known < since and line not in self.turned else min(sent, known)

    def joins(self, server: ServerWatch, vain: InVain, failing: Failing) -> None:
        """A phone joins an outage of only some phones that others lost before it; or its requests fail again, although
        the server had served it what it now asks for. Only a 200 counts as serving: a challenge disproves, but serves
        nothing."""
        phone = vain.phone
        if phone in self.first:
            if vain.had_been_served(server.key, self.first[phone]):
                self.turns.again.add(phone)
        elif self.some.meanwhile is not None and failing.had_been_served(vain, server.key, self.start):
            self.some.joined.add(phone)

    @property
    def until(self) -> float:
        """When it ended (seconds since the epoch); inf while it lasts."""
        return inf if self.end is None else self.end

    @property
    def lost_calls(self) -> list[CallUp]:
        """The calls that were up through the server when it failed, and of which nothing was seen since."""
        return [call for call in self.calls if call.last < self.start]

    @property
    def own(self) -> set[int]:
        """The phones that it concerns from beginning to end."""
        return self.first.keys() - self.some.joined

    def lets_run_out(self, server: ServerWatch, vain: InVain, enough: float) -> None:
        """Add the method of a failed request. If only calls ran out so far, other methods count once requests of
        `enough` phones failed with no answer to anybody in between."""
        if self.kind == PARTIAL and vain.method != "INVITE":
            if self.doubts and server.keeps_between(min(self.doubts.values()), vain.sent):
                self.doubts.clear()
            self.doubts[vain.phone] = min(vain.sent, self.doubts.get(vain.phone, vain.sent))
            if len(self.doubts) < enough:
                return
            self.total = min(self.doubts.values())
        self.methods.add(vain.method)
        self.hush.vain(vain)

    def late_to_show(self, vain: InVain) -> None:
        """A request turns out to have failed only now: if it was sent before the end, it belongs to this outage."""
        if self.end is not None and self.start <= vain.sent <= self.end:
            self.first.setdefault(vain.phone, vain.sent)
            self.add(vain.subjects, vain.event)

    def is_of_some(self, server: ServerWatch, failing: Mapping[int, Failing]) -> None:
        """The answers that seemed to end it were to others: requests of these phones still fail."""
        self.some.goes_on(self.end)
        for phone, one in failing.items():
            for sent in one.sends:
                if sent >= self.start:
                    self.asked_in_vain(phone, sent)
            self.lines_asked(phone, one.asked)
            self.methods |= one.methods_since(self.start)
            self.add(one.subjects, one.event)
        self.some.look(server, self.start, inf, self.first)

    def looks_at(self, server: ServerWatch) -> None:
        """Update what the server answered between failed requests."""
        self.keeps = self.keeps or server.keeps_between(self.start, self.last)
        self.registers = self.registers or server.registers_between(self.start, self.last)
        other = server.first_other_after(self.start)
        if self.others is None and other is not None and other < self.last:
            self.others, self.answer = other, None
        service = server.first_service_after(self.start, self.start)
        if self.service is None and service is not None and service < self.last:
            self.service = service
        life = None if self.total is None else server.first_life_after(self.total)
        if life is not None and life < self.last:
            self.total = None
        self.some.look(server, self.start, self.last, self.first)
        self.turns.look(server, self)
        self.settle_kind()

    def ends_with(self, server: ServerWatch, now: float) -> float | None:
        """The answer that ends the outage, if nothing fails soon after: the first since the last failed request, to a
        REGISTER if only REGISTERs fail, to anything but OPTIONS if all else fails. If others are answered all along, it
        must be to a phone concerned, unless none of these asks again. None if any answered call ends it."""
        if self.ends_with_any_call:
            return None
        if self.answer is None:
            self.answer = self._first_answer(server)
        returned = self.some.returned
        if self.some.meanwhile is not None and (returned is not None or now <= self.last + TOGETHER):
            return returned
        return self.answer

    def _first_answer(self, server: ServerWatch) -> float | None:
        if self.is_of_registrations:
            return server.first_registration_after(self.last)
        if self.is_of_refusals or self.pings:
            return server.first_service_after(self.last, self.start)
        return server.first_life_after(self.last)

    def comes_after(self, last: Outage | None) -> None:
        """Link the server's last outage, which may turn out to be one with this one, and release those before it."""
        if last is None:
            return
        if self.start <= last.last + TOGETHER:
            self.turns.earlier = (*last.turns.earlier, last)[-EARLIER_KEPT:]
            self.some.comes_after(last)
        last.some.before = last.turns.earlier = ()

    def forget(self, before: float) -> None:
        """Forget the earlier outages that were over before that time."""
        self.some.forget(before)
        self.turns.earlier = tuple(one for one in self.turns.earlier if (one.end or 0.0) >= before)

    def release(self, lines: Set[int], phones: Set[int] = frozenset()) -> None:
        """These lines and phones were forgotten."""
        super().release(lines)
        for one in {*self.some.before, *self.turns.earlier}:
            one.release(lines, phones)
        let_go(lines, self.moves, self.turned, self.asked)
        self.calls = [call for call in self.calls if call.subject.number not in lines]
        self.attempts = [pair for pair in self.attempts if pair[0].subject.number not in lines]
        let_go(phones, self.first, self.served, self.late, self.doubts, self.turns.served)
        self.some.release(phones)
        self.hush.release(phones)
        self.turns.again -= phones

    @property
    def is_of_registrations(self) -> bool:
        """Whether only REGISTERs run out, without exception, while other requests are answered."""
        return self.others is not None and self.methods == {"REGISTER"} and not self.registers \
            and self.some.meanwhile is None

    @property
    def is_of_refusals(self) -> bool:
        """Whether the only evidence against the server is 503 responses."""
        return self.methods == {None} and all(isinstance(event, Answered) for event, _ in self.evidence)

    @property
    def is_of_names(self) -> bool:
        """Whether the only evidence against the server is that its name does not resolve."""
        return self.methods == {None} and all(isinstance(event, Failed) and event.kind is FailureKind.DNS
                                              for event, _ in self.evidence)

    @property
    def beyond_options(self) -> bool:
        """Whether it answered anything but OPTIONS."""
        return self.service is not None

    @property
    def is_by_turns(self) -> bool:
        """Whether it answers some requests of the same phones and leaves the rest unanswered; a server that answers
        most of them too late is slow instead."""
        return self.kind == OUTAGE and self.turns.shown and not self.is_of_refusals \
            and len(self.late) <= len(self.turns.served)

    @property
    def pings(self) -> bool:
        """Whether it answers only OPTIONS."""
        return self.keeps and not self.beyond_options

    @property
    def ends_with_any_call(self) -> bool:
        """Whether any answered call ends it."""
        return self.kind == PARTIAL and self.some.meanwhile is None

    def settle_kind(self) -> None:
        """A server that registers all along and leaves only calls unanswered has a partial outage, unless it takes the
        calls of others; so has one that still registers the very phones whose calls run out."""
        takes_none = not self.takes_calls if self.some.meanwhile is None else self.some.of_methods
        self.kind = PARTIAL if self.keeps and self.methods == {"INVITE"} and takes_none else OUTAGE
