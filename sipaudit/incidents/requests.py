"""Requests that wait for an answer: which of them were not answered for as long as their phones wait."""

from __future__ import annotations

from collections.abc import Set

from msgspec import Struct

from sipaudit.incidents.draft import Watched
from sipaudit.model.events import Answered, Resent, Sent
from sipaudit.model.reach import LONG_AGO
from sipaudit.model.settings import LineSettings
from sipaudit.model.timers import SILENCE_MAX, T1, UNDECLARED_EARLIEST, earliest_silence

OPEN_KEPT = 200_000           # requests that wait for an answer
LOOK_EVERY = 0.5              # seconds between two looks at what waits for an answer
SHORTEST = UNDECLARED_EARLIEST   # seconds: no phone gives up sooner
DEFAULT_SILENCE = 3.15        # F2 with the phones' default timers: 3.5 s less 10 %


def silence_of(settings: LineSettings) -> float:
    """Seconds without an answer after which a phone with these settings may hold a server for failed: F2's earliest,
    of the default timers where none are declared."""
    known = settings.number("retryTimeOut") is not None and settings.number("retryMaxCount") is not None
    return earliest_silence(settings) if known else DEFAULT_SILENCE


def went_on(request: Sent, repeated: float, silence: float) -> bool:
    """Whether the last sending of a request lies past the middle of the `silence` that its phone waits for, as it does
    at doubling intervals (F2): one that stopped before has heard an answer, and the capture may lack it."""
    return repeated - request.time >= (silence - T1) / 2


class OpenRequest(Struct, eq=False, gc=False):
    """A request that waits for an answer; `repeated` is when its phone sent it again, the last time, `proceeds` whether
    one that is no INVITE has had a provisional answer."""

    request: Sent
    subject: Watched
    repeated: float = LONG_AGO
    proceeds: bool = False

    @property
    def silence(self) -> float:
        """Seconds without a final answer after which it may have run out. A 1xx does not stop Timer F (F4): a phone
        that got one goes on sending until then (RFC 3261 17.1.2.2)."""
        return max(SILENCE_MAX, self.subject.silence) if self.proceeds else self.subject.silence

    @property
    def shows_silence(self) -> bool:
        """Whether its phone went on sending it, as one does that hears nothing."""
        return went_on(self.request, self.repeated, self.silence)


class OpenRequests:
    """By transaction, the oldest first. (`rolling`) a full table makes room for what is new; else it takes in nothing
    more. `next_look` is when some may have waited long enough, seconds since the epoch."""

    __slots__ = ("_open", "_rolling", "evicted", "limit", "next_look", "pop")

    def __init__(self, *, rolling: bool) -> None:
        self._rolling = rolling
        self._open: dict[int, OpenRequest] = {}
        self.pop = self._open.pop   # one waits no longer
        self.limit = OPEN_KEPT
        self.evicted = 0
        self.next_look = LONG_AGO

    def __contains__(self, transaction: object) -> bool:
        return transaction in self._open

    def __len__(self) -> int:
        return len(self._open)

    def add(self, request: Sent, subject: Watched) -> None:
        """A request waits for its answer. A CANCEL does not: its INVITE does."""
        if request.method != "CANCEL" and (len(self._open) < self.limit or self._has_room()):
            self._open[request.transaction] = OpenRequest(request, subject)

    def _has_room(self) -> bool:
        """The table is full: whether the oldest makes room."""
        if self._rolling:
            self._shed()
        else:
            self.evicted += 1
        return self._rolling

    def _shed(self) -> None:
        del self._open[next(iter(self._open))]
        self.evicted += 1

    def hear(self, answer: Answered) -> OpenRequest | None:
        """What waited for this answer waits no longer, but what is no INVITE for its final one (F4). None for a 1xx to
        that."""
        waiting = self._open.get(answer.transaction)
        if waiting is not None and answer.status < 200 and answer.method != "INVITE" \
                and answer.time - waiting.request.time <= waiting.silence:
            waiting.proceeds = True
            return None
        return self.pop(answer.transaction, None)

    def repeated(self, packet: Resent) -> None:
        """Its phone has sent it again."""
        waiting = self._open.get(packet.transaction)
        if waiting is not None:
            waiting.repeated = packet.time

    def sort(self) -> None:
        """The oldest first again: a renewal that began before others may only now be followed."""
        in_order = sorted(self._open.items(), key=lambda item: item[1].request.time)
        self._open.clear()
        self._open.update(in_order)

    def due(self, now: float) -> list[OpenRequest]:
        """Those that have not been answered for as long as their phones wait; they wait no longer."""
        self.next_look = now + LOOK_EVERY
        due = []
        for waiting in self._open.values():
            sent = waiting.request.time
            if sent + SHORTEST > now:
                break
            if sent + waiting.silence <= now:
                due.append(waiting)
        for waiting in due:
            del self._open[waiting.request.transaction]
        return due

    def release(self, lines: Set[int]) -> None:
        """These lines were forgotten."""
        for number in [number for number, one in self._open.items() if one.subject.number in lines]:
            del self._open[number]

    def tighten(self, limit: int) -> None:
        """Another bound from now on."""
        self.limit = min(limit, OPEN_KEPT)
        while len(self._open) > self.limit:
            self._shed()

    def clear(self) -> None:
        """What was asked before may have been answered."""
        self._open.clear()
