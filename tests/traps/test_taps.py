"""Packets that the tap shows twice, late, or not at all."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from tests.stories import (
    CREDENTIALS,
    MINUTE,
    STRANGERS,
    Court,
    Handset,
    P,
    Packet,
    S,
    Story,
    T,
    site,
)
from tests.traps.ground import (
    DUE,
    EARLY,
    MODES,
    PREMATURE,
    REGIMES,
    RETURN,
    TTL,
    UNREGISTERED,
    accused,
    any_mode,
    any_regime,
    gated_regime,
    handset,
    minute,
    moved,
    returns,
)

ABOUT = (UNREGISTERED, PREMATURE)


def mirrored(packet: Packet, delay: float) -> Packet:
    """The packet as seen on the other side of a router: one hop more, so another checksum."""
    frame = bytearray(packet.frame)
    frame[22] -= 1
    frame[24:26] = ((int.from_bytes(frame[24:26], "big") + 0x100 - 1) % 0xFFFF + 1).to_bytes(2, "big")
    return Packet(packet.time + delay, bytes(frame), packet.source, packet.destination, packet.what)


@any_regime
@pytest.mark.parametrize("delay", [0.0002, 0.015, 0.045])
def test_a_mirror_port_that_shows_everything_twice(court: Court, regime: str, delay: float) -> None:
    phone = moved(regime)
    returns(phone, regime)
    phone.story.packets += [mirrored(packet, delay) for packet in phone.story.packets]
    assert court(phone.story, minute(regime)) == []


@gated_regime
@pytest.mark.parametrize("delay", [0.0002, 0.015, 0.045])
def test_faults_shown_twice_are_found_once(court: Court, regime: str, delay: float) -> None:
    phone = handset()
    phone.fail_over(300, registers=False)
    phone.story.packets += [mirrored(packet, delay) for packet in phone.story.packets]
    assert court(phone.story, minute(regime)) == [f"305.500 {UNREGISTERED} 1001 10.0.0.2 certain"]


@gated_regime
@pytest.mark.parametrize("behind", [0.0005, 0.008])
def test_an_answer_that_a_mirror_port_shows_behind_the_call_that_waited_for_it(
    court: Court, regime: str, behind: float,
) -> None:
    """The servers' packets pass another mirror port, with a longer queue."""
    phone = handset()
    time = phone.silence(300)
    asked = phone.ask(time, S, "REGISTER", expires=3600, headers=CREDENTIALS)
    phone.call(time + 0.02, S, 5)
    phone.told(time + 0.02 + behind, asked, 200, headers=f"Contact: <{phone.contact}>;expires=3600\r\n")
    assert accused(court(phone.story, minute(regime))) == []


@gated_regime
@pytest.mark.parametrize(("behind", "verdict"), [(0.0, None), (0.05, "likely capture-complete")])
def test_all_answers_pass_a_long_queue_of_the_mirror(
    court: Court, regime: str, behind: float, verdict: str | None,
) -> None:
    """The phone calls 30 ms after the 200 that allows it. Nobody answers the call, and nothing was challenged, so
    neither an ACK nor credentials reveal the order."""
    phone = handset(challenges=False)
    time = phone.silence(300)
    asked = phone.ask(time, S, "REGISTER", expires=3600, headers=CREDENTIALS)
    phone.told(time + 0.01, asked, 200, headers=f"Contact: <{phone.contact}>;expires=3600\r\n")
    call = phone.ask(time + 0.04, S, "INVITE")
    phone.told(time + 0.06, call, 100)
    phone.told(time + 30, call, 486)
    late = [replace(one, time=one.time + behind) if one.source in (P, S) else one for one in phone.story.packets]
    found = accused(court(replace(phone.story, packets=late), minute(regime)))
    assert found == ([f"305.540 {UNREGISTERED} 1001 10.0.0.2 {verdict}"] if verdict else [])


