"""How often something happened, and for how long each time, in words."""

from __future__ import annotations

from collections.abc import Sequence

from sipaudit.model.values import Incident

NUMBERS = ("three", "four", "five", "six", "seven", "eight", "nine", "ten", "eleven", "twelve")


def times(count: int) -> str:
    """`seven times`, `40 times`."""
    return f"{NUMBERS[count - 3]} times" if 3 <= count < 3 + len(NUMBERS) else f"{count} times"


def each(incidents: Sequence[Incident]) -> str:
    """`, for 17 to 30 s each`: how long those that have ended lasted; empty if none lasted a second."""
    lasted = [round(one.end - one.start) for one in incidents if one.end is not None]
    if not lasted or max(lasted) < 1:
        return ""
    shortest, longest = min(lasted), max(lasted)
    span = f"{longest} s" if shortest == longest else f"{shortest} to {longest} s" if shortest else f"up to {longest} s"
    return f", for {span} each" + ("" if len(lasted) == len(incidents) else " but the last")
