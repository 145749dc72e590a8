"""The same SIP message inside every link layer and tunnel: it must come out the same."""

from __future__ import annotations

import random
import struct
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import TypedDict

import pytest

from sipaudit.sip.datagram import Datagram
from tests.capture.packets import (
    ETHERNET,
    MIRROR_MAC,
    PHONE,
    PHONE6,
    REGISTER,
    SERVER,
    SERVER6,
    Wire,
    ethernet,
    fragment6,
    gre,
    gtp_u,
    hep3,
    ip4,
    ip6,
    tagged,
    udp,
    vxlan,
)  # fmt: skip
from tests.shared import needs_tshark

NULL, RAW, LOOP, SLL, SLL2, IPV4, IPV6, PPP = 0, 101, 108, 113, 276, 228, 229, 9


class Ends(TypedDict):
    source: str
    destination: str


OUTER: Ends = {"source": "192.0.2.1", "destination": "192.0.2.2"}
OUTER6: Ends = {"source": "2001:db8:ffff::1", "destination": "2001:db8:ffff::2"}

INNER = {4: ip4(udp()), 6: ip6(udp())}
ETHERTYPE = {4: 0x0800, 6: 0x86DD}


def sll(payload: bytes, ethertype: int) -> bytes:
    return struct.pack(">HHH8sH", 0, 1, 6, b"\x00\x04\xf2\x12\x34\x56\0\0", ethertype) + payload


def sll2(payload: bytes, ethertype: int) -> bytes:
    return struct.pack(">HHIHBB8s", ethertype, 0, 2, 1, 0, 6, b"\x00\x04\xf2\x12\x34\x56\0\0") + payload


def eth(payload: bytes, ethertype: int = 0x0800) -> bytes:
    return ethernet(payload, ethertype, MIRROR_MAC)

LINKS: dict[str, Callable[[int], tuple[int, bytes]]] = {
    "ethernet": lambda v: (ETHERNET, ethernet(INNER[v], ETHERTYPE[v])),
    "ethernet with padding": lambda v: (ETHERNET, ethernet(INNER[v], ETHERTYPE[v]) + b"\0\0\0\0"),
    "vlan": lambda v: (ETHERNET, ethernet(tagged(INNER[v], ETHERTYPE[v]), 0x8100)),
    "qinq": lambda v: (ETHERNET, ethernet(tagged(tagged(INNER[v], ETHERTYPE[v]), 0x8100), 0x88A8)),
    "qinq 9100": lambda v: (ETHERNET, ethernet(tagged(tagged(INNER[v], ETHERTYPE[v]), 0x8100), 0x9100)),
    "three tags": lambda v: (
        ETHERNET, ethernet(tagged(tagged(tagged(INNER[v], ETHERTYPE[v]), 0x8100), 0x8100), 0x88A8)),
    "mpls": lambda v: (ETHERNET, ethernet(b"\x00\x01\x00\x40\x00\x02\x01\x40" + INNER[v], 0x8847)),
    "mpls in vlan": lambda v: (ETHERNET, ethernet(tagged(b"\x00\x02\x01\x40" + INNER[v], 0x8847), 0x8100)),
    "pppoe": lambda v: (ETHERNET, ethernet(
        struct.pack(">BBHHH", 0x11, 0, 9, 2 + len(INNER[v]), {4: 0x21, 6: 0x57}[v]) + INNER[v], 0x8864)),
    "vn-tag": lambda v: (ETHERNET, ethernet(b"\x00\x01\x00\x02" + struct.pack(">H", ETHERTYPE[v]) + INNER[v], 0x8926)),
    "802.1br": lambda v: (ETHERNET, ethernet(b"\0\0\0\1\0\0" + struct.pack(">H", ETHERTYPE[v]) + INNER[v], 0x893F)),
    "snap": lambda v: (ETHERNET, ethernet(
        b"\xaa\xaa\x03\0\0\0" + struct.pack(">H", ETHERTYPE[v]) + INNER[v], 8 + len(INNER[v]))),
    "linux cooked": lambda v: (SLL, sll(INNER[v], ETHERTYPE[v])),
    "linux cooked with vlan": lambda v: (SLL, sll(tagged(INNER[v], ETHERTYPE[v]), 0x8100)),
    "linux cooked 2": lambda v: (SLL2, sll2(INNER[v], ETHERTYPE[v])),
}

