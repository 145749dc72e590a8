"""One server that is out, or lets calls alone run out, and what is known of it so far."""

from __future__ import annotations

from collections.abc import Mapping, Set

from sipaudit.incidents.calls import Attempt, CallUp
from sipaudit.incidents.draft import Draft, Watched
from sipaudit.incidents.servers import Failing
from sipaudit.model.conditions.trust import LOSS_REACH
from sipaudit.model.history import MoveSeen
from sipaudit.model.reach import LONG_AGO
from sipaudit.turned_away import turned_away

OUTAGE, PARTIAL = "server-outage", "partial-outage"
ATTEMPTS_KEPT = 20_000  # of one outage

FailedAttempt = tuple[Attempt, float]   # with when its request was sent that came to nothing


class Outage(Draft):
    """A server that is out. `first` is when each phone first asked in vain, `last` the last such request of all;
    `answer` the first answer after that, `last_answer` the one before the start (-inf: none was seen; None: others were
    answered all the time), `stop` when it really stopped, if somebody said so; `methods` of what ran out (None:
    refused, or not delivered); `registers` whether it answered a REGISTER or OPTIONS meanwhile, `others` the first
    answer to anything but a REGISTER; `called` when the last INVITE was sent that it answered; `meanwhile` the first
    answer to phones that it does not concern, where it is one of some phones alone, and `returned` the first since
    `last` to one of those that it does; `sure` whether more than silence tells it; `moves` the lines that left,
    `turned` when each first asked another server; `attempts` the calls that could not be made, with when that was asked
    of this server."""

    def __init__(self, start: float, server: str, entry: str | None) -> None:
        super().__init__(OUTAGE, start, server, entry)
        self.first: dict[int, float] = {}
        self.last = start
        self.answer: float | None = None
        self.last_answer: float | None = None
        self.methods: set[str | None] = set()
        self.registers = False
        self.others: float | None = None
        self.moves: dict[int, tuple[Watched, MoveSeen]] = {}
        self.turned: dict[int, float] = {}
        self.calls: list[CallUp] = []
        self.attempts: list[FailedAttempt] = []
        self.refusals = 0
        self.stop: float | None = None
        self.called = LONG_AGO
        self.meanwhile: float | None = None
        self.returned: float | None = None
        self.sure = False
        self._doubtful: bool | None = None

    def is_doubtful(self, lossy: bool, now: float) -> bool:
        """Whether packets lacked when it was seen; asked now and then, with whether they lack `now`. What lacks much
        later says nothing of it, and no more does that nothing lacks any more."""
        if self._doubtful is None or now <= self.last + LOSS_REACH:
            self._doubtful = self._doubtful or lossy
        return self._doubtful

    def failed(self, attempt: Attempt, sent: float) -> None:
        """A call that could not be made because of it; `sent` is when its request was."""
        if len(self.attempts) < ATTEMPTS_KEPT:
            self.attempts.append((attempt, sent))
        else:
            turned_away("watched-calls")

    def serves(self, phone: int, sent: float, time: float) -> None:
        """The server answered a request of this phone, sent then."""
        if self.returned is None and phone in self.first and sent > self.last:
            self.returned = time

    def asked_in_vain(self, phone: int, sent: float) -> None:
        """A phone asked then, and nothing came of it."""
        self.first[phone] = min(sent, self.first.get(phone, sent))
        self.start = min(self.start, sent)
        self.last = max(self.last, sent)
        if self.answer is not None and sent > self.answer:
            self.answer = None
        if self.returned is not None and sent > self.returned:
            self.returned = None

    def is_of_some(self, failing: Mapping[int, Failing]) -> None:
        """What seemed to end it was answered to others: these phones have gone on to ask in vain."""
        self.meanwhile = self.meanwhile or self.end
        for phone, one in failing.items():
            for sent in one.sends:
                if sent >= self.start:
                    self.asked_in_vain(phone, sent)
            self.methods.update(one.methods)
            self.add(one.subjects, one.event)

    def release(self, lines: Set[int]) -> None:
        """These lines were forgotten."""
        super().release(lines)
        for known in (self.moves, self.turned):
            for number in known.keys() & lines:
                del known[number]
        self.calls = [call for call in self.calls if call.subject.number not in lines]
        self.attempts = [pair for pair in self.attempts if pair[0].subject.number not in lines]

    @property
    def is_of_registrations(self) -> bool:
        """Whether REGISTERs alone are left to run out, while others are answered."""
        return self.others is not None and self.methods == {"REGISTER"} and self.meanwhile is None

    @property
    def answered_again(self) -> float | None:
        """When the server first answered anybody after the last that failed, or one whom it concerns."""
        return self.answer if self.meanwhile is None else self.returned

    def settle_kind(self) -> None:
        """A server that registers all the while and lets only calls run out is a part of one, unless it takes the calls
        of others."""
        in_part = self.registers and self.methods == {"INVITE"} and self.meanwhile is None
        self.kind = PARTIAL if in_part else OUTAGE
