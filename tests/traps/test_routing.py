"""Requests that go to another server and are neither failover nor failback."""

from __future__ import annotations

from pathlib import Path
from typing import TypedDict

import pytest

from tests.stories import (
    MINUTE,
    Court,
    P,
    S,
    T,
    site,
)
from tests.traps.ground import (
    EARLY,
    MODES,
    PREMATURE,
    REGIMES,
    RETURN,
    UNREGISTERED,
    accused,
    any_regime,
    gated_regime,
    handset,
    minute,
    moved,
    returns,
)

ABOUT = (UNREGISTERED, PREMATURE)


class Dialled(TypedDict):
    uri: str
    to: str


HELP: list[Dialled] = [{"uri": "sip:112@pbx.example.com", "to": "sip:112@pbx.example.com"},
        {"uri": "sip:112@10.0.0.2;user=phone", "to": "sip:112@10.0.0.2;user=phone"},
        {"uri": "urn:service:sos", "to": "urn:service:sos"},
        {"uri": "tel:112", "to": "tel:112"}]


@any_regime
@pytest.mark.parametrize("number", HELP, ids=lambda number: number["uri"])
def test_emergency_calls_go_wherever_they_can(court: Court, regime: str, number: Dialled) -> None:
    phone = handset()
    phone.call(phone.silence(300, **number), S, 5, **number)
    phone.call(320, P)
    phone = moved(regime, phone.story, user="1002", place=("10.1.0.6", 5060))
    phone.call(330, P, **number)
    returns(phone, regime)
    found = court(phone.story, minute(regime, emergency=["112"]))
    assert found == []


@pytest.mark.parametrize(("number", "stated", "judged"), [
    ("112", None, False), ("911", None, False), ("110", None, True), ("112", ["110"], True), ("110", ["110"], False),
], ids=["112", "911", "another", "112-where-others-are-stated", "stated"])
def test_112_and_911_are_emergency_numbers_where_none_are_stated(
        court: Court, number: str, stated: list[str] | None, judged: bool) -> None:
    """By a phone's dial plan they go to a server of their own, which may be S."""
    phone = moved("R0")
    phone.call(370, S, 4, to=f"sip:{number}@pbx.example.com")
    court.about = ("primary-not-tried-first",)
    declared = site(MODES["newRequests"])
    if stated is not None:
        declared["emergency"] = stated
    assert court(phone.story, declared) == [f"370.000 {court.about[0]} 1001 10.0.0.2 certain"] * judged


@pytest.mark.parametrize(("written", "name"), [
    ("110, sip:118@pbx.example.com", "dialplan.routing.emergency.2.value"),
    ("110", "dialplan.1.routing.emergency.1.value"), ("tel:110", "dialplan.routing.emergency.1.value"),
])
def test_numbers_that_provisioning_files_route_as_emergency_calls_are_none_to_judge(
        court: Court, tmp_path: Path, written: str, name: str) -> None:
    phone = moved("R0")
    phone.call(370, S, 4, to="sip:110@pbx.example.com")
    (tmp_path / "phones.cfg").write_text(f'<a reg.1.address="1001" voIpProt.SIP.x="" {name}="{written}"/>')
    court.about = ("primary-not-tried-first",)
    assert court(phone.story, site(MODES["newRequests"]), config=(str(tmp_path / "phones.cfg"),)) == []


@any_regime
@pytest.mark.parametrize("hosts", [
    ("10.0.0.1", "10.0.0.2"), ("sbc1.example.com", "sbc2.example.com"), ("b.example.net", "b.example.net"),
], ids=["address", "name", "another-domain"])
def test_a_transfer_to_a_uri_goes_where_that_leads(court: Court, regime: str, hosts: tuple[str, str]) -> None:
    """The far end of a call at S transfers the phone to somebody at P, and later to somebody at S: an SBC writes its
    own address or name into Refer-To, and the phone resolves that URI separately."""
    phone = moved(regime)
    for time, server, host in ((EARLY, P, hosts[0]), (345, S, hosts[1])):
        there = {"uri": f"sip:3000@{host}", "to": f"sip:3000@{host}"}
        asked = phone.ask(time - 3, S, "INVITE")
        phone.told(time - 2, asked, 200)
        phone.acknowledge(time - 1.9, asked)
        phone.replies(time - 1, phone.called(time - 1.1, S, "REFER", call_id=asked.call_id, tag=asked.near,
                                             headers=f"Refer-To: <{there['to']}>\r\n"), 202)
        phone.call(time, server, 4, **there)
        phone.hang_up(time + 1, asked)
    returns(phone, regime)
    assert court(phone.story, minute(regime)) == []