@any_regime
@pytest.mark.parametrize("skew", [0.004, 0.5, -0.5])
def test_two_taps_that_see_the_same(court: Court, regime: str, skew: float) -> None:
    phone = moved(regime)
    returns(phone, regime)
    assert court([phone.story, phone.story.retimed(lambda time: time + skew)], minute(regime)) == []


@any_regime
@pytest.mark.parametrize("skew", [0.0, 0.002, -0.002])
def test_two_taps_that_see_one_direction_each(court: Court, regime: str, skew: float) -> None:
    phone = moved(regime)
    returns(phone, regime)
    here = phone.story.without(lambda packet: packet.source != phone.place)
    there = phone.story.without(lambda packet: packet.source == phone.place).retimed(lambda time: time + skew)
    assert court([here, there], minute(regime)) == []


@any_regime
@pytest.mark.parametrize("hears", [True, False])
def test_a_tap_that_sees_one_direction_only(court: Court, regime: str, hears: bool) -> None:
    phone = moved(regime)
    returns(phone, regime)
    seen = phone.story.without(lambda packet: (packet.source == phone.place) == hears)
    found = court(seen, minute(regime, match={"address": "10.1.0.5"}))
    assert found == []


@gated_regime
def test_a_tap_that_never_hears_the_second_server(court: Court, regime: str) -> None:
    phone = moved(regime)
    returns(phone, regime)
    found = court(phone.story.without(lambda packet: packet.source == S), minute(regime))
    assert accused(found) == []


OVERDUE = "overdue-failback"
MISSING, SKIPPED, UNTRIED = "failover-missing", "failover-skipped-server", "primary-not-tried-first"


@pytest.mark.parametrize(("granted", "every"), [(60, 15), (60, 30), (60, 45), (120, 60)])
@pytest.mark.parametrize("transport", ["udp", "tcp"])
def test_renewals_whose_answers_take_another_way(court: Court, granted: int, every: int, transport: str) -> None:
    """The phone goes on as before and retransmits nothing: it receives the answers that this tap no longer shows."""
    phone = handset(granted=granted, transport=transport)
    Handset(phone.story, "1002", ("10.1.0.6", 5060)).register(5, S)
    for number in range(1, 20):
        phone.register(number * every, challenged=False)
    answers = phone.story.without(lambda packet: packet.source == P and packet.time > 10 * every)
    answers.murmur(20 * every, 20 * every + 100)
    assert Court(court.folder, [MISSING])(answers, minute("R2")) == [f"? {MISSING} one-way"]


CALLS_AT_EACH = site({**REGIMES["R0"], **MODES["newRequests"], "retryMaxCount": 3, "retryTimeOut": 0}, P, S)


def tries_first(story: Story, number: int = 1, begins: float = 0.0) -> None:
    """A phone that first tries P, which is silent, with each of two calls, and then makes them at S."""
    phone = Handset(story, user=f"100{number}", place=(f"10.1.0.{number}", 5060))
    phone.register(begins)
    for time in (300, 400):
        phone.call(phone.silence(begins + time), S, 5.0)
    phone.register(begins + 1000)


def test_a_tap_at_the_first_server_alone(court: Court) -> None:
    """At this tap, a phone that stays with a silent server looks like one that makes its calls at another."""
    story = Story()
    tries_first(story)
    here = story.without(lambda packet: S in (packet.source, packet.destination))
    here.murmur(420, 520)
    found = Court(court.folder, [MISSING])(here, CALLS_AT_EACH)
    assert found == [f"400.000 {MISSING} 1001 10.0.0.1 likely capture-complete"]


def test_a_phone_that_stays_beside_one_that_moves(court: Court) -> None:
    """The tap sees the second server, where another phone makes its calls."""
    story = Story()
    tries_first(story, 2, begins=700.0)
    stays = Handset(story, user="1001", place=("10.1.0.1", 5060))
    stays.register(0)
    stays.silence(300)
    stays.silence(400)
    stays.register(1000)
    assert Court(court.folder, [MISSING])(story, CALLS_AT_EACH) == [f"400.000 {MISSING} 1001 10.0.0.1 certain"]


