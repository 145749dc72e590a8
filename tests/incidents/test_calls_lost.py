"""Calls that ended because their server failed, and calls that could not be made."""

from __future__ import annotations

from datetime import UTC

import pytest

from sipaudit.capture.write import Endpoint
from sipaudit.report.incident_words import words_of
from tests.incidents.ground import Tower, end, registered
from tests.stories import Asked, Handset, P, S, Story
from tests.wire import ORIGIN


def test_calls_are_lost_with_the_server_and_cannot_be_made(tower: Tower) -> None:
    """1001 is in a call of which nothing more is seen; 1002's BYE is not answered; 1003 calls 112 in vain; 1004's call
    succeeds through S in the end."""
    story = Story()
    phones = registered(story, 5)
    phones[0].call(200, seconds=0)
    asked = phones[1].ask(210, P, "INVITE")
    phones[1].told(211, asked, 200)
    phones[1].silence(299, method="REGISTER")
    phones[1].hang_up(310, asked, answered=False)
    phones[2].silence(305, to="sip:112@pbx.example.com")
    phones[3].fail_over(310)
    phones[4].register(400)
    end(story, 420)
    tower.see(story, emergency=["112"])
    lost = tower.of("calls-lost")
    assert lost.start - ORIGIN == 299.0
    assert (lost.end or 0) - ORIGIN == pytest.approx(400.004)
    assert lost.lines == ["sip:1001@pbx.example.com", "sip:1003@pbx.example.com"]
    assert [lost.metrics[name] for name in ("calls_lost", "calls_failed", "emergency_failed")] == [1, 1, 1]
    assert "sip:1003@pbx.example.com could not make an emergency call" in [entry.what for entry in lost.timeline]


def test_a_call_that_is_heard_of_again_is_not_lost(tower: Tower) -> None:
    story = Story()
    phones = registered(story, 4)
    phones[0].call(200, seconds=300)   # its BYE, and P's answer, at 500
    for phone in phones[1:3]:
        phone.fail_over(300)
    phones[3].register(400)
    assert tower.see(story, only="calls-lost") == []


def redirected(phone: Handset, time: float, server: Endpoint, call: str) -> None:
    """A call that a 302 redirects to another number, under the same Call-ID."""
    asked = phone.ask(time, server, "INVITE", call_id=call)
    phone.told(time + 0.1, asked, 302, headers="Contact: <sip:2001@pbx.example.com>\r\n")
    phone.call(time + 0.2, server, to="sip:2001@pbx.example.com", call_id=call)


def test_a_call_that_the_next_server_redirects_has_not_failed(tower: Tower) -> None:
    """The call goes on under its Call-ID to the target of the 302 (RFC 3261 8.1.3.4)."""
    story = Story()
    for phone in registered(story, 3)[:2]:
        redirected(phone, 165, P, "call-before")
        phone.ask(300, P, "INVITE", call_id="call-in-it")
        phone.register(305.5, S)
        redirected(phone, 305.6, S, "call-in-it")
    end(story, 340)
    assert tower.see(story, only="calls-lost") == []
    assert tower.of("server-outage").metrics["calls_failed"] == 0


@pytest.mark.parametrize(("seen", "failed"), [(330.0, 0), (340.0, 2)])
def test_a_call_that_may_still_come_through_has_not_failed(tower: Tower, seen: float, failed: int) -> None:
    """A phone that receives nothing for 32 s has given up (RFC 3261 17.1.1.2)."""
    story = Story()
    for number, phone in enumerate(registered(story, 3)[:2]):
        phone.silence(300 + number)
    end(story, seen)
    tower.see(story)
    assert tower.of("server-outage").metrics["calls_failed"] == failed


