"""Which prefix holds for a line, suffix by suffix (C1-C4, C6), and which entry its server is."""

from __future__ import annotations

from pathlib import Path

import pytest

from sipaudit.model.settings import EntryServer, Mode, Regime, ServerEntry
from tests.settings.provisioning_files import declare, declared, one_file, only_line, stated
from tests.settings.site_files import present

LINE = {"reg__1__address": "1001"}
OWN = {**LINE, "reg__1__server__1__address": "sbc.example.com"}
SHARED = {**LINE, "voIpProt__server__1__address": "sbc.example.com"}
PROXY = {"voIpProt__SIP__outboundProxy__address": "proxy.example.com"}
SUFFIX = "failOver__failBack__timeout"
OWN_SERVER, SHARED_SERVER = f"reg__1__server__1__{SUFFIX}", f"voIpProt__server__1__{SUFFIX}"
OWN_PROXY, SHARED_PROXY = f"reg__1__outboundProxy__{SUFFIX}", f"voIpProt__SIP__outboundProxy__{SUFFIX}"


@pytest.mark.parametrize(("said", "value", "origin"), [
    ({**OWN, OWN_SERVER: 61}, 61, "explicit"),
    ({**SHARED, SHARED_SERVER: 62}, 62, "inherited"),
    ({**OWN, OWN_SERVER: 61, SHARED_SERVER: 62}, 61, "explicit"),
    ({**SHARED, OWN_SERVER: 61, SHARED_SERVER: 62}, 61, "explicit"),
    ({**OWN, OWN_SERVER: 61, OWN_PROXY: 63, SHARED_PROXY: 64}, 61, "explicit"),
    ({**OWN, **PROXY, OWN_SERVER: 61, OWN_PROXY: 63, SHARED_PROXY: 64}, 63, "explicit"),
    ({**OWN, **PROXY, SHARED_SERVER: 62, SHARED_PROXY: 64}, 64, "inherited"),
    ({**OWN, **PROXY, OWN_SERVER: 64, SHARED_PROXY: 64}, 64, "explicit"),
    ({**OWN, **PROXY, "reg__1__server__1__useOutboundProxy": 0, OWN_SERVER: 61, SHARED_PROXY: 64}, 61, "explicit"),
    ({**SHARED, **PROXY, "voIpProt__server__1__useOutboundProxy": 0, SHARED_SERVER: 62, OWN_PROXY: 63},
     62, "inherited"),
    ({**OWN, SHARED_SERVER: 3600}, 3600, "inherited"),
])
def test_what_supersedes_what(tmp_path: Path, said: dict[str, object], value: int, origin: str) -> None:
    setting = stated(tmp_path, "failBack.timeout", **said)
    assert (setting.value, setting.origin) == (value, origin)
    assert present(setting.source).startswith(f"{tmp_path}/site.cfg:1 ")


@pytest.mark.parametrize(("said", "candidates"), [
    ({**OWN, **PROXY, OWN_SERVER: 61, SHARED_PROXY: 64}, {61, 64}),
    ({**OWN, **PROXY, OWN_SERVER: 61}, {61, 3600}),
    ({**SHARED, **PROXY, SHARED_SERVER: 62}, {62, 3600}),
    ({**OWN, SHARED_SERVER: 62}, {62, 3600}),
    ({**OWN, **PROXY, "reg__1__server__1__useOutboundProxy": "maybe", OWN_SERVER: 61, SHARED_PROXY: 64}, {61, 64}),
])
def test_what_no_source_orders_stays_ambiguous(tmp_path: Path, said: dict[str, object], candidates: set[int]) -> None:
    setting = stated(tmp_path, "failBack.timeout", **said)
    assert (setting.value, setting.origin, set(setting.candidates)) == (None, "ambiguous", candidates)
    assert " or " in present(setting.source)


def test_an_invalid_value_is_unknown_and_no_default(tmp_path: Path) -> None:
    settings = declare(one_file(tmp_path, **OWN, reg__1__server__1__failOver__reRegisterOn="on"))
    assert (settings.regime, settings.get("reRegisterOn").origin) == (None, "unknown")
    assert settings.get("authOptimizedInFailover").value is None
    assert not settings.ambiguous


def test_an_invalid_value_among_the_possible_ones_leaves_any_possible(tmp_path: Path) -> None:
    setting = stated(tmp_path, "failBack.timeout", **OWN, **PROXY, **{OWN_SERVER: "soon", SHARED_PROXY: 64})
    assert (setting.value, setting.candidates, setting.origin) == (None, (), "unknown")


