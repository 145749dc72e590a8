"""ICMP errors: evidence that a server cannot be reached, never a SIP message."""

from __future__ import annotations

import struct

import pytest

from sipaudit.sip.datagram import ErrorKind, Item, TransportError
from tests.capture.packets import PHONE, PHONE6, REGISTER, SERVER, SERVER6, Wire, ethernet, ip4, ip6, tcp, udp


def icmp(kind: int, code: int, quoted: bytes, words: int = 0) -> bytes:
    return struct.pack(">BBHBBH", kind, code, 0, 0, words, 0) + quoted


def icmp6(kind: int, code: int, quoted: bytes, words: int = 0) -> bytes:
    return struct.pack(">BBHBBH", kind, code, 0, words, 0, 0) + quoted


def from_server(message: bytes) -> bytes:
    return ethernet(ip4(message, 1, SERVER, PHONE))


def from_server6(message: bytes) -> bytes:
    return ethernet(ip6(message, 58, SERVER6, PHONE6), 0x86DD)


def error(items: list[Item]) -> TransportError:
    (item,) = items
    assert isinstance(item, TransportError)
    return item


@pytest.mark.parametrize("code", [0, 1, 2, 3, 5, 6, 7, 9, 10, 13])
def test_destination_unreachable_names_the_flow_that_failed(code: int) -> None:
    wire = Wire()
    got = error(wire.see(from_server(icmp(3, code, ip4(udp())))))
    assert (got.kind, got.code, got.time, got.frame) == (ErrorKind.ICMP, f"3.{code}", wire.time, 1)
    assert (got.flow.source, got.flow.destination, got.flow.transport) == ("10.1.0.5:5060", "10.0.0.1:5060", "udp")
    assert got.quoted == REGISTER


@pytest.mark.parametrize("code", range(7))
def test_icmpv6_destination_unreachable(code: int) -> None:
    got = error(Wire().see(from_server6(icmp6(1, code, ip6(udp())))))
    assert (got.code, got.quoted) == (f"1.{code}", REGISTER)
    assert got.flow.source == f"[{PHONE6}]:5060"


def test_a_parameter_problem_fails_the_request_as_well() -> None:
    assert error(Wire().see(from_server(icmp(12, 0, ip4(udp()))))).code == "12.0"
    assert error(Wire().see(from_server6(icmp6(4, 1, ip6(udp()))))).code == "4.1"


@pytest.mark.parametrize(("kind", "code"), [(0, 0), (3, 4), (4, 0), (5, 1), (8, 0), (11, 0), (11, 1)])
def test_other_icmp_is_content(kind: int, code: int) -> None:
    wire = Wire()
    assert wire.see(from_server(icmp(kind, code, ip4(udp())))) == []
    assert wire.health.content == {"icmp": 1}


@pytest.mark.parametrize("kind", [2, 3, 128, 135])
def test_other_icmpv6_is_content(kind: int) -> None:
    wire = Wire()
    assert wire.see(from_server6(icmp6(kind, 0, ip6(udp())))) == []
    assert wire.health.content == {"icmp": 1}


@pytest.mark.parametrize("length", range(len(ip4(udp())) + 1))
def test_a_quotation_of_any_length_says_what_it_can(length: int) -> None:
    wire = Wire()
    items = wire.see(from_server(icmp(3, 3, ip4(udp())[:length])))
    assert bool(items) == (length >= 28)
    for item in items:
        assert isinstance(item, TransportError)
        assert item.quoted == REGISTER[: length - 28]


def test_a_quoted_tcp_segment_needs_its_ports_only() -> None:
    got = error(Wire().see(from_server(icmp(3, 1, ip4(tcp(REGISTER), 6)[:28]))))
    assert (got.flow.transport, got.flow.source_port, got.quoted) == ("tcp", 49152, b"")
    assert error(Wire().see(from_server(icmp(3, 1, ip4(tcp(REGISTER), 6))))).quoted == REGISTER


def test_extensions_behind_the_quotation_are_not_quoted() -> None:
    quoted = ip4(udp())[:128]
    message = icmp(3, 3, quoted + b"\x20\0\0\0\0\x08\x01\x01EXTN", words=32)
    assert error(Wire().see(from_server(message))).quoted == REGISTER[:100]


def test_a_quoted_first_fragment_counts_a_later_one_has_no_ports() -> None:
    first = ip4(udp()[:160], more=True)
    assert error(Wire().see(from_server(icmp(3, 3, first)))).quoted == REGISTER[:152]
    assert Wire().see(from_server(icmp(3, 3, ip4(udp()[160:], offset=160)))) == []


@pytest.mark.parametrize("quoted", [ip4(b"\0" * 40, 47), ip4(b"\0" * 40, 1), b"", b"\x45", b"\xff" * 60])
def test_quotations_without_udp_or_tcp_are_content(quoted: bytes) -> None:
    wire = Wire()
    assert wire.see(from_server(icmp(3, 3, quoted))) == []
    assert wire.health.content == {"icmp": 1}


def test_a_mirrored_error_counts_once() -> None:
    wire = Wire()
    packet = from_server(icmp(3, 3, ip4(udp())))
    assert len(wire.see(packet, time=wire.time)) == 1
    assert wire.see(packet, time=wire.time + 0.00001) == []
    assert wire.health.duplicates == 1
