"""One capture whose two directions have different clocks, or queues: what a server sends appears after what the phone
sent in response to it."""

from __future__ import annotations

from dataclasses import replace

import pytest

from sipaudit.capture.health import CaptureHealth
from sipaudit.run.clocks import Clocks, ClockSet
from sipaudit.sip.datagram import Start, StartKind
from tests.stories import CHALLENGE, Court, Handset, P, S, Story
from tests.traps.ground import EARLY, PREMATURE, accused, gated_regime, minute, moved, returns


def behind(story: Story, seconds: float) -> Story:
    """The story as seen by a tap that shows the servers' packets so many seconds late."""
    return replace(story, packets=[replace(packet, time=packet.time + seconds) if packet.source in (P, S) else packet
                                   for packet in story.packets])


def asks_for_messages(phone: Handset, time: float, server: tuple[str, int]) -> None:
    """The subscription that a phone starts as soon as it has registered."""
    asked = phone.ask(time, server, "SUBSCRIBE", headers="Event: message-summary\r\n", expires=3600)
    phone.told(time + 0.004, asked, 200, headers="Expires: 3600\r\n")


def returns_twice(*, challenges: bool = True) -> Story:
    """Two outages, and no call. Each server challenges the phone the first time and accepts its nonce from then on, or
    challenges nobody. The phone subscribes immediately after the second return."""
    phone = Handset(Story(), challenges=challenges)
    phone.register(0)
    for outage in (300, 1000):
        phone.register(phone.silence(outage, P, "REGISTER"), S, challenged=challenges and outage == 300)
        done = phone.register(outage + 66.5, P, challenged=False)
        asks_for_messages(phone, done if outage > 300 else done + 5, P)
    return phone.story


@gated_regime
@pytest.mark.parametrize("challenges", [True, False])
@pytest.mark.parametrize("seconds", [0.0, 0.05, 0.2, 0.4, 0.9])
def test_an_innocent_is_not_surely_guilty(court: Court, regime: str, seconds: float, challenges: bool) -> None:
    """Where nothing is challenged, only the apparent response times show how late the answers may be."""
    found = court(behind(returns_twice(challenges=challenges), seconds), minute(regime))
    assert not [said for said in accused(found) if said.endswith("certain")]


@gated_regime
@pytest.mark.parametrize(("way", "verdict"), [(0.004, "certain"), (0.2, "likely capture-complete")])
def test_who_does_not_wait_is_found_where_answers_are_seen_to_come_sooner(
    court: Court, regime: str, way: float, verdict: str,
) -> None:
    """The server takes 150 ms for the REGISTER, and `way` for all else: no answer is later than the fastest one
    took."""
    phone = Handset(Story(), challenges=False)
    for time in (0, 100):
        phone.told(time + way, phone.ask(time, P, "REGISTER", expires=3600), 200,
                   headers=f"Contact: <{phone.contact}>;expires=3600\r\n")
    asked = phone.ask(phone.silence(300), S, "REGISTER", expires=3600)
    asks_for_messages(phone, 305.51, S)
    phone.told(305.66, asked, 200, headers=f"Contact: <{phone.contact}>;expires=3600\r\n")
    assert court(phone.story, minute(regime)) == [f"305.510 signalling-to-unregistered-server 1001 10.0.0.2 {verdict}"]


@gated_regime
def test_who_returns_too_soon_is_found_all_the_same(court: Court, regime: str) -> None:
    phone = moved(regime)
    returns(phone, regime, EARLY)
    sure, unsure = (court(behind(phone.story, seconds), minute(regime)) for seconds in (0.0, 0.4))
    assert sure == [f"{EARLY:.3f} {PREMATURE} 1001 10.0.0.1 certain"]
    assert not [said for said in accused(unsure) if said.endswith("certain")]


def test_the_report_says_how_far_the_answers_are_behind(court: Court) -> None:
    """In truth the challenge comes 4 ms after the first request, and the credentials 7 ms after it."""
    report = court.report(behind(returns_twice(), 0.4), minute("R2"))
    assert [note.partition(" holds ")[2].partition(":")[0] for note in report.notes] == [
        "challenges up to 0.397 s behind the requests that answer them"]
    assert court.report(returns_twice(), minute("R2")).notes == []


def test_a_nonce_that_is_used_again_shows_nothing(court: Court) -> None:
    """A slow server answers the previous try only now, with a nonce that the phone has had for a long time."""
    phone = Handset(Story())
    phone.register(0)
    first = phone.ask(100, P, "REGISTER", expires=3600)
    phone.told(103.2, first, 401, headers=CHALLENGE)
    phone.register(103.0, P, challenged=False)
    assert court.report(phone.story, minute("R2")).captures[0].loss.missing_halves == 0


def test_a_step_passes_with_the_first_item_from_its_frame_on_and_once() -> None:
    health = CaptureHealth("a.pcap")
    health.clock_step(5, 100.0, -60.0)
    clocks = Clocks([health])
    clocks.look()
    items = [Start(100.0, 0, frame, StartKind.FILE, None, None) for frame in (4, 5, 6)]
    assert [clocks.passed(item) for item in items] == [[], [ClockSet(5, 160.0, 100.0)], []]
