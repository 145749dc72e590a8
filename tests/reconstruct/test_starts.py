"""A boot that was seen, and what only looks like one (reference-model.md 1, *boot*)."""

from __future__ import annotations

import pytest

from sipaudit.model.events import Booted
from sipaudit.reconstruct.bounds import STARTS_KEPT
from sipaudit.sip.datagram import Start, StartKind
from tests.factories import START, dns_answer, request, response
from tests.reconstruct.desk import PHONE, Desk, Handset, Knowledge, P, S, entry

HOST, MAC, OTHER_MAC = "10.1.0.5", "0004f2aabbcc", "0004f2000009"
AGENT = f"PolycomVVX-VVX_500-UA/5.9.0.9373_{MAC}"
ADDRESS, LEASE, FILE, UPDATER = StartKind
TWO = {"sbc": entry(P, S)}


def desk_with(*registered: str, agent: str | None = None) -> Desk:
    """A phone that registered at these servers in turn, every 100 s from 0 on."""
    desk = Desk(Knowledge(TWO))
    for number, server in enumerate(registered):
        Handset(desk, call_id="old", user_agent=agent).register(100 * number, server, cseq=number + 1)
    return desk


def sign(desk: Desk, time: float, kind: StartKind, host: str | None = None, mac: str | None = None) -> None:
    desk.feed(Start(START + time, 0, 0, kind, host, mac))


def boots(desk: Desk) -> list[str]:
    return ["possible" if boot.possible else "seen" for boot in desk.of(Booted)]


def starts_up(desk: Desk, time: float) -> None:
    """DHCP and TFTP, as a starting phone does them."""
    sign(desk, time, ADDRESS, None, MAC)
    sign(desk, time + 0.1, LEASE, HOST, MAC)
    for number in range(4):
        sign(desk, time + 20 + number, FILE, HOST, MAC)


def test_address_files_and_a_new_call_id_are_one_boot() -> None:
    desk = desk_with(P)
    starts_up(desk, 200)
    events = Handset(desk, call_id="new").register(260)
    assert boots(desk) == ["seen"]
    assert isinstance(events[0], Booted)  # before the REGISTER that it concerns
    assert events[0].time == START + 260
    Handset(desk, "1002", call_id="other").register(261)
    Handset(desk, call_id="newer").register(400)
    assert boots(desk) == ["seen", "possible"]  # the signs have been used


@pytest.mark.parametrize("kind", [ADDRESS, FILE, UPDATER])
def test_of_a_known_phone_one_sign_does(kind: StartKind) -> None:
    desk = desk_with(P, agent=AGENT)
    sign(desk, 200, kind, None if kind is ADDRESS else HOST, MAC)
    Handset(desk, call_id="new", user_agent=AGENT).register(260)
    assert boots(desk) == ["seen"]


def test_a_phone_polls_its_files_while_it_works() -> None:
    desk = desk_with(P)
    sign(desk, 200, FILE, HOST, MAC)
    phone = Handset(desk, call_id="old")
    phone.cseq = 10
    phone.register(260)
    assert boots(desk) == []


def test_a_poll_before_a_phone_comes_back_to_the_head_is_no_start() -> None:
    desk = desk_with(P, S)
    sign(desk, 200, FILE, HOST, MAC)
    Handset(desk, call_id="new").register(260, P)
    assert boots(desk) == ["possible"]


def test_but_a_start_with_all_its_signs_is() -> None:
    desk = desk_with(P, S)
    starts_up(desk, 200)
    Handset(desk, call_id="new").register(260, P)
    assert boots(desk) == ["seen"]


def test_who_speaks_meanwhile_does_not_start() -> None:
    desk = desk_with(P, S)
    sign(desk, 200, ADDRESS, None, MAC)
    sign(desk, 200, LEASE, HOST, MAC)
    Handset(desk, call_id="old").register(210, S, cseq=3)
    sign(desk, 220, FILE, HOST, MAC)
    Handset(desk, call_id="new").register(260, P)
    assert boots(desk) == ["possible"]


def test_a_packet_after_the_signs_makes_them_a_thing_of_the_past() -> None:
    desk = desk_with(P)
    starts_up(desk, 200)
    Handset(desk, call_id="old").register(250, cseq=3)
    Handset(desk, call_id="new").register(300)
    assert boots(desk) == ["possible"]


def test_signs_grow_old() -> None:
    desk = desk_with(P)
    starts_up(desk, 200)
    Handset(desk, call_id="new").register(900)
    assert boots(desk) == ["possible"]


