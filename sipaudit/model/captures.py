"""What a report says about its captures and the servers in them, before anything is judged (contract.md 3).

Times are seconds since the epoch rounded to the microsecond, durations to the millisecond; None means not known.
"""

from __future__ import annotations

from msgspec import Struct


class Loss(Struct, frozen=True):
    """What a capture lacks. `kernel_drops` is None where the file does not say, `tcp_gaps` counts holes in TCP streams,
    `missing_halves` messages that others show to have been sent; `estimate` is the share of packets lost, 0 to 1."""

    kernel_drops: int | None
    tcp_gaps: int
    missing_halves: int
    estimate: float


def lost_share(packets: int, messages: int, drops: int, halves: int) -> float:
    """The share of packets that a capture lacks, as far as it can be measured: the larger of the share dropped by the
    kernel, and the share of missing halves of transactions."""
    of_halves = halves / (messages + halves) if halves else 0.0
    return max(of_halves, drops / (packets + drops) if drops else 0.0)


class ClockStep(Struct, frozen=True):
    """The capture's clock was set back, or ahead: at which frame, by how many seconds."""

    frame: int
    time: float
    seconds: float


class CaptureSummary(Struct, frozen=True):
    """One capture and its health. `path` is as given, `first` and `last` the times of its packets. Counts by kind:
    packets that could not be decoded (`undecoded`), messages with defects (`malformed`), by transport the connections
    that could not be read (`encrypted`), and packets other than SIP (`content`). `snaplen_cut` are messages cut off by
    the snap length, `one_way` phones of which only one direction was seen, `mid_life` what began before the capture."""

    path: str
    packets: int
    sip_messages: int
    first: float | None
    last: float | None
    truncated: bool
    link_types: list[str]
    undecoded: dict[str, int]
    duplicates: int
    snaplen_cut: int
    clock_steps: list[ClockStep]
    malformed: dict[str, int]
    one_way: int
    mid_life: int
    encrypted: dict[str, int]
    loss: Loss
    content: dict[str, int]

    @property
    def ends(self) -> tuple[float, ...]:
        """The times of its first and its last packet; none where it has no packets."""
        return tuple(time for time in (self.first, self.last) if time is not None)


class ServerSummary(Struct, frozen=True):
    """One server: `address:port/transport`, its host name, the server entry it belongs to and its place there (1 is
    first), and the transports that were used to reach it."""

    server: str
    name: str | None
    entry: str | None
    priority: int | None
    transports: list[str]


class ServerMinute(Struct, frozen=True):
    """Requests to one server and its answers in one minute that begins at `time`: requests by method, answers by class
    (`2xx`), 503s, requests that ran out, and how long answers took (seconds, nearest rank)."""

    time: float
    server: str
    requests: dict[str, int]
    answers: dict[str, int]
    responses_503: int
    unanswered: int
    delay_p50: float | None
    delay_max: float | None