@any_regime
@pytest.mark.parametrize(("later", "excused"), [(45.0, True), (70.0, False)])
def test_a_transfer_may_take_its_user_a_while(court: Court, regime: str, later: float, excused: bool) -> None:
    """A call to another domain within a minute of a REFER may be the one that the REFER requested."""
    phone = moved(regime)
    asked = phone.ask(309, S, "INVITE")
    phone.told(310, asked, 200)
    phone.acknowledge(310.1, asked)
    phone.replies(311, phone.called(310.9, S, "REFER", call_id=asked.call_id, tag="near",
                                    headers="Refer-To: <sip:3000@b.example.net>\r\n"), 202)
    phone.hang_up(312, asked)
    there = "sip:3000@b.example.net"
    phone.call(310.9 + later, P, 4, uri=there, to=there)
    declared = site({**REGIMES[regime], "failBack.mode": "duration", "failBack.timeout": 120})
    assert (court(phone.story, declared) == []) is excused


@pytest.mark.parametrize("regime", ["R0", "R1"])
def test_a_call_at_s_for_an_address_there_need_not_try_p(court: Court, regime: str) -> None:
    phone = moved(regime)
    phone.call(370, S, 4, uri="sip:3000@10.0.0.2", to="sip:3000@10.0.0.2")
    court.about = ("primary-not-tried-first",)
    assert court(phone.story, site({**REGIMES[regime], "failBack.mode": "newRequests"})) == []


@pytest.mark.parametrize("regime", ["R0", "R1"])
def test_where_all_is_named_by_address_that_excuses_nothing(court: Court, regime: str) -> None:
    phone = moved(regime, domain="10.0.0.1")
    phone.call(EARLY, P, 4, uri="sip:2000@10.0.0.1", to="sip:2000@10.0.0.1")
    assert court(phone.story, minute(regime)) == [f"{EARLY:.3f} {PREMATURE} 1001 10.0.0.1 certain"]


@any_regime
@pytest.mark.parametrize("method", ["SUBSCRIBE", "PUBLISH", "MESSAGE", "REFER"])
def test_what_is_for_a_uri_at_a_server_goes_there(court: Court, regime: str, method: str) -> None:
    """A report collector, a parking lot or a conference that shares an address with a server: requests to it do not
    show where the line works."""
    event = "Event: vq-rtcpxr\r\n"
    phone = handset()
    time = phone.silence(300)
    phone.told(time - 0.4, phone.ask(time - 0.5, S, method, to="sip:vq@10.0.0.2", headers=event), 200)
    phone.call(time if regime == "R0" else phone.register(time, S), S)
    phone.told(336.1, phone.ask(336, P, method, to="sip:vq@10.0.0.1", headers=event), 200)
    returns(phone, regime)
    assert court(phone.story, minute(regime)) == []


@any_regime
def test_a_call_that_is_picked_up_goes_where_its_uri_leads(court: Court, regime: str) -> None:
    """A NOTIFY told the phone of the call, and of the name at which to reach it (RFC 4235)."""
    phone = moved(regime)
    phone.call(EARLY, P, 4, to="sip:3000@sbc1.example.com", headers="Replaces: a@b;to-tag=1;from-tag=2\r\n")
    returns(phone, regime)
    assert court(phone.story, minute(regime)) == []


@pytest.mark.parametrize("regime", ["R0", "R1"])
@pytest.mark.parametrize("domain", ["pbx.example.com", "sbc1.example.com"])
def test_the_name_of_a_server_alone_excuses_nothing(court: Court, regime: str, domain: str) -> None:
    """A phone may write the name of the server that it uses into Request-URI and To."""
    phone = moved(regime, domain=domain)
    phone.call(EARLY, P, 4, uri="sip:2000@sbc1.example.com", to="sip:2000@sbc1.example.com")
    assert court(phone.story, minute(regime)) == [f"{EARLY:.3f} {PREMATURE} 1001 10.0.0.1 certain"]


