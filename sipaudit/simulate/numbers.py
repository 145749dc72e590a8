"""Dialled numbers to which the far end behind every server reacts specially; any other number is answered normally."""

from __future__ import annotations

BUSY = "2486"
RINGS_ON = "2487"
EMERGENCY = "112"
_HANGS_UP = "26"  # followed by three digits: the seconds after which the far end hangs up


def that_hangs_up_after(seconds: float) -> str:
    """The number whose far end hangs up an answered call after `seconds`, at most 999."""
    return f"{_HANGS_UP}{min(999, int(seconds)):03d}"


def hangs_up_after(number: str) -> float | None:
    """Seconds after which the far end of this number hangs up an answered call; None: it does not."""
    if len(number) == 5 and number.startswith(_HANGS_UP) and number.isdecimal():
        return float(number[2:])
    return None
