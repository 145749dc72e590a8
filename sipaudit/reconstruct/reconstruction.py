"""From captured items to events of lines: the second half of reading.

`Reconstruction.feed` takes the capture's items in order and returns the events that the model processes. Each message
goes the same way: find its transaction; if it is the first of one, find the phone and line it belongs to (`registry`),
and its dialog (`dialogs`); make the event (`requests`, `responses`, `beside`).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from math import inf
from typing import Any, TypeVar

from sipaudit.model.events import ModelEvent
from sipaudit.reconstruct.beside import Beside
from sipaudit.reconstruct.bounds import LEAP, SET_BACK, SILENCE, Bounds
from sipaudit.reconstruct.dialogs import Leg
from sipaudit.reconstruct.four_in_a_row import FOUR, FourInARow
from sipaudit.reconstruct.heard import Heard
from sipaudit.reconstruct.knowledge import Knowledge
from sipaudit.reconstruct.memory import Memory
from sipaudit.reconstruct.notified import LetsPass, Notified
from sipaudit.reconstruct.population import Dropped
from sipaudit.reconstruct.requests import Requests
from sipaudit.reconstruct.responses import Responses
from sipaudit.reconstruct.short_road import NotedRoad, ShortRoad
from sipaudit.reconstruct.traffic import Traffic, tally
from sipaudit.reconstruct.transactions import Transaction
from sipaudit.reconstruct.whose import Note, whose
from sipaudit.sip.datagram import Datagram, Item
from sipaudit.sip.forms import Form, Parsed, Repeat
from sipaudit.sip.message import Message, Request, Response
from sipaudit.sip.parse import parse

Said = TypeVar("Said", Request, Response)
Takes = Callable[[Datagram, Said, Form | None], bool]
"""Takes a message on a short path; False leaves it to the long road."""

FILE_BOUNDS = Bounds()   # for a finite run: so high that a capture of a large site never reaches them
NO_EVENTS = ()
Silent = Callable[[float, float], None]
"""Called with the start and end of a time without any item (seconds since the epoch)."""

HEARD = ("INVITE", "BYE", "SUBSCRIBE")   # most answers that lines receive, apart from renewals


class Reconstruction:
    """Turns messages into lines and model events; see `feed`.

    `lines` and `phones` are by number, and only those known to be phones: an event whose line is missing there in the
    end belongs to a server that was taken for a phone, and is ignored. `servers` are those that phones used, `traffic`
    the counters by capture index. `note` is called with every message and the phone and line it belongs to; with a
    `note`, no item may be a `Repeat`. `pieced` are messages taken by `renewed` that came in several packets; the caller
    clears it.
    """

    __slots__ = ("_answering", "_asking", "_beside", "_capture", "_due", "_four", "_long", "_memory", "_newest",
                 "_note", "_short", "_was_silent", "lines", "phones", "pieced", "servers", "traffic")

    def __init__(self, knowledge: Knowledge, *, note: Note | None = None, bounds: Bounds = FILE_BOUNDS) -> None:
        self._note = note
        self._memory = memory = Memory(knowledge, bounds)
        self._long: dict[type, Callable[[Datagram, Any], Transaction | Leg | None]] = {
            Request: Requests(memory).take, Response: Responses(memory).take}
        self._beside = Beside(memory)
        self._short = ShortRoad(memory) if note is None else NotedRoad(memory, note)
        self._four = FourInARow(memory)
        self._asking: dict[str, Takes[Request]] = {"REGISTER": self._short.asks}   # by method, as the next
        self._answering: dict[str, Takes[Response]] = {"REGISTER": self._short.answers}
        self.pieced = self._four.pieced
        self._newest = -inf
        self._due: list[ModelEvent] = []   # events of elapsed time, made before an item that is still to come
        self._capture = -1
        self._was_silent: Silent | None = None
        self.phones = memory.registry.phones
        self.lines = memory.registry.lines
        self.servers = memory.servers
        self.traffic: dict[int, Traffic] = {}

    def feed(
        self, item: Item | Repeat, message: Message | None = None, form: Form | None = None
    ) -> Sequence[ModelEvent]:
        """Returns the events that this item makes, in order. Never raises, whatever the item holds.

        `message` is the item's, if it was parsed already; the constant content of `form` is learnt from it.

        Events of a line come in the order of their times, but a candidate's may come late, all at once, when it proves
        to be a phone. Mere renewals make no events if nobody needs them (`ShortRoad`).
        """
        memory, time = self._memory, item.time
        passed = time - self._newest
        clock = memory.clock + passed
        if passed >= 0.0 and clock < memory.next_sweep and item.capture == self._capture and not self._due:
            memory.clock, self._newest = clock, time   # nearly always: what `_pass` does, without a call
        elif self._pass(passed, item):
            self._take(item, message, form)
            return memory.registry.out
        if type(item) is Repeat:
            if self._short.repeats(item):
                return NO_EVENTS
            form, item = item.form, item.datagram()
            message = parse(item.payload)
        short: Takes[Any] | None
        if type(message) is Request:
            short = self._asking.get(message.method)
        else:
            short = self._answering.get(message.cseq.method) if type(message) is Response else None
        out: list[ModelEvent] = []
        memory.registry.out = out
        if short is not None and short(item, message, form):  # type: ignore[arg-type]
            return out
        long = self._long.get(type(message))
        if long is None or self._note is not None:
            self._take(item, message, form)
            return out
        placed = long(item, message)  # type: ignore[arg-type]
        if form is not None and type(placed) is Transaction:
            self._short.note(form, message, placed)  # type: ignore[arg-type]
        return out

    def let_pass(self, lets_pass: LetsPass) -> None:
        """Make no events of NOTIFYs and their 200s where `lets_pass` says that they change nothing, nor of answers that
        a line's follower takes at once (`Line.follower`): nobody else needs these events."""
        if self._note is None:
            notified = Notified(self._memory, lets_pass)
            self._asking["NOTIFY"], self._answering["NOTIFY"] = notified.asks, notified.answers
            self._answering |= dict.fromkeys(HEARD, Heard(self._memory).answers)

    def renewed(self, batch: Sequence[Parsed], at: int) -> bool:
        """Take the four items from `at` on, the first of a known form, if they are a mere renewal; whether they were.
        """
        memory, item, last = self._memory, batch[at][0], at + FOUR
        if last > len(batch) or item.capture != self._capture:
            return False
        passed = item.time - self._newest
        if memory.clock + passed >= memory.next_sweep and self._pass(passed, item):
            self._due = memory.registry.out
            return False
        if not self._four.take(batch[at:last], self._newest, self._capture):  # type: ignore[arg-type]
            return False
        time = batch[last - 1][0].time
        memory.clock += time - self._newest
        self._newest = time
        return True

    def _pass(self, passed: float, item: Item | Repeat) -> bool:
        """Advance our own clock by the seconds from the newest item to this one; it never goes back, and one packet
        advances it by LEAP at most. Whether that alone made events."""
        memory = self._memory
        memory.registry.out, self._due = self._due, []
        if item.capture != self._capture:
            self._capture = item.capture
            memory.traffic = self.traffic.setdefault(item.capture, Traffic(item.time))
        if passed > 0.0:
            if passed >= SILENCE and self._was_silent is not None:
                self._was_silent(self._newest, item.time)
            memory.clock += min(passed, LEAP)
            self._newest = item.time
            if memory.clock >= memory.next_sweep:
                memory.sweep(item)  # type: ignore[arg-type]  # which only uses its capture, frame and time
        elif passed < -SET_BACK:
            self._newest = item.time
        return bool(memory.registry.out)

    def _take(self, item: Item | Repeat, message: Message | None, form: Form | None) -> None:
        """Process an item on the long road."""
        if type(item) is Repeat:
            form, item = item.form, item.datagram()
        if type(item) is not Datagram:
            self._beside.take(item)  # type: ignore[arg-type]  # it is no datagram of a known form any more
            return
        if message is None:
            message = parse(item.payload)
        self._memory.repeated = False
        long, placed = self._long.get(type(message)), None
        if long is not None:
            placed = long(item, message)
        elif not item.cut:   # what the snap length cut is not malformed
            for defect in message.defects:
                tally(self._memory.traffic.malformed, defect)
        if self._note is not None:
            self._note(item, message, whose(item, message, placed), self._memory.repeated)
        if form is not None and type(placed) is Transaction:
            self._short.note(form, message, placed)  # type: ignore[arg-type]

    def declare(self, knowledge: Knowledge) -> list[int]:
        """Put another site file in force. Returns the numbers of the lines whose declaration changes."""
        memory = self._memory
        memory.entries.declare(knowledge.entries)
        memory.emergency = knowledge.emergency
        memory.sights.clear()
        return memory.registry.declare(knowledge)

    def finish(self) -> None:
        """The capture's end: count what can only be counted now. No line changes any more."""
        for traffic in self.traffic.values():
            traffic.one_way = 0
        for phone in self.phones.values():
            if not phone.heard:
                self.traffic[phone.capture].one_way += 1

    def let_go(self) -> None:
        """Forget transactions: they form cycles with phones and with us, which the garbage collector does not follow.
        """
        self._memory.transactions.clear()

    def when_dropped(self, told: Dropped) -> None:
        """Have `told` called with lines and phones at the moment when they are forgotten."""
        self._memory.registry.population.dropped.append(told)

    def when_silent(self, told: Silent) -> None:
        """Have `told` called after a time without any item, before the item that ends it is processed."""
        self._was_silent = told

    def forget(self, before: float, unheard: float | None = None) -> None:
        """Forget the calls that ended before that time, and the lines not seen since `unheard` (both seconds since the
        epoch)."""
        for line in self.lines.values():
            if line.spans:
                line.forget_calls(before)
        if unheard is not None:
            self._memory.registry.population.forget(unheard)

    def tighten(self, bounds: Bounds) -> None:
        """Apply new bounds from now on: whatever exceeds them is forgotten at once, the least known first."""
        self._memory.tighten(bounds)

    @property
    def evicted(self) -> dict[str, int]:
        """How much the bounds evicted, by kind."""
        memory = self._memory
        counts = {
            "transactions": memory.transactions.evicted,
            "dialogs": memory.calls.known.evicted + memory.calls.strange.evicted,
            **memory.registry.population.evicted,
            "servers": memory.servers.evicted,
            "names": memory.names.evicted,
            "entries": memory.entries.evicted,
            "devices": memory.registry.devices.evicted,
            "starts": memory.starts.evicted,
        }
        return {kind: count for kind, count in counts.items() if count}

    @property
    def open(self) -> dict[str, int]:
        """How much is stored now, by kind."""
        memory = self._memory
        return {
            "transactions": len(memory.transactions),
            "dialogs": len(memory.calls.known) + len(memory.calls.strange),
            "phones": len(self.phones),
            "lines": len(self.lines),
            "candidates": len(memory.registry.population.candidates),
            "hidden": len(memory.registry.population.hidden),
            "sights": len(memory.sights),
            "servers": len(memory.servers),
            "names": len(memory.names),
        }
