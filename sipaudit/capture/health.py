"""What a capture lacks, counted while it is read: nothing is dropped silently."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from typing import NamedTuple

from sipaudit.capture import linktypes
from sipaudit.turned_away import has_room

CLOCK_STEPS_KEPT = 100
AWAY_KEPT = 1_000  # more than end in one batch of packets with something between them


class Away(NamedTuple):
    """Nothing was captured from `since` to `until` (seconds since the epoch), and so many `streams` went on."""

    since: float
    until: float
    streams: int


@dataclass
class CaptureHealth:
    """Counters of one capture file (contract.md 3, `captures[]`).

    `packets` counts every record; `first` and `last` are seconds since the epoch; `undecoded` counts by kind what
    the decoder gave up on (`ethertype-0x88cc`, `ip-proto-132`, `fragment-expired` ...); `encrypted` by transport the
    records that could not be read; `snaplen_cut` SIP messages that lost their end to the snap length;
    `at` the time of the packet that was read last, which may be before `last`;
    `clock_steps` `(frame, time, seconds)`, the first hundred; `kernel_drops` None where the file does not say,
    `interface_drops` what a live port's card lost; `content` what the packets were (`rtp-like`, `dns`, `tcp`, `arp`
    ...), so that a capture without SIP can say what it holds instead; `apart`, by the index of an earlier capture, so
    many seconds after it this one shows a packet that both show (the first of these packets, and the last); `away` when
    it saw nothing of media that went on, the last thousand times; `goes_on` that it has packets later than those
    wanted of it; `late` the packets that stand behind a later one, by `late_by` seconds at most where no clock stepped;
    `shipped` that it has messages that were taken out of what carried them (HEP); `rest` the longest time in it without
    any packet, in whole seconds, None where that was not looked for; `agents_apart` how far the clocks are apart, in
    seconds, of agents (HEP) that see the same.
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
        """Whether connections may have been begun, refused and closed of which it shows nothing."""
        return self.shipped or linktypes.name(linktypes.EXPORTED_PDU) in self.link_types

    def clock_step(self, frame: int, time: float, seconds: float) -> None:
        """Note a step of the capture's clock, within bounds."""
        if has_room(self.clock_steps, CLOCK_STEPS_KEPT, "clock-steps"):
            self.clock_steps.append((frame, time, seconds))

    def was_away(self, away: Away) -> None:
        """Note a pause in which the capture saw nothing, within bounds."""
        self.away = [*self.away[1 - AWAY_KEPT:], away]
