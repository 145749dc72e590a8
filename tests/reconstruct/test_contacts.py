"""REGISTER as the model sees it: requested, granted, challenged, refreshed, removed."""

from __future__ import annotations

import pytest

from sipaudit.model.events import Answered, Lost, Resent, Sent
from tests.factories import START, response
from tests.reconstruct.desk import PHONE, Desk, Handset, P, S


def granted_to(phone: Handset, contacts: str | None, expires: int | None = None) -> Answered:
    """The answer to a REGISTER for an hour whose 200 has these Contacts."""
    asked = phone.compose("REGISTER", expires=3600)
    phone.send(0, P, asked)
    phone.hear(0.1, P, response(200, asked, contact=contacts, expires=expires))
    return phone.desk.of(Answered)[-1]


def test_registration_with_a_challenge() -> None:
    desk = Desk()
    phone = Handset(desk)
    first = phone.compose("REGISTER", expires=3600)
    assert phone.send(0, P, first) == []  # not yet known to be a phone
    assert phone.hear(0.02, P, response(401, first)) == []
    again = phone.compose("REGISTER", expires=3600)
    phone.send(0.03, P, again)
    events = phone.hear(0.05, P, response(200, again, contact=f"{phone.contact};expires=1800"))

    one, challenge, two, success = events  # the events held back come in order
    assert isinstance(one, Sent)
    assert isinstance(challenge, Answered)
    assert isinstance(two, Sent)
    assert isinstance(success, Answered)
    assert (one.method, one.server, one.expires, one.fresh, one.follows) == ("REGISTER", P, 3600, True, None)
    assert (challenge.transaction, challenge.status, challenge.sent) == (one.transaction, 401, START)
    assert (two.follows, two.fresh) == (one.transaction, False)
    assert (success.transaction, success.status, success.granted, success.own, success.asked) == (
        two.transaction, 200, 1800, True, 3600)
    assert {event.line for event in events} == {desk.line.number}
    assert {event.phone for event in events} == {desk.phone.number}
    assert desk.line.heard == (P,)
    assert (desk.line.aor, desk.line.contact, desk.phone.address) == (
        "sip:1001@pbx.example.com", "sip:1001@10.1.0.5", PHONE)


def test_a_refresh_is_a_new_transaction_of_the_same_line() -> None:
    desk = Desk()
    phone = Handset(desk)
    phone.register(0)
    phone.register(3540)
    one, _, two, answered = desk.events
    assert isinstance(one, Sent)
    assert isinstance(two, Sent)
    assert isinstance(answered, Answered)
    assert one.line == two.line
    assert (one.fresh, two.fresh, two.follows) == (True, False, None)
    assert answered.sent == START + 3540


def test_a_retransmission_is_no_new_event() -> None:
    desk = Desk()
    phone = Handset(desk)
    phone.register(0)
    renewal = phone.compose("REGISTER", expires=3600)
    (first,) = phone.send(100, P, renewal)
    assert isinstance(first, Sent)
    for time in (100.5, 101.5):
        (again,) = phone.send(time, P, renewal)
        assert isinstance(again, Resent)
        assert again.transaction == first.transaction
    answer = response(200, renewal, contact=f"{phone.contact};expires=60")
    assert len(phone.hear(101.6, P, answer)) == 1
    assert phone.hear(101.7, P, answer) == []  # the same answer, retransmitted
    assert [seen.retransmission for seen in desk.seen[-5:]] == [False, True, True, False, True]


