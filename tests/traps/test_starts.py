"""Starts, polls and new addresses: what makes a phone forget its past, and what only looks like it."""

from __future__ import annotations

import pytest

from sipaudit.capture.write import Endpoint
from tests.stories import VVX, Court, Handset, P, S, Story
from tests.traps.ground import (
    EARLY,
    PREMATURE,
    UNREGISTERED,
    accused,
    any_regime,
    gated_regime,
    handset,
    minute,
    moved,
    returns,
)
from tests.wire_beside import BROADCAST, DHCP_SERVER, MAC, TFTP_SERVER, dhcp, tftp

ABOUT = (UNREGISTERED, PREMATURE)

AGENT = f"{VVX}_{MAC}"
ELSEWHERE: Endpoint = ("10.1.0.77", 5060)
MASTER = tftp("000000000000.cfg")


def fetches(story: Story, time: float, place: Endpoint) -> None:
    story.udp(time, (place[0], 40_002), TFTP_SERVER, MASTER)


def asks_for_address(story: Story, time: float, place: Endpoint) -> None:
    story.udp(time, ("0.0.0.0", 68), BROADCAST, dhcp(1, 1))
    story.udp(time + 0.1, DHCP_SERVER, (place[0], 68), dhcp(2, 5, given=place[0]))


# -- starts

@any_regime
def test_a_phone_that_starts_anew_goes_to_the_head_at_once(court: Court, regime: str) -> None:
    phone = moved(regime)
    asks_for_address(phone.story, 311, phone.place)
    fetches(phone.story, 313, phone.place)
    phone.register(EARLY, P, call_id="after-the-start")
    phone.call(EARLY + 1, P)
    assert court(phone.story, minute(regime)) == []


@any_regime
@pytest.mark.parametrize("seen", [True, False])
def test_also_under_the_call_id_that_it_always_uses(court: Court, regime: str, seen: bool) -> None:
    """Its REGISTERs count from CSeq 1 again, so it has forgotten the past (RFC 3261 10.2)."""
    phone = moved(regime)
    if seen:
        asks_for_address(phone.story, 311, phone.place)
        fetches(phone.story, 313, phone.place)
    phone.numbers[phone.registration] = 0
    phone.register(EARLY, P)
    phone.call(EARLY + 1, P)
    assert accused(court(phone.story, minute(regime))) == []


@any_regime
@pytest.mark.parametrize("before", [False, True])
def test_who_does_all_that_a_start_takes_may_have_spoken_until_just_before(
    court: Court, regime: str, before: bool,
) -> None:
    """Its plug is pulled seconds after its last call, perhaps minutes after an earlier start."""
    story = Story()
    if before:
        asks_for_address(story, -9, ("10.1.0.5", 5060))
        fetches(story, -8, ("10.1.0.5", 5060))
    phone = moved(regime, story, agent=AGENT)
    phone.call(325, S, 5.0)
    asks_for_address(story, 331, phone.place)
    fetches(story, 332, phone.place)
    phone.register(EARLY, P, call_id="after-the-start")
    phone.call(EARLY + 1, P)
    assert accused(court(story, minute(regime))) == []


@any_regime
def test_who_only_asks_for_files_has_not_started(court: Court, regime: str) -> None:
    """The control: a phone polls its provisioning server while it works."""
    phone = moved(regime, agent=AGENT)
    phone.call(325, S, 5.0)
    fetches(phone.story, 332, phone.place)
    phone.register(EARLY, P, call_id="another")
    phone.call(EARLY + 1, P)
    assert [one.split()[1] for one in accused(court(phone.story, minute(regime)))] == [PREMATURE]


@any_regime
def test_and_is_judged_by_what_it_does_from_then_on(court: Court, regime: str) -> None:
    phone = moved(regime)
    asks_for_address(phone.story, 311, phone.place)
    fetches(phone.story, 313, phone.place)
    phone.register(EARLY, P, call_id="after-the-start")
    later = phone.fail_over(500, registers=regime != "R0")
    returns(phone, regime, later + 20)
    assert [one.split()[1] for one in accused(court(phone.story, minute(regime)))] == [PREMATURE]


