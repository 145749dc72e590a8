"""An agent disconnects for good while another one goes on shipping."""

from __future__ import annotations

import socket
import time
from collections.abc import Mapping
from pathlib import Path

import pytest

from sipaudit.capture.write import Endpoint
from sipaudit.live.hep import connections, intake
from sipaudit.live.hep.connections import ConnectionSource
from sipaudit.live.hep.listen import hep_source
from sipaudit.live.probe import Probe
from sipaudit.live.teller import Teller
from sipaudit.model.sayings import Saying
from sipaudit.run.brief import understand
from sipaudit.run.job import Job
from tests.capture.packets import hep3
from tests.live.agents import PATIENCE
from tests.live.ear import findings
from tests.live.stories import OFTEN, QUARTER, declared, retries
from tests.stories import Handset, Story

PHONE = ("10.1.0.5", 5060)
UDP = 14 + 20 + 8   # bytes of headers before the payload
DAY = 86_400.0
LONG_AGO = 30 * DAY   # seconds: the agents ship a replay, so that minutes of it pass at once


class Collector:
    """A HEP listener, and what is said about the messages shipped to it; stories began at `began`."""

    def __init__(self, site: Path) -> None:
        source = hep_source("tcp://127.0.0.1:0", 0)
        assert isinstance(source, ConnectionSource)
        self.source, self.began = source, time.time() - LONG_AGO
        self.probe = Probe(understand(Job((), site=str(site), zone="utc")), [source], self.began - DAY)
        self.teller, self.said = Teller(self.probe), list[Saying]()

    def agent(self, host: str) -> socket.socket:
        return socket.create_connection(("127.0.0.1", self.source.port), PATIENCE, (host, 0))

    def hears(self, story: Story, agents: Mapping[Endpoint, socket.socket], since: float, until: float) -> None:
        """Ship the packets after `since` and up to `until` through the phones' agents that are connected."""
        for packet in sorted(story.packets, key=lambda packet: packet.time):
            agent = agents.get(packet.source) or agents.get(packet.destination)
            if agent is not None and since < packet.time <= until:
                agent.sendall(hep3(packet.frame[UDP:], source=packet.source[0], destination=packet.destination[0],
                                   ports=(packet.source[1], packet.destination[1]), time=self.began + packet.time))
                self.turn()

    def turn(self, seconds: float = 0.0) -> None:
        end = clock = time.monotonic()
        while clock < end + seconds or clock == end:
            count = self.probe.read(clock)
            self.probe.pass_time(clock, drained=not count)
            self.said += self.teller.turn(self.probe.now(clock))
            time.sleep(min(seconds, 0.01))
            clock = time.monotonic()


@pytest.mark.parametrize("stays", [True, False])
def test_what_an_agent_would_show_that_is_gone_for_good_is_missed_of_nobody(
        tmp_path: Path, monkeypatch: pytest.MonkeyPatch, stays: bool) -> None:
    """The agent goes while a try to return waits for its answer, so that nobody sees the answer: the try must not count
    as failed."""
    monkeypatch.setattr(intake, "WAIT", 0.1)
    monkeypatch.setattr(connections, "TIDY", 0.1)
    story, collector = retries(), Collector(declared(tmp_path, QUARTER))
    other = Handset(story, "1099", ("10.1.0.99", 5060))
    for clock in range(0, 1900, 60):
        other.register(clock)
    with collector.agent("127.0.0.2") as gone, collector.agent("127.0.0.3") as left:
        agents = {PHONE: gone, other.place: left}
        collector.hears(story, agents, -1, 1542)
        if not stays:
            gone.close()
            deadline = time.monotonic() + PATIENCE
            while not collector.source.blind and time.monotonic() < deadline:   # a busy machine hears of it late
                collector.turn(0.1)
            collector.turn(0.5)
            del agents[PHONE]
        collector.hears(story, agents, 1542, 1900)
        collector.turn(2.5)
    collector.source.close()
    assert (OFTEN in findings(collector.said)) is stays
