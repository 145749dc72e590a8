"""Two taps at the same time, each with its own clock: packets of one appear early or late beside those of the other."""

from __future__ import annotations

from functools import partial
from typing import Any

import pytest

from sipaudit.capture.health import CaptureHealth
from sipaudit.report import document
from sipaudit.run.taps import Taps
from tests.stories import Court, Handset, P, Packet, S, Story
from tests.traps.ground import EARLY, PREMATURE, accused, gated_regime, minute, moved, returns

AHEAD = (-400.0, -40.0, -3.0, -0.7, -0.05, 0.05, 0.7, 3.0, 40.0, 400.0)   # seconds
ABOUT = (PREMATURE,)


def obedient(regime: str) -> Story:
    """A phone that follows all rules, and works on for a while."""
    phone = moved(regime)
    returns(phone, regime)
    phone.call(500, P)
    phone.register(900, P)
    return phone.story


def hasty(regime: str) -> Story:
    """A phone that returns half a minute too soon."""
    phone = moved(regime)
    returns(phone, regime, EARLY)
    return phone.story


def of(server: tuple[str, int], packet: Packet) -> bool:
    return server in (packet.source, packet.destination)


def at_each_server(story: Story, ahead: float) -> list[Story]:
    """A tap at P, and one at S whose clock is ahead."""
    return [story.without(lambda packet: of(S, packet)),
            story.without(lambda packet: not of(S, packet)).retimed(lambda time: time + ahead)]


def both_at_the_phone(story: Story, ahead: float) -> list[Story]:
    return [story, story.retimed(lambda time: time + ahead)]


def one_at_the_phone(story: Story, ahead: float) -> list[Story]:
    """A tap that shows everything, and one at S."""
    return [story, at_each_server(story, ahead)[1]]


places = pytest.mark.parametrize("taps", [at_each_server, both_at_the_phone, one_at_the_phone])


@places
@gated_regime
@pytest.mark.parametrize("ahead", AHEAD)
def test_no_clock_makes_an_innocent_surely_guilty(court: Court, regime: str, taps: Any, ahead: float) -> None:
    found = court(taps(obedient(regime), ahead), minute(regime))
    assert not [one for one in found if one.endswith("certain")]


@gated_regime
@pytest.mark.parametrize("ahead", [-40.0, -3.0, 3.0, 40.0])
@pytest.mark.parametrize("taps", [both_at_the_phone, one_at_the_phone])
def test_clocks_that_are_known_to_differ_judge_nobody(court: Court, regime: str, taps: Any, ahead: float) -> None:
    for story in (obedient(regime), hasty(regime)):
        assert accused(court(taps(story, ahead), minute(regime))) == []


