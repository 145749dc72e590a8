"""IP datagrams in fragments: in any order, twice, overlapping, incomplete, and as an attack."""

from __future__ import annotations

import itertools
import random
from collections.abc import Callable

import pytest

from sipaudit.capture.bounds import FOR_FILES
from sipaudit.sip.datagram import Datagram, Item
from tests.capture.packets import PHONE_MAC, REGISTER, Wire, ethernet, fragment6, ip4, ip6, udp

MESSAGE = REGISTER[:-2] + b"X-Filler: " + b"abcdefgh" * 60 + b"\r\n\r\n"
WHOLE = udp(MESSAGE)
CUTS = [0, 160, 320, 480, len(WHOLE)]

Fragment = Callable[..., bytes]


def fragment_of_4(start: int, end: int, data: bytes = WHOLE, identification: int = 9) -> bytes:
    return ethernet(ip4(data[start:end], identification=identification, offset=start, more=end < len(data)))


def fragment_of_6(start: int, end: int, data: bytes = WHOLE, identification: int = 9) -> bytes:
    piece = fragment6(data[start:end], identification=identification, offset=start, more=end < len(data))
    return ethernet(ip6(piece, 44), 0x86DD)


VERSIONS = pytest.mark.parametrize("fragment", [fragment_of_4, fragment_of_6], ids=["ipv4", "ipv6"])


def pieces(fragment: Fragment) -> list[bytes]:
    return [fragment(start, end) for start, end in itertools.pairwise(CUTS)]


def only(items: list[Item]) -> Datagram:
    (item,) = items
    assert isinstance(item, Datagram)
    return item


@VERSIONS
@pytest.mark.parametrize("order", list(itertools.permutations(range(4))), ids=str)
def test_in_any_order_the_last_to_come_completes_the_message(fragment: Fragment, order: tuple[int, ...]) -> None:
    wire, parts = Wire(), pieces(fragment)
    for number in order[:-1]:
        assert wire.see(parts[number]) == []
    got = only(wire.see(parts[order[-1]]))
    assert got.payload == MESSAGE
    assert (got.frame, got.frames, got.time) == (4, (1, 2, 3, 4), wire.time)
    assert got.flow.source_mac == PHONE_MAC.hex()
    wire.finish()
    assert not wire.health.undecoded


@VERSIONS
def test_a_repeated_fragment_changes_nothing(fragment: Fragment) -> None:
    wire, parts = Wire(), pieces(fragment)
    for number in (0, 1, 1, 0, 2):
        assert wire.see(parts[number]) == []
    assert only(wire.see(parts[3])).payload == MESSAGE
    wire.finish()
    assert not wire.health.undecoded


def test_mirrored_fragments_count_as_duplicates_and_leave_nothing_behind() -> None:
    wire = Wire()
    got = []
    for part in pieces(fragment_of_4):
        got += wire.see(part, time=wire.time + 0.00001) + wire.see(part, time=wire.time + 0.00001)
    assert only(got).payload == MESSAGE
    assert wire.health.duplicates == 4
    wire.finish()
    assert not wire.health.undecoded


def test_ipv4_overlaps_the_bytes_that_came_first_stay() -> None:
    wire = Wire()
    other = WHOLE[:160] + b"!" * 160 + WHOLE[320:]
    wire.see(fragment_of_4(0, 320))
    wire.see(fragment_of_4(160, 480, other))
    assert only(wire.see(fragment_of_4(480, len(WHOLE)))).payload == MESSAGE


def test_ipv4_an_overlap_fills_only_the_holes_around_it() -> None:
    wire = Wire()
    wire.see(fragment_of_4(160, 240))
    wire.see(fragment_of_4(320, 400))
    wire.see(fragment_of_4(0, 480))
    assert only(wire.see(fragment_of_4(400, len(WHOLE)))).payload == MESSAGE


@pytest.mark.parametrize("second", [(80, 240), (80, 160), (0, 240)], ids=str)
def test_ipv6_an_overlap_discards_the_datagram_and_all_that_belongs_to_it(second: tuple[int, int]) -> None:
    wire = Wire()
    wire.see(fragment_of_6(0, 160))
    wire.see(fragment_of_6(*second))
    for start, end in itertools.pairwise(CUTS):
        assert wire.see(fragment_of_6(start, end)) == []
    wire.finish()
    assert wire.health.undecoded == {"fragment-overlap": 1}


@VERSIONS
def test_two_ends_that_differ_discard_the_datagram(fragment: Fragment) -> None:
    wire = Wire()
    wire.see(fragment(480, len(WHOLE)))
    assert wire.see(fragment(480, 640, WHOLE[:640])) == []
    assert wire.see(fragment(0, 480)) == []
    assert wire.health.undecoded == {"fragment-overlap": 1}


