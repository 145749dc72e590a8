"""How often a request is sent, and after how many seconds without a response the next server is tried (F2)."""

from __future__ import annotations

from functools import lru_cache

T1, T2 = 0.5, 4.0
FULL = 32.0  # 64*T1, RFC 3261 17.1
CAP = 2.0    # the longest wait between sendings that a field test measured with retryTimeOut 0


@lru_cache(maxsize=1024)
def patience(retry_ms: int, count: int, habit: str, last: bool, invite: bool) -> tuple[float, ...]:
    """The seconds to wait after each sending of a request; their sum is the time until the phone gives up.

    `habit`: `capped` doubles the wait up to 2 s, `rfc` up to T2, both with one sending more than the retry count;
    `short` takes the count as sendings. The `last` server of the list gets the full 64*T1.
    """
    if last:
        return _to_the_end(invite)
    times = (count or 3) + (0 if habit == "short" else 1)
    if retry_ms:
        return (retry_ms / 1000,) * times
    cap = T2 if habit == "rfc" else CAP
    return tuple(min(T1 * 2**step, cap) for step in range(times))


def _to_the_end(invite: bool) -> tuple[float, ...]:
    """Waits up to 64*T1: timer A doubles without a bound, timer E up to T2 (RFC 3261 17.1.1.2, 17.1.2.2)."""
    waits: list[float] = []
    wait = T1
    while sum(waits) + wait < FULL:
        waits.append(wait)
        wait = wait * 2 if invite else min(wait * 2, T2)
    return (*waits, FULL - sum(waits))