NO_MAC: dict[str, Callable[[int], tuple[int, bytes]]] = {
    "null, little-endian": lambda v: (NULL, struct.pack("<I", {4: 2, 6: 30}[v]) + INNER[v]),
    "null, big-endian": lambda v: (NULL, struct.pack(">I", {4: 2, 6: 24}[v]) + INNER[v]),
    "loop": lambda v: (LOOP, struct.pack(">I", {4: 2, 6: 28}[v]) + INNER[v]),
    "raw": lambda v: (RAW, INNER[v]),
    "raw 12": lambda v: (12, INNER[v]),
    "raw 14": lambda v: (14, INNER[v]),
    "ip of its own link type": lambda v: ({4: IPV4, 6: IPV6}[v], INNER[v]),
    "ppp": lambda v: (PPP, b"\xff\x03" + struct.pack(">H", {4: 0x21, 6: 0x57}[v]) + INNER[v]),
    "ppp, compressed protocol": lambda v: (PPP, bytes([{4: 0x21, 6: 0x57}[v]]) + INNER[v]),
    "ipip, 6in4": lambda v: (ETHERNET, eth(ip4(INNER[v], {4: 4, 6: 41}[v], **OUTER))),
    "4in6, 6in6": lambda v: (ETHERNET, eth(ip6(INNER[v], {4: 4, 6: 41}[v], **OUTER6), 0x86DD)),
    "gre": lambda v: (ETHERNET, eth(ip4(gre(INNER[v], ETHERTYPE[v]), 47, **OUTER))),
    "gre with checksum, key and sequence": lambda v: (
        ETHERNET, eth(ip4(gre(INNER[v], ETHERTYPE[v], 0xB000, b"\0" * 12), 47, **OUTER))),
    "gre over ipv6": lambda v: (ETHERNET, eth(ip6(gre(INNER[v], ETHERTYPE[v]), 47, **OUTER6), 0x86DD)),
    "pptp": lambda v: (ETHERNET, eth(ip4(gre(
        struct.pack(">H", {4: 0x21, 6: 0x57}[v]) + INNER[v], 0x880B, 0x3081, b"\0" * 12), 47, **OUTER))),
    "gtp-u": lambda v: (ETHERNET, eth(ip4(gtp_u(INNER[v]), **OUTER))),
    "gtp-u with extension": lambda v: (ETHERNET, eth(ip4(gtp_u(
        INNER[v], 0x34, b"\0\0\0\x85" + b"\x01\x10\x00\x00"), **OUTER))),
    "geneve": lambda v: (ETHERNET, eth(ip4(udp(
        struct.pack(">BBHI", 1, 0, ETHERTYPE[v], 0) + b"OPTS" + INNER[v], 50000, 6081), **OUTER))),
    "vxlan-gpe": lambda v: (ETHERNET, eth(ip4(udp(
        b"\x0c\0\0" + bytes([{4: 1, 6: 2}[v]]) + b"\0\0\x2a\0" + INNER[v], 50000, 4790), **OUTER))),
    "l2tp": lambda v: (ETHERNET, eth(ip4(udp(
        b"\0\x02\0\1\0\1\xff\x03" + struct.pack(">H", {4: 0x21, 6: 0x57}[v]) + INNER[v], 1701, 1701), **OUTER))),
    "l2tp with length, sequence and offset": lambda v: (ETHERNET, eth(ip4(udp(struct.pack(
        ">HHHHHHH2xH", 0x4A02, 18 + len(INNER[v]), 1, 1, 7, 7, 2, {4: 0x21, 6: 0x57}[v]) + INNER[v] + b"behind",
        1701, 1701), **OUTER))),
    "mpls in ip": lambda v: (ETHERNET, eth(ip4(b"\x00\x02\x01\x40" + INNER[v], 137, **OUTER))),
}  # fmt: skip


def _bridged(v: int) -> bytes:
    return ethernet(INNER[v], ETHERTYPE[v])