@VERSIONS
def test_what_is_missing_expires_after_thirty_seconds_of_capture_time(fragment: Fragment) -> None:
    wire, parts = Wire(), pieces(fragment)
    start = wire.time
    wire.see(parts[0], time=start)
    assert wire.see(parts[1], time=start + 31) == []
    assert wire.health.undecoded == {"fragment-expired": 1}
    wire.see(parts[2], time=start + 32)
    wire.see(parts[3], time=start + 33)
    assert only(wire.see(parts[0], time=start + 34)).frames == (2, 3, 4, 5)


@VERSIONS
def test_what_is_missing_at_the_end_is_counted(fragment: Fragment) -> None:
    wire, parts = Wire(), pieces(fragment)
    for number in (0, 1, 3):
        wire.see(parts[number])
    assert wire.finish() == []
    assert wire.health.undecoded == {"fragment-expired": 1}


@VERSIONS
def test_datagrams_of_different_identification_do_not_mix(fragment: Fragment) -> None:
    wire = Wire()
    other = udp(MESSAGE.replace(b"tag=a", b"tag=b"))
    wire.see(fragment(0, 160))
    wire.see(fragment(0, 160, other, 10))
    assert only(wire.see(fragment(160, len(WHOLE)))).payload == MESSAGE
    assert b"tag=b" in only(wire.see(fragment(160, len(WHOLE), other, 10))).payload


@VERSIONS
def test_a_snap_length_that_cuts_fragments_cuts_the_message(fragment: Fragment) -> None:
    wire = Wire()
    whole = fragment(0, 320)
    wire.see(whole[:200], wire=len(whole))
    got = only(wire.see(fragment(320, len(WHOLE))))
    assert got.cut
    assert MESSAGE.startswith(got.payload)
    assert 0 < len(got.payload) < 320
    assert wire.health.snaplen_cut == 1


@pytest.mark.parametrize(
    ("start", "data"), [(0, b"x" * 13), (65_528, b"x" * 16), (8, b"")], ids=["odd", "beyond 65535", "empty"]
)
def test_impossible_fragments_are_counted(start: int, data: bytes) -> None:
    wire = Wire()
    assert wire.see(ethernet(ip4(data, offset=start, more=True))) == []
    assert wire.health.undecoded == {"fragment-malformed": 1}


def test_a_flood_of_tiny_fragments_of_one_datagram_is_bounded() -> None:
    wire = Wire()
    for number in range(8000):
        wire.see(ethernet(ip4(b"12345678", offset=number * 8, more=True)), time=wire.time)
    assert wire.health.undecoded == {"fragment-bounds": 1}


def test_a_flood_of_datagrams_is_bounded_in_number_and_in_bytes() -> None:
    wire = Wire()
    for number in range(FOR_FILES.fragments + 500):
        wire.see(ethernet(ip4(b"12345678", identification=number, more=True)), time=wire.time)
    assert wire.health.undecoded == {"fragment-bounds": 500}
    wire.finish()
    assert wire.health.undecoded == {"fragment-bounds": 500, "fragment-expired": FOR_FILES.fragments}

    large = Wire()
    for number in range(300):
        large.see(ethernet(ip4(bytes(48_000), identification=number, more=True)), time=large.time)
    assert large.health.undecoded["fragment-bounds"] == 300 - FOR_FILES.fragment_bytes // 48_000


@VERSIONS
def test_any_fragments_in_any_order_never_raise_and_never_invent(fragment: Fragment) -> None:
    """Fragments that fit, and some cut at random: when a datagram is complete now and then, its message is right."""
    noise = random.Random(4)
    wire = Wire()
    complete = 0
    for _ in range(3000):
        anyhow = sorted(noise.sample(range(len(WHOLE) + 8), 2))
        start, end = noise.choice([*itertools.pairwise(CUTS)] * 3 + [anyhow])
        for item in wire.see(fragment(start & ~7, end, identification=noise.randrange(20)), time=wire.time + 0.01):
            assert isinstance(item, Datagram)
            assert item.payload == MESSAGE
            complete += 1
    assert complete > 5
    wire.finish()


def test_extension_headers_inside_the_fragmented_part() -> None:
    wire = Wire()
    whole = b"\x11\0" + b"\0" * 6 + WHOLE
    assert wire.see(ethernet(ip6(fragment6(whole[:160], 60, more=True), 44), 0x86DD)) == []
    got = only(wire.see(ethernet(ip6(fragment6(whole[160:], 60, offset=160), 44), 0x86DD)))
    assert got.payload == MESSAGE