def test_the_next_server_has_an_address_of_another_family(court: Court) -> None:
    """A phone with addresses of both families is two phones to us: the one that calls in vain over IPv6 goes elsewhere
    as the other."""
    story, six = Story(), ("2001:db8::1", 5060)
    here = Handset(story, place=("2001:db8:1::5", 5060))
    there = Handset(story, place=("10.1.0.5", 5060))
    here.register(0, six)
    for time in (300, 400):
        there.call(here.silence(time, six), P)
    story.murmur(0, 700)
    assert Court(court.folder, [MISSING])(story, site(REGIMES["R0"], six, P)) == [f"? {MISSING} identity-unsure"]


UPLINK, OTHER_UPLINK = ("192.0.2.5", 1024), ("192.0.2.77", 1024)
INSTANCE = '+sip.instance="<urn:uuid:00000000-0000-1000-8000-0004f2aaaaaa>"'


def two_uplinks(regime: str, known_by: str, mode: dict[str, Any]) -> tuple[Story, dict[str, Any]]:
    """A phone behind a router that uses another uplink for each server: P is silent, and the phone does what it
    should."""
    story, shown = Story(), f";{INSTANCE}" if known_by == "instance" else ""
    here, there = (Handset(story, place=uplink, contact="sip:1001@192.168.1.10:5060", parameters=shown)
                   for uplink in (UPLINK, OTHER_UPLINK))
    there.registration = "other-way"
    here.register(0)
    for time in (300, 400, 500):
        sent = here.silence(time, P)
        if time == 300 and regime != "R0":
            sent = there.register(sent, S)
        there.call(sent, S, 5.0)
    story.murmur(0, 700)
    return story, site({**REGIMES[regime], **mode}, P, S)


@any_regime
@pytest.mark.parametrize("known_by", ["instance", "contact"])
@pytest.mark.parametrize("mode", [{"failBack.mode": "newRequests"}, MINUTE], ids=["newRequests", "duration"])
def test_a_phone_goes_to_each_server_by_another_uplink(
        court: Court, regime: str, known_by: str, mode: dict[str, Any]) -> None:
    """The servers see two phones, each of which seems to know one server; what it does as the other is unknown."""
    story, declared = two_uplinks(regime, known_by, mode)
    assert accused(Court(court.folder)(story, declared)) == []


def test_a_phone_whose_address_changed_is_one_all_the_same(court: Court) -> None:
    """Its router got another address: nothing more comes from the old one."""
    story, shown = Story(), f";{INSTANCE}"
    before, now = (Handset(story, place=uplink, contact="sip:1001@192.168.1.10:5060", parameters=shown)
                   for uplink in (UPLINK, OTHER_UPLINK))
    before.register(0)
    before.call(20)
    now.register(60)
    for time in (300, 400):
        now.silence(time, P)
    tries_first(story, 2, begins=700.0)   # the tap sees the second server, too
    now.register(1000)
    assert Court(court.folder, [MISSING])(story, CALLS_AT_EACH) == [f"400.000 {MISSING} 1001 10.0.0.1 certain"]


def test_a_phone_is_seen_on_both_sides_of_its_router(court: Court) -> None:
    """We take it for two phones, which do the same."""
    story, shown = Story(), f";{INSTANCE}"
    sides = [Handset(story, place=place, contact="sip:1001@192.168.1.10:5060", parameters=shown)
             for place in (("192.168.1.10", 5060), UPLINK)]
    for number, side in enumerate(sides):
        side.register(number / 1000)
        for time in (300, 400):
            side.silence(time + number / 1000, P)
        side.register(1000 + number / 1000)
    tries_first(story, 2, begins=700.0)
    found = Court(court.folder, [MISSING])(story, CALLS_AT_EACH)
    assert found == [f"400.{number:03} {MISSING} 1001 10.0.0.1 certain" for number in range(2)]


