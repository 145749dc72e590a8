"""The small state machines that make up a line's state, by name: a registration at one server, and the mark of R2.

The state itself holds packets (`state.Binding`, `state.FailedMark`); these names say what it amounts to at a moment
(reference-model.md 1, *registered*, *failed*).
"""

from __future__ import annotations

from enum import StrEnum

from sipaudit.model.state import Binding, FailedMark
from sipaudit.model.timers import TRY_LASTS


class RegistrationState(StrEnum):
    """registered(server): `pending` covers a challenge, `valid` a refresh under way."""

    UNKNOWN = "unknown"
    NONE = "none"
    PENDING = "pending"
    VALID = "valid"
    EXPIRED = "expired"
    REFUSED = "refused"
    INVALIDATED = "invalidated"


class FailedServer(StrEnum):
    """The status of a server for the line under R2 (F9)."""

    NO = "not failed"
    FAILED = "failed"
    TRIED = "being tried"
    OPEN = "tried in vain"


def registration(binding: Binding | None, now: float, *, invalidates: bool) -> RegistrationState:
    """What the line holds at a server at `now` (seconds since the epoch); `invalidates` in R2 and R3 (F8)."""
    if binding is None:
        return RegistrationState.UNKNOWN
    if binding.granted is None:
        if binding.register is not None and binding.register.expires != 0:
            return RegistrationState.PENDING
        return RegistrationState.REFUSED if binding.refused is not None else RegistrationState.NONE
    if binding.left is not None and invalidates:
        return RegistrationState.INVALIDATED
    return RegistrationState.VALID if binding.until > now else RegistrationState.EXPIRED


def failed_server(mark: FailedMark | None, now: float) -> FailedServer:
    """The status of the server for the line at `now` (seconds since the epoch)."""
    if mark is None:
        return FailedServer.NO
    if mark.tried is None:
        return FailedServer.FAILED
    over = mark.refused is not None or now - mark.tried.time > TRY_LASTS
    return FailedServer.OPEN if over else FailedServer.TRIED
