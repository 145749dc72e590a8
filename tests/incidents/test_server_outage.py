"""A server that is gone: what makes an outage, when it starts and ends, what it counts, and what it explains."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC
from pathlib import Path

import pytest

from sipaudit.capture.write import TCP_ACK, TCP_FIN, TCP_SYN, udp_packet
from sipaudit.report.incident_words import words_of
from tests.incidents.ground import Tower, end, registered
from tests.stories import CHALLENGE, DOMAIN, MINUTE, R0, R2, Handset, P, S, Story, handsets
from tests.wire import ORIGIN
from tests.wire_beside import BROADCAST, DHCP_SERVER, TFTP_SERVER, dhcp, tftp

OUTAGE = "server-outage 10.0.0.1"


def dies(story: Story, phones: list[Handset], at: float = 300.0, apart: float = 5.0) -> None:
    """P falls silent: one phone after the other finds that out with a call, and moves to S."""
    for index, phone in enumerate(phones):
        phone.fail_over(at + apart * index)


def test_an_outage_of_one_server_seen_by_many_phones_is_one_incident(tower: Tower) -> None:
    story = Story()
    phones = registered(story, 40)
    dies(story, phones[:30])
    for index, phone in enumerate(phones[30:]):
        phone.register(520 + index)
    story.murmur(530, 540)
    assert tower.see(story) == [f"{OUTAGE} 300.000-520.004 30"]
    incident = tower.of("server-outage")
    assert incident.phones == 30
    assert (incident.metrics["lines_moved"], incident.metrics["lines_stayed"]) == (30, 10)
    assert incident.metrics["time_to_detect_p50"] == 5.5
    assert incident.metrics["time_to_recover_max"] == pytest.approx(5.511)
    assert [happening.what for happening in incident.timeline] == [
        "last answer from 10.0.0.1:5060/udp", "first request without answer",
        "first line turns to another server: sip:1001@pbx.example.com",
        "the last of 30 lines has moved: sip:1030@pbx.example.com", "10.0.0.1:5060/udp answers again"]
    assert incident.evidence[0].summary == "INVITE 10.1.4.1 → 10.0.0.1"


@pytest.mark.parametrize(("failing", "asking", "seen"), [
    (1, 5, []),            # one phone has a problem of its own
    (2, 5, [OUTAGE]),
    (2, 18, [OUTAGE]),     # 2 of 20 are 10 %
    (2, 19, []),           # 2 of 21 are fewer
])
def test_two_phones_and_a_tenth_of_those_that_ask(
    tower: Tower, failing: int, asking: int, seen: list[str]
) -> None:
    story = Story()
    phones = registered(story, failing + asking)
    for phone in phones[failing:]:
        phone.register(290)
    for phone in phones[:failing]:
        phone.silence(300)
    for phone in phones[failing:]:
        phone.register(340)
    assert [line[:len(OUTAGE)] for line in tower.see(story, only="server-outage")] == seen


@pytest.mark.parametrize(("apart", "answered", "seen"), [(59.0, True, 1), (61.0, True, 0), (61.0, False, 1)])
def test_both_within_a_minute_or_with_no_answer_between(
    tower: Tower, apart: float, answered: bool, seen: int
) -> None:
    story = Story()
    phones = registered(story, 4)
    phones[0].silence(300, method="REGISTER")
    if answered:
        phones[3].register(310)
    phones[1].silence(300 + apart, method="REGISTER")
    phones[2].register(400)
    assert len(tower.see(story, only="server-outage")) == seen


def test_phones_that_are_idle_find_out_one_after_the_other(tower: Tower) -> None:
    """With hourly renewals, half an hour passes until the next phone asks. That some lines work elsewhere meanwhile is
    no split brain."""
    story = Story()
    phones = registered(story, 3)
    for phone, time in zip(phones, (1700, 3500, 5300), strict=True):
        phone.fail_over(time)
    phones[0].register(6000)
    story.murmur(6000, 6020)
    assert tower.see(story) == [f"{OUTAGE} 1700.000-6000.004 3"]


@pytest.mark.parametrize(("sendings", "seen"), [(4, [f"{OUTAGE} 300.000-420.004 3"]), (1, [])])
def test_phones_that_start_while_it_is_dead(tower: Tower, sendings: int, seen: list[str]) -> None:
    """None of them was seen to be answered before S did so. Their retransmissions to P show that they received nothing;
    with a single request, the capture may lack the answer."""
    story = Story()
    for number, phone in enumerate(handsets(story, range(11, 14))):
        asked = phone.ask(300 + number, P, "REGISTER", expires=3600)
        for after in (0.5, 1.5, 3.5)[:sendings - 1]:
            phone.again(300 + number + after, asked)
        phone.register(306 + number, S)
        phone.register(420 + number, P)
    story.murmur(440, 450)
    assert tower.see(story, only="server-outage") == seen


def test_one_phone_is_enough_where_only_one_uses_the_server(tower: Tower) -> None:
    story = Story()
    (phone,) = registered(story, 1)
    phone.silence(300, method="REGISTER")
    phone.register(320)
    phone.register(340)
    assert tower.see(story) == [f"{OUTAGE} 300.000-320.004 1"]


@pytest.mark.parametrize(("waits", "seen"), [(3.0, 0), (3.3, 1)])
def test_silence_is_what_phones_take_for_it(tower: Tower, waits: float, seen: int) -> None:
    """3.5 s less a tenth with the default timers (F2); a later answer came too late for the phone."""
    story = Story()
    for phone in registered(story, 3)[:2]:
        asked = phone.ask(300, P, "REGISTER", expires=3600)
        phone.again(300.5, asked)
        phone.again(301.5, asked)
        phone.told(300 + waits, asked, 401, headers=CHALLENGE)
        phone.register(301 + waits)
    assert len(tower.see(story)) == seen


@pytest.mark.parametrize(("again", "spans"), [
    (9.0, ["300.000-340.004"]),                       # within 10 s of the answer: it goes on, to the next answer
    (11.0, ["300.000-320.004", "331.004-340.004"]),   # after 10 s it had ended
])
def test_it_ends_with_an_answer_that_is_followed_by_ten_quiet_seconds(
    tower: Tower, again: float, spans: list[str]
) -> None:
    story = Story()
    phones = registered(story, 4)
    phones[0].silence(300, method="REGISTER")
    phones[1].silence(301, method="REGISTER")
    phones[2].register(320)
    for phone in phones[:2]:
        phone.silence(320.004 + again, method="REGISTER")
    phones[3].register(340)
    story.murmur(340, 360)
    assert [line.split()[2] for line in tower.see(story)] == spans


def test_an_outage_that_the_capture_does_not_see_end_is_open(tower: Tower) -> None:
    story = Story()
    phones = registered(story, 3)
    dies(story, phones[:2])
    story.murmur(320, 400)
    assert tower.see(story) == [f"{OUTAGE} 300.000- 2"]
    assert tower.of("server-outage").state == "open"


def test_nor_is_it_over_before_ten_seconds_have_shown_it(tower: Tower) -> None:
    story = Story()
    phones = registered(story, 3)
    dies(story, phones[:2])
    phones[2].register(390)
    story.murmur(390, 398)
    assert tower.see(story) == [f"{OUTAGE} 300.000- 2"]
    assert tower.of("server-outage").timeline[-1].what == "10.0.0.1:5060/udp answers again"
    story.murmur(398, 402)
    assert tower.see(story) == [f"{OUTAGE} 300.000-390.004 2"]


def test_refused_by_icmp_it_is_known_at_once(tower: Tower) -> None:
    story = Story()
    phones = registered(story, 3)
    for index, phone in enumerate(phones[:2]):
        asked = phone.ask(300 + index, P, "INVITE")
        story.unreachable(300.01 + index, asked.packet, P, phone.place)
        phone.call(phone.register(300.02 + index, S), S)
    phones[2].register(340)
    story.murmur(340, 360)
    assert tower.see(story) == [f"{OUTAGE} 300.000-340.004 2"]
    assert tower.of("server-outage").metrics["time_to_detect_p50"] == 0.02


def test_a_server_that_answers_503_to_all_is_out_and_overloaded(tower: Tower) -> None:
    story = Story()
    phones = registered(story, 6)
    for index, phone in enumerate(phones[:5]):
        phone.told(300.01 + index, phone.ask(300 + index, P, "REGISTER", expires=3600), 503)
        phone.register(300.02 + index, S)
    phones[5].register(340)
    story.murmur(340, 400)
    assert tower.see(story) == [f"{OUTAGE} 300.000-340.004 5", "overload 10.0.0.1 300.010-304.010 5"]
    assert tower.of("server-outage").metrics["responses_503"] == 5


@pytest.mark.parametrize(("served", "seen"), [(False, 1), (True, 0)])
def test_one_that_refuses_some_and_serves_others_is_there(tower: Tower, served: bool, seen: int) -> None:
    story = Story()
    phones = registered(story, 3)
    for phone, time in zip(phones, (300, 320), strict=False):
        phone.told(time + 0.01, phone.ask(time, P, "INVITE"), 503)
    if served:
        phones[2].register(310)
    phones[2].register(400)
    assert len(tower.see(story, only="server-outage")) == seen


@pytest.mark.parametrize(("apart", "again"), [(1, 0), (3, 0), (3, 9)])
def test_one_that_refuses_all_but_options_is_out(tower: Tower, apart: int, again: int) -> None:
    """Before a server is stopped it is drained of its phones, and goes on answering its monitoring."""
    story = Story()
    phones = registered(story, 20)
    for index, phone in enumerate(phones):
        for late in range(0, 60 * (again + 1), 60):
            time = 300 + apart * index + late
            phone.told(time + 0.01, phone.ask(time, P, "REGISTER", expires=3600), 503)
        phone.register(300.1 + apart * index, S)
    for time in range(300, 910, 10):
        phone = phones[time // 10 % 20]
        phone.told(time + 0.51, phone.ask(time + 0.5, P, "OPTIONS"), 200)
    phones[5].register(910)
    end(story, 1000)
    assert tower.see(story, only="server-outage") == [f"{OUTAGE} 300.000-910.004 20"]
    assert tower.of("server-outage").metrics["lines_moved"] == 20
    said = words_of(tower.report, UTC).of(tower.of("server-outage"))[0]
    assert said.startswith("10.0.0.1 answered everything but OPTIONS with 503 from ")


def test_where_one_direction_is_captured_silence_says_nothing(tower: Tower) -> None:
    story = Story()
    phones = registered(story, 10)
    dies(story, phones)
    heard = story.without(lambda packet: packet.source in (P, S))
    assert tower.see(heard, match={"address": "10.1.0.0/16"}) == []   # declared, or they would be no phones
    assert len(tower.report.lines) == 10


def test_near_a_packet_that_the_capture_lacks_silence_says_nothing(tower: Tower) -> None:
    """A slow answer that the phone received, as its ACK shows, but that is not in the capture."""
    story = Story()
    for index, phone in enumerate(registered(story, 3)[:2]):
        asked = phone.ask(300 + index, P, "INVITE")
        phone.again(300.5 + index, asked)
        phone.acknowledge(301.5 + index, asked)
    story.murmur(302, 340)
    assert tower.see(story) == []


def test_what_a_line_leaves_a_server_for_was_not_asked_long_before(tower: Tower) -> None:
    """At 100 the capture lacks P's answers; at 300 P is out."""
    story = Story()
    phones = registered(story, 3)
    for phone in phones[:2]:
        phone.told(100.1, phone.ask(100, P, "INVITE"), 486)
        phone.fail_over(300, registers=False)
    end(story, 400)
    assert tower.see(story.without(lambda packet: packet.source == P and packet.time > 99), {**R0, **MINUTE}) == [
        "server-outage 10.0.0.1 300.000- 2"]


