"""Conditions on the request itself: what kind it is."""

from __future__ import annotations

from sipaudit.model.case import FAILS, HOLDS, Case, Ground, holds_if
from sipaudit.model.packets import DIALOG_INITIATING, KEEPALIVES, OF_SUBSCRIPTIONS
from sipaudit.model.settings import Mode, Regime
from sipaudit.model.values import Reason

BESIDE_THE_CALL = KEEPALIVES | OF_SUBSCRIPTIONS
NEVER_GATED = KEEPALIVES | {"REGISTER", "CANCEL"}


def gated_request(case: Case) -> Ground:
    """F6 holds back every out-of-dialog request except REGISTER; OPTIONS and keepalives are not judged."""
    request = case.request
    return holds_if(request.method not in NEVER_GATED and not request.goes_its_way)


def failback_request(case: Case) -> Ground:
    """B2-B4: a *try* in the narrow sense: a dialog-initiating request; in R2 and R3 also a REGISTER with expiry > 0."""
    request = case.request
    if request.goes_its_way or request.expires == 0:
        return FAILS
    if request.method == "REGISTER":
        return holds_if(case.regime in (Regime.R2, Regime.R3))
    return holds_if(request.method in DIALOG_INITIATING)


def opens_dialog(case: Case) -> Ground:
    """A dialog-initiating request: INVITE, initial SUBSCRIBE, out-of-dialog REFER."""
    request = case.request
    return holds_if(request.method in DIALOG_INITIATING and not request.goes_its_way and request.expires != 0)


def opens_call(case: Case) -> Ground:
    """An INVITE that opens a dialog, except emergency calls and calls to an address, which are routed regardless of the
    working server."""
    return holds_if(case.request.method == "INVITE" and not case.request.goes_its_way)


def registers(case: Case) -> Ground:
    """A REGISTER, unless it asks for expiry 0."""
    return holds_if(case.request.method == "REGISTER" and case.request.expires != 0)


def deregisters(case: Case) -> Ground:
    """A REGISTER with expiry 0, or Contact *."""
    return holds_if(case.request.method == "REGISTER" and case.request.expires == 0)


def moves_on(case: Case) -> Ground:
    """F1, F11: a REGISTER (not with expiry 0) or a dialog-initiating request, which a line sends to its working server
    or to the one it moves to."""
    return HOLDS if registers(case) is HOLDS else opens_dialog(case)


def calls_or_registers(case: Case) -> Ground:
    """F2: an INVITE or REGISTER outside a dialog, the requests by which a phone notices a dead server."""
    return HOLDS if registers(case) is HOLDS else opens_call(case)


def of_a_call(case: Case) -> Ground:
    """F9: an in-dialog request that concerns the call: neither a keepalive nor a subscription in the call's dialog."""
    request = case.request
    return holds_if(request.in_dialog and request.call is not None and request.method not in BESIDE_THE_CALL)


def of_no_call(case: Case) -> Ground:
    """F9: a request that neither concerns a call nor opens a dialog: one in the dialog of a subscription, PUBLISH,
    MESSAGE."""
    request = case.request
    if request.in_dialog:
        concerns_none = request.call is None or request.method in OF_SUBSCRIPTIONS
        return holds_if(concerns_none and request.method not in KEEPALIVES - OF_SUBSCRIPTIONS)
    return holds_if(request.method in ("PUBLISH", "MESSAGE"))


def registration_required(case: Case) -> Ground:
    """F6, B6: the line registers. For one that registers nowhere (register=0) nothing is held back."""
    settings = case.profile.settings
    if settings.can_be("register", 0) and settings.number("register") is None:
        return Ground(reason=Reason.SETTINGS_UNKNOWN)
    return holds_if(settings.number("register") != 0)


def not_either_way(case: Case) -> Ground:
    """B1: the request is not an initial SUBSCRIBE or REFER to the server that the line came from; in mode newRequests
    these may go either way."""
    request = case.request
    either = request.method in ("SUBSCRIBE", "REFER") and case.mode is Mode.NEW_REQUESTS
    return FAILS if either and case.stay.origin == request.server else HOLDS