@pytest.mark.parametrize(
    ("contacts", "expires", "granted", "own"),
    [
        ("<sip:1001@10.1.0.5:5060>;expires=120", None, 120, True),
        ("<sip:1001@10.1.0.5>;expires=120", 900, 120, True),           # no port means the default port
        ("<sip:1001@10.1.0.5:5060>", 900, 900, True),                  # the header applies to a Contact without expires
        ("<sip:1001@10.1.0.5:5060>", None, None, True),                # no expiry given
        ("<sip:1001@10.9.9.9:5060>;expires=50, <sip:1001@10.1.0.5:5060>;expires=120", None, 120, True),
        ("<sip:1001@10.9.9.9:5060>;expires=50, <sip:1001@10.8.8.8:5060>;expires=60", None, None, False),
        ("<sip:1001@198.51.100.7:41000>;expires=50", None, 50, True),  # rewritten on the way, but the only one
        ("<sip:9@198.51.100.7:41000>;expires=50", 70, 70, False),
        ("<sip:%31001@10.1.0.5:5060>;expires=120", None, 120, True),   # the same user, escaped
        (None, 900, 900, None),
        (None, None, None, None),
        ("<sip:1001@10.1.0.5:5060>;expires=0", 900, 0, True),
    ],
)
def test_what_the_200_grants_to_the_phones_own_contact(
    contacts: str | None, expires: int | None, granted: int | None, own: bool | None
) -> None:
    phone = Handset(Desk())
    answered = granted_to(phone, contacts, expires)
    assert (answered.granted, answered.own, answered.asked) == (granted, own, 3600)


def test_of_two_contacts_at_one_address_the_instance_tells_the_own() -> None:
    phone = Handset(Desk(), params=';+sip.instance="<urn:uuid:me>"')
    answered = granted_to(phone, (
        '<sip:1001@10.1.0.5>;+sip.instance="<urn:uuid:you>";expires=10,'
        ' <sip:1001@10.1.0.5>;+sip.instance="<urn:uuid:me>";expires=20'))
    assert answered.granted == 20


@pytest.mark.parametrize(("own", "granted"), [("", 300), (";transport=tcp", 3600)])
def test_of_two_contacts_at_one_address_the_transport_tells_the_own(own: str, granted: int) -> None:
    """With TCPpreferred, the phone fell back from TCP to UDP: the registrar still has both."""
    phone = Handset(Desk(), contact=f"sip:1001@10.1.0.5{own}")
    answered = granted_to(phone, (
        "<sip:1001@10.1.0.5:5060;transport=tcp>;expires=3600, <sip:1001@10.1.0.5:5060>;expires=300"))
    assert answered.granted == granted


def test_of_two_contacts_that_nothing_parts_nobody_knows_which_is_the_own() -> None:
    """A registrar that tells bindings apart by Call-ID still has the one from before the phone's last start."""
    phone = Handset(Desk())
    answered = granted_to(phone, (
        "<sip:1001@10.1.0.5:5060>;expires=3412, <sip:1001@10.1.0.5:5060>;expires=300"))
    assert (answered.granted, answered.own) == (None, False)


def test_an_instance_is_known_again_at_a_rewritten_address() -> None:
    phone = Handset(Desk(), params=';+sip.instance="<urn:uuid:me>"')
    answered = granted_to(phone, (
        '<sip:1001@198.51.100.7:4000>;+sip.instance="<urn:uuid:you>";expires=10,'
        ' <sip:1001@198.51.100.7:4001>;+sip.instance="<urn:uuid:me>";expires=20'))
    assert (answered.granted, answered.own) == (20, True)


@pytest.mark.parametrize(
    ("contact", "expires", "asked"),
    [
        ("<sip:1001@10.1.0.5>;expires=60", 3600, 60),
        ("<sip:1001@10.1.0.5>", 3600, 3600),
        ("<sip:1001@10.1.0.5>", None, None),
        ("<sip:1001@10.1.0.5>", 0, 0),
        ("*", 0, 0),
        ("<sip:1001@10.7.7.7>;expires=0, <sip:1001@10.1.0.5>;expires=60", None, 60),  # old binding out, new one in
    ],
)
def test_what_a_register_asks_for(contact: str, expires: int | None, asked: int | None) -> None:
    desk = Desk()
    phone = Handset(desk, contact="sip:1001@10.1.0.5")
    phone.register(0)
    (event,) = phone.send(50, P, phone.compose("REGISTER", contact=contact, expires=expires))
    assert isinstance(event, Sent)
    assert event.expires == asked
    assert event.line == desk.line.number