def test_phones_that_were_switched_off_before_did_not_stay(tower: Tower) -> None:
    """1004 and 1005 are not seen after the first minute; 1003 is idle."""
    story = Story()
    phones = registered(story, 5, granted=300)
    for phone in phones[:3]:
        phone.register(250)
        phone.register(500)
    dies(story, phones[:2], at=600)
    end(story, 700)
    tower.see(story)
    metrics = tower.of("server-outage").metrics
    assert (metrics["lines_moved"], metrics["lines_stayed"]) == (2, 1)


def test_who_left_before_enough_phones_had_noticed_is_counted_too(tower: Tower) -> None:
    """It takes a tenth of the 30 phones to show an outage: by then the first of the three has been away for 40 s."""
    story = Story()
    phones = registered(story, 30, apart=0.5)
    for index, phone in enumerate(phones[3:]):
        phone.register(295 + index / 10)
    for index, phone in enumerate(phones[:3]):
        phone.fail_over(300 + 20 * index)
    end(story, 500)
    tower.see(story)
    metrics = tower.of("server-outage").metrics
    assert metrics["lines_moved"] == 3


def test_an_answer_that_the_capture_lost_is_no_silence(tower: Tower) -> None:
    """The phone received the answer, for it does not retransmit the request."""
    story = Story()
    for phone in registered(story, 3):
        phone.ask(300, P, "REGISTER", expires=3600)
        phone.register(330)
    assert tower.see(story) == []


