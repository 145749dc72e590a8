"""INVITE, ACK, CANCEL, BYE: transactions, dialogs, forks, and when a call rings, is up, is over."""

from __future__ import annotations

import pytest

from sipaudit.model.events import Answered, CallChanged, Lost, Received, Replied, Sent
from tests.factories import request, response
from tests.reconstruct.desk import FAR, PHONE, Desk, Handset, Knowledge, P, S, entry, incoming


def states(desk: Desk) -> list[str]:
    return [event.state for event in desk.of(CallChanged)]


def registered(knowledge: Knowledge | None = None) -> tuple[Desk, Handset]:
    desk = Desk(knowledge)
    phone = Handset(desk)
    phone.register(0)
    return desk, phone


def in_dialog(phone: Handset, method: str, cseq: int, far: str = "t", **more: object) -> bytes:
    return phone.compose(method, FAR, call_id="call-1", cseq=cseq, from_tag="me", to_tag=far, **more)


def test_a_call_from_first_invite_to_bye() -> None:
    desk, phone = registered()
    invite = phone.invite(10)
    phone.hear(10.01, P, response(100, invite))
    phone.hear(10.5, P, response(180, invite))
    phone.hear(12, P, response(200, invite))
    phone.send(12.1, P, in_dialog(phone, "ACK", 1))
    bye = in_dialog(phone, "BYE", 2)
    phone.send(30, P, bye)
    phone.hear(30.1, P, response(200, bye))

    assert states(desk) == ["ringing", "up", "over"]
    sent = [event for event in desk.of(Sent) if event.method != "REGISTER"]
    assert [(event.method, event.in_dialog) for event in sent] == [("INVITE", False), ("BYE", True)]
    assert {event.call for event in sent} == {event.call for event in desk.of(CallChanged)} == {sent[0].call}
    assert sent[0].call is not None
    assert [event.status for event in desk.of(Answered)][1:] == [100, 180, 200, 200]
    assert desk.line.calls == 1
    assert not desk.of(Lost)


def test_credentials_go_on_with_the_same_call() -> None:
    desk, phone = registered()
    invite = phone.invite(10, branch="z9hG4bK-one")
    phone.hear(10.1, P, response(407, invite))
    phone.send(10.2, P, phone.compose("ACK", FAR, call_id="call-1", cseq=1, from_tag="me", to_tag="t",
                                      branch="z9hG4bK-one"))
    again = phone.invite(10.3, cseq=2)
    phone.hear(10.4, P, response(200, again))
    first, second = [event for event in desk.of(Sent) if event.method == "INVITE"]
    assert second.follows == first.transaction
    assert second.call == first.call
    assert states(desk) == ["ringing", "up"]
    assert not desk.of(Lost)


def test_a_cancelled_call() -> None:
    desk, phone = registered()
    invite = phone.invite(10, branch="z9hG4bK-x")
    phone.hear(10.5, P, response(180, invite))
    cancel = phone.compose("CANCEL", FAR, call_id="call-1", cseq=1, from_tag="me", branch="z9hG4bK-x", contact=None)
    (event,) = phone.send(12, P, cancel)
    assert isinstance(event, Sent)
    assert (event.method, event.line) == ("CANCEL", desk.line.number)
    phone.hear(12.1, P, response(200, cancel))
    phone.hear(12.2, P, response(487, invite))
    phone.send(12.3, P, phone.compose("ACK", FAR, call_id="call-1", cseq=1, from_tag="me", to_tag="t",
                                      branch="z9hG4bK-x"))
    assert states(desk) == ["ringing", "over"]
    assert len(desk.of(Sent)) == 3  # ACK is never an event
    by_status = {event.status: event.transaction for event in desk.of(Answered) if event.method != "REGISTER"}
    assert by_status[487] == by_status[180] != by_status[200]
    assert not desk.of(Lost)


