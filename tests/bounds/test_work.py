"""The cost of one packet does not grow with the number of packets before it: a flood makes no packet more expensive."""

from __future__ import annotations

import sys
from collections.abc import Callable
from functools import partial
from pathlib import Path
from types import FrameType
from typing import Any

import pytest

from bench.floods import granted
from sipaudit import pipeline
from sipaudit.capture.health import CaptureHealth
from sipaudit.capture.tcp import Streams
from sipaudit.capture.tcp_lifecycle import SYN
from sipaudit.reconstruct.bounds import Bounds
from sipaudit.run.job import Job
from sipaudit.sip.datagram import flow
from tests.factories import dns_answer
from tests.frames import write_pcap
from tests.reconstruct.desk import Desk, Handset
from tests.wire import ORIGIN

FEW, MANY = 200, 1_600   # items that were there before
GROWS = 1.3              # factor by which the work for the next packet may grow


def work(do: Callable[[], object]) -> int:
    """The number of Python lines executed; a loop within one line counts once for each round."""
    count = 0

    def trace(_frame: FrameType, event: str, _argument: Any) -> Any:
        nonlocal count
        count += event == "line"
        return trace

    before = sys.gettrace()
    sys.settrace(trace)
    try:
        do()
    finally:
        sys.settrace(before)
    return count


def answer(desk: Desk, time: float, name: str, type_: str, *records: tuple[str, str, int, object]) -> None:
    desk.feed(dns_answer(time, "10.1.0.5", name, type_, *records))


def names_of_one_server(desk: Desk, count: int) -> None:
    """Each name leads to that server alone."""
    for index in range(count):
        name = f"{index}.example"
        answer(desk, 1, name, "A", (name, "A", 60, "10.0.0.1"))


def services_of_one_server(desk: Desk, count: int) -> None:
    for index in range(count):
        name = f"_sip._udp.{index}.example"
        answer(desk, 1, name, "SRV", (name, "SRV", 60, (1, 1, 5060, "p.example")), ("p.example", "A", 60, "10.0.0.1"))


def services_with_one_server_in_common(desk: Desk, count: int) -> None:
    """Each service has a second server, which a phone uses."""
    for index in range(count):
        name, other, host = f"_sip._udp.{index}.example", f"{index}.example", f"203.0.{index // 250}.{index % 250}"
        answer(desk, 1, name, "SRV", (name, "SRV", 60, (1, 1, 5060, "p.example")),
               (name, "SRV", 60, (2, 1, 5060, other)), ("p.example", "A", 60, "10.0.0.1"), (other, "A", 60, host))
        Handset(desk, str(index), f"198.51.{index // 250}.{index % 250}:5060").register(2, f"{host}:5060")


@pytest.mark.parametrize("names", [names_of_one_server, services_of_one_server, services_with_one_server_in_common],
                         ids=lambda names: names.__name__)
def test_names_that_dns_tells_of(names: Callable[[Desk, int], None]) -> None:
    """For a line without declared servers, each DNS answer that may matter makes us look up the servers that stand in a
    list with its own."""
    taken = []
    for count in (FEW, MANY):
        desk = Desk()
        phone = Handset(desk)
        phone.register(0)
        names(desk, count)

        def goes_on(desk: Desk = desk, phone: Handset = phone) -> None:
            answer(desk, 3, "p.example", "A", ("p.example", "A", 60, "10.0.0.2"), ("p.example", "A", 60, "10.0.0.1"))
            phone.register(4)

        taken.append(work(goes_on))
    assert taken[1] < GROWS * taken[0]


def test_names_in_a_memory_that_is_full_of_those_of_entries() -> None:
    taken = []
    for count in (FEW, MANY):
        desk = Desk(bounds=Bounds(names=count))
        for index in range(count // 2):
            name, host = f"{index}.example", f"203.0.{index // 250}.{index % 250}"
            answer(desk, 1, name, "A", (name, "A", 60, host), (name, "A", 60, "10.0.0.1"))
            answer(desk, 1, name, "AAAA", (name, "AAAA", 60, f"2001:db8::{index}"))
            Handset(desk, str(index), f"198.51.{index // 250}.{index % 250}:5060").register(2, f"{host}:5060")
        taken.append(work(partial(answer, desk, 3, "new.example", "A", ("new.example", "A", 60, "192.0.2.1"))))
    assert taken[1] < GROWS * taken[0]


@pytest.mark.parametrize("shows", [
    {"contact": "sip:{user}@203.0.113.1:5060"},                                      # rewritten by a border controller
    {"contact": "sip:{user}@203.0.113.1:{port}"},                                    # rewritten by a NAT that reads SIP
    {"contact": "sip:{user}@192.168.{high}.{low}:5060"},                             # as sent by the phone
    {"contact": "sip:{user}@203.0.113.1:5060", "params": ';+sip.instance="<urn:{user}>"'},
    {"contact": "sip:{user}@203.0.113.1:5060", "user_agent": "PolycomVVX-VVX_500-UA/4.0.1.13681_0004f20{user}"},
], ids=["one contact", "ports", "hosts", "instances", "MACs"])
def test_phones_behind_one_address(shows: dict[str, str]) -> None:
    """For each new phone we look up whether it is one of the known ones, and how many of those nobody has answered."""
    taken = []
    for count in (FEW, MANY):
        desk = Desk()

        def comes(index: int, desk: Desk = desk) -> None:
            known = {"user": 10_000 + index, "port": 20_000 + index, "high": index // 250, "low": index % 250}
            Handset(desk, str(10_000 + index), f"203.0.113.1:{20_000 + index}",
                    **{name: text.format(**known) for name, text in shows.items()}).register(index)

        for index in range(count):
            comes(index)
        taken.append(work(partial(comes, count)))
    assert taken[1] < GROWS * taken[0]


def test_servers_of_which_dns_tells() -> None:
    """A report names the entry of each server."""
    taken = []
    for count in (FEW, 2 * FEW):
        desk = Desk()
        for index in range(count):
            name, host = f"{index}.example", f"203.0.{index // 250}.{index % 250}"
            answer(desk, 1, name, "A", (name, "A", 60, host), (name, "A", 60, f"192.0.{index // 250}.{index % 250}"))
            Handset(desk, str(index), f"198.51.{index // 250}.{index % 250}:5060").register(2, f"{host}:5060")
        taken.append(work(desk.rec.servers.all))
    assert taken[1] < 2 * GROWS * taken[0]


def test_syns_of_one_host_to_one_server() -> None:
    taken = []
    for count in (2_000, 8_000):
        streams = Streams([CaptureHealth("a")])
        for index in range(count):
            streams.segment(index / count, 0, index, flow("tcp", "10.1.0.5", 1024 + index, "10.0.0.1", 5060), 7, 0, SYN,
                            b"", False)
        one_more = flow("tcp", "10.1.0.5", 60_000, "10.0.0.1", 5060)
        taken.append(work(partial(streams.segment, 0.999, 0, 1, one_more, 7, 0, SYN, b"", False)))
    assert taken[1] < 2 * taken[0]


def test_lines_written_in_the_scenario_language(tmp_path: Path) -> None:
    """Each line is written with its own events, findings and open checks, without a search through those of all."""
    taken = []
    for count in (FEW, MANY):
        path = write_pcap(tmp_path / f"{count}.pcap", [
            (ORIGIN + number / 100, frame) for number, frame in enumerate(granted(count))])
        told = pipeline.events(Job((str(path),), jobs=1))
        taken.append(work(partial(list, told)))
    assert taken[1] < GROWS * taken[0] * MANY / FEW