def test_over_tcp_where_nothing_is_sent_again_the_move_shows_it(tower: Tower) -> None:
    story = Story()
    phones = registered(story, 3, transport="tcp")
    for phone in phones[:2]:
        phone.ask(300, P, "REGISTER", expires=3600)
        phone.register(305, S)
    phones[2].register(340)
    story.murmur(340, 360)
    assert tower.see(story) == [f"{OUTAGE} 300.000-340.004 2"]


def test_a_call_that_rings_for_long_is_no_silence(tower: Tower) -> None:
    story = Story()
    for phone in registered(story, 3):
        asked = phone.ask(300, P, "INVITE")
        phone.told(300.1, asked, 180)
        phone.told(340, asked, 487)
    assert tower.see(story) == []


def test_thresholds_are_the_packs(tower: Tower, tmp_path: Path) -> None:
    story = Story()
    phones = registered(story, 5)
    dies(story, phones[:3])
    phones[4].register(400)
    story.murmur(400, 420)
    rules = tmp_path / "mine.yaml"
    rules.write_text("override: {server-outage: {phones: 4}}\n")
    assert tower.see(story, rules=[str(rules)]) == []
    rules.write_text("override: {server-outage: {phones: 3}}\n")
    assert len(tower.see(story, rules=[str(rules)])) == 1
    rules.write_text("override: {server-outage: {enabled: false}}\n")
    assert tower.see(story, rules=[str(rules)]) == []


# -- the known time of the stop

