"""Which phones, lines and candidates there are, within bounds: those go first who showed least that they are phones."""

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
    """What speaks for a line, the strongest first: something was granted to it, the site declares its phone, which has
    been heard for a while; among equals it was heard last."""
    phone = line.owner
    return line.proven, phone.declared, phone.lasting, line.last


class Population:
    """`sources` are addresses with a phone, `candidates` those that may have one, the longest unheard of first;
    `phones` and `lines` by number, of known phones only; `hidden` the lines held back, the oldest first.

    `out` gives the list that takes the events which are told. `dropped` are called with the lines and phones that are
    forgotten; `evicted` counts them by kind, `forgot` says that anything was, so that whoever appears may be none that
    is new.
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
        """The source of this address, known or a candidate."""
        return self.sources.get(host) or self.candidates.get(host)

    def source_for(self, host: str) -> Source:
        """The source of this address; a candidate where there is none."""
        known = self.sources.get(host)
        if known is not None:
            return known
        source = self.candidates.pop(host, None)
        if source is None:
            source = Source(host)
            while len(self.candidates) >= self.bounds.candidates:
                self._drop_oldest_candidate()
        self.candidates[host] = source  # last again: the longest unheard of is forgotten first
        return source

    def add_phone(self, phone: Phone) -> None:
        """A candidate more at its source, which has but few."""
        source = phone.source
        if source.phones:
            waiting = self._waiting_phones(source)
            if len(waiting) >= LINES_UNPROVEN:
                self._drop_candidates_phone(waiting[0])
        source.came(phone)

    def _waiting_phones(self, source: Source) -> list[Phone]:
        """Those of the source that are held back: each has a line that is."""
        if len(source.phones) < len(self.hidden):
            return [phone for phone in source.phones if phone.held is not None]
        owners = dict.fromkeys([line.owner for line in self.hidden.values()])
        return [phone for phone in owners if phone.source is source and phone.held is not None]

    def add_line(self, line: Line) -> None:
        """A line more of its phone, which is shown unless the phone has too many that nothing was granted to."""
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
        """Nobody answers many lines of the phone: the oldest goes, or the one that comes is held back."""
        lines = phone.lines if len(phone.lines) < len(self.hidden) else self.hidden.values()
        waiting = [known for known in lines if known.held is not None and known.owner is phone]
        if len(waiting) >= LINES_UNPROVEN:
            self._drop_hidden(waiting[0])
        if phone.held is None and phone.unproven >= LINES_UNPROVEN:
            line.held = []

    def show_phone(self, phone: Phone) -> None:
        """It is a phone: what was held back is told."""
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
        """It is a phone's line: what was held back is told."""
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
        """What is at this address turned out to be no phone. What was said cannot be taken back."""
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
        """Forget the lines of which nothing was seen since `before` (seconds since the epoch)."""
        old = [line for line in self.lines.values() if line.last < before and line.owner.last < before]
        if old:
            self._drop(old)

    def tighten(self, bounds: Bounds) -> None:
        """Other bounds from now on; what is beyond them goes at once."""
        self.bounds = bounds
        self._devices.tighten(bounds.devices)
        while len(self.candidates) > bounds.candidates:
            self._drop_oldest_candidate()
        while len(self.hidden) > bounds.strange_lines:
            self._drop_oldest_hidden()
        if len(self.lines) > bounds.lines:
            self._make_room(None)

    def _make_room(self, spared: Line | None) -> None:
        """Too many lines: the least known go, some more than needed, so that this is not done for each that comes."""
        most = self.bounds.lines
        count = len(self.lines) - most + most // SHED
        worst = nsmallest(count, (line for line in self.lines.values() if line is not spared), key=rank)
        self.evicted["lines"] += len(worst)
        self.forgot = True
        self.evicted["phones"] += self._drop(worst)

    def _drop(self, lines: Sequence[Line]) -> int:
        """Forget lines, and the phones that have no other; how many phones that were."""
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
        """Forget phones that have no line left which is shown; where no other is known, their address is a candidate's
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
        """Of a phone the line, of a candidate all: it is known by nothing else."""
        line = next(iter(self.hidden.values()))
        if line.owner.held is None:
            self._drop_hidden(line)
        else:
            self._drop_candidates_phone(line.owner)

    def _leave(self, phone: Phone) -> None:
        """The phone is left by its hidden lines; what still holds one of both does not hold the other as well."""
        for line in phone.lines:
            self.hidden.pop(line.number, None)
            _blank(line, phone.held or [])
        phone.lines, phone.unproven = (), 0

    def _count_candidate(self) -> None:
        self.evicted["candidates"] += 1
        self.forgot = True


def _blank(line: Line, held: list[ModelEvent]) -> None:
    """Nothing more is told of the line, and no request looks like its own."""
    line.held = held
    line.uri = line.address = None
