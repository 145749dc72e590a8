"""HEP: messages shipped by capture agents, with the addresses and the time that the agent saw."""

from __future__ import annotations

import random
import struct
import zlib

import pytest

from sipaudit.capture.hep import PAYLOAD_BYTES, HepPacket, parse_hep
from tests.capture.packets import (
    PHONE,
    PHONE6,
    REGISTER,
    SERVER,
    SERVER6,
    TIME,
    Wire,
    ethernet,
    hep3,
    ip4,
    packed,
    udp,
)  # fmt: skip


def shipped(payload: bytes, port: int = 9060) -> bytes:
    return ethernet(ip4(udp(payload, 40000, port), source="192.0.2.1", destination="192.0.2.2"))


def hep2(payload: bytes = REGISTER, version: int = 2, *, v6: bool = False) -> bytes:
    addresses = packed(PHONE6) + packed(SERVER6) if v6 else packed(PHONE) + packed(SERVER)
    header = struct.pack(">BBBBHH", version, 8 + len(addresses), 10 if v6 else 2, 17, 5060, 5060) + addresses
    if version == 2:
        header += struct.pack("<IIHH", int(TIME), 250_000, 7, 0)
    return header + payload


@pytest.mark.parametrize("compressed", [False, True], ids=["plain", "compressed"])
@pytest.mark.parametrize(("source", "destination"), [(PHONE, SERVER), (PHONE6, SERVER6)], ids=["ipv4", "ipv6"])
def test_hep3_gives_the_agents_addresses_and_time(source: str, destination: str, compressed: bool) -> None:
    wire = Wire()
    packet = shipped(hep3(source=source, destination=destination, time=TIME + 0.25, compressed=compressed))
    got = wire.message(packet)
    assert got.payload == REGISTER
    assert (got.flow.source_host, got.flow.destination_host, got.flow.transport) == (source, destination, "udp")
    assert (got.flow.source_port, got.flow.destination_port, got.flow.source_mac) == (5060, 5060, None)
    assert (got.time, got.frame) == (TIME + 0.25, 1)


@pytest.mark.parametrize("v6", [False, True], ids=["ipv4", "ipv6"])
@pytest.mark.parametrize("version", [1, 2])
def test_the_older_versions(version: int, v6: bool) -> None:
    wire = Wire()
    got = wire.message(shipped(hep2(version=version, v6=v6)))
    assert got.payload == REGISTER
    assert got.flow.source_host == (PHONE6 if v6 else PHONE)
    assert got.time == (TIME + 0.25 if version == 2 else wire.time)


@pytest.mark.parametrize(
    ("protocol", "transport"), [(17, "udp"), (6, "tcp"), (22, "tls"), (132, "sctp")], ids=["udp", "tcp", "tls", "sctp"]
)
def test_the_transport_is_the_agents(protocol: int, transport: str) -> None:
    assert Wire().message(shipped(hep3(protocol=protocol))).flow.transport == transport


@pytest.mark.parametrize("time", [None, TIME - 2 * 86_400, 0.0, 4e9, TIME + 3600, TIME + 10])
def test_a_clock_that_cannot_be_right_is_not_believed(time: float | None) -> None:
    wire = Wire()
    assert wire.message(shipped(hep3(time=time))).time == wire.time


def test_what_is_no_sip_is_counted() -> None:
    wire = Wire()
    wire.see(shipped(hep3(b"{}", kind=5)))
    wire.see(shipped(hep3(b"\r\n\r\n")))
    assert wire.health.content == {"hep-type-5": 1, "keepalive": 1}
    wire.see(shipped(hep3(protocol=47)))
    wire.see(shipped(b"HEP3\x00\x06"))
    wire.see(shipped(hep3(b"garbage", compressed=True).replace(zlib.compress(b"garbage"), b"nothing like zlib")))
    assert wire.health.undecoded == {"hep-proto-47": 1, "hep": 2}


def test_a_damaged_message_is_handed_on_to_be_counted_as_malformed() -> None:
    assert Wire().message(shipped(hep3(b"\xff\xfe garbage"))).payload == b"\xff\xfe garbage"


def test_bytes_that_only_begin_like_the_older_versions_are_left_alone() -> None:
    wire = Wire()
    assert wire.see(shipped(hep2(b"no SIP at all"))) == []
    assert wire.health.content == {"udp": 1}


def test_a_bomb_is_inflated_no_further_than_a_datagram() -> None:
    packet = parse_hep(hep3(b"A" * 50_000_000, compressed=True))
    assert packet is not None
    assert len(packet.payload) <= PAYLOAD_BYTES
    assert packet.cut


def test_cut_by_the_snap_length() -> None:
    wire = Wire()
    whole = shipped(hep3())
    got = wire.message(whole[:-100], wire=len(whole))
    assert (got.payload, got.cut) == (REGISTER[:-100], True)
    assert wire.health.snaplen_cut == 1


@pytest.mark.parametrize("packet", [hep3(), hep3(compressed=True), hep2(), hep2(version=1, v6=True)])
def test_any_prefix_and_any_flipped_byte_gives_a_packet_or_none(packet: bytes) -> None:
    for length in range(len(packet)):
        got = parse_hep(packet[:length])
        assert got is None or isinstance(got, HepPacket)
    noise = random.Random(1)
    for _ in range(3000):
        data = bytearray(packet)
        for _ in range(noise.randrange(1, 5)):
            data[noise.randrange(len(data))] = noise.randrange(256)
        parse_hep(bytes(data))


def test_the_agents_key_and_number_are_read() -> None:
    packet = parse_hep(hep3(key=b"secret"))
    assert packet is not None
    assert (packet.key, packet.agent, packet.type, packet.version) == (b"secret", 101, 1, 3)


def test_hep_in_hep_is_not_followed() -> None:
    payload = REGISTER
    for _ in range(50):
        payload = hep3(payload)
    got = Wire().message(shipped(payload))
    assert got.payload[:4] == b"HEP3"  # its chunk declares a SIP payload: the parser reports it as malformed
