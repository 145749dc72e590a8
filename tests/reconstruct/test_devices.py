"""A phone's MAC: the source address of its frames where that is the phone's own, otherwise the one that it states."""

from __future__ import annotations

from msgspec.structs import replace

from sipaudit.model.settings import Declaration, LineIdentity, LineSettings, Origin, Setting
from sipaudit.reconstruct.phones import Phone
from tests.factories import path, response
from tests.reconstruct.desk import PHONE, Desk, Handset, Knowledge, P, entry, incoming

MAC, OTHER, ROUTER = "0004f2aabbcc", "64167f000001", "0c0000000001"
AGENT = "PolycomVVX-VVX_500-UA/5.9.0.9373"


def on_segment(desk: Desk, mac: str, at: str = PHONE, server: str = P) -> None:
    """Frames from `at` have this source MAC."""
    desk.flows[at, server, "udp"] = replace(path(at, server), source_mac=mac)


def registered(desk: Desk, mac: str | None, at: str = PHONE, **said: str) -> Phone:
    if mac is not None:
        on_segment(desk, mac, at)
    Handset(desk, at=at, **said).register(0)
    return list(desk.rec.phones.values())[-1]


def declares(desk: Desk, mac: str) -> None:
    knowledge = Knowledge(declare=lambda identity: Declaration(label="found" if identity.mac == mac else None))
    knowledge.declares_phone = lambda address, known: known == mac
    desk.rec = Desk(knowledge).rec


def test_a_polycoms_link_address_is_its_mac() -> None:
    assert registered(Desk(), MAC).mac == MAC


def test_the_segment_is_believed_before_what_the_phone_says() -> None:
    assert registered(Desk(), MAC, user_agent=f"{AGENT}_{OTHER}").mac == MAC


def test_behind_a_router_the_phone_is_believed() -> None:
    assert registered(Desk(), ROUTER, user_agent=f"{AGENT}_{OTHER}").mac == OTHER
    instance = f';+sip.instance="<urn:uuid:00000000-0000-1000-8000-{OTHER}>"'
    assert registered(Desk(), ROUTER, params=instance).mac == OTHER


def test_a_routers_address_is_nobodys() -> None:
    desk = Desk()
    one, two = registered(desk, ROUTER), registered(desk, ROUTER, "10.2.0.5:5060")
    assert (one.mac, two.mac) == (None, None)


def test_an_address_of_another_make_counts_when_the_site_file_declares_it() -> None:
    desk = Desk()
    declares(desk, ROUTER)
    phone = registered(desk, ROUTER)
    assert phone.mac == ROUTER
    assert desk.line.declaration.label == "found"
    assert desk.line.identity.mac == ROUTER


def test_a_router_is_not_declared_by_the_address_of_a_phone_behind_it() -> None:
    desk = Desk(Knowledge(phones=("10.1.0.5",)))
    assert registered(desk, ROUTER).mac is None


def test_a_mac_that_is_learnt_later_is_asked_for_in_the_site_file() -> None:
    desk = Desk()
    declares(desk, MAC)
    phone = Handset(desk)
    phone.register(0)
    Handset(desk, "1002", contact="sip:1002@10.1.0.5:5060").register(10)
    assert {line.declaration.label for line in desk.rec.lines.values()} == {None}
    phone.user_agent = f"{AGENT}_{MAC}"
    phone.register(20)
    assert {line.declaration.label for line in desk.rec.lines.values()} == {"found"}
    assert {line.owner.mac for line in desk.rec.lines.values()} == {MAC}
    assert desk.phone.declared


def test_a_candidate_becomes_a_phone_when_its_mac_is_declared() -> None:
    desk = Desk()
    declares(desk, MAC)
    phone = Handset(desk)
    phone.send(0, P, phone.compose("REGISTER"))
    assert not desk.rec.phones
    phone.user_agent = f"{AGENT}_{MAC}"
    phone.send(10, P, phone.compose("REGISTER"))
    assert desk.phone.mac == MAC
    assert len(desk.events) == 2


def test_what_is_sent_to_a_phone_says_nothing_of_its_link() -> None:
    desk = Desk(Knowledge(entries={"sbc": entry(P)}))
    desk.flows[P, PHONE, "udp"] = replace(path(P, PHONE), source_mac=MAC)
    call = incoming()
    desk.send(0, P, PHONE, call)
    desk.send(1, PHONE, P, response(200, call, contact="<sip:1001@10.1.0.5:5060>"))
    assert desk.phone.mac is None


def test_new_settings_of_a_mac_learnt_later_are_in_force_at_once() -> None:
    settings = LineSettings({"reRegisterOn": Setting(1, "site", Origin.EXPLICIT)}, declared=True)

    def declare(identity: LineIdentity) -> Declaration:
        return Declaration(settings={"": settings} if identity.mac == MAC else {})

    desk = Desk(Knowledge(declare=declare))
    phone = Handset(desk)
    phone.register(0)
    assert not desk.line.declaration.at(None).declared
    phone.user_agent = f"{AGENT}_{MAC}"
    phone.register(10)
    assert desk.line.declaration.at(None) is settings
