"""Which calls may keep a phone busy (B5), and since when it has none."""

from __future__ import annotations

from math import inf

from sipaudit.model.case import Case
from sipaudit.model.state import Call
from sipaudit.model.timers import latest_silence
from sipaudit.model.unanswered import call_runs_out


def waits_for(case: Case) -> float:
    """How many seconds a phone may wait for an answer (F2, *latest*); infinite where that is not known."""
    latest = latest_silence(case.profile.settings)
    return inf if latest is None else latest + case.profile.tolerances.timer


def open_calls(case: Case) -> list[Call]:
    """The calls that may not be over yet."""
    calls = case.phone.calls
    return [call for call in calls if _ran_out(call, case) is None] if calls else []


def quiet_since(case: Case) -> float:
    """When the last of the calls that are over ended, at the latest."""
    ends = [_ran_out(call, case) for call in case.phone.calls]
    return max([case.phone.quiet, *(end for end in ends if end is not None)])


def _ran_out(call: Call, case: Case) -> float | None:
    end = call_runs_out(case.phone, call, waits_for(case))
    return end if end is not None and end < case.now else None
