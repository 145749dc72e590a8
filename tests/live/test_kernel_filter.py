"""The kernel filter of a mirror port may drop only packets from which we would read nothing."""

from __future__ import annotations

from pathlib import Path

import pytest

from sipaudit.capture.bpf import BpfFilter
from sipaudit.capture.captures import LIBPCAP, Captures
from sipaudit.capture.engine import batches
from sipaudit.capture.files import resolve
from sipaudit.capture.health import CaptureHealth
from sipaudit.capture.kernel_filter import kernel_filter
from sipaudit.capture.linktypes import ETHERNET, LINUX_SLL
from sipaudit.capture.write import ethernet_frame, udp_packet
from sipaudit.errors import InputError
from tests.frames import write_pcap
from tests.shared import CAPTURES, ROOT, needs_captures
from tests.stories import Story

PHONE, SERVER = ("10.1.0.5", 5060), ("10.0.0.1", 5060)


def kept(paths: list[Path], bpf: str | None) -> list[tuple[str, int]]:
    """Capture and frame of all items read through a filter. Each capture is read alone: a packet in two captures would
    otherwise count once."""
    read: list[tuple[str, int]] = []
    for path in paths:
        try:
            files = resolve((str(path),)).files
        except InputError:
            continue   # not a capture
        if set(files[0].link_types) <= {ETHERNET, LINUX_SLL}:
            read += [(str(path), item.frame) for item in Captures(files, engine=LIBPCAP, bpf=bpf)]
    return read


@needs_captures
def test_nothing_is_lost_of_the_public_captures() -> None:
    paths = sorted(path for path in CAPTURES.rglob("*") if path.is_file())
    whole = kept(paths, None)
    assert len(whole) > 500
    assert kept(paths, kernel_filter(ETHERNET, None)) == whole


def test_nothing_is_lost_of_the_samples() -> None:
    paths = sorted((ROOT / "samples").rglob("*.pcap*"))
    assert kept(paths, kernel_filter(ETHERNET, None)) == kept(paths, None)


@pytest.mark.parametrize(("payload", "ports", "passes"), [
    (b"\x80\x00" + bytes(40), (20_000, 30_000), False),       # RTP
    (b"\x81\xc8" + bytes(40), (20_001, 30_001), False),       # RTCP
    (b"\x80\x00" + bytes(40), (40_000, 53), True),            # a DNS query whose number begins like RTP
    (b"\x80\x00" + bytes(40), (40_000, 4789), True),          # VXLAN with reserved bits set
    (b"\x30\xff" + bytes(40), (2152, 2152), True),            # GTP-U
    (b"\x00\x01" + bytes(40), (20_000, 30_000), True),        # STUN, left to our own mask
    (b"REGISTER sip:a SIP/2.0\r\n\r\n" + bytes(9), (5060, 20_000), True),
])
def test_kept_back_is_media_alone(tmp_path: Path, payload: bytes, ports: tuple[int, int], passes: bool) -> None:
    assert passing(tmp_path, [udp_packet((PHONE[0], ports[0]), (SERVER[0], ports[1]), payload)]) == int(passes)


def test_fragments_pass(tmp_path: Path) -> None:
    story = Story(mtu=64)
    story.udp(1, (PHONE[0], 20_000), (SERVER[0], 30_000), b"\x80" + bytes(400))
    assert count(write_pcap(tmp_path / "fragments.pcap", story.frames())) == len(story.packets) > 3


def passing(folder: Path, packets: list[bytes]) -> int:
    return count(write_pcap(folder / "some.pcap", [(1.0, ethernet_frame(packet)) for packet in packets]))


def count(path: Path) -> int:
    """The number of packets that pass the filter."""
    file = resolve((str(path),)).files[0]
    expression = kernel_filter(ETHERNET, None)
    assert expression is not None
    bpf = BpfFilter(expression)
    return sum(len(bpf.matching(batch.run())) for batch in batches(file, CaptureHealth("some"), lambda _: None))


def test_the_users_filter_is_obeyed_too() -> None:
    expression = kernel_filter(ETHERNET, "host 10.9.9.9")
    assert expression is not None
    assert expression.startswith("(host 10.9.9.9) and ")
    assert kernel_filter(127, "host 10.9.9.9") == "host 10.9.9.9"   # other link types get no filter of ours
