"""Registrations of the most common form: a renewal under way, and those that are over, packed.

There are as many of these as lines, and hardly any is looked up again.  Packed, their numbers lie side by side; as
an object of its own each number would take 32 bytes.
"""

from __future__ import annotations

from functools import lru_cache
from math import isnan, nan
from struct import Struct as Layout

from msgspec import Struct

from sipaudit.model.events import Answered, Sent
from sipaudit.model.reach import LONG_AGO, Reach
from sipaudit.model.state import Beginning, Binding, LineState, PhoneState, Stay

# A first registration: the 200, followed by the REGISTER, which is dropped at the first renewal.
_ARRIVED = Layout("<IQQddddd?")
_ASKED = Layout("<QQ???")
# A renewal; as long as those two together, so that it fits the memory that they free.
_ENDED = Layout("<IQQQ?dddQd11x")

TIMES = 256   # different expiries cached

Owner = tuple[int, int, str]
"""Numbers of the phone and line that events belong to, and the server."""


class Renewal(Struct, gc=False):
    """One mere renewal: REGISTER and 200, or REGISTER, challenge, REGISTER with credentials, and 200. It holds the time
    of each packet, and whatever else differs between renewals.

    `sent` is when the first REGISTER was sent, `asked` when the one that was granted was (the first where there was no
    challenge), `answered` when the 200 came; `status` is the challenge's status code (0: there was none), `challenged`
    when it came. `again` is the transaction of the REGISTER with credentials, 0 before it was sent.
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

    def first(self, whose: Owner) -> Sent:
        """The REGISTER with which it began, as an event."""
        return Sent(self.sent, self.capture, self.frame, *whose, "REGISTER", self.transaction, expires=self.expires,
                    call_id=self.call_id)

    def second(self, whose: Owner) -> Sent:
        """The REGISTER with credentials."""
        return Sent(self.asked, self.capture, self.asked_frame, *whose, "REGISTER", self.again, expires=self.expires,
                    follows=self.transaction, call_id=self.call_id, proves=self.proves)

    def challenge(self, whose: Owner) -> Answered:
        """The challenge between them."""
        return Answered(self.challenged, self.capture, self.challenge_frame, *whose, "REGISTER", self.transaction,
                        self.status, self.sent, asked=self.expires)

    def packed(self) -> bytes:
        """The REGISTER that was granted, without its Call-ID, and the 200: what is stored once it is over."""
        frame, asked = (self.asked_frame, self.asked) if self.again else (self.frame, self.sent)
        return _ENDED.pack(self.capture, self.transaction, self.again, frame, self.proves, _number(self.expires), asked,
                           self.answered, self.answer_frame, self.granted)


def pack_renewal(granted: Answered, register: Sent) -> bytes | tuple[Answered, Sent]:
    """The same (`Renewal.packed`) for a renewal that came as events; these themselves if anything in them is unusual.
    """
    if register.fresh or register.anew or not _is_plain(granted, register):
        return granted, register
    first, again = (register.transaction, 0) if register.follows is None else (register.follows, register.transaction)
    return _ENDED.pack(granted.capture, first, again, register.frame, register.proves, _number(register.expires),
                       register.time, granted.time, granted.frame, _number(granted.granted))


def _is_plain(granted: Answered, asked: Sent) -> bool:
    """Whether a REGISTER and its 200 match each other, outside any dialog, as nearly all do."""
    return (
        granted.sent == asked.time and granted.asked == asked.expires and granted.capture == asked.capture
        and not asked.in_dialog and not granted.in_dialog and granted.retry_after is None
        and asked.call is None and granted.call is None
    )


def unpack_renewal(ended: bytes, whose: Owner, call_id: str) -> tuple[Answered, Sent]:
    """The 200 that ended a renewal, and the REGISTER that it answers."""
    capture, first, again, frame, proves, expires, asked, answered, answer_frame, granted = _ENDED.unpack(ended)
    wanted = _seconds(expires)
    register = Sent(asked, capture, frame, *whose, "REGISTER", again or first, expires=wanted,
                    follows=first if again else None, call_id=call_id, proves=proves)
    return Answered(answered, capture, answer_frame, *whose, "REGISTER", register.transaction, 200, asked,
                    granted=_seconds(granted), own=True, asked=wanted), register


class Arrived(Struct, gc=False):
    """A first registration of the most common form (`model.arrival`): the 200 that ended it, the REGISTER that this
    answers (`asked`; None once a renewal has followed), how the line came up (`began`), and whether there was a
    challenge."""

    granted: Answered
    asked: Sent | None
    began: Beginning | None
    challenged: bool

    def line(self) -> LineState:
        """The line's state after the registration."""
        granted, asked = self.granted, self.asked
        server, took = granted.server, 0.0 if asked is None else granted.time - asked.time
        stay = Stay(server, granted, took=took)
        return LineState((stay, stay, stay), (Binding(server, None, granted, granted),), served=granted,
                         began=self.began, challenger=server if self.challenged else None)

    def renewed(self) -> Arrived:
        """The same, after a renewal."""
        self.asked = None
        return self

    def phone(self) -> PhoneState:
        """The phone's state after the registration."""
        granted, asked = self.granted, self.asked
        touched = LONG_AGO if asked is None else asked.time
        return PhoneState((Reach(granted.server, answered=granted, touched=touched, registering=asked),))


class PackedArrival(Struct, gc=False):
    """A packed `Arrived`: `packed` holds all but the Call-ID; NaN for the time that the line came up means it did not.
    """

    packed: bytes
    call_id: str

    def unpacked(self, whose: Owner) -> Arrived:
        """The `Arrived` that was packed."""
        packed = self.packed
        capture, frame, transaction, time, sent, granted, expires, began, challenged = _ARRIVED.unpack_from(packed)
        wanted = _seconds(expires)
        ended = Answered(time, capture, frame, *whose, "REGISTER", transaction, 200, sent, granted=_seconds(granted),
                         own=True, asked=wanted)
        asked = None
        if len(packed) > _ARRIVED.size:
            frame, follows, fresh, proves, anew = _ASKED.unpack_from(packed, _ARRIVED.size)
            asked = Sent(sent, capture, frame, *whose, "REGISTER", transaction, expires=wanted, follows=follows or None,
                         fresh=fresh, call_id=self.call_id, proves=proves, anew=anew)
        return Arrived(ended, asked, None if isnan(began) else Beginning(began, whose[2], self.call_id), challenged)

    def renewed(self) -> PackedArrival:
        """The same, after a renewal."""
        return PackedArrival(self.packed[:_ARRIVED.size], self.call_id)


def pack_arrival(arrived: Arrived) -> Arrived | PackedArrival:
    """The packed form of a first registration; the registration itself if anything in it is unusual."""
    granted, asked, began = arrived.granted, arrived.asked, arrived.began
    if asked is None or not _is_plain(granted, asked):
        return arrived
    return PackedArrival(
        _ARRIVED.pack(granted.capture, granted.frame, granted.transaction, granted.time, asked.time,
                      _number(granted.granted), _number(granted.asked), nan if began is None else began.time,
                      arrived.challenged)
        + _ASKED.pack(asked.frame, asked.follows or 0, asked.fresh, asked.proves, asked.anew), asked.call_id)


def _number(seconds: float | None) -> float:
    return nan if seconds is None else seconds


def _seconds(number: float) -> float | None:
    """As in messages: a whole number where it is one, or None."""
    return None if isnan(number) else _one(number)


@lru_cache(TIMES)
def _one(number: float) -> float:
    """One shared object for equal numbers: the phones of a site ask for the same expiry."""
    return int(number) if number.is_integer() else number
