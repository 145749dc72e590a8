"""Four times the traffic makes no table hold more: every bound of the reconstruction is set low, and everything
reachable from it is counted."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from sipaudit.model.events import Contacted
from sipaudit.reconstruct.bounds import Bounds
from sipaudit.sip.datagram import ErrorKind, Sought, Start, StartKind, TransportError, flow
from tests.bounds.reach import size as reached
from tests.factories import START, dns_answer, dns_query, path, request, response
from tests.reconstruct.desk import PHONE, Desk, Handset, P, S, entry

FEW, MANY = 60, 240
GROWS = 1.3    # factor; how full a table that is emptied as a whole is depends on the moment
NXDOMAIN = 3
HOST = PHONE.partition(":")[0]
ROUTER = "020000000001"
LOW = Bounds(transactions=20, strange_transactions=20, legs=20, strange_legs=20, lines=20, candidates=20,
             strange_lines=20, held=8, servers=20, sights=20, names=20, chains=20, devices=20)
KEPT = {
    "carriers": ("SOUGHT_KEPT",), "entries": ("ENTRY_LISTS", "NAME_ENTRIES", "VIEW_ENTRIES"),
    "late_challenges": ("UNASKED_KEPT",), "lives": ("SETS_KEPT",),
    "lookups": ("OPEN_KEPT", "REFUSED_KEPT", "REFUSED_NAMES", "TOLD_KEPT"),
    "memory": ("AGAIN_KEPT",), "names": ("MEMBERS", "RECORDS"), "omens": ("UNSENT_KEPT",), "phones": ("CALLS_KEPT",),
    "starts": ("STARTS_KEPT",),
    "views": ("ENTRY_LISTS", "ENTRY_NAMES", "KEYS_KEPT"),
}
Flood = Callable[[Desk, Handset, int], None]


def size(desk: Desk) -> int:
    """The number of objects reachable from the reconstruction, without those that the desk itself stores."""
    return reached(desk.rec, desk, desk.seen, desk.events)


def host(index: int) -> str:
    return f"198.51.{index // 250}.{index % 250}"


def at(index: int) -> float:
    """Times within one second, so that nothing is forgotten because of its age."""
    return 1 + index / 1000


def names_asked_for_in_vain(desk: Desk, _: Handset, index: int) -> None:
    desk.feed(dns_query(at(index), HOST, f"{index}.example"))


def names_that_do_not_resolve(desk: Desk, _: Handset, index: int) -> None:
    desk.feed(dns_answer(at(index), HOST, f"{index}.example", "A", rcode=NXDOMAIN))


def hosts_whose_names_do_not_resolve(desk: Desk, _: Handset, index: int) -> None:
    desk.feed(dns_answer(at(index), host(index), "p.example", "A", rcode=NXDOMAIN))


def hosts_that_are_told_a_name(desk: Desk, _: Handset, index: int) -> None:
    desk.feed(dns_answer(at(index), host(index), "p.example", "A", ("p.example", "A", 60, "10.0.0.1")))


def names_told_to_one_host(desk: Desk, _: Handset, index: int) -> None:
    name = f"{index}.example"
    desk.feed(dns_answer(at(index), HOST, name, "A", (name, "A", 60, "10.0.0.1")))


def hosts_told_of_one_address_in_place_of_a_list(desk: Desk, _: Handset, index: int) -> None:
    """Only of the last hosts it is still known that they lack the list."""
    desk.feed(dns_answer(at(index), HOST, f"_sip._udp.{index % 4}.example", "SRV", rcode=NXDOMAIN))
    for number in range(4):
        desk.feed(dns_answer(at(index), host(index * 4 + number), f"_sip._udp.{number}.example", "SRV", rcode=NXDOMAIN))
        desk.feed(dns_answer(at(index), host(index * 4 + number), f"{number}.example", "A",
                             (f"{number}.example", "A", 60, "10.0.0.1")))


def forks_of_a_call(_: Desk, phone: Handset, index: int) -> None:
    asked = phone.compose("INVITE", "sip:2002@pbx.example.com", branch="z9hG4bK-forked", call_id="call-1", cseq=1,
                          from_tag="me")
    if not index:
        phone.send(1, P, asked)
    phone.hear(at(index), P, response(183, asked, to_tag=f"fork-{index}"))


def looks(_: Desk, phone: Handset, index: int) -> None:
    phone.register(at(index), user_agent=f"Other/{index}", contact=f"<sip:1001@10.1.0.5:{6000 + index}>")


def call_ids(_: Desk, phone: Handset, index: int) -> None:
    phone.register(at(index), call_id=f"other-{index}")


def challenged_requests(_: Desk, phone: Handset, index: int) -> None:
    asked = phone.invite(at(index), call_id=f"call-{index}")
    phone.hear(at(index), P, response(407, asked, headers=('Proxy-Authenticate: Digest realm="r", nonce="n"',)))


def credentials_before_their_challenge(_: Desk, phone: Handset, index: int) -> None:
    phone.send(at(index), P, phone.compose("REGISTER", expires=60, headers=(
        f'Authorization: Digest username="1001", realm="r", nonce="n{index}", uri="sip:x", response="1"',)))


def servers_of_a_line(_: Desk, phone: Handset, index: int) -> None:
    phone.register(at(index), f"203.0.113.{index}:5060")


def ports_of_a_server(desk: Desk, phone: Handset, index: int) -> None:
    asked = phone.compose("OPTIONS", branch=f"z9hG4bK{index}")
    phone.send(at(index), f"10.0.0.1:{6000 + index}", asked)


def calls_that_end(desk: Desk, phone: Handset, index: int) -> None:
    asked = phone.invite(at(index), call_id=f"call-{index}")
    phone.hear(at(index), P, response(200, asked))
    bye = phone.compose("BYE", "sip:2002@pbx.example.com", call_id=f"call-{index}", cseq=2, from_tag="me", to_tag="t")
    phone.send(at(index), P, bye)


def devices_that_start(desk: Desk, _: Handset, index: int) -> None:
    mac = f"0004f2{index:06x}"
    desk.feed(Start(START + at(index), 0, 0, StartKind.ADDRESS, None, mac))
    desk.feed(Start(START + at(index), 0, 0, StartKind.UPDATER, host(index), mac))


def times_that_a_server_was_not_found(desk: Desk, _: Handset, index: int) -> None:
    desk.feed(dns_answer(at(index), HOST, "0.example.com", "A", rcode=NXDOMAIN))


def addresses_of_one_name(desk: Desk, _: Handset, index: int) -> None:
    records = [("big.example", "A", 60, f"192.0.2.{number}") for number in range(index + 1)]
    desk.feed(dns_answer(at(index), HOST, "big.example", "A", *records))


def requests_of_a_stranger(desk: Desk, _: Handset, index: int) -> None:
    source = "198.51.100.9:5060"
    desk.send(at(index), source, P, request(
        "REGISTER", "sip:x", source=source, branch=f"z9hG4bK-{index}", call_id="x", cseq=index + 1,
        from_="sip:1@x.example", to="sip:1@x.example", contact=f"<sip:1@{source}>"))


def ports_of_a_phone(desk: Desk, _: Handset, index: int) -> None:
    Handset(desk, "1001", f"{HOST}:{20_000 + index}", contact="sip:1001@10.1.0.5:5060").register(at(index))


def errors_of_what_a_phone_sends(desk: Desk, _: Handset, index: int) -> None:
    desk.feed(TransportError(START + at(index), 0, 0, ErrorKind.ICMP, path(PHONE, P), START + at(index)))


def lists_with_one_server_in_common(desk: Desk, _: Handset, index: int) -> None:
    name, other = f"_sip._udp.{index}.example", f"{index}.example"
    desk.feed(dns_answer(at(index), HOST, name, "SRV", (name, "SRV", 60, (1, 1, 5060, "p.example")),
                         (name, "SRV", 60, (2, 1, 5060, other)), ("p.example", "A", 60, "10.0.0.1"),
                         (other, "A", 60, f"203.0.113.{index}")))
    Handset(desk, str(index), f"{host(index)}:5060").register(at(index), f"203.0.113.{index}:5060")


def phones(desk: Desk, _: Handset, index: int) -> None:
    Handset(desk, str(index), f"{host(index)}:5060", params=f';+sip.instance="<urn:uuid:{index}>"',
            contact=f"sip:{index}@192.168.0.1").register(at(index))


def phones_behind_one_address(desk: Desk, _: Handset, index: int) -> None:
    Handset(desk, str(index), f"203.0.113.1:{20_000 + index}").register(at(index))


def strangers(desk: Desk, _: Handset, index: int) -> None:
    source = f"{host(index)}:5060"
    for method in ("REGISTER", "INVITE", "OPTIONS"):
        desk.send(at(index), source, P, request(
            method, "sip:x", source=source, branch=f"z9hG4bK-{method}-{index}", call_id=f"{method}{index}@x", cseq=1,
            from_=f"sip:{index}@x.example", to=f"sip:{index}@x.example", contact=f"<sip:{index}@{source}>"))


FLOODS: tuple[Flood, ...] = (
    names_asked_for_in_vain, names_that_do_not_resolve, hosts_whose_names_do_not_resolve, hosts_that_are_told_a_name,
    names_told_to_one_host, hosts_told_of_one_address_in_place_of_a_list, forks_of_a_call, looks, call_ids,
    challenged_requests, credentials_before_their_challenge, servers_of_a_line, ports_of_a_server, calls_that_end,
    devices_that_start, times_that_a_server_was_not_found, addresses_of_one_name, requests_of_a_stranger,
    ports_of_a_phone, errors_of_what_a_phone_sends, lists_with_one_server_in_common,
    phones, phones_behind_one_address, strangers,
)


def after(flood: Flood, count: int, bounds: Bounds = LOW) -> Desk:
    desk = Desk(bounds=bounds, entries={"sbc": entry(P, S, *(f"{number}.example.com" for number in range(8)))})
    phone = Handset(desk)
    desk.flows[PHONE, P, "udp"] = flow("udp", HOST, 5060, "10.0.0.1", 5060, ROUTER)
    phone.register(0)
    for index in range(count):
        flood(desk, phone, index)
    return desk


@pytest.fixture(autouse=True)
def low(monkeypatch: pytest.MonkeyPatch) -> None:
    for module, names in KEPT.items():
        for name in names:
            monkeypatch.setattr(f"sipaudit.reconstruct.{module}.{name}", 8)


@pytest.mark.parametrize("flood", FLOODS, ids=lambda flood: flood.__name__)
def test_no_table_grows_beyond_its_bound(flood: Flood) -> None:
    few, many = (size(after(flood, count)) for count in (FEW, MANY))
    assert many < GROWS * few


@pytest.mark.parametrize("flood", FLOODS, ids=lambda flood: flood.__name__)
def test_bounds_that_are_set_lower_hold_at_once(flood: Flood) -> None:
    desk = after(flood, MANY, Bounds())
    desk.rec.tighten(LOW)
    desk.rec.tighten(LOW)
    assert size(desk) < 1.5 * size(after(flood, MANY))


def test_of_devices_no_more_is_known_than_their_bound() -> None:
    """This holds even if the lines would have room for more."""
    desk = after(phones, FEW, Bounds(devices=20))
    assert len(desk.rec.lines) == FEW + 1
    assert desk.rec.evicted["devices"] >= FEW - 20
    before = desk.rec.evicted["devices"]
    desk.rec.tighten(Bounds(devices=5))
    assert desk.rec.evicted["devices"] == before + 15


def test_of_one_phone_no_more_is_waited_for_than_its_bound() -> None:
    """This holds even if the transactions would have room for more."""
    desk = after(challenged_requests, FEW, Bounds())
    assert len(desk.phone.again or ()) == 8


def test_of_what_a_router_seeks_no_more_is_taken_than_its_bound() -> None:
    servers = [f"10.0.0.{number}:5060" for number in range(1, FEW)]
    desk = Desk(entries={"sbc": entry(*servers)})
    desk.flows[PHONE, P, "udp"] = flow("udp", HOST, 5060, "10.0.0.1", 5060, ROUTER)
    Handset(desk).register(0)
    for index, server in enumerate(servers):
        desk.feed(Sought(START + at(index), 0, 0, "10.1.0.1", server.partition(":")[0], ROUTER))
    assert len({event.server for event in desk.of(Contacted)}) == 8