@pytest.mark.parametrize("regime", ["R2", "R3"])
def test_what_it_did_before_a_start_was_by_settings_that_may_have_been_others(court: Court, regime: str) -> None:
    """C8: the phone may have started to apply the settings that are declared now."""
    phone = moved(regime)
    returns(phone, regime, EARLY)
    early = phone.story.without(lambda _: False)
    asks_for_address(phone.story, 411, phone.place)
    fetches(phone.story, 413, phone.place)
    phone.register(440, P, call_id="after-the-start")
    later = phone.fail_over(500, registers=regime != "R0")
    returns(phone, regime, later + 20)
    assert [one.split()[4:] for one in accused(court(early, minute(regime)))] == [["certain"]]
    assert [one.split()[4:] for one in accused(court(phone.story, minute(regime)))] == [
        ["likely", "settings-in-force"], ["certain"]]


@pytest.mark.parametrize("regime", ["R2", "R3"])
def test_a_poll_of_the_files_excuses_nothing(court: Court, regime: str) -> None:
    phone = moved(regime)
    fetches(phone.story, 313, phone.place)
    returns(phone, regime, EARLY)
    assert [one.split()[1] for one in accused(court(phone.story, minute(regime)))] == [PREMATURE]


@pytest.mark.parametrize("regime", ["R2", "R3"])
def test_a_poll_before_a_return_under_a_new_call_id_leaves_it_open(court: Court, regime: str) -> None:
    phone = moved(regime)
    fetches(phone.story, 313, phone.place)
    phone.registration = "new-at-each-server"
    returns(phone, regime, EARLY)
    assert court(phone.story, minute(regime)) == [f"? {PREMATURE} possible-boot"]


@any_regime
@pytest.mark.parametrize("asked", [("BYE", 481), ("OPTIONS", 200)], ids=["call-it-forgot", "options"])
def test_a_phone_that_answers_before_it_registers_may_have_started(
    court: Court, regime: str, asked: tuple[str, int],
) -> None:
    """The phone was silent for 25 s; it answers as soon as it can what servers have retransmitted meanwhile."""
    phone = moved(regime)
    method, answer = asked
    phone.replies(EARLY - 0.3, phone.called(EARLY - 0.4, S, method, call_id="from-before", tag="near"), answer)
    phone.register(EARLY, P, call_id="after-the-start")
    phone.call(EARLY + 1, P)
    assert accused(court(phone.story, minute(regime))) == []


@pytest.mark.parametrize("seen", [True, False])
def test_a_phone_that_takes_a_call_before_it_registers_may_have_started(court: Court, seen: bool) -> None:
    """R2: P, which the phone had left, retransmits an INVITE until the phone is back; by its start the phone has
    forgotten that it had left P. If no start is seen, the phone accepts a call from a failed server."""
    phone = moved("R2", agent=AGENT)
    if seen:
        asks_for_address(phone.story, 331, phone.place)
        fetches(phone.story, 332, phone.place)
    phone.replies(EARLY - 0.4, phone.called(EARLY - 0.5, P, "INVITE", call_id="in"), 180)
    phone.register(EARLY, P, call_id="after-the-start")
    found = [one.split()[1] for one in accused(court(phone.story, minute("R2")))]
    assert found == ([] if seen else ["accepted-from-failed-server", PREMATURE])


@pytest.mark.parametrize("regime", ["R2", "R3"])
def test_a_phone_that_takes_a_while_to_register_answers_meanwhile(court: Court, regime: str) -> None:
    """Its plug was pulled. It requests an address and its files, and some seconds before it registers it answers what S
    has retransmitted."""
    phone = moved(regime, agent=AGENT)
    asks_for_address(phone.story, EARLY - 9, phone.place)
    fetches(phone.story, EARLY - 8, phone.place)
    phone.replies(EARLY - 6, phone.called(EARLY - 6.1, S, "OPTIONS", call_id="repeated"), 200)
    phone.register(EARLY, P, call_id="after-the-start")
    assert accused(court(phone.story, minute(regime))) == []


