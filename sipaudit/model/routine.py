"""The commonest thing a phone does, taken in one go: a registration renewed at the working server, with nothing else
in between.

REGISTER, challenge, REGISTER, 200 are four events, and all that is left of them
is a later 200.  While they come as expected they are only remembered, and so is
how often they came: `Renewals` makes the two states that following them one by
one would have made, once something else comes or somebody asks.  What is not
exactly this goes the long way: correctness needs nothing of this file, and
a test holds that both ways come to the same.

From the second renewal on not even the events are made: reconstruction tells
`Renewals` itself what passed (`reconstruct.short_road`), and they can be made
of that if they are ever asked for.
"""

from __future__ import annotations

from collections.abc import Callable
from enum import Enum
from typing import Protocol

from msgspec import Struct
from msgspec.structs import replace

from sipaudit.model.absorb import with_binding
from sipaudit.model.absorb_moves import is_plain
from sipaudit.model.absorb_phone import LATE_FROM, lately, with_reach
from sipaudit.model.absorb_stays import each
from sipaudit.model.events import Answered, ModelEvent, Sent
from sipaudit.model.profile import Profile
from sipaudit.model.stakes import at_home
from sipaudit.model.state import LONG_AGO, Beginning, Binding, LineState, PhoneState, Reach, Stay, runs_out


class Way(Enum):
    """What an event is to the renewal under way."""

    BEGUN = "begun"   # its first
    ON = "on"         # the next of its events
    DONE = "done"     # its last
    OFF = "off"       # something else


BEGUN, ON, DONE, OFF = Way   # of an Enum's members each look-up costs as much as two tests


def begins(line: LineState, phone: PhoneState, event: ModelEvent, plain: Callable[[], Profile]) -> bool:
    """Whether `event` may begin a renewal that is nothing but that: of a live binding at the server that the line works
    with on every track, which is its primary or was never left, and where nothing is open, failed or doubtful."""
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
    """Whether the 200 of a renewal that `register` begins tells nothing new of the stay, but that its server has served
    the line since the arrival, and soon."""
    return is_plain(stay) or (stay.aside is None and not stay.unsure and stay.took < LATE_FROM
                              and register.time > stay.arrived.time)


def has_moved(line: LineState) -> bool:
    """Whether the line came to its working server from another: then it matters whether that is its primary."""
    return any(stay is not None and stay.first is not None for stay in line.stays)


class Renewal(Struct, gc=False):
    """One mere renewal: REGISTER, or that and its challenge and the REGISTER with credentials, and the 200; of each its
    time, and what else an event of it would say that is not the same in every one.

    `sent` is the first REGISTER, `status` of the challenge (0: there was none) that came at `challenged`, `asked` the
    REGISTER that was granted at `answered`, which is the first where there was no challenge. `again` is the transaction
    of the one with credentials, 0 before it was sent.
    """

    capture: int
    frame: int
    sent: float
    transaction: int
    expires: float | None
    call_id: str
    status: int = 0
    challenged: float = 0.0
    challenge_frame: int = 0
    asked: float = 0.0
    asked_frame: int = 0
    again: int = 0
    proves: bool = False
    answered: float = 0.0
    answer_frame: int = 0
    granted: float = 0.0


class Arrived(Struct, gc=False):
    """What is to be known of a first registration that went as most do (`model.arrival`): the 200 that ended it, the
    REGISTER that it answers (None once a renewal has come after it), and whether there was a challenge."""

    granted: Answered
    asked: Sent | None
    began: Beginning | None
    challenged: bool

    def line(self) -> LineState:
        """The line's state after it."""
        granted, asked = self.granted, self.asked
        server, took = granted.server, 0.0 if asked is None else granted.time - asked.time
        stay = Stay(server, granted, took=took)
        return LineState((stay, stay, stay), (Binding(server, None, granted, granted),), served=granted,
                         began=self.began, challenger=server if self.challenged else None)

    def phone(self) -> PhoneState:
        """The phone's state after it."""
        granted, asked = self.granted, self.asked
        touched = LONG_AGO if asked is None else asked.time
        return PhoneState((Reach(granted.server, answered=granted, touched=touched, registering=asked),))


class Told(Protocol):
    """Who is told of a renewal when it ends."""

    def __call__(self, renewals: Renewals, renewal: Renewal) -> object: ...