def test_an_answer_cut_by_the_snap_length_says_nothing_of_what_is_missing() -> None:
    desk = Desk()
    phone = Handset(desk)
    phone.register(0)
    asked = phone.compose("REGISTER", expires=600)
    phone.send(100, P, asked)
    phone.hear(100.1, P, response(200, asked), cut=True)
    assert desk.of(Answered)[-1].granted == 600


def test_failover_sequence_is_one_line_with_one_call_id_and_new_branches() -> None:
    desk = Desk()
    phone = Handset(desk)
    phone.register(0)
    lost = phone.compose("REGISTER", expires=3600)
    phone.send(100, P, lost)
    phone.send(100.5, P, lost)
    moved = phone.compose("REGISTER", expires=3600, cseq=phone.cseq)  # the same CSeq, as RFC 3263 4.3 allows
    phone.send(103.5, S, moved)
    phone.hear(103.6, S, response(200, moved, contact=f"{phone.contact};expires=3600"))
    attempts = [(event.server, event.transaction) for event in desk.of(Sent)]
    assert [server for server, _ in attempts] == [P, P, S]
    assert len(dict.fromkeys(number for _, number in attempts)) == 3
    assert len(desk.rec.lines) == 1
    assert desk.of(Answered)[-1].server == S
    assert not desk.of(Lost)
    assert [server.key for server in desk.rec.servers.all()] == [P, S]


def test_the_same_branch_to_two_servers_is_two_transactions() -> None:
    desk = Desk()
    phone = Handset(desk)
    phone.register(0)
    same = phone.compose("REGISTER", expires=3600)
    (one,) = phone.send(100, P, same)
    (two,) = phone.send(104, S, same)
    assert isinstance(one, Sent)
    assert isinstance(two, Sent)
    assert one.transaction != two.transaction
    answer = response(200, same, contact=f"{phone.contact};expires=60")
    (late,) = phone.hear(105, P, answer)
    (now,) = phone.hear(105.1, S, answer)
    assert isinstance(late, Answered)
    assert isinstance(now, Answered)
    assert (late.transaction, late.server) == (one.transaction, P)
    assert (now.transaction, now.server) == (two.transaction, S)


def test_a_server_may_answer_from_another_of_its_addresses() -> None:
    desk = Desk()
    phone = Handset(desk)
    asked = phone.compose("REGISTER", expires=60)
    phone.send(0, P, asked)
    desk.send(0.1, "10.0.0.99:5060", PHONE, response(200, asked, contact=f"{phone.contact};expires=60"))
    assert desk.of(Answered)[-1].server == P


def test_a_branch_without_cookie_is_read_the_old_way() -> None:
    desk = Desk()
    phone = Handset(desk)
    phone.register(0)
    one = phone.compose("REGISTER", expires=3600, branch="1")
    two = phone.compose("REGISTER", expires=3600, branch="1")  # RFC 2543: a branch need not be unique
    (first,) = phone.send(10, P, one)
    (repeated,) = phone.send(10.5, P, one)
    (second,) = phone.send(11, P, two)
    assert isinstance(first, Sent)
    assert isinstance(repeated, Resent)
    assert isinstance(second, Sent)
    assert repeated.transaction == first.transaction != second.transaction
    (late,) = phone.hear(11.1, P, response(200, one, contact=f"{phone.contact};expires=60"))
    (answered,) = phone.hear(11.2, P, response(200, two, contact=f"{phone.contact};expires=60"))
    assert isinstance(late, Answered)
    assert isinstance(answered, Answered)
    assert (late.transaction, answered.transaction) == (first.transaction, second.transaction)


