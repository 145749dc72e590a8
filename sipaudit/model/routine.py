"""The commonest thing a phone does, taken in one go: a registration renewed at the working server, with nothing else
in between.

REGISTER, challenge, REGISTER, 200 are four events, and all that is left of them
is a later 200.  While they come as expected they are only remembered; `renewed`
then makes the two states that following them one by one would have made.  What
is not exactly this goes the long way: correctness needs nothing of this file, and
a test holds that both ways come to the same.
"""

from __future__ import annotations

from collections.abc import Callable
from enum import Enum

from sipaudit.model.absorb import with_binding
from sipaudit.model.absorb_marks import with_challenge
from sipaudit.model.absorb_moves import is_plain
from sipaudit.model.absorb_phone import LATE_FROM, lately, with_reach
from sipaudit.model.events import Answered, ModelEvent, Sent
from sipaudit.model.profile import Profile
from sipaudit.model.stakes import at_home
from sipaudit.model.state import Binding, LineState, PhoneState, Reach


class Way(Enum):
    """What an event is to the renewal under way."""

    ON = "on"         # the next of its events
    DONE = "done"     # its last
    OFF = "off"       # something else


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
    moved = False
    for stay in line.stays:
        if stay is None or stay.server != server or stay.away is not None or not is_plain(stay):
            return False
        moved = moved or stay.first is not None
    return not moved or at_home(server, plain)


def goes_on(held: list[ModelEvent], event: ModelEvent) -> Way:
    """What `event` is to the renewal that `held` began: a challenge, its answer, or the 200 that ends it."""
    last = held[-1]
    if type(event) is Answered and type(last) is Sent:
        if event.transaction != last.transaction or event.line != last.line or event.server != last.server:
            return Way.OFF
        if event.status == 401 or event.status == 407:
            return Way.ON if len(held) == 1 and not _is_slow(event) else Way.OFF
        granted = event.status == 200 and event.own is True and event.granted != 0 and not _is_slow(event)
        return Way.DONE if granted else Way.OFF
    if type(event) is Sent and type(last) is Answered:
        same = event.follows == last.transaction and event.server == last.server and event.line == last.line
        return Way.ON if same and not event.in_dialog and event.expires != 0 else Way.OFF
    return Way.OFF


def _is_slow(answer: Answered) -> bool:
    return answer.sent is None or answer.time - answer.sent >= LATE_FROM


def renewed(line: LineState, phone: PhoneState, held: list[ModelEvent], answer: Answered
            ) -> tuple[LineState, PhoneState]:
    """The states after the whole renewal."""
    register = held[-1]
    binding, reach, challenges = line.binding(answer.server), phone.reach(answer.server), line.challenges
    assert isinstance(register, Sent)
    assert binding is not None
    if len(held) > 1:
        challenge = held[1]
        assert isinstance(challenge, Answered)
        challenges = with_challenge(challenges, challenge)
    after = Binding(binding.server, None, answer, binding.since, binding.refreshes + 1)
    return (
        LineState(line.stays, with_binding(line.bindings, after), line.boot, line.answers, line.reordered, answer,
                  line.failed, challenges, line.offered, line.began),
        with_reach(phone, Reach(reach.server, (), (), (), (), answer, register.time, reach.closed, register,
                                reach.later, reach.cancelled, lately(reach.repeated, answer.time), calls=reach.calls)),
    )
