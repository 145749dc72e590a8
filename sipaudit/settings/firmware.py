"""Settings that the observed firmware does not support, or for which the advisory does not vouch on it (C9)."""

from __future__ import annotations

import re
from collections.abc import Iterator

from sipaudit.settings.issues import SettingIssue, Statement
from sipaudit.settings.polycom.line import LineBlock

FIRST_RELEASE = (3, 2, 4)            # the first release that has any of these parameters
WITHOUT = ((3, 3, 0), (3, 3, 1))
NO_SIGNAL_SWITCH = (3, 2, 4)
_SIGNAL = "onlySignalWithRegistered"


def firmware_issues(block: LineBlock, model: str | None, firmware: str | None, vouched: bool
                    ) -> Iterator[SettingIssue]:
    """The issues if a phone of this model and firmware (as in its User-Agent) gets these settings."""
    release = _release(firmware)
    stated = _stated(block)
    if model is None or release is None or not stated:
        return
    at = next(iter(stated.values()))
    if release < FIRST_RELEASE or release in WITHOUT:
        reason = "all"
    elif release == NO_SIGNAL_SWITCH and _SIGNAL in stated:
        at, reason = stated[_SIGNAL], "one"
    elif not vouched:
        reason = "unvouched"
    else:
        return
    facts = {"model": model, "firmware": ".".join(map(str, release)), "reason": reason}
    yield SettingIssue("config-unsupported-firmware", (at,), facts)


def _release(firmware: str | None) -> tuple[int, ...] | None:
    found = re.match(r"(\d{1,6})\.(\d{1,6})\.(\d{1,6})", firmware or "")
    return tuple(map(int, found.groups())) if found is not None else None


def _stated(block: LineBlock) -> dict[str, Statement]:
    """The failOver statements of the line by suffix, the first of each."""
    found: dict[str, Statement] = {}
    for server in block.servers:
        for suffix, choice in server.choices.items():
            for statement in choice:
                if statement is not None:
                    found.setdefault(suffix, statement)
    return found
