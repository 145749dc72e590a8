"""How the passing of time proves, or disproves, verdicts that wait; `proofs` does the same for events."""

from __future__ import annotations

from collections.abc import Callable
from math import inf

from msgspec.structs import replace

from sipaudit.model.observations import Awaited, News, Observation, Outcome, Sign
from sipaudit.model.reach import repeated_until
from sipaudit.model.state import PhoneState

GOES_ON = 96.0   # seconds within which a try, or a line that was not logged out, goes on


Deadline = Callable[[Observation, Awaited, PhoneState], News]


def _always(outcome: Outcome) -> Deadline:
    """The outcome for a sign that must have come by its deadline."""
    return lambda _one, _awaited, _phone: outcome


ACQUITS, CONDEMNS, DOUBTS = _always(Outcome.ACQUITTED), _always(Outcome.CONDEMNED), _always(Outcome.DOUBTED)


def _time_of_silence(_one: Observation, awaited: Awaited, phone: PhoneState) -> News:
    """Acquitted after an answer to the line, or to a later such request of another line, a loss, or contact with
    another server. Otherwise all that is missing is a sign that the phone is alive."""
    reach = phone.reach(awaited.server)
    elsewhere = any(other.server != awaited.server and awaited.since <= other.touched for other in phone.reaches
                    if not awaited.others or other.server in awaited.others)
    request = next((one for one in reach.waiting if one.transaction == awaited.transaction), None)
    lost = phone.lost is not None and phone.lost >= awaited.since
    if elsewhere or lost or request is None:
        return Outcome.ACQUITTED
    if not awaited.repeats <= repeated_until(reach, request) < awaited.rests:
        return Outcome.ACQUITTED  # given up, or sent for longer than the first request was
    return replace(awaited, seen=True, until=inf)


def _time_of_registers(_one: Observation, awaited: Awaited, _phone: PhoneState) -> News:
    """No log-out elsewhere in time. The line was already seen to go on registering, or may still do so for a while."""
    if awaited.seen:
        return Outcome.CONDEMNED
    last = awaited.since + GOES_ON
    return Outcome.ACQUITTED if awaited.until >= last else replace(awaited, until=last)


DEADLINES: dict[Sign, Deadline] = {
    Sign.WAITED: ACQUITS, Sign.ANSWERED: ACQUITS, Sign.REFUSED: CONDEMNS, Sign.CALL: ACQUITS,
    Sign.SILENCE: _time_of_silence, Sign.WORKS_ON: ACQUITS, Sign.REGISTERS: _time_of_registers, Sign.STAYS: ACQUITS,
    Sign.BEGAN: DOUBTS,
}
