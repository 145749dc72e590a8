"""Decoding one packet: SIP is found by content, everything else is counted, and both roads agree."""

from __future__ import annotations

import random
import struct

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sipaudit.capture.bounds import FOR_FILES
from sipaudit.capture.decode import Decoder
from sipaudit.capture.flows import Flows
from sipaudit.capture.health import CaptureHealth
from sipaudit.capture.layers import KINDS_KEPT
from sipaudit.sip.datagram import Connection, Datagram, DnsMessage, TransportError
from tests.capture.packets import (
    ETHERNET,
    PHONE,
    PHONE_MAC,
    REGISTER,
    SERVER,
    TIME,
    Wire,
    ethernet,
    ip4,
    ip6,
    packed,
    tagged,
    tcp,
    udp,
    vxlan,
)  # fmt: skip

SLL2 = 276
DNS_QUERY = b"\x12\x34\x01\0\0\1\0\0\0\0\0\0\x04_sip\x04_udp\x07example\x03com\0\0\x21\0\1"


def test_a_sip_message_over_udp() -> None:
    got = Wire().message(ethernet(ip4(udp())))
    assert got.payload == REGISTER
    assert (got.time, got.capture, got.frame, got.frames, got.cut) == (TIME + 1, 0, 1, (), False)
    assert (got.flow.source, got.flow.destination) == ("10.1.0.5:5060", "10.0.0.1:5060")
    assert (got.flow.transport, got.flow.source_mac) == ("udp", "0004f2123456")


def test_sip_is_found_on_any_port_and_behind_line_ends() -> None:
    wire = Wire()
    assert wire.message(ethernet(ip4(udp(REGISTER, 33000, 5999)))).flow.destination_port == 5999
    assert wire.message(ethernet(ip4(udp(b"\r\n\r\n" + REGISTER, 33000, 5999)))).payload.endswith(REGISTER)


def test_one_flow_is_one_object_whatever_the_road() -> None:
    wire = Wire()
    first = wire.message(ethernet(ip4(udp()))).flow
    assert wire.message(ethernet(ip4(udp()))).flow is first
    assert wire.message(ethernet(ip4(udp(), options=b"\1\1\1\1"))).flow is first
    of_vlan = wire.message(ethernet(tagged(ip4(udp())), 0x8100)).flow
    assert wire.message(ethernet(tagged(ip4(udp(), options=b"\1\1\1\1")), 0x8100)).flow is of_vlan != first
    assert wire.message(ethernet(ip4(udp()), source=b"\2\0\0\0\0\7")).flow.source_mac == "020000000007"


@pytest.mark.parametrize("options", [b"", b"\1\1\1\1"], ids=["the short road", "the long road"])
@pytest.mark.parametrize(("tags", "vlan"), [
    ((), None), ((20,), "20"), ((0x6014,), "20"), ((100, 20), "100.20"), ((0xE000,), None), ((0, 20), "20")])
def test_a_flow_has_the_vlans_of_its_packet_without_their_priority(
    tags: tuple[int, ...], vlan: str | None, options: bytes
) -> None:
    packet, kind = ip4(udp(), options=options), 0x0800
    for tag in reversed(tags):
        packet, kind = struct.pack(">HH", tag, kind) + packet, 0x8100
    wire = Wire()
    assert wire.message(ethernet(packet, kind)).flow.vlan == vlan
    cooked = struct.pack(">HHH", 0, 1, 6) + PHONE_MAC + b"\0\0" + struct.pack(">H", kind) + packet
    assert wire.message(cooked, link_type=113).flow.vlan == vlan
    assert wire.message(cooked[:4] + b"\0\0" + cooked[6:], link_type=113).flow.source_mac is None


def test_what_a_tunnel_carries_has_its_own_vlan() -> None:
    inner = ethernet(tagged(ip4(udp())), 0x8100)
    outer = ip4(vxlan(inner), 17, "192.0.2.1", "192.0.2.2")
    assert Wire().message(ethernet(struct.pack(">HH", 7, 0x0800) + outer, 0x8100)).flow.vlan == "100"
    assert Wire().message(ethernet(struct.pack(">HH", 7, 0x0800) + ip4(ip4(udp()), 4), 0x8100)).flow.vlan is None


def test_a_mac_of_zeroes_is_none() -> None:
    assert Wire().message(ethernet(ip4(udp()), source=b"\0" * 6)).flow.source_mac is None


def test_the_flow_cache_is_bounded_and_keeps_what_is_used() -> None:
    flows = Flows()
    kept = packed(PHONE) + packed(SERVER)
    flow = flows.get("udp", kept, b"\x13\xc4\x13\xc4")
    for number in range(3 * FOR_FILES.flows):
        flows.get("udp", number.to_bytes(8, "big"), b"\0\1\0\1")
        if number % 1000 == 0:
            assert flows.get("udp", kept, b"\x13\xc4\x13\xc4") is flow
    assert len(flows.young) <= FOR_FILES.flows