def test_without_any_branch_other_request_uris_are_other_transactions() -> None:
    desk = Desk()
    phone = Handset(desk)
    phone.register(0)
    one = phone.compose("REGISTER", expires=60, branch="", uri="sip:a.example.com")
    two = phone.compose("REGISTER", expires=60, branch="", uri="sip:b.example.com", cseq=phone.cseq)
    (first,) = phone.send(10, P, one)
    (second,) = phone.send(11, P, two)
    assert isinstance(first, Sent)
    assert isinstance(second, Sent)
    assert first.transaction != second.transaction


def test_a_jump_in_cseq_tells_of_a_lost_packet() -> None:
    desk = Desk()
    phone = Handset(desk)
    phone.register(0)
    phone.cseq += 2
    phone.register(60)
    assert [event.why for event in desk.of(Lost)] == ["a jump in CSeq"]


def test_follows_needs_the_next_cseq_of_the_same_call_id() -> None:
    desk = Desk()
    phone = Handset(desk)
    phone.register(0)
    asked = phone.compose("REGISTER", expires=10)
    phone.send(10, P, asked)
    phone.hear(10.1, P, response(423, asked, headers=("Min-Expires: 60",)))
    elsewhere = phone.compose("REGISTER", expires=60, call_id="another", cseq=1)
    after = phone.compose("REGISTER", expires=60)
    (other,) = phone.send(10.2, P, elsewhere)
    (again,) = phone.send(10.3, P, after)
    assert isinstance(other, Sent)
    assert isinstance(again, Sent)
    assert other.follows is None
    assert again.follows == desk.of(Answered)[-1].transaction


def test_a_call_id_that_begins_with_a_later_number_lacks_its_beginning() -> None:
    desk = Desk()
    phone = Handset(desk)
    phone.register(0)
    phone.send(1000, S, phone.compose("REGISTER", expires=60, call_id="another", cseq=2))
    (lost,) = desk.of(Lost)
    assert (lost.time - START, lost.since) == (1000, START)


def test_a_call_id_of_a_phone_that_was_never_seen_to_begin_one_lacks_nothing() -> None:
    desk = Desk()
    phone = Handset(desk)
    phone.cseq = 40
    phone.register(0)
    phone.send(1000, S, phone.compose("REGISTER", expires=60, call_id="another", cseq=2))
    assert desk.of(Lost) == []


def test_a_jump_in_cseq_tells_since_when_a_packet_is_missing() -> None:
    desk = Desk()
    phone = Handset(desk)
    phone.register(0)
    phone.register(1000)
    phone.cseq += 2
    phone.register(2000)
    (lost,) = desk.of(Lost)
    assert (lost.time - START, lost.since) == (2000, START + 1000)


def test_lines_may_count_their_registers_under_one_call_id() -> None:
    desk = Desk()
    one, two = Handset(desk, "1001", call_id="both"), Handset(desk, "1002", call_id="both")
    for number, (time, phone) in enumerate([(0, one), (1, two), (100, one), (101, two), (200, two), (201, one)]):
        phone.register(time, cseq=number + 1)
    assert not desk.of(Lost)
    assert [event.fresh for event in desk.of(Sent)] == [True, False, False, False, False, False]
    one.register(300, cseq=9)
    (lost,) = desk.of(Lost)
    assert lost.since == START + 201


def test_back_at_an_old_call_id_nobody_knows_when_the_missing_was_sent() -> None:
    desk = Desk()
    phone = Handset(desk)
    phone.register(0, call_id="old", cseq=1)
    phone.register(100, call_id="new", cseq=1)
    phone.register(200, call_id="old", cseq=3)
    (lost,) = desk.of(Lost)
    assert lost.since == START


def test_a_jump_inside_a_call_tells_since_when_too() -> None:
    desk = Desk()
    phone = Handset(desk)
    phone.register(0)
    phone.hear(11, P, response(200, phone.invite(10)))
    phone.send(20, P, phone.compose("BYE", "sip:2002@pbx.example.com", call_id="call-1", cseq=3, from_tag="me",
                                    to_tag="t"))
    (lost,) = desk.of(Lost)
    assert lost.since == START + 11