class Renewals:
    """The renewals of a line since its state was last written, all of them mere renewals: what is true of the first
    (`begins`) is true of the next while nothing else happens.

    `first` is the REGISTER of the one under way, `challenge` the answer to it and `last` the REGISTER with credentials
    (or `first`), None between two renewals. `granted` is the 200 that ended the last one, `register` what it answers,
    `challenged` says that any was; `count` of them are not yet in the line's state. The next begins after `since`, and
    before `until`, when the binding runs out; `moved` says whether the line came to its server from another. `current`
    and `ended` are one under way and the last one, where reconstruction told of them without events; `open` are all
    phones of which one is under way, and `told` hears when one ends. `arrived` is the first registration, where nothing
    was written since.
    """

    __slots__ = ("arrived", "challenge", "challenged", "count", "current", "ended", "first", "granted", "last", "line",
                 "moved", "open", "phone", "register", "server", "since", "told", "until")

    def __init__(self, state: LineState, event: Sent | Answered, open_: dict[int, None], told: Told,
                 arrived: Arrived | None = None) -> None:
        """`event` begins the first of them (`begins`), or is the 200 of a registration of which all is true that must
        be when the next begins."""
        self.arrived = arrived
        self.phone, self.line, self.server = event.phone, event.line, event.server
        self.moved = arrived is None and has_moved(state)
        self.first: Sent | None = None
        self.last: Sent | None = None
        if type(event) is Sent:
            self.since = self.until = 0.0   # it has begun in time
            self.first = self.last = event
            open_[self.phone] = None
        else:
            self.since, self.until = event.time, runs_out(event)   # type: ignore[arg-type]
        self.challenge: Answered | None = None
        self.granted: Answered | None = None
        self.register: Sent | None = None
        self.challenged = False
        self.count = 0
        self.current: Renewal | None = None
        self.ended: Renewal | None = None
        self.open = open_
        self.told = told

    def take(self, event: ModelEvent) -> Way:
        """What `event` is to the renewals, and remember it: a REGISTER that begins one, a challenge, its answer, or
        the 200 that ends it. Flat, because nine events of ten pass here."""
        if self.current is not None:
            self._spell_out(self.current)
        kind = type(event)
        if kind is Sent:
            if event.line != self.line or event.server != self.server or event.in_dialog or event.expires == 0:  # type: ignore[union-attr]
                return OFF
            if self.last is None:
                if event.follows is not None or event.method != "REGISTER" or not self.since < event.time < self.until:  # type: ignore[union-attr]
                    return OFF
                self.first = self.last = event  # type: ignore[assignment]
                self.open[self.phone] = None
                return BEGUN
            challenge = self.challenge
            if challenge is None or self.last is not self.first or event.follows != challenge.transaction:  # type: ignore[union-attr]
                return OFF
            self.last = event  # type: ignore[assignment]
            return ON
        last = self.last
        if kind is not Answered or last is None or event.transaction != last.transaction:  # type: ignore[union-attr]
            return OFF
        return self._answered(event)  # type: ignore[arg-type]

    def _answered(self, answer: Answered) -> Way:
        """An answer to the last REGISTER."""
        if answer.sent is None or answer.time - answer.sent >= LATE_FROM:
            return OFF
        status, challenged = answer.status, self.challenge is not None
        if status == 200:
            open_ = challenged and self.last is self.first   # it was challenged, and not asked again
            return OFF if open_ or answer.own is not True or answer.granted == 0 else DONE
        if challenged or status not in (401, 407):
            return OFF
        self.challenge = answer
        return ON

    def done(self, answer: Answered) -> None:
        """The renewal under way has ended with this 200."""
        first, last, challenge = self.first, self.last, self.challenge
        assert first is not None
        assert last is not None
        renewal = Renewal(first.capture, first.frame, first.time, first.transaction, first.expires, first.call_id,
                          asked=last.time, answered=answer.time)
        if challenge is not None:
            renewal.status, renewal.challenged = challenge.status, challenge.time
        self.told(self, renewal)
        self.granted, self.register, self.ended = answer, last, None
        self._count(challenged=challenge is not None, until=runs_out(answer))
        self.first = self.last = self.challenge = None

    def _count(self, *, challenged: bool, until: float) -> None:
        """One more is over."""
        if challenged:
            self.challenged = True
        if self.arrived is not None:
            self.arrived.asked = None
        self.until = until
        self.count += 1
        del self.open[self.phone]

    @property
    def began(self) -> float | None:
        """When the renewal under way began."""
        if self.current is not None:
            return self.current.sent
        return None if self.first is None else self.first.time

    def under_way(self) -> list[ModelEvent]:
        """The events of the renewal that has not ended."""
        if self.current is not None:
            self._spell_out(self.current)
        events = (self.first, self.challenge, self.last if self.last is not self.first else None)
        return [event for event in events if event is not None]

    # -- without events

    def adopt(self, register: Sent) -> None:
        """The first has begun with an event; what comes of it may be told without."""
        if not register.fresh and not register.proves:
            self.first = self.last = None
            self.current = Renewal(register.capture, register.frame, register.time, register.transaction,
                                   register.expires, register.call_id)

    def begin(self, renewal: Renewal) -> None:
        """A renewal has begun, of which events will not tell."""
        self.current = renewal
        self.open[self.phone] = None

    def end(self, renewal: Renewal) -> None:
        """It has ended."""
        self.told(self, renewal)
        self.current, self.ended = None, renewal
        self._count(challenged=renewal.status != 0, until=renewal.answered + renewal.granted)
        if renewal.again:   # of what came before the REGISTER that was granted nothing is asked any more
            renewal.sent = renewal.challenged = 0.0
            renewal.frame = renewal.challenge_frame = 0

    def _spell_out(self, renewal: Renewal) -> None:
        """Something else comes: from here on events tell of the renewal under way, also of what passed before."""
        self.current = None
        self.first = self.last = self._sent(renewal)
        if renewal.status:
            self.challenge = Answered(
                renewal.challenged, renewal.capture, renewal.challenge_frame, self.phone, self.line, self.server,
                "REGISTER", renewal.transaction, renewal.status, renewal.sent, asked=renewal.expires)
        if renewal.again:
            self.last = self._sent_again(renewal)

    def _sent(self, renewal: Renewal) -> Sent:
        return Sent(renewal.sent, renewal.capture, renewal.frame, self.phone, self.line, self.server, "REGISTER",
                    renewal.transaction, expires=renewal.expires, call_id=renewal.call_id)

    def _sent_again(self, renewal: Renewal) -> Sent:
        return Sent(renewal.asked, renewal.capture, renewal.asked_frame, self.phone, self.line, self.server,
                    "REGISTER", renewal.again, expires=renewal.expires, follows=renewal.transaction,
                    call_id=renewal.call_id, proves=renewal.proves)

    def _write_ended(self) -> None:
        """The last 200 and its REGISTER as events, if none told of them."""
        renewal = self.ended
        if renewal is None:
            return
        self.ended = None
        self.register = self._sent_again(renewal) if renewal.again else self._sent(renewal)
        self.granted = Answered(
            renewal.answered, renewal.capture, renewal.answer_frame, self.phone, self.line, self.server, "REGISTER",
            self.register.transaction, 200, self.register.time, granted=renewal.granted, own=True,
            asked=renewal.expires)

    # -- what is left of them

    def line_after(self, line: LineState) -> LineState:
        """The line's state with all renewals that ended; from then on it has them, but where it is made of its first
        registration: then it need not be kept."""
        self._write_ended()
        if self.arrived is not None:
            line = self.arrived.line()
        binding, granted = line.binding(self.server), self.granted
        if self.count == 0 or binding is None or granted is None:
            return line
        after = Binding(binding.server, None, granted, binding.since, binding.refreshes + self.count)
        stays = each(line.stays, _served)
        if self.arrived is None:
            self.count = 0
        return LineState(stays, with_binding(line.bindings, after), line.boot, line.answers, line.reordered,
                         granted, line.failed, line.challenges, line.offered, line.began,
                         self.server if self.challenged else line.challenger)

    def phone_after(self, phone: PhoneState) -> PhoneState:
        """The phone's state after all of them."""
        self._write_ended()
        if self.arrived is not None:
            phone = self.arrived.phone()
        register = self.register
        granted = self.granted
        if register is None or granted is None:
            return phone
        reach = phone.reach(self.server)
        return with_reach(phone, Reach(
            reach.server, (), (), (), (), granted, register.time, reach.closed, register, reach.later,
            reach.cancelled, lately(reach.repeated, granted.time), calls=reach.calls, broke=reach.broke))


def _served(stay: Stay | None) -> Stay | None:
    """The stay after a renewal: its server has served the line since the arrival (`absorb_moves`)."""
    return stay if stay is None or stay.took == 0.0 else replace(stay, took=0.0)