def test_detection_counts_from_a_known_stop(tower: Tower) -> None:
    story = Story()
    phones = registered(story, 4)
    dies(story, phones[:2])
    phones[3].register(400)
    story.murmur(400, 420)
    tower.see(story, events=["+100s sbc1 stopped"])   # names nothing that is known here
    assert tower.of("server-outage").metrics["time_to_detect_p50"] == 5.5
    tower.see(story, events=["+251s 10.0.0.1 stopped"])   # the capture begins a second before the story
    incident = tower.of("server-outage")
    assert incident.start == ORIGIN + 300
    assert incident.metrics["time_to_detect_p50"] == 55.5
    assert incident.metrics["time_to_recover_max"] == pytest.approx(60.511)
    assert [(happening.time - ORIGIN, happening.what) for happening in incident.timeline][1] == (
        250.0, "known stop: 10.0.0.1 stopped")


def test_who_names_the_stop_names_a_second(tower: Tower) -> None:
    """Events have a resolution of one second: the server still answered 11 ms after the stated time."""
    story = Story()
    phones = registered(story, 4)
    dies(story, phones[:2])
    phones[3].register(400)
    tower.see(story, events=["+7s 10.0.0.1 stopped"])
    assert tower.of("server-outage").metrics["time_to_detect_p50"] == 299.5


@pytest.mark.parametrize(("after", "told"), [(50, True), (70, False)])
def test_what_is_known_of_the_minute_after_its_end_is_told_with_it(tower: Tower, after: int, told: bool) -> None:
    story = Story()
    phones = registered(story, 4)
    dies(story, phones[:2])
    phones[3].register(400)
    end(story, 500)
    tower.see(story, events=[f"+{401 + after}s 10.0.0.1 restarted once more"])
    timeline = [entry.what for entry in tower.of("server-outage").timeline]
    assert ("known: 10.0.0.1 restarted once more" in timeline) is told


@pytest.mark.parametrize("event", ["+3s 10.0.0.1 upgraded", "+251s 10.0.0.2 stopped", "+350s 10.0.0.1 started"])
def test_an_event_that_cannot_be_the_stop_is_none(tower: Tower, event: str) -> None:
    """The server still answered after it, or it names another server, or it came too late."""
    story = Story()
    phones = registered(story, 4)
    dies(story, phones[:2])
    phones[3].register(400)
    tower.see(story, events=[event])
    assert tower.of("server-outage").metrics["time_to_detect_p50"] == 5.5


# -- what an outage explains

def test_findings_stand_under_the_outage_that_made_the_line_move(tower: Tower) -> None:
    story = Story()
    phones = registered(story, 4)
    dies(story, phones[:2])
    phones[3].register(320)
    early = phones[0]
    early.register(335.0)   # back after 30 s of 60: premature, though the outage is over by then
    tower.see(story, {**R2, **MINUTE})
    (finding,) = tower.report.findings
    assert finding.rule == "premature-failback"
    assert finding.incident == tower.of("server-outage").id
    assert tower.of("server-outage").findings == [finding.id]


def test_groups_say_how_much_of_them_it_reached(tower: Tower) -> None:
    story = Story()
    phones = registered(story, 5)
    dies(story, phones[:3])
    declared = [
        {"match": {"user": "100[12]"}, "entry": "sbc", "group": "Site A", "settings": R2},
        {"match": {}, "entry": "sbc", "group": "Site B", "settings": R2}]
    tower.see(story, lines=declared)
    assert [(share.group, share.lines, share.of) for share in tower.of("server-outage").groups] == [
        ("Site A", 2, 2), ("Site B", 1, 3)]


def test_what_is_reported_is_chosen_by_from_and_to(tower: Tower) -> None:
    story = Story()
    phones = registered(story, 4)
    dies(story, phones[:2])
    phones[2].register(400)
    phones[2].register(500)
    assert len(tower.see(story, start="+390s")) == 1   # it lasted until then
    assert tower.see(story, start="+420s") == []
    assert tower.see(story, end="+250s") == []
    assert tower.see(story, end="+340s") == [f"{OUTAGE} 300.000- 2"]


@pytest.mark.parametrize("status", [None, 403, 503])
@pytest.mark.parametrize("taken", [False, True])
def test_a_line_has_found_out_when_it_first_asks_another_server(tower: Tower, status: int | None, taken: bool) -> None:
    """That one is dead too, or refuses the line, which then tries P once more, and S again if it can."""
    story = Story()
    phones = registered(story, 2)
    for phone in phones:
        time = phone.silence(300)
        if status is None:
            time = phone.silence(time, S, "REGISTER")
        else:
            phone.told(time + 0.004, phone.ask(time, S, "REGISTER", expires=3600), status)
        time = phone.silence(time + 10, P, "REGISTER")
        if taken:
            phone.register(time, S)
        else:
            phone.register(400, P)
            phone.call(410, P)
    end(story, 600)
    tower.see(story)
    outage = next(incident for incident in tower.report.incidents if incident.kind == "server-outage")   # P's
    assert outage.metrics["lines_moved"] == (2 if taken else 0)
    assert outage.metrics["time_to_detect_max"] == 5.5
    first = next(entry for entry in outage.timeline if entry.what.startswith("first line turns"))
    assert first.time - ORIGIN == 305.5


