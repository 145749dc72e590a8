"""The deviations that a phone can be told to commit, by the rule that names each."""

from __future__ import annotations

WRONGS = (
    "signalling-to-unregistered-server", "signalling-after-expiry", "deregistration-at-failover",
    "unexpected-re-registration", "signalling-to-failed-server", "accepted-from-failed-server",
    "failover-without-failure", "failover-skipped-server", "failover-missing", "premature-failback",
    "overdue-failback", "failback-during-call", "failback-without-registration", "failback-probe-registration",
    "failback-retried-too-often", "primary-not-tried-first", "secondary-abandoned", "credentials-to-wrong-server",
)