BRIDGES: dict[str, Callable[[int], tuple[int, bytes]]] = {
    "gre, transparent ethernet": lambda v: (ETHERNET, eth(ip4(gre(_bridged(v), 0x6558), 47, **OUTER))),
    "erspan 1": lambda v: (ETHERNET, eth(ip4(gre(_bridged(v), 0x88BE), 47, **OUTER))),
    "erspan 2": lambda v: (ETHERNET, eth(ip4(gre(
        b"\x10\x64\0\1\0\0\0\0" + _bridged(v), 0x88BE, 0x1000, b"\0\0\0\1"), 47, **OUTER))),
    "erspan 3": lambda v: (ETHERNET, eth(ip4(gre(
        b"\x20\x64\0\1" + b"\0" * 8 + _bridged(v), 0x22EB, 0x1000, b"\0\0\0\1"), 47, **OUTER))),
    "erspan 3 with subheader": lambda v: (ETHERNET, eth(ip4(gre(
        b"\x20\x64\0\1" + b"\0" * 7 + b"\x01" + b"\0" * 8 + _bridged(v), 0x22EB, 0x1000, b"\0\0\0\1"), 47, **OUTER))),
    "vxlan": lambda v: (ETHERNET, eth(ip4(vxlan(_bridged(v)), **OUTER))),
    "vxlan, linux's port": lambda v: (ETHERNET, eth(ip4(udp(b"\x08" + b"\0" * 7 + _bridged(v), 50000, 8472), **OUTER))),
    "vxlan with a group's policy": lambda v: (ETHERNET, eth(ip4(udp(
        b"\x88\0\0\x07\0\0\x2a\0" + _bridged(v), 50000, 4789), **OUTER))),
    "vxlan-gpe, ethernet": lambda v: (ETHERNET, eth(ip4(udp(
        b"\x0c\0\0\x03\0\0\x2a\0" + _bridged(v), 50000, 4790), **OUTER))),
    "vxlan over ipv6": lambda v: (ETHERNET, eth(ip6(vxlan(_bridged(v)), **OUTER6), 0x86DD)),
    "geneve, ethernet": lambda v: (ETHERNET, eth(ip4(udp(
        struct.pack(">BBHI", 0, 0, 0x6558, 0) + _bridged(v), 50000, 6081), **OUTER))),
    "tzsp": lambda v: (ETHERNET, eth(ip4(udp(b"\1\0\0\1\1" + _bridged(v), 50000, 37008), **OUTER))),
    "tzsp, sent, with tags": lambda v: (ETHERNET, eth(ip4(udp(
        b"\1\1\0\1\0\x0a\1\xd0\x0d\4\0\0\0\0\1" + _bridged(v), 50000, 37008), **OUTER))),
    "pseudowire": lambda v: (ETHERNET, eth(b"\x00\x02\x01\x40\0\0\0\0" + _bridged(v), 0x8847)),
    "pseudowire without control word": lambda v: (ETHERNET, eth(
        b"\x00\x02\x01\x40" + b"\0\0" + _bridged(v)[2:], 0x8847)),
    "vlan in gre in vxlan in vlan": lambda v: (ETHERNET, eth(tagged(ip4(vxlan(ethernet(ip4(gre(
        ethernet(tagged(INNER[v], ETHERTYPE[v]), 0x8100), 0x6558), 47, **OUTER))), **OUTER)), 0x8100)),
}  # fmt: skip

WITH_MAC = {**LINKS, **BRIDGES}
ALL = {**WITH_MAC, **NO_MAC}


@pytest.mark.parametrize("version", [4, 6])
@pytest.mark.parametrize("name", ALL)
def test_the_message_comes_out_with_the_inner_addresses(name: str, version: int) -> None:
    link_type, data = ALL[name](version)
    wire = Wire()
    (message,) = wire.see(data, link_type)
    assert isinstance(message, Datagram)
    assert message.payload == REGISTER
    assert (message.frame, message.frames, message.cut) == (1, (), False)
    hosts = {4: (PHONE, SERVER), 6: (PHONE6, SERVER6)}[version]
    assert (message.flow.source_host, message.flow.destination_host) == hosts
    assert (message.flow.source_port, message.flow.destination_port, message.flow.transport) == (5060, 5060, "udp")
    assert message.flow.source_mac == ("0004f2123456" if name in WITH_MAC else None)
    assert not wire.health.undecoded


