"""The offset between the clocks of two taps is measured by the packets that both captured."""

from __future__ import annotations

import random
from collections.abc import Iterable
from pathlib import Path

import pytest

from sipaudit.capture import taps
from sipaudit.capture.captures import Captures
from sipaudit.capture.files import resolve
from sipaudit.capture.write import ethernet_frame, udp_packet
from tests.frames import write_pcap

START = 1_700_000_000.0
PHONE, SERVER = ("10.1.0.5", 5060), ("10.0.0.1", 5060)
Sent = tuple[float, int]   # time, and number of the message


def request(number: int) -> bytes:
    return (f"OPTIONS sip:10.0.0.1 SIP/2.0\r\nVia: SIP/2.0/UDP 10.1.0.5;branch=z9hG4bK{number}\r\n"
            "Content-Length: 0\r\n\r\n").encode()


def tap(path: Path, sent: Iterable[Sent], ahead: float = 0.0, vlans: tuple[int, ...] = ()) -> Path:
    """The capture of a tap whose clock is `ahead` by so many seconds. Each sending has its own IP identification, since
    a retransmission is another packet."""
    def frame(time: float, number: int) -> bytes:
        packet = udp_packet(PHONE, SERVER, request(number), identification=int(time * 2) % 65_000 + 1)
        return ethernet_frame(packet, vlans=vlans)

    return write_pcap(path, ((START + time + ahead, frame(time, number)) for time, number in sent))


def apart(*paths: Path) -> list[dict[int, list[float]]]:
    read = Captures(resolve(tuple(map(str, paths))).files)
    list(read)
    return [health.apart for health in read.health]


@pytest.mark.parametrize("ahead", [-40.0, -0.5, -0.25, -0.02, 0.0, 0.004, 0.02, 0.25, 40.0])
def test_it_does_not_matter_which_clock_is_ahead_nor_what_dresses_packets(ahead: float, tmp_path: Path) -> None:
    sent = [(float(number), number) for number in range(50)]
    one, other = tap(tmp_path / "a", sent), tap(tmp_path / "b", sent, ahead, vlans=(7,))
    none, found = apart(one, other)
    assert none == {}
    assert found == {0: pytest.approx([ahead] * 50, abs=2e-6)}


def test_of_what_is_sent_again_the_first_counts(tmp_path: Path) -> None:
    sent = [(number + again, number) for number in range(0, 60, 3) for again in (0.0, 0.5, 1.5)]
    assert apart(tap(tmp_path / "a", sent), tap(tmp_path / "b", sent, 2.0))[1] \
        == {0: pytest.approx([2.0] * 20, abs=2e-6)}


def test_taps_that_share_nothing_tell_nothing(tmp_path: Path) -> None:
    one, other = [[(float(number), number) for number in range(parity, 50, 2)] for parity in (0, 1)]
    assert apart(tap(tmp_path / "a", one), tap(tmp_path / "b", other)) == [{}, {}]


def test_taps_that_share_the_packets_of_one_link_tell_nothing(tmp_path: Path) -> None:
    """Odd packets in one capture, even ones in the other: one sending of a message in each, which gives no offset."""
    sent = sorted((number + again, number) for number in range(60) for again in ((0.0, 0.5) if number % 4 else (0.0,)))
    assert apart(tap(tmp_path / "a", sent[::2]), tap(tmp_path / "b", sent[1::2])) == [{}, {}]


def test_nor_do_those_that_follow_each_other_in_the_middle_of_what_is_sent_again(tmp_path: Path) -> None:
    sent = [(number * 2.0, number) for number in range(50)]
    again = [(100.0 + wait, 100 + number) for number in range(5) for wait in (number / 100, 0.5 + number / 100)]
    one, other = [*sent, *again[::2]], again[1::2]
    whole = tap(tmp_path / "c", sorted([*one, *other]), 3.0)   # read along with both, so that all is examined
    found = apart(tap(tmp_path / "a", one), tap(tmp_path / "b", other), whole)
    assert [[*one] for one in found] == [[], [], [0, 1]]


def test_a_tap_that_begins_while_all_is_sent_again_shows_the_rest_at_the_same_time(tmp_path: Path) -> None:
    """Ten requests to a dead server, sent at 0, 0.5, 1.5 and 3.5 s: the second tap has only the last two of each."""
    sent = sorted((number / 20 + wait, number) for number in range(10) for wait in (0.0, 0.5, 1.5, 3.5))
    found = apart(tap(tmp_path / "a", sent), tap(tmp_path / "b", [one for one in sent if one[0] > 1.0]))
    assert found[1] == {0: pytest.approx([0.0] * 20, abs=2e-6)}


def test_nor_does_what_both_show_then_make_it_a_clock_that_drifts(tmp_path: Path) -> None:
    sent = sorted([*((number / 20 + wait, number) for number in range(10) for wait in (0.0, 0.5, 1.5, 3.5)),
                   *((number / 10 + 5.0, 20 + number) for number in range(11))])
    found = apart(tap(tmp_path / "a", sent), tap(tmp_path / "b", [one for one in sent if one[0] > 1.0]))
    assert found[1] == {0: pytest.approx([0.0] * 31, abs=2e-6)}


def test_few_that_are_far_apart_tell_only_if_each_shows_them_once(tmp_path: Path) -> None:
    """A NAT keep-alive with the same text every minute appears in each capture as often as it was sent there."""
    said = [(float(second), 7) for second in range(0, 300, 60)]
    alone = [(second + 5.0, second) for second in range(100, 190)]
    one, other = tap(tmp_path / "a", sorted([*said[:2], *alone])), tap(tmp_path / "b", said[3:])
    assert apart(one, other) == [{}, {}]
    shared = tap(tmp_path / "c", sorted([alone[0], *said[3:]]), 60.0)
    assert apart(one, shared)[1] == {0: pytest.approx([60.0])}


def test_nor_does_one_tap(tmp_path: Path) -> None:
    assert apart(tap(tmp_path / "a", [(0.0, 1), (0.5, 1), (1.5, 1)])) == [{}]


def test_of_three_taps_each_is_compared_with_those_before_it(tmp_path: Path) -> None:
    sent = [(float(number), number) for number in range(10)]
    found = apart(*(tap(tmp_path / str(number), sent, number * 3.0) for number in range(3)))
    assert [{other: round(samples[0], 3) for other, samples in one.items()} for one in found] \
        == [{}, {0: 3.0}, {0: 6.0, 1: 3.0}]


def test_a_long_capture_is_compared_by_some_of_its_packets(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The first packets that both captures share are sampled, and the last, so that a drifting clock is noticed."""
    monkeypatch.setattr(taps, "PACKETS_KEPT", 500)
    sent = [(number / 2, number) for number in range(20_000)]
    drifting = tap(tmp_path / "b", [(time * 1.00005, number) for time, number in sent], 3.0)
    samples = apart(tap(tmp_path / "a", sent), drifting)[1][0]
    assert len(samples) == taps.SAMPLES
    assert samples[0] == pytest.approx(3.0, abs=0.01)
    assert samples[-1] == pytest.approx(3.5, abs=0.01)


def test_no_capture_is_compared_with_more_than_some_others(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(taps, "OTHERS", 2)
    chance = random.Random(1)
    sent = [(float(number), number) for number in range(40)]
    found = apart(*(tap(tmp_path / str(number), [one for one in sent if chance.random() < 0.9]) for number in range(8)))
    assert max(map(len, found)) == 2
