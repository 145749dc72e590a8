"""How far the clocks of captures are apart, by packets that two of them show.

Taps show one packet with other tags, hop limits and checksums; but from its first `SIP/2.0` on, before which there is
no more than a method and a URI, it is the same, and no other packet is, but for what is sent again. Of a message that
is sent twice, two captures may show one sending each, as those do that share the packets of one link, or follow each
other: that is how long a phone waits, and nothing of their clocks. They are told by all else that only one shows.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator, Sequence
from itertools import islice
from typing import NamedTuple
from zlib import crc32

from sipaudit.capture.health import CaptureHealth
from sipaudit.capture.packet import Run

SIP = b"SIP/2.0"
RUNS_AROUND = 4        # of some thousand packets, before and after two captures are read at once
PACKETS_KEPT = 8_192    # packets that are remembered; of more, an even choice
SHOWN_BY = 4    # captures that show one packet, and are told apart
OTHERS = 64     # captures with which one is compared
SAMPLES = 64    # of two captures: half of them the first, half the last
FEW = 3         # samples: fewer may be chance
SURE = 2        # samples, of what each capture shows but once, and further apart than anything is sent again
SENDINGS = 4    # of one packet, of one capture, that are remembered
RESENT = 32.0   # seconds in which a message is sent again (RFC 3261 17.1.1.2, 17.1.2.2)
AGREE = 0.05    # seconds within which two captures show one packet, once their clocks are put right: sooner nothing is
                # sent again
HALF, MOST = 0.5, 0.75   # of the samples, which tell one thing: what is sent again is sent to either capture first
IN_BOTH = 0.25  # of what either shows while both are there; where it is less, all they share may have been sent again


class SharedPackets:
    """Compares captures while they are read. What it finds is in the `apart` of the later one's health."""

    def __init__(self, health: Sequence[CaptureHealth]) -> None:
        self._health = health
        self._seen: dict[int, dict[int, list[float]]] = {}   # by what tells packets apart: when each capture shows it
        self._choice = 1                               # of so many packets one is remembered, the same ones of each tap
        self._alone: deque[tuple[int, Run]] = deque(maxlen=RUNS_AROUND)   # not looked at
        self._looks = 0                                            # runs that will be

    def read(self, capture: int, run: Run, *, alone: bool) -> None:
        """These packets of a capture are read next; (`alone`) no other is being read. What is read alone is looked at
        only shortly before and after others are: in a ring, where captures follow each other, that is never."""
        self._alone.append((capture, run))
        self._looks = self._looks - 1 if alone else RUNS_AROUND
        if self._looks > 0:
            for one in self._alone:
                self._look(*one)
            self._alone.clear()

    def _look(self, capture: int, run: Run) -> None:
        buffer = run.buffer
        for time, at, length in zip(run.times, run.offsets, run.lengths, strict=True):
            end = at + length
            begin = buffer.find(SIP, at, end)
            if begin >= 0:
                packet = crc32(buffer[begin:end])
                if packet % self._choice == 0:
                    self._remember(packet, capture, time)

    def _remember(self, packet: int, capture: int, time: float) -> None:
        """A packet is shown by a capture. Where it was sent again, its first sending counts."""
        shown = self._seen.setdefault(packet, {})
        if capture in shown:
            if len(shown[capture]) < SENDINGS:
                shown[capture].append(time)
            return
        if len(shown) >= SHOWN_BY:
            return
        for other, (then, *_) in shown.items():
            first, later = sorted((other, capture))
            self._compare(first, later, time - then if later == capture else then - time)
        shown[capture] = [time]
        if len(self._seen) > PACKETS_KEPT:
            self._choice *= 2
            self._seen = {one: times for one, times in self._seen.items() if one % self._choice == 0}

    def _compare(self, first: int, later: int, ahead: float) -> None:
        """The later capture shows a packet so many seconds after the first."""
        apart = self._health[later].apart
        if first not in apart and len(apart) >= OTHERS:
            return
        samples = apart.setdefault(first, [])
        samples.append(ahead)
        if len(samples) > SAMPLES:
            del samples[SAMPLES // 2]

    def finish(self) -> None:
        """All was read: what may have been packets that were sent again is taken back."""
        for later, health in enumerate(self._health):
            for first, samples in list(health.apart.items()):
                told = drift(samples) or (middle(samples),)
                if AGREE < max(map(abs, told)) <= RESENT and not self._by_clocks(first, later, samples):
                    samples[:] = self._at_once(first, later) or [one for one in samples if abs(one) > RESENT]
                if len(samples) < FEW and any(abs(one) > RESENT for one in samples):
                    samples[:] = self._once_in_each(first, later)
                if not samples:
                    del health.apart[first]

    def _by_clocks(self, first: int, later: int, samples: Sequence[float]) -> bool:
        """Whether clocks make these samples: they tell one thing, and the captures show the same packets besides, more
        than they show at the same time. Of captures that follow each other it must be most packets of both."""
        ahead = drift(samples, most=MOST)
        if ahead is None:
            return False
        shares = self._shares(first, later, ahead)
        enough = max(shares) >= IN_BOTH if self._overlap(first, later) else min(shares) >= MOST
        return enough and max(shares) > max(self._shares(first, later, AGREED))

    def _at_once(self, first: int, later: int) -> list[float]:
        """What two captures show at the same time, as samples."""
        found = (then - time for shown in self._seen.values()
                 for time in shown.get(first, ()) for then in shown.get(later, ()) if abs(then - time) <= AGREE)
        return list(islice(found, SAMPLES))

    def _once_in_each(self, first: int, later: int) -> list[float]:
        """What two captures show once each, as samples: it is not what somebody says over and over in the same words,
        as who keeps a NAT open may."""
        found = (there[0] - here[0] for shown in self._seen.values()
                 if len(here := shown.get(first, [])) == 1 and len(there := shown.get(later, [])) == 1)
        return list(islice(found, SAMPLES))

    def _shares(self, first: int, later: int, ahead: Drift) -> tuple[float, float]:
        """How much of what either shows both show, 0 to 1, if the clock of the later one is so far ahead."""
        back = Drift(-ahead.most, -ahead.least)
        return self._share(first, later, ahead), self._share(later, first, back)

    def _share(self, one: int, other: int, ahead: Drift) -> float:
        """The share, 0 to 1, of what one capture shows that the other shows so many seconds later, too."""
        found = [any(ahead.least - AGREE <= then - time <= ahead.most + AGREE for then in there)
                 for time, there in self._meanwhile(one, other, ahead)]
        return sum(found) / len(found) if found else 0.0

    def _meanwhile(self, one: int, other: int, ahead: Drift) -> Iterator[tuple[float, list[float]]]:
        """What one capture shows while the other is there: each time, with the other's times. Of captures that follow
        each other it is all: else what is sent again at their border would be all that there is."""
        health = self._health[other]
        since, until = (health.first or 0.0) - ahead.most, (health.last or 0.0) - ahead.least
        in_turn = not self._overlap(one, other)
        for shown in self._seen.values():
            for time in shown.get(one, ()):
                if in_turn or since <= time <= until:
                    yield time, shown.get(other, [])

    def _overlap(self, one: int, other: int) -> bool:
        here, there = self._health[one], self._health[other]
        return max(here.first or 0.0, there.first or 0.0) <= min(here.last or 0.0, there.last or 0.0)


class Drift(NamedTuple):
    """How far one clock is ahead of another, in seconds, while both run."""

    least: float
    most: float


AGREED = Drift(0.0, 0.0)


def tells(samples: Sequence[float]) -> bool:
    """Whether there are enough samples to tell clocks by: few will do where nothing else can have made them."""
    return len(samples) >= FEW or (len(samples) >= SURE and min(map(abs, samples)) > RESENT and agree(samples, 1.0))


def drift(samples: Sequence[float], most: float = HALF) -> Drift | None:
    """What samples tell of two clocks, where so many of them tell one thing: always, or one thing first and another in
    the end."""
    half = len(samples) // 2
    begins, ends = samples[:half], samples[half:]
    if half >= FEW and agree(begins, most) and agree(ends, most):
        return Drift(*sorted((middle(begins), middle(ends))))
    return Drift(middle(samples), middle(samples)) if agree(samples, most) else None


def agree(samples: Sequence[float], most: float) -> bool:
    """Whether this share of samples tells about the same."""
    usual = middle(samples)
    return sum(abs(one - usual) <= AGREE for one in samples) >= most * len(samples)


def middle(samples: Sequence[float]) -> float:
    """The median; of two in the middle the greater, so that it is one of them."""
    return sorted(samples)[len(samples) // 2]
