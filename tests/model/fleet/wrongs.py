"""One way to break each rule of reference-model.md 5, and the circumstances in which it can be broken."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

GATED = ("R1", "R2", "R3")
LATER = ("DNSTTL", "registration", "duration")
TIMED = ("DNSTTL", "duration")
ANY_MODE = ("newRequests", *LATER)


@dataclass(frozen=True)
class Wrong:
    """`rule` is what must be found; `does` what the phone (or the server) does wrong; `also` the rules with findings
    that follow from the wrong (reference-model.md 4, *one request, one finding*); `habits` and `plan` the circumstances
    in which it shows; `found` the share of histories in which it must be found at least (an observer cannot prove
    each), `near` the greatest distance in seconds between the finding and the time that the phone noted."""

    rule: str
    does: str
    regimes: tuple[str, ...] = ("R0", *GATED)
    modes: tuple[str, ...] = ANY_MODE
    servers: int = 2
    also: tuple[str, ...] = ()
    habits: dict[str, Any] = field(default_factory=dict)
    plan: dict[str, Any] = field(default_factory=dict)
    found: float = 1.0
    near: float = 1.0


WRONGS = (
    Wrong("signalling-to-unregistered-server", "sends the diverted INVITE without waiting for the 200", GATED),
    Wrong("registration-without-expiry", "a server grants a binding of no life", plan={"no_life": 0.3}),
    Wrong("signalling-after-expiry", "stops renewing and calls on", ("R2", "R3"),
          also=("overdue-failback",)),
    Wrong("deregistration-at-failover", "takes its binding back from the server that failed", GATED, found=0.7),
    Wrong("unexpected-re-registration", "registers between an INVITE and the same INVITE", ("R0",),
          habits={"expires": 3600}, found=0.9),
    Wrong("signalling-to-failed-server", "goes on with a call through a failed server", ("R2",),
          habits={"talk": 300.0, "holds": True, "timeout": 900, "attempt_unlocks": True}),
    Wrong("accepted-from-failed-server", "takes a call from a failed server", ("R2",),
          habits={"timeout": 900, "expires": 3600, "attempt_unlocks": True}, plan={"far_calls": 15.0}, found=0.9),
    Wrong("failover-without-failure", "goes to the next server though its own answers", modes=LATER,
          also=("secondary-abandoned", "premature-failback"), near=120.0, found=0.8),
    Wrong("failover-skipped-server", "passes the next server over", servers=3, found=0.9, near=10.0),
    Wrong("failover-missing", "asks the dead server again and again", near=10.0),
    Wrong("premature-failback", "comes back before its time", modes=LATER,
          also=("overdue-failback",), found=0.7),
    Wrong("overdue-failback", "never comes back", modes=LATER, found=0.6),
    Wrong("failback-during-call", "comes back while a call is up", ("R2", "R3"), TIMED, found=0.8),
    Wrong("failback-without-registration", "calls through the primary before it registered there", ("R2", "R3"),
          also=("overdue-failback", "failback-during-call")),
    Wrong("failback-probe-registration", "probes the primary by a REGISTER", ("R1",), ("newRequests", *TIMED),
          habits={"expires": 3600}),
    Wrong("failback-retried-too-often", "tries again and again", ("R2", "R3"), TIMED,
          habits={"timeout": 200, "calls": 500.0}, plan={"far_calls": 0.0}),
    Wrong("primary-not-tried-first", "stays where it was", modes=("newRequests",)),
    Wrong("secondary-abandoned", "leaves the working server while it tries the primary", ("R2", "R3"), LATER,
          found=0.8),
    Wrong("credentials-to-wrong-server", "shows its credentials to another server than asked for them", GATED,
          also=("premature-failback", "failback-during-call"),
          plan={"challenges": dict.fromkeys(("10.0.0.1:5060", "10.0.0.2:5060", "10.0.0.3:5060"), 401)}),
    Wrong("flapping", "a server that comes and goes makes the line move often", modes=("newRequests", "duration"),
          habits={"calls": 40.0, "timeout": 60, "expires": 3600}, plan={"flaps": 60.0}, near=60.0),
)
BY_RULE = {wrong.rule: wrong for wrong in WRONGS}
