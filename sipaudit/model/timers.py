"""The arithmetic of F2 and of registration renewal. All results are seconds."""

from __future__ import annotations

from math import inf

from sipaudit.model.settings import LineSettings, Origin

T1 = 0.5                # RFC 3261 17.1.2.2: the first retransmission
T2_RFC = 4.0            # the cap of the RFC (F2, latest)
T2_FIELD = 2.0          # the cap seen in the field (F2, earliest)
UNDECLARED_EARLIEST = 0.1   # seconds: F2's earliest where nothing is declared
DEFAULT_RETRIES = 3
SILENCE_MAX = 32.0      # 64*T1, RFC 3261 timers B and F
RETRY_AFTER = 600       # seconds for which a Retry-After that the capture lacks may run
TRY_LASTS = SILENCE_MAX   # seconds after which a try without answer has failed
BY_CONNECTION = ("TCPOnly", "TLS")   # values of the setting `transport`
LONG_RING = 600.0       # seconds that a phone may ring, or let ring
BOOT_SILENCE = 20.0     # seconds of silence before the first packet of a booting phone (reference-model.md 1, *boot*)
FLAPPING_WITHIN = 600.0   # seconds: three moves within them are flapping (reference-model.md 5)
SLACK_MIN = 0.3         # how much sooner than its settings say a phone may be: seconds,
SLACK_SHARE = 0.1       # or this part of the time
LATE_FROM = T1 - SLACK_MIN   # F2's earliest for one sending; only settings that nobody uses make a phone give up sooner
DEFAULT_OVERLAP = 60    # seconds of expires.overlap (O of *Renewal*, reference-model.md 3)
DEFAULT_EXPIRES = 3600   # seconds that a REGISTER without an expiry asks for
NO_EXPIRY = inf
RENEWAL_LATE = 10.0      # seconds by which a renewal may come later than most


def earliest_silence(settings: LineSettings, *, connects: bool = False) -> float:
    """The shortest silence after which a phone may count the server as failed (F2, *earliest*). Over a connection
    (`connects`: its servers are listed so) it waits out timer B where tcpFastFailover is stated to be 0."""
    fast = settings.get("tcpFastFailover")
    if (connects or settings.get("transport").value in BY_CONNECTION) and fast.value == 0 \
            and fast.origin is not Origin.DEFAULT:
        return SILENCE_MAX * (1 - SLACK_SHARE)
    interval = settings.number("retryTimeOut")
    retries = settings.number("retryMaxCount")
    if interval is None or retries is None:
        return UNDECLARED_EARLIEST
    count = retries or DEFAULT_RETRIES
    seconds = count * interval / 1000 if interval else min(_doubling(count), SILENCE_MAX)
    return max(seconds - max(SLACK_MIN, SLACK_SHARE * seconds), UNDECLARED_EARLIEST)


def sendings(settings: LineSettings) -> int:
    """How often a phone sends a request before it counts the silent server as failed (F2): as declared, or default."""
    return settings.number("retryMaxCount") or DEFAULT_RETRIES


def first_interval(settings: LineSettings) -> float:
    """Seconds from the first sending of a request to the next."""
    interval = settings.number("retryTimeOut")
    return interval / 1000 if interval else T1


def latest_silence(settings: LineSettings) -> float | None:
    """The longest silence before a phone must count the server as failed (F2, *latest*), without tolerance; None where
    a deciding setting is not known."""
    if settings.number("tcpFastFailover") == 0 and settings.get("transport").value in BY_CONNECTION:
        return SILENCE_MAX
    interval = settings.number("retryTimeOut")
    retries = settings.number("retryMaxCount")
    if interval is None or retries is None:
        return None
    count = (retries or DEFAULT_RETRIES) + 1
    return max(SILENCE_MAX, count * interval / 1000 if interval else _doubling(count, T2_RFC))


def last_resend(retries: int) -> float:
    """Seconds until the last retransmission of an INVITE at doubling intervals (RFC 3261 17.1.1.2)."""
    return min(T1 * (2.0 ** min(retries, 10) - 1), SILENCE_MAX - T1)


def _doubling(count: int, cap: float = T2_FIELD) -> float:
    """The first `count` terms of 0.5, 1, 2 ... summed, none above `cap`."""
    return sum(min(T1 * 2.0 ** step, cap) for step in range(count))


def renewal(expires: float, settings: LineSettings) -> float:
    """Seconds from the 200 to the earliest renewal of a binding granted for `expires` seconds."""
    overlap = settings.number("expires.overlap")
    margin = DEFAULT_OVERLAP if overlap is None else overlap
    if expires > margin:
        return expires - margin
    # E = O: the text does not settle it, any time in [0, E/2] is right
    return expires / 2 if expires < margin else 0.0


def first_renewal(expires: float, settings: LineSettings) -> float:
    """Seconds from the 200 to the earliest renewal by any firmware: older ones renew after half the time."""
    return min(renewal(expires, settings), expires / 2)
