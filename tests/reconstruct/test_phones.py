"""Which sources are phones, which lines they have, and which sources produce no events."""

from __future__ import annotations

import pytest

from sipaudit.model.events import Answered, Booted, Received, Sent
from sipaudit.model.profile import Vendor
from sipaudit.model.settings import Declaration, LineIdentity
from tests.factories import path, request, response
from tests.reconstruct.desk import PHONE, Desk, Handset, Knowledge, P, S, entry

VVX = "PolycomVVX-VVX_500-UA/4.0.1.13681"


def test_a_phone_is_named_by_its_user_agent() -> None:
    desk = Desk()
    Handset(desk, user_agent="PolycomSoundStationIP-SSIP_6000-UA/3.3.5.0247_0004f2f18103").register(0)
    line, phone = desk.line, desk.phone
    assert (line.model, line.firmware, line.owner.mac) == ("SSIP_6000", "3.3.5.0247", "0004f2f18103")
    assert phone.vendor is Vendor.MODELLED


def test_a_declaration_is_asked_with_all_that_is_known() -> None:
    asked: list[LineIdentity] = []

    def declare(identity: LineIdentity) -> Declaration:
        asked.append(identity)
        return Declaration(("sbc",), label="Reception")

    desk = Desk(entries={"sbc": entry(P, S)}, declare=declare)
    Handset(desk, user_agent=VVX).register(0)
    assert asked[-1] == LineIdentity(
        "1001", "pbx.example.com", "sip:1001@pbx.example.com", "10.1.0.5", VVX, "VVX_500", None)
    assert desk.line.declaration.label == "Reception"
    assert [entry.name for entry in desk.line.entries] == ["sbc"]


def test_several_lines_of_one_phone() -> None:
    desk = Desk()
    for user in ("1001", "1002", "1003"):
        Handset(desk, user, user_agent=VVX).register(0)
    assert sorted(line.aor for line in desk.rec.lines.values()) == [
        f"sip:{user}@pbx.example.com" for user in ("1001", "1002", "1003")]
    assert {line.phone for line in desk.rec.lines.values()} == {desk.phone.number}
    assert not desk.phone.identity_unsure


def test_a_shared_aor_on_two_phones_is_two_lines() -> None:
    desk = Desk()
    one, two = Handset(desk, at="10.1.0.5:5060"), Handset(desk, at="10.1.0.6:5060")
    one.register(0)
    two.register(1)
    assert len(desk.rec.phones) == len(desk.rec.lines) == 2
    received = {}
    for phone in (one, two):
        invite = request("INVITE", f"sip:1001@{phone.at}", source=P, branch=f"z9hG4bK-{phone.at}", call_id="shared",
                         cseq=1, from_="sip:9@x.example", to=phone.aor)
        received[phone.at] = next(
            event.phone for event in phone.hear(10, P, invite) if isinstance(event, Received))
    hosts = {number: phone.host for number, phone in desk.rec.phones.items()}
    assert {at: hosts[number] for at, number in received.items()} == {
        "10.1.0.5:5060": "10.1.0.5", "10.1.0.6:5060": "10.1.0.6"}


def test_two_phones_behind_a_nat_are_parted_by_instance() -> None:
    desk = Desk()
    one = Handset(desk, "1001", "203.0.113.1:40001", contact="sip:1001@192.168.1.10", params=';+sip.instance="<urn:a>"')
    two = Handset(desk, "1001", "203.0.113.1:40002", contact="sip:1001@192.168.1.11", params=';+sip.instance="<urn:b>"')
    one.register(0)
    two.register(1)
    one.register(60)
    assert [phone.instance for phone in desk.rec.phones.values()] == ["urn:a", "urn:b"]
    assert [phone.address for phone in desk.rec.phones.values()] == ["203.0.113.1:40001", "203.0.113.1:40002"]
    assert not any(phone.identity_unsure for phone in desk.rec.phones.values())
    assert len(desk.rec.lines) == 2