def test_who_asked_a_dead_server_moves_because_of_it_though_it_is_back_by_then(tower: Tower) -> None:
    """P answers others from 304 on; the call of 302 timed out at 307.5."""
    story = Story()
    phones = registered(story, 3)
    phones[0].fail_over(295)
    phones[1].fail_over(302)
    phones[2].call(304)
    end(story, 400)
    tower.see(story)
    outage = tower.of("server-outage")
    assert (outage.end or 0) - ORIGIN < 310
    assert (outage.metrics["lines_moved"], outage.metrics["lines_stayed"]) == (2, 1)


def reboots(phone: Handset, time: float) -> None:
    """The phone requests an address, fetches its configuration, and registers as if for the first time."""
    host, mac = phone.place[0], f"020000{int(phone.user):06}"
    for later, packet in enumerate((
        udp_packet(("0.0.0.0", 68), BROADCAST, dhcp(1, 1, mac=mac)),
        udp_packet(DHCP_SERVER, (host, 68), dhcp(2, 5, given=host, mac=mac)),
        udp_packet((host, 40_002), TFTP_SERVER, tftp("000000000000.cfg")),
    )):
        phone.story.put(time + later, packet, phone.place, P)
    phone.register(time + 30, call_id=f"reborn-{phone.user}")


def test_who_is_rebooted_after_an_outage_had_stayed_and_was_registered_before(tower: Tower) -> None:
    """Rebooting is what people do with phones that do not work."""
    story = Story()
    phones = registered(story, 6)
    dies(story, phones[:3])
    phones[5].register(420)
    for phone in phones[3:5]:
        reboots(phone, 700)
    end(story, 800)
    tower.see(story)
    outage = tower.of("server-outage")
    assert (outage.metrics["lines_moved"], outage.metrics["lines_stayed"]) == (3, 3)
    rows = next(line for line in tower.report.lines if "1004" in line.line).registrations
    assert [(round(row.from_ - ORIGIN), None if row.until is None else round(row.until - ORIGIN), row.end)
            for row in rows] == [(6, 730, "unknown"), (730, 4330, None)]


def test_phones_that_leave_since_a_subscription_ran_out_tell_of_an_outage(tower: Tower) -> None:
    """An idle phone that watches others sends nothing else."""
    story = Story()
    phones = registered(story, 8)
    for number, phone in enumerate(phones):
        phone.register(phone.silence(300 + number, method="SUBSCRIBE", headers="Event: dialog\r\n"), S)
    for number, phone in enumerate(phones):
        phone.register(400 + number)
    end(story, 500)
    tower.see(story)
    outage = tower.of("server-outage")
    assert (outage.start - ORIGIN, outage.metrics["lines_moved"]) == (300.0, 8)
    assert outage.metrics["time_to_detect_p50"] == 5.5


PROCEEDING = (0.5, 4.5, 8.5, 12.5, 16.5, 20.5, 24.5, 28.5)   # RFC 3261 17.1.2.2: retransmitted every T2 after a 1xx


@pytest.mark.parametrize(("repeats", "final", "seen"), [
    (PROCEEDING, None, ["server-outage 10.0.0.1 300.000-560.004 6"]),
    (PROCEEDING[:5], 20.0, []),
    (PROCEEDING[:3], None, []),   # the phone received an answer that the capture lacks
], ids=["none", "late", "unseen"])
def test_a_register_that_gets_only_100_runs_out(
    tower: Tower, repeats: tuple[float, ...], final: float | None, seen: list[str]
) -> None:
    """A proxy whose registrar is gone sends only 100. F4: a 1xx does not stop Timer F."""
    story = Story()
    phones = registered(story, 6)
    for index, phone in enumerate(phones):
        for attempt in range(3):
            time = 300 + index * 3 + attempt * 60
            asked = phone.ask(time, P, "REGISTER", expires=3600)
            phone.told(time + 0.01, asked, 100)
            for later in repeats:
                phone.again(time + later, asked)
                phone.told(time + later + 0.01, asked, 100)
            if final is not None:
                phone.told(time + final, asked, 200, headers=f"Contact: <{phone.contact}>;expires=3600\r\n")
    for index, phone in enumerate(phones):
        phone.register(560 + index, P)
    end(story, 640)
    assert tower.see(story, None, P, only="server-outage") == seen


def in_vain(story: Story, phone: Handset, time: float, method: str) -> None:
    """A request over TCP whose segment nobody acknowledges."""
    phone.ask(time, P, method, expires=3600 if method == "REGISTER" else None)
    segment = story.packets[-1]
    for later in (0.3, 0.9, 2.1, 4.5, 9.3, 18.9):
        story.packets.append(replace(segment, time=time + later))


@pytest.mark.parametrize("servers", [(P,), (P, S)])
def test_a_server_that_is_silent_over_tcp_is_out(tower: Tower, servers: tuple[tuple[str, int], ...]) -> None:
    """Its phones have nowhere to go, or stay. Over a connection TCP retransmits, and SIP does not (F2)."""
    story = Story()
    phones = registered(story, 6, transport="tcp")
    for index, phone in enumerate(phones):
        for attempt in range(4):
            in_vain(story, phone, 300 + index * 3 + attempt * 60, "REGISTER")
    for index, phone in enumerate(phones):
        phone.register(640 + index, P)
    end(story, 700)
    assert tower.see(story, None, *servers) == [f"{OUTAGE} 300.000-640.004 6"]


