"""The captures that the bench measures; missing ones are made in bench/data/."""

from __future__ import annotations

import shutil
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from heapq import heappop, heappush, heapreplace
from math import inf
from pathlib import Path
from typing import Protocol

from bench.links import Packet
from bench.measure import Failed
from bench.traffic import Phone, ended
from sipaudit.capture.write import PcapWriter

HERE = Path(__file__).parent
DATA = HERE / "data"
SITE = HERE / "site.yaml"
ORIGIN = 1795348800.0    # 2026-11-22 12:00:00 UTC
REFRESH = 3540.0         # seconds: an expiry of 3600 less Polycom's expires.overlap of 60
CALL_AFTER = 10.0        # seconds between a phone's registration and its call
IN_A_STREAM = 500        # RTP packets
SPARE = 2_000_000_000    # bytes to leave free on the disk
NEIGHBOURS = ("sngrep", "sipgrep", "tshark", "sip-doctor", "tcpdump")
REGISTERS, CALLS, SUBSCRIBES, NOTIFIED = range(4)
STATES = ("early", "confirmed", "terminated")   # the states of a call that NOTIFYs report


class Capture(Protocol):
    """A capture that is measured."""

    @property
    def name(self) -> str: ...
    @property
    def path(self) -> Path: ...
    @property
    def site(self) -> Path: ...
    @property
    def size(self) -> int: ...
    def write(self, path: Path) -> None: ...