UNKNOWN_TO_TSHARK = {"vxlan, linux's port", "pseudowire"}  # 4.0: not its port; its guess is "no control word"


@needs_tshark
@pytest.mark.parametrize("link_type", sorted({make(version)[0] for make in ALL.values() for version in (4, 6)}))
def test_tshark_reads_these_packets_as_we_do(link_type: int, tmp_path: Path) -> None:
    frames = [
        (version, data)
        for name, make in ALL.items() for version in (4, 6) for kind, data in [make(version)]
        if kind == link_type and name not in UNKNOWN_TO_TSHARK
    ]  # fmt: skip
    capture = tmp_path / "all.pcap"
    capture.write_bytes(struct.pack("<IHHiIII", 0xA1B2C3D4, 2, 4, 0, 0, 65_535, link_type) + b"".join(
        struct.pack("<IIII", 1_700_000_000 + number, 0, len(data), len(data)) + data
        for number, (_, data) in enumerate(frames)
    ))  # fmt: skip
    fields = ["-e", "frame.number", "-e", "sip.Method", "-e", "ip.src", "-e", "ipv6.src"]
    command = ["tshark", "-r", str(capture), "-T", "fields", "-E", "occurrence=l", *fields]
    shown = subprocess.run(command, capture_output=True, text=True, check=True).stdout.splitlines()
    for (version, _), line in zip(frames, shown, strict=True):
        assert "REGISTER" in line
        assert {4: PHONE, 6: PHONE6}[version] in line


@pytest.mark.parametrize("version", [4, 6])
@pytest.mark.parametrize("name", ALL)
def test_cut_at_any_byte_nothing_is_raised_and_something_is_counted(name: str, version: int) -> None:
    link_type, data = ALL[name](version)
    full = len(data)
    for length in range(full):
        wire = Wire()
        items = wire.see(data[:length], link_type, wire=full)
        assert items or wire.health.undecoded or wire.health.content, length
        if len(items) == 1 and isinstance(items[0], Datagram) and len(items[0].payload) < len(REGISTER):
            assert items[0].cut
            assert REGISTER.startswith(items[0].payload)
            assert wire.health.snaplen_cut == 1


@pytest.mark.parametrize("link_type", [0, 1, 9, 12, 14, 50, 51, 101, 108, 113, 219, 228, 229, 276, 127])
def test_random_bytes_never_raise(link_type: int) -> None:
    noise = random.Random(link_type)
    wire = Wire()
    for _ in range(1500):
        wire.see(noise.randbytes(noise.randrange(120)), link_type)
    wire.finish()


@pytest.mark.parametrize("name", ALL)
def test_flipped_bytes_never_raise(name: str) -> None:
    noise = random.Random(name)
    link_type, whole = ALL[name](4)
    wire = Wire()
    for _ in range(400):
        data = bytearray(whole)
        for _ in range(noise.randrange(1, 6)):
            data[noise.randrange(min(len(data), 120))] = noise.randrange(256)
        wire.see(bytes(data), link_type)
    wire.finish()


WRAPS: dict[str, Callable[[bytes], bytes]] = {
    "ipip": lambda packet: ip4(packet, 4, **OUTER),
    "4in6 in 6in4": lambda packet: ip4(ip6(packet, 4, **OUTER6), 41, **OUTER),
    "gre": lambda packet: ip4(gre(packet), 47, **OUTER),
    "vxlan": lambda packet: ip4(vxlan(ethernet(packet)), **OUTER),
    "gtp-u": lambda packet: ip4(gtp_u(packet), **OUTER),
}


@pytest.mark.parametrize("name", WRAPS)
def test_tunnels_in_tunnels_stop_at_the_bound(name: str) -> None:
    packet = INNER[4]
    for _ in range(200):
        packet = WRAPS[name](packet)
    wire = Wire()
    assert wire.see(ethernet(packet)) == []
    assert wire.health.undecoded == {"nesting": 1}


@pytest.mark.parametrize("tags", [200, 5000])
def test_tags_in_tags_stop_at_the_bound(tags: int) -> None:
    packet, ethertype = INNER[4], 0x0800
    for _ in range(tags):
        packet, ethertype = tagged(packet, ethertype), 0x8100
    wire = Wire()
    assert wire.see(ethernet(packet, 0x8100)) == []
    assert wire.health.undecoded == {"nesting": 1}


