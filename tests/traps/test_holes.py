"""Captures interrupted for some minutes: a mirror session that was off, a tcpdump that was stopped and restarted."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

import pytest

from sipaudit.pipeline import Job, analyze
from tests.shared import ROOT
from tests.stories import MINUTE, R0, Court, Handset, P, S, Story, handsets, site
from tests.traps.ground import REGIMES, UNREGISTERED, accused, any_regime, gated_regime, minute

LIVES, RENEWS = 300, 240   # seconds that a registration lives, and after which a phone renews it
HOLE = (600.0, 800.0)      # renewals fall due in it (at 720), and registrations expire (at 780)


def site_of(story: Story, count: int = 4, granted: int = LIVES) -> list[Handset]:
    """Phones that have renewed their registrations at P for hours. With so many packets, the few that are lost do not
    cast doubt on the whole capture."""
    phones = handsets(story, range(11, 11 + count))
    for phone in phones:
        phone.granted = granted
    renewed(phones, *range(-60 * RENEWS, 3 * RENEWS, RENEWS))
    return phones


def renewed(phones: Iterable[Handset], *times: float) -> None:
    for number, phone in enumerate(phones):
        for time in times:
            phone.register(time + number)


def away(story: Story, begins: float = HOLE[0], ends: float = HOLE[1]) -> Story:
    """The story as a tap shows it that was off in the meantime."""
    return story.without(lambda packet: begins <= packet.time < ends)


def four_that_renew_unseen(story: Story) -> Handset:
    """All but the first of four phones renew in the hole and after it. Returns the first, which does other things."""
    first, *others = site_of(story)
    renewed(others, 3 * RENEWS, 4 * RENEWS)
    return first


@gated_regime
def test_who_registered_in_the_hole_may_call(court: Court, regime: str) -> None:
    story = Story()
    phone = four_that_renew_unseen(story)
    phone.register(phone.silence(594) + 1, S)
    phone.call(810, S)
    assert accused(court(away(story), minute(regime))) == []


def test_two_captures_of_which_one_follows_the_other_soon(court: Court) -> None:
    """The captures are 76 s apart."""
    story = Story()
    phone = four_that_renew_unseen(story)
    phone.register(phone.silence(714) + 1, S)
    phone.call(810, S)
    story.murmur(790, 800)
    seen = away(story, 714.5, 790)
    early, late = seen.without(lambda packet: packet.time > 750), seen.without(lambda packet: packet.time < 750)
    assert accused(court([early, late], minute("R1"))) == []


def test_a_report_says_that_nothing_was_captured_between_two_captures(court: Court) -> None:
    """The captures are 190 s apart and show one phone only: nothing but their times reveals the break."""
    story = Story()
    phone = Handset(story)
    phone.register(0)
    phone.call(100)
    phone.call(300)
    early, late = story.without(lambda packet: packet.time > 200), story.without(lambda packet: packet.time < 200)
    told = court.report([early, late], minute("R1"))
    assert [event.what for event in told.events] == ["nothing was captured for 190 s, until the next capture begins"]


@any_regime
def test_who_came_back_in_the_hole_may_have_gone_again(court: Court, regime: str) -> None:
    """The phone moves to S at 560, and back to P when S falls silent in the hole: its call at 810 is no early
    return."""
    story = Story()
    phone = four_that_renew_unseen(story)
    phone.fail_over(560, registers=regime != "R0")
    phone.fail_over(640, origin=S, to=P)
    phone.call(810, P)
    assert accused(court(away(story), site({**REGIMES[regime], **MINUTE, "failBack.timeout": 3600}))) == []


def test_a_report_says_that_the_capture_was_away(court: Court) -> None:
    story = Story()
    four_that_renew_unseen(story).register(805)
    report = court.report(away(story), minute("R1"))
    assert [event.what for event in report.events] == [
        "no SIP was captured for 322 s, in which 4 phones had registrations to renew"]


@gated_regime
def test_phones_that_had_just_moved_renew_where_they_are(court: Court, regime: str) -> None:
    """All failed over just before the hole, so none was seen to renew at S, as they had done at P for hours."""
    story = Story()
    phones = site_of(story)
    for number, phone in enumerate(phones):
        phone.fail_over(570 + number)
        for time in (810, 1050):
            phone.register(time + number, S)
        phone.call(1210 + number, S)
    hidden = away(story, 600, 1200)
    report = court.report(hidden, minute(regime))
    (event,) = report.events
    assert event.what.startswith("no SIP was captured for 6")
    assert event.what.endswith("in which 4 phones had registrations to renew")
    assert not [finding for finding in report.findings if finding.rule == "signalling-after-expiry"]


@pytest.mark.parametrize("gap", [7.6, 0.4])
def test_packets_may_have_passed_in_a_short_break_between_two_captures(court: Court, gap: float) -> None:
    """A tcpdump was restarted in the middle of an outage: the request that timed out is in neither file. The files of a
    ring follow each other within milliseconds, and with such a gap the deviation is certain."""
    story = Story()
    phone = Handset(story)
    phone.register(0)
    phone.call(phone.silence(300) + 1, S)
    story.murmur(-40, 400)
    ends = 306.4 - gap
    early, late = story.without(lambda packet: packet.time > ends), story.without(lambda packet: packet.time < 306.4)
    early = early.without(lambda packet: packet.what == "INVITE" and packet.destination == P)
    found = court([early, late], site({**R0, "failBack.mode": "newRequests"}), covered=40)
    told = [said for said in found if "primary-not-tried-first" in said]
    assert [said.endswith("certain") for said in told] == [gap < 1]


@pytest.mark.parametrize("sample", ["first-outage", "clean-outage"])
def test_what_a_ring_of_files_holds_is_what_one_file_does(tmp_path: Path, sample: str) -> None:
    """Wherever one file ends and the next begins: when a few phones are silent for a minute, nothing was missed."""
    whole = ROOT / "samples" / sample / "capture.pcap"
    site_file = str(whole.parent / "site.yaml")
    known = analyze(Job((str(whole),), site=site_file))
    for second in range(50, 450, 50):
        halves = cut(whole, second, tmp_path)
        found = analyze(Job(halves, site=site_file))
        assert [(one.rule, one.time, one.confidence) for one in found.findings] == [
            (one.rule, one.time, one.confidence) for one in known.findings]
        assert [(one.kind, one.start, one.end) for one in found.incidents] == [
            (one.kind, one.start, one.end) for one in known.incidents]


def cut(whole: Path, after: int, folder: Path) -> tuple[str, str]:
    """Splits a capture in two files: the packets of its first `after` seconds, and the rest."""
    data = whole.read_bytes()
    at, halves = 24, ([data[:24]], [data[:24]])
    began = int.from_bytes(data[24:28], "little")
    while at < len(data):
        end = at + 16 + int.from_bytes(data[at + 8 : at + 12], "little")
        halves[int.from_bytes(data[at : at + 4], "little") >= began + after].append(data[at:end])
        at = end
    names = folder / "ring-1.pcap", folder / "ring-2.pcap"
    for name, packets in zip(names, halves, strict=True):
        name.write_bytes(b"".join(packets))
    return str(names[0]), str(names[1])


# -- holes known by media that went on

TALKERS = ("10.1.0.90", 16_384), ("10.2.0.90", 16_384)
MEDIA_HOLE = (600.0, 660.0)   # no registration expires in it


def one_that_moves_unseen(story: Story) -> Story:
    """A phone registers with S in the hole, and calls there after it."""
    phone = site_of(story, granted=3600)[0]
    phone.register(phone.silence(594) + 1, S)
    phone.call(665, S)
    return away(story, *MEDIA_HOLE)


@gated_regime
@pytest.mark.parametrize("first", [0, 65_400])
def test_media_went_on_meanwhile(court: Court, regime: str, first: int) -> None:
    """RTP sequence numbers wrap after 65535."""
    story = Story()
    story.media(595, 670, *TALKERS, first=first)
    assert accused(court(one_that_moves_unseen(story), minute(regime))) == []


@pytest.mark.parametrize("hole", [(600.0, 606.0), (600.0, 1500.0)])
def test_a_short_hole_and_a_long_one(court: Court, hole: tuple[float, float]) -> None:
    story = Story()
    phone = site_of(story, granted=7200)[0]
    phone.register(phone.silence(594) + 1, S)
    phone.call(hole[1] + 5, S)
    for talker in range(3):
        story.media(595, 605, ("10.1.0.90", 16_384 + 2 * talker), TALKERS[1])
        story.media(hole[1] - 1, hole[1] + 5, ("10.1.0.90", 16_384 + 2 * talker), TALKERS[1],
                    first=round((hole[1] - 596) * 50))
    assert accused(court(away(story, *hole), minute("R1"))) == []


def test_media_went_on_between_two_captures(court: Court) -> None:
    """A tcpdump was restarted after 60 s."""
    story = Story()
    story.media(595, 670, *TALKERS)
    story = one_that_moves_unseen(story)
    early, late = story.without(lambda packet: packet.time > 630), story.without(lambda packet: packet.time < 630)
    assert accused(court([early, late], minute("R1"))) == []


def test_a_report_says_that_media_went_on(court: Court) -> None:
    story = Story()
    story.media(595, 670, *TALKERS)
    story.media(595, 670, *reversed(TALKERS))
    report = court.report(one_that_moves_unseen(story), minute("R1"))
    assert [event.what for event in report.events] == [
        "nothing was captured for 60 s, in which 2 streams of media went on"]


def test_a_pause_of_media_before_the_first_message_has_a_time(court: Court) -> None:
    """No SIP message was seen before the pause, so the event has the time of the capture's first packet."""
    story = Story()
    story.media(0, 60, *TALKERS)
    Handset(story).register(62)
    report = court.report(away(story, 10, 50), None, covered=0)
    (event,) = report.events
    assert event.what == "nothing was captured for 40 s, in which 1 stream of media went on"
    assert report.captures[0].first == event.time


