"""Conditions on what the capture may lack: a 200 to a REGISTER that moved a line to another server, or back."""

from __future__ import annotations

from sipaudit.model.case import HOLDS, Case, Ground
from sipaudit.model.events import Sent
from sipaudit.model.settings import Regime
from sipaudit.model.state import Binding
from sipaudit.model.values import Reason


def no_move_there(case: Case) -> Ground:
    """F6-F8: the line has not moved, or returned, to the request's server by a 200 that the capture lacks."""
    binding = case.line.binding(case.request.server)
    return HOLDS if binding is None else no_move_by(case, left_open(case, binding))


def no_move_unseen(case: Case) -> Ground:
    """F2: the line has not moved to any server but the working one by a 200 that the capture lacks."""
    elsewhere = [binding for binding in case.line.bindings if binding.server != case.stay.server]
    return no_move_by(case, [register for binding in elsewhere for register in left_open(case, binding)])


def no_move_by(case: Case, registers: list[Sent]) -> Ground:
    """None of these has brought the line to its server: the working one has served the line since."""
    unseen = [one for one in registers
              if one.time >= case.stay.arrived.time and not _served_since(case, one.time)]
    return Ground(reason=lacking(case, unseen[0])) if unseen else HOLDS


def _served_since(case: Case, since: float) -> bool:
    """Whether the line has worked with its server since then; in R0 and R1 a REGISTER may be a mere refresh (F7)."""
    served = case.line.served
    refresh = served is not None and served.method == "REGISTER" and case.regime in (Regime.R0, Regime.R1)
    return case.line.served_since(case.stay.server, since) and not refresh


def left_open(case: Case, binding: Binding) -> list[Sent]:
    """The REGISTERs there whose 200 the capture may lack: without one they are retransmitted (RFC 3261 17.1.2.2)."""
    waited_on = binding.resent is not None and not case.profile.lossy
    register = None if waited_on else case.line.unanswered(binding)
    return missed(binding) if register is None else [register, *missed(binding)]


def missed(binding: Binding) -> list[Sent]:
    """The same for a REGISTER that another one has followed."""
    return [] if binding.missed is None else [binding.missed]


def lacking(case: Case, register: Sent) -> Reason:
    """The reason why the capture may lack the answer to a REGISTER."""
    return Reason.LOSS_NEARBY if register.server in case.profile.heard else Reason.ONE_WAY
