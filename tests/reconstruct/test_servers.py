"""Server entries: declared, named, learnt from DNS; and what is seen of servers outside SIP."""

from __future__ import annotations

import pytest

from sipaudit.model.events import (
    Answered,
    Contacted,
    ContactKind,
    EntryChanged,
    Failed,
    FailureKind,
    Lost,
    Received,
    Sent,
)
from sipaudit.model.reach import LONG_AGO
from sipaudit.model.settings import Declaration
from sipaudit.reconstruct.records import RecordSet
from sipaudit.sip.datagram import (
    Connection,
    ConnectionKind,
    ErrorKind,
    Gap,
    TransportError,
)
from tests.factories import START, dns_answer, dns_query, path, request, response
from tests.reconstruct.desk import PHONE, Desk, Handset, P, S, T, entry

SRV = "_sip._udp.sip.example.com"


def declared(*servers: str, names: tuple[str, ...] = ()) -> tuple[Desk, Handset]:
    desk = Desk(entries={"sbc": entry(*(servers or (P, S)), names=names)})
    phone = Handset(desk)
    phone.register(0)
    return desk, phone


def srv_answer(
    desk: Desk, time: float, *servers: tuple[int, str, str], ttl: int = 300, client: str = "10.1.0.5",
) -> None:
    """SRV records and addresses in one answer; servers are (priority, name, address)."""
    desk.feed(dns_answer(
        time, client, SRV, "SRV",
        *((SRV, "SRV", ttl, (priority, 10, 5060, name)) for priority, name, _ in servers),
        *((name, "A", ttl // 5, address) for _, name, address in servers),
    ))


def keys(desk: Desk) -> list[list[tuple[str, int]]]:
    return [[(server.key, server.priority) for server in entry.servers] for entry in desk.line.entries]


@pytest.mark.parametrize(
    ("destination", "transport", "key"),
    [
        ("10.0.0.1:5060", "udp", "10.0.0.1:5060"),
        ("10.0.0.1:5061", "tls", "10.0.0.1:5060"),   # another transport is never a move
        ("10.0.0.1:5080", "udp", "10.0.0.1:5060"),   # nor another port
        ("10.0.0.9:5060", "udp", "10.0.0.9:5060"),   # no server of the entry
    ],
)
def test_the_server_is_the_entrys_whatever_port_or_transport(destination: str, transport: str, key: str) -> None:
    desk = Desk(entries={"sbc": entry(P, S)})
    Handset(desk, transport=transport).register(0, destination)
    assert {event.server for event in desk.of(Sent)} == {key}
    assert desk.line.list_in_doubt == (key == "10.0.0.9:5060")


def test_two_ports_of_one_address_may_be_two_servers() -> None:
    desk = Desk(entries={"sbc": entry("10.0.0.1:5060", "10.0.0.1:5070")})
    phone = Handset(desk)
    phone.register(0, "10.0.0.1:5060")
    phone.register(10, "10.0.0.1:5070")
    assert [event.server for event in desk.of(Sent)] == ["10.0.0.1:5060", "10.0.0.1:5070"]


def test_a_server_that_calls_from_another_port_is_the_same() -> None:
    desk, phone = declared()
    invite = request("INVITE", "sip:1001@10.1.0.5:5060", source=P, branch="z9hG4bK-i", call_id="i", cseq=1,
                     from_="sip:2@x.example", to=phone.aor)
    (received, _) = desk.send(5, "10.0.0.1:39999", PHONE, invite)
    assert isinstance(received, Received)
    assert received.server == P


def test_declared_names_are_resolved_by_the_captures_dns() -> None:
    desk = Desk(entries={"sbc": entry("sbc1.example.com", "sbc2.example.com")})
    desk.feed(dns_answer(0, "10.1.0.5", "sbc1.example.com", "A", ("sbc1.example.com", "A", 60, "10.0.0.1")))
    desk.feed(dns_answer(0, "10.1.0.5", "sbc2.example.com", "A", ("sbc2.example.com", "CNAME", 90, "b.example.com"),
                         ("b.example.com", "A", 30, "10.0.0.2")))
    phone = Handset(desk)
    phone.register(1)
    assert keys(desk) == [[(P, 1), (S, 2)]]
    (changed,) = desk.of(EntryChanged)
    assert (changed.entry, changed.ttl_low, changed.ttl_high, changed.reordered) == ("sbc", 30, 90, False)
    assert changed.until == START + 30
    assert changed.line == desk.line.number


def test_names_resolved_later_are_noticed() -> None:
    desk = Desk(entries={"sbc": entry("sbc1.example.com", S)})
    phone = Handset(desk)
    phone.register(0)
    assert keys(desk) == [[("sbc1.example.com:5060", 1), (S, 2)]]
    desk.feed(dns_answer(10, "10.9.9.9", "sbc1.example.com", "A", ("sbc1.example.com", "A", 60, "10.0.0.1")))
    assert not desk.of(EntryChanged)  # an answer to somebody else: noticed when the line is seen again
    phone.register(20)
    assert keys(desk) == [[(P, 1), (S, 2)]]
    assert [event.time - START for event in desk.of(EntryChanged)] == [10]


def test_a_dns_chain_makes_an_entry() -> None:
    desk = Desk()
    srv_answer(desk, 0, (2, "b.example.com", "10.0.0.2"), (1, "a.example.com", "10.0.0.1"))
    Handset(desk).register(1)
    (found,) = desk.line.entries
    assert (found.name, found.origin) == ("sip.example.com", "dns")
    assert keys(desk) == [[(P, 1), (S, 2)]]
    (changed,) = desk.of(EntryChanged)
    assert (changed.ttl_low, changed.ttl_high, changed.until) == (60, 300, START + 60)
    assert [server.name for server in desk.rec.servers.all()] == ["a.example.com"]


def test_a_chain_learnt_after_the_line() -> None:
    desk = Desk()
    phone = Handset(desk)
    phone.register(0)
    assert desk.line.entries == ()
    srv_answer(desk, 10, (1, "a.example.com", "10.0.0.1"), (2, "b.example.com", "10.0.0.2"), client="10.9.9.9")
    phone.register(20)
    assert keys(desk) == [[(P, 1), (S, 2)]]


def test_several_addresses_of_one_name_share_the_load() -> None:
    desk = Desk()
    desk.feed(dns_answer(0, "10.1.0.5", "pbx.example.com", "A", ("pbx.example.com", "A", 60, "10.0.0.2"),
                         ("pbx.example.com", "A", 60, "10.0.0.1")))
    Handset(desk).register(1)
    assert keys(desk) == [[(P, 1), (S, 1)]]
    assert desk.line.entries[0].primary is None


def test_one_address_is_no_list() -> None:
    desk = Desk()
    desk.feed(dns_answer(0, "10.1.0.5", "pbx.example.com", "A", ("pbx.example.com", "A", 60, "10.0.0.1")))
    Handset(desk).register(1)
    assert desk.line.entries == ()


def test_the_site_file_goes_before_dns() -> None:
    desk = Desk(entries={"sbc": entry(P, T)})
    srv_answer(desk, 0, (1, "a.example.com", "10.0.0.1"), (2, "b.example.com", "10.0.0.2"))
    Handset(desk).register(1)
    assert keys(desk) == [[(P, 1), (T, 2)]]


def test_a_changed_answer_reorders_the_entry() -> None:
    desk = Desk()
    srv_answer(desk, 0, (1, "a.example.com", "10.0.0.1"), (2, "b.example.com", "10.0.0.2"))
    phone = Handset(desk)
    phone.register(1)
    srv_answer(desk, 60, (1, "a.example.com", "10.0.0.1"), (2, "b.example.com", "10.0.0.2"))
    assert [event.reordered for event in desk.of(EntryChanged)] == [False, False]
    srv_answer(desk, 120, (2, "a.example.com", "10.0.0.1"), (1, "b.example.com", "10.0.0.2"))
    assert [event.reordered for event in desk.of(EntryChanged)] == [False, False, True]
    assert keys(desk) == [[(S, 1), (P, 2)]]
    phone.register(130)
    assert len(desk.of(EntryChanged)) == 3  # reported once


def test_round_robin_is_no_change() -> None:
    desk = Desk()
    for time, order in ((0, ("10.0.0.1", "10.0.0.2")), (60, ("10.0.0.2", "10.0.0.1"))):
        desk.feed(dns_answer(time, "10.1.0.5", "pbx.example.com", "A",
                             *(("pbx.example.com", "A", 60, address) for address in order)))
        Handset(desk).register(time + 1)
    assert not any(event.reordered for event in desk.of(EntryChanged))


def test_an_address_that_the_declared_list_lacks_puts_it_in_doubt() -> None:
    desk, _ = declared(names=("sbc1.example.com", "sbc2.example.com"))
    assert not desk.line.list_in_doubt
    desk.feed(dns_answer(5, "10.9.9.9", "sbc1.example.com", "A", ("sbc1.example.com", "A", 60, "10.0.0.77")))
    assert desk.line.list_in_doubt
    assert keys(desk) == [[(P, 1), (S, 2)]]


def test_ttls_of_a_list_declared_with_addresses() -> None:
    desk, _ = declared(names=("sbc1.example.com", "sbc2.example.com"))
    desk.feed(dns_answer(5, "10.1.0.5", "sbc1.example.com", "A", ("sbc1.example.com", "A", 60, "10.0.0.1")))
    (changed,) = desk.of(EntryChanged)
    assert (changed.until, changed.reordered) == (START + 65, False)


def test_lookups_are_contacts_and_failed_ones_failures() -> None:
    desk, _ = declared(names=("sbc1.example.com", "sbc2.example.com"))
    (looked,) = desk.feed(dns_query(10, "10.1.0.5", "sbc1.example.com"))
    assert isinstance(looked, Contacted)
    assert (looked.server, looked.kind) == (P, ContactKind.LOOKUP)
    (failed,) = desk.feed(dns_answer(11, "10.1.0.5", "sbc1.example.com", "A", rcode=3))
    assert isinstance(failed, Failed)
    assert (failed.server, failed.kind) == (P, FailureKind.DNS)
    assert desk.feed(dns_answer(12, "10.1.0.5", "_sip._udp.sbc1.example.com", "SRV", rcode=3)) == []
    assert desk.feed(dns_answer(12, "10.1.0.5", "sbc1.example.com", "AAAA", rcode=2)) == []
    assert desk.feed(dns_query(13, "10.8.8.8", "sbc1.example.com")) == []


def icmp(time: float, quoted: bytes, source: str = PHONE, destination: str = P) -> TransportError:
    flow = path(source, destination)
    return TransportError(START + time, 0, 9, ErrorKind.ICMP, flow, START + time - 0.1, quoted, "3.3")


def test_a_chain_whose_names_fail() -> None:
    desk = Desk()
    srv_answer(desk, 0, (1, "a.example.com", "10.0.0.1"), (2, "b.example.com", "10.0.0.2"))
    Handset(desk).register(1)
    desk.feed(dns_query(10, "10.1.0.5", SRV, "SRV"))
    desk.feed(dns_answer(11, "10.1.0.5", SRV, "SRV", rcode=2))
    assert [event.server for event in desk.of(Contacted)] == [P, S]
    assert [event.server for event in desk.of(Failed)] == [P, S]


@pytest.mark.parametrize(("later", "until"), [(59.0, 60.0), (61.0, LONG_AGO)])
def test_another_answer_is_in_dispute_while_the_one_before_lives(later: float, until: float) -> None:
    """Clients that received the first answer may use it until it expires."""
    before = RecordSet(("10.0.0.1",), 60, 60, 0.0, "10.1.0.5")
    after = RecordSet(("10.0.0.2",), 60, 60, later, "10.1.0.6").after(before)
    assert (after.disputed_until, after.known_to) == (until, "")


def test_a_chain_over_naptr_for_another_transport() -> None:
    desk = Desk()
    tcp, domain = "_sip._tcp.sip.example.com", "sip.example.com"
    srv_answer(desk, 0, (1, "a.example.com", "10.0.0.1"), (2, "b.example.com", "10.0.0.2"))
    desk.feed(dns_answer(0, "10.1.0.5", domain, "NAPTR", (domain, "NAPTR", 900, (10, 50, "s", "SIP+D2T", tcp))))
    desk.feed(dns_answer(0, "10.1.0.5", tcp, "SRV", (tcp, "SRV", 300, (2, 10, 5070, "a.example.com")),
                         (tcp, "SRV", 300, (1, 10, 5070, "b.example.com"))))
    Handset(desk, transport="tcp").register(1, "10.0.0.2:5070")
    assert keys(desk) == [[("10.0.0.2:5070", 1), ("10.0.0.1:5070", 2)]]
    assert desk.of(EntryChanged)[-1].ttl_high == 900


def test_a_chain_over_an_alias() -> None:
    desk = Desk()
    desk.feed(dns_answer(0, "10.1.0.5", "pbx.example.com", "A", ("pbx.example.com", "CNAME", 60, "real.example.com"),
                         ("real.example.com", "A", 60, "10.0.0.1"), ("real.example.com", "A", 60, "10.0.0.2")))
    Handset(desk).register(1)
    assert [entry.name for entry in desk.line.entries] == ["pbx.example.com"]


def test_names_that_turn_in_circles() -> None:
    desk = Desk()
    desk.feed(dns_answer(0, "10.1.0.5", "a.example", "A", ("a.example", "CNAME", 60, "b.example"),
                         ("b.example", "CNAME", 60, "a.example"), ("b.example", "A", 60, "10.0.0.1"),
                         ("_sip._udp.a.example", "SRV", 60, (1, 1, 5060, "a.example")), ("x", "SRV", 60, "odd")))
    Handset(desk).register(1)
    assert desk.line.entries == ()


def test_icmp_for_one_of_two_servers_with_the_same_branch() -> None:
    desk, phone = declared()
    same = phone.compose("REGISTER", expires=60)
    phone.send(10, P, same)
    (second,) = phone.send(14, S, same)
    (failed,) = desk.feed(icmp(14.1, same, destination=P))
    assert isinstance(failed, Failed)
    assert isinstance(second, Sent)
    assert failed.server == P
    assert failed.transaction == second.transaction - 1


def test_icmp_fails_the_request_it_quotes() -> None:
    desk, phone = declared()
    asked = phone.compose("REGISTER", expires=60)
    (sent,) = phone.send(10, P, asked)
    assert isinstance(sent, Sent)
    (failed,) = desk.feed(icmp(10.2, asked[:200]))
    assert isinstance(failed, Failed)
    assert (failed.kind, failed.server, failed.transaction) == (FailureKind.ICMP, P, sent.transaction)
    assert (failed.sent, failed.phone) == (START + 10, desk.phone.number)


def test_icmp_that_quotes_too_little_is_placed_by_its_addresses() -> None:
    desk, _ = declared()
    (failed,) = desk.feed(icmp(10, b"REGIS"))
    assert isinstance(failed, Failed)
    assert (failed.server, failed.transaction) == (P, None)


def test_icmp_of_others_is_nothing() -> None:
    desk, phone = declared()
    assert desk.feed(icmp(10, b"SIP/2.0 200 OK\r\n")) == []                      # quotes a response of the phone
    assert desk.feed(icmp(10, b"REGIS", source="10.7.7.7:5060")) == []           # about a packet that no phone sent
    assert desk.feed(icmp(10, b"GET /", destination="10.0.0.200:80")) == []      # about a packet to no server
    assert phone.register(20)


@pytest.mark.parametrize(
    ("kind", "failure"),
    [
        (ErrorKind.REFUSED, FailureKind.REFUSED), (ErrorKind.UNANSWERED, FailureKind.REFUSED),
        (ErrorKind.RESET, FailureKind.RESET), (ErrorKind.TLS, FailureKind.TLS),
    ],
)
def test_failed_connections(kind: ErrorKind, failure: FailureKind) -> None:
    desk, _ = declared()
    error = TransportError(START + 10, 0, 9, kind, path("10.1.0.5:41000", S, "tcp"), START + 9)
    (failed,) = desk.feed(error)
    assert isinstance(failed, Failed)
    assert (failed.server, failed.kind, failed.sent) == (S, failure, START + 9)


def test_connections_are_contacts() -> None:
    desk, _ = declared()
    out = path("10.1.0.5:41000", S, "tcp")
    back = path(S, "10.1.0.5:41000", "tcp")
    desk.feed(Connection(START + 10, 0, 1, ConnectionKind.SYN, out))
    desk.feed(Connection(START + 20, 0, 2, ConnectionKind.CLOSED, back))
    desk.feed(Connection(START + 30, 0, 3, ConnectionKind.SYN, path("10.1.0.5:41001", "10.0.0.200:443", "tcp")))
    assert [(event.server, event.kind) for event in desk.of(Contacted)] == [
        (S, ContactKind.SYN), (S, ContactKind.CLOSED)]
    desk.feed(Connection(START + 40, 0, 4, ConnectionKind.ENCRYPTED, path("10.1.0.5:41002", S, "tls")))
    assert desk.phone.encrypted
    assert desk.rec.traffic[0].encrypted == {"tls": 1}


def test_a_gap_in_a_phones_stream_is_a_loss() -> None:
    desk, _ = declared()
    desk.feed(Gap(START + 10, 0, 5, path(S, "10.1.0.5:41000", "tcp"), 1460))
    desk.feed(Gap(START + 11, 0, 5, path("10.9.9.9:80", "10.1.0.5:41000", "tcp"), 1460))
    assert [event.why for event in desk.of(Lost)] == ["1460 bytes of a stream"]
    assert desk.of(Contacted) == []


def test_what_a_gap_hides_of_a_phone_was_a_contact() -> None:
    desk, _ = declared()
    desk.feed(Gap(START + 10, 0, 5, path("10.1.0.5:41000", S, "tcp"), 1460))
    assert [(event.server, event.kind) for event in desk.of(Contacted)] == [(S, ContactKind.UNREAD)]
    assert len(desk.of(Lost)) == 1


def test_entries_of_a_line_in_fallback_order() -> None:
    desk = Desk(
        entries={"sbc": entry(P, S), "branch": entry(T, name="branch")},
        declare=lambda identity: Declaration(("sbc", "branch")),
    )
    phone = Handset(desk)
    phone.register(0)
    phone.register(1, T, call_id="other")
    assert [entry.name for entry in desk.line.entries] == ["sbc", "branch"]
    assert not desk.line.list_in_doubt
    rows = [(server.key, server.entry.name, server.priority) for server in desk.rec.servers.all() if server.entry]
    assert rows == [(P, "sbc", 1), (T, "branch", 1)]


def test_transports_of_a_server_in_order_of_first_sight() -> None:
    desk = Desk(entries={"sbc": entry(P, S)})
    Handset(desk, transport="tls").register(0, "10.0.0.1:5061")
    Handset(desk, transport="udp").register(10, P)
    (server,) = desk.rec.servers.all()
    assert (server.key, server.transports) == (P, ["tls", "udp"])
    assert all(event.server == P for event in desk.of(Answered))


def test_an_answer_to_another_address_family() -> None:
    desk = Desk()
    desk.feed(dns_answer(0, "10.1.0.5", "pbx.example.com", "A", ("pbx.example.com", "A", 60, "10.0.0.1"),
                         ("pbx.example.com", "AAAA", 60, "2001:db8::1")))
    Handset(desk).register(1)
    assert desk.line.entries == ()  # one server with two families, not two servers
    six = Handset(desk, at="[2001:db8::5]:5060", contact="sip:1001@[2001:db8::5]")
    six.register(2, "[2001:db8::1]:5060")
    assert len(desk.rec.lines) == 2


def test_responses_do_not_move_servers() -> None:
    desk, phone = declared()
    asked = phone.compose("REGISTER", expires=60)
    phone.send(10, P, asked)
    desk.send(10.1, "10.0.0.1:5099", PHONE, response(200, asked, contact=phone.contact))
    assert desk.of(Answered)[-1].server == P
