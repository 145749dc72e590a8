"""Numbers that the far end behind every server answers in a way of their own; all others are a normal answer."""

from __future__ import annotations

BUSY = "2486"
RINGS_ON = "2487"
EMERGENCY = "112"
_HANGS_UP = "26"  # and three digits: the far end ends the call after so many seconds


def that_hangs_up_after(seconds: float) -> str:
    """The number whose far end ends an answered call after so many seconds, 999 at most."""
    return f"{_HANGS_UP}{min(999, int(seconds)):03d}"


def hangs_up_after(number: str) -> float | None:
    """Seconds after which the far end of this number ends an answered call."""
    if len(number) == 5 and number.startswith(_HANGS_UP) and number.isdecimal():
        return float(number[2:])
    return None