@pytest.mark.parametrize("after", [28, 75])
def test_a_call_that_had_rung_for_long_is_cancelled(after: int) -> None:
    """After its CANCEL a phone waits 32 s for the final response (RFC 3261 9.1), and accepts one that comes in time."""
    desk, phone = registered()
    invite = phone.invite(10, branch="z9hG4bK-x")
    phone.hear(10.5, P, response(180, invite))
    phone.send(100, P, phone.compose("CANCEL", FAR, call_id="call-1", cseq=1, from_tag="me", branch="z9hG4bK-x",
                                     contact=None))
    for step in range(after):   # time passes with packets
        phone.send(100.5 + step, P, phone.compose("OPTIONS", FAR, call_id=f"o-{step}"))
    in_time = after < 32
    assert states(desk) == (["ringing"] if in_time else ["ringing", "over"])
    phone.hear(100 + after, P, response(487, invite))
    assert states(desk) == ["ringing", "over"]
    assert not desk.of(Lost)   # though late, it is no answer to an unseen request


def test_two_forks_answer_and_one_is_let_go() -> None:
    desk, phone = registered()
    invite = phone.invite(10)
    phone.hear(11, P, response(180, invite, to_tag="a"))
    phone.hear(11.1, P, response(180, invite, to_tag="b"))
    phone.hear(12, P, response(200, invite, to_tag="a"))
    phone.hear(12.1, P, response(200, invite, to_tag="b"))
    assert states(desk) == ["ringing", "up"]
    phone.send(12.2, P, in_dialog(phone, "BYE", 2, far="b"))
    phone.hear(12.3, P, response(200, invite, to_tag="b"))  # retransmitted before our BYE arrived
    assert states(desk) == ["ringing", "up"]
    phone.send(40, P, in_dialog(phone, "BYE", 3, far="a"))
    assert states(desk) == ["ringing", "up", "over"]


def test_an_unanswered_invite_goes_to_the_next_server() -> None:
    desk, phone = registered()
    phone.invite(10)
    moved = phone.invite(13.5, server=S)
    phone.hear(14, S, response(200, moved))
    desk.feed(desk.seen[0].item)  # an old packet does no harm: time goes on below
    phone.register(60)
    assert states(desk) == ["ringing", "up"]
    up = desk.of(CallChanged)[-1]
    assert up.server == S


def test_a_call_that_nobody_answers_is_over_when_its_invite_is() -> None:
    desk, phone = registered()
    phone.invite(10)
    for time in range(20, 120, 10):
        phone.register(time)
    assert states(desk) == ["ringing", "over"]


def test_a_call_may_ring_for_long() -> None:
    desk, phone = registered()
    invite = phone.invite(10)
    phone.hear(11, P, response(180, invite))
    for time in range(20, 300, 10):
        phone.register(time)
    assert states(desk) == ["ringing"]
    phone.hear(301, P, response(486, invite))
    assert states(desk) == ["ringing", "over"]


def test_an_incoming_call_and_the_phones_bye() -> None:
    desk, phone = registered()
    invite = incoming()
    (received, ringing) = phone.hear(10, P, invite)
    assert isinstance(received, Received)
    assert isinstance(ringing, CallChanged)
    assert (received.server, received.line, received.method) == (P, desk.line.number, "INVITE")
    assert phone.hear(10.5, P, invite) == []
    phone.send(10.6, P, response(100, invite))
    phone.send(10.7, P, response(180, invite, to_tag="mine"))
    phone.send(15, P, response(200, invite, to_tag="mine", contact=phone.contact))
    phone.hear(15.1, P, incoming("ACK", branch="z9hG4bK-in-2", to_tag="mine"))
    bye = phone.compose("BYE", FAR, call_id="in-1", cseq=1, from_=phone.aor, from_tag="mine", to_tag="far")
    (sent, over) = phone.send(20, P, bye)
    assert isinstance(sent, Sent)
    assert isinstance(over, CallChanged)
    assert [event.status for event in desk.of(Replied)] == [100, 180, 200]
    assert sent.call == received.call == over.call
    assert sent.in_dialog
    assert states(desk) == ["ringing", "up", "over"]


