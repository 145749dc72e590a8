"""The phones of a site during a flood, followed as in a live run."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import yaml

from bench.weeks import Listener
from sipaudit.capture.write import ethernet_frame
from sipaudit.live.limits import Limits
from sipaudit.run.budget import Budget, budget
from tests.stories import COVERED, MINUTE, R2, Handset, P, S, Story, site
from tests.wire import ORIGIN

BEGINS, ENDS = 380.0, 500.0   # of a flood, in seconds after ORIGIN
LOW = 8   # the bound of each small table under the fixture `low`
Heard = tuple[float, bytes]


def small(size: int = 5 << 20) -> Limits:
    """Limits that fill the tables soon: all of them together take `size` bytes."""
    limits = Limits(None)
    limits.budget = budget(size)
    return limits


def site_life() -> Story:
    """Three phones that have been known for a while. During the flood the first returns too soon to the server that
    failed, the second returns when it may, and the third goes on calling; two more register for the first time."""
    story = Story()
    early, late, steady = (Handset(story, str(1001 + index), (f"10.1.0.{5 + index}", 5060)) for index in range(3))
    for phone in (early, late, steady):
        phone.register(0)
        phone.call(10, seconds=5)
        phone.call(350, seconds=5)
    back = early.fail_over(400)
    early.register(back + 3)
    back = late.fail_over(401)
    late.register(back + 61, P)
    late.call(back + 63)
    for time in range(390, 490, 10):
        steady.call(time, seconds=4)
    for index in range(2):
        Handset(story, str(1101 + index), (f"10.1.1.{index}", 5060)).register(420 + 10 * index)
    return story


def among(story: Story, flood: Iterable[bytes], count: int) -> Iterator[Heard]:
    """The packets of a story and `count` packets of a flood between BEGINS and ENDS, in order of time."""
    packets = sorted(story.packets, key=lambda packet: packet.time)
    at, step = BEGINS, (ENDS - BEGINS) / count
    waiting = iter(flood)
    for packet in packets:
        while at < min(packet.time, ENDS) and (frame := next(waiting, None)) is not None:
            yield at, frame
            at += step
        yield packet.time, packet.frame
    for frame in waiting:
        yield max(at, packets[-1].time), frame


class Post:
    """Receives packets at times after ORIGIN; gives its findings, and in `peak` the highest fill of each table."""

    def __init__(self, folder: Path, limits: Limits, *servers: Any, **declared: Any) -> None:
        path = folder / "site.yaml"
        path.write_text(yaml.safe_dump(site({**R2, **MINUTE}, *(servers or (P, S)), **declared)))
        self.listener = Listener(str(path), limits)
        self.peak: dict[str, int] = {}
        self._count = 0
        self.listener.hear(ORIGIN - COVERED, ethernet_frame(b"\x45" + bytes(30)))

    def hear(self, heard: Iterable[Heard]) -> None:
        for time, frame in heard:
            self.listener.hear(ORIGIN + time, frame)
            self._count += 1
            if self._count % 64 == 0:
                self._look()
        self._look()

    def _look(self) -> None:
        for name, count in self.listener.open.items():
            self.peak[name] = max(self.peak.get(name, 0), count)

    def found(self, users: Iterable[int] = range(1001, 1200)) -> list[str]:
        """The findings of these users as `premature-failback 1001`, without those of severity info."""
        wanted = {str(user) for user in users}
        told = [(one.rule, (one.line or "")[4:].partition("@")[0], str(one.severity))
                for one in self.listener.route.auditor.faults.findings()]
        return sorted({f"{rule} {user}" for rule, user, severity in told if user in wanted and severity != "info"})


def bounds_of(budget: Budget) -> dict[str, int]:
    """The bound of each table."""
    own, capture = budget.reconstruct, budget.capture
    return {
        "transactions": own.transactions + own.strange_transactions, "dialogs": own.legs + own.strange_legs,
        "phones": own.lines, "lines": own.lines, "replays": 2 * own.lines, "phone-states": own.lines + own.lines // 8,
        "candidates": own.candidates, "hidden": own.strange_lines, "sights": own.sights, "servers": own.servers,
        "names": own.names, "watched-servers": budget.watched_servers,
        "watched-requests": budget.watched_requests,
        "findings": budget.findings, "checks": budget.findings, "incidents": budget.incidents,
        "streams": capture.streams, "stream-bytes": capture.stream_bytes, "fragments": capture.fragments,
        "flows": 2 * capture.flows,
    }