def test_two_phones_behind_a_nat_are_parted_by_mac() -> None:
    desk = Desk()
    for index in (1, 2):
        Handset(desk, f"100{index}", f"203.0.113.1:4000{index}", contact=f"sip:100{index}@203.0.113.1:4000{index}",
                user_agent=f"{VVX}_0004f200000{index}").register(index)
    assert [phone.mac for phone in desk.rec.phones.values()] == ["0004f2000001", "0004f2000002"]
    assert not any(phone.identity_unsure for phone in desk.rec.phones.values())


@pytest.mark.parametrize(
    ("contacts", "agents"),
    [
        (("sip:1001@192.168.1.10", "sip:1002@192.168.1.11"), (VVX, VVX)),            # Contact hosts
        (("sip:1001@203.0.113.1:4001", "sip:1002@203.0.113.1:4002"), (VVX, VVX)),    # Contact ports
        (("sip:1001@192.168.1.10", "sip:1002@192.168.1.10"), (VVX, "Other/1.0")),    # User-Agents
    ],
)
@pytest.mark.parametrize("times", [(0,), (0, 60)])
def test_with_nothing_to_part_them_the_identity_is_unsure(
    contacts: tuple[str, str], agents: tuple[str, str], times: tuple[int, ...]
) -> None:
    """At once, as soon as a line shows a guise (Contact, User-Agent) that the other line never had."""
    desk = Desk()
    handsets = [
        Handset(desk, f"100{index + 1}", f"203.0.113.1:4000{index}", contact=contacts[index], user_agent=agents[index])
        for index in (0, 1)
    ]
    for time in times:
        for handset in handsets:
            handset.register(time)
    assert all(phone.identity_unsure for phone in desk.rec.phones.values())
    assert len(desk.rec.lines) == 2


def test_a_new_firmware_or_port_does_not_make_a_phone_two() -> None:
    desk = Desk()
    Handset(desk, user_agent=VVX).register(0)
    Handset(desk, user_agent="PolycomVVX-VVX_500-UA/5.5.0.20556").register(100)
    Handset(desk, user_agent="PolycomVVX-VVX_500-UA/5.5.0.20556", contact="sip:1001@10.1.0.5:49152").register(200)
    assert not desk.phone.identity_unsure
    assert (desk.line.firmware, desk.line.contact) == ("5.5.0.20556", "sip:1001@10.1.0.5:49152")


def test_looks_that_come_back_do() -> None:
    desk = Desk()
    for time, agent in ((0, VVX), (60, "Other/1.0"), (120, VVX)):
        Handset(desk, user_agent=agent).register(time)
    assert desk.phone.identity_unsure


def test_many_phones_behind_one_address_are_called_each_at_its_own() -> None:
    desk = Desk()
    handsets = [
        Handset(desk, f"2{index:03}", f"203.0.113.1:{4000 + index}", contact=f"sip:2{index:03}@192.168.1.{index}",
                params=f';+sip.instance="<urn:{index}>"')
        for index in range(30)
    ]
    for handset in handsets:
        handset.register(0)
    assert len(desk.rec.phones) == 30
    for index, handset in enumerate(handsets):
        call = request("INVITE", f"sip:2{index:03}@192.168.1.{index}", source=P, branch=f"z9hG4bK-call-{index}",
                       call_id=f"call-{index}", cseq=1, from_="sip:9@x.example", to="sip:group@pbx.example.com")
        received, _ = handset.hear(10, P, call)
        assert desk.rec.lines[received.line].aor == handset.aor