def test_a_block_declares_the_defaults_of_what_it_leaves_out(tmp_path: Path) -> None:
    settings = declare(one_file(tmp_path, **OWN))
    assert (settings.declared, settings.regime, settings.mode) == (True, Regime.R0, Mode.NEW_REQUESTS)
    assert settings.get("failBack.timeout").origin == "default"


class TestForcedByReRegistration:
    NAME = "authOptimizedInFailover"

    def test_registering_on_failover_forces_it(self, tmp_path: Path) -> None:
        said = {"reg__1__auth__optimizedInFailover": 0, "reg__1__server__1__failOver__reRegisterOn": 1}
        setting = declare(one_file(tmp_path, **OWN, **said)).get(self.NAME)
        assert (setting.value, present(setting.source).endswith("forced by reRegisterOn=1")) == (1, True)

    @pytest.mark.parametrize(("own", "candidates"), [(0, (0, 1)), (1, ())])
    def test_where_that_is_ambiguous_so_is_this(self, tmp_path: Path, own: int, candidates: tuple[int, ...]) -> None:
        said = {"voIpProt__SIP__authOptimizedInFailover": own, "voIpProt__server__1__failOver__reRegisterOn": 1}
        assert declare(one_file(tmp_path, **OWN, **said)).get(self.NAME).candidates == candidates


class TestOfTheWholeLine:
    def test_names_for_the_line_come_before_those_for_the_phone(self, tmp_path: Path) -> None:
        said = {"reg__1__tcpFastFailover": 0, "voIpProt__SIP__tcpFastFailover": 1}
        setting = stated(tmp_path, "tcpFastFailover", **OWN, **said)
        assert (setting.value, setting.origin) == (0, "explicit")

    def test_a_name_that_only_the_phone_has_is_explicit(self, tmp_path: Path) -> None:
        setting = stated(tmp_path, "failoverOn503Response", **OWN, voIpProt__SIP__failoverOn503Response=0)
        assert (setting.value, setting.origin) == (0, "explicit")


class TestServers:
    def entries(self, folder: Path, **said: object) -> list[ServerEntry]:
        return [present(server.entry) for server in only_line(folder, **said).servers]

    def test_an_address_is_an_entry_of_one(self, tmp_path: Path) -> None:
        (entry,) = self.entries(tmp_path, **LINE, reg__1__server__1__address="10.0.0.1", reg__1__server__1__port=5070)
        assert (entry.name, entry.servers) == ("10.0.0.1:5070", (EntryServer("10.0.0.1", 5070, "udp", 1),))
        (entry,) = self.entries(tmp_path, **LINE, reg__1__server__1__address="[2001:DB8::1]",
                                reg__1__server__1__transport="TLS", reg__1__server__1__port=0)
        assert (entry.name, entry.servers[0].key) == ("2001:db8::1", "[2001:db8::1]:5061")
        (entry,) = self.entries(tmp_path, **LINE, reg__1__server__1__address="2001:db8::1",
                                reg__1__server__1__port=5070)
        assert entry.name == "[2001:db8::1]:5070"

    def test_several_are_fallback_in_their_order(self, tmp_path: Path) -> None:
        entries = self.entries(tmp_path, **LINE, reg__1__server__2__address="10.0.0.2",
                               reg__1__server__1__address="10.0.0.1", voIpProt__server__3__address="10.0.0.3")
        assert [entry.name for entry in entries] == ["10.0.0.1", "10.0.0.2"]

    def test_a_name_alone_is_no_entry(self, tmp_path: Path) -> None:
        assert [server.entry for server in only_line(tmp_path, **OWN).servers] == [None]

    def test_a_server_with_an_invalid_port_or_transport_is_not_known(self, tmp_path: Path) -> None:
        said = {"reg__1__server__1__address": "10.0.0.1", "reg__1__server__1__port": "x"}
        assert [server.entry for server in only_line(tmp_path, **LINE, **said).servers] == [None]

    @pytest.mark.parametrize("address", ["a b", "x" * 254, "sip:sbc@example.com"])
    def test_what_can_be_no_host_is_no_server(self, tmp_path: Path, address: str) -> None:
        (server,) = only_line(tmp_path, **LINE, reg__1__server__1__address=address).servers
        assert server.host is None

    def test_behind_a_proxy_all_servers_are_the_proxy_s_entry(self, tmp_path: Path) -> None:
        (entry,) = self.entries(tmp_path, **OWN, reg__1__server__2__address="b.example.com",
                                reg__1__outboundProxy__address="10.0.0.9", reg__1__outboundProxy__transport="TCPOnly")
        assert (entry.proxy, entry.servers[0].transport) == (True, "tcp")

    def test_without_any_address_there_is_no_server(self, tmp_path: Path) -> None:
        block = only_line(tmp_path, reg__2__server__1__failOver__reRegisterOn=1)
        assert (block.address, block.servers[0].host, block.aor, block.domain) == (None, None, "", None)


