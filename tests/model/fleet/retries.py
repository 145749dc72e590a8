"""When a phone sends a request again, and when it gives up (F2; research/polycom.md 2)."""

from __future__ import annotations

from tests.model.fleet.habits import Habits

WHOLE = 32.0  # 64*T1, RFC 3261 17.1.1.2


def waits(habits: Habits, method: str, *, last: bool) -> list[float]:
    """Seconds between one sending and the next; after the last of them the phone gives up."""
    if habits.transport != "udp":
        return [WHOLE if habits.fast_tcp == 0 else sum(_udp(habits, method, last=last))]
    return _udp(habits, method, last=last)


def _udp(habits: Habits, method: str, *, last: bool) -> list[float]:
    retries, interval = habits.retry_count or 3, habits.retry_timeout / 1000
    terms = retries if habits.arithmetic == 3 else retries + 1  # H3 counts all sendings, H1 and H2 only retransmissions
    if interval:
        return [interval] * terms
    if last and habits.patient_at_last:
        return _rfc(method, WHOLE)
    steps = _rfc(method, 1e9, terms) if habits.arithmetic == 1 else ([0.5, 1.0] + [2.0] * terms)[:terms]
    return _within(steps, WHOLE)


def _rfc(method: str, total: float, terms: int = 100) -> list[float]:
    """RFC 3261's timers A and E: doubling, for requests other than INVITE up to 4 s."""
    steps, wait = [], 0.5
    for _ in range(min(terms, 100)):
        steps.append(wait)
        wait = min(2 * wait, 1e6 if method == "INVITE" else 4.0)
        if sum(steps) >= total:
            break
    return _within(steps, total)


def _within(steps: list[float], total: float) -> list[float]:
    """The steps, cut off so that their sum is at most `total`."""
    kept: list[float] = []
    for step in steps:
        left = total - sum(kept)
        if left <= 0:
            break
        kept.append(min(step, left))
    return kept