def test_three_tunnels_are_followed() -> None:
    packet = WRAPS["vxlan"](WRAPS["gre"](WRAPS["ipip"](INNER[4])))
    assert len(Wire().see(ethernet(packet))) == 1


def test_sip_on_a_tunnels_port_is_sip_and_other_users_of_the_port_are_left_alone() -> None:
    wire = Wire()
    for port in (4789, 6081, 2152, 6635, 1701, 37008):
        (message,) = wire.see(ethernet(ip4(udp(REGISTER, 5060, port))))
        assert isinstance(message, Datagram)
    wire.see(ethernet(ip4(udp(b"\x80\x00" + b"\0" * 30, 20000, 8472))))
    assert wire.health.content == {"rtp-like": 1}


@pytest.mark.parametrize(
    ("data", "link_type", "where", "kind"),
    [
        (eth(b"\0" * 40, 0x88B5), ETHERNET, "undecoded", "ethertype-0x88b5"),
        (eth(b"\0" * 40, 0x0806), ETHERNET, "content", "arp"),
        (eth(b"\0" * 40, 0x88E5), ETHERNET, "encrypted", "macsec"),
        (eth(b"\x42\x42\x03" + b"\0" * 35, 38), ETHERNET, "content", "llc"),
        (b"\0" * 60, 127, "undecoded", "link-type-127"),
        (eth(ip4(b"\0" * 20, 132)), ETHERNET, "undecoded", "sctp"),
        (eth(ip4(b"\0" * 20, 50)), ETHERNET, "encrypted", "esp"),
        (eth(ip6(b"\0" * 20, 50), 0x86DD), ETHERNET, "encrypted", "esp"),
        (eth(ip4(udp(b"\1\2\3\4\0\0\0\1" + b"x" * 30, 4500, 4500))), ETHERNET, "encrypted", "esp"),
        (eth(ip4(udp(b"\0\0\0\0" + b"x" * 30, 4500, 4500))), ETHERNET, "content", "ike"),
        (eth(ip4(b"\0" * 20, 2)), ETHERNET, "content", "igmp"),
        (eth(ip4(b"\0" * 20, 200)), ETHERNET, "undecoded", "ip-proto-200"),
        (eth(ip4(udp(b"\xc8\x02" + b"\0" * 20, 1701, 1701))), ETHERNET, "content", "l2tp"),
        (eth(ip4(udp(b"\x00\x03" + b"\0" * 20, 1701, 1701))), ETHERNET, "undecoded", "l2tp"),
        (eth(ip4(udp(b"\x0c\0\0\x04" + b"\0" * 20, 50000, 4790))), ETHERNET, "undecoded", "vxlan-gpe-4"),
        (eth(ip4(udp(b"\1\0\0\x12\1" + b"\0" * 20, 50000, 37008))), ETHERNET, "undecoded", "tzsp-18"),
        (eth(ip4(udp(b"\1\0\0\1" + b"\0" * 20, 50000, 37008))), ETHERNET, "undecoded", "tzsp-tags"),
        (eth(ip4(udp(b"\1\4\0\1\1" + b"\0" * 20, 50000, 37008))), ETHERNET, "content", "udp"),
        (eth(ip4(udp(b"x" * 20, 9999, 9998, length=3))), ETHERNET, "undecoded", "udp-length"),
        (eth(ip4(udp(b"x" * 20, 9999, 9998, length=900))), ETHERNET, "undecoded", "udp-length"),
        (eth(b"\x41" + b"\0" * 40), ETHERNET, "undecoded", "ip-header"),
        (eth(b"\x95" + b"\0" * 40), ETHERNET, "undecoded", "ip-header"),
        (eth(b"\x45\0\0"), ETHERNET, "undecoded", "truncated-header"),
        (eth(b"\x11\x00\x00\x01\x00\x06\xc0\x21\x01\x01\x00\x04", 0x8864), ETHERNET, "content", "ppp"),
        (eth(ip4(gre(b"", 0), 47)), ETHERNET, "content", "gre-keepalive"),
        (eth(ip4(gre(b"\0" * 20, 0x0800, 0x4000), 47)), ETHERNET, "undecoded", "gre-routing"),
        (eth(ip4(udp(b"\x32\x01\0\x04\0\0\0\0\0\0\0\0", 2152, 2152))), ETHERNET, "content", "gtp-u"),
    ],
)
def test_what_is_not_decoded_is_counted_by_kind(data: bytes, link_type: int, where: str, kind: str) -> None:
    wire = Wire()
    assert wire.see(data, link_type) == []
    counters = {name: dict(getattr(wire.health, name)) for name in ("undecoded", "content", "encrypted")}
    assert counters == {"undecoded": {}, "content": {}, "encrypted": {}} | {where: {kind: 1}}


