"""Calls that no server has answered in any way: they run out, and no packet says so."""

from __future__ import annotations

from sipaudit.model.state import Call, PhoneState


def call_runs_out(phone: PhoneState, call: Call, lasts: float) -> float | None:
    """When the call is over at the latest if each of its INVITEs waits for `lasts` seconds (F2; RFC 3261 17.1.1.2,
    timer B). None if no such limit holds: a server answered, or it is an incoming call."""
    if call.up is not None:
        return None
    invites = [(reach, request) for reach in phone.reaches for request in reach.unsettled
               if request.method == "INVITE" and request.call == call.number]
    if not invites or any(request.transaction in reach.ringing for reach, request in invites):
        return None
    return max(request.time for _, request in invites) + lasts