@pytest.mark.parametrize(
    "payload",
    [b"", b"\0", b"\r\n\r\n", b"\r\n", b"\0\0\0\0", b"jaK\0", b"hello",
     b"\0\1\0\0\x21\x12\xa4\x42" + b"t" * 12],
    ids=["empty", "one byte", "crlf twice", "crlf", "zeroes", "linphone", "hello", "stun"],
)  # fmt: skip
def test_keepalives_on_the_sip_port_are_no_messages(payload: bytes) -> None:
    wire = Wire()
    assert wire.see(ethernet(ip4(udp(payload)))) == []
    assert wire.health.content == {"keepalive": 1}


@pytest.mark.parametrize("payload", [b"\xff\xfe\xfd garbage", b"REGISTER without a version", REGISTER[30:]])
def test_damaged_payloads_on_the_sip_port_come_through_to_be_counted_as_malformed(payload: bytes) -> None:
    assert Wire().message(ethernet(ip4(udp(payload, 5060, 33000)))).payload == payload
    elsewhere = Wire()
    assert elsewhere.see(ethernet(ip4(udp(payload, 33001, 33000)))) == []
    assert elsewhere.health.content == {"udp": 1}


@pytest.mark.parametrize(
    ("payload", "port", "kind"),
    [
        (b"\x80\x08" + b"\0" * 170, 20000, "rtp-like"),
        (b"\0\1\0\0\x21\x12\xa4\x42" + b"t" * 12, 20000, "stun"),
        (b"x" * 40, 5353, "mdns"),
        (b"x" * 40, 20000, "udp"),
        (b"\r\n\r\n", 20000, "keepalive"),
        (b"", 20000, "keepalive"),
    ],
)
def test_what_is_no_sip_is_counted_as_content(payload: bytes, port: int, kind: str) -> None:
    wire = Wire()
    assert wire.see(ethernet(ip4(udp(payload, 20002, port)))) == []
    assert wire.health.content == {kind: 1}


def test_dtls_on_the_sips_port_is_encrypted_sip() -> None:
    wire = Wire()
    wire.see(ethernet(ip4(udp(b"\x17\xfe\xfd" + b"\0" * 30, 33000, 5061))))
    assert wire.health.encrypted == {"dtls": 1}


def test_dns_goes_to_the_dns_reader() -> None:
    wire = Wire()
    (query,) = wire.see(ethernet(ip4(udp(DNS_QUERY, 33000, 53))))
    assert isinstance(query, DnsMessage)
    assert (query.client, query.server, query.name, query.type) == (PHONE, SERVER, "_sip._udp.example.com", "SRV")
    assert wire.health.content == {"dns": 1}
    assert wire.see(ethernet(ip4(udp(b"no dns at all", 33000, 53)))) == []


def test_tcp_goes_to_the_streams() -> None:
    wire = Wire()
    (syn,) = wire.see(ethernet(ip4(tcp(flags=2, seq=99), 6)))
    assert isinstance(syn, Connection)
    wire.see(ethernet(ip4(tcp(REGISTER[:100], seq=100), 6)))
    got = wire.message(ethernet(ip4(tcp(REGISTER[100:], seq=200), 6)))
    assert (got.payload, got.frames, got.flow.transport) == (REGISTER, (2, 3), "tcp")
    assert got.flow.source_mac == "0004f2123456"
    assert wire.health.content == {"tcp": 3}


@pytest.mark.parametrize(
    ("segment", "kind"),
    [(tcp()[:19], "truncated-header"), (b"\0" * 12 + b"\x40" + b"\0" * 7, "tcp-header"),
     (b"\0" * 12 + b"\xf0" + b"\0" * 7, "truncated-header")],
)
def test_bad_tcp_headers_are_counted(segment: bytes, kind: str) -> None:
    wire = Wire()
    assert wire.see(ethernet(ip4(segment, 6))) == []
    assert wire.health.undecoded == {kind: 1}


def test_kinds_that_packets_make_up_are_counted_together_beyond_a_bound() -> None:
    """Each packet has another EtherType, of which there are 65,000; and health is reported every ten seconds."""
    wire = Wire()
    for number in range(0x9000, 0x9000 + 4 * KINDS_KEPT):
        wire.see(b"\x02" * 12 + number.to_bytes(2, "big") + b"payload of what nobody knows" * 2)
    counted = wire.health.undecoded
    assert len(counted) == KINDS_KEPT + 1
    assert counted["other"] == 4 * KINDS_KEPT - KINDS_KEPT == counted.total() - KINDS_KEPT


