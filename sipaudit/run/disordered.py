"""Notes of a report on captures whose packets are not in the order of their times."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from sipaudit.capture.disorder import LATE
from sipaudit.capture.health import CaptureHealth
from sipaudit.capture.records import ANOTHER
from sipaudit.model.proofs import REORDERED
from sipaudit.reconstruct.traffic import Traffic
from sipaudit.report.screen import count_of
from sipaudit.safe_text import safe_path

SAID = 3   # captures that a report names


def disorder_said(health: Sequence[CaptureHealth]) -> list[str]:
    """A sentence on each such capture, the worst first; the rest in one more."""
    late = sorted((one for one in health if one.late), key=lambda one: -one.late_by)
    said = list(map(_sentence, late[:SAID]))
    if len(late) > SAID:
        said.append(f"The same holds for {count_of(len(late) - SAID, 'more capture')}.")
    return said


def another_said(health: Sequence[CaptureHealth]) -> list[str]:
    """A sentence on each capture that is only the first of several in its file."""
    return [f"{safe_path(one.path)} holds another capture behind its last packet, which was not read: name the files "
            "themselves, which need not be joined, or join them with mergecap -w OUT FILE..."
            for one in health if ANOTHER in one.undecoded][:SAID]


def behind_said(health: Sequence[CaptureHealth], traffic: Mapping[int, Traffic]) -> list[str]:
    """A sentence on each capture in which challenges come after the requests that answer them."""
    late = [(one, traffic[index].behind) for index, one in enumerate(health) if index in traffic]
    return [f"{safe_path(one.path)} holds challenges up to {_lag(behind)} behind the requests that answer them: its "
            "two directions have clocks, or queues, of their own. What a phone did because of an answer may seem to "
            "come before it, and findings near there are at most likely."
            for one, behind in late if behind > REORDERED][:SAID]


def _lag(seconds: float) -> str:
    return f"{seconds:.3f} s" if seconds >= 0.001 else f"{seconds * 1e6:.0f} µs"


def _sentence(health: CaptureHealth) -> str:
    path = safe_path(health.path)
    found = f"{path} holds {count_of(health.late, 'packet')} up to {_lag(health.late_by)} behind later ones"
    if health.late_by <= LATE:
        return f"{found}: they were put in the order of their times."
    return (f"{found}, and not all of them could be put in order, so that checks near them may be left open. To "
            f"mend it: reordercap {path} OUT")
