"""Registrations that expire, are refused, granted for no time, or removed: beyond what the tables' scenarios
express."""

from __future__ import annotations

from typing import Any

import pytest

from tests.stories import BRANCH, MINUTE, R0, R1, R2, Court, Handset, P, S, Story, site
from tests.traps.ground import REGIMES, UNREGISTERED, accused, any_regime, handset, minute, moved, returns
from tests.wire import ORIGIN

LONG = "X-Long: " + 300 * "x" + "\r\n"
NOTHING, LAPSED, LEFT, TWICE = (
    "registration-without-expiry", "signalling-after-expiry", "deregistration-at-failover",
    "unexpected-re-registration")


def short(story: Story | None = None, **known: Any) -> Handset:
    """A phone whose registration at P expires at 600."""
    phone = Handset(story or Story(), granted=600, **known)
    phone.register(0, challenged=False)
    return phone


@pytest.mark.parametrize("contact", [
    "Contact: <sip:1001@10.1.0.5\r\n", "Contact: <<>>\r\n", "m: sip:1001@10.1.0.5\r\n"])
def test_a_contact_that_cannot_be_read_is_not_no_contact(court: Court, contact: str) -> None:
    phone = Handset(Story())
    phone.told(0.1, phone.ask(0, P, "REGISTER", expires=3600), 200, headers=contact)
    assert court(phone.story, minute("R1")) == []


def test_a_200_without_contact_is_the_server_s_fault(court: Court) -> None:
    phone = Handset(Story())
    phone.told(0.1, phone.ask(0, P, "REGISTER", expires=3600), 200)
    (finding,) = court.report(phone.story, minute("R1")).findings
    assert (finding.rule, finding.severity, finding.server) == (NOTHING, "info", "10.0.0.1:5060/udp")
    assert "the server's" in finding.observed


@pytest.mark.parametrize(("kept", "found"), [(420, []), (2000, [f"0.100 {NOTHING} 1001 10.0.0.1 certain"])])
def test_a_200_cut_by_the_snap_length_says_nothing_about_its_contact(
    court: Court, kept: int, found: list[str]
) -> None:
    """The first 420 bytes of the 200 hold no Contact; only the whole message shows whether one follows."""
    phone = Handset(Story(snaplen=kept))
    phone.told(0.1, phone.ask(0, P, "REGISTER", expires=3600), 200, headers=LONG)
    assert Court(court.folder, [NOTHING])(phone.story, minute("R1")) == found


@any_regime
@pytest.mark.parametrize("kept", [420, 2000])
def test_a_200_cut_by_the_snap_length_may_have_granted_less(court: Court, kept: int, regime: str) -> None:
    """S grants two minutes. After one minute the phone may renew, which in this mode is when it returns (B3)."""
    phone = handset(Story(snaplen=kept), challenges=False)
    phone.granted = 3600
    time = phone.silence(300)
    phone.told(time + 0.05, phone.ask(time, S, "REGISTER", expires=3600), 200,
               headers=f"{LONG}Contact: <{phone.contact}>;expires=120\r\n")
    phone.call(time + 1, S, 5)
    returns(phone, regime, time + 61)
    found = court(phone.story, site({**REGIMES[regime], "failBack.mode": "registration"}))
    assert not any("premature-failback" in said for said in accused(found))


def test_a_server_that_grants_nothing_to_a_foreign_phone(court: Court) -> None:
    phone = Handset(Story(), agent="Yealink SIP-T46S 66.85.0.5")
    phone.told(0.1, phone.ask(0, P, "REGISTER", expires=3600), 200)
    assert court(phone.story, minute("R1")) == [f"? {NOTHING} vendor-unmodelled"]


def test_a_query_for_bindings_asks_for_nothing(court: Court) -> None:
    """A REGISTER without Contact (RFC 3261 10.2.3)."""
    phone = handset()
    asked = phone.ask(50, P, "REGISTER")
    bare = [line for line in asked.text.split("\r\n") if not line.startswith("Contact")]
    phone.story.packets.pop()
    phone.story.udp(50, phone.place, P, "\r\n".join(bare).encode())
    phone.told(50.1, asked, 200)
    assert court(phone.story, minute("R1")) == []


def test_a_registration_at_the_branch_is_one(court: Court) -> None:
    """P's has expired, but the line is registered at the branch server, of another entry: a registration anywhere
    counts."""
    phone = short()
    phone.granted = 3600
    phone.register(100, BRANCH)
    phone.ask(660, P, "INVITE")
    declared = site({**R2, **MINUTE})
    declared["entries"]["branch"] = {"servers": [{"address": BRANCH[0]}]}
    declared["lines"][0]["entry"] = ["sbc", "branch"]
    assert court(phone.story, declared) == [f"? {LAPSED} fallback"]


def test_a_registration_of_the_other_line_is_not_this_one_s(court: Court) -> None:
    story = Story()
    phone, other = short(story), Handset(story, user="1002")
    other.register(1)
    phone.ask(660, P, "INVITE")
    other.call(670)
    assert court(story, minute("R2")) == [f"660.000 {LAPSED} 1001 10.0.0.1 certain"]


def test_a_renewal_in_a_hole_between_two_captures(court: Court) -> None:
    """An hour lies between the two captures: the line has renewed unseen."""
    phone = short()
    phone.call(3600)
    phone.register(3700)
    phone.call(3710)
    first = Story([packet for packet in phone.story.packets if packet.time < 100])
    second = Story([packet for packet in phone.story.packets if packet.time > 100])
    assert court([first, second], minute("R2")) == []


