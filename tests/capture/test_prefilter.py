"""RTP is skipped and nothing else is, and the decoder never notices the difference."""

from __future__ import annotations

import random
import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sipaudit.capture import linktypes, mask, prefilter
from sipaudit.capture.captures import Captures
from sipaudit.capture.content import udp_stop
from sipaudit.capture.files import resolve
from sipaudit.capture.health import CaptureHealth
from sipaudit.capture.layers import Stop, Tally
from sipaudit.capture.write import PcapngWriter, PcapWriter, ethernet_frame, ip_packet, udp_packet
from sipaudit.sip.datagram import Item
from tests.capture.packets import batch
from tests.frames import udp_frame, write_pcap
from tests.shared import CAPTURES, needs_captures

RTP = b"\x80\x08" + bytes(170)
PHONE, OTHER = ("10.1.0.5", 16384), ("10.1.0.6", 16390)
PHONE6, OTHER6 = ("2001:db8::5", 16384), ("2001:db8::6", 16390)
MESSAGE = b"OPTIONS sip:a@example.com SIP/2.0\r\nCSeq: 1 OPTIONS\r\n\r\n"


def kept(*frames: bytes, link_type: int = linktypes.ETHERNET) -> list[int]:
    """The numbers of the packets that pass the filter."""
    return [packet[1] for packet in mask.sift(batch(list(frames), link_type)).packets]


def cooked(packet: bytes) -> bytes:
    kind = b"\x08\x00" if packet[0] >> 4 == 4 else b"\x86\xdd"
    return b"\x00\x00\x00\x01\x00\x06" + bytes(8) + kind + packet


def cooked2(packet: bytes) -> bytes:
    return (b"\x08\x00" if packet[0] >> 4 == 4 else b"\x86\xdd") + bytes(18) + packet


RTP4, RTP6 = udp_packet(PHONE, OTHER, RTP), udp_packet(PHONE6, OTHER6, RTP)
SIP4, SIP6 = udp_packet(PHONE, OTHER, MESSAGE), udp_packet(PHONE6, OTHER6, MESSAGE)


@pytest.mark.parametrize(
    ("link_type", "wrap"),
    [
        (linktypes.ETHERNET, ethernet_frame),
        (linktypes.ETHERNET, lambda packet: ethernet_frame(packet, vlans=[5])),
        (linktypes.ETHERNET, lambda packet: ethernet_frame(packet, vlans=[5, 6])),
        (linktypes.LINUX_SLL, cooked),
        (linktypes.LINUX_SLL2, cooked2),
        (linktypes.RAW, bytes),
        (linktypes.NULL, lambda packet: b"\x02\x00\x00\x00" + packet),
        (linktypes.LOOP, lambda packet: b"\x00\x00\x00\x02" + packet),
    ],
)
def test_rtp_is_dropped_and_sip_stays_on_every_link_that_the_mask_knows(link_type: int, wrap: object) -> None:
    assert callable(wrap)
    frames = [wrap(packet) for packet in (RTP4, SIP4, RTP6, SIP6, RTP4)]
    assert kept(*frames, link_type=link_type) == [2, 4]


def test_what_is_dropped_is_counted_as_the_decoder_would() -> None:
    srtcp, other = b"\x81\xc8" + bytes(40), b"\x45\x11" + bytes(40)
    unknown = b"\xff\x11" + bytes(40)
    sifted = mask.sift(batch([udp_frame(PHONE, OTHER, payload) for payload in (RTP, srtcp, unknown, other)]))
    assert (sifted.rtp, sifted.udp, [packet[1] for packet in sifted.packets]) == (2, 1, [4])


@pytest.mark.parametrize("first", [*b"\r\n \t\0AZaz09-.!%*_+`'~SIP", 1, 2, 3])
def test_no_byte_is_dropped_that_may_stand_before_or_begin_a_message(first: int) -> None:
    assert kept(udp_frame(PHONE, OTHER, bytes([first]) + bytes(60))) == [1]


@pytest.mark.parametrize("port", [5060, 5061, 53, 4789, 8472, 6081, 2152, 9060])
def test_ports_that_mean_something_keep_their_packets(port: int) -> None:
    assert kept(udp_frame((PHONE[0], port), OTHER, RTP), udp_frame(PHONE, (OTHER[0], port), RTP)) == [1, 2]


def test_a_port_is_dropped_only_when_the_decoder_would_call_it_rtp() -> None:
    rtp_like = Stop("rtp-like", Tally.CONTENT)
    dropped = set(range(65_536)) - mask.KEPT_PORTS
    assert all(udp_stop(port, 40_000, RTP) == udp_stop(40_000, port, RTP) == rtp_like for port in dropped)


