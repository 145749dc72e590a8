"""The health of the probe, which it says every ten seconds."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable

from sipaudit.live.interface import Interface
from sipaudit.live.limits import resident
from sipaudit.live.probe import Probe
from sipaudit.live.upkeep import Upkeep
from sipaudit.model.sayings import Health, HealthSaid

EVERY = 10.0   # seconds
REPLAYED = 3600.0   # seconds from capture to reading; beyond them packets are a replay and do not count as lag


class Vitals:
    """Measures rates and lag between two looks; `upkeep` knows how much the bounds evicted."""

    def __init__(self, probe: Probe, upkeep: Upkeep) -> None:
        self._probe = probe
        self._upkeep = upkeep
        self._packets, self._messages = self._counted()   # not 0 after a checkpoint
        self._before: float | None = None
        self._lag = 0.0

    def _counted(self) -> tuple[int, int]:
        """Packets and SIP messages of all sources, so far."""
        return (sum(one.packets for one in self._probe.health),
                sum(one.sip_messages for one in self._probe.reconstruction.traffic.values()))

    def read(self, wall: float) -> None:
        """Items were followed at the time of day `wall`: note by how much they were late."""
        lag = wall - self._probe.latest()
        if lag < REPLAYED:
            self._lag = max(self._lag, lag)

    def due(self, clock: float) -> bool:
        return self._before is None or clock - self._before >= EVERY

    def look(self, now: float, clock: float) -> HealthSaid:
        """The health at `now`; `clock` is the monotonic time, in seconds."""
        probe = self._probe
        packets, messages = self._counted()
        passed = EVERY if self._before is None else max(clock - self._before, 0.001)
        rates = (packets - self._packets) / passed, (messages - self._messages) / passed
        self._packets, self._messages, self._before = packets, messages, clock
        lag, self._lag = self._lag, 0.0
        opened = probe.reconstruction.open
        return HealthSaid(now, Health(
            round(rates[0], 1), round(rates[1], 1), _sum(one.kernel_drops for one in probe.health),
            _sum(one.health.interface_drops for one in probe.sources if isinstance(one, Interface)), round(lag, 3),
            resident(), len(probe.reconstruction.lines), opened["dialogs"], opened["transactions"],
            self._upkeep.evicted, dict(sorted(_undecoded(probe).items())), round(probe.blind, 3), probe.steps_back,
            probe.steps_forward, sum(one.away for one in probe.sources)))


def _sum(counts: Iterable[int | None]) -> int | None:
    known = [count for count in counts if count is not None]
    return sum(known) if known else None


def _undecoded(probe: Probe) -> Counter[str]:
    return sum((one.undecoded for one in probe.health), Counter[str]())
