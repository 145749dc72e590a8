"""A packet captured twice counts once; a retransmission is another packet."""

from __future__ import annotations

import socket
import struct
from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sipaudit.capture.duplicates import LEAST, Duplicates

TIME = 1_700_000_000.0


def ip4(
    payload: bytes = b"REGISTER sip:x SIP/2.0\r\n\r\n", *, tos: int = 0, identification: int = 7, ttl: int = 64,
    checksum: int = 0x1234, udp_checksum: int = 0xABCD, source: str = "10.1.0.5", source_port: int = 5060,
) -> bytes:
    udp = struct.pack(">HHHH", source_port, 5060, 8 + len(payload), udp_checksum) + payload
    return struct.pack(
        ">BBHHHBBH4s4s", 0x45, tos, 20 + len(udp), identification, 0x4000, ttl, 17, checksum,
        socket.inet_aton(source), socket.inet_aton("10.0.0.1"),
    ) + udp


def ip6(payload: bytes = b"REGISTER sip:x SIP/2.0\r\n\r\n", *, traffic_class: int = 0, hops: int = 64,
        label: int = 5) -> bytes:
    udp = struct.pack(">HHHH", 5060, 5060, 8 + len(payload), 0xABCD) + payload
    return struct.pack(
        ">IHBB16s16s", 6 << 28 | traffic_class << 20 | label, len(udp), 17, hops,
        socket.inet_pton(socket.AF_INET6, "2001:db8::5"), socket.inet_pton(socket.AF_INET6, "2001:db8::1"),
    ) + udp


@pytest.mark.parametrize(
    ("first", "second"),
    [
        (ip4(), ip4()),
        (ip4(ttl=64, checksum=0x1234), ip4(ttl=63, checksum=0x1334)),
        (ip4(tos=0x60, checksum=1), ip4(tos=0, checksum=2)),
        (ip6(), ip6(hops=63)),
        (ip6(traffic_class=0xB8), ip6(traffic_class=0)),
    ],
    ids=["any interface", "behind a router", "DSCP rewritten", "hop limit", "traffic class rewritten"],
)
def test_a_duplicate(first: bytes, second: bytes) -> None:
    duplicates = Duplicates()
    assert not duplicates.seen(TIME, first)
    assert duplicates.seen(TIME + 0.019, second)
    assert duplicates.seen(TIME + 0.001, first)


@pytest.mark.parametrize(
    ("first", "second", "later"),
    [
        (ip4(), ip4(), 0.021),
        (ip4(identification=7), ip4(identification=8), 0.001),
        (ip4(source="10.1.0.5"), ip4(source="192.0.2.1"), 0.001),
        (ip4(source_port=5060), ip4(source_port=1024), 0.001),
        (ip4(tos=1), ip4(tos=2), 0.001),
        (ip4(b"A" * 400, udp_checksum=0), ip4(b"A" * 399 + b"B", udp_checksum=0), 0.001),
        (ip6(label=5), ip6(label=6), 0.001),
        (ip6(b"A" * 400), ip6(b"A" * 399 + b"B"), 0.001),
        (ip4(), ip6(), 0.001),
        (ip4(), b"", 0.001),
    ],
    ids=["retransmission", "identification", "NAT address", "NAT port", "ECN", "payload", "flow label", "payload 6",
         "version", "nothing"],
)  # fmt: skip
def test_no_duplicate(first: bytes, second: bytes, later: float) -> None:
    duplicates = Duplicates()
    assert not duplicates.seen(TIME, first)
    assert not duplicates.seen(TIME + later, second)


def test_retransmissions_every_half_second_all_survive() -> None:
    duplicates = Duplicates()
    assert not any(duplicates.seen(TIME + number * 0.5, ip4(identification=0)) for number in range(11))


@pytest.mark.parametrize("bound", [15, 4096])
def test_packets_that_differ_only_behind_their_first_bytes_are_all_told_apart(bound: int) -> None:
    """Without UDP checksum and IP identification, only their last bytes tell them apart."""
    duplicates = Duplicates(bound=bound)
    packets = [ip4(b"A" * 400 + b"%04d" % number, udp_checksum=0, identification=0) for number in range(20)]
    assert [duplicates.seen(TIME + 0.0001, packet) for packet in packets] == [False] * 20
    assert [duplicates.seen(TIME + 0.0002, packet) for packet in packets] == [True] * 20


def test_a_packet_is_known_when_the_one_that_it_was_told_apart_from_is_forgotten() -> None:
    duplicates = Duplicates(bound=2)
    first, second = (ip4(b"A" * 400 + last, udp_checksum=0, identification=0) for last in (b"1", b"2"))
    packets = [first, ip4(identification=1), ip4(identification=2), second, ip4(identification=3)]
    assert [duplicates.seen(TIME, packet) for packet in packets] == [False] * 5
    assert duplicates.seen(TIME, second)


def test_memory_is_bounded() -> None:
    duplicates = Duplicates(bound=100)
    for number in range(1000):
        duplicates.seen(TIME, ip4(identification=number))
        assert len(duplicates) <= 200
    assert all(duplicates.seen(TIME, ip4(identification=number)) for number in range(900, 1000))


def test_where_time_passes_what_matches_no_more_is_forgotten_and_the_last_packets_are_not() -> None:
    duplicates = Duplicates()
    for half_second in range(4):
        for number in range(LEAST):
            assert not duplicates.seen(TIME + half_second, ip4(identification=number))
        duplicates.pass_time()
        assert duplicates.seen(TIME + half_second + 0.01, ip4(identification=LEAST - 1))
    assert len(duplicates) <= 2 * LEAST


def test_no_packet_is_forgotten_only_because_a_clock_leaps_to_and_fro() -> None:
    duplicates = Duplicates()
    for number in range(LEAST):
        assert not duplicates.seen(TIME + number % 2 * 3600, ip4(identification=number))
        duplicates.pass_time()
    assert all(duplicates.seen(TIME + number % 2 * 3600, ip4(identification=number)) for number in range(LEAST))


@pytest.mark.parametrize("step", [-3600.0, -0.5, 3600.0])
def test_a_clock_that_steps(step: float) -> None:
    """Duplicates are found on either side of the step, and none across it."""
    duplicates = Duplicates()
    for at in (TIME, TIME + step):
        for number in range(50):
            assert not duplicates.seen(at + number * 0.001, ip4(identification=number))
            assert duplicates.seen(at + number * 0.001 + 0.0005, ip4(identification=number, ttl=63))


def test_a_mirror_whose_second_copy_has_the_earlier_time() -> None:
    duplicates = Duplicates()
    duplicates.seen(TIME, ip4())
    assert duplicates.seen(TIME - 0.005, ip4(ttl=63))


@given(st.integers(0, 2**32), st.integers(1, 40))
def test_every_second_copy_is_found_and_no_first_one(seed: int, count: int) -> None:
    """Whatever the order in which a mirror delivers them, within the window."""
    random = Random(seed)
    copies = [(at * 0.001 + copy * random.random() * 0.019, at) for at in range(count) for copy in (0, 1)]
    duplicates = Duplicates()
    found = [duplicates.seen(TIME + time, ip4(identification=at)) for time, at in sorted(copies)]
    assert sum(found) == count


@given(st.lists(st.binary(max_size=100)))
def test_any_bytes(packets: list[bytes]) -> None:
    duplicates = Duplicates()
    for packet in packets:
        duplicates.seen(TIME, packet)
        assert duplicates.seen(TIME, packet) == (len(packet) >= 20)
