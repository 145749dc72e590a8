"""The bounds of what decoders store besides flows and streams, when somebody invents ever more of it."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from sipaudit.capture import exported, flows, tcp_lifecycle
from sipaudit.capture.exported import FRAMES_KEPT, ExportedSip
from sipaudit.capture.flows import ENDS_KEPT, Flows
from sipaudit.capture.health import Away, CaptureHealth
from sipaudit.capture.layers import Solicitation
from sipaudit.capture.neighbours import RUN, Neighbours
from sipaudit.capture.tcp_connections import Pair
from sipaudit.sip.datagram import TransportError, flow
from sipaudit.turned_away import since, so_far
from tests.bounds.reach import size
from tests.capture.exported_pdus import record
from tests.capture.tcpstory import OTHER_SERVER, PHONE, SERVER, SYN, Tap


def asks(neighbours: Neighbours, hosts: range, time: float) -> None:
    for host in hosts:
        said = Solicitation(b"\x0a\x01" + host.to_bytes(2, "big"), b"\x0a\0\0\x01", answers=False, mac=bytes(6))
        assert not neighbours.take(said, time, 0, 1)


def test_who_asks_for_whom_is_remembered_of_so_many_and_those_count_who_may_ask_again() -> None:
    before, neighbours = so_far(), Neighbours()
    asks(neighbours, range(10_500), 0.0)
    assert len(neighbours._asked) == 10_000
    assert since(before) == {"neighbours": 500}
    asks(neighbours, range(20_000, 30_000), RUN + 1)
    assert len(neighbours._asked) == 10_000
    assert since(before) == {"neighbours": 500}


def test_of_a_capture_so_many_steps_of_its_clock_and_pauses_are_noted() -> None:
    before, health = so_far(), CaptureHealth("eth1")
    for number in range(1_500):
        health.clock_step(number, float(number), 1.0)
        health.was_away(Away(number, number + 0.5, 2))
    assert [step[0] for step in health.clock_steps] == list(range(100))
    assert since(before) == {"clock-steps": 1_400}
    assert [away.since for away in health.away] == list(range(500, 1_500))


@pytest.mark.parametrize("kind", [b"http-over-tls", b"sip.tcp"])
def test_of_conversations_that_tshark_reads_so_many_are_remembered(
        kind: bytes, monkeypatch: pytest.MonkeyPatch) -> None:
    """HTTP inside TLS, or the beginning of a SIP message, from ever new ports."""
    monkeypatch.setattr(exported, "CONVERSATIONS_KEPT", 20)
    sip, sizes = ExportedSip(0, CaptureHealth(""), None, range(1, 2_000)), list[int]()
    sip._flows.limit = 20
    for number in range(1, 240):
        data = record(kind, b"OPTIONS sip:a SIP/2.0\r\nX", number, port=5_061 + number)
        assert not sip.datagrams((float(number), number, 252, data, 0))
        sizes.append(size(sip))
    assert max(sizes[60:]) < 1.1 * max(sizes[:60])


def test_of_a_message_that_never_ends_so_many_frames_are_remembered() -> None:
    sip = ExportedSip(0, CaptureHealth(""), None, range(1, 2_000))
    for number in range(1, 500):
        assert not sip.datagrams((1.0, 1, 252, record(b"sip.tcp", b"OPTIONS sip:a SIP/2.0\r\nX", number), 0))
    (frames,) = sip._begun.values()
    assert frames == list(range(499 - FRAMES_KEPT, 500))


def test_addresses_as_text_are_remembered_of_so_many() -> None:
    known = Flows()
    for number in range(3 * ENDS_KEPT):
        there = number.to_bytes(4, "big")
        known.get("udp", there + b"\x0a\0\0\x01", b"\x13\xc4\x13\xc4", b"\x02" + there + b"\x01")
    assert flows.end.cache_info().currsize <= ENDS_KEPT
    assert flows._hardware.cache_info().currsize <= ENDS_KEPT


class Looked(dict[Pair, None]):
    """The SYNs of a host, counting how many of them are looked at."""

    count = 0

    def __iter__(self) -> Iterator[Pair]:
        for pair in super().__iter__():
            self.count += 1
            yield pair


def test_of_a_flood_of_syns_so_many_are_looked_through_for_each_of_them(monkeypatch: pytest.MonkeyPatch) -> None:
    """All SYNs go to one server within a second. None has failed, and each might have been given up for the next."""
    monkeypatch.setattr(tcp_lifecycle, "PASSED_OVER", 20)
    tap = Tap()
    for port in range(20_000, 20_300):
        tap.see(flow("tcp", PHONE, port, SERVER, 5060), 1, 0, SYN)
    opening = tap.streams._table.opening
    looked = opening[PHONE] = Looked(opening[PHONE])
    tap.see(flow("tcp", PHONE, 30_000, OTHER_SERVER, 5060), 1, 0, SYN)
    assert 0 < looked.count <= 20
    tap.wait(100)   # SYNs that were passed over are reported at their own deadlines
    assert len(tap.of(TransportError)) == 301