@any_regime
def test_the_dial_plan_sends_calls_elsewhere(court: Court, regime: str) -> None:
    """P answers throughout: a call at S is no failover, and the next one at P no failback."""
    phone = handset()
    for time in (100, 110, 120):
        phone.call(time, S, 4, to="sip:0049@pbx.example.com")
        phone.call(time + 5, P, 4)
    found = court(phone.story, minute(regime))
    assert accused(found) == []


@any_regime
def test_a_redirection_is_followed(court: Court, regime: str) -> None:
    phone = handset()
    asked = phone.ask(100, P, "INVITE", call_id="sent-on@10.1.0.5")
    phone.told(100.1, asked, 302, headers="Contact: <sip:2000@10.0.0.2>\r\n")
    phone.call(100.2, S, call_id="sent-on@10.1.0.5")
    phone.fail_over(300, registers=regime != "R0")
    asked = phone.ask(320, S, "INVITE")
    phone.told(320.1, asked, 302, headers="Contact: <sip:2000@10.0.0.1>\r\n")
    phone.call(320.2, P, 5)
    returns(phone, regime)
    found = court(phone.story, minute(regime))
    assert found == []


def test_r1_refreshes_the_old_binding(court: Court) -> None:
    phone = handset(granted=90)
    phone.register(240)
    phone.fail_over(300)
    phone.register(320, P)
    phone.call(325, S, 4)
    phone.register(340, P)
    phone.call(345, S, 4)
    returns(phone, "R1")
    assert court(phone.story, minute("R1")) == []


def test_r1_refreshes_the_old_binding_when_it_has_lapsed(court: Court) -> None:
    phone = handset(granted=90)
    phone.register(240)
    phone.fail_over(300)
    phone.silence(311, P, "REGISTER")
    phone.register(345, P)
    phone.call(350, S, 4)
    returns(phone, "R1")
    found = court(phone.story, minute("R1"))
    assert found == []


@pytest.mark.parametrize("what", ["ringing", "slow", "inside"])
def test_r1_keeps_its_binding_at_the_second_server(court: Court, what: str) -> None:
    """Neither a call that rings at P nor a BYE without answer turns the refresh at S into a failover."""
    phone = moved("R1")
    returns(phone, "R1", RETURN)
    if what == "inside":
        asked = phone.ask(395, P, "INVITE")
        phone.told(395.1, asked, 200)
        phone.acknowledge(395.2, asked)
        phone.hang_up(396, asked, answered=False)
    else:
        asked = phone.ask(396 if what == "ringing" else 399.5, P, "INVITE")
        if what == "ringing":
            phone.told(396.1, asked, 180)
    phone.register(400, S)
    if what != "inside":
        phone.told(402, asked, 200)
    phone.call(410, P)
    assert court(phone.story, minute("R1")) == []


def test_r0_the_one_called_by_way_of_the_second_server_is_busy(court: Court) -> None:
    """The 486 from S may have been the move, too, and have started the timer."""
    phone = handset(granted=75)
    phone.register(240)
    asked = phone.ask(phone.silence(300), S, "INVITE")
    phone.told(305.6, asked, 486)
    phone.register(320, P)
    phone.call(340, S, 4)
    returns(phone, "R0")
    assert court(phone.story, minute("R0")) == []


def test_r0_registers_at_the_first_server_whatever_its_calls_do(court: Court) -> None:
    phone = handset(granted=60)
    for time in (57, 114, 171, 228):
        phone.register(time)
    phone.fail_over(300, registers=False)
    phone.register(330, P)
    phone.call(340, S, 4)
    returns(phone, "R0")
    found = court(phone.story, minute("R0"))
    assert found == []


