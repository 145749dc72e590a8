"""The captures that are measured, made in bench/data/ when they are not there."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from heapq import heappop, heappush, heapreplace
from pathlib import Path

from bench.traffic import Packet, Phone
from sipaudit.capture.write import PcapWriter

HERE = Path(__file__).parent
DATA = HERE / "data"
SITE = HERE / "site.yaml"
ORIGIN = 1795348800.0    # 2026-11-22 12:00:00 UTC
REFRESH = 3540.0         # seconds: an expiry of 3600 less Polycom's expires.overlap of 60
CALL_AFTER = 10.0        # seconds between a phone's registration and its call


@dataclass(frozen=True)
class Workload:
    """`phones` register `rounds` times; after the first round's registration the first `calls` of them call once,
    with `media` RTP packets in all."""

    name: str
    phones: int
    rounds: int
    calls: int = 0
    media: int = 0

    @property
    def path(self) -> Path:
        return DATA / f"{self.name}.pcap"

    @property
    def messages(self) -> int:
        return self.phones * self.rounds * 4 + self.calls * 10

    @property
    def packets(self) -> int:
        return self.messages + self.calls * self.media

    def __str__(self) -> str:
        media = f" and {self.packets - self.messages:,} of RTP" if self.media else ""
        return f"{self.messages:,} packets of SIP{media}, {self.phones:,} phones"


SIP = Workload("sip", phones=5_000, rounds=10)
MIXED = Workload("mixed", phones=5_000, rounds=1, calls=3_000, media=500)
WORKLOADS = {workload.name: workload for workload in (SIP, MIXED)}


def packets(workload: Workload) -> Iterator[Packet]:
    """All packets by time. Phones are spread evenly over the time between two registrations."""
    phones = [Phone(number) for number in range(workload.phones)]
    gap = REFRESH / workload.phones
    plan = [(ORIGIN + round_ * REFRESH + number * gap, number, False)
            for round_ in range(workload.rounds) for number in range(workload.phones)]
    plan += [(ORIGIN + number * gap + CALL_AFTER, number, True) for number in range(workload.calls)]
    plan.sort()
    return in_order(phones[number].call(time, workload.media) if calls else phones[number].register(time)
                    for time, number, calls in plan)


def in_order(conversations: Iterable[Iterator[Packet]]) -> Iterator[Packet]:
    """The packets of conversations that overlap, by time.

    The conversations come by the time of their first packet, and each is begun only then.
    """
    open_: list[tuple[float, int, bytes, Iterator[Packet]]] = []
    for number, conversation in enumerate(conversations):
        time, frame = next(conversation)
        while open_ and open_[0][0] <= time:
            yield _earliest(open_)
        heappush(open_, (time, number, frame, conversation))
    while open_:
        yield _earliest(open_)


def _earliest(open_: list[tuple[float, int, bytes, Iterator[Packet]]]) -> Packet:
    time, number, frame, rest = open_[0]
    following = next(rest, None)
    if following is None:
        heappop(open_)
    else:
        heapreplace(open_, (following[0], number, following[1], rest))
    return time, frame


def write(workload: Workload, path: Path) -> None:
    """The capture of a workload; the file appears once it is whole."""
    path.parent.mkdir(parents=True, exist_ok=True)
    unfinished = path.with_suffix(".part")
    with unfinished.open("wb") as stream:
        writer = PcapWriter(stream)
        for time, frame in packets(workload):
            writer.write(time, frame)
    unfinished.replace(path)


def ensure(workload: Workload) -> Path:
    """The path of a workload's capture, which is made when it is not there."""
    if not workload.path.exists():
        write(workload, workload.path)
    return workload.path