# -- silences that are no holes

def guilty(phone: Handset, time: float = 810) -> str:
    """The phone moves to S and calls there without a registration; returns the finding expected for that."""
    phone.fail_over(time - 5.5, registers=False)
    return f"{time:.3f} {UNREGISTERED} 1011 10.0.0.2 certain"


@pytest.mark.parametrize("called", [False, True])
def test_nothing_was_due(court: Court, called: bool) -> None:
    """Phones that register hourly may be silent for three minutes."""
    story = Story()
    phones = site_of(story, granted=3600)
    for number, phone in enumerate(phones if called else []):
        phone.call(500 + number)
    said = guilty(phones[0])
    assert accused(court(away(story), minute("R1"))) == [said]


def test_nothing_was_seen_to_be_renewed(court: Court) -> None:
    """A phone that registered only once has shown no interval of renewal."""
    story = Story()
    for phone in handsets(story, range(12, 16)):
        phone.granted = LIVES
        phone.register(480)
    phone = Handset(story, user="1011", place=("10.1.0.11", 5060))
    phone.register(0)
    said = guilty(phone)
    assert accused(court(away(story), minute("R1"))) == [said]


@pytest.mark.parametrize("gone", [1, 2])
def test_one_phone_or_two_were_switched_off(court: Court, gone: int) -> None:
    story = Story()
    phone = site_of(story, 1 + gone)[0]
    phone.granted = 3600
    phone.register(500)
    said = guilty(phone)
    assert accused(court(away(story), minute("R1"))) == [said]


