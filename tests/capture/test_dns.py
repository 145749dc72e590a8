"""Name lookups as values."""

from __future__ import annotations

import struct

import dns.flags
import dns.message
import dns.rcode
import dns.rrset
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sipaudit.capture.dns import RECORDS_KEPT, parse_dns
from sipaudit.sip.datagram import DnsMessage, DnsRecord

SRV = "_sip._udp.Example.COM."


def parse(wire: bytes, source_port: int = 53) -> DnsMessage | None:
    return parse_dns(
        wire, time=1.5, capture=2, frame=3, source_host="10.0.0.53", destination_host="10.1.0.5",
        source_port=source_port,
    )


def reply(name: str, kind: str, answers: list[str], additional: list[str] | None = None) -> dns.message.Message:
    """An answer; records as `name ttl type data`."""
    message = dns.message.make_response(dns.message.make_query(name, kind))
    for section, lines in ((message.answer, answers), (message.additional, additional or [])):
        for line in lines:
            owner, ttl, record_type, data = line.split(" ", 3)
            section.append(dns.rrset.from_text(owner, int(ttl), "IN", record_type, data))
    return message


def test_a_query() -> None:
    got = parse(dns.message.make_query(SRV, "SRV").to_wire(), source_port=49152)
    assert got == DnsMessage(1.5, 2, 3, "10.0.0.53", "10.1.0.5", False, 0, "_sip._udp.example.com", "SRV")


def test_an_srv_answer_with_the_addresses_beside_it() -> None:
    got = parse(
        reply(
            SRV, "SRV",
            [f"{SRV} 300 SRV 20 5 5060 SBC2.example.com.", f"{SRV} 60 SRV 10 5 5060 sbc1.example.com."],
            ["sbc1.example.com. 30 A 10.0.0.1", "sbc2.example.com. 30 AAAA 2001:DB8::2"],
        ).to_wire()
    )
    assert got is not None
    assert (got.client, got.server, got.response, got.rcode) == ("10.1.0.5", "10.0.0.53", True, 0)
    assert got.records == (
        DnsRecord("_sip._udp.example.com", "SRV", 300, (20, 5, 5060, "sbc2.example.com")),
        DnsRecord("_sip._udp.example.com", "SRV", 60, (10, 5, 5060, "sbc1.example.com")),
        DnsRecord("sbc1.example.com", "A", 30, "10.0.0.1"),
        DnsRecord("sbc2.example.com", "AAAA", 30, "2001:db8::2"),
    )


def test_naptr_and_cname() -> None:
    got = parse(
        reply(
            "example.com.", "NAPTR",
            ['example.com. 60 NAPTR 10 50 "s" "SIP+D2U" "" _sip._udp.Example.com.', "www.example.com. 5 CNAME a.B.com.",
             'example.com. 60 TXT "passed over"'],
        ).to_wire()
    )
    assert got is not None
    assert [record.data for record in got.records] == [
        (10, 50, "s", "SIP+D2U", "_sip._udp.example.com"), "a.b.com",
    ]


def test_the_order_of_addresses_is_kept() -> None:
    """A name server that rotates its list moves load from one server to the next."""
    lines = [f"sbc.example.com. 30 A 10.0.0.{last}" for last in (3, 1, 2)]
    got = parse(reply("sbc.example.com.", "A", lines).to_wire())
    assert got is not None
    assert [record.data for record in got.records] == ["10.0.0.3", "10.0.0.1", "10.0.0.2"]


def test_a_service_that_is_not_offered() -> None:
    """RFC 2782: a target of `.`."""
    got = parse(reply(SRV, "SRV", [f"{SRV} 60 SRV 0 0 0 ."]).to_wire())
    assert got is not None
    assert got.records[0].data == (0, 0, 0, "")


def test_a_name_that_does_not_exist_is_an_answer() -> None:
    message = reply("nowhere.example.com.", "A", [])
    message.set_rcode(dns.rcode.NXDOMAIN)
    got = parse(message.to_wire())
    assert got is not None
    assert (got.response, got.rcode, got.name, got.type, got.records) == (True, 3, "nowhere.example.com", "A", ())


@pytest.mark.parametrize("rcode", [dns.rcode.SERVFAIL, dns.rcode.REFUSED, dns.rcode.NOERROR])
def test_an_answer_without_records_is_kept(rcode: dns.rcode.Rcode) -> None:
    message = reply("sbc.example.com.", "AAAA", [])
    message.set_rcode(rcode)
    got = parse(message.to_wire())
    assert got is not None
    assert got.rcode == rcode


def test_a_truncated_answer_is_no_shorter_list() -> None:
    message = reply("sbc.example.com.", "A", ["sbc.example.com. 30 A 10.0.0.1"])
    message.flags |= dns.flags.TC
    assert parse(message.to_wire()) is None


def test_an_answer_from_another_port_is_nobodys() -> None:
    assert parse(reply("sbc.example.com.", "A", []).to_wire(), source_port=4711) is None


def test_the_same_question_twice_differs_in_time_and_place_only() -> None:
    first, second = (dns.message.make_query("sbc.example.com.", "A", id=number).to_wire() for number in (1, 2))
    assert parse(first, 49152) == parse(second, 49153)


def test_many_records_are_bounded() -> None:
    lines = [f"sbc.example.com. 30 A 10.0.{high}.{low}" for high in range(4) for low in range(100)]
    got = parse(reply("sbc.example.com.", "A", lines).to_wire())
    assert got is not None
    assert len(got.records) == RECORDS_KEPT


HEADER = struct.pack(">HHHHHH", 1, 0x8180, 1, 1, 0, 0)


@pytest.mark.parametrize(
    "wire",
    [
        b"",
        b"\0",
        bytes(11),
        HEADER,
        HEADER + b"\xc0\x0c\0\1\0\1",
        HEADER + b"\xc0\xff\0\1\0\1",
        HEADER + b"\x3fshort",
        HEADER + b"\0\0\1\0\1" + b"\xc0\x0c\0\1\0\1\0\0\0\x1e\0\x04\x0a\0",
        struct.pack(">HHHHHH", 1, 0x2800, 1, 0, 0, 0) + b"\0\0\1\0\1",
        struct.pack(">HHHHHH", 1, 0x8180, 0, 0, 0, 0),
    ],
    ids=["empty", "one byte", "short header", "no question", "loop", "pointer ahead", "label cut", "record cut",
         "update", "no question asked"],
)  # fmt: skip
def test_damaged_messages_are_none(wire: bytes) -> None:
    assert parse(wire) is None


GOOD = reply(
    SRV, "SRV", [f"{SRV} 60 SRV 10 5 5060 sbc1.example.com.", 'example.com. 60 NAPTR 10 50 "s" "SIP+D2U" "!a!b!" .'],
    ["sbc1.example.com. 30 A 10.0.0.1", "sbc1.example.com. 30 AAAA 2001:db8::1"],
).to_wire()


@given(st.lists(st.tuples(st.integers(0, len(GOOD) - 1), st.integers(0, 255)), max_size=8), st.integers(0, len(GOOD)))
def test_no_damage_raises(changes: list[tuple[int, int]], length: int) -> None:
    wire = bytearray(GOOD)
    for at, value in changes:
        wire[at] = value
    for damaged in (bytes(wire), bytes(wire[:length])):
        got = parse(damaged)
        assert got is None or len(got.records) <= 4


@given(st.binary(max_size=200))
def test_no_bytes_raise(tail: bytes) -> None:
    parse(tail)
    parse(HEADER + b"\0\0\1\0\1" + tail)
