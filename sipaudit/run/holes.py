"""Holes in what was captured: silences within captures, and breaks between one and the next.

Silence alone proves nothing: in a quiet lab there may be no SIP for an hour. But a phone that keeps renewing lets no
registration expire while it is alive, and one whose server is down keeps retrying, so that there is no silence. If
several phones' registrations expire in the same silence, the capture was interrupted, or the phones were off. Media
that continued across the silence prove an interruption (`capture/away.py`).

In a break of seconds between two captures, packets of any phone may have been missed, unless there was a similar rest
before: the files of a ring follow each other at once, and the time between them is a rest like others.
"""

from __future__ import annotations

from collections.abc import Sequence
from math import inf
from typing import NamedTuple

from sipaudit.capture.health import CaptureHealth
from sipaudit.model.state import Binding
from sipaudit.model.timers import NO_EXPIRY, RENEWAL_LATE, first_renewal
from sipaudit.report.screen import count_of
from sipaudit.run.line_replay import LineReplay
from sipaudit.run.replays import Replays

LONG = 10.0   # seconds; a shorter silence lets no registration expire that would have been renewed
PHONES = 3    # phones that miss renewals in one silence; one or two may have been switched off
APART = 120.0   # seconds between one capture and the next in which phones may have done anything
MOMENT = 1.0    # the same, in which a packet that matters may have passed
UNUSUAL = 2     # times the longest rest before it
KNOWN = 64      # packets needed to know which rests are usual


class Break(NamedTuple):
    """Between these moments (seconds since the epoch) nothing was captured: one capture was over, and the next had not
    begun. `long`: phones may have done anything meanwhile; otherwise packets of any phone may have been missed."""

    since: float
    until: float
    long: bool

    def __str__(self) -> str:
        missed = self.until - self.since
        return f"nothing was captured for {missed:.{0 if self.long else 1}f} s, until the next capture begins"


def break_before(health: Sequence[CaptureHealth], capture: int) -> Break | None:
    """The break that ends with the first packet of this capture, if there is one."""
    first = health[capture].first
    if first is None:
        return None
    earlier = [one for index, one in enumerate(health)
               if index != capture and one.first is not None and one.first <= first]
    since = max((one.last for one in earlier if one.last is not None), default=first)
    missed = first - since
    if missed > APART:
        return Break(since, first, long=True)
    return Break(since, first, long=False) if missed > max(MOMENT, UNUSUAL * _longest_rest(earlier)) else None


def _longest_rest(captures: Sequence[CaptureHealth]) -> float:
    """The longest time without any packet in these captures, in seconds; infinite if there is too little data to tell.
    """
    rests = [one.rest for one in captures]
    if None in rests or sum(one.packets for one in captures) < KNOWN:
        return inf
    return max((rest + 1 for rest in rests if rest is not None), default=inf)   # whole seconds


def hole(replays: Replays, health: Sequence[CaptureHealth], since: float, until: float) -> str:
    """The evidence, as text, that a capture was interrupted between these two moments (seconds since the epoch),
    between which there is no SIP at all; empty if there is none."""
    for one in health:
        for away in one.away:
            if since <= away.since and away.until <= until:
                return (f"nothing was captured for {away.until - away.since:.0f} s, in which "
                        f"{count_of(away.streams, 'stream')} of media went on")
    if until - since >= LONG and (phones := _phones(replays, since, until)):
        return f"no SIP was captured for {until - since:.0f} s, in which {phones} phones had registrations to renew"
    return ""


def _phones(replays: Replays, since: float, until: float) -> int:
    """How many phones missed a renewal between these two moments; 0 if it may be chance (fewer than PHONES)."""
    phones = {replay.owner for replay in replays.running_out(since, until)
              if not _asks(replay) and _missed(replay, since, until)}
    return len(phones) if len(phones) >= PHONES else 0


def _asks(replay: LineReplay) -> bool:
    """Whether a renewal has begun."""
    return replay.renewals is not None and replay.renewals.began is not None


def _missed(replay: LineReplay, since: float, until: float) -> bool:
    """Whether the line, which has renewed its registration before, let it expire without even sending a REGISTER. A
    line that was already overdue when the silence began does not count."""
    binding = replay.state.latest_grant()
    if binding is None or binding.register is not None:
        return False
    due = _due(replay, binding)
    return since < due + RENEWAL_LATE and due < NO_EXPIRY and since < binding.until < until


def _due(replay: LineReplay, binding: Binding) -> float:
    """When the line is expected to renew, judging by its earlier renewals; for a line that has just moved, as early as
    any firmware does, provided that it renewed its earlier registrations; infinite if it never renewed."""
    renewed = any(one.refreshes for one in replay.state.bindings) or any(row.refreshes for row in replay.history.ended)
    if binding.due < NO_EXPIRY or binding.granted is None or not renewed:
        return binding.due
    return binding.granted.time + first_renewal(binding.expires, replay.settings)