def test_where_packets_are_missing_the_renewal_may_be_one_of_them(court: Court) -> None:
    phone = short()
    phone.orphan(500, P)
    phone.ask(660, P, "INVITE")
    assert court(phone.story, minute("R2")) == [f"? {LAPSED} loss-nearby"]


def test_the_server_s_silence_about_a_renewal_is_not_the_line_s_fault(court: Court) -> None:
    """The renewal times out, the phone waits half a minute, and meanwhile its user calls."""
    phone = short()
    phone.silence(540, P, "REGISTER")
    phone.silence(590, P, "REGISTER")
    phone.ask(640, P, "INVITE")
    assert not [one for one in accused(court(phone.story, minute("R2"))) if LAPSED in one]


def test_the_other_line_s_call_is_no_second_registration(court: Court) -> None:
    """Line 1's call is lost at P; line 2 registers at S for the first time, and calls the same number there."""
    story = Story()
    first, second = handset(story), handset(story, user="1002")
    first.silence(300)
    second.register(303.5, S)
    second.call(303.6, S)
    assert not [one for one in court(story, site({**R0, "failBack.mode": "newRequests"})) if TWICE in one]


def test_the_diverted_call_under_a_new_call_id_is_the_same_call(court: Court) -> None:
    phone = handset()
    start = phone.silence(300)
    phone.register(start, S)
    phone.call(start + 0.1, S)
    report = court.report(phone.story, site({**R0, "failBack.mode": "newRequests"}))
    (finding,) = [one for one in report.findings if one.rule == TWICE]
    assert finding.time == pytest.approx(ORIGIN + start)
    assert finding.server == "10.0.0.2:5060/udp"
    assert {frame.summary.split()[0] for frame in finding.evidence} == {"INVITE", "REGISTER", "200"}


@pytest.mark.parametrize(("declared", "reason"), [("entry", "loss-nearby"), (None, "entry-unknown")])
def test_the_second_registration_where_much_is_not_known(court: Court, declared: str | None, reason: str) -> None:
    """Packets are missing, or the site file does not say which servers belong together."""
    phone = handset()
    start = phone.silence(300)
    phone.register(start, S)
    phone.call(start + 0.1, S)
    said = site({**R0, "failBack.mode": "newRequests"})
    if declared:
        phone.orphan(290, P)
    else:
        del said["lines"][0]["entry"], said["entries"]
    assert f"? {TWICE} {reason}" in court(phone.story, said)


def test_a_contact_star_is_a_log_out(court: Court) -> None:
    phone = handset()
    start = phone.silence(300)
    phone.ask(start, P, "REGISTER", expires=0, contact="*")
    phone.register(start + 0.1, S)
    assert court(phone.story, minute("R1")) == [f"{start:.3f} {LEFT} 1001 10.0.0.1 certain"]


def test_the_other_line_of_the_phone_works_on(court: Court) -> None:
    """Line 1's user logs out in an outage; line 2 moves to S. That is no failover of line 1."""
    story = Story()
    first, second = handset(story), handset(story, user="1002")
    start = first.silence(300)
    first.ask(start, P, "REGISTER", expires=0)
    second.register(start + 0.1, S)
    second.call(start + 0.2, S)
    said = court(story, site({**R1, **MINUTE}))
    assert not [one for one in accused(said) if LEFT in one]


# -- a REGISTER without Contact, which queries the bindings (RFC 3261 10.2.3)

@pytest.mark.parametrize("call_id", [None, "fetch@10.1.0.5"])
@any_regime
def test_who_only_asks_at_the_first_server_has_not_returned(court: Court, regime: str, call_id: str | None) -> None:
    """At 330 it would be too early for a return, but is none: the next call still goes to S, and the return is at
    366."""
    phone = moved(regime)
    phone.fetch(330, P, call_id=call_id)
    phone.call(340, S)
    returns(phone, regime)
    report = court.report(phone.story, minute(regime))
    assert [finding.rule for finding in report.findings] == []
    assert [(move.kind, move.to) for line in report.lines for move in line.moves] == [
        ("failover", "10.0.0.2:5060/udp"), ("failback", "10.0.0.1:5060/udp")]


def test_who_returns_too_early_does_so_whatever_it_asked_before(court: Court) -> None:
    """The control: a real return after the query is found."""
    phone = moved("R2")
    phone.fetch(330, P)
    phone.register(336, P)
    assert court(phone.story, minute("R2")) == ["336.000 premature-failback 1001 10.0.0.1 certain"]


def test_what_is_asked_for_is_not_renewed(court: Court) -> None:
    """The registration expires at 600, whatever the 200 to the query says before that."""
    phone = short()
    phone.fetch(590, P)
    phone.call(640)
    assert court(phone.story, minute("R2")) == [f"640.000 {LAPSED} 1001 10.0.0.1 certain"]


def test_what_is_asked_for_at_another_server_is_no_registration_there(court: Court) -> None:
    phone = handset()
    phone.fetch(phone.silence(300), S)
    phone.call(305.6, S)
    phone.call(330, S)
    assert f"305.600 {UNREGISTERED} 1001 10.0.0.2 certain" in court(phone.story, minute("R2"))
