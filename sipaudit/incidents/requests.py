"""Pending requests: which of them were not answered for as long as their phones wait."""

from __future__ import annotations

from collections.abc import Set

from msgspec import Struct

from sipaudit.incidents.draft import Watched
from sipaudit.model.events import Answered, Resent, Sent
from sipaudit.model.reach import LONG_AGO
from sipaudit.model.settings import LineSettings
from sipaudit.model.timers import SILENCE_MAX, T1, UNDECLARED_EARLIEST, earliest_silence

OPEN_KEPT = 200_000           # pending requests
LOOK_EVERY = 0.5              # seconds between two checks of the pending requests
SHORTEST = UNDECLARED_EARLIEST   # seconds: no phone gives up sooner
DEFAULT_SILENCE = 3.15        # F2 with the phones' default timers: 3.5 s less 10 %


def silence_of(settings: LineSettings) -> float:
    """Seconds without an answer after which a phone with these settings may hold a server for failed: the earliest time
    by F2, or that of the default timers if none are declared."""
    known = settings.number("retryTimeOut") is not None and settings.number("retryMaxCount") is not None
    return earliest_silence(settings) if known else DEFAULT_SILENCE


def went_on(request: Sent, repeated: float, silence: float) -> bool:
    """Whether the last retransmission of a request came after the middle of the `silence` that its phone waits for, as
    it does with doubling intervals (F2). If the phone stopped before, it has received an answer, which the capture may
    lack."""
    return repeated - request.time >= (silence - T1) / 2


class OpenRequest(Struct, eq=False, gc=False):
    """A pending request. `repeated`: when its phone last retransmitted it; `proceeds`: whether it, if not an INVITE,
    has had a provisional response."""

    request: Sent
    subject: Watched
    repeated: float = LONG_AGO
    proceeds: bool = False

    @property
    def silence(self) -> float:
        """Seconds without a final response after which it may have run out. A 1xx does not stop Timer F (F4): the phone
        retransmits until then (RFC 3261 17.1.2.2)."""
        return max(SILENCE_MAX, self.subject.silence) if self.proceeds else self.subject.silence

    @property
    def shows_silence(self) -> bool:
        """Whether its phone went on retransmitting, as it does without an answer."""
        return went_on(self.request, self.repeated, self.silence)


class OpenRequests:
    """The pending requests by transaction, oldest first. With `rolling`, a full table makes room for new rows;
    otherwise it accepts no more. `next_look`: when some may have waited long enough, in seconds since the epoch."""

    __slots__ = ("_open", "_rolling", "evicted", "limit", "next_look", "pop")

    def __init__(self, *, rolling: bool) -> None:
        self._rolling = rolling
        self._open: dict[int, OpenRequest] = {}
        self.pop = self._open.pop   # ends the waiting of a request
        self.limit = OPEN_KEPT
        self.evicted = 0
        self.next_look = LONG_AGO

    def __contains__(self, transaction: object) -> bool:
        return transaction in self._open

    def __len__(self) -> int:
        return len(self._open)

    def add(self, request: Sent, subject: Watched) -> None:
        """Add a pending request. A CANCEL is not added: its INVITE is the one that waits."""
        if request.method != "CANCEL" and (len(self._open) < self.limit or self._has_room()):
            self._open[request.transaction] = OpenRequest(request, subject)

    def _has_room(self) -> bool:
        """The table is full: with `rolling`, evict the oldest. Returns whether there is room now."""
        if self._rolling:
            self._shed()
        else:
            self.evicted += 1
        return self._rolling

    def _shed(self) -> None:
        del self._open[next(iter(self._open))]
        self.evicted += 1

    def hear(self, answer: Answered) -> OpenRequest | None:
        """The request that this answer ends, no longer pending. A 1xx does not end a non-INVITE request, which waits
        for its final response (F4): then None."""
        waiting = self._open.get(answer.transaction)
        if waiting is not None and answer.status < 200 and answer.method != "INVITE" \
                and answer.time - waiting.request.time <= waiting.silence:
            waiting.proceeds = True
            return None
        return self.pop(answer.transaction, None)

    def repeated(self, packet: Resent) -> None:
        """The phone has retransmitted a request."""
        waiting = self._open.get(packet.transaction)
        if waiting is not None:
            waiting.repeated = packet.time

    def sort(self) -> None:
        """Restore the order, oldest first: a renewal that began before others may be added after them."""
        in_order = sorted(self._open.items(), key=lambda item: item[1].request.time)
        self._open.clear()
        self._open.update(in_order)

    def due(self, now: float) -> list[OpenRequest]:
        """Remove and return the requests that have not been answered for as long as their phones wait."""
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
        """Set another bound."""
        self.limit = min(limit, OPEN_KEPT)
        while len(self._open) > self.limit:
            self._shed()

    def clear(self) -> None:
        """Drop all pending requests: they may have been answered."""
        self._open.clear()