def test_a_syn_that_nobody_answers_is_told_when_its_time_is_up() -> None:
    wire = Wire()
    wire.see(ethernet(ip4(tcp(flags=2), 6)))
    later = wire.see(ethernet(ip4(udp())), time=wire.time + 600)
    assert [type(item) for item in later] == [TransportError, Datagram]


def test_the_end_of_the_captures_ends_the_streams() -> None:
    wire = Wire()
    wire.see(ethernet(ip4(tcp(flags=2, seq=99), 6)))
    wire.see(ethernet(ip4(tcp(REGISTER[:100], seq=100), 6)))
    assert isinstance(wire.finish(), list)


class TestSnapLength:
    """A message whose end was cut off by the snap length is reported as such, and counted once."""

    @pytest.mark.parametrize("keep", [60, 100, 150, 200])
    def test_over_udp(self, keep: int) -> None:
        wire = Wire()
        whole = ethernet(ip4(udp()))
        got = wire.message(whole[:keep], wire=len(whole))
        assert (got.payload, got.cut) == (whole[42:keep], True)
        assert wire.health.snaplen_cut == 1

    def test_over_ipv6_and_vlan(self) -> None:
        wire = Wire()
        whole = ethernet(tagged(ip6(udp()), 0x86DD), 0x8100)
        assert wire.message(whole[:120], wire=len(whole)).cut
        assert wire.health.snaplen_cut == 1

    def test_only_the_padding_is_missing(self) -> None:
        wire = Wire()
        frame = ethernet(ip4(udp()))
        assert not wire.message(frame, wire=len(frame) + 4).cut

    def test_segmentation_offload_leaves_no_length(self) -> None:
        wire = Wire()
        frame = ethernet(ip4(udp(), total=0))
        assert wire.message(frame).payload == REGISTER
        assert wire.message(frame[:150], wire=len(frame)).cut


def test_a_mirrored_packet_counts_once() -> None:
    wire = Wire()
    frame = ethernet(ip4(udp(), identification=77))
    assert len(wire.see(frame, time=TIME)) == 1
    assert wire.see(ethernet(tagged(ip4(udp(), identification=77)), 0x8100), time=TIME + 0.00001) == []
    assert wire.health.duplicates == 1
    assert len(wire.see(ethernet(ip4(udp(), identification=78)), time=TIME + 0.5)) == 1


def test_every_capture_has_its_own_counters() -> None:
    health = [CaptureHealth("a.pcap"), CaptureHealth("b.pcap")]
    decoder = Decoder(health)
    decoder.decode((TIME, 1, 127, b"x", 1), 1)
    assert not health[0].undecoded
    assert health[1].undecoded == {"link-type-127": 1}


@pytest.mark.parametrize("time", [0.0, -1e12, 1e20, 5e18, 1.0])
def test_clocks_that_leap_do_no_harm(time: float) -> None:
    wire = Wire()
    wire.see(ethernet(ip4(tcp(flags=2), 6)))
    assert any(isinstance(item, Datagram) for item in wire.see(ethernet(ip4(udp())), time=time))
    assert any(isinstance(item, Datagram) for item in wire.see(ethernet(ip4(udp(), identification=2)), time=TIME))


def _long_way_round(data: bytes) -> tuple[int, bytes]:
    """The same frame under a link type that only the long road handles."""
    return SLL2, data[12:14] + b"\0\0\0\0\0\1\0\1\0\6" + data[6:12] + b"\0\0" + data[14:]


@settings(max_examples=300, deadline=None)
@given(st.integers(0, 2), st.binary(max_size=3), st.randoms(use_true_random=False), st.booleans())
def test_the_short_road_and_the_long_one_agree(tags: int, tail: bytes, noise: random.Random, sip: bool) -> None:
    payload, ethertype = ip4(udp(REGISTER if sip else b"\x80" + b"\0" * 50)) + tail, 0x0800
    for _ in range(tags):
        payload, ethertype = tagged(payload, ethertype), 0x8100
    data = bytearray(ethernet(payload, ethertype))
    for _ in range(noise.randrange(3)):
        data[noise.randrange(14, 60)] = noise.randrange(256)
    frame = bytes(data[: noise.choice([len(data), noise.randrange(14, len(data))])])
    short, long = Wire(), Wire()
    link_type, other = _long_way_round(frame)
    assert short.see(frame, ETHERNET, wire=len(data)) == long.see(other, link_type, wire=len(data) + 6)
    for name in ("undecoded", "content", "encrypted", "snaplen_cut", "duplicates"):
        assert getattr(short.health, name) == getattr(long.health, name), name