@pytest.mark.parametrize("seen", [False, True])
def test_the_server_between_is_not_at_this_tap(court: Court, seen: bool) -> None:
    """The phone may have tried S unseen by this tap; if another phone is seen at S, this one did not try it."""
    story, three = Story(), site({**REGIMES["R0"], **MINUTE}, P, S, T)
    phone = handset(story)
    phone.fail_over(300, to=T, registers=False)
    if seen:
        Handset(story, user="1002", place=("10.1.0.6", 5060)).fail_over(100, registers=False)
    assert Court(court.folder, [SKIPPED])(story, three) == [
        f"305.500 {SKIPPED} 1001 10.0.0.3 " + ("certain" if seen else "likely capture-complete")]


def calls_through_the_first(story: Story, number: int, every: int = 30) -> Handset:
    """A phone that registers at P and calls there every `every` seconds until shortly before 600."""
    phone = Handset(story, user=f"1{number:03}", place=(f"10.1.0.{number + 5}", 5060))
    phone.register(number)
    for time in range(20 + 4 * number, 590, every):
        phone.call(time, P, 3.0)
    return phone


def leaves_a_port_that_is_down(regime: str, mode: str, *, sees: float, phones: int = 6) -> tuple[Story, dict[str, Any]]:
    """Phones call through P every half minute. At 600 its link goes down, and with it the mirrored port: they find P
    silent, with newRequests before every call, and work at S. From `sees` on the tap shows P again."""
    story = Story()
    for number in range(phones):
        phone = calls_through_the_first(story, number)
        begins = 605.0 + 20 * number
        done = phone.fail_over(begins, registers=regime != "R0")
        for time in (done + 30, done + 60, done + 90):
            phone.call(phone.silence(time) if mode == "newRequests" else time, S, 4.0)
    story.murmur(600, 1000)
    here = story.without(lambda packet: P in (packet.source, packet.destination) and 600 <= packet.time < sees)
    return here, site({**REGIMES[regime], "failBack.mode": mode, "failBack.timeout": 3600}, P, S)


@pytest.mark.parametrize(("regime", "mode"), [
    ("R0", "newRequests"), ("R0", "duration"), ("R1", "newRequests"), ("R1", "duration"), ("R2", "duration"),
    ("R3", "duration")])
@pytest.mark.parametrize("sees", [745.0, 10_000.0])
def test_a_tap_whose_port_goes_down_with_its_server(court: Court, regime: str, mode: str, sees: float) -> None:
    here, declared = leaves_a_port_that_is_down(regime, mode, sees=sees)
    found = Court(court.folder, [UNTRIED, "failover-without-failure", SKIPPED])(here, declared)
    assert [said for said in found if said.endswith("certain")] == []


@pytest.mark.parametrize("down", [False, True])
def test_a_port_that_goes_down_while_its_server_is_restarted(court: Court, down: bool) -> None:
    """P falls silent at 600. At 650 its link goes down for a while, and the phones' tries of P are no longer seen."""
    story = Story()
    for number in range(6):
        phone = calls_through_the_first(story, number)
        phone.fail_over(600.0 + 5 * number, registers=False)
        for tried in range(670 + 7 * number, 860, 62):
            phone.call(phone.silence(tried), S, 3.0)
        phone.call(900 + 7 * number, P, 3.0)
    seen = story.without(lambda packet: down and P in (packet.source, packet.destination) and 650 <= packet.time < 890)
    found = Court(court.folder, [OVERDUE])(seen, minute("R0"))
    assert {said.partition("10.0.0.1 ")[2] for said in found} == ({"likely capture-complete"} if down else set())


@pytest.mark.parametrize("phones", [3, 12])
def test_a_fleet_that_never_returns_is_found_whoever_is_left_at_its_server(court: Court, phones: int) -> None:
    """After the outage no phone is seen at P, as if its port were down; but staying away is the accusation."""
    story = Story()
    for number in range(phones):
        phone = calls_through_the_first(story, number, every=60)
        phone.fail_over(600.0 + number, registers=False)
        for time in range(900 + number, 1200, 60):
            phone.call(time, S, 3.0)
    found = Court(court.folder, [OVERDUE])(story, minute("R0"))
    assert len(found) == phones
    assert {said.partition("10.0.0.1 ")[2] for said in found} == {
        "certain" if phones == 3 else "likely capture-complete"}