def test_lines_with_one_contact_user_are_told_apart_by_where_the_call_goes() -> None:
    desk = Desk()
    handsets = [
        Handset(desk, "phone", f"203.0.113.1:{4000 + index}", contact="sip:phone@192.168.1.10",
                params=f';+sip.instance="<urn:{index}>"')
        for index in range(2)
    ]
    for handset in handsets:
        handset.register(0)
    call = request("INVITE", "sip:phone@192.168.1.10", source=P, branch="z9hG4bK-k", call_id="k", cseq=1,
                   from_="sip:9@x.example", to=handsets[1].aor)
    received, _ = handsets[1].hear(10, P, call)
    assert desk.rec.phones[received.phone].instance == "urn:1"


def test_many_lines_that_nobody_grants_are_shown_when_one_is() -> None:
    desk = Desk()
    phone = Handset(desk, "1000")
    phone.register(0)
    hidden = [Handset(desk, f"{1001 + index}") for index in range(20)]
    for index, handset in enumerate(hidden):
        handset.send(1 + index, P, handset.compose("REGISTER", expires=60))
    assert len(desk.rec.lines) == 17  # the granted one, and the first sixteen
    shown = len(desk.events)
    hidden[-1].register(30)
    assert len(desk.rec.lines) == 18
    assert [type(event) for event in desk.events[shown:]] == [Sent, Sent, Answered]


def test_an_instance_learnt_later_is_the_same_phone() -> None:
    desk = Desk()
    Handset(desk).register(0)
    Handset(desk, params=';+sip.instance="<urn:u>"', call_id="b").register(60)
    assert desk.phone.instance == "urn:u"
    Handset(desk, user_agent=f"{VVX}_0004f2000001", call_id="c").register(120)
    assert desk.phone.mac == "0004f2000001"
    assert len(desk.rec.lines) == 1


def test_an_aor_on_two_contacts_is_two_lines_and_a_log_out_is_the_last_ones() -> None:
    desk = Desk()
    Handset(desk, contact="sip:1001@10.1.0.5").register(0)
    Handset(desk, contact="sip:alias@10.1.0.5").register(10)
    assert len(desk.rec.lines) == 2
    bye = Handset(desk, call_id="bye")
    (sent,) = bye.send(20, P, bye.compose("REGISTER", contact="*", expires=0))
    assert desk.rec.lines[sent.line].contact == "sip:alias@10.1.0.5"


def test_a_scanner_leaves_no_trace() -> None:
    desk = Desk(entries={"sbc": entry(P, S)})
    for index in range(40):
        scanner = Handset(desk, f"{100 + index}", "198.51.100.9:5071", user_agent=VVX)
        asked = scanner.compose("REGISTER", expires=60)
        scanner.send(index, P, asked)
        scanner.hear(index + 0.1, P, response(403, asked))
        options = scanner.compose("OPTIONS", "sip:100@10.0.0.1", call_id=f"o{index}")
        scanner.send(index + 0.2, P, options)
        scanner.hear(index + 0.3, P, response(200, options))
        invite = scanner.invite(index + 0.4, call_id=f"i{index}")
        scanner.hear(index + 0.5, P, response(404, invite))
    assert desk.events == []
    assert not desk.rec.lines
    assert not desk.rec.phones
    assert not desk.rec.servers
    assert desk.rec.traffic[0].mid_life == 0


def test_a_phone_that_picks_up_a_scanners_call_does_not_make_it_a_phone() -> None:
    desk = Desk()
    victim = Handset(desk)
    victim.register(0)
    call = request("INVITE", "sip:1001@10.1.0.5", source="198.51.100.9:5071", branch="z9hG4bK-ghost", call_id="ghost",
                   cseq=1, from_="sip:100@1.1.1.1", to="sip:1001@10.1.0.5", contact="<sip:100@198.51.100.9>")
    desk.send(10, "198.51.100.9:5071", PHONE, call)
    desk.send(11, PHONE, "198.51.100.9:5071", response(200, call, to_tag="x"))
    assert desk.phone.host == "10.1.0.5"
    assert [event.server for event in desk.of(Received)] == ["198.51.100.9:5071"]