@pytest.mark.parametrize(("apart", "failed"), [(100.0, 2), (150.0, 3)])
def test_who_calls_the_same_number_again_makes_another_call_some_minutes_later(tower: Tower, apart: float, failed: int
                                                                               ) -> None:
    """Four silent servers take two minutes for one call; a later INVITE was dialled anew."""
    story = Story()
    one, other, *_ = registered(story, 3)
    one.silence(300)
    one.silence(300 + apart, call_id="dialled-anew")
    other.silence(302)
    end(story, 340 + apart)
    tower.see(story)
    assert tower.of("server-outage").metrics["calls_failed"] == failed


def talks(phone: Handset, time: float) -> Asked:
    """Sets up a call; returns its INVITE."""
    asked = phone.ask(time, P, "INVITE")
    phone.told(time + 1, asked, 200)
    phone.acknowledge(time + 1.01, asked)
    return asked


def out(story: Story, phones: list[Handset], time: float) -> None:
    """P is out for a hundred seconds; all phones but the first and the last leave it, and return a minute after its
    end."""
    for number, phone in enumerate(phones[1:-1]):
        phone.fail_over(time + number)
        phone.register(time + 170 + number)
    phones[-1].register(time + 100)
    end(story, time + 200)


def lost_at(tower: Tower, story: Story) -> list[float]:
    tower.see(story)
    return [incident.start - ORIGIN for incident in tower.report.incidents if incident.kind == "calls-lost"]


def test_a_call_is_lost_once(tower: Tower) -> None:
    story = Story()
    phones = registered(story, 5)
    talks(phones[0], 200)
    out(story, phones, 300)
    out(story, phones, 1000)
    assert lost_at(tower, story) == [300]


def test_not_one_that_a_start_of_its_phone_has_ended(tower: Tower) -> None:
    story = Story()
    phones = registered(story, 5)
    talks(phones[0], 200)
    phones[0].register(600, call_id="anew")
    out(story, phones, 1000)
    assert lost_at(tower, story) == []


def test_nor_one_of_a_phone_that_is_there_no_more(tower: Tower) -> None:
    """The phone was unplugged during the call: half an hour later its registration has expired."""
    story = Story()
    phones = registered(story, 5, granted=300, asks=300)
    talks(phones[0], 200)
    for phone in phones[1:]:
        for time in range(240, 2100, 240):
            phone.register(time, challenged=False)
    out(story, phones, 2100)
    assert lost_at(tower, story) == []


def test_nor_one_that_may_have_ended_in_a_gap_of_the_capture(tower: Tower) -> None:
    """The CSeq of the next REGISTER shows that packets of the phone are missing."""
    story = Story()
    phones = registered(story, 5)
    phones[0].hang_up(250, talks(phones[0], 200))
    phones[0].register(260)
    phones[0].register(300)
    out(story, phones, 1000)
    assert lost_at(tower, story.without(lambda packet: 240 < packet.time < 290)) == []


def test_nor_one_whose_far_end_had_hung_up(tower: Tower) -> None:
    """The phone's answer to the BYE is not seen."""
    story = Story()
    phones = registered(story, 5)
    asked = talks(phones[0], 200)
    phones[0].called(250, P, "BYE", call_id=asked.call_id, tag=asked.near)
    out(story, phones, 1000)
    assert lost_at(tower, story) == []


def test_nor_one_of_which_the_capture_lacks_the_goodbye(tower: Tower) -> None:
    story = Story()
    phones = registered(story, 5)
    phones[0].hang_up(250, talks(phones[0], 200))
    out(story, phones, 1000)
    assert lost_at(tower, story.without(lambda packet: packet.what == "BYE" and packet.time == 250)) == []


def test_a_call_has_not_failed_whose_ack_is_seen_though_its_answer_is_not(tower: Tower) -> None:
    story = Story()
    for number, phone in enumerate(registered(story, 3)[:2]):
        phone.fail_over(300 + number)
    end(story, 400)
    seen = story.without(lambda packet: packet.source == S and packet.what.endswith("INVITE"))
    assert tower.see(seen) == ["server-outage 10.0.0.1 300.000- 2"]