def cached(kind: str, *records: dict[str, object]) -> dict[str, object]:
    return {f"dns__cache__{kind}__{place}__{field}": value
            for place, record in enumerate(records, 1) for field, value in record.items()}


def srv(owner: str, priority: int, target: str, **more: object) -> dict[str, object]:
    return {"name": owner, "priority": priority, "port": 5060, "target": target, "ttl": 300, **more}


def a(name: str, address: str, ttl: int = 300) -> dict[str, object]:
    return {"name": name, "address": address, "ttl": ttl}


SRV = cached("SRV", srv("_sip._udp.sbc.example.com", 20, "b.example.com."),
             srv("_sip._udp.sbc.example.com", 10, "A.example.com"))
A = cached("A", a("a.example.com", "10.0.0.1"), a("b.example.com", "10.0.0.2"), a("sbc.example.com", "10.0.0.8"),
           a("sbc.example.com", "10.0.0.9", 600))


class TestStaticCache:
    def entry(self, folder: Path, **said: object) -> ServerEntry:
        return present(only_line(folder, **OWN, **said).servers[0].entry)

    def test_services_in_their_order_with_the_ttl_they_agree_on(self, tmp_path: Path) -> None:
        entry = self.entry(tmp_path, **SRV, **A)
        assert [(one.key, one.priority, one.name) for one in entry.servers] == [
            ("10.0.0.1:5060", 10, "a.example.com"), ("10.0.0.2:5060", 20, "b.example.com")]
        assert (entry.name, entry.dns_ttl, entry.origin) == ("sbc.example.com", 300, "provisioning")

    def test_with_a_port_only_addresses_are_asked_for_and_share_a_priority(self, tmp_path: Path) -> None:
        entry = self.entry(tmp_path, **SRV, **A, reg__1__server__1__port=5070)
        assert [(one.key, one.priority) for one in entry.servers] == [("10.0.0.8:5070", 1), ("10.0.0.9:5070", 1)]
        assert entry.dns_ttl is None  # two values disagree: 300 or 600

    def test_a_pointer_leads_to_the_transport_it_names(self, tmp_path: Path) -> None:
        pointers = cached("NAPTR", {"name": "sbc.example.com", "order": 2, "service": "SIP+D2U",
                                    "replacement": "_sip._udp.sbc.example.com"},
                          {"name": "sbc.example.com", "order": 1, "service": "sips+d2t",
                           "replacement": "tls.example.com"},
                          {"name": "sbc.example.com", "order": 0, "service": "SIP+D2X", "replacement": "x"})
        services = cached("SRV", srv("tls.example.com", 1, "a.example.com", port=0))
        entry = self.entry(tmp_path, **pointers, **services, **A)
        assert [(one.key, one.transport) for one in entry.servers] == [("10.0.0.1:5061", "tls")]

    def test_a_fixed_transport_asks_for_its_own_service(self, tmp_path: Path) -> None:
        services = cached("SRV", srv("_sip._tcp.sbc.example.com", 1, "10.0.0.7"))
        entry = self.entry(tmp_path, **services, reg__1__server__1__transport="TCPpreferred")
        assert [(one.key, one.transport) for one in entry.servers] == [("10.0.0.7:5060", "tcp")]

    def test_services_without_addresses_leave_the_name_to_its_own(self, tmp_path: Path) -> None:
        twice = cached("A", a("sbc.example.com", "10.0.0.8"), a("sbc.example.com", "10.0.0.8"))
        entry = self.entry(tmp_path, **SRV, **twice)
        assert [one.key for one in entry.servers] == ["10.0.0.8:5060"]

    @pytest.mark.parametrize("record", [
        {"name": "sbc.example.com"}, {"address": "10.0.0.1"}, {"name": "sbc.example.com", "address": "ten"},
        {"name": "sbc.example.com", "address": "10.0.0.1", "ttl": "long"},
    ])
    def test_a_record_that_cannot_be_read_is_none(self, tmp_path: Path, record: dict[str, object]) -> None:
        assert only_line(tmp_path, **OWN, **cached("A", record)).servers[0].entry is None


def test_entries_reach_the_line(tmp_path: Path) -> None:
    declaration = declared(one_file(tmp_path, **OWN, **SRV, **A))
    assert declaration.entries == ("sbc.example.com",)
