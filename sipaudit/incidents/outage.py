"""One server that is out, or lets calls alone run out, and what is known of it so far."""

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
SETTLED_AFTER = 140.0   # seconds after its end in which a call may still come through, and a registration be missed
LOSSES = ("time_to_detect_max", "registrations_lost", "calls_lost", "calls_failed")
ATTEMPTS_KEPT = 20_000  # of one outage

FailedAttempt = tuple[Attempt, float]   # with when its request was sent that came to nothing


class Outage(Draft):
    """A server that is out. `first` is when each phone first asked in vain, `asked` when each of its lines did that
    asked by itself, `last` the last such request of all, and `methods` of what ran out (None: refused, or not
    delivered); `answer` the first answer after that, `last_answer` the one before the start (-inf: none was seen; None:
    others were answered all the time), `stop` when it really stopped, if somebody said so; `sure` whether more than
    silence tells it.

    Of what it answered meanwhile: `served` is when each phone last was, with what had run out, `keeps` whether a
    REGISTER or OPTIONS, `registers` whether a REGISTER, `service` the first answer to anything but OPTIONS, `others`
    the first to anything but a REGISTER; `called` when the last INVITE was sent that it answered, `takes_calls` whether
    it answered one between the first two in vain.
    `late` is when each phone's request was sent, and answered, that had run out by then. `doubts` is when each phone
    asked something else in vain while calls alone run out, and `total` since when nothing was answered, when that was
    later than the start. `some` tells whether some phones alone have lost it, `turns` whether it answers some and
    others not, by turns, `hush` whether it refused them, or was late, at first.

    `moves` are the lines that left, `turned` when each first asked another server; `attempts` the calls that could not
    be made, with when that was asked of this server."""

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
        """Whether packets lacked when it was seen; asked now and then, with whether they lack `now`. What lacks much
        later says nothing of it, and no more does that nothing lacks any more."""
        if self._doubtful is None or now <= self.last + LOSS_REACH:
            self._doubtful = self._doubtful or lossy
        return self._doubtful

    def unsettled(self, now: float, spells: int) -> Sequence[Hashable]:
        fail = sum(not one.made and one.blames(self.server) for one, _ in self.attempts)
        return (len(self.lost_calls), fail, len(self.calls), len(self.attempts), len(self.moves), len(self.turned),
                len(self.first), len(self.late), len(self.some.freed), self.answer, self.refusals,
                spells if now - (self.end or now) < SETTLED_AFTER else 0)

    def settle(self, _now: float) -> bool:
        """Who does not find a server by its name may know where it is: it is none if nobody lost anything by that, nor
        needed it since the own one had failed."""
        return not self.is_of_names or any(self.metrics.get(name) for name in LOSSES) \
            or not all(works_with(subject, self.server) for subject in self.lines.values())

    def seen_last(self, _now: float) -> float:
        return self.last

    def failed(self, attempt: Attempt, sent: float) -> None:
        """A call that could not be made because of it; `sent` is when its request was."""
        if has_room(self.attempts, ATTEMPTS_KEPT, "watched-calls"):
            attempt.blame(self.server)
            self.attempts.append((attempt, sent))

    def serves(self, phone: int, sent: float, time: float, *, disproves: bool, late: bool) -> None:
        """The server answered a request of this phone, sent then, which `disproves` what ran out, or is of another
        method; `late`: it had run out itself."""
        if late and phone in self.first:
            self.late.setdefault(phone, (sent, time))
            self.hush.answers_late(sent, time)
        for one in (self, *self.turns.earlier) if disproves or late else ():
            if phone in one.first:
                one.served[phone] = time
        self.some.answers(phone, time, anew=phone in self.first and sent > self.last, disproves=disproves)

    def asked_in_vain(self, phone: int, sent: float, subjects: Iterable[Watched] = ()) -> None:
        """A phone asked then, for these lines, and nothing came of it."""
        self.some.vain(phone, sent, by_turns=self.turns.shown)
        self.first[phone] = min(sent, self.first.get(phone, sent))
        self.start = min(self.start, sent)
        self.lines_asked(phone, ((subject.number, sent) for subject in subjects))
        self.last = max(self.last, sent)
        if self.answer is not None and sent > self.answer:
            self.answer = None

    def lines_asked(self, phone: int, asked: Iterable[tuple[int, float]]) -> None:
        """Lines of a phone, by number, asked in vain, each at that time. A line that was answered since, and had not
        turned away, has begun anew."""
        since = max(self.start, self.served.get(phone, self.start))
        for line, sent in asked:
            if sent >= since:
                known = self.asked.get(line, sent)
                self.asked[line] = sent if known < since and line not in self.turned else min(sent, known)

    def joins(self, server: ServerWatch, vain: InVain, failing: Failing) -> None:
        """A phone is concerned by one of some alone, which others had lost before; or once more, though the server had
        done for it what it now asks in vain: what was challenged is disproved by that already, and not by the 200."""
        phone = vain.phone
        if phone in self.first:
            if vain.had_been_served(server.key, self.first[phone]):
                self.turns.again.add(phone)
        elif self.some.meanwhile is not None and failing.had_been_served(vain, server.key, self.start):
            self.some.joined.add(phone)

    @property
    def until(self) -> float:
        """When it ended (seconds since the epoch), without end while it lasts."""
        return inf if self.end is None else self.end

    @property
    def lost_calls(self) -> list[CallUp]:
        """Of the calls that were up through the server when it failed, those of which nothing was seen since."""
        return [call for call in self.calls if call.last < self.start]

    @property
    def own(self) -> set[int]:
        """The phones that it concerns all the while."""
        return self.first.keys() - self.some.joined

    def lets_run_out(self, server: ServerWatch, vain: InVain, enough: float) -> None:
        """Of which method that is. Where calls alone ran out so far, it is one of all else once `enough` phones asked
        that in vain, with no answer to anybody between."""
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
        """A request came to nothing, as is seen only now: if it was sent before the end, it belongs to this."""
        if self.end is not None and self.start <= vain.sent <= self.end:
            self.first.setdefault(vain.phone, vain.sent)
            self.add(vain.subjects, vain.event)

    def is_of_some(self, server: ServerWatch, failing: Mapping[int, Failing]) -> None:
        """What seemed to end it was answered to others: these phones have gone on to ask in vain."""
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
        """What it answered between requests that came to nothing."""
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
        """The answer that ends it, if nothing fails soon after: the first since the last request that came to nothing,
        to a REGISTER where REGISTERs alone do, to anything but OPTIONS where all else does. Where others are answered
        all the while that is one to a phone that it concerns, unless none of these asks again. None where any call that
        is answered ends it."""
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
        """The last outage of the server, which may turn out to be the same, and holds none before it any longer."""
        if last is None:
            return
        if self.start <= last.last + TOGETHER:
            self.turns.earlier = (*last.turns.earlier, last)[-EARLIER_KEPT:]
            self.some.comes_after(last)
        last.some.before = last.turns.earlier = ()

    def forget(self, before: float) -> None:
        """Forget which were over before that time."""
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
        """Whether REGISTERs alone are left to run out, one and all, while others are answered."""
        return self.others is not None and self.methods == {"REGISTER"} and not self.registers \
            and self.some.meanwhile is None

    @property
    def is_of_refusals(self) -> bool:
        """Whether nothing but responses 503 speaks against the server."""
        return self.methods == {None} and all(isinstance(event, Answered) for event, _ in self.evidence)

    @property
    def is_of_names(self) -> bool:
        """Whether nothing speaks against the server but that its name does not resolve."""
        return self.methods == {None} and all(isinstance(event, Failed) and event.kind is FailureKind.DNS
                                              for event, _ in self.evidence)

    @property
    def beyond_options(self) -> bool:
        """Whether it answered anything but OPTIONS."""
        return self.service is not None

    @property
    def is_by_turns(self) -> bool:
        """Whether it answers some of what the same phones ask, and leaves the rest without an answer; one that answers
        most of them too late is slow."""
        return self.kind == OUTAGE and self.turns.shown and not self.is_of_refusals \
            and len(self.late) <= len(self.turns.served)

    @property
    def pings(self) -> bool:
        """Whether it answers OPTIONS alone."""
        return self.keeps and not self.beyond_options

    @property
    def ends_with_any_call(self) -> bool:
        """Whether it ends when anybody's call is answered."""
        return self.kind == PARTIAL and self.some.meanwhile is None

    def settle_kind(self) -> None:
        """A server that registers all the while and lets only calls run out is a part of one, unless it takes the calls
        of others; so is one that registers those alone whose calls run out."""
        takes_none = not self.takes_calls if self.some.meanwhile is None else self.some.of_methods
        self.kind = PARTIAL if self.keeps and self.methods == {"INVITE"} and takes_none else OUTAGE
