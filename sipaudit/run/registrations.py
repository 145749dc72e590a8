"""The usual registrations, on a short path: a phone's first one (`model.arrival`), and the mere renewals of a line with
no other traffic (`model.routine`). The resulting states are written when any other event comes.

This saves judging their events, and making a new state for each. They are taken only while no row of the tables can
apply to them, and the states written are those that following the events one by one would make: results are the same.
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
    """Takes events of such registrations. `phones` are the written states of phones, `timed` the phones with a verdict
    that waits for time to pass; `follow` processes an event the long way. `in_short`: reconstruction may report mere
    renewals without events, because nobody else needs them."""

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
        self.renewals: dict[int, Renewals] = {}   # by phone, for the one line that lately had nothing else
        self.under_way: dict[int, None] = {}      # phones with a renewal in progress, the oldest first
        self._common = Common(self.under_way, watch.renewed)
        self._arriving: dict[int, tuple[Arriving, LineReplay]] = {}   # phones in their first registration
        self.in_short = True

    def takes(self, event: ModelEvent) -> bool:
        """Take an event, if it belongs to such a registration; otherwise it ends the one in progress."""
        renewals = self.renewals.get(event.phone)
        if renewals is not None:
            way = renewals.take(event) if not renewals.moved or self._is_at_home(renewals) else OFF
            if way is DONE:
                renewals.done(event)  # type: ignore[arg-type]
                if self.in_short:   # a declaration changed since then does not matter (`_is_at_home`)
                    self._lines[renewals.line].renewals = renewals
                return True
            if way is not OFF:
                return True
            self.end_renewals(event.phone)
        if event.phone not in self._phones and self._arrives(event):
            return True
        return type(event) is Sent and event.method == "REGISTER" and self._begins_renewal(event)

    def _arrives(self, event: ModelEvent) -> bool:
        """Take an event of a phone without a written state, if it belongs to the phone's first registration, at the end
        of which its states are written (`model.arrival`). False if it is something else."""
        known = self._arriving.get(event.phone)
        if known is None:
            return self._begins_to_arrive(event)
        arriving, replay = known
        # DNS, or the phone's User-Agent, may show meanwhile that the server is of another entry
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
        """Take the first event of a phone, if it begins a first registration."""
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
        """Whether a fault is open for a line of that AOR and phone, possibly one that was forgotten."""
        return (line.aor, line.owner.address) in self._faults.open

    def _end_arrival(self, phone: int) -> None:
        """Write the states that the phone's first registration led to so far, because something else comes, or nothing.
        """
        arriving, replay = self._arriving.pop(phone)
        replay.written, self._phones[phone] = arriving.so_far()

    def _begins_renewal(self, event: Sent) -> bool:
        """Whether a REGISTER may be the first message of a mere renewal: then it is only stored (`model.routine`)."""
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
        """From this event on, expect only mere renewals of the line."""
        renewals = Renewals(replay.written, event, self._common, arrived)
        replay.renewals = self.renewals[event.phone] = renewals
        if self.in_short:
            replay.record.renewals = renewals
        return renewals

    def _is_at_home(self, renewals: Renewals) -> bool:
        """Whether a line that came from another server still works with its primary, as far as DNS shows."""
        return at_home(renewals.server, self._replays.of_line(renewals.line)[0].profile)

    def end_renewals(self, phone: int, *, follow: bool = True) -> None:
        """Write the states after the phone's renewals, and follow the events of the one in progress."""
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
        """End the renewals and first registrations that began before then and are not finished: follow or write them.
        """
        for phone, (arriving, _) in tuple(self._arriving.items()):
            if arriving.first.time < before:
                self._end_arrival(phone)
        for phone in tuple(self.under_way):
            began = self.renewals[phone].began
            if began is not None and began < before:
                self.end_renewals(phone)

    def end_all(self) -> None:
        """End all of them: write their states, and follow those in progress."""
        self.let_go()
        for phone in tuple(self.renewals):
            self.end_renewals(phone)

    def release(self, line: Line) -> None:
        """The line was forgotten: what is in progress will not end."""
        renewals = self.renewals.get(line.phone)
        if renewals is not None and renewals.line == line.number:
            self.end_renewals(line.phone, follow=False)
        if line.phone in self._arriving and self._arriving[line.phone][0].first.line == line.number:
            del self._arriving[line.phone]