def test_the_far_end_hangs_up() -> None:
    desk, phone = registered()
    invite = incoming()
    phone.hear(10, P, invite)
    phone.send(12, P, response(200, invite, to_tag="mine"))
    bye = incoming("BYE", branch="z9hG4bK-in-3", cseq=2, to_tag="mine")
    (received,) = phone.hear(20, P, bye)
    assert isinstance(received, Received)
    assert received.in_dialog
    (replied, over) = phone.send(20.1, P, response(200, bye))
    assert isinstance(replied, Replied)
    assert isinstance(over, CallChanged)
    assert replied.transaction == received.transaction
    assert states(desk) == ["ringing", "up", "over"]


def test_two_phones_of_one_call_behind_one_address() -> None:
    desk = Desk()
    alice = Handset(desk, "1001", "10.1.0.5:5060", params=';+sip.instance="<urn:uuid:a>"')
    bob = Handset(desk, "1002", "10.1.0.5:5062", params=';+sip.instance="<urn:uuid:b>"')
    alice.register(0)
    bob.register(1)
    out = alice.invite(10, to=bob.aor)
    ringing = request("INVITE", "sip:1002@10.1.0.5:5062", source=P, branch="z9hG4bK-proxy", call_id="call-1", cseq=1,
                      from_=alice.aor, to=bob.aor, from_tag="me", contact="<sip:1001@10.1.0.5>")
    bob.hear(10.1, P, ringing)
    bob.send(11, P, response(200, ringing, to_tag="bob", contact=bob.contact))
    alice.hear(11.1, P, response(200, out, to_tag="bob"))
    bye = bob.compose("BYE", alice.aor, call_id="call-1", cseq=1, from_tag="bob", to_tag="me")
    bob.send(20, P, bye)
    lines = {line.aor: line.number for line in desk.rec.lines.values()}
    assert len(desk.rec.phones) == 2
    told = [(event.line, event.state) for event in desk.of(CallChanged)]
    assert told == [
        (lines[alice.aor], "ringing"), (lines[bob.aor], "ringing"), (lines[bob.aor], "up"), (lines[alice.aor], "up"),
        (lines[bob.aor], "over"),
    ]


def test_a_capture_that_starts_inside_a_call() -> None:
    desk, phone = registered()
    bye = phone.compose("BYE", FAR, call_id="old", cseq=7, from_tag="me", to_tag="far")
    sent, over = phone.send(5, P, bye)
    assert isinstance(sent, Sent)
    assert isinstance(over, CallChanged)
    assert sent.in_dialog
    assert sent.call == over.call
    assert over.state == "over"
    reinvite = incoming(call_id="older", to_tag="mine", cseq=12)
    phone.hear(6, P, reinvite)
    assert states(desk) == ["over", "up"]
    assert desk.rec.traffic[0].mid_life == 2


def test_a_response_first_is_the_middle_of_something() -> None:
    desk = Desk()
    phone = Handset(desk)
    unseen = phone.compose("REGISTER", expires=60)
    phone.hear(0, P, response(200, unseen, contact=phone.contact))
    assert desk.events == []
    assert desk.rec.traffic[0].mid_life == 1
    phone.register(10)
    ringing = phone.compose("INVITE", FAR, call_id="older", from_tag="me")
    (answered,) = phone.hear(12, P, response(180, ringing, to_tag="far"))
    assert isinstance(answered, Answered)
    assert (answered.sent, answered.line) == (None, desk.line.number)
    assert (desk.rec.traffic[0].mid_life, desk.rec.traffic[0].missing_halves) == (2, 0)


