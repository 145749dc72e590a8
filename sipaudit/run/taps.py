"""Captures that were taken at the same time, and how far what two of them show of a phone can be compared.

Times are taken as they are (contract.md 1): where the clocks of two taps are apart, what one shows comes too early, or
too late, beside what the other shows.
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

OVERLAP = 1.0       # seconds by which files of one ring may overlap; with more two captures are two taps
CLOSE = 0.005       # seconds: so soon after an answer no phone turns to another server
HOSTS_KEPT = 262_144
SAID = 3            # pairs of captures that a report speaks of


class Pair(NamedTuple):
    """Two captures of the same time, by their indices: so many seconds is the clock of the later one ahead (None: that
    is not known), by packets that both show."""

    first: int
    later: int
    ahead: float | None

    @property
    def skew(self) -> float:
        """How far what they show may be apart, in seconds. What is not known is taken for what clocks that are kept are
        apart."""
        return SKEW if self.ahead is None else abs(self.ahead)

    def shows(self, captures: int) -> bool:
        """Whether both are among these: a bit for each capture."""
        return bool(captures >> self.first & captures >> self.later & 1)


class Taps:
    """Which captures show which host. With one capture it is told nothing."""

    def __init__(self, health: Sequence[CaptureHealth]) -> None:
        self._health = health
        self._shown: dict[str, int] = {}   # by host, a bit for each capture
        self._pairs: list[Pair] | None = None

    def note(self, batch: Sequence[Parsed]) -> None:
        """These items were read. Hosts beyond what can be kept count as shown by all captures."""
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
        """How far the clocks by which a host is shown may be apart, in seconds, once all has been read."""
        shown = self._shown.get(host, -1)
        return max((pair.skew for pair in self.pairs() if pair.shows(shown)), default=0.0)

    def pairs(self) -> list[Pair]:
        """Captures of the same time whose clocks are not known to agree."""
        if self._pairs is None:
            known = [_pair(first, later, self._health) for first, later in sorted(set(self._at_once()))]
            self._pairs = [pair for pair in known if pair.skew > CLOSE]
        return self._pairs

    def _at_once(self) -> Iterator[tuple[int, int]]:
        """The captures that overlap, or share packets, two by two. A ring whose files overlap for a moment shows a few
        packets twice, at the same time."""
        yield from ((first, later) for later, health in enumerate(self._health)
                    for first, samples in health.apart.items()
                    if len(samples) >= FEW or max(map(abs, samples)) > CLOSE)
        begun: list[tuple[float, int]] = []   # when each that goes on will end
        for first, last, capture in sorted((one.first or 0.0, one.last or 0.0, capture)
                                           for capture, one in enumerate(self._health)):
            begun = [(end, other) for end, other in begun if end - first > OVERLAP]
            yield from ((min(other, capture), max(other, capture)) for end, other in begun
                        if min(end, last) - first > OVERLAP)
            begun.append((last, capture))

    def said(self, phones: Iterable[str]) -> list[str]:
        """What the report has to say of clocks, where that matters to any of these hosts."""
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