def test_a_proxy_that_passes_a_call_on_is_no_phone_though_it_is_answered_first() -> None:
    desk = Desk()
    caller = Handset(desk)
    out = caller.invite(0)
    passed = request("INVITE", "sip:2002@10.1.0.9", source=P, branch="z9hG4bK-passed", call_id="call-1", cseq=1,
                     from_=caller.aor, to="sip:2002@pbx.example.com", from_tag="me", contact=caller.contact)
    desk.send(0.1, P, "10.1.0.9:5060", passed)
    desk.send(1, "10.1.0.9:5060", P, response(200, passed))
    caller.hear(1.1, P, response(200, out))
    assert desk.phone.host == "10.1.0.5"


def test_who_challenges_calls_is_a_server() -> None:
    """A back-to-back user agent: its own outgoing call is answered before it answers the phone's."""
    desk = Desk()
    caller = Handset(desk)
    first = caller.invite(0)
    caller.hear(0.1, P, response(401, first))
    out = caller.invite(0.2, cseq=2)
    other = request("INVITE", "sip:2002@10.1.0.9", source=P, branch="z9hG4bK-b2b", call_id="b2b", cseq=102,
                    from_=caller.aor, to="sip:2002@10.1.0.9", from_tag="as1", contact="<sip:1001@10.0.0.1>")
    desk.send(0.3, P, "10.1.0.9:5060", other)
    desk.send(1, "10.1.0.9:5060", P, response(200, other))
    caller.hear(1.1, P, response(200, out))
    assert desk.phone.host == "10.1.0.5"


def test_a_phone_that_challenges_a_call_is_one_all_the_same() -> None:
    desk = Desk()
    call = request("INVITE", "sip:1001@10.1.0.5", source=P, branch="z9hG4bK-c", call_id="c", cseq=1,
                   from_="sip:9@x.example", to="sip:1001@pbx.example.com", contact="<sip:9@10.0.0.1>")
    desk.send(0, P, PHONE, call)
    desk.send(0.1, PHONE, P, response(401, call))
    phone = Handset(desk)
    phone.register(10)
    phone.invite(20)
    assert desk.phone.host == "10.1.0.5"
    assert [event.method for event in desk.of(Sent)] == ["REGISTER", "INVITE"]


def test_a_declared_phone_needs_no_answer() -> None:
    desk = Desk(phones=("10.1.0.5",))
    phone = Handset(desk)
    (sent,) = phone.send(0, P, phone.compose("REGISTER", expires=60))
    assert isinstance(sent, Sent)
    assert desk.phone.declared
    assert [server.key for server in desk.rec.servers.all()] == [P]
    desk.rec.finish()
    assert desk.rec.traffic[0].one_way == 1


def test_what_a_phone_did_before_it_was_known_is_told_later() -> None:
    desk = Desk(entries={"sbc": entry(P, S)})
    phone = Handset(desk)
    lost = phone.compose("REGISTER", expires=60)
    for time in (0, 0.5, 1.5):
        phone.send(time, P, lost)
    phone.register(3.5, S)
    assert [type(event).__name__ for event in desk.events] == ["Sent", "Resent", "Resent", "Sent", "Answered"]
    assert [server.key for server in desk.rec.servers.all()] == [P, S]


def test_the_address_of_a_phone_on_tcp_is_its_contacts() -> None:
    desk = Desk()
    phone = Handset(desk, at="10.1.0.5:49200", contact="sip:1001@10.1.0.5:5060;transport=tcp", transport="tcp")
    phone.register(0)
    assert desk.phone.address == "10.1.0.5:5060"


def test_requests_without_contact_find_their_line_by_aor() -> None:
    desk = Desk()
    one, two = Handset(desk, "1001"), Handset(desk, "1002")
    one.register(0)
    two.register(1)
    (sent,) = two.send(5, P, two.compose("OPTIONS", "sip:pbx.example.com", call_id="o", contact=None))
    assert desk.rec.lines[sent.line].aor == two.aor