def test_calls_that_ran_out_before_their_connections_failed_begin_the_outage(tower: Tower) -> None:
    """Six calls get no answer and are given up along with their connections; then no SYN is answered."""
    story = Story()
    phones = registered(story, 6, transport="tcp")
    for index, phone in enumerate(phones):
        time = 300 + index * 3
        in_vain(story, phone, time, "INVITE")
        story.reset(time + 32, phone.place, P)
        for attempt in range(3):
            story.syn(time + 32.1 + attempt * 30, (phone.place[0], 7000 + 10 * index + attempt), P)
    for index, phone in enumerate(phones):
        phone.register(640 + index, P)
    end(story, 700)
    assert tower.see(story, None, P, only="server-outage") == [f"{OUTAGE} 300.000-640.004 6"]
    assert tower.of("server-outage").metrics["calls_failed"] == 6


@pytest.mark.parametrize(("answer", "broke", "seen"), [
    (None, 20.0, [f"{OUTAGE} 300.000-640.004 6"]),
    (None, 1.0, []),       # given up before the request timed out
    (None, 50.0, []),      # the connection may have broken for any later reason
    (None, None, []),      # the capture may lack the answer
    (8.0, 20.0, []),
], ids=["in time", "soon", "late", "never", "answered"])
def test_a_connection_that_breaks_shows_what_had_run_out(
    tower: Tower, answer: float | None, broke: float | None, seen: list[str]
) -> None:
    """The segments are acknowledged: the only sign of silence is that the connection breaks with the request open."""
    story = Story()
    phones = registered(story, 6, transport="tcp")
    for index, phone in enumerate(phones):
        time = 300 + index * 3
        asked = phone.ask(time, P, "REGISTER", expires=3600)
        if answer is not None:
            phone.told(time + answer, asked, 200, headers=f"Contact: <{phone.contact}>;expires=3600\r\n")
        if broke is not None:
            story.reset(time + broke, phone.place, P)
    for index, phone in enumerate(phones):
        phone.place = phone.place[0], 7000 + index
        phone.register(640 + index, P)
    end(story, 700)
    assert tower.see(story, None, P, only="server-outage") == seen


@pytest.mark.parametrize(("rings", "seen"), [(False, [f"{OUTAGE} 300.000-640.004 6"]), (True, [])])
def test_nor_does_it_show_anything_of_a_call_that_rings(tower: Tower, rings: bool, seen: list[str]) -> None:
    story = Story()
    phones = registered(story, 6, transport="tcp")
    for index, phone in enumerate(phones):
        time = 300 + index * 3
        asked = phone.ask(time, P, "INVITE")
        if rings:
            phone.told(time + 1, asked, 180)
        story.reset(time + 20, phone.place, P)
    for index, phone in enumerate(phones):
        phone.place = phone.place[0], 7000 + index
        phone.register(640 + index, P)
        phone.call(650 + index)
    end(story, 700)
    assert tower.see(story, None, P, only="server-outage") == seen


@pytest.mark.parametrize(("lacks", "seen"), [(200.0, 1), (250.0, 0), (301.0, 0)])
def test_silence_near_a_packet_that_the_capture_lacks_counts_for_nothing(tower: Tower, lacks: float, seen: int) -> None:
    """The capture may lack the answer, too."""
    story = Story()
    phones = registered(story, 3)
    for phone in phones[:2]:
        phone.orphan(lacks, P)
        phone.silence(300, method="REGISTER")
    end(story, 500)
    assert len(tower.see(story, only="server-outage")) == seen


@pytest.mark.parametrize(("refused", "lacks", "seen"), [(True, True, 1), (False, True, 0), (False, False, 1)])
def test_where_packets_lack_one_phone_shows_an_outage_by_more_than_silence_alone(
    tower: Tower, refused: bool, lacks: bool, seen: int
) -> None:
    story = Story()
    (phone,) = registered(story, 1)
    if lacks:
        phone.orphan(100, P)
    if refused:
        story.unreachable(300.01, phone.ask(300, P, "REGISTER").packet, phone.place, P)
    else:
        phone.silence(300, method="REGISTER")
    end(story, 500)
    assert len(tower.see(story, only="server-outage")) == seen


@pytest.mark.parametrize(("status", "moved"), [(486, 3), (404, 3), (603, 3), (200, 3), (503, 0), (500, 0), (408, 0)])
def test_in_r0_any_final_answer_elsewhere_that_is_no_failure_has_moved_the_line(
    tower: Tower, status: int, moved: int
) -> None:
    """The server works, even if the callee is busy or not known there."""
    story = Story()
    phones = registered(story, 6)
    for index, phone in enumerate(phones[:3]):
        time = phone.silence(300 + index)
        phone.told(time + 0.2, phone.ask(time, S, "INVITE"), status)
    phones[5].register(400)
    end(story, 500)
    tower.see(story, {**R0, **MINUTE})
    outages = (one for one in tower.report.incidents if one.kind == "server-outage")
    metrics = next(one for one in outages if one.server == "10.0.0.1:5060/udp").metrics
    assert (metrics["lines_moved"], metrics["lines_stayed"]) == (moved, 6 - moved)
    assert metrics["time_to_recover_max"] == (5.7 if moved else None)


