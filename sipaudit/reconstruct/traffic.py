"""Counters of one capture (contract.md 3 `captures`)."""

from __future__ import annotations

from math import inf

from sipaudit.reconstruct.bounds import WORDS

OTHER = "other"


class Traffic:
    """Counters of one capture.

    `malformed` by defect. `missing_halves`: responses without their request and ACKs without their final response, of
    phones seen for a while, credentials before their challenge, and jumps of a phone's CSeq. `mid_life`: transactions
    and dialogs that began before the capture. `one_way`: phones seen in one direction only. `encrypted`: unreadable
    connections by transport. `first` is since when this capture and those before it show all traffic, `behind` by how
    many seconds at most a challenge came after the request that answers it.
    """

    __slots__ = ("behind", "encrypted", "first", "malformed", "methods", "mid_life", "missing_halves", "one_way",
                 "statuses")

    def __init__(self, first: float = -inf) -> None:
        self.first = first
        self.methods: dict[str, int] = {}
        self.statuses: dict[int, int] = {}
        self.malformed: dict[str, int] = {}
        self.encrypted: dict[str, int] = {}
        self.mid_life = 0
        self.missing_halves = 0
        self.one_way = 0
        self.behind = 0.0

    @property
    def sip_messages(self) -> int:
        """Messages that could be placed: requests and responses."""
        return sum(self.methods.values()) + sum(self.statuses.values())


def tally(counts: dict[str, int], word: str, count: int = 1) -> None:
    """Add to the count of `word`; words come from the wire, so after WORDS of them the rest share one name."""
    if word not in counts and len(counts) >= WORDS:
        word = OTHER
    counts[word] = counts.get(word, 0) + count