def test_an_anonymous_call_is_the_line_of_its_contact() -> None:
    desk = Desk()
    one, two = Handset(desk, "1001"), Handset(desk, "1002")
    one.register(0)
    two.register(1)
    events = two.send(5, P, two.compose("INVITE", "sip:9@pbx.example.com", call_id="c",
                                        from_="sip:anonymous@anonymous.invalid"))
    assert {desk.rec.lines[event.line].aor for event in events} == {two.aor}


def test_a_proxy_that_passes_registers_on_is_no_phone() -> None:
    desk = Desk(entries={"sbc": entry(P, S)})
    phone = Handset(desk)
    phone.register(0)
    passed = phone.compose("REGISTER", expires=60)
    desk.send(1, P, "10.0.0.200:5060", passed)
    desk.send(1.1, "10.0.0.200:5060", P, response(200, passed, contact=phone.contact))
    assert desk.phone.host == "10.1.0.5"
    assert len(desk.rec.lines) == 1


def test_phone_and_server_on_one_host() -> None:
    """As in a lab on the loopback interface."""
    desk = Desk(entries={"sbc": entry("127.0.0.1:5060", "127.0.0.1:5070")})
    one, two = Handset(desk, "1001", "127.0.0.1:6001"), Handset(desk, "1002", "127.0.0.1:6002")
    one.register(0, "127.0.0.1:5060")
    two.register(1, "127.0.0.1:5070")
    assert [(event.server, event.method) for event in desk.of(Sent)] == [
        ("127.0.0.1:5060", "REGISTER"), ("127.0.0.1:5070", "REGISTER")]
    call = request("INVITE", "sip:1002@127.0.0.1:6002", source="127.0.0.1:5060", branch="z9hG4bK-q", call_id="q",
                   cseq=1, from_=one.aor, to=two.aor)
    events = two.hear(5, "127.0.0.1:5060", call)
    assert [desk.rec.lines[event.line].aor for event in events if isinstance(event, Received)] == [two.aor]


def test_a_possible_boot() -> None:
    desk = Desk(Knowledge(entries={"sbc": entry(P, S)}))
    Handset(desk, call_id="first").register(0)
    assert not desk.of(Booted)                                     # there was no Call-ID before
    Handset(desk, call_id="second").register(10)
    assert not desk.of(Booted)                                     # too soon
    Handset(desk, call_id="third").register(40, S)
    assert not desk.of(Booted)                                     # it moves
    old = Handset(desk, call_id="third")
    old.cseq = 5
    old.register(100)
    assert not desk.of(Booted)                                     # an old Call-ID rules it out
    (boot, *_) = Handset(desk, call_id="fourth").register(140)
    assert isinstance(boot, Booted)
    assert boot.possible


def test_the_table_of_messages_knows_phone_line_and_server() -> None:
    desk = Desk()
    phone = Handset(desk)
    phone.register(0)
    request_seen, answer_seen = desk.seen
    assert (request_seen.phone, request_seen.line) == (desk.phone.number, desk.line.number)
    assert (request_seen.server, request_seen.from_phone) == (P, True)
    assert (answer_seen.phone, answer_seen.from_phone) == (desk.phone.number, False)
    desk.send(1, PHONE, P, b"INVITE nonsense\r\n\r\n")
    assert desk.seen[-1].phone is None
    assert sum(desk.rec.traffic[0].malformed.values()) >= 1
    assert desk.rec.traffic[0].sip_messages == 2
    assert path(PHONE, P).source == PHONE


def test_a_user_escaped_or_not_is_one_line() -> None:
    desk = Desk()
    for user in ("*97", "%2A97", "%2a97"):
        Handset(desk, user, contact=f"sip:*97@{PHONE}", user_agent=VVX).register(0)
    assert [line.aor for line in desk.rec.lines.values()] == ["sip:*97@pbx.example.com"]