def test_in_r0_who_has_moved_so_has_moved_once_and_its_findings_follow_from_that(tower: Tower) -> None:
    story = Story()
    phones = registered(story, 6)
    for index, phone in enumerate(phones[:3]):
        time = phone.silence(300 + index)
        phone.told(time + 0.2, phone.ask(time, S, "INVITE"), 486)
        phone.call(time + 30, S, to=f"sip:30{index}@pbx.example.com")
    phones[5].register(400)
    phones[0].call(360, P)     # back before the minute is over
    end(story, 500)
    tower.see(story, {**R0, **MINUTE})
    outage = tower.of("server-outage")
    assert (outage.metrics["lines_moved"], outage.metrics["time_to_recover_max"]) == (3, 5.7)
    assert [finding.incident for finding in tower.report.findings] == [outage.id]


def test_who_closes_what_was_never_opened_has_found_nobody(tower: Tower) -> None:
    """Some TCP stacks, and the simulator, send a FIN after SYNs that were not answered."""
    story = Story()
    phones = registered(story, 6, transport="tcp")
    for index, phone in enumerate(phones):
        client, time = (phone.place[0], 7000), 300 + index * 3
        story.syn(time, client, P)
        story.sequences[client, P] -= 1
        story._segment(time + 1, client, P, TCP_SYN)
        story._segment(time + 3, client, P, TCP_FIN | TCP_ACK)
    for index, phone in enumerate(phones):
        phone.place = phone.place[0], 7500
        phone.register(640 + index, P)
    end(story, 700)
    assert tower.see(story, None, P, only="server-outage") == [f"{OUTAGE} 300.000-640.004 6"]


@pytest.mark.parametrize(("method", "apart", "answers", "seen"), [
    ("REGISTER", 62.0, (), [f"{OUTAGE} 300.000-640.004 6"]),
    ("INVITE", 40.0, (), [f"{OUTAGE} 300.000-640.004 6"]),
    ("REGISTER", 62.0, (320.0, 380.0, 430.0), []),    # one phone is answered: the capture may lack the others' answers
    ("REGISTER", 120.0, (), []),                      # a request so much later is not due to a missing answer
], ids=["registers", "calls", "served", "late"])
def test_a_server_that_hangs_while_its_kernel_acknowledges_is_out(
    tower: Tower, method: str, apart: float, answers: tuple[float, ...], seen: list[str]
) -> None:
    """Its phones have nowhere to go, and ask again and again over connections that stay up (F2: no retransmissions)."""
    story = Story()
    phones = registered(story, 6, transport="tcp")
    watcher = Handset(story, "1900", ("10.1.9.1", 5060), transport="tcp")
    watcher.register(20)
    for index, phone in enumerate(phones):
        for attempt in range(3):
            time = 300 + index * 3 + attempt * apart
            phone.ask(time, P, method, expires=3600 if method == "REGISTER" else None)
            story._segment(time + 0.1, P, phone.place, TCP_ACK)
    for time in answers:
        watcher.told(time + 0.1, watcher.ask(time, P, "OPTIONS"), 200)
    for index, phone in enumerate(phones):
        phone.register(640 + index, P)
    end(story, 700)
    assert tower.see(story, None, P, only="server-outage") == seen


def test_by_udp_who_sends_nothing_again_has_heard(tower: Tower) -> None:
    story = Story()
    phones = registered(story, 6)
    for index, phone in enumerate(phones):
        for attempt in range(3):
            phone.ask(300 + index * 3 + attempt * 62, P, "REGISTER", expires=3600)
    for index, phone in enumerate(phones):
        phone.register(640 + index, P)
    end(story, 700)
    assert tower.see(story, None, P, only="server-outage") == []


def test_a_line_that_several_phones_have_counts_for_each_of_them(tower: Tower) -> None:
    """One AOR, three phones, three lines (section 1, *line*)."""
    story = Story()
    shared = [Handset(story, "1001", (f"10.1.0.{number}", 5060)) for number in (11, 12, 13)]
    alone = registered(story, 2, apart=1.0, first=1500)
    for index, phone in enumerate(shared):
        phone.register(50 + index)
    dies(story, [*shared, alone[0]])
    alone[1].register(520)
    end(story, 600)
    tower.see(story)
    outage = tower.of("server-outage")
    assert outage.lines == [*3 * ["sip:1001@pbx.example.com"], "sip:1500@pbx.example.com"]
    assert (outage.phones, outage.metrics["lines_moved"], outage.metrics["lines_stayed"]) == (4, 4, 1)


