"""What is remembered of one server: its users, when it answered, and which phones hold it for failed."""

from __future__ import annotations

from collections import deque
from collections.abc import Container, Iterator, Set
from itertools import chain, islice

from sipaudit.incidents.crowds import Crowd
from sipaudit.incidents.draft import Watched, let_go
from sipaudit.incidents.failing import Failing, InVain
from sipaudit.incidents.minutes import MINUTE, Minute, OfServer
from sipaudit.incidents.seconds import Seconds
from sipaudit.model.history import MoveSeen
from sipaudit.model.reach import LONG_AGO

LIVES_KEPT = 64        # remembered answers, a second or more apart
APART = 1.0            # seconds between two remembered answers
MINUTES_ASKED = 4      # minutes whose users are remembered
USERS_KEPT = 64        # phones of a server: no caller needs more than a few
SEVERAL = 4            # phones: fewer may as well have left a server all at the same time
IN_USE = 3             # consecutive minutes with requests to a server
LOOKED_BACK = 60       # minutes
REFUSALS_KEPT = 256    # 503 responses of one server
FORSAKEN_KEPT = 4_096  # times that lines of one server tried another
LEFT_FOR = 120.0       # seconds for which a move is remembered before its outage is found


class ServerWatch:
    """One server. `users`: some of its phones, or all if few; `served`: the phones that it ever answered as it answers
    its own; `asking`: the phones of this minute, with the time of their last request; `asked`: the same for the last
    minutes. `lives`: final responses outside of dialogs as (sent, answered, phone), `registered`: those to REGISTER,
    `pinged`: those to OPTIONS, of each at most one a second; `noted`: when the last REGISTER of these was sent.
    `failing`: phones with evidence against it, latest last; `cut`: phones whose connection was reset, while they may
    yet be answered over another. `left`: the last failover of each line away from it; `forsaken`: when which of its
    lines tried another server because of evidence against it. `over`: the minute before this one; `refusals`: its last
    503 responses; `seconds`: REGISTERs in each second; `crowd`: their lines in busy seconds; `restored`: when its last
    outage ended; `late`: when it last answered requests that had been given up; `helped`: while some phones held it for
    failed, when it served which phone what method."""

    __slots__ = ("answered", "asked", "asking", "crowd", "cut", "failing", "forsaken", "helped", "key", "late", "left",
                 "lives", "minute", "minutes", "noted", "over", "pinged", "refusals", "registered", "restored",
                 "seconds", "served", "users")

    def __init__(self, key: str, minute: Minute) -> None:
        self.key = key
        self.minute = minute
        self.over = minute
        self.minutes: OfServer = {}
        self.users: set[int] = set()
        self.served: set[int] = set()
        self.asking: dict[int, float] = {}
        self.asked: deque[dict[int, float]] = deque([self.asking], maxlen=MINUTES_ASKED)
        self.noted = LONG_AGO
        self.lives: deque[tuple[float, float, int]] = deque(maxlen=LIVES_KEPT)
        self.registered: deque[tuple[float, float, int]] = deque(maxlen=LIVES_KEPT)
        self.pinged: deque[tuple[float, float, int]] = deque(maxlen=LIVES_KEPT)
        self.late: deque[float] = deque(maxlen=3 * LIVES_KEPT)
        self.helped: deque[tuple[float, int, str]] = deque(maxlen=LIVES_KEPT)
        self.answered = LONG_AGO
        self.failing: dict[int, Failing] = {}
        self.cut: dict[int, InVain] = {}
        self.left: dict[int, tuple[Watched, MoveSeen]] = {}
        self.forsaken: deque[tuple[float, int]] = deque(maxlen=FORSAKEN_KEPT)
        self.seconds = Seconds()
        self.crowd = Crowd()
        self.restored = LONG_AGO
        self.refusals: deque[float] = deque(maxlen=REFUSALS_KEPT)

    def counts(self, phone: int, sent: float, *, surely: bool = False) -> bool:
        """Whether the phone's request of that time is known to have failed. `surely`: by more than the absence of an
        answer; or it will be, unless another connection is answered."""
        failing = self.failing.get(phone)
        if failing is not None and sent in failing.sends and (failing.sure or not surely):
            return True
        cut = self.cut.get(phone) if surely else None
        return cut is not None and cut.sent == sent

    def fails(self, vain: InVain) -> Failing:
        """Add a failed request to the phone's evidence against this server, and return that evidence."""
        failing = self.failing.pop(vain.phone, None) or Failing(vain)
        self.failing[vain.phone] = failing
        failing.note(vain)
        return failing

    def used(self, phone: int, time: float) -> None:
        """Note that a phone sends it a request."""
        self.asking[phone] = time
        if phone not in self.users and len(self.users) < USERS_KEPT:
            self.users.add(phone)

    def asked_to_register(self, time: float, line: int) -> None:
        """Count a REGISTER of a line."""
        second = int(time)
        self.seconds.counting[second] += 1
        self.crowd.note(second, line)

    def is_out_of_sight(self, time: float, now: float) -> bool:
        """Whether no request was seen there for a minute about that time, though several phones had used the server:
        the tap may not show it any more, like a port whose link is down. `now` is how far the captures were read."""
        if len(self.users) < SEVERAL:
            return False
        minutes, this = self.minutes, time // MINUTE * MINUTE
        about = (minute for minute in (this - MINUTE, this, this + MINUTE) if minute + MINUTE <= now)
        empty = next((minute for minute in about if minute not in minutes), None)
        if empty is None:
            return False
        before = (empty - MINUTE * step for step in range(1, LOOKED_BACK))
        last = next((minute for minute in before if minute in minutes), None)
        return last is not None and all(last - MINUTE * step in minutes for step in range(1, IN_USE))

    def release(self, lines: Set[int], phones: Set[int]) -> None:
        """These lines and phones were forgotten."""
        self.served -= phones
        let_go(phones, *self.asked, self.failing, self.cut)
        let_go(lines, self.left)
        self.users -= phones
        self.users.update(islice(chain.from_iterable(self.asked), USERS_KEPT - len(self.users)))
        self.forsaken = deque((one for one in self.forsaken if one[1] not in lines), FORSAKEN_KEPT)

    def turn(self, minute: Minute) -> None:
        """Begin another minute."""
        self.over, self.minute = self.minute, minute
        self.asking = {}
        self.asked.append(self.asking)

    def lived(self, sent: float, time: float, phone: int) -> None:
        """It gave this phone a final response outside of dialogs that is no failure, to a request sent at `sent`."""
        if time > self.answered:
            self.answered = time
        if not self.lives or time - self.lives[-1][1] >= APART:
            self.lives.append((sent, time, phone))

    def lived_registering(self, sent: float, time: float, phone: int) -> None:
        """The same, to a REGISTER."""
        if time > self.answered:
            self.answered = time
        if sent - self.noted >= APART:
            self.noted = sent
            self.registered.append((sent, time, phone))

    def lived_pinged(self, sent: float, time: float, phone: int) -> None:
        """The same, to an OPTIONS."""
        self.answered = max(self.answered, time)
        if not self.pinged or sent - self.pinged[-1][0] >= APART:
            self.pinged.append((sent, time, phone))

    def answered_before(self, time: float) -> float | None:
        """When it last answered anybody before this time; LONG_AGO if no earlier answer was seen. None if others were
        answered since, and earlier answers are no longer remembered."""
        if self.answered < time:
            return self.answered
        forgets = any(len(kept) == kept.maxlen for kept in (self.lives, self.registered, self.pinged))
        return None if forgets or any(answered < time for _, answered, _ in self._answers()) else LONG_AGO

    def first_life_after(self, time: float) -> float | None:
        """The first remembered answer after this time."""
        return min((answered for _, answered, _ in self._answers() if answered > time), default=None)

    def answers_late(self, failing: Failing, sent: float, time: float) -> bool:
        """Whether an answer is to a request that the phone had given up; if so, note it."""
        late = sent in failing.sends
        if late:
            self.late.append(time)
        return late

    def in_time_between(self, start: float, end: float) -> bool:
        """Whether it gave any answer in that time, except to OPTIONS, to a request that had not been given up."""
        return any(start < answered < end and answered not in self.late
                   for _, answered, _ in chain(self.lives, self.registered))

    def first_life_of_others(self, start: float, end: float, phones: Container[int]) -> tuple[int, float] | None:
        """The first answer to another phone than these, with the request and the answer between these times, as (phone,
        time)."""
        others = ((answered, phone) for sent, answered, phone in self._answers()
                  if start <= sent and answered < end and phone not in phones)
        first = min(others, default=None)
        return None if first is None else (first[1], first[0])

    def _answers(self) -> Iterator[tuple[float, float, int]]:
        return chain(self.lives, self.registered, self.pinged)

    def first_service_after(self, time: float, asked: float) -> float | None:
        """The first answer to anything but OPTIONS (some servers answer these and refuse all else), to a request sent
        since `asked`: a call that rang before may still be answered."""
        return min((answered for sent, answered, _ in chain(self.lives, self.registered)
                    if answered > time and sent >= asked), default=None)

    def first_registration_after(self, time: float) -> float | None:
        """The first remembered answer to a REGISTER sent after this time."""
        return min((answered for sent, answered, _ in self.registered if sent > time), default=None)

    def first_other_after(self, time: float) -> float | None:
        """The first answer to anything but a REGISTER, sent after that time."""
        return min((answered for sent, answered, _ in chain(self.lives, self.pinged) if sent > time), default=None)

    def registers_between(self, start: float, end: float) -> bool:
        """Whether a REGISTER sent after `start` and before `end` was answered."""
        return any(start < sent < end for sent, _, _ in self.registered)

    def keeps_between(self, start: float, end: float) -> bool:
        """Whether a REGISTER or OPTIONS sent in that time was answered."""
        return self.registers_between(start, end) or any(start < sent < end for sent, _, _ in self.pinged)

    def users_since(self, time: float) -> int:
        """How many of its phones have sent it a request since then, at most some two minutes back. Only phones that it
        has served count, if any: a flood of requests from phones that it never knew must not hide that it is dead."""
        asked = {phone for asked in self.asked for phone, last in asked.items() if last >= time}
        return len(asked & self.served if self.served else asked)

    def failing_since(self, time: float) -> Iterator[tuple[int, Failing]]:
        """The phones whose last failed request was sent then or later."""
        for phone, failing in reversed(self.failing.items()):
            if failing.sends[-1] < time:
                break
            yield phone, failing

    def failed_last(self, phone: int) -> float:
        """When the phone's last failed request was sent, while that is not disproved; otherwise LONG_AGO."""
        failing = self.failing.get(phone)
        return LONG_AGO if failing is None else failing.sends[-1]

    def was_left(self, subject: Watched, move: MoveSeen) -> None:
        """A line moved away after a failure."""
        while self.left:
            oldest = next(iter(self.left))
            if move.time - self.left[oldest][1].time <= LEFT_FOR:
                break
            del self.left[oldest]
        self.left.setdefault(subject.number, (subject, move))

    def was_forsaken(self, line: int, time: float) -> None:
        """A line tries another server because of evidence against this one."""
        while self.forsaken and time - self.forsaken[0][0] > LEFT_FOR:
            self.forsaken.popleft()
        self.forsaken.append((time, line))
