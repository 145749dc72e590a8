"""Counters of what is missing or unreadable in a capture, updated while it is read: nothing is dropped silently."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from typing import NamedTuple

from sipaudit.capture import linktypes
from sipaudit.turned_away import has_room

CLOCK_STEPS_KEPT = 100
AWAY_KEPT = 1_000  # pauses: more than can end in one batch with packets between them


class Away(NamedTuple):
    """Nothing was captured from `since` to `until` (seconds since the epoch), but `streams` RTP streams went on."""

    since: float
    until: float
    streams: int


@dataclass
class CaptureHealth:
    """Counters of one capture file (contract.md 3, `captures[]`).

    - `packets` counts every record; `first` and `last` are seconds since the epoch; `at` is the time of the packet
      that was read last, which may be before `last`.
    - `undecoded` counts by kind what the decoder gave up on (`ethertype-0x88cc`, `ip-proto-132`, `fragment-expired`
      ...), `encrypted` by transport the records that could not be read, `content` what the packets were (`rtp-like`,
      `dns`, `tcp`, `arp` ...), so that a report on a capture without SIP can say what it holds instead.
    - `snaplen_cut`: SIP messages whose end the snap length cut off. `clock_steps`: the first hundred, as
      `(frame, time, seconds)`. `kernel_drops`: None if the file does not say. `interface_drops`: lost by a live
      port's card. `shipped`: there are messages extracted from an encapsulation (HEP).
    - `apart`, by the index of an earlier capture: how many seconds later than that one this capture shows a packet, for
      the first and the last of the packets that both show. `agents_apart`: seconds between the clocks of HEP agents
      that see the same messages.
    - `away`: the last thousand pauses in which the capture missed media that went on. `rest`: the longest time
      without any packet, in whole seconds; None if not measured. `goes_on`: there are packets later than those wanted.
    - `late`: packets that follow a later one in the file, by `late_by` seconds at most where no clock stepped.
    """

    path: str
    packets: int = 0
    first: float | None = None
    last: float | None = None
    at: float | None = None
    truncated: bool = False
    link_types: list[str] = field(default_factory=list)
    undecoded: Counter[str] = field(default_factory=Counter)
    duplicates: int = 0
    snaplen_cut: int = 0
    clock_steps: list[tuple[int, float, float]] = field(default_factory=list)
    encrypted: Counter[str] = field(default_factory=Counter)
    tcp_gaps: int = 0
    kernel_drops: int | None = None
    interface_drops: int = 0
    content: Counter[str] = field(default_factory=Counter)
    apart: dict[int, list[float]] = field(default_factory=dict)
    away: list[Away] = field(default_factory=list)
    goes_on: bool = False
    late: int = 0
    late_by: float = 0.0
    shipped: bool = False
    rest: int | None = None
    agents_apart: float = 0.0

    @property
    def without_connections(self) -> bool:
        """Whether connections may have been opened, refused and closed without the capture showing it."""
        return self.shipped or linktypes.name(linktypes.EXPORTED_PDU) in self.link_types

    def clock_step(self, frame: int, time: float, seconds: float) -> None:
        """Note a step of the capture's clock, within bounds."""
        if has_room(self.clock_steps, CLOCK_STEPS_KEPT, "clock-steps"):
            self.clock_steps.append((frame, time, seconds))

    def was_away(self, away: Away) -> None:
        """Note a pause in which the capture saw nothing, within bounds."""
        self.away = [*self.away[1 - AWAY_KEPT:], away]