@pytest.mark.parametrize(("phones", "verdict"), [(3, "certain"), (5, "likely capture-complete")])
def test_a_few_phones_may_as_well_have_left_it_all_at_once(court: Court, phones: int, verdict: str) -> None:
    here, declared = leaves_a_port_that_is_down("R0", "newRequests", sees=10_000.0, phones=phones)
    found = Court(court.folder, [UNTRIED])(here, declared)
    assert {said.partition("10.0.0.2 ")[2] for said in found if "10.0.0.2" in said} == {verdict}


def test_where_others_are_seen_at_the_server_its_port_is_up(court: Court) -> None:
    """So a phone that was not seen to try P did not try it."""
    story, declared = leaves_a_port_that_is_down("R0", "newRequests", sees=10_000.0)
    for number in range(3):
        other = Handset(story, user=f"101{number}", place=(f"10.1.0.{number + 15}", 5060))
        other.register(3.5 + number)
        for time in range(22 + 7 * number, 1000, 30):
            other.call(time, P, 4.0)
    found = Court(court.folder, [UNTRIED])(story, declared)
    assert f"650.500 {UNTRIED} 1002 10.0.0.2 certain" in found


@pytest.mark.parametrize("tries", [False, True])
def test_a_tap_at_the_second_server_alone(court: Court, tries: bool) -> None:
    """Unless some packet of the first server is seen, the tap cannot show whether a phone tried it."""
    phone = Handset(Story())
    phone.call(400, P) if tries else None
    phone.call(700, S)
    found = Court(court.folder, [UNTRIED])(phone.story, CALLS_AT_EACH)
    assert found == [f"700.000 {UNTRIED} 1001 10.0.0.2 " + ("certain" if tries else "likely capture-complete")]


@any_regime
@pytest.mark.parametrize("by", [3, 40, 65, 400])
def test_the_clock_is_set_back(court: Court, regime: str, by: int) -> None:
    """Set back by 65 or 400 s, the clock makes the REGISTER at P and its 200 seem older than the failover that ended
    the line's binding there (F8)."""
    phone = moved(regime)
    phone.call(345, S, 4)
    returns(phone, regime)
    phone.call(390, P)
    phone.story.murmur(310, 370)
    found = court(phone.story.retimed(lambda time: time if time < 340 else time - by), minute(regime))
    assert accused(found) == []


@any_regime
@pytest.mark.parametrize("steps", [
    ((330.2, 1.9),), ((320.2, 1.9), (345.2, 1.9)), tuple((320.2 + 5 * k, 0.7) for k in range(6)),
], ids=["once", "twice", "often"])
def test_the_clock_is_set_back_a_little(court: Court, regime: str, steps: tuple[tuple[float, float], ...]) -> None:
    """Packets of others, one or fifty a second, reveal the steps. With one step, the phone is a little early, too."""
    phone = moved(regime)
    returns(phone, regime, 365.2 if len(steps) == 1 else RETURN)
    phone.story.murmur(250, 500)
    if len(steps) > 2:
        phone.story.media(310, 380, *STRANGERS)

    def by_the_clock(time: float) -> float:
        return time - sum(by for at, by in steps if time > at)

    assert accused(court(phone.story.retimed(by_the_clock), minute(regime))) == []


@any_regime
def test_packets_that_are_out_of_order_are_no_clock_that_was_set_back(court: Court, regime: str) -> None:
    phone = moved(regime)
    returns(phone, regime, EARLY)
    phone.story.media(310, 380, *STRANGERS)
    order = sorted(phone.story.packets, key=lambda one: one.time + (0.4 if one.source in STRANGERS else 0.0))
    found = court(replace(phone.story, packets=order, ordered=True), minute(regime))
    assert found == [f"{EARLY:.3f} {PREMATURE} 1001 10.0.0.1 certain"]