def test_who_cannot_even_connect_has_asked(tower: Tower) -> None:
    """A certificate has expired: every minute an attempt to connect fails, and no SIP is seen any more."""
    story = Story()
    phones = registered(story, 6, transport="tcp")
    for index, phone in enumerate(phones):
        for time in range(300, 600, 60):
            client = (phone.place[0], 7000 + time)
            story.syn(time + index, client, P)
            story.reset(time + index + 0.001, P, client)
    story.murmur(600, 700)
    assert tower.see(story, None, P, only="server-outage") == [f"{OUTAGE} 300.000- 6"]
    said = words_of(tower.report, UTC).of(tower.of("server-outage"))[0]
    assert said.startswith("10.0.0.1 could not be reached from 12:05:00 on; nobody asked it again after 12:10:00.")


def test_of_the_only_phone_it_is_said_that_it_stayed(tower: Tower) -> None:
    story = Story()
    (phone,) = registered(story, 1)
    for time in range(300, 500, 40):
        phone.silence(time, method="REGISTER")
    phone.register(520)
    end(story, 600)
    tower.see(story, None, P)
    assert words_of(tower.report, UTC).of(tower.of("server-outage")) == [
        "10.0.0.1 did not answer from 12:05:00 to 12:08:40.", "1 phone did not move."]


def test_what_a_line_had_asked_in_an_earlier_outage_does_not_lengthen_this_one(tower: Tower) -> None:
    """In the first outage S answered an emergency call of 1001, which may go anywhere; 1001 leaves P for good only in
    the second (R0)."""
    story = Story()
    phones = registered(story, 6)
    emergency = f"sip:112@{DOMAIN}"
    phones[0].call(phones[0].silence(300, to=emergency), S, 5.0, to=emergency)
    phones[1].fail_over(301, registers=False)
    phones[2].call(340, seconds=5)
    for number, phone in enumerate(phones[3:5]):
        phone.fail_over(600 + number, registers=False)
    phones[0].fail_over(610, registers=False)
    phones[2].call(640, seconds=5)
    end(story, 700)
    told = tower.see(story, {**R0, "failBack.mode": "newRequests"}, emergency=["112"], only="server-outage")
    assert [line.split()[2] for line in told] == ["300.000-341.000", "600.000-641.000"]
    (*_, second) = (incident for incident in tower.report.incidents if incident.kind == "server-outage")
    assert second.metrics["lines_moved"] == 3
    assert second.metrics["time_to_detect_max"] == 5.5


def test_a_server_that_forgot_its_connections_is_not_out(tower: Tower) -> None:
    """It was restarted while nobody asked: each phone's next REGISTER meets a reset, is sent again over a new
    connection, and is answered."""
    story = Story()
    phones = registered(story, 6, transport="tcp")
    for number, phone in enumerate(phones):
        cut = phone.ask(600 + number / 100, P, "REGISTER", expires=3600)
        story.reset(600.001 + number / 100, P, phone.place)
        phone.again(600.1 + number / 100, cut)
        phone.told(600.12 + number / 100, cut, 200, headers=f"Contact: <{phone.contact}>;expires=3600\r\n")
    end(story, 700)
    assert tower.see(story) == []


def test_a_reset_that_meets_no_request_says_nothing_of_its_server(tower: Tower) -> None:
    """P was restarted. Its phones send it only keepalives (RFC 5626 3.5.1), on connections that it no longer knows;
    they open new ones for their next requests."""
    story = Story()
    phones = registered(story, 6, transport="tcp")
    for number, phone in enumerate(phones):
        story.tcp(600 + number, phone.place, P, b"\r\n\r\n")
        story.reset(600.001 + number, P, phone.place)
        phone.register(640 + number)
    end(story, 700)
    assert tower.see(story) == []


def test_a_reset_counts_where_no_answer_follows(tower: Tower) -> None:
    """P resets the connections on which phones send requests, and they go elsewhere."""
    story = Story()
    phones = registered(story, 6, transport="tcp")
    for number, phone in enumerate(phones):
        phone.ask(600 + number, P, "REGISTER", expires=3600)
        story.reset(600.001 + number, P, phone.place)
        phone.register(600.1 + number, S)
    end(story, 700)
    assert [told.split()[2] for told in tower.see(story, only="server-outage")] == ["600.000-"]


@pytest.mark.parametrize("how", ["icmp", "reset"])
def test_what_a_line_left_for_is_not_silence_where_its_request_could_not_be_delivered(tower: Tower, how: str) -> None:
    """In R0 a call goes elsewhere at once, which shows no more than the ICMP error, or the reset, did."""
    story = Story()
    phones = registered(story, 3, transport="tcp" if how == "reset" else "udp")
    for number, phone in enumerate(phones):
        time = 300 + 2 * number
        asked = phone.ask(time, P, "INVITE")
        if how == "reset":
            story.reset(time + 0.002, P, phone.place)
        else:
            story.unreachable(time + 0.002, asked.packet, P, phone.place)
        phone.call(time + 0.01, S, 5)
        phone.register(400 + number)
    end(story, 500)
    assert tower.see(story, {**R0, **MINUTE}, only="server-outage") == ["server-outage 10.0.0.1 300.000-400.004 3"]
    assert {frame.summary for frame in tower.of("server-outage").evidence} == {f"{how} 10.0.0.1"}
    said = words_of(tower.report, UTC).of(tower.of("server-outage"))[0]
    assert said.startswith("10.0.0.1 could not be reached from ")