@dataclass(frozen=True)
class Workload:
    """`phones` register `rounds` times, evenly spread over `spread` seconds. Each round has `calls` calls (one for each
    phone, then half a round later the next of each), each with `media` RTP packets and then `talk` seconds without; and
    `streams` media streams whose calls are signalled elsewhere. With `watch`, each phone subscribes to the state of its
    neighbour; phones are neighbours in pairs, and both call at the same time.

    `large`: made only when named explicitly. `beside`: the neighbours run on it; the others would take an hour.
    """

    name: str
    phones: int
    rounds: int
    calls: int = 0
    media: int = 0
    talk: float = 0.0
    streams: int = 0
    watch: bool = False
    spread: float = REFRESH
    transport: str = "udp"
    large: bool = False
    beside: tuple[str, ...] = NEIGHBOURS

    @property
    def path(self) -> Path:
        return DATA / f"{self.name}.pcap"

    @property
    def site(self) -> Path:
        """The site file that declares its phones."""
        return SITE if self.transport == "udp" else HERE / f"site-{self.transport}.yaml"

    @property
    def messages(self) -> int:
        calls = self.rounds * self.calls
        watching = self.phones * 4 + calls * len(STATES) * 2 if self.watch else 0
        return self.phones * self.rounds * 4 + calls * 10 + watching

    @property
    def media_packets(self) -> int:
        return self.rounds * (self.calls * self.media + self.streams * IN_A_STREAM)

    @property
    def packets(self) -> int:
        """The number of packets; over TCP of those with messages only, counting one packet a message."""
        return self.messages + self.media_packets

    @property
    def seconds(self) -> float:
        """How long the capture lasts."""
        return (self.rounds - 1) * REFRESH + self.spread + (max(self.calls - 1, 0) // self.phones) * REFRESH / 2

    @property
    def dialogs(self) -> int:
        """The average number of dialogs open at once: calls and subscriptions."""
        calls = self.calls * self.rounds * ended(self.media, self.talk) / self.seconds
        return round(calls) + (self.phones if self.watch else 0)

    @property
    def size(self) -> int:
        """The approximate size in bytes, an upper estimate."""
        return self.messages * 650 + self.media_packets * 230

    def write(self, path: Path) -> None:
        """Write the capture to `path`."""
        from bench.media import Media  # imported here: numpy would add to the memory of every program measured

        with path.open("wb") as stream:
            writer = PcapWriter(stream)
            media = Media(self.rounds * self.streams, IN_A_STREAM, ORIGIN + CALL_AFTER,
                          self.spread / max(self.streams, 1))
            for time, frame in packets(self):
                stream.writelines(media.until(time))
                writer.write(time, frame)
            stream.writelines(media.until(inf))

    def __str__(self) -> str:
        media = f" and {self.media_packets:,} of RTP" if self.media_packets else ""
        over = "" if self.transport == "udp" else f" over {self.transport.upper()}"
        return f"{self.messages:,} messages of SIP{over}{media}, {self.phones:,} phones"


FEW = ("sngrep", "tcpdump")
SIP = Workload("sip", phones=5_000, rounds=10)
MIXED = Workload("mixed", phones=12_500, rounds=1, streams=3_000)
WORKLOADS = {workload.name: workload for workload in (
    SIP,
    MIXED,
    Workload("mixed-calls", phones=5_000, rounds=1, calls=3_000, media=IN_A_STREAM),
    Workload("calls", phones=5_000, rounds=1, calls=10_000, talk=60.0, watch=True, spread=1_500.0),
    Workload("tcp", phones=5_000, rounds=10, transport="tcp"),
    Workload("sip10", phones=5_000, rounds=100, large=True, beside=FEW),
    Workload("phones50k", phones=50_000, rounds=10, large=True, beside=FEW),
    Workload("mixed10", phones=12_500, rounds=10, streams=3_000, large=True, beside=("tcpdump",)),
)}


def packets(workload: Workload) -> Iterator[Packet]:
    """All packets except those of `streams`, in order of time."""
    phones = [Phone(number, workload.transport) for number in range(workload.phones)]
    gap = workload.spread / workload.phones
    plan = [(ORIGIN + round_ * REFRESH + number * gap, number, REGISTERS)
            for round_ in range(workload.rounds) for number in range(workload.phones)]
    plan += [(ORIGIN + round_ * REFRESH + (number | 1) * gap + CALL_AFTER + turn * REFRESH / 2, number, CALLS)
             for round_ in range(workload.rounds) for turn, number in _turns(workload)]
    if workload.watch:
        plan += [(ORIGIN + number * gap + 1, number, SUBSCRIBES) for number in range(workload.phones)]
        moments = (0.160, 2.004, ended(workload.media, workload.talk) + 0.006)
        plan += [(time + after, number, NOTIFIED + state) for time, number, what in plan if what == CALLS
                 for state, after in enumerate(moments)]
    plan.sort()
    return in_order(_conversation(workload, phones, number, what, time) for time, number, what in plan)


def _turns(workload: Workload) -> Iterator[tuple[int, int]]:
    return (divmod(call, workload.phones) for call in range(workload.calls))


def _conversation(workload: Workload, phones: list[Phone], number: int, what: int, time: float) -> Iterator[Packet]:
    phone = phones[number]
    if what == REGISTERS:
        return phone.register(time)
    if what == CALLS:
        return phone.call(time, workload.media, workload.talk)
    neighbour = phones[min(number ^ 1, len(phones) - 1)]
    if what == SUBSCRIBES:
        return phone.subscribe(time, neighbour)
    return neighbour.notify(time, phone, STATES[what - NOTIFIED])


def in_order(conversations: Iterable[Iterator[Packet]]) -> Iterator[Packet]:
    """The packets of overlapping conversations, in order of time.

    The conversations must be ordered by their first packets; each is started only when its turn comes.
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


def ensure(workload: Capture) -> Path:
    """The path of a workload's capture, which is made if missing, and appears only when complete.

    Raises Failed if the disk has no room for it, for the copy that tcpdump makes, and `SPARE` bytes.
    """
    path = workload.path
    if not path.exists():
        path.parent.mkdir(parents=True, exist_ok=True)
        free = shutil.disk_usage(path.parent).free
        if free < 2 * workload.size + SPARE:
            raise Failed(f"{path} and a copy take {2 * workload.size / 1e9:.1f} GB, {free / 1e9:.1f} GB are free")
        unfinished = path.with_suffix(".part")
        workload.write(unfinished)
        unfinished.replace(path)
    return path
