"""Which phones, lines and candidates there are, within bounds: those with the least evidence of being phones are
evicted first."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from heapq import nsmallest

from sipaudit.model.events import NO_LINE, ModelEvent
from sipaudit.reconstruct.bounds import LINES_UNPROVEN, SHED, Bounds
from sipaudit.reconstruct.devices import Devices
from sipaudit.reconstruct.phones import Line, Phone
from sipaudit.reconstruct.source import Source

Dropped = Callable[[Sequence[Line], Sequence[Phone]], None]


def rank(line: Line) -> tuple[bool, bool, bool, float]:
    """The evidence for a line, the strongest first: it was granted a registration or call; the site declares its phone;
    the phone has been seen for a while; ties go to the line seen last."""
    phone = line.owner
    return line.proven, phone.declared, phone.lasting, line.last


class Population:
    """`sources` are addresses with a phone, `candidates` those that may have one, the longest unseen first; `phones`
    and `lines` by number, of known phones only; `hidden` the lines held back, the oldest first.

    `out` returns the list that takes released events. `dropped` are called with the lines and phones that are
    forgotten; `evicted` counts them by kind. `forgot`: something was forgotten, so that a newcomer may not be new.
    """

    __slots__ = ("_devices", "_out", "bounds", "candidates", "dropped", "evicted", "forgot", "hidden", "lines",
                 "phones", "sources")

    def __init__(self, bounds: Bounds, devices: Devices, out: Callable[[], list[ModelEvent]]) -> None:
        self.bounds = bounds
        self._devices = devices
        self.sources: dict[str, Source] = {}
        self.candidates: dict[str, Source] = {}
        self.hidden: dict[int, Line] = {}
        self.phones: dict[int, Phone] = {}
        self.lines: dict[int, Line] = {}
        self._out = out
        self.evicted: Counter[str] = Counter()
        self.forgot = False
        self.dropped: list[Dropped] = []

    # -- who comes

    def source(self, host: str) -> Source | None:
        """The source with this address, known or a candidate."""
        return self.sources.get(host) or self.candidates.get(host)

    def source_for(self, host: str) -> Source:
        """The source with this address; a new candidate if there is none."""
        known = self.sources.get(host)
        if known is not None:
            return known
        source = self.candidates.pop(host, None)
        if source is None:
            source = Source(host)
            while len(self.candidates) >= self.bounds.candidates:
                self._drop_oldest_candidate()
        self.candidates[host] = source  # moved to the end: the longest unseen is forgotten first
        return source

    def add_phone(self, phone: Phone) -> None:
        """Add a candidate phone to its source, which may have only a few."""
        source = phone.source
        if source.phones:
            waiting = self._waiting_phones(source)
            if len(waiting) >= LINES_UNPROVEN:
                self._drop_candidates_phone(waiting[0])
        source.came(phone)

    def _waiting_phones(self, source: Source) -> list[Phone]:
        """The phones of the source that are held back: each has a line that is."""
        if len(source.phones) < len(self.hidden):
            return [phone for phone in source.phones if phone.held is not None]
        owners = dict.fromkeys([line.owner for line in self.hidden.values()])
        return [phone for phone in owners if phone.source is source and phone.held is not None]

    def add_line(self, line: Line) -> None:
        """Add a line to its phone. It is shown, unless the phone is a candidate or has too many lines without a grant.
        """
        phone = line.owner
        if phone.lines:
            self._restrain(phone, line)
        phone.add(line)
        if line.held is None:
            self._shown(line)
            return
        self.hidden[line.number] = line
        while len(self.hidden) > self.bounds.strange_lines:
            self._drop_oldest_hidden()

    def _restrain(self, phone: Phone, line: Line) -> None:
        """Limit the phone's lines that nobody answers: the oldest held back is dropped, or the new line is held back.
        """
        lines = phone.lines if len(phone.lines) < len(self.hidden) else self.hidden.values()
        waiting = [known for known in lines if known.held is not None and known.owner is phone]
        if len(waiting) >= LINES_UNPROVEN:
            self._drop_hidden(waiting[0])
        if phone.held is None and phone.unproven >= LINES_UNPROVEN:
            line.held = []

    def show_phone(self, phone: Phone) -> None:
        """It is a phone: release the events held back."""
        source = phone.source
        if self.candidates.pop(source.host, None) is not None:
            self.sources[source.host] = source
        self.phones[phone.number] = phone
        held, phone.held = phone.held or [], None
        for line in phone.lines:
            line.held = None
            self._shown(line)
        self._release(held)

    def show_line(self, line: Line) -> None:
        """It is a phone's line: release the events held back."""
        held, line.held = line.held or [], None
        self._shown(line)
        self._release(held)

    def _shown(self, line: Line) -> None:
        self.hidden.pop(line.number, None)
        self.lines[line.number] = line
        if len(self.lines) > self.bounds.lines:
            self._make_room(line)

    def _release(self, held: list[ModelEvent]) -> None:
        self._out().extend(event for event in held if event.line == NO_LINE or event.line in self.lines)

    # -- who goes

    def withdraw(self, host: str) -> None:
        """What is at this address turned out to be no phone. Events already released cannot be taken back."""
        source = self.sources.pop(host)
        for phone in source.phones:
            self.phones.pop(phone.number, None)
            phone.held = []
            for line in phone.lines:
                self.lines.pop(line.number, None)
                self.hidden.pop(line.number, None)
                line.held = phone.held
        out = self._out()
        out[:] = [event for event in out if event.phone in self.phones]

    def forget(self, before: float) -> None:
        """Forget the lines not seen since `before` (seconds since the epoch)."""
        old = [line for line in self.lines.values() if line.last < before and line.owner.last < before]
        if old:
            self._drop(old)

    def tighten(self, bounds: Bounds) -> None:
        """Apply new bounds from now on; whatever exceeds them is dropped at once."""
        self.bounds = bounds
        self._devices.tighten(bounds.devices)
        while len(self.candidates) > bounds.candidates:
            self._drop_oldest_candidate()
        while len(self.hidden) > bounds.strange_lines:
            self._drop_oldest_hidden()
        if len(self.lines) > bounds.lines:
            self._make_room(None)

    def _make_room(self, spared: Line | None) -> None:
        """Too many lines: drop those with the lowest rank, some more than needed, so that this is not done for each
        newcomer."""
        most = self.bounds.lines
        count = len(self.lines) - most + most // SHED
        worst = nsmallest(count, (line for line in self.lines.values() if line is not spared), key=rank)
        self.evicted["lines"] += len(worst)
        self.forgot = True
        self.evicted["phones"] += self._drop(worst)

    def _drop(self, lines: Sequence[Line]) -> int:
        """Forget lines, and the phones that have no other; returns the number of phones forgotten."""
        gone, numbers = set(lines), {line.number for line in lines}
        owners = dict.fromkeys(line.owner for line in lines)
        for line in lines:
            del self.lines[line.number]
            self._devices.gone(line)
            _blank(line, [])
        for phone in owners:
            phone.lose(gone)
        phones = [phone for phone in owners if all(line.held is not None for line in phone.lines)]
        self._drop_phones(phones)
        out = self._out()
        out[:] = [event for event in out if event.phone in self.phones and event.line not in numbers]
        for told in self.dropped:
            told(lines, phones)
        return len(phones)

    def _drop_phones(self, phones: Sequence[Phone]) -> None:
        """Forget phones without a shown line left; if no other phone is known at their address, it becomes a candidate
        again."""
        gone = set(phones)
        for phone in phones:
            del self.phones[phone.number]
            self._devices.gone_phone(phone)
            phone.held = []
            self._leave(phone)
        for source in dict.fromkeys(phone.source for phone in phones):
            source.lose(gone)
            if all(phone.held is not None for phone in source.phones):
                del self.sources[source.host]
                if source.phones:
                    self.candidates[source.host] = source

    # -- candidates

    def _drop_oldest_candidate(self) -> None:
        source = self.candidates.pop(next(iter(self.candidates)))
        for phone in source.phones:
            self._leave(phone)
        source.lose(source.phones)
        self._count_candidate()

    def _drop_candidates_phone(self, phone: Phone) -> None:
        source = phone.source
        source.lose((phone,))
        self._leave(phone)
        if not source.phones:
            self.candidates.pop(source.host, None)
        self._count_candidate()

    def _drop_hidden(self, line: Line) -> None:
        self.hidden.pop(line.number, None)
        line.owner.lose((line,))
        self._count_candidate()

    def _drop_oldest_hidden(self) -> None:
        """Drop the oldest hidden line, or its whole phone if that is a candidate: then nothing else is known of the
        phone."""
        line = next(iter(self.hidden.values()))
        if line.owner.held is None:
            self._drop_hidden(line)
        else:
            self._drop_candidates_phone(line.owner)

    def _leave(self, phone: Phone) -> None:
        """Take all lines from the phone, so that a reference to either does not keep the other in memory."""
        for line in phone.lines:
            self.hidden.pop(line.number, None)
            _blank(line, phone.held or [])
        phone.lines, phone.unproven = (), 0

    def _count_candidate(self) -> None:
        self.evicted["candidates"] += 1
        self.forgot = True


def _blank(line: Line, held: list[ModelEvent]) -> None:
    """Make the line emit nothing more and match no request."""
    line.held = held
    line.uri = line.address = None