@pytest.mark.parametrize(
    "frame",
    [
        pytest.param(ethernet_frame(ip_packet("10.1.0.5", "10.1.0.6", 17, RTP4[20:], fragment=0x2000)), id="first"),
        pytest.param(ethernet_frame(ip_packet("10.1.0.5", "10.1.0.6", 17, RTP4[20:], fragment=0x0010)), id="later"),
        pytest.param(ethernet_frame(ip_packet("10.1.0.5", "10.1.0.6", 6, bytes(200))), id="tcp"),
        pytest.param(ethernet_frame(ip_packet("10.1.0.5", "10.1.0.6", 47, RTP4)), id="gre"),
        pytest.param(ethernet_frame(ip_packet("2001:db8::5", "2001:db8::6", 44, RTP)), id="ipv6-fragment"),
        pytest.param(ethernet_frame(RTP4)[:50], id="cut-before-the-payload"),
        pytest.param(b"\xff" * 12 + b"\x08\x06" + bytes(60), id="arp"),
        pytest.param(b"\xff" * 12 + b"\x88\x64" + bytes(60), id="pppoe"),
        pytest.param(ethernet_frame(RTP4, vlans=[1, 2, 3]), id="three-tags"),
        pytest.param(ethernet_frame(RTP4)[:14] + b"\x41" + RTP4[1:], id="header-length"),
        pytest.param(ethernet_frame(RTP4[:24] + b"\xff\xff" + RTP4[26:]), id="udp-length"),
        pytest.param(udp_frame(PHONE, OTHER, b"\x80\x08short"), id="too-short-for-rtp"),
        pytest.param(b"", id="empty"),
    ],
)
def test_what_the_mask_does_not_fully_understand_is_kept(frame: bytes) -> None:
    assert kept(frame, ethernet_frame(RTP4)) == [1]


def test_a_snap_length_that_cut_the_rtp_makes_no_difference() -> None:
    assert kept(ethernet_frame(RTP4)[:60]) == []


def test_ip_options_are_left_to_the_decoder() -> None:
    with_options = bytearray(RTP4[:20] + bytes(8) + RTP4[20:])
    with_options[0] = 0x47
    with_options[2:4] = len(with_options).to_bytes(2, "big")
    assert kept(ethernet_frame(RTP4), ethernet_frame(bytes(with_options)), ethernet_frame(SIP4)) == [2, 3]


def test_an_unknown_link_type_is_kept() -> None:
    assert kept(ethernet_frame(RTP4), link_type=105) == [1]


@settings(max_examples=200, deadline=None)
@given(st.lists(st.binary(max_size=90), max_size=5), st.sampled_from(sorted(mask.LINK_HEADERS)))
def test_no_bytes_raise(frames: list[bytes], link_type: int) -> None:
    sifted = mask.sift(batch(frames, link_type))
    assert len(sifted.packets) + sifted.rtp + sifted.udp == len(frames)


def _read(path: Path, monkeypatch: pytest.MonkeyPatch, active: bool) -> tuple[list[Item], CaptureHealth]:
    monkeypatch.setattr(prefilter, "_SMALL", 0)
    captures = Captures(resolve([str(path)]).files)
    captures.prefilter.active = active
    return list(captures), captures.health[0]


def _captures() -> list[Path]:
    return [path for path in sorted(CAPTURES.rglob("*")) if path.is_file() and ".pcap" in path.name]


@needs_captures
@pytest.mark.parametrize("path", _captures(), ids=lambda path: f"{path.parent.name}/{path.name}")
def test_the_shared_captures_say_the_same_with_and_without_it(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert _read(path, monkeypatch, active=True) == _read(path, monkeypatch, active=False)


@pytest.mark.parametrize("writer", [PcapWriter, PcapngWriter])
def test_frame_numbers_and_counters_are_the_same_in_a_capture_that_is_mostly_rtp(
    writer: type[PcapWriter | PcapngWriter], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "mixed"
    wanted = set()
    chance = random.Random(5)
    with path.open("wb") as stream:
        out = writer(stream)
        if isinstance(out, PcapngWriter):
            out.interface()
        for number in range(1, 20_000):
            if chance.random() < 0.03:
                wanted.add(number)
                out.write(number / 100, udp_frame(PHONE, OTHER, MESSAGE + b"%d" % number))
            else:
                out.write(number / 100, udp_frame(PHONE, OTHER, RTP + b"%d" % number))
    captures = Captures(resolve([str(path)]).files)
    assert {getattr(item, "frame", None) for item in captures} == wanted
    assert captures.prefilter.active
    assert captures.health[0].packets == 19_999
    assert captures.health[0].content == {"rtp-like": 19_999 - len(wanted)}
    items, health = _read(path, monkeypatch, active=False)
    assert (len(items), health) == (len(wanted), captures.health[0])


def test_numpy_stays_out_when_a_capture_is_all_sip(tmp_path: Path) -> None:
    path = write_pcap(tmp_path / "sip.pcap", [
        (number / 10, udp_frame(PHONE, OTHER, MESSAGE + b"%d" % number)) for number in range(12_000)])
    program = (
        "import sys\nfrom sipaudit.capture.files import resolve\nfrom sipaudit.capture.captures import Captures\n"
        f"print(sum(1 for _ in Captures(resolve([{str(path)!r}]).files)), 'numpy' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout.split() == ["12000", "False"]
