"""DNS messages parsed into values."""

from __future__ import annotations

import struct
import time
from random import Random
from typing import Any

import dns.exception
import dns.flags
import dns.message
import dns.rcode
import dns.rrset
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sipaudit.capture.dns import RECORDS_KEPT, parse_dns
from sipaudit.capture.flows import host
from sipaudit.sip.datagram import DnsMessage, DnsRecord
from tests.capture.dns_replies import SRV, reply


def parse(wire: bytes, source_port: int = 53) -> DnsMessage | None:
    return parse_dns(
        wire, time=1.5, capture=2, frame=3, source_host="10.0.0.53", destination_host="10.1.0.5",
        source_port=source_port,
    )


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


# -- the same as dnspython reads, in time linear in the length of the message

READ: dict[str, Any] = {
    "A": lambda data: data.address, "AAAA": lambda data: host(dns.inet.inet_pton(dns.inet.AF_INET6, data.address)),
    "CNAME": lambda data: named(data.target),
    "SRV": lambda data: (data.priority, data.weight, data.port, named(data.target)),
    "NAPTR": lambda data: (data.order, data.preference, word(data.flags), word(data.service), named(data.replacement)),
}
ANSWERS = [
    GOOD, dns.message.make_query("a b.ex\\\\.am.(com).", "PTR", use_edns=0).to_wire(),
    reply("x.example.com.", "A", ["x.example.com. 30 CNAME y.example.com.", "y.example.com. 30 A 10.0.0.1"],
          ["ns.example.com. 5 AAAA ::ffff:1.2.3.4", "ns.example.com. 5 MX 1 y.example.com."]).to_wire(),
    reply("4.3.2.1.e164.arpa.", "NAPTR", ['4.3.2.1.e164.arpa. 60 NAPTR 10 50 "u" "E2U+sip" "!^(.*)$!sip:x@h!" .',
                                          '4.3.2.1.e164.arpa. 60 NAPTR 10 51 "" "SIP+D2T" "" _sip._tcp.EXAMPLE.']
          ).to_wire(),
]


def named(name: dns.name.Name) -> str:
    return name.to_text(omit_final_dot=True).lower().rstrip(".")


def word(value: bytes) -> str:
    return value.decode("ascii", "backslashreplace")


def as_dnspython_reads(wire: bytes) -> tuple[int, str, tuple[DnsRecord, ...]] | None:
    """Response code, name, and records; None where dnspython reads nothing."""
    try:
        message = dns.message.from_wire(wire, ignore_trailing=True, one_rr_per_rrset=True)
        if message.opcode() or not message.question or message.flags & dns.flags.TC:
            return None
        found = [(one, dns.rdatatype.to_text(one.rdtype)) for one in (*message.answer, *message.additional)]
        return int(message.rcode()), named(message.question[0].name), tuple(
            DnsRecord(named(one.name), kind, one.ttl, READ[kind](one[0]))
            for one, kind in found if one.rdclass == dns.rdataclass.IN and kind in READ)
    except (dns.exception.DNSException, ValueError):
        return None


def damaged(chance: Random) -> bytes:
    """An answer with bytes changed, inserted, or turned into a pointer."""
    wire = bytearray(chance.choice(ANSWERS))
    wire[:2] = bytes(2)   # the transaction ID, which we ignore: a damaged name may now point at it
    for _ in range(chance.randint(0, 3)):
        at = chance.randrange(2, len(wire))
        match chance.randrange(4):
            case 0:
                wire[at] = chance.choice((0, 1, 12, 0x40, 0xC0, chance.randrange(256)))
            case 1:
                wire[at:at] = wire[chance.randrange(len(wire)):][:chance.randrange(30)]
            case 2:
                wire[at:at + 2] = struct.pack(">H", 0xC000 | chance.randrange(len(wire)))
            case _:
                wire[2:4] = chance.randbytes(2)
    return bytes(wire)


@pytest.mark.parametrize("seed", range(10))
def test_what_dnspython_reads_is_read_the_same(seed: int) -> None:
    """dnspython reads records of all types, and rejects a message if one of them is damaged."""
    chance, same = Random(seed), 0
    for _ in range(500):
        wire = damaged(chance)
        wanted, got = as_dnspython_reads(wire), parse(wire)
        if wanted is not None:
            assert got is not None
            assert (got.rcode, got.name, got.records) == wanted
            same += 1
    assert same > 150


LONG_NAME = b"\1a" * 120 + b"\0"
TO_IT = struct.pack(">H", 0xC00C)


def targets(count: int) -> bytes:
    """`count` records whose names and targets are all one long name."""
    record = TO_IT + struct.pack(">HHIH3H", 33, 1, 60, 8, 1, 1, 5060) + TO_IT
    return struct.pack(">HHHHHH", 1, 0x8180, 1, count, 0, 0) + LONG_NAME + b"\0\1\0\1" + record * count


def pointers(count: int) -> bytes:
    """A chain of `count` compression pointers, and as many records whose name is its last pointer."""
    head = struct.pack(">HHHHHH", 1, 0x8180, 1, 1 + count, 0, 0) + b"\0\0\1\0\1"
    first = len(head) + 11
    chain = b"\0" + b"".join(struct.pack(">H", 0xC000 | (first + 2 * number - 1 if number else first))
                             for number in range(count))
    last = struct.pack(">H", 0xC000 | (first + 2 * count - 1))
    return (head + b"\0" + struct.pack(">HHIH", 65_280, 1, 60, len(chain)) + chain
            + (last + struct.pack(">HHIH", 1, 1, 60, 4) + b"\x0a\0\0\1") * count)


def seconds(wire: bytes) -> float:
    begun = time.process_time()
    got = parse(wire)
    spent = time.process_time() - begun
    assert got is not None
    assert len(got.records) == RECORDS_KEPT
    return spent


@pytest.mark.parametrize("made", [targets, pointers])
def test_work_is_linear_in_the_bytes(made: Any) -> None:
    """Sixteen times the records take about sixteen times as long, even if every name in 64 kB has 120 labels."""
    few, many = (min(seconds(made(count) + bytes(number)) for number in range(3)) for count in (200, 3_200))
    assert many < 16 * few * 4 + 0.01
    plain = struct.pack(">HHHHHH", 1, 0x8180, 1, 3_200, 0, 0) + b"\0\0\1\0\1" + (
        b"\0" + struct.pack(">HHIH", 1, 1, 60, 4) + b"\x0a\0\0\1") * 3_200
    assert many < 8 * min(seconds(plain + bytes(number)) for number in range(3)) + 0.01
