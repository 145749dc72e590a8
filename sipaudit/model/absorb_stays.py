"""How requests that the phone sends change a line's stay at its working server: turned away, tried elsewhere, back
again. Descriptive and total, as `absorb`."""

from __future__ import annotations

from collections.abc import Callable

from msgspec.structs import replace

from sipaudit.model.events import Answered, Sent
from sipaudit.model.packets import (
    DIALOG_INITIATING,
    KEEPALIVES,
    MOVERS,
    against,
    asked_at,
    goes_on_here,
    holds,
    is_open_of_call,
)
from sipaudit.model.reach import speaks_against
from sipaudit.model.state import Binding, LineState, PhoneState, Stay, Track
from sipaudit.model.timers import SILENCE_MAX, UNDECLARED_EARLIEST
from sipaudit.turned_away import latest, turned_away

OVERLAP_MAX = 120.0    # seconds of expires.overlap, which few sites set beyond its default of 60
RENEWAL_SLACK = 5.0    # seconds by which a timer may run early
TRIES_KEPT = 6         # failback tries kept for one stay: the first, and the last of the others
CALLS_KEPT = 6         # calls kept for one stay: those of the last two minutes, or six of them

Stays = tuple[Stay | None, Stay | None, Stay | None]


def all_touched(line: LineState, phone: PhoneState, packet: Sent) -> Stays:
    """The stays after a request: changed if it went to another server than the working one, or back to that."""
    answered, registered, regained = line.stays
    one = answered is registered is regained
    if _is_at(answered, packet) and (one or (_is_at(registered, packet) and _is_at(regained, packet))):
        if packet.method not in DIALOG_INITIATING or packet.in_dialog:
            return line.stays  # the usual cases; only these must be cheap
        if one:
            opened = _opened(answered, packet)
            return line.stays if opened is answered else (opened, opened, opened)
        return each(line.stays, lambda stay: _opened(stay, packet))
    return (_touched(line, phone, answered, packet, Track.ANSWERED),
            _touched(line, phone, registered, packet, Track.REGISTERED),
            _touched(line, phone, regained, packet, Track.REGAINED))


def each(stays: Stays, after: Callable[[Stay | None], Stay | None]) -> Stays:
    """The stays after `after`, which is the same on every track. While they are one object, as for nearly every line
    until it moves, they stay one, and a new tuple is made only if something changed."""
    first, second, third = stays
    if first is second and second is third:
        one = after(first)
        return stays if one is first else (one, one, one)
    return after(first), after(second), after(third)


def _opened(stay: Stay | None, packet: Sent) -> Stay | None:
    """The stay after a dialog-initiating request to its server: notes the first that is not the one diverted by the
    move, and the calls that came here."""
    if stay is None or packet.follows is not None:
        return stay
    if stay.opened is None and not any(isinstance(item, Sent) and goes_on_here(item, packet, stay)
                                       for item in stay.failed):
        stay = replace(stay, opened=packet.time)
    if packet.method != "INVITE" or not packet.call_id or not (stay.failed or stay.tries):
        return stay
    return replace(stay, called=latest(stay.called, packet.call_id, CALLS_KEPT, "line-state"))


def _is_at(stay: Stay | None, packet: Sent) -> bool:
    """Whether the packet goes to the working server, as the one before it did."""
    return stay is None or (stay.server == packet.server and stay.away is None)


def _opens(packet: Sent, track: Track) -> bool:
    """Whether a packet may open a failback: dialog-initiating, or in R2 and R3 a REGISTER that asks for more than 0."""
    if packet.in_dialog or packet.follows is not None or packet.goes_its_way:
        return False
    if packet.method == "REGISTER":
        return track is Track.REGAINED and packet.expires != 0
    return packet.method in DIALOG_INITIATING


