"""Registrations that go as most do, taken in short: a phone's first one (`model.arrival`), and the mere renewals of a
line of which nothing else is seen (`model.routine`). What they leave behind is written down when anything else comes.

That spares to judge their events, and to make a new state of each. They are taken only while no row of the tables can
be about them, and the states that are written are those which following them one by one makes: no result is another.
"""

from __future__ import annotations

from collections.abc import Callable, Container
from math import inf

from sipaudit.incidents.watch import Watch
from sipaudit.model.arrival import Arriving, begins_to_register
from sipaudit.model.events import Answered, ModelEvent, Sent
from sipaudit.model.renewal import Arrived
from sipaudit.model.routine import DONE, OFF, Common, Renewals, begins
from sipaudit.model.stakes import at_home
from sipaudit.model.state import NOBODY, PhoneState
from sipaudit.reconstruct.phones import Line
from sipaudit.rulebook.faults import Faults
from sipaudit.run.line_replay import LineReplay
from sipaudit.run.replays import Replays


class Registrations:
    """Takes events of such registrations. `phones` are the states of phones that were written down, `timed` phones of
    which something waits for time to pass; `follow` takes an event the long way.
    (`in_short`) reconstruction may tell of mere renewals without events: nobody else wants them.
    """

    __slots__ = ("_arriving", "_common", "_faults", "_follow", "_lines", "_phones", "_replays", "_timed", "_watch",
                 "in_short", "renewals", "under_way")

    def __init__(self, lines: dict[int, Line], replays: Replays, phones: dict[int, PhoneState], timed: Container[int],
                 faults: Faults, watch: Watch, follow: Callable[[ModelEvent], None]) -> None:
        self._lines = lines
        self._replays = replays
        self._phones = phones
        self._timed = timed
        self._faults = faults
        self._watch = watch
        self._follow = follow
        self.renewals: dict[int, Renewals] = {}   # by phone: the one line of which nothing but these was seen lately
        self.under_way: dict[int, None] = {}      # phones of which a renewal has begun, the oldest first
        self._common = Common(self.under_way, watch.renewed)
        self._arriving: dict[int, tuple[Arriving, LineReplay]] = {}   # phones that register for the first time
        self.in_short = True

    def takes(self, event: ModelEvent) -> bool:
        """Take an event, if it is of such a registration; else it ends what was going on."""
        renewals = self.renewals.get(event.phone)
        if renewals is not None:
            way = renewals.take(event) if not renewals.moved or self._is_at_home(renewals) else OFF
            if way is DONE:
                renewals.done(event)  # type: ignore[arg-type]
                if self.in_short:   # what was declared of it since is no hindrance (`_is_at_home`)
                    self._lines[renewals.line].renewals = renewals
                return True
            if way is not OFF:
                return True
            self.end_renewals(event.phone)
        if event.phone not in self._phones and self._arrives(event):
            return True
        return type(event) is Sent and event.method == "REGISTER" and self._begins_renewal(event)

    def _arrives(self, event: ModelEvent) -> bool:
        """Take an event of a phone of which nothing is written yet, if it is of its first registration: at the end of
        that its states are written (`model.arrival`). False if it is something else."""
        known = self._arriving.get(event.phone)
        if known is None:
            return self._begins_to_arrive(event)
        arriving, replay = known
        # DNS, or what the phone says it is, may show meanwhile that the server is of another entry
        same = replay.follows(arriving.first.server) and not (self._faults.open and self._may_rearm(replay.record))
        way = arriving.take(event) if same else OFF
        if way is OFF:
            self._end_arrival(event.phone)
            return False
        if type(event) is Sent:
            self._watch.registers(event, replay)
            return True
        self._watch.answers(event, replay)   # type: ignore[arg-type]
        if way is DONE:
            del self._arriving[event.phone]
            self._may_renew(event, replay, arriving.done(event))   # type: ignore[arg-type]
            self._watch.arrived(event, replay)   # type: ignore[arg-type]
        return True

    def _begins_to_arrive(self, event: ModelEvent) -> bool:
        """The same of the first event of a phone."""
        phone = event.phone
        if self._replays.has_met(phone) or not begins_to_register(event) \
                or (self._faults.open and self._may_rearm(self._lines[event.line])):
            return False
        replay = self._replays.of(event)
        if replay.index != 0:
            return False
        self._arriving[phone] = Arriving(event), replay   # type: ignore[arg-type]
        self._watch.registers(event, replay)   # type: ignore[arg-type]
        return True

    def _may_rearm(self, line: Line) -> bool:
        """Whether a fault is open of a line of that name, maybe of one that was forgotten."""
        return (line.aor, line.owner.address) in self._faults.open

    def _end_arrival(self, phone: int) -> None:
        """Write down what came of the phone's first registration, since something else comes, or nothing does."""
        arriving, replay = self._arriving.pop(phone)
        replay.written, self._phones[phone] = arriving.so_far()

    def _begins_renewal(self, event: Sent) -> bool:
        """Whether a REGISTER may be the first message of a mere renewal: then it is only remembered (`model.routine`).
        """
        if event.follows is not None:
            return False
        replay, phone = self._replays.only(event.line), self._phones.get(event.phone)
        if replay is None or phone is None or replay.waiting or event.phone in self._timed \
                or (replay.kept is not None and replay.kept.is_trying) \
                or not begins(replay.written, phone, event, replay.profile):
            return False
        renewals = self._may_renew(event, replay)
        if self.in_short:
            renewals.adopt(event)
        return True

    def _may_renew(self, event: Sent | Answered, replay: LineReplay, arrived: Arrived | None = None) -> Renewals:
        """From this event on nothing but mere renewals is awaited of the line."""
        renewals = Renewals(replay.written, event, self._common, arrived)
        replay.renewals = self.renewals[event.phone] = renewals
        if self.in_short:
            replay.record.renewals = renewals
        return renewals

    def _is_at_home(self, renewals: Renewals) -> bool:
        """Whether a line that came from another server works with its primary still, as far as DNS tells."""
        return at_home(renewals.server, self._replays.of_line(renewals.line)[0].profile)

    def end_renewals(self, phone: int, *, follow: bool = True) -> None:
        """Write down the phone's renewals, and follow the one that has begun."""
        renewals = self.renewals.pop(phone, None)
        if renewals is None:
            return
        self.under_way.pop(phone, None)
        self._phones[phone] = renewals.phone_after(self._phones.get(phone, NOBODY))
        for replay in self._replays.of_line(renewals.line):
            replay.write_down()
        for event in renewals.under_way() if follow else ():
            self._follow(event)

    def let_go(self, before: float = inf) -> None:
        """Follow the renewals, and write down the first registrations, that began before then and were not ended."""
        for phone, (arriving, _) in tuple(self._arriving.items()):
            if arriving.first.time < before:
                self._end_arrival(phone)
        for phone in tuple(self.under_way):
            began = self.renewals[phone].began
            if began is not None and began < before:
                self.end_renewals(phone)

    def end_all(self) -> None:
        """Write down all of them, and follow what has begun."""
        self.let_go()
        for phone in tuple(self.renewals):
            self.end_renewals(phone)

    def release(self, line: Line) -> None:
        """The line was forgotten: what has begun never ends."""
        renewals = self.renewals.get(line.phone)
        if renewals is not None and renewals.line == line.number:
            self.end_renewals(line.phone, follow=False)
        if line.phone in self._arriving and self._arriving[line.phone][0].first.line == line.number:
            del self._arriving[line.phone]