def test_what_came_after_something_that_was_seen_did_not_begin_before_the_capture() -> None:
    """However new the phone: a request whose CSeq is higher than one that was captured is lost, and is counted once."""
    desk, phone = registered()
    unseen = phone.compose("REGISTER", expires=60)
    lost, answered = phone.hear(2, P, response(200, unseen, contact=f"{phone.contact};expires=60"))
    assert isinstance(lost, Lost)
    assert lost.since == pytest.approx(lost.time - 2, abs=0.1)
    assert isinstance(answered, Answered)
    assert answered.sent is None
    phone.send(3, P, phone.compose("REGISTER", expires=60))
    assert desk.rec.traffic[0].missing_halves == 1
    invite = phone.compose("INVITE", FAR, call_id="call", cseq=1, from_tag="me")
    phone.send(4, P, invite)
    ack = phone.compose("ACK", FAR, call_id="call", cseq=1, from_tag="me", to_tag="far")
    phone.send(5, P, ack)   # its 200 is lost
    bye = phone.compose("BYE", FAR, call_id="call", cseq=2, from_tag="me", to_tag="far")
    phone.hear(6, P, response(200, bye))  # its BYE is lost
    other = phone.compose("INVITE", FAR, call_id="other", cseq=1, from_tag="me")
    phone.hear(7, P, response(100, other))  # a 100 means that its INVITE was sent just now
    traffic = desk.rec.traffic[0]
    assert (traffic.missing_halves, traffic.mid_life) == (4, 0)


def test_later_a_response_without_request_is_a_loss() -> None:
    desk, phone = registered()
    unseen = phone.compose("REGISTER", expires=60)
    lost, answered = phone.hear(50, P, response(200, unseen, contact=f"{phone.contact};expires=60"))
    assert isinstance(lost, Lost)
    assert isinstance(answered, Answered)
    assert phone.hear(50.1, P, response(200, unseen)) == []
    assert desk.rec.traffic[0].missing_halves == 1


@pytest.mark.parametrize("status", [200, 488])
def test_an_answer_to_a_re_invite_that_was_not_seen_belongs_to_the_dialog(status: int) -> None:
    desk, phone = registered()
    invite = phone.invite(50, branch="z9hG4bK-y")
    phone.hear(51, P, response(200, invite))
    phone.send(51.1, P, in_dialog(phone, "ACK", 1))
    unseen = in_dialog(phone, "INVITE", 2, branch="z9hG4bK-again")
    _, answered = phone.hear(60, P, response(status, unseen))
    assert isinstance(answered, Answered)
    assert answered.in_dialog
    assert states(desk) == ["ringing", "up"]


def test_an_answer_to_a_refresh_that_was_not_seen_belongs_to_the_subscription() -> None:
    _, phone = registered()
    asked = phone.compose("SUBSCRIBE", "sip:1001@pbx.example.com", call_id="sub", cseq=1, from_tag="me", expires=600)
    phone.send(10, P, asked)
    phone.hear(10.1, P, response(200, asked, to_tag="t"))
    phone.hear(10.2, P, incoming("NOTIFY", uri=PHONE, to="sip:1001@pbx.example.com", call_id="sub", to_tag="me"))
    unseen = phone.compose("SUBSCRIBE", "sip:1001@pbx.example.com", call_id="sub", cseq=2, from_tag="me", to_tag="t",
                           expires=600)
    _, answered = phone.hear(500, P, response(200, unseen))
    assert isinstance(answered, Answered)
    assert answered.in_dialog


def test_an_ack_without_its_final_response_is_a_loss() -> None:
    desk, phone = registered()
    phone.invite(50, branch="z9hG4bK-y")
    phone.send(51, P, phone.compose("ACK", FAR, call_id="call-1", cseq=1, from_tag="me", to_tag="t",
                                    branch="z9hG4bK-y"))
    phone.send(51.5, P, phone.compose("ACK", FAR, call_id="call-1", cseq=1, from_tag="me", to_tag="t",
                                      branch="z9hG4bK-y"))   # the response was retransmitted: still one loss
    assert [event.why for event in desk.of(Lost)] == ["an ACK without its final response"]
    phone.invite(60, call_id="call-2")
    phone.send(61, P, phone.compose("ACK", FAR, call_id="call-2", cseq=1, from_tag="me", to_tag="t"))
    assert len(desk.of(Lost)) == 2
    assert states(desk)[-1] == "up"  # only the ACK of a 2xx has a branch of its own