def test_the_others_had_been_switched_off_before(court: Court) -> None:
    """Their registrations expire in the silence, but at 720 they did not renew, though another phone was still seen."""
    story = Story()
    phone = site_of(story, 5)[0]
    phone.granted = 3600
    phone.register(500)
    phone.call(750, seconds=5)
    said = guilty(phone)
    assert accused(court(story, minute("R1"))) == [said]


@pytest.mark.parametrize("again", [False, True])
def test_a_server_that_is_away_is_no_hole(court: Court, again: bool) -> None:
    """The phones sent their REGISTERs on time; one that waits before it retries may let its registration expire,
    too."""
    story = Story()
    phones = site_of(story)
    for number, phone in enumerate(phones):
        if again:
            phone.silence(720 + number, method="REGISTER")
        else:
            phone.ask(720 + number, P, "REGISTER", expires=3600)
    said = guilty(phones[0])
    assert accused(court(story, minute("R1"))) == [said]


@pytest.mark.parametrize("when", ["all the time", "before", "after", "with a rest", "as another stream"])
def test_media_that_tell_of_no_hole(court: Court, when: str) -> None:
    story = Story()
    phone = site_of(story, granted=3600)[0]
    if when == "all the time":
        story.media(595, 670, *TALKERS)
    if when in ("before", "with a rest", "as another stream"):
        story.media(595, 600, *TALKERS)
    if when in ("after", "with a rest"):
        story.media(660, 670, *TALKERS, first=250 if when == "with a rest" else 3000)
    if when == "as another stream":
        story.media(660, 670, ("10.1.0.91", 16_384), TALKERS[1], first=3000)
    said = guilty(phone, 665)
    assert accused(court(story, minute("R1"))) == [said]


# -- a tap that shows some phones throughout, and misses others

def half_unseen(hidden: int, granted: int) -> Story:
    """A phone, and eleven others that renew one after the other. In the hole the tap misses `hidden` of these, and the
    phone, which moves to S meanwhile and calls there later. It registers every hour, or as the others do."""
    story = Story()
    others = site_of(story, 11)
    phone = Handset(story, user="1001", granted=granted)
    renewed([phone], *range(530 - 100 * (granted - 60), 531, granted - 60))
    for number, other in enumerate(others):
        for time in (3, 4):
            other.register(time * RENEWS + 8 * number)
    story.murmur(*HOLE)
    phone.fail_over(650, registers=False)
    for number, time in enumerate((830, 850)):
        phone.call(time, S, to=f"sip:300{number}@pbx.example.com")
    unseen = {one.place for one in (phone, *others[:hidden])}
    return story.without(lambda packet: HOLE[0] <= packet.time < HOLE[1]
                         and not unseen.isdisjoint((packet.source, packet.destination)))


OF_ITS_OWN = "failover-without-failure"
HOURS = site({**R0, "failBack.mode": "duration", "failBack.timeout": 3600})


def test_who_is_silent_together_with_others_may_have_been_hidden_like_them(court: Court) -> None:
    """The next REGISTERs of the others show that the tap missed their renewals altogether."""
    assert court(half_unseen(6, 3600), HOURS) == [f"830.000 {OF_ITS_OWN} 1001 10.0.0.2 likely capture-complete"]


def test_who_is_silent_alone_was_not(court: Court) -> None:
    """The control: that packets of two or three other phones are missing is nothing unusual."""
    assert court(half_unseen(3, 3600), HOURS) == [f"830.000 {OF_ITS_OWN} 1001 10.0.0.2 certain"]


def test_whose_own_renewal_is_not_seen_was_hidden(court: Court) -> None:
    """The phone renews every four minutes, and was not seen to do so for five."""
    assert court(half_unseen(0, LIVES), HOURS) == [f"? {OF_ITS_OWN} loss-nearby"]
