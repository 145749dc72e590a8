"""Holes in what was captured: silences within captures, and breaks between one and the next.

That nothing is seen proves nothing: in a quiet lab there may be nothing to say for an hour.  But a phone that keeps
renewing lets no registration run out while it lives, and one whose server is away keeps trying, so that there is no
silence.  Where several phones let theirs run out in the same silence, it was the capture that was away, or they were.
Media that went on prove it (`capture/away.py`).

In a break of seconds between two captures packets of any phone may have passed, if there was no rest like it before:
files of a ring follow each other at once, and what lies between them is a rest like others.
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

LONG = 10.0   # seconds; in less no registration runs out that the same server would have renewed
PHONES = 3    # that miss their renewals in one silence: one or two may have been switched off in it
APART = 120.0   # seconds between one capture and the next in which phones may have done anything
MOMENT = 1.0    # the same, in which a packet may have passed that matters
UNUSUAL = 2     # times the longest rest before it
KNOWN = 64      # packets, to know what rests are usual


class Break(NamedTuple):
    """Between these moments (seconds since the epoch) nothing was captured: one capture was over, and the next had not
    begun. (`long`) phones may have done anything meanwhile; else packets of any phone may have passed."""

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
    """The longest time in these without any packet, in seconds; without end where too little is known to say."""
    rests = [one.rest for one in captures]
    if None in rests or sum(one.packets for one in captures) < KNOWN:
        return inf
    return max((rest + 1 for rest in rests if rest is not None), default=inf)   # whole seconds


def hole(replays: Replays, health: Sequence[CaptureHealth], since: float, until: float) -> str:
    """What tells that a capture was away between these two moments (seconds since the epoch), between which no SIP of
    anybody is seen; empty where nothing does."""
    for one in health:
        for away in one.away:
            if since <= away.since and away.until <= until:
                return (f"nothing was captured for {away.until - away.since:.0f} s, in which "
                        f"{count_of(away.streams, 'stream')} of media went on")
    if until - since >= LONG and (phones := _phones(replays, since, until)):
        return f"no SIP was captured for {until - since:.0f} s, in which {phones} phones had registrations to renew"
    return ""


def _phones(replays: Replays, since: float, until: float) -> int:
    """How many phones missed a renewal between these two moments; 0 where it may be by chance."""
    phones = {replay.owner for replay in replays.running_out(since, until)
              if not _asks(replay) and _missed(replay, since, until)}
    return len(phones) if len(phones) >= PHONES else 0


def _asks(replay: LineReplay) -> bool:
    """Whether a renewal has begun."""
    return replay.renewals is not None and replay.renewals.began is not None


def _missed(replay: LineReplay, since: float, until: float) -> bool:
    """Whether the line, which has renewed its registration before, let it run out and has not even asked for it. One
    that was overdue when the silence began had gone before."""
    binding = replay.state.latest_grant()
    if binding is None or binding.register is not None:
        return False
    due = _due(replay, binding)
    return since < due + RENEWAL_LATE and due < NO_EXPIRY and since < binding.until < until


def _due(replay: LineReplay, binding: Binding) -> float:
    """When the line renews it, as it has done so; where it has just moved, as early as any firmware does, if it renewed
    what it had before; without end where it never did."""
    renewed = any(one.refreshes for one in replay.state.bindings) or any(row.refreshes for row in replay.history.ended)
    if binding.due < NO_EXPIRY or binding.granted is None or not renewed:
        return binding.due
    return binding.granted.time + first_renewal(binding.expires, replay.settings)