def _touched(line: LineState, phone: PhoneState, stay: Stay | None, packet: Sent, track: Track) -> Stay | None:
    if stay is None:
        return None
    if packet.server == stay.server:
        return _asks_its_server(stay, packet)
    return _asks_another(line, phone, stay, packet, track)


def _asks_its_server(stay: Stay, packet: Sent) -> Stay:
    """The stay after a request to its own server: a line that had turned away is back, unless it may have moved."""
    # requests of old calls, and keepalives, may go there at any time, even while the line is moving
    aside = packet.in_dialog or packet.method == "CANCEL" or packet.method in KEEPALIVES
    if packet.method in DIALOG_INITIATING and not packet.in_dialog:
        stay = _opened(stay, packet) or stay
    if stay.away is None or aside or _may_have_moved(stay):
        return stay
    turned = stay.away.time if stay.turned is None and stay.driven else stay.turned
    return replace(stay, away=None, driven=False, turned=turned)


def _asks_another(line: LineState, phone: PhoneState, stay: Stay, packet: Sent, track: Track) -> Stay:
    """The stay after a request to another server: the line turns away, was driven away, or tries to fail back."""
    if track is Track.ANSWERED and packet.method == "REGISTER" and renews_as_before(line, phone, stay, packet):
        return stay
    if stay.away is None:
        stay = replace(stay, away=packet)
    if not stay.driven and _goes_elsewhere(packet) and speaks_against(
            phone.reach(stay.server), packet.time, UNDECLARED_EARLIEST):
        stay = replace(stay, driven=True)
    if _opens(packet, track) and not _refreshes(line, packet, track):
        tries = stay.tries
        if len(tries) >= TRIES_KEPT:
            turned_away("line-state")
        stay = replace(stay, tries=(*tries[:1], *tries[1:][-TRIES_KEPT + 2:], packet))
    return stay


def _goes_elsewhere(packet: Sent) -> bool:
    """Whether a line that leaves its server sends requests of this kind to the next."""
    return not packet.in_dialog and not packet.goes_its_way and packet.method in MOVERS


def _may_have_moved(stay: Stay) -> bool:
    """Whether another server has since given a final answer that may have made it the working one: a 2xx, or in R0 any
    (reference-model.md 1, *working server*)."""
    aside, away = stay.aside, stay.away
    return (
        aside is not None and away is not None and not aside.in_dialog
        and aside.method not in KEEPALIVES and aside.time >= away.time
    )


def _refreshes(line: LineState, packet: Sent, track: Track) -> bool:
    """Whether a REGISTER renews a binding that the line still holds at that server (F7)."""
    if packet.method != "REGISTER":
        return False
    binding = line.binding(packet.server)
    return binding is not None and holds(binding, packet.time, track)


def renews_as_before(line: LineState, phone: PhoneState, stay: Stay, event: Sent | Answered) -> bool:
    """Whether a REGISTER is a timely renewal of a binding elsewhere, although there is evidence against the line's
    server, all of it from before the line came back there, or an answer to a call (F4): in R0 renewals stay with the
    server to which one went while the working one was silent (F5)."""
    binding = line.binding(event.server)
    if binding is None or binding.granted is None or binding.until <= event.time:
        return False
    standing = against(phone.reach(stay.server), event.time, UNDECLARED_EARLIEST)
    before = stay.arrived.time - SILENCE_MAX   # a request open when it came back may have run out since
    return bool(standing) and all(asked_at(item) < before or is_open_of_call(item) for item in standing) \
        and may_be_due(binding, binding.granted, event.time)


def may_be_due(binding: Binding, granted: Answered, now: float) -> bool:
    """Whether the binding may be at its renewal: no firmware renews before half of its life, unless the overlap is more
    than that, or the 200 lists other Contacts only, and so does not say how long this binding lasts (F6)."""
    lasts = binding.expires
    return granted.own is False or lasts <= 2 * OVERLAP_MAX or now - granted.time >= lasts / 2 - RENEWAL_SLACK
