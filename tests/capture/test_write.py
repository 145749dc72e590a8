"""What we write, other programs read: tshark and scapy agree on frames, checksums, comments and times."""

from __future__ import annotations

import io
import subprocess
from pathlib import Path

import pytest
from scapy.layers.inet import ICMP, IP, TCP, UDP
from scapy.layers.inet6 import ICMPv6DestUnreach, IPv6
from scapy.layers.l2 import Dot1Q, Ether

from sipaudit.capture.write import (
    TCP_ACK,
    TCP_PSH,
    PcapngWriter,
    PcapWriter,
    ethernet_frame,
    icmp_unreachable_packet,
    tcp_packet,
    udp_packet,
)
from tests.frames import udp_frame
from tests.shared import needs_tshark

PHONE, SERVER = ("10.1.0.5", 5060), ("10.0.0.1", 5060)
PHONE6, SERVER6 = ("2001:db8::5", 5060), ("2001:db8::1", 5060)
MESSAGE = b"OPTIONS sip:a SIP/2.0\r\n\r\n"



def _fields(path: Path, *names: str) -> list[list[str]]:
    options = [word for protocol in ("udp", "tcp", "ip") for word in ("-o", f"{protocol}.check_checksum:TRUE")]
    wanted = [word for name in names for word in ("-e", name)]
    command = ["tshark", "-n", "-r", str(path), *options, "-T", "fields", *wanted]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    return [line.split("\t") for line in done.stdout.splitlines()]


@pytest.mark.parametrize(("source", "destination", "layer"), [(PHONE, SERVER, IP), (PHONE6, SERVER6, IPv6)])
def test_the_udp_checksum_is_the_one_that_scapy_computes(
    source: tuple[str, int], destination: tuple[str, int], layer: type
) -> None:
    made = udp_packet(source, destination, MESSAGE + b"odd")
    parsed = layer(made)
    checksum = parsed[UDP].chksum
    del parsed[UDP].chksum
    assert layer(bytes(parsed))[UDP].chksum == checksum
    assert bytes(parsed[UDP].payload) == MESSAGE + b"odd"


@pytest.mark.parametrize(("source", "destination", "layer"), [(PHONE, SERVER, IP), (PHONE6, SERVER6, IPv6)])
def test_a_tcp_segment_is_the_one_that_scapy_makes(
    source: tuple[str, int], destination: tuple[str, int], layer: type
) -> None:
    flags = TCP_PSH | TCP_ACK
    made = layer(tcp_packet(source, destination, MESSAGE, sequence=2**32 + 7, acknowledgement=9, flags=flags))
    header = made[TCP]
    assert (header.seq, header.ack, str(header.flags)) == (7, 9, "PA")
    checksum = header.chksum
    del header.chksum
    assert layer(bytes(made))[TCP].chksum == checksum


def test_an_icmp_error_quotes_the_packet_it_answers() -> None:
    asked = udp_packet(PHONE, SERVER, MESSAGE)
    error = IP(icmp_unreachable_packet("10.0.0.1", asked))
    assert (error.dst, error[ICMP].type, error[ICMP].code) == ("10.1.0.5", 3, 3)
    assert bytes(error[ICMP].payload) == asked
    error6 = IPv6(icmp_unreachable_packet("2001:db8::1", udp_packet(PHONE6, SERVER6, MESSAGE)))
    assert (error6.dst, error6[ICMPv6DestUnreach].code) == ("2001:db8::5", 4)


def test_vlan_tags_stand_outermost_first() -> None:
    frame = Ether(udp_frame(PHONE, SERVER, MESSAGE, vlans=[100, 7], source_mac="0004f2123456"))
    assert frame.src == "00:04:f2:12:34:56"
    assert [tag.vlan for tag in frame.iterpayloads() if isinstance(tag, Dot1Q)] == [100, 7]


def test_the_same_calls_give_the_same_bytes() -> None:
    def made() -> bytes:
        stream = io.BytesIO()
        writer = PcapngWriter(stream)
        writer.interface(name="eth0")
        writer.write(1_700_000_000.1, udp_frame(PHONE, SERVER, MESSAGE), comments=["why"])
        return stream.getvalue()

    assert made() == made()


@needs_tshark
def test_tshark_finds_frames_times_comments_and_interfaces(tmp_path: Path) -> None:
    path = tmp_path / "made.pcapng"
    with path.open("wb") as stream:
        writer = PcapngWriter(stream)
        writer.interface(name="phones")
        writer.interface(101, name="core", resolution=9, offset=3600)
        writer.write(1_700_000_000.123456, udp_frame(PHONE, SERVER, MESSAGE), comments=["first", "second"])
        writer.write(1_700_000_001.000001, tcp_packet(PHONE6, SERVER6, MESSAGE, sequence=1), interface=1)
        writer.statistics(1_700_000_002.0, dropped=3)
    names = ("frame.number", "frame.time_epoch", "frame.interface_name", "frame.comment", "_ws.col.Protocol")
    assert _fields(path, *names) == [
        ["1", "1700000000.123456000", "phones", "first,second", "SIP"],
        ["2", "1700000001.000001000", "core", "", "SIP"],
    ]


@needs_tshark
def test_tshark_finds_every_checksum_right(tmp_path: Path) -> None:
    path = tmp_path / "sums.pcap"
    asked = udp_packet(PHONE, SERVER, MESSAGE)
    packets = [
        asked, udp_packet(PHONE6, SERVER6, MESSAGE), tcp_packet(PHONE, SERVER, MESSAGE, sequence=5),
        icmp_unreachable_packet("10.0.0.1", asked),
        icmp_unreachable_packet("2001:db8::1", udp_packet(PHONE6, SERVER6, MESSAGE)),
    ]
    with path.open("wb") as stream:
        writer = PcapWriter(stream)
        for number, packet in enumerate(packets):
            writer.write(1_700_000_000 + number, ethernet_frame(packet))
    statuses = _fields(
        path, "ip.checksum.status", "udp.checksum.status", "tcp.checksum.status", "icmp.checksum.status",
        "icmpv6.checksum.status",
    )
    good = "1"
    assert [set("".join(row).replace(",", "")) for row in statuses] == [{good}] * len(packets)


@needs_tshark
def test_a_snap_length_cuts_and_the_original_length_stays(tmp_path: Path) -> None:
    path = tmp_path / "cut.pcap"
    with path.open("wb") as stream:
        PcapWriter(stream, snaplen=60, nanoseconds=True, order=">").write(5.5, udp_frame(PHONE, SERVER, MESSAGE))
    assert _fields(path, "frame.cap_len", "frame.len", "frame.time_epoch") == [["60", "67", "5.500000000"]]