def test_subscriptions_are_dialogs_but_no_calls() -> None:
    desk, phone = registered()
    asked = phone.compose("SUBSCRIBE", "sip:1001@pbx.example.com", call_id="sub", cseq=1, from_tag="me", expires=600)
    (sent,) = phone.send(10, P, asked)
    assert isinstance(sent, Sent)
    assert (sent.expires, sent.call, sent.in_dialog) == (600, None, False)
    phone.hear(10.1, P, response(200, asked, expires=600))
    notify = request("NOTIFY", "sip:1001@10.1.0.5:5060", source=P, branch="z9hG4bK-n", call_id="sub", cseq=1,
                     from_="sip:1001@pbx.example.com", to="sip:1001@pbx.example.com", from_tag="t", to_tag="me")
    (received,) = phone.hear(10.2, P, notify)
    assert isinstance(received, Received)
    assert (received.in_dialog, received.call) == (True, None)
    again = phone.compose("SUBSCRIBE", "sip:1001@pbx.example.com", call_id="sub", cseq=2, from_tag="me", to_tag="t",
                          expires=600)
    (renewed,) = phone.send(300, P, again)
    assert isinstance(renewed, Sent)
    assert renewed.in_dialog
    assert not desk.of(CallChanged)


def test_a_missing_request_inside_a_dialog() -> None:
    desk, phone = registered()
    invite = phone.invite(10)
    phone.hear(11, P, response(200, invite))
    phone.send(20, P, in_dialog(phone, "BYE", 4))
    assert [event.why for event in desk.of(Lost)] == ["a jump in CSeq"]


def test_emergency_numbers() -> None:
    desk, phone = registered(Knowledge(emergency=("112",)))
    phone.invite(10, to="sip:112@pbx.example.com", call_id="a")
    phone.invite(20, to="urn:service:sos", call_id="b")
    phone.invite(30, to="sip:1120@pbx.example.com", call_id="c")
    assert [event.emergency for event in desk.of(Sent) if event.method == "INVITE"] == [True, True, False]


def test_a_phone_known_only_by_the_call_it_answers() -> None:
    """The call comes from a server of an entry, so this is a phone that registered long ago."""
    desk = Desk(entries={"sbc": entry(P, S)})
    invite = incoming()
    desk.send(0, P, PHONE, invite)
    assert not desk.events
    desk.send(0.1, PHONE, P, response(180, invite, to_tag="mine"))
    assert [type(event) for event in desk.events] == [Received, CallChanged, Replied]
    assert desk.line.aor == "sip:1001@pbx.example.com"
    phone = Handset(desk)
    phone.register(30)
    assert len(desk.rec.lines) == 1


def test_a_call_from_a_server_of_no_entry_makes_no_phone() -> None:
    desk = Desk()
    invite = incoming()
    desk.send(0, P, PHONE, invite)
    desk.send(0.1, PHONE, P, response(486, invite, to_tag="mine"))
    assert not desk.rec.phones
    assert not desk.events


def test_a_server_taken_for_a_phone_is_withdrawn() -> None:
    desk = Desk()
    invite = incoming()
    desk.send(0, P, PHONE, invite)
    desk.send(0.1, PHONE, P, response(200, invite, to_tag="mine"))
    assert [phone.host for phone in desk.rec.phones.values()] == ["10.0.0.1"]  # no evidence against it yet
    Handset(desk).register(30)
    assert desk.phone.host == "10.1.0.5"
    assert desk.line.aor == "sip:1001@pbx.example.com"
    before = len(desk.events)
    desk.send(30.2, PHONE, P, response(603, invite, to_tag="other"))  # to what was taken for a line
    assert len(desk.events) == before


def test_a_line_remembers_its_calls_as_spans() -> None:
    desk, phone = registered(Knowledge({"sbc": entry(P, S)}))
    answered = phone.invite(10)
    phone.hear(12, P, response(200, answered))
    phone.send(30, P, in_dialog(phone, "BYE", 2))

    phone.invite(100, call_id="call-2", branch="z9hG4bK-p")
    diverted = phone.invite(105, S, call_id="call-2", branch="z9hG4bK-s")
    phone.hear(105.1, S, response(403, diverted))

    assert desk.line.spans is not None
    spans = [(call.began, call.up, call.over, call.server, call.tries) for call in desk.line.spans]
    start = 1_700_000_000.0
    assert spans == [(start + 10, start + 12, start + 30, P, 1), (start + 100, None, start + 105.1, S, 2)]