@any_regime
def test_a_phone_that_takes_new_settings_may_begin_anew_without_a_pause(court: Court, regime: str) -> None:
    """A check-sync asks for it: some settings need no start, and the phone soon registers under a new Call-ID."""
    phone = moved(regime)
    summons = phone.called(EARLY - 8, S, "NOTIFY", call_id="resync", headers="Event: check-sync;reboot=false\r\n")
    phone.replies(EARLY - 7.9, summons, 200)
    phone.register(EARLY, P, call_id="with-new-settings")
    phone.call(EARLY + 1, P)
    assert accused(court(phone.story, minute(regime))) == []


@pytest.mark.parametrize("regime", ["R2", "R3"])
def test_a_phone_that_was_heard_all_the_time_has_not(court: Court, regime: str) -> None:
    phone = moved(regime)
    for time in (320, EARLY - 0.4):
        phone.replies(time + 0.1, phone.called(time, S, "OPTIONS", call_id=f"keepalive-{time}"), 200)
    phone.register(EARLY, P, call_id="new-at-each-server")
    assert [one.split()[1] for one in accused(court(phone.story, minute(regime)))] == [PREMATURE]


@gated_regime
def test_a_cable_that_was_out_is_no_start(court: Court, regime: str) -> None:
    """The phone requests its address again and keeps its Call-ID: its registrations stand."""
    phone = handset()
    phone.register(100, S)
    phone.register(103, P)
    asks_for_address(phone.story, 200, phone.place)
    phone.register(230, P)
    done = phone.silence(300, P)
    phone.call(done, S, 5.0)
    assert accused(court(phone.story, minute(regime))) == []


# -- a new address

@any_regime
@pytest.mark.parametrize("to", [P, S], ids=["head", "stays"])
@pytest.mark.parametrize("agent", [AGENT, VVX], ids=["known-by-mac", "unknown"])
@pytest.mark.parametrize("lease", [True, False])
def test_a_phone_that_gets_another_address(
    court: Court, regime: str, to: Endpoint, agent: str, lease: bool,
) -> None:
    """The phone has moved to S; its address changes, and it returns early."""
    phone = moved(regime, agent=agent)
    if lease:
        asks_for_address(phone.story, 320, ELSEWHERE)
    other = Handset(phone.story, place=ELSEWHERE, agent=agent)
    other.register(325, to)
    other.call(327, to, 3.0)
    returns(other, regime, EARLY)
    assert accused(court(phone.story, minute(regime))) == []


@any_regime
def test_what_it_registered_from_its_old_address_may_still_stand(court: Court, regime: str) -> None:
    """R1: a phone may call at once wherever it is registered, as it is at S from its old address."""
    phone = moved(regime, agent=AGENT)
    returns(phone, regime)
    other = Handset(phone.story, place=ELSEWHERE, agent=AGENT)
    other.register(400, P)
    done = other.silence(450, P)
    other.call(done, S, 5.0)
    found = accused(court(phone.story, minute(regime)))
    assert [one for one in found if "certain" in one] == []


@any_regime
def test_a_phone_that_comes_back_to_its_old_address(court: Court, regime: str) -> None:
    """What it did at the other address meanwhile does not count as done here."""
    phone = moved(regime, agent=AGENT)
    other = Handset(phone.story, place=ELSEWHERE, agent=AGENT)
    other.register(320, S)
    phone.register(341, S, call_id="back-again")
    returns(phone, regime, 343)
    assert accused(court(phone.story, minute(regime))) == []


@gated_regime
def test_and_what_it_registered_there_may_stand(court: Court, regime: str) -> None:
    phone = handset(agent=AGENT)
    Handset(phone.story, place=ELSEWHERE, agent=AGENT).register(100, S)
    phone.register(200, P, call_id="back-again")
    done = phone.silence(300, P)
    phone.call(done, S, 5.0)
    assert [one for one in accused(court(phone.story, minute(regime))) if "certain" in one] == []


@any_regime
def test_an_old_address_that_falls_silent_is_not_accused(court: Court, regime: str) -> None:
    phone = moved(regime, agent=AGENT)
    other = Handset(phone.story, place=ELSEWHERE, agent=AGENT)
    for time in range(400, 4000, 400):
        other.register(float(time), P)
        other.call(time + 2.0, P, 5.0)
    assert accused(court(phone.story, minute(regime))) == []
    assert UNREGISTERED not in " ".join(court(phone.story, minute(regime)))