def test_another_server_than_the_head_is_no_start() -> None:
    desk = desk_with(P)
    starts_up(desk, 200)
    Handset(desk, call_id="new").register(260, S)
    assert boots(desk) == []


@pytest.mark.parametrize("certain", [True, False])
def test_of_a_phone_never_seen_before_the_call_id_may_be_an_old_one(certain: bool) -> None:
    desk = desk_with()
    if certain:
        starts_up(desk, 200)
    else:
        sign(desk, 200, FILE, HOST, MAC)
    Handset(desk).register(260)
    assert boots(desk) == (["seen"] if certain else [])


@pytest.mark.parametrize(("host", "mac"), [("10.1.0.9", None), ("10.1.0.9", OTHER_MAC), (HOST, OTHER_MAC)])
def test_signs_of_another_device(host: str, mac: str | None) -> None:
    desk = desk_with(P, agent=AGENT)
    sign(desk, 200, FILE, host, mac)
    Handset(desk, call_id="new", user_agent=AGENT).register(260)
    assert boots(desk) == ["possible"]


def test_behind_a_nat_a_hosts_signs_are_nobodys() -> None:
    desk = desk_with(P, agent=AGENT)
    other = Handset(desk, "1002", user_agent=AGENT.replace(MAC, OTHER_MAC), call_id="theirs")
    other.register(10)
    sign(desk, 200, FILE, HOST)
    Handset(desk, call_id="new", user_agent=AGENT).register(260)
    sign(desk, 270, FILE, HOST, OTHER_MAC)
    Handset(desk, "1002", user_agent=AGENT.replace(MAC, OTHER_MAC), call_id="newer").register(300)
    assert boots(desk) == ["possible", "seen"]


def test_a_flood_of_signs_is_bounded() -> None:
    desk = desk_with(P)
    starts_up(desk, 200)
    for number in range(STARTS_KEPT):
        sign(desk, 230, FILE, f"10.{number >> 16}.{number >> 8 & 255}.{number & 255}.x", None)
        sign(desk, 230, ADDRESS, None, f"{number:012x}")
    Handset(desk, call_id="new").register(260)
    assert boots(desk) == ["possible"]


def test_a_phone_at_another_address_may_have_started() -> None:
    desk = desk_with(P, agent=AGENT)
    moved = Handset(desk, at="10.1.0.77:5060", call_id="elsewhere", user_agent=AGENT)
    moved.register(100, S)
    assert boots(desk) == ["possible"]
    assert [phone.host for phone in desk.rec.phones.values()] == [HOST, "10.1.0.77"]
    moved.register(200, S)
    Handset(desk, at="10.1.0.77:5060", call_id="new", user_agent=AGENT).register(300, S)
    Handset(desk, at="10.1.0.78:5060", call_id="stranger").register(300)
    assert boots(desk) == ["possible"]  # once, and only of the known phone
    Handset(desk, call_id="back", user_agent=AGENT).register(400, S)
    assert boots(desk) == ["possible", "possible"]
    Handset(desk, call_id="again", user_agent=AGENT).register(500, S)
    assert boots(desk) == ["possible", "possible"]


@pytest.mark.parametrize(("silence", "said"), [(1, ["possible"]), (40, [])])
def test_the_head_of_the_list_may_not_resolve(silence: int, said: list[str]) -> None:
    """Then a starting phone goes to the next server; a name that failed to resolve long before explains nothing."""
    desk = Desk(Knowledge(entries={"sbc": entry(P, S, names=("sbc1.example.com",))}))
    Handset(desk, call_id="old").register(0, P)
    desk.feed(dns_answer(200, HOST, "sbc1.example.com", "A", rcode=3))
    Handset(desk, call_id="new").register(200 + silence, S)
    assert boots(desk) == said


@pytest.mark.parametrize(("later", "said"), [(8, ["possible"]), (14, [])])
def test_who_starts_may_answer_before_it_registers(later: int, said: list[str]) -> None:
    """A phone that answers a request after a silence, a few seconds before it registers, has just started."""
    desk = desk_with(P)
    asked = request("OPTIONS", f"sip:1001@{PHONE}", source=P, branch="z9hG4bK-o", call_id="o", cseq=1,
                    from_="sip:ping@pbx.example.com", to="sip:1001@pbx.example.com")
    desk.send(100, P, PHONE, asked)
    desk.send(100.1, PHONE, P, response(200, asked, to_tag="me"))
    Handset(desk, call_id="new").register(100 + later)
    assert boots(desk) == said
