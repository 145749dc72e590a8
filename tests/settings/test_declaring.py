"""Site file, provisioning files and --set together (contract.md 2)."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import IO

import pytest

from sipaudit.errors import InputErrors
from sipaudit.model.settings import Mode, Regime
from sipaudit.settings.catalogue import parse_set
from sipaudit.settings.declaring import Declarations
from sipaudit.settings.site import Site, load_site
from tests.settings.provisioning_files import MAC, declare, declared, flat, lay
from tests.settings.site_files import line, write

OWN = {"reg__1__address": "1001", "reg__1__server__1__address": "sbc.example.com"}
RE_REGISTER, FAIL, MODE, TIMEOUT = (f"reg__1__server__1__failOver__{name}" for name in (
    "reRegisterOn", "failRegistrationOn", "failBack__mode", "failBack__timeout"))


def config(folder: Path, name: str = "site", /, **said: object) -> str:
    lay(folder, **{name: flat(**said)})
    return str(folder / f"{name}.cfg")


class TestPrecedence:
    def test_each_suffix_comes_from_the_first_that_states_it(self, tmp_path: Path) -> None:
        common = config(tmp_path, "common", **OWN, **{RE_REGISTER: 1, FAIL: 1, MODE: "duration", TIMEOUT: 61})
        config(tmp_path, "own", **OWN, **{TIMEOUT: 62, MODE: "registration"})
        site = write(tmp_path, """\
            lines:
              - match: {user: 1001}
                config: own.cfg
                settings: {failBack.mode: DNSTTL}
            """)
        said = parse_set(["failRegistrationOn=0"])
        settings = Declarations(load_site(site), [common], said).declare(line("1001")).at(None)
        assert (settings.regime, settings.mode, settings.number("failBack.timeout")) == (Regime.R1, Mode.DNSTTL, 62)
        assert [settings.get(name).source for name in ("failRegistrationOn", "failBack.mode")] == [
            "--set", f"{tmp_path}/site.yaml:4 lines[0].settings"]
        assert settings.declared

    def test_what_nobody_states_is_the_default(self, tmp_path: Path) -> None:
        site = write(tmp_path, "lines: [{match: {}, settings: {reRegisterOn: 1}}]")
        settings = declare([config(tmp_path, **OWN, **{FAIL: 1})], site)
        assert (settings.regime, settings.get("onlySignalWithRegistered").origin) == (Regime.R2, "default")

    def test_a_line_that_the_files_do_not_have_is_as_the_site_file_says(self, tmp_path: Path) -> None:
        site = write(tmp_path, "lines: [{match: {}, settings: {reRegisterOn: 1}}]")
        assert declare([config(tmp_path, **OWN)], site, user="1002").regime is Regime.R1
        assert not declare([config(tmp_path, **OWN)], user="1002").declared

    def test_files_named_by_the_site_file_that_do_not_have_the_line_leave_it_open(self, tmp_path: Path) -> None:
        config(tmp_path, **OWN)
        site = write(tmp_path, "lines: [{match: {}, config: site.cfg, settings: {failBack.timeout: 90}}]")
        settings = declare([], site, user="1002")
        assert (settings.failback_timeout, settings.regime, settings.declared) == (90, None, False)

    def test_settings_of_one_entry_come_before_those_of_the_line(self, tmp_path: Path) -> None:
        config(tmp_path, **OWN, reg__1__server__2__address="b.example.com", reg__1__server__2__expires=90)
        site = write(tmp_path, """\
            entries: {sbc: [{address: 10.0.0.1}], branch: [{address: 10.9.0.1}], third: [{address: 10.9.0.2}]}
            lines:
              - {match: {}, entry: [sbc, branch, third], config: site.cfg, entry_settings: {branch: {register: 0}}}
            """)
        said = declared([], site)
        assert said.entries == ("sbc", "branch", "third")
        assert [said.at(name).number("register") for name in said.entries] == [1, 0, 1]
        assert [said.at(name).number("expires") for name in said.entries] == [3600, 90, None]
        assert said.at("third").get("expires").origin == "ambiguous"


class TestEntries:
    @pytest.mark.parametrize("first", [
        {"reg__1__server__1__address": "10.0.0.1", "reg__1__server__2__address": "10.0.0.1"},
        {"reg__1__server__1__address": "10.0.0.1", "reg__1__server__1__port": "abc",
         "reg__1__server__2__address": "10.0.0.2"},
    ], ids=["a server twice", "a port that is none"])
    def test_each_has_the_settings_of_its_own_server(self, tmp_path: Path, first: dict[str, str]) -> None:
        numbers = {f"reg__1__server__{place}__expires": 100 * place for place in (1, 2, 3)}
        said = declared([config(tmp_path, reg__1__address="1001", reg__1__server__3__address="10.0.0.3", **first,
                                **numbers)])
        assert said.at("10.0.0.3").number("expires") == 300

    def test_servers_that_the_files_tell_in_full_are_entries(self, tmp_path: Path) -> None:
        files = config(tmp_path, reg__1__address="1001", reg__1__server__1__address="10.0.0.1",
                       reg__1__server__2__address="10.0.0.2", reg__1__server__2__register=0)
        said = declared([files])
        assert said.entries == ("10.0.0.1", "10.0.0.2")
        assert [said.at(name).number("register") for name in said.entries] == [1, 0]
        assert said.at(None).get("register").candidates == (1, 0)

    def test_a_server_that_only_dns_knows_leaves_the_entries_to_dns(self, tmp_path: Path) -> None:
        said = declared([config(tmp_path, **OWN, reg__1__server__2__address="10.0.0.2", reg__1__server__1__expires=90)])
        assert said.entries == ()
        assert said.at("sbc.example.com").number("expires") == 90

    def test_an_entry_of_the_site_file_by_that_name_is_the_server_s(self, tmp_path: Path) -> None:
        site = write(tmp_path, "entries: {sbc.example.com: [{address: 10.0.0.1}, {address: 10.0.0.2}]}")
        assert declared([config(tmp_path, **OWN)], site).entries == ("sbc.example.com",)

    def test_two_lists_by_one_name_are_told_apart(self, tmp_path: Path) -> None:
        cache = {"dns__cache__A__1__name": "sbc.example.com", "dns__cache__A__1__address": "10.0.0.1"}
        lay(tmp_path, _000000000000='<A CONFIG_FILES="[PHONE_MAC_ADDRESS]-reg.cfg"/>',
            **{f"_{MAC}-reg": flat(**OWN, **cache),
               "_0004f2000002-reg": flat(**OWN, **cache).replace("10.0.0.1", "10.0.0.2"),
               "_0004f2000003-reg": flat(**OWN, **cache)})
        declarations = Declarations(Site(), [str(tmp_path)])
        names = [declarations.declare(line("1001", mac=f"0004f200000{number}")).entries[0] for number in (1, 2, 3)]
        assert names == ["sbc.example.com", "sbc.example.com (2)", "sbc.example.com"]
        assert [entry.servers[0].address for entry in declarations.entries.values()] == ["10.0.0.1", "10.0.0.2"]

    def test_a_proxy_of_which_it_is_open_whether_it_is_used_leaves_the_entry_open(self, tmp_path: Path) -> None:
        said = declared([config(tmp_path, reg__1__address="1001", reg__1__server__1__address="10.0.0.1",
                                reg__1__outboundProxy__address="10.0.0.9", reg__1__server__1__useOutboundProxy="?")])
        assert (said.entries, list(said.settings)) == ((), [""])


class TestIssues:
    def rules(self, declarations: Declarations, firmware: str | None = None, **known: str) -> list[str]:
        found = declarations.issues(line("1001", **known), firmware, vouched=False)
        return [issue.rule for issue in found]

    def test_each_is_said_once_of_a_line(self, tmp_path: Path) -> None:
        common = config(tmp_path, **OWN, **{TIMEOUT: 30, MODE: "duration"})
        site = write(tmp_path, "lines: [{match: {}, config: site.cfg}]")
        assert self.rules(Declarations(load_site(site), [common])) == ["config-timeout-clamped"]

    def test_a_value_that_another_file_of_the_line_hides_from_all(self, tmp_path: Path) -> None:
        lay(tmp_path, _000000000000='<A CONFIG_FILES="a.cfg, b.cfg"/>', a=flat(**OWN, voIpProt__server__1__expires=60),
            b=flat(voIpProt__server__1__expires=90))
        assert self.rules(Declarations(Site(), [str(tmp_path)])) == ["config-shadowed"]

    def test_what_the_firmware_lacks_is_said_once_it_is_seen(self, tmp_path: Path) -> None:
        declarations = Declarations(Site(), [config(tmp_path, **OWN, **{RE_REGISTER: 1})])
        assert self.rules(declarations) == []
        assert self.rules(declarations, "3.2.3.1", model="SPIP_650") == ["config-unsupported-firmware"]
        assert self.rules(declarations, "BootROM", model="SPIP_650") == []

    def test_of_a_line_that_no_file_has_nothing_is_said(self, tmp_path: Path) -> None:
        assert not Declarations(Site()).provisioned
        declarations = Declarations(Site(), [config(tmp_path, **OWN, **{TIMEOUT: 30})])
        assert declarations.provisioned
        assert declarations.issues(line("1002"), None, vouched=False) == ()


def test_all_files_that_cannot_be_read_are_said_at_once(tmp_path: Path) -> None:
    lay(tmp_path, a="<a", b="<b")
    site = write(tmp_path, "lines: [{match: {user: 1}, config: a.cfg}, {match: {user: 2}, config: a.cfg}]")
    with pytest.raises(InputErrors) as raised:
        Declarations(load_site(site), [str(tmp_path / "b.cfg")])
    assert [error.file for error in raised.value.errors] == [f"{tmp_path}/b.cfg", f"{tmp_path}/a.cfg"]


def test_files_that_many_phones_share_are_read_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    macs = [f"0004f2{number:06x}" for number in range(300)]
    lay(tmp_path, site=flat(voIpProt__server__1__expires=90),
        **{f"_{mac}": f'<A CONFIG_FILES="{mac}-reg.cfg, site.cfg"/>' for mac in macs},
        **{f"_{mac}-reg": flat(**OWN).replace("1001", mac) for mac in macs})
    opened: list[str] = []
    plain: Callable[..., IO[bytes]] = Path.open

    def noted(path: Path, *mode: str) -> IO[bytes]:
        opened.append(path.name)
        return plain(path, *mode)

    monkeypatch.setattr(Path, "open", noted)
    declarations = Declarations(Site(), [str(tmp_path)])
    assert declarations.declare(line(macs[-1])).at(None).number("expires") == 90
    assert opened.count("site.cfg") == 1
    assert len(opened) == 601


def test_only_the_site_file_says_that_a_source_is_a_phone(tmp_path: Path) -> None:
    site = write(tmp_path, "lines: [{match: {address: 10.1.0.5}}]")
    declarations = Declarations(load_site(site), [config(tmp_path, **OWN)])
    assert declarations.declares_phone("10.1.0.5", None)
    assert not declarations.declares_phone("10.1.0.6", None)


def test_a_phone_of_another_make_is_not_declared(tmp_path: Path) -> None:
    lay(tmp_path, site="account.1.user_name = 1001\naccount.1.sip_server.1.address = 10.0.0.1\n")
    assert not declare([str(tmp_path / "site.cfg")]).declared
