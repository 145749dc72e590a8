"""For speed some code builds states by position, field by field. Each such place states here which fields it changes,
and must carry over all others. A new field must be added to each of these places.

The input differs in every field from that field's default, and from every other field.
"""

from __future__ import annotations

from collections.abc import Callable
from enum import Enum
from functools import partial
from itertools import count
from types import NoneType, UnionType
from typing import Any, TypeVar, Union, get_args, get_origin

import pytest
from msgspec import Struct
from msgspec.structs import fields, replace

from sipaudit.model.absorb import absorb_line
from sipaudit.model.absorb_phone import absorb_phone
from sipaudit.model.calling import Calling
from sipaudit.model.events import Answered, CallChanged, Sent
from sipaudit.model.reach import Reach
from sipaudit.model.renewal import Arrived, PackedArrival, Renewal, pack_arrival, pack_renewal, unpack_renewal
from sipaudit.model.routine import Common, Renewals
from sipaudit.model.state import Binding, LineState, PhoneState, Stay

Made = TypeVar("Made", bound=Struct)

P = "10.0.0.1:5060"
LATER = 1e6   # later than all times that `full` makes
CALL, REGISTER = 900, 901

_number = count(1)


def full(kind: Any) -> Any:
    """A value of this type that differs from all others made here (but booleans and enumerations)."""
    if get_origin(kind) in (Union, UnionType):
        return full(next(one for one in get_args(kind) if one is not NoneType))
    if get_origin(kind) is tuple:
        return tuple(full(one) for one in get_args(kind) if one is not Ellipsis)
    if issubclass(kind, Struct):
        return filled(kind)
    if kind is bool:
        return True
    return list(kind)[-1] if issubclass(kind, Enum) else kind(next(_number))


def filled(kind: type[Made], **given: Any) -> Made:
    return kind(**{field.name: full(field.type) for field in fields(kind)} | given)


def changed(before: Struct, after: Struct) -> set[str]:
    """The names of the fields in which they differ."""
    return {field.name for field in fields(before) if getattr(before, field.name) != getattr(after, field.name)}


def sent(method: str, transaction: int, **more: Any) -> Sent:
    return Sent(LATER, 0, 1, 2, 3, P, method, transaction, **more)


def answered(method: str, transaction: int, status: int = 200, **more: Any) -> Answered:
    return Answered(LATER + 0.1, 0, 2, 2, 3, P, method, transaction, status, LATER, **more)


def a_binding(**given: Any) -> Binding:
    """A binding in force, with a REGISTER under way."""
    granted = filled(Answered, server=P, time=LATER - 100.0, granted=300.0)
    return filled(Binding, server=P, register=sent("REGISTER", REGISTER), granted=granted, **given)


def a_line(**binding: Any) -> LineState:
    """A line at P, with a stay that further answers do not change."""
    stay = filled(Stay, server=P, away=None, aside=None, unsure=False, turned=None, took=0.0)
    return filled(LineState, stays=(stay, stay, stay), bindings=(a_binding(**binding),))


def a_phone() -> PhoneState:
    return filled(PhoneState, reaches=(filled(Reach, server=P), filled(Reach)))


def absorbed_by_line(event: Sent | Answered, **binding: Any) -> Callable[[], tuple[LineState, LineState]]:
    def before_and_after() -> tuple[LineState, LineState]:
        before = a_line(**binding)
        return before, absorb_line(before, PhoneState(), event)
    return before_and_after


def absorbed_by_phone(event: Sent | Answered | CallChanged) -> Callable[[], tuple[PhoneState, PhoneState]]:
    def before_and_after() -> tuple[PhoneState, PhoneState]:
        before = a_phone()
        return before, absorb_phone(before, event)
    return before_and_after


def first_of(field: str, made: Callable[[], tuple[Struct, Struct]]) -> Callable[[], tuple[Struct, Struct]]:
    """Like `made`, but the first element of this field before and after, instead of the whole states."""
    def before_and_after() -> tuple[Struct, Struct]:
        before, after = made()
        return getattr(before, field)[0], getattr(after, field)[0]
    return before_and_after


BINDING, REACH = partial(first_of, "bindings"), partial(first_of, "reaches")


def renewed() -> Renewals:
    """Renewals after one that went without a challenge."""
    renewals = Renewals(LineState(), answered("REGISTER", REGISTER, granted=300.0), Common({}, lambda *_: None))
    renewal = Renewal(0, 3, LATER + 100.0, REGISTER + 1, 300.0, "call")
    renewals.begin(renewal)
    renewal.asked, renewal.answered, renewal.granted = renewal.sent, renewal.sent + 0.1, 300.0
    renewals.end(renewal)
    return renewals


def renewed_line() -> tuple[LineState, LineState]:
    before = a_line()
    return before, renewed().line_after(before)


