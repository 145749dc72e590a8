"""Packets that are out of order in a file."""

from __future__ import annotations

import io
from collections.abc import Sequence
from pathlib import Path

import pytest

from sipaudit.capture import disorder, linktypes
from sipaudit.capture.captures import Captures
from sipaudit.capture.disorder import in_time
from sipaudit.capture.engine import FIRST_BATCH
from sipaudit.capture.files import resolve
from sipaudit.capture.health import CaptureHealth
from sipaudit.capture.intake import Intake
from sipaudit.capture.packet import Batch, Run
from sipaudit.capture.prefilter import Prefilter
from sipaudit.capture.write import PcapngWriter
from sipaudit.sip.datagram import Datagram
from tests.capture.numbered import START, message, numbers, pcap

MANY = 5_000   # more than one batch


def written(folder: Path, times: Sequence[float]) -> Captures:
    """Messages 1, 2, 3 ... at these times, in seconds after the start."""
    (folder / "a.pcap").write_bytes(pcap([START + time for time in times]))
    return Captures(resolve([str(folder / "a.pcap")]).files)


@pytest.mark.parametrize(("times", "order"), [
    ([0, 0.002, 0.001, 0.003], [1, 3, 2, 4]),
    ([0, 0.4, 0.1, 0.2, 0.5], [1, 3, 4, 2, 5]),
    ([0, 0.001, 0.001, 0.0005], [1, 4, 2, 3]),          # equal times keep their order
    ([0.3, 0.2, 0.1], [3, 2, 1]),
    ([0, 5, 1, 2, 3], [1, 2, 3, 4, 5]),                 # a clock that was set back
    ([0, 5, 4.4, 4.6, 4.5, 5.1], [1, 2, 3, 5, 4, 6]),   # too late to be told from such a clock
    ([0, 3600, 1, 1.2, 1.1, 2], [1, 2, 3, 5, 4, 6]),    # one impossible time does not disturb the others
])
def test_packets_that_come_a_little_late_are_put_in_order(
        tmp_path: Path, times: Sequence[float], order: list[int]) -> None:
    read = written(tmp_path, times)
    items = [item for item in read if isinstance(item, Datagram)]
    assert [item.frame for item in items] == order
    assert [int(item.payload.split(b"@")[0][12:]) for item in items] == order
    assert read.health[0].packets == len(times)


def test_what_is_late_is_counted(tmp_path: Path) -> None:
    read = written(tmp_path, [0, 0.3, 0.1, 0.2, 0.4, 0.35, 20, 5, 4.9])
    assert len(numbers(read)) == 9
    health = read.health[0]
    assert (health.late, round(health.late_by, 3), len(health.clock_steps)) == (4, 0.2, 1)


def test_what_is_late_is_counted_across_batches(tmp_path: Path) -> None:
    """Behind a packet that stands too early in the file, the others count as late, though in order among themselves."""
    times = [number * 0.001 for number in range(2 * FIRST_BATCH)]
    times[FIRST_BATCH - 2] += 0.3005
    read = written(tmp_path, times)
    assert len(numbers(read)) == len(times)
    assert read.health[0].late == 300


def test_the_order_does_not_depend_on_where_the_file_is_cut_into_batches(tmp_path: Path) -> None:
    times = [number * 0.001 for number in range(3 * MANY)]
    for at in range(3, len(times), 7):
        times[at - 3], times[at] = times[at], times[at - 3]
    read = [item.time for item in written(tmp_path, times) if isinstance(item, Datagram)]
    assert len(read) == len(times)
    assert read == sorted(read)


@pytest.mark.parametrize(("held", "in_order"), [(disorder.PACKETS_HELD, True), (3, False)])
def test_what_waits_is_bounded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, held: int, in_order: bool) -> None:
    """At every end of a batch, a packet of the next batch belongs before it."""
    monkeypatch.setattr(disorder, "PACKETS_HELD", held)
    times = [number / 1000 for number in range(4 * MANY)]
    for at in range(600, len(times), 10):
        times[at] = times[at - 291] + 0.0005
    read = [item.time for item in written(tmp_path, times) if isinstance(item, Datagram)]
    assert sorted(read) == sorted(START + time for time in times)
    assert (read == sorted(read)) is in_order


def test_packets_of_other_link_types_are_put_in_order_too(tmp_path: Path) -> None:
    """Each link type makes a batch of its own: packets before the first late one have already been passed on."""
    stream = io.BytesIO()
    writer = PcapngWriter(stream)
    ethernet, raw = writer.interface(), writer.interface(linktypes.RAW)
    for time, number, interface in ((0, 1, ethernet), (0.2, 2, ethernet), (0.1, 3, raw), (0.3, 4, ethernet),
                                    (0.25, 5, raw), (0.22, 6, ethernet)):
        writer.write(START + time, message(number)[14 if interface == raw else 0:], interface=interface)
    (tmp_path / "a.pcapng").write_bytes(stream.getvalue())
    assert numbers(Captures(resolve([str(tmp_path / "a.pcapng")]).files)) == [1, 2, 3, 6, 5, 4]


def test_what_is_in_order_is_handed_on_as_it_is() -> None:
    """Packets in order cost nothing: they are not even copied."""
    intake = Intake(CaptureHealth("a"), Prefilter())
    given: list[Run] = []

    def runs() -> list[Run]:
        for begin in range(3):
            given.extend(intake.runs([_batch(begin)]))
        return given

    assert all(one is other for one, other in zip(in_time(intake, runs()), given, strict=True))


def _batch(second: int) -> Batch:
    data = message(1)
    rows = b"".join(number.to_bytes(4, "little") for at in range(3)
                    for number in (second, at, at * len(data), len(data)))
    return Batch(data * 3, rows, linktypes.ETHERNET, 1 + 3 * second)
