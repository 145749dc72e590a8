"""Incidents in the making, and the lines that they reached."""

from __future__ import annotations

from collections import deque
from collections.abc import Hashable, Iterable, Iterator, Sequence, Set
from heapq import nsmallest
from itertools import chain
from typing import Any, Protocol

from sipaudit.model.events import ModelEvent
from sipaudit.model.history import History, MoveSeen
from sipaudit.model.profile import Profile
from sipaudit.model.state import LineState, Track
from sipaudit.model.values import Frame
from sipaudit.rulebook.reached import Party
from sipaudit.turned_away import has_room, turned_away

EVIDENCE_KEPT = 20
DRAFTS_KEPT = 2_000    # incidents of a run
LATEST = 64            # the last ones, which may still continue
HAPPENINGS_KEPT = 100  # of one incident's timeline
SHED = 8               # a full list sheds an eighth
TOGETHER = 600.0       # seconds: happenings at one server that are closer make one incident


def let_go(gone: Set[int], *tables: dict[int, Any]) -> None:
    """Delete the rows of forgotten lines, or phones, from tables that are keyed by their numbers."""
    for table in tables:
        for number in table.keys() & gone:
            del table[number]


class Watched(Party, Protocol):
    """One line at one of its server entries, and how a report names it.

    `number` is the line's, `owner` its phone's, `fallback` whether the line has other entries, `silence` the seconds
    without an answer after which its phone may hold a server for failed (F2), `belongs` whether its settings let it
    belong where it works (split-brain), `unread` whether its phone also sends where nothing can be read, `sees` whether
    any packet shows a server, `follows` whether a server is in its entry, `connects` whether phones reach a server over
    connections alone.
    """

    @property
    def number(self) -> int: ...
    @property
    def owner(self) -> int: ...
    @property
    def history(self) -> History: ...
    @property
    def state(self) -> LineState: ...
    @property
    def silence(self) -> float: ...
    @property
    def belongs(self) -> bool: ...
    @property
    def group(self) -> str | None: ...
    @property
    def fallback(self) -> bool: ...
    @property
    def unread(self) -> bool: ...
    @property
    def track(self) -> Track: ...
    def profile(self) -> Profile: ...
    def server(self, key: str) -> str: ...
    def sees(self, key: str) -> bool: ...
    def follows(self, server: str) -> bool: ...
    def connects(self, key: str) -> bool: ...
    def frame(self, event: ModelEvent) -> Frame: ...


def works_with(subject: Watched, server: str | None) -> bool:
    """Whether that server is the line's working server now."""
    stay = subject.state.stays[subject.track]
    return stay is not None and stay.server == server