def renewed_phone() -> tuple[PhoneState, PhoneState]:
    before = a_phone()
    return before, renewed().phone_after(before)


def called_line() -> tuple[LineState, LineState]:
    before = a_line()
    return before, Calling(before, PhoneState(), sent("INVITE", CALL)).line_after(before)


ENDED = {"register", "granted", "refused", "left", "resent", "late", "removed", "missed"}
"""Fields of a binding that a renewal replaces or clears (`_granted`)."""
REGISTERS = absorbed_by_line(sent("REGISTER", REGISTER + 1, expires=60.0))
IS_GRANTED = absorbed_by_line(answered("REGISTER", REGISTER, granted=60.0, own=True, asked=60.0), left=None)
IS_CHALLENGED = absorbed_by_line(answered("REGISTER", REGISTER, 401))
ASKS = absorbed_by_phone(sent("REGISTER", REGISTER, expires=60.0))
IS_ANSWERED = absorbed_by_phone(answered("INVITE", CALL, in_dialog=True))


@pytest.mark.parametrize(("made", "changes"), [
    pytest.param(REGISTERS, {"bindings"}, id="_line_sent"),
    pytest.param(absorbed_by_line(answered("INVITE", CALL)), {"served"}, id="_line_answered"),
    pytest.param(IS_GRANTED, {"bindings", "served"}, id="_registered"),
    pytest.param(renewed_line, {"bindings", "served"}, id="Renewals.line_after"),
    pytest.param(called_line, {"challenges"}, id="Calling.line_after"),
    pytest.param(BINDING(REGISTERS), {"register", "resent"}, id="_line_sent, binding"),
    pytest.param(BINDING(IS_CHALLENGED), {"resent"}, id="_granted, challenged"),
    pytest.param(BINDING(IS_GRANTED), ENDED - {"left"} | {"refreshes"}, id="_granted, renewed"),
    pytest.param(BINDING(renewed_line), ENDED | {"refreshes"}, id="Renewals.line_after, binding"),
    pytest.param(ASKS, {"reaches"}, id="with_reach"),
    pytest.param(absorbed_by_phone(CallChanged(LATER, 0, 1, 2, 3, P, CALL, "up")), {"calls"}, id="_called"),
    pytest.param(absorbed_by_phone(CallChanged(LATER, 0, 1, 2, 3, P, CALL, "over")), {"quiet"}, id="_called, over"),
    pytest.param(REACH(ASKS), {"waiting", "touched", "registering"}, id="_sent"),
    pytest.param(REACH(IS_ANSWERED), {"answered", "repeated"}, id="_finally_answered"),
    pytest.param(REACH(renewed_phone), {"waiting", "ringing", "hard", "doubtful", "late", "answered", "touched",
                                           "registering", "repeated"}, id="Renewals.phone_after"),
])
def test_what_a_place_does_not_change_it_carries(made: Callable[[], tuple[Struct, Struct]], changes: set[str]) -> None:
    assert changed(*made()) == changes


@pytest.mark.parametrize("kind", [LineState, Binding, PhoneState, Reach])
def test_what_goes_in_is_nowhere_what_it_would_be_by_default(kind: type[Struct]) -> None:
    one = filled(kind)
    assert all(getattr(one, field.name) != field.default for field in fields(kind))


ALIKE = {"phone", "line", "server", "method", "transaction", "status", "own"}
NEVER = {"emergency", "addressed", "target"}   # only requests that open a dialog have these


@pytest.mark.parametrize("field", [field.name for field in fields(Sent) if field.name not in ALIKE | NEVER])
def test_an_odd_register_lies_packed_as_it_is(field: str) -> None:
    register, granted = registered()
    lies_as_it_is(replace(register, **{field: getattr(filled(Sent), field)}), granted)


@pytest.mark.parametrize("field", [field.name for field in fields(Answered) if field.name not in ALIKE])
def test_an_odd_answer_to_it_does(field: str) -> None:
    register, granted = registered()
    lies_as_it_is(register, replace(granted, **{field: getattr(filled(Answered), field)}))


def registered() -> tuple[Sent, Answered]:
    """A REGISTER and its 200; the fields in `ALIKE` are not stored, being the same in all."""
    return (sent("REGISTER", REGISTER, expires=60.0, call_id="call"),
            answered("REGISTER", REGISTER, granted=60.0, own=True, asked=60.0))


def lies_as_it_is(register: Sent, granted: Answered) -> None:
    """It must come back unchanged, whether it was packed or, being odd, stored as it is."""
    whose = (register.phone, register.line, register.server)
    first = Arrived(granted, register, None, False)
    packed, ended = pack_arrival(first), pack_renewal(granted, register)
    assert (packed.unpacked(whose) if isinstance(packed, PackedArrival) else packed) == first
    again = unpack_renewal(ended, whose, register.call_id) if isinstance(ended, bytes) else ended
    assert again == (granted, register)
