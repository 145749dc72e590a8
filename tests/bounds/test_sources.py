"""HEP listeners and followed directories have their share of `--max-memory`, and what they evict is counted."""

from __future__ import annotations

import time
from pathlib import Path

import pytest

from bench.floods import connections
from sipaudit.capture.bounds import CaptureBounds
from sipaudit.capture.decode import Decoder
from sipaudit.live.ends import Source
from sipaudit.live.hep.connections import ConnectionSource
from sipaudit.live.hep.listen import hep_source
from sipaudit.live.inputs import decoders_of, open_sources
from sipaudit.live.limits import Limits
from sipaudit.live.orders import Orders
from sipaudit.live.probe import Probe
from sipaudit.live.upkeep import Upkeep
from sipaudit.run.brief import understand
from sipaudit.run.budget import budget
from sipaudit.run.job import Job
from tests.capture.packets import REGISTER, hep3
from tests.frames import write_pcap
from tests.live.agents import connect, heard, quiet
from tests.wire import ORIGIN

MB = 1 << 20


def kept_by(source: Source) -> Upkeep:
    """The upkeep of a probe that reads this source and is near its memory limit at the first check."""
    limits = Limits(200 * MB, base=50 * MB, measure=lambda: 185 * MB)
    return Upkeep(Probe(understand(Job(())), [source], ORIGIN), limits, [source.reader])


def test_a_followed_directory_has_its_share_and_says_what_it_evicted(tmp_path: Path) -> None:
    write_pcap(tmp_path / "flood.pcap", [
        (ORIGIN + number / 1000, frame) for number, frame in enumerate(connections(900))])
    bounds = budget(2 * MB).capture
    source, = open_sources(Orders(Job(()), follow=(str(tmp_path),)), bounds)
    upkeep = kept_by(source)
    source.read()
    assert isinstance(source.reader, Decoder)
    assert len(source.reader.streams) <= bounds.streams
    assert upkeep.evicted["streams"] >= 600 - bounds.streams
    source.close()


def test_a_probe_near_its_limit_makes_the_tables_of_every_source_smaller() -> None:
    source = hep_source("udp://127.0.0.1:0", 0)
    before = source._intake._flows.limit
    kept_by(source).turn(ORIGIN, 0.0)
    assert source._intake._flows.limit < before
    source.close()


def test_what_decoders_hold_is_divided_among_them(tmp_path: Path) -> None:
    orders = Orders(Job(()), interfaces=("a", "b"), hep=("udp://0.0.0.0:1", "tcp://0.0.0.0:1"), follow=("c",))
    assert decoders_of(orders) == 4
    alone, among = budget(256 * MB), budget(256 * MB, 4)
    assert among.reconstruct == alone.reconstruct
    for table in ("streams", "stream_bytes", "flows", "fragment_bytes", "duplicates"):
        assert getattr(among.capture, table) == pytest.approx(getattr(alone.capture, table) / 4, abs=1), table


def test_packets_that_came_in_part_take_no_more_than_their_share() -> None:
    """Three agents send 50 kB of a 60 kB packet and never the rest; a proven agent is spared longest."""
    source = hep_source("tcp://127.0.0.1:0", 0, bounds=CaptureBounds(stream_bytes=100_000))
    assert isinstance(source, ConnectionSource)
    begun = hep3(REGISTER + b" " * 60_000, time=time.time())[:50_000]
    with connect(source.port) as agent, connect(source.port) as one, connect(source.port) as two:
        agent.sendall(hep3(REGISTER, time=time.time()))
        assert len(heard(source, 1)) == 1
        for peer in (agent, one, two):
            peer.sendall(begun)
            quiet(source)
        assert sum(each.packets.held for each in source._connections.values()) <= 100_000
        assert [each.proven for each in source._connections.values()].count(True) == 1
    assert source.evicted == {"hep-connections": 1}
    source.close()


def test_connections_beyond_a_smaller_bound_are_ended() -> None:
    source = hep_source("tcp://127.0.0.1:0", 0)
    assert isinstance(source, ConnectionSource)
    with connect(source.port) as agent, connect(source.port), connect(source.port):
        agent.sendall(hep3(REGISTER, time=time.time()))
        assert len(heard(source, 1)) == 1
        quiet(source)
        source.tighten(CaptureBounds(streams=1))
        assert [each.proven for each in source._connections.values()] == [True]
    assert source.evicted == {"hep-connections": 2}
    source.close()
