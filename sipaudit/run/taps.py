"""Captures that were taken at the same time, and how far apart the clocks are by which two of them show a phone.

Times are taken as they are (contract.md 1): if the clocks of two taps differ, what one shows comes too early or too
late relative to the other.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import NamedTuple

from sipaudit.capture.health import CaptureHealth
from sipaudit.capture.taps import FEW, drift, tells
from sipaudit.model.proofs import SKEW
from sipaudit.report.screen import count_of
from sipaudit.safe_text import safe_path
from sipaudit.sip.datagram import Datagram
from sipaudit.sip.forms import Parsed, Repeat

OVERLAP = 1.0       # seconds by which files of one ring may overlap; two captures with more are two taps
CLOSE = 0.005       # seconds: no phone turns to another server so soon after an answer
HOSTS_KEPT = 262_144
SAID = 3            # pairs of captures that a report names


class Pair(NamedTuple):
    """Two captures of the same time, by their indices: the later one's clock is `ahead` by so many seconds (None:
    unknown), measured by packets that both show."""

    first: int
    later: int
    ahead: float | None

    @property
    def skew(self) -> float:
        """How far apart their times may be, in seconds; if unknown, the usual difference of synchronized clocks (SKEW).
        """
        return SKEW if self.ahead is None else abs(self.ahead)

    def shows(self, captures: int) -> bool:
        """Whether both are among these captures, one bit each."""
        return bool(captures >> self.first & captures >> self.later & 1)


class Taps:
    """Which captures show which host. `note` is not called for a single capture."""

    def __init__(self, health: Sequence[CaptureHealth]) -> None:
        self._health = health
        self._shown: dict[str, int] = {}   # by host, a bit for each capture
        self._pairs: list[Pair] | None = None

    def note(self, batch: Sequence[Parsed]) -> None:
        """Note the hosts of a batch. Hosts beyond HOSTS_KEPT count as shown by all captures."""
        shown = self._shown
        for item, _, _ in batch:
            flow = item.form.flow if type(item) is Repeat else item.flow if type(item) is Datagram else None
            if flow is None:
                continue
            bit = 1 << item.capture
            for host in (flow.source_host, flow.destination_host):
                known = shown.get(host, 0)
                if not known & bit and (known or len(shown) < HOSTS_KEPT):
                    shown[host] = known | bit

    def skew(self, host: str) -> float:
        """How far apart the clocks by which a host is shown may be, in seconds, once all has been read."""
        shown = self._shown.get(host, -1)
        return max((pair.skew for pair in self.pairs() if pair.shows(shown)), default=0.0)

    def pairs(self) -> list[Pair]:
        """Captures of the same time whose clocks are not known to agree."""
        if self._pairs is None:
            known = [_pair(first, later, self._health) for first, later in sorted(set(self._at_once()))]
            self._pairs = [pair for pair in known if pair.skew > CLOSE]
        return self._pairs

    def _at_once(self) -> Iterator[tuple[int, int]]:
        """The pairs of captures that overlap, or share packets. (Files of a ring that overlap for a moment show a few
        packets twice, with the same time: they are no pair.)"""
        yield from ((first, later) for later, health in enumerate(self._health)
                    for first, samples in health.apart.items()
                    if len(samples) >= FEW or max(map(abs, samples)) > CLOSE)
        begun: list[tuple[float, int]] = []   # end and index of each capture still running
        for first, last, capture in sorted((one.first or 0.0, one.last or 0.0, capture)
                                           for capture, one in enumerate(self._health)):
            begun = [(end, other) for end, other in begun if end - first > OVERLAP]
            yield from ((min(other, capture), max(other, capture)) for end, other in begun
                        if min(end, last) - first > OVERLAP)
            begun.append((last, capture))

    def said(self, phones: Iterable[str]) -> list[str]:
        """The report's notes on clocks that matter to any of these hosts."""
        shown = {self._shown.get(host, -1) for host in phones}
        both = [pair for pair in self.pairs() if any(map(pair.shows, shown))]
        said = [_sentence(pair, self._health) for pair in both[:SAID]]
        if len(both) > SAID:
            said.append(f"The same holds for {count_of(len(both) - SAID, 'more pair')} of captures.")
        return said


def _pair(first: int, later: int, health: Sequence[CaptureHealth]) -> Pair:
    samples = health[later].apart.get(first, [])
    ahead = drift(samples) if tells(samples) else None
    return Pair(first, later, ahead and max(ahead, key=abs))


def _sentence(pair: Pair, health: Sequence[CaptureHealth]) -> str:
    first, later = safe_path(health[pair.first].path), safe_path(health[pair.later].path)
    if pair.ahead is None:
        return (f"{first} and {later} were captured at the same time, and nothing tells how far their clocks are "
                "apart: findings about phones that both show are at most likely. Where one machine captured both, as "
                f"the two directions of a link, they have one clock: mergecap -w OUT {first} {later}")
    behind = "ahead of" if pair.ahead > 0 else "behind"
    phones = "phones that both show cannot be judged" if pair.skew > SKEW else \
        "findings about phones that both show are at most likely"
    return (f"The clock of {later} is {abs(pair.ahead):.3f} s {behind} that of {first}, by packets that both show: "
            f"{phones}. To mend it: editcap -t {-pair.ahead:.6f} {later} OUT")
