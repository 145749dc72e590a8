"""Measures how far the clocks of captures are apart, by packets that two of them show.

Taps show the same packet with different tags, hop limits and checksums; but from its first `SIP/2.0` on, which only
a method and a URI precede, its bytes are the same in all of them, and differ from all other packets except
retransmissions. If a message is sent twice, two captures may each show one of the two, as captures that divide the
packets of one link between them do, or captures that follow each other: the difference is then the retransmission
interval, and says nothing about their clocks. Such captures are recognised by everything else that only one shows.
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
RUNS_AROUND = 4        # runs (some thousand packets each) examined before and after two captures are read at once
PACKETS_KEPT = 8_192    # packets remembered; if there are more, an even selection
SHOWN_BY = 4    # captures remembered that show one packet
OTHERS = 64     # captures with which one is compared
SAMPLES = 64    # per pair of captures: half of them the first, half the last
FEW = 3         # samples needed: fewer may be chance
SURE = 2        # samples that suffice, of packets that each capture shows only once, if further apart than RESENT
SENDINGS = 4    # transmissions of one packet remembered per capture
RESENT = 32.0   # seconds during which a message is retransmitted (RFC 3261 17.1.1.2, 17.1.2.2)
AGREE = 0.05    # seconds within which two captures show one packet, once their clocks are corrected; no retransmission
                # comes that soon
HALF, MOST = 0.5, 0.75   # share of samples that must agree: with retransmissions, either capture may show the first one
IN_BOTH = 0.25  # share of either's packets, while both run, that both must show; else all of these may be retransmitted


class SharedPackets:
    """Compares captures while they are read. The samples are stored in `apart` of the later capture's health."""

    def __init__(self, health: Sequence[CaptureHealth]) -> None:
        self._health = health
        self._seen: dict[int, dict[int, list[float]]] = {}   # by checksum: when each capture shows the packet
        self._choice = 1                               # one in so many packets is remembered, the same for every tap
        self._alone: deque[tuple[int, Run]] = deque(maxlen=RUNS_AROUND)   # runs not yet examined
        self._looks = 0                                            # how many more runs to examine

    def read(self, capture: int, run: Run, *, alone: bool) -> None:
        """To be called with each run of a capture; `alone`: no other capture is being read. Runs read alone are
        examined only shortly before and after others are read, which never happens in a ring."""
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
        """Note that a capture shows a packet at `time`. If it is retransmitted, its first transmission is compared."""
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
        """Add a sample: capture `later` shows a packet `ahead` seconds after capture `first`."""
        apart = self._health[later].apart
        if first not in apart and len(apart) >= OTHERS:
            return
        samples = apart.setdefault(first, [])
        samples.append(ahead)
        if len(samples) > SAMPLES:
            del samples[SAMPLES // 2]

    def finish(self) -> None:
        """To be called when all was read: removes or replaces samples that may come from retransmissions."""
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
        """Whether the samples come from a difference of clocks: they agree, and with that difference the captures share
        enough packets, and more than without any. Captures that follow each other must share most packets of both."""
        ahead = drift(samples, most=MOST)
        if ahead is None:
            return False
        shares = self._shares(first, later, ahead)
        enough = max(shares) >= IN_BOTH if self._overlap(first, later) else min(shares) >= MOST
        return enough and max(shares) > max(self._shares(first, later, AGREED))

    def _at_once(self, first: int, later: int) -> list[float]:
        """Samples from packets that two captures show at the same time."""
        found = (then - time for shown in self._seen.values()
                 for time in shown.get(first, ()) for then in shown.get(later, ()) if abs(then - time) <= AGREE)
        return list(islice(found, SAMPLES))

    def _once_in_each(self, first: int, later: int) -> list[float]:
        """Samples from packets that each of two captures shows once: this excludes messages that are sent over and over
        with the same bytes, as to keep a NAT binding open."""
        found = (there[0] - here[0] for shown in self._seen.values()
                 if len(here := shown.get(first, [])) == 1 and len(there := shown.get(later, [])) == 1)
        return list(islice(found, SAMPLES))

    def _shares(self, first: int, later: int, ahead: Drift) -> tuple[float, float]:
        """The share, 0 to 1, of each capture's packets that both show, if the later one's clock is so far `ahead`."""
        back = Drift(-ahead.most, -ahead.least)
        return self._share(first, later, ahead), self._share(later, first, back)

    def _share(self, one: int, other: int, ahead: Drift) -> float:
        """The share, 0 to 1, of the packets of `one` that `other` shows as well, `ahead` seconds later."""
        found = [any(ahead.least - AGREE <= then - time <= ahead.most + AGREE for then in there)
                 for time, there in self._meanwhile(one, other, ahead)]
        return sum(found) / len(found) if found else 0.0

    def _meanwhile(self, one: int, other: int, ahead: Drift) -> Iterator[tuple[float, list[float]]]:
        """The times of packets that `one` shows while `other` runs, each with the times at which `other` shows the
        packet. For captures that follow each other, all packets: otherwise retransmissions at their border would be the
        only ones."""
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
    """The range of how far one clock is ahead of another, in seconds, while both run."""

    least: float
    most: float


AGREED = Drift(0.0, 0.0)


def tells(samples: Sequence[float]) -> bool:
    """Whether there are enough samples to judge clocks by: SURE are enough if nothing but clocks can explain them."""
    return len(samples) >= FEW or (len(samples) >= SURE and min(map(abs, samples)) > RESENT and agree(samples, 1.0))


def drift(samples: Sequence[float], most: float = HALF) -> Drift | None:
    """The difference of two clocks, if a share `most` of the samples agree: all samples with each other, or the first
    half and the last half each. None if they do not."""
    half = len(samples) // 2
    begins, ends = samples[:half], samples[half:]
    if half >= FEW and agree(begins, most) and agree(ends, most):
        return Drift(*sorted((middle(begins), middle(ends))))
    return Drift(middle(samples), middle(samples)) if agree(samples, most) else None


def agree(samples: Sequence[float], most: float) -> bool:
    """Whether at least this share of the samples is within AGREE of their median."""
    usual = middle(samples)
    return sum(abs(one - usual) <= AGREE for one in samples) >= most * len(samples)


def middle(samples: Sequence[float]) -> float:
    """The median; if two are in the middle, the greater, so that it is one of the samples."""
    return sorted(samples)[len(samples) // 2]