def test_a_flood_of_kinds_makes_no_flood_of_counters() -> None:
    noise = random.Random(3)
    wire = Wire()
    for _ in range(3000):
        wire.see(noise.randbytes(4) + INNER[4], NULL)
        hep = bytearray(hep3(b"{}", kind=5))
        at = hep.index(b"\0\0\0\x0b\0\x07")
        hep[at : at + 7] = b"\0\0\0\x0b\0\x0a" + noise.randbytes(4)
        wire.see(ethernet(ip4(udp(bytes(hep)))))
    assert len(wire.health.undecoded) < 10
    assert len(wire.health.content) <= 256


EXTENSIONS = {
    "hop-by-hop": (0, b"\x11\0" + b"\0" * 6),
    "routing": (43, b"\x11\x02" + b"\0" * 22),
    "destination options": (60, b"\x11\0" + b"\0" * 6),
    "atomic fragment": (44, b"\x11\0\0\0\0\0\0\1"),
    "authentication": (51, b"\x11\x04" + b"\0" * 22),
    "all of them": (0, b"\x3c\0" + b"\0" * 6 + b"\x2b\0" + b"\0" * 6 + b"\x2c\0" + b"\0" * 6 + b"\x33\0\0\0\0\0\0\1"
                    + b"\x11\x04" + b"\0" * 22),
}  # fmt: skip


@pytest.mark.parametrize("name", EXTENSIONS)
def test_ipv6_extension_headers_are_skipped(name: str) -> None:
    protocol, headers = EXTENSIONS[name]
    (message,) = Wire().see(ethernet(ip6(headers + udp(), protocol), 0x86DD))
    assert isinstance(message, Datagram)
    assert message.payload == REGISTER


def test_ah_over_ipv4_hides_nothing() -> None:
    (message,) = Wire().see(ethernet(ip4(b"\x11\x04" + b"\0" * 22 + udp(), 51)))
    assert isinstance(message, Datagram)


def test_endless_extension_headers_stop_at_the_bound() -> None:
    wire = Wire()
    wire.see(ethernet(ip6(b"\0\0" + b"\0" * 6 + (b"\0\0" + b"\0" * 6) * 2000 + udp(), 0), 0x86DD))
    assert wire.health.undecoded == {"ip-extensions": 1}


def test_hep_inside_a_tunnel_keeps_the_agents_addresses() -> None:
    (message,) = Wire().see(eth(ip4(vxlan(ethernet(ip4(udp(hep3(source=PHONE6, destination=SERVER6), 40000, 9060)))))))
    assert isinstance(message, Datagram)
    assert message.flow.source == f"[{PHONE6}]:5060"


def test_fragments_inside_a_tunnel_and_a_tunnel_in_fragments() -> None:
    whole = udp()
    first, second = ip4(whole[:160], more=True), ip4(whole[160:], offset=160)
    wire = Wire()
    assert wire.see(ethernet(ip4(gre(first), 47, **OUTER))) == []
    (message,) = wire.see(ethernet(ip4(gre(second), 47, **OUTER)))
    assert isinstance(message, Datagram)
    assert message.frames == (1, 2)

    carried = fragment6(vxlan(ethernet(INNER[4]))[:200], more=True)
    rest = fragment6(vxlan(ethernet(INNER[4]))[200:], offset=200)
    assert wire.see(ethernet(ip6(carried, 44, **OUTER6), 0x86DD)) == []
    (message,) = wire.see(ethernet(ip6(rest, 44, **OUTER6), 0x86DD))
    assert isinstance(message, Datagram)
    assert (message.payload, message.frames, message.frame) == (REGISTER, (3, 4), 4)