def test_where_the_captures_show_nothing_of_the_next_server_that_is_said(tower: Tower) -> None:
    """The phones make their calls at that server."""
    story = Story()
    for number, phone in enumerate(registered(story, 3)[:2]):
        phone.fail_over(300 + number)
    end(story, 400)
    assert tower.see(story.without(lambda packet: S in (packet.source, packet.destination))) == [
        "calls-lost 10.0.0.1 300.000- 2", "server-outage 10.0.0.1 300.000- 2"]
    for kind in ("calls-lost", "server-outage"):
        incident = tower.of(kind)
        assert "nothing is seen of 10.0.0.2:5060/udp" in [entry.what for entry in incident.timeline]
        assert words_of(tower.report, UTC).of(incident)[-1] == (
            "The captures show nothing of 10.0.0.2: what was done there is not known.")


@pytest.mark.parametrize("again", [True, False])
def test_a_call_that_begins_the_next_outage_is_lost_to_it(tower: Tower, again: bool) -> None:
    """Twenty seconds lie between: 112 is called as the second begins, also by phones that called it in the first."""
    story = Story()
    phones = registered(story, 3)
    for phone in phones[:2]:
        phone.silence(300, to="sip:112@pbx.example.com")
    phones[2].call(330)
    for phone in phones[:2] if again else (phones[2], phones[0]):
        phone.silence(350, to="sip:112@pbx.example.com")
    phones[2].register(420)
    end(story, 600)
    tower.see(story, emergency=["112"], only="server-outage")
    outages = [incident for incident in tower.report.incidents if incident.kind == "server-outage"]
    assert [(round(outage.start - ORIGIN), round((outage.end or 0) - ORIGIN)) for outage in outages] == [
        (300, 331), (350, 420)]
    assert [(outage.metrics["calls_failed"], outage.metrics["emergency_failed"]) for outage in outages] == [
        (2, 2), (2, 2)]


def test_a_call_that_is_tried_again_in_the_next_outage_is_lost_to_that_when_it_was_tried_there(tower: Tower) -> None:
    story = Story()
    phones = registered(story, 3)
    for time in (300, 360):
        for phone in phones[:2]:
            phone.silence(time)
        phones[2].call(time + 20, seconds=3)
    end(story, 600)
    assert tower.see(story, None, P, only="calls-lost") == [
        "calls-lost 10.0.0.1 300.000-321.000 2", "calls-lost 10.0.0.1 360.000-381.000 2"]


def two_servers_die(story: Story) -> None:
    """Of twelve phones, eight find P dead and then S, and one finds S dead, where it was."""
    phones = registered(story, 12)
    emergency = "sip:112@pbx.example.com"
    for number, phone in enumerate(phones[:4]):
        phone.silence(300 + number, to=emergency)
        phone.silence(305.5 + number, S, to=emergency)
    for number, phone in enumerate(phones[4:8]):
        phone.silence(310 + number, method="REGISTER")
        phone.silence(315.5 + number, S, method="REGISTER")
    phones[8].fail_over(100)
    phones[8].silence(340, S)
    for number, phone in enumerate(phones):
        phone.register(400 + number, P)
        phone.told(410.2 + number, phone.ask(410 + number, S, "INVITE", to="sip:3000@pbx.example.com"), 486)


def test_a_call_that_two_servers_let_fail_is_one_call(tower: Tower) -> None:
    """A call counts at the server where it was tried first; the call that was tried at S only counts there."""
    story = Story()
    two_servers_die(story)
    end(story, 500)
    tower.see(story, emergency=["112"])
    failed = {one.server: (one.metrics["calls_failed"], one.metrics["emergency_failed"])
              for one in tower.report.incidents if one.kind == "server-outage"}
    assert failed == {"10.0.0.1:5060/udp": (4, 4), "10.0.0.2:5060/udp": (1, 0)}
    assert sum(one.kind == "calls-lost" for one in tower.report.incidents) == 2
