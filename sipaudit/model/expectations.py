"""What a phone must not do, as a table of rows.

Each row reads: *at* such a request, in these regimes and modes, under these
conditions, the named clause forbids it.  `reach` are the conditions that bring
the row into play; `when` are those that condemn.  A condition answers with a
`Ground`: a proposition over the readings, or the reason why it cannot be told.

The conditions are in `conditions`, the vocabulary of this table.
"""

from __future__ import annotations

from msgspec import Struct

from sipaudit.model.conditions import (
    Condition,
    after_a_failure,
    before_renewal,
    before_timeout,
    before_ttl,
    failback_request,
    first_try,
    gated_request,
    higher_server,
    judgeable,
    list_unchanged,
    no_binding_there,
    no_boot_since,
    registers,
    same_entry,
    still_working,
    timer_known,
    working_server_alive,
)
from sipaudit.model.observations import Verdict
from sipaudit.model.settings import Mode, Regime


class Row(Struct, frozen=True):
    """One prohibition. `expectation` is the name that rules select by, `clause` the requirement it enforces."""

    expectation: str
    clause: str
    verdict: Verdict
    regimes: frozenset[Regime]
    modes: frozenset[Mode]
    reach: tuple[Condition, ...]
    when: tuple[Condition, ...]


ANY_REGIME = frozenset(Regime)
ANY_MODE = frozenset(Mode)
TIMED = (timer_known, working_server_alive, no_boot_since, list_unchanged, still_working, judgeable)
A_TRY = (failback_request, same_entry, higher_server, first_try)

MUST_NOT = (
    Row("signal-before-registration", "F6", Verdict.FORBIDDEN,
        regimes=frozenset({Regime.R1, Regime.R2, Regime.R3}), modes=ANY_MODE,
        reach=(gated_request, registers, same_entry, after_a_failure),
        when=(no_binding_there, judgeable)),
    Row("failback-before-due", "B2", Verdict.EARLY, regimes=ANY_REGIME, modes=frozenset({Mode.DNSTTL}),
        reach=A_TRY, when=(before_ttl, *TIMED)),
    Row("failback-before-due", "B3", Verdict.EARLY, regimes=ANY_REGIME, modes=frozenset({Mode.REGISTRATION}),
        reach=A_TRY, when=(before_renewal, *TIMED)),
    Row("failback-before-due", "B4", Verdict.EARLY, regimes=ANY_REGIME, modes=frozenset({Mode.DURATION}),
        reach=A_TRY, when=(before_timeout, *TIMED)),
)

EXPECTATIONS = frozenset(row.expectation for row in MUST_NOT)


def expectations(regime: Regime, mode: Mode) -> tuple[Row, ...]:
    """The rows in force under a regime and a mode."""
    return tuple(row for row in MUST_NOT if regime in row.regimes and mode in row.modes)