@gated_regime
@pytest.mark.parametrize("taps", [both_at_the_phone, one_at_the_phone])
def test_a_host_for_which_there_was_no_room_may_be_shown_by_any_tap(
        court: Court, regime: str, taps: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sipaudit.run.taps.HOSTS_KEPT", 0)
    for ahead in (-40.0, 40.0):
        report = court.report(taps(hasty(regime), ahead), minute(regime))
        assert report.findings == []
        assert "phones that both show cannot be judged" in report.notes[0]


@gated_regime
def test_what_two_taps_show_is_likely_where_nothing_tells_their_clocks(court: Court, regime: str) -> None:
    assert court(at_each_server(hasty(regime), 0.0), minute(regime)) \
        == [f"{EARLY:.3f} {PREMATURE} 1001 10.0.0.1 likely capture-complete"]


@gated_regime
@pytest.mark.parametrize("taps", [both_at_the_phone, one_at_the_phone])
@pytest.mark.parametrize("ahead", [0.0, 0.0009, -0.004])
def test_clocks_that_agree_are_as_one(court: Court, regime: str, taps: Any, ahead: float) -> None:
    report = court.report(taps(hasty(regime), ahead), minute(regime))
    assert [(one.rule, one.confidence) for one in report.findings if one.rule == PREMATURE] == [(PREMATURE, "certain")]
    assert report.notes == []
    assert court(taps(obedient(regime), ahead), minute(regime)) == []


def test_a_phone_of_one_tap_is_none_of_another_taps_business(court: Court) -> None:
    """Each site has a tap, and no phone is shown by both: only the server is."""
    here, there = hasty("R2"), Handset(Story(), user="1002", place=("10.2.0.5", 5060))
    for time in range(0, 600, 60):
        there.register(time + 3)
    assert court([here, there.story], minute("R2")) == [f"{EARLY:.3f} {PREMATURE} 1001 10.0.0.1 certain"]
    assert court.report([here, there.story], minute("R2")).notes == []


def test_captures_that_follow_each_other_are_of_one_clock(court: Court) -> None:
    """They are the files of a ring."""
    story = hasty("R2")
    story.murmur(0, 400)
    ring = [story.without(partial(lambda file, packet: int(packet.time) // 100 != file, file)) for file in range(4)]
    assert court(ring, minute("R2")) == [f"{EARLY:.3f} {PREMATURE} 1001 10.0.0.1 certain"]


def test_so_are_those_that_overlap_for_a_moment(court: Court) -> None:
    """The request that the phone sends too early, and its answer, end one file and also begin the next."""
    story = hasty("R2")
    story.murmur(0, 400)
    ring = [story.without(lambda packet: packet.time > EARLY + 0.005),
            story.without(lambda packet: packet.time < EARLY)]
    assert court(ring, minute("R2")) == [f"{EARLY:.3f} {PREMATURE} 1001 10.0.0.1 certain"]
    assert court.report(ring, minute("R2")).notes == []


@gated_regime
def test_a_clock_that_drifts_judges_nobody_either(court: Court, regime: str) -> None:
    """The clock is 3 s ahead at the beginning, and 3.5 s an hour later."""
    story = hasty(regime)
    other = Handset(story, user="1002", place=("10.1.0.6", 5060))
    for time in range(0, 3600, 30):
        other.register(time + 7)
    taps = [story, story.retimed(lambda time: time + 3 + time / 7200)]
    assert accused(court(taps, minute(regime))) == []
    assert "cannot be judged" in "".join(court.report(taps, minute(regime)).notes)


@pytest.mark.parametrize(("ahead", "sentence"), [
    (3.0, "The clock of B is 3.000 s ahead of that of A, by packets that both show: phones that both show "
          "cannot be judged. To mend it: editcap -t -3.000000 B OUT"),
    (-0.25, "The clock of B is 0.250 s behind that of A, by packets that both show: findings about phones that "
            "both show are at most likely. To mend it: editcap -t 0.250000 B OUT"),
])
def test_the_report_says_how_far_clocks_are_apart_and_what_to_do(court: Court, ahead: float, sentence: str) -> None:
    report = court.report(both_at_the_phone(hasty("R2"), ahead), minute("R2"))
    first, later = (capture.path for capture in report.captures)
    assert report.notes == [sentence.replace("A,", f"{first},").replace("B ", f"{later} ")]


def test_or_that_nothing_tells(court: Court) -> None:
    report = court.report(at_each_server(hasty("R2"), 0.0), minute("R2"))
    first, later = (capture.path for capture in report.captures)
    assert report.notes == [f"{first} and {later} were captured at the same time, and nothing tells how far their "
                            "clocks are apart: findings about phones that both show are at most likely. Where one "
                            "machine captured both, as the two directions of a link, they have one clock: "
                            f"mergecap -w OUT {first} {later}"]


def test_who_does_as_it_says_gets_a_judgement(court: Court) -> None:
    apart = both_at_the_phone(hasty("R2"), 3.0)
    assert court([apart[0], apart[1].retimed(lambda time: time - 3.0)], minute("R2")) \
        == [f"{EARLY:.3f} {PREMATURE} 1001 10.0.0.1 certain"]


@pytest.mark.parametrize("taps", [at_each_server, both_at_the_phone])
def test_it_does_not_matter_how_many_processes_read(court: Court, taps: Any) -> None:
    one, two = (document.to_json(court.report(taps(hasty("R2"), 0.7), minute("R2"), jobs=jobs)) for jobs in (1, 2))
    assert one.replace(b"/1-", b"/2-").replace(b"site1", b"site2") == two


@pytest.mark.parametrize(("samples", "ahead"), [
    ([0.3] * 2, None), ([0.3] * 3, 0.3), ([40.0], None), ([40.0, 40.0], 40.0), ([40.0, 55.0], None)])
def test_three_packets_that_both_show_tell_how_far_clocks_are_apart(
    samples: list[float], ahead: float | None
) -> None:
    """Two suffice where the clocks are further apart than any retransmission."""
    first, later = CaptureHealth("a.pcap"), CaptureHealth("b.pcap")
    later.apart[0] = samples
    assert [pair.ahead for pair in Taps([first, later]).pairs()] == [ahead]


@gated_regime
@pytest.mark.parametrize("ahead", [-40.0, 40.0])
def test_two_packets_that_both_show_far_apart_judge_nobody(court: Court, regime: str, ahead: float) -> None:
    """The tap at S also shows two packets of the phone's last exchange with P."""
    story = obedient(regime)
    both = [packet for packet in story.packets if of(P, packet)][-2:]
    one = story.without(lambda packet: of(S, packet))
    other = story.without(lambda packet: not of(S, packet) and packet not in both)
    assert accused(court([one, other.retimed(lambda time: time + ahead)], minute(regime))) == []