@any_regime
@pytest.mark.parametrize("how", ["silence", "icmp", "refusal", "503"])
def test_the_second_server_fails_in_its_turn(court: Court, regime: str, how: str) -> None:
    """The line goes back to the head of the list long before the minute is over."""
    phone = moved(regime)
    time = 320.0
    if how == "silence":
        time = phone.silence(time, S)
    elif how == "icmp":
        asked = phone.ask(time, S, "INVITE")
        phone.story.unreachable(time + 0.01, asked.packet, S, phone.place)
        time += 0.02
    elif how == "refusal":
        phone.story.syn(time, (phone.place[0], 49_152), S)
        phone.story.reset(time + 0.001, S, (phone.place[0], 49_152))
        time += 0.01
    else:
        asked = phone.ask(time, S, "INVITE")
        phone.told(time + 0.01, asked, 503, headers="Retry-After: 30\r\n")
        time += 0.02
    if regime != "R0":
        time = phone.register(time, P)
    phone.call(time, P)
    found = court(phone.story, minute(regime))
    assert found == ([] if how != "503" else [f"? {PREMATURE} open-code"] if regime != "R1" else found)
    assert accused(found) == []


@any_regime
def test_a_failed_try_returns_to_its_own_server(court: Court, regime: str) -> None:
    phone = moved(regime)
    time = phone.silence(366.5, P, "REGISTER" if regime in ("R2", "R3") else "INVITE")
    phone.call(time, S, 4)
    returns(phone, regime, 380)
    assert court(phone.story, minute(regime)) == []


@any_regime
def test_a_failed_try_ends_at_the_server_between(court: Court, regime: str) -> None:
    """P and S are silent, and the line works at T. When the return is due, P is tried in vain, and S takes the line."""
    phone = handset()
    time = phone.silence(300)
    time = phone.silence(time, S, "INVITE" if regime == "R0" else "REGISTER")
    if regime != "R0":
        time = phone.register(time, T)
    phone.call(time, T, 4)
    time = phone.silence(373, P, "REGISTER" if regime in ("R2", "R3") else "INVITE")
    if regime != "R0":
        time = phone.register(time, S)
    phone.call(time, S, 4)
    found = court(phone.story, site({**REGIMES[regime], **MINUTE}, P, S, T))
    assert found == []


@any_regime
@pytest.mark.parametrize("moves", [True, False])
def test_503_with_retry_after_either_way(court: Court, regime: str, moves: bool) -> None:
    phone = handset()
    asked = phone.ask(300, P, "INVITE")
    phone.told(300.01, asked, 503, headers="Retry-After: 30\r\n")
    if moves and regime != "R0":
        phone.register(300.1, S)
    phone.call(300.2, S if moves else P, 5)
    if moves:
        returns(phone, regime, 361)
    assert court(phone.story, minute(regime)) == []


@gated_regime
@pytest.mark.parametrize("status", [408, 480, 500, 504])
def test_a_move_on_an_answer_that_may_be_no_failure(court: Court, regime: str, status: int) -> None:
    """F4: nobody can tell whether this was a failover at all."""
    phone = handset()
    asked = phone.ask(300, P, "INVITE")
    phone.told(300.01, asked, status)
    phone.call(300.1, S, 5)
    assert court(phone.story, minute(regime)) == [f"? {UNREGISTERED} open-code"]


@gated_regime
def test_a_move_while_a_call_rings_at_the_working_server(court: Court, regime: str) -> None:
    """Silence after a 1xx also leaves it open whether the server failed; here the far end's phone just rings."""
    phone = handset()
    asked = phone.ask(290, P, "INVITE")
    phone.told(290.1, asked, 180)
    phone.call(305, S, 4, to="sip:0049@pbx.example.com")
    phone.told(310, asked, 200)
    assert court(phone.story, minute(regime)) == [f"? {UNREGISTERED} open-code"]


@gated_regime
def test_a_move_on_503_where_503_moves_nothing(court: Court, regime: str) -> None:
    phone = handset()
    asked = phone.ask(300, P, "INVITE")
    phone.told(300.01, asked, 503)
    phone.call(300.1, S, 5)
    assert court(phone.story, site({**REGIMES[regime], **MINUTE, "failoverOn503Response": 0})) == [
        f"? {UNREGISTERED} open-code"]
