"""The arithmetic of F2 and of registration renewal. All results are seconds."""

from __future__ import annotations

from sipaudit.model.settings import LineSettings

T1_STEPS = (0.5, 1.0)   # RFC 3261 17.1.2.2: the first retransmissions
T2_FIELD = 2.0          # the cap seen in the field (F2, earliest)
UNDECLARED_EARLIEST = 0.1
DEFAULT_RETRIES = 3
SILENCE_MAX = 32.0      # 64*T1, RFC 3261 timers B and F
SLACK_MIN = 0.3
SLACK_SHARE = 0.1
DEFAULT_OVERLAP = 60
NO_EXPIRY = float("inf")


def earliest_silence(settings: LineSettings) -> float:
    """The shortest silence after which a phone may count the server as failed (F2, *earliest*)."""
    interval = settings.number("retryTimeOut")
    retries = settings.number("retryMaxCount")
    if interval is None or retries is None:
        return UNDECLARED_EARLIEST
    count = retries or DEFAULT_RETRIES
    seconds = count * interval / 1000 if interval else min(_doubling(count), SILENCE_MAX)
    return max(seconds - max(SLACK_MIN, SLACK_SHARE * seconds), UNDECLARED_EARLIEST)


def _doubling(count: int) -> float:
    """The first `count` terms of 0.5, 1, 2, 2, 2 ... summed."""
    return sum(T1_STEPS[:count]) + T2_FIELD * max(count - len(T1_STEPS), 0)


def renewal(expires: float, overlap: int | None) -> float:
    """Seconds from the 200 to the earliest renewal of a binding granted for `expires` seconds."""
    margin = DEFAULT_OVERLAP if overlap is None else overlap
    if expires > margin:
        return expires - margin
    # E = O: the text settles nothing, anything in [0, E/2] is right
    return expires / 2 if expires < margin else 0.0
