"""The most common thing a phone does, in one go: a renewal at the working server, with nothing else in between.

REGISTER, challenge, REGISTER, 200 are four events, and all that remains of them is a later 200.  While they come as
expected, only they and their number are remembered: `Renewals` builds the two states, as following the events one by
one would have, once something else comes or a state is asked for.  Anything else takes the long road: correctness does
not depend on this file, and a test makes sure that both roads lead to the same result.

From the second renewal on not even the events are made: reconstruction reports the packets to `Renewals` directly
(`reconstruct.short_road`), and the events can be made from those if they are ever needed.
"""

from __future__ import annotations

from collections.abc import Callable
from enum import Enum
from typing import NamedTuple

from msgspec.structs import replace

from sipaudit.model.absorb import with_binding
from sipaudit.model.absorb_moves import is_plain
from sipaudit.model.absorb_phone import recent_repeats, with_reach
from sipaudit.model.absorb_stays import each
from sipaudit.model.events import CHALLENGES, Answered, ModelEvent, Sent
from sipaudit.model.profile import Profile
from sipaudit.model.reach import Reach
from sipaudit.model.renewal import Arrived, Owner, PackedArrival, Renewal, pack_arrival, pack_renewal, unpack_renewal
from sipaudit.model.stakes import at_home, has_moved
from sipaudit.model.state import Binding, LineState, PhoneState, Stay, runs_out
from sipaudit.model.timers import LATE_FROM


class Way(Enum):
    """What an event is to the renewal under way."""

    BEGUN = "begun"   # its first
    ON = "on"         # the next of its events
    DONE = "done"     # its last
    OFF = "off"       # something else


BEGUN, ON, DONE, OFF = Way   # looking up a member of an Enum costs as much as two tests


def begins(line: LineState, phone: PhoneState, event: ModelEvent, plain: Callable[[], Profile]) -> bool:
    """Whether `event` may begin a mere renewal: of a live binding at the server that the line works with on every
    track, which is its primary or was never left, and where nothing is open, failed or doubtful."""
    if type(event) is not Sent or event.method != "REGISTER" or event.follows is not None or event.expires == 0:
        return False
    server = event.server
    binding, reach = line.binding(server), phone.reach(server)
    if binding is None or binding.granted is None or event.in_dialog or line.failed or line.offered:
        return False
    if binding.register is not None or binding.left is not None or binding.late or binding.until <= event.time:
        return False
    if reach.waiting or reach.ringing or reach.hard or reach.doubtful or reach.late:
        return False
    for stay in line.stays:
        if stay is None or stay.server != server or stay.away is not None or not _is_settled(stay, event):
            return False
    return not has_moved(line) or at_home(server, plain)


def _is_settled(stay: Stay, register: Sent) -> bool:
    """Whether the 200 of a renewal that `register` begins shows nothing new about the stay, except that its server has
    answered the line, in time, since the arrival."""
    return is_plain(stay) or (stay.aside is None and not stay.unsure and stay.took < LATE_FROM
                              and register.time > stay.arrived.time)


def answered(answer: Answered, challenged: bool, asked_again: bool) -> Way:
    """What an answer is to the REGISTER under way: a challenge, unless it was `challenged` before, or the 200, which
    after a challenge must answer a REGISTER with credentials (`asked_again`)."""
    if answer.sent is None or answer.time - answer.sent >= LATE_FROM:
        return OFF
    if answer.status == 200:
        in_order = asked_again or not challenged
        return DONE if in_order and answer.own is True and answer.granted != 0 else OFF
    return OFF if challenged or answer.status not in CHALLENGES else ON


class Common(NamedTuple):
    """What the renewals of all lines share: `open` are the phones with a renewal under way, the oldest first, and
    `when_ended` is called with each renewal that ends."""

    open: dict[int, None]
    when_ended: Callable[[Renewals, Renewal], object]