@gated_regime
def test_what_waited_for_a_lost_segment_is_no_clock_that_was_set_back(court: Court, regime: str) -> None:
    """It is reported 32 s late, in the middle of another phone's failover."""
    phone = handset()
    other = Handset(phone.story, "1002", ("10.1.0.6", 5060), transport="tcp")
    other.register(100)
    other.ask(270, P, "OPTIONS")
    phone.story.packets.pop()
    other.ask(270.5, P, "OPTIONS")
    phone.fail_over(300, registers=False)
    assert court(phone.story, minute(regime)) == [f"305.500 {UNREGISTERED} 1001 10.0.0.2 certain"]


@any_regime
@pytest.mark.parametrize("leap", [40, 90_000])
def test_the_clock_leaps_ahead(court: Court, regime: str, leap: int) -> None:
    """The binding at S from the earlier stay, which R1 may use again, seems to have expired."""
    phone = moved(regime)
    returns(phone, regime)
    phone.fail_over(1000, registers=regime in ("R2", "R3"))
    returns(phone, regime, 1067)
    found = court(phone.story.retimed(lambda time: time if time < 1002 else time + leap), minute(regime))
    assert accused(found) == []


@gated_regime
def test_two_captures_with_a_hole_between(court: Court, regime: str) -> None:
    """What happened in the hole is unknown: the line may have registered at S, which allows its call there in R1
    (F7)."""
    early = handset(Story())
    late = Handset(Story())
    late.numbers[late.registration] = 10
    late.register(7200)
    late.fail_over(7300, registers=False)
    found = court([early.story, late.story], minute(regime), covered=0)
    likely = f"7305.500 {UNREGISTERED} 1001 10.0.0.2 likely no-earlier-stay"
    assert found == [f"? {UNREGISTERED} started-later" if regime == "R1" else likely]


@gated_regime
def test_a_line_may_have_been_everywhere_in_the_hole(court: Court, regime: str) -> None:
    """The line may have kept renewing at S, and at P as well; the registrations that were seen expired long ago."""
    early = moved(regime, granted=300)
    late = Handset(Story(), registration=early.registration, numbers={early.registration: 40})
    late.call(9000, S)
    late.silence(9020, P)
    assert court([early.story, late.story], minute(regime)) == []


@any_regime
def test_the_second_server_may_have_failed_in_the_hole(court: Court, regime: str) -> None:
    """In mode duration with 0 the line returns only after a failure of S, and the hole may hide one."""
    first = moved(regime)
    late = Handset(Story(), registration=first.registration)
    late.numbers[late.registration] = 10
    returns(late, regime, 9000)
    found = court([first.story, late.story], site({**REGIMES[regime], **MINUTE, "failBack.timeout": 0}))
    assert found == []


@any_regime
@any_mode
def test_no_run_of_lost_packets_makes_a_fault_certain(court: Court, regime: str, mode: str) -> None:
    phone = handset(granted=300)
    phone.register(240)
    done = phone.fail_over(300, registers=regime != "R0")
    phone.silence(done + 3, S)
    back = done + 9
    if regime != "R0":
        back = phone.register(back, P)
    phone.call(back, P, 4)
    done = phone.fail_over(back + 20, registers=regime != "R0")
    returns(phone, regime, done + DUE[mode])
    packets = sorted(phone.story.packets, key=lambda packet: packet.time)
    declared = site({**REGIMES[regime], **MODES[mode]}, ttl=TTL)
    certain = []
    for length in (1, 2):
        for first in range(len(packets)):
            lost = packets[first : first + length]
            found = court(phone.story.without(lost.__contains__), declared)
            certain += [(lost[0].time, lost[0].what, length, said) for said in found
                        if "certain" in said or ("likely" in said and "capture-complete" not in said)]
    assert certain == []
