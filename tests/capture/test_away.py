"""RTP streams that continue after a pause prove that the capture itself was interrupted."""

from __future__ import annotations

import struct
from collections.abc import Callable, Iterable
from pathlib import Path

import pytest

from sipaudit.capture.captures import Captures
from sipaudit.capture.files import resolve
from sipaudit.capture.health import Away
from tests.capture.packets import PHONE6, SERVER6, TIME, ethernet, gre, ip4, ip6, tagged, udp, vxlan
from tests.frames import write_pcap

Frames = list[tuple[float, bytes]]
Wrap = Callable[[bytes], bytes]
BRIDGED_AT = 0x88BE   # ERSPAN


def rtp(number: int, kind: int = 8, source: int = 7) -> bytes:
    return udp(struct.pack(">BBHII", 0x80, kind, number % 65_536, 160 * number, source) + bytes(20), 16384, 16386)


def plain(datagram: bytes) -> bytes:
    return ethernet(ip4(datagram))


WRAPS: dict[str, Wrap] = {
    "plain": plain,
    "IPv6": lambda datagram: ethernet(ip6(datagram, source=PHONE6, destination=SERVER6), 0x86DD),
    "VLAN": lambda datagram: ethernet(tagged(ip4(datagram)), 0x8100),
    "ERSPAN": lambda datagram: ethernet(ip4(gre(plain(datagram), BRIDGED_AT), 47, "10.9.9.1", "10.9.9.2")),
    "VXLAN": lambda datagram: ethernet(ip4(vxlan(plain(datagram)))),
}


def talk(seconds: Iterable[tuple[float, float]], *, every: float = 0.02, wrap: Wrap = plain, **said: int) -> Frames:
    """An RTP stream of which only these spans (begin and end, in seconds) are captured."""
    return [(begin + count * every, wrap(rtp(round((begin + count * every) / every), **said)))
            for begin, end in seconds for count in range(round((end - begin) / every))]


def away(tmp_path: Path, frames: Frames) -> list[Away]:
    """The interruptions found in a capture of these frames, in seconds after `TIME`."""
    path = write_pcap(tmp_path / "media.pcap", [
        (TIME + time, frame) for time, frame in sorted(frames, key=lambda one: one[0])])
    captures = Captures(resolve([str(path)]).files)
    for _ in captures:
        pass
    return [Away(round(one.since - TIME, 2), round(one.until - TIME, 2), one.streams)
            for one in captures.health[0].away]


TWICE = [(0.0, 5.0), (30.0, 35.0)]


@pytest.mark.parametrize("wrap", WRAPS.values(), ids=WRAPS)
def test_however_media_are_wrapped(tmp_path: Path, wrap: Wrap) -> None:
    assert away(tmp_path, talk(TWICE, wrap=wrap)) == [Away(4.98, 30.0, 1)]


@pytest.mark.parametrize("every", [0.01, 0.02, 0.03, 0.06])
def test_however_often_packets_are_sent(tmp_path: Path, every: float) -> None:
    [one] = away(tmp_path, talk(TWICE, every=every))
    assert one.streams == 1


def test_a_mirror_that_shows_each_packet_twice(tmp_path: Path) -> None:
    frames = talk(TWICE)
    assert away(tmp_path, [*frames, *((time + 0.0001, frame) for time, frame in frames)]) == [Away(4.98, 30.0, 1)]


def test_where_numbers_begin_anew_after_65535(tmp_path: Path) -> None:
    assert away(tmp_path, talk([(1305.0, 1310.0), (1312.5, 1316.0)])) == [Away(1309.98, 1312.5, 1)]


@pytest.mark.parametrize("seconds", [20, 82, 100])
def test_wherever_a_batch_of_packets_ends(tmp_path: Path, seconds: int) -> None:
    """The first batch has 1,024 packets, the next 4,096."""
    end = seconds + 0.48
    assert away(tmp_path, talk([(0.0, end), (end + 3, end + 100)])) == [Away(round(end - 0.02, 2), end + 3, 1)]


def test_each_time(tmp_path: Path) -> None:
    pieces = [(10.0 * number, 10.0 * number + 5) for number in range(30)]
    assert len(away(tmp_path, talk(pieces))) == 29


def test_many_streams(tmp_path: Path) -> None:
    frames = [frame for source in range(200) for frame in talk([(4.0, 5.0), (30.0, 31.0)], source=source)]
    assert away(tmp_path, frames) == [Away(4.98, 30.0, 200)]


@pytest.mark.parametrize("frames", [
    talk([(0.0, 35.0)]),
    talk([(0.0, 5.0), (6.9, 10.0)]),
    talk([(0.0, 5.0)]) + talk([(30.0, 35.0)], source=8),
    talk([(0.0, 5.0), (30.0, 30.02)]),
    talk([(0.0, 0.02), (30.0, 35.0)]),
    talk(TWICE, kind=72),
    talk(TWICE, every=0.3),
    [(time, plain(udp(b"\x80 not a header"))) for time, _ in talk(TWICE)],
    [(time, plain(rtp(0))) for time, _ in talk(TWICE)],
], ids=["no pause", "a short pause", "another stream", "one packet after it", "one packet before it", "RTCP",
        "too few to tell", "too short", "numbers that stand"])
def test_what_tells_nothing(tmp_path: Path, frames: Frames) -> None:
    assert away(tmp_path, frames) == []


@pytest.mark.parametrize("goes_on", [250, 255, 60_000])
def test_who_rested_or_began_anew(tmp_path: Path, goes_on: int) -> None:
    """A sender that paused, or restarted its sequence numbers: 250 is the number after the last one captured."""
    later = [(30 + count * 0.02, plain(rtp(goes_on + count))) for count in range(50)]
    assert away(tmp_path, talk([(0.0, 5.0)]) + later) == []