class Renewals:
    """The renewals of a line since its state was last written, all of them mere renewals: what is true of the first
    (`begins`) is true of the next while nothing else happens.

    `first` is the REGISTER of the one under way, `challenge` the answer to it and `last` the REGISTER with credentials
    (or `first`); all None between two renewals. `challenged`: there was a challenge in any of them; `count` is how many
    are not yet in the line's state. The next must begin after `since` and before `until`, when the binding expires;
    `moved` says whether the line came to its server from another. `current` is a renewal under way that reconstruction
    reports without events. `ended` is the last one, packed except for its `call_id`. `arrived` is the first
    registration, if no state was written since.
    """

    __slots__ = ("arrived", "call_id", "challenge", "challenged", "common", "count", "current", "ended", "first",
                 "last", "line", "moved", "phone", "server", "since", "until")

    def __init__(self, state: LineState, event: Sent | Answered, common: Common, arrived: Arrived | None = None
                 ) -> None:
        """`event` begins the first of them (`begins`), or is the 200 of a registration after which the next renewal
        meets all that `begins` demands."""
        self.arrived = None if arrived is None else pack_arrival(arrived)
        self.phone, self.line, self.server = event.phone, event.line, event.server
        self.moved = arrived is None and has_moved(state)
        self.first: Sent | None = None
        self.last: Sent | None = None
        if type(event) is Answered:
            self.since, self.until = event.time, runs_out(event)
        elif type(event) is Sent:
            self.since = self.until = 0.0   # this one has begun in time
            self.first = self.last = event
            common.open[self.phone] = None
        self.challenge: Answered | None = None
        self.challenged = False
        self.count = 0
        self.current: Renewal | None = None
        self.ended: bytes | tuple[Answered, Sent] | None = None
        self.call_id = ""
        self.common = common

    def take(self, event: ModelEvent) -> Way:
        """What `event` is to the renewals: a REGISTER that begins one, a challenge, the REGISTER with credentials, or
        the 200 that ends it; it is remembered. Flat, because nine out of ten events pass here."""
        if self.current is not None:
            self._spell_out(self.current)
        if type(event) is Sent:
            if event.line != self.line or event.server != self.server or event.in_dialog or event.expires == 0:
                return OFF
            if self.last is None:
                if event.follows is not None or event.method != "REGISTER" or not self.since < event.time < self.until:
                    return OFF
                self.first = self.last = event
                self.common.open[self.phone] = None
                return BEGUN
            challenge = self.challenge
            if challenge is None or self.last is not self.first or event.follows != challenge.transaction:
                return OFF
            self.last = event
            return ON
        last = self.last
        if type(event) is not Answered or last is None or event.transaction != last.transaction:
            return OFF
        way = answered(event, self.challenge is not None, last is not self.first)
        if way is ON:
            self.challenge = event
        return way

    def done(self, answer: Answered) -> None:
        """The renewal under way has ended with this 200."""
        first, last, challenge = self.first, self.last, self.challenge
        assert first is not None
        assert last is not None
        renewal = Renewal(first.capture, first.frame, first.time, first.transaction, first.expires, first.call_id,
                          asked=last.time, answered=answer.time)
        if challenge is not None:
            renewal.status, renewal.challenged = challenge.status, challenge.time
        self.common.when_ended(self, renewal)
        self.ended, self.call_id = pack_renewal(answer, last), last.call_id
        del self.common.open[self.phone]
        self._count(challenge is not None, runs_out(answer))
        self.first = self.last = self.challenge = None

    def _count(self, challenged: bool, until: float) -> None:
        """Count one more renewal that is over."""
        if challenged:
            self.challenged = True
        if self.count == 0 and self.arrived is not None:
            self.arrived = self.arrived.renewed()
        self.until = until
        self.count += 1

    @property
    def began(self) -> float | None:
        """When the renewal under way began."""
        if self.current is not None:
            return self.current.sent
        return None if self.first is None else self.first.time

    def under_way(self) -> list[ModelEvent]:
        """The events of the renewal under way."""
        if self.current is not None:
            self._spell_out(self.current)
        events = (self.first, self.challenge, self.last if self.last is not self.first else None)
        return [event for event in events if event is not None]

    # -- without events

    def adopt(self, register: Sent) -> None:
        """The first renewal has begun with an event; its later packets may be reported without events."""
        if not register.fresh and not register.proves:
            self.first = self.last = None
            self.current = Renewal(register.capture, register.frame, register.time, register.transaction,
                                   register.expires, register.call_id)

    def begin(self, renewal: Renewal) -> None:
        """A renewal has begun that is reported without events."""
        self.current = renewal
        self.common.open[self.phone] = None

    def end(self, renewal: Renewal) -> None:
        """The renewal that is reported without events has ended."""
        del self.common.open[self.phone]
        self.current = None
        self.pass_by(renewal)

    def pass_by(self, renewal: Renewal) -> None:
        """A renewal has begun and ended with nothing in between."""
        self.common.when_ended(self, renewal)
        self.ended, self.call_id = renewal.packed(), renewal.call_id
        self._count(renewal.status != 0, renewal.answered + renewal.granted)

    def _spell_out(self, renewal: Renewal) -> None:
        """Something else comes: turn the renewal under way into events, including what has passed of it."""
        self.current = None
        whose = self._whose
        self.first = self.last = renewal.first(whose)
        if renewal.status:
            self.challenge = renewal.challenge(whose)
        if renewal.again:
            self.last = renewal.second(whose)

    # -- the states after them

    @property
    def _whose(self) -> Owner:
        return self.phone, self.line, self.server

    def _last(self) -> tuple[Answered, Sent] | None:
        """The 200 that ended the last renewal, and its REGISTER; made here if they did not come as events."""
        ended = self.ended
        if type(ended) is bytes:
            return unpack_renewal(ended, self._whose, self.call_id)
        return ended   # type: ignore[return-value]  # `isinstance` would be a call

    def _arrived(self) -> Arrived | None:
        """The first registration, if no state was written since."""
        arrived = self.arrived
        return arrived.unpacked(self._whose) if type(arrived) is PackedArrival else arrived   # type: ignore[return-value]

    def line_after(self, line: LineState) -> LineState:
        """The line's state with all renewals that ended. From then on that state includes them, unless it is made from
        the first registration: then it need not be stored."""
        arrived, last = self._arrived(), self._last()
        if arrived is not None:
            line = arrived.line()
        else:
            self.ended = last
        binding = line.binding(self.server)
        if self.count == 0 or binding is None or last is None:
            return line
        granted, _ = last
        after = Binding(binding.server, None, granted, binding.since, binding.refreshes + self.count)
        stays = each(line.stays, _served)
        if arrived is None:
            self.count = 0
        return LineState(stays, with_binding(line.bindings, after), line.boot, line.answers, line.reordered,
                         granted, line.failed, line.challenges, line.offered, line.began,
                         self.server if self.challenged else line.challenger, line.asked)

    def phone_after(self, phone: PhoneState) -> PhoneState:
        """The phone's state with all renewals that ended."""
        self.arrived = arrived = self._arrived()   # unpacked, for the line's state, which has the same events
        self.ended = last = self._last()
        if arrived is not None:
            phone = arrived.phone()
        if last is None:
            return phone
        granted, register = last
        reach = phone.reach(self.server)
        return with_reach(phone, Reach(
            reach.server, (), (), (), (), granted, register.time, reach.closed, register, reach.later, reach.cancelled,
            recent_repeats(reach.repeated, granted.time), (), reach.called, reach.broke, reach.resolved))


def _served(stay: Stay | None) -> Stay | None:
    """The stay after a renewal: its server has served the line since the arrival (`absorb_moves`)."""
    return stay if stay is None or stay.took == 0.0 else replace(stay, took=0.0)