class Draft:
    """An incident as far as it is known. Times in seconds since the epoch; `end` is None while it lasts.

    `server` is a key (`host:port`) or None, `lines` the lines it reached, by number, `evidence` the first packets that
    show it, with their lines, `happenings` the entries of its timeline, `metrics` by the names of contract.md 3,
    `moves` the failovers away from its server, by line. `quiet`: seconds without further events after which its end is
    final; `closed`: whether the end is final already.
    """

    quiet = 0.0

    def __init__(self, kind: str, start: float, server: str | None = None, entry: str | None = None) -> None:
        self.kind = kind
        self.start = start
        self.end: float | None = None
        self.closed = False
        self.server = server
        self.entry = entry
        self.lines: dict[int, Watched] = {}
        self.evidence: list[tuple[ModelEvent, Watched]] = []
        self.happenings: list[tuple[float, str]] = []
        self.metrics: dict[str, float | None] = {}
        self.moves: dict[int, tuple[Watched, MoveSeen]] = {}

    def add(self, subjects: Iterable[Watched], event: ModelEvent | None = None) -> None:
        """Add lines that it reached, and a packet that shows it."""
        for subject in subjects:
            self.lines.setdefault(subject.number, subject)
            if event is not None and len(self.evidence) >= EVIDENCE_KEPT:
                turned_away("samples")
            elif event is not None:
                if all(known is not event for known, _ in self.evidence):
                    self.evidence.append((event, subject))
                event = None

    def happened(self, time: float, what: str) -> None:
        """Add an entry to its timeline (seconds since the epoch)."""
        if has_room(self.happenings, HAPPENINGS_KEPT, "samples"):
            self.happenings.append((time, what))

    def release(self, lines: Set[int]) -> None:
        """Drop these forgotten lines; the packets that show them stay."""
        let_go(lines, self.lines)

    def over(self, now: float) -> float | None:
        """When it ended, as far as known at `now`; None while it may go on."""
        return None if self.end is None or (now - self.end < self.quiet and not self.closed) else self.end

    def settle(self, _now: float) -> bool:
        """Work out what is known by now; returns whether that is enough to be reported."""
        return True

    def unsettled(self, _now: float, _spells: int) -> Sequence[Hashable]:
        """What may still change in it once it is over; `_spells` is the number of spells so far."""
        return ()

    def goes_on_after(self, time: float) -> bool:
        """Whether events after that time may still belong to it, given its end so far."""
        return (self.end or 0.0) + self.quiet >= time

    def close(self, now: float) -> None:
        """Accept nothing more: if it has no end yet, it ends when it was last seen."""
        self.closed = True
        if self.end is None:
            self.end = max(self.seen_last(now), self.start)

    def seen_last(self, now: float) -> float:
        """When it was last seen, while it lasts."""
        return now


class Drafts:
    """All incidents of a run; `dropped` counts those beyond the bound: the latest, or with `rolling` those that are
    over and have the fewest lines."""

    def __init__(self, *, rolling: bool = False) -> None:
        self.all: list[Draft] = []
        self.dropped = 0
        self.limit = DRAFTS_KEPT
        self._rolling = rolling
        self._turned_away: deque[Draft] = deque(maxlen=LATEST)   # later events may belong to these

    def open(self, draft: Draft) -> None:
        """Add an incident, if there is room."""
        if len(self.all) >= self.limit:
            if not self._rolling:
                self.dropped += 1
                self._turned_away.append(draft)
                return
            self._shed()
        self.all.append(draft)

    def withdraw(self, draft: Draft) -> None:
        """Remove an incident that turned out to be none."""
        self._without({draft})

    def _shed(self) -> None:
        least = nsmallest(len(self.all) - self.limit + self.limit // SHED + 1, self.all,
                          key=lambda draft: (draft.end is None, len(draft.lines), draft.end or draft.start))
        self._without(set(least))
        self.dropped += len(least)

    def tighten(self, limit: int) -> None:
        """Set another bound."""
        self.limit = limit
        if len(self.all) > limit:
            self._shed()

    def forget(self, before: float) -> None:
        """Forget the incidents that were over before that time (seconds since the epoch)."""
        self._without({draft for draft in self.all if draft.end is not None and draft.end + draft.quiet < before})

    def release(self, lines: Set[int]) -> None:
        """These lines were forgotten."""
        for draft in self.all:
            draft.release(lines)

    def _without(self, gone: Set[Draft]) -> None:
        self.all = [draft for draft in self.all if draft not in gone]

    def latest(self) -> Iterator[Draft]:
        """The incidents that a new event may belong to, latest first."""
        return chain(reversed(self._turned_away), reversed(self.all[-LATEST:]))

    def series(self, kind: str, server: str | None, entry: str | None, time: float, gap: float) -> Draft:
        """The incident of this kind that a happening at `time` belongs to: the last one there, if its end is at most
        `gap` seconds ago, otherwise a new one. Its end becomes the time of this happening."""
        for draft in self.latest():
            if draft.kind == kind and draft.server == server and draft.entry == entry:
                if draft.end is not None and time - draft.end <= gap and not draft.closed:
                    draft.end = max(draft.end, time)
                    return draft
                break
        draft = Draft(kind, time, server, entry)
        draft.end = time
        self.open(draft)
        return draft
