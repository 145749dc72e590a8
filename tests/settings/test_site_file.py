"""A good site file: what it declares about servers, lines and phones."""

from __future__ import annotations

import os
import pickle
from pathlib import Path

import pytest

from sipaudit.errors import InputErrors
from sipaudit.model.settings import Declaration, LineIdentity, LineSettings, Mode, Origin, Regime, Setting, Tolerances
from sipaudit.settings.catalogue import DEFAULTS, SETTINGS, parse_set
from sipaudit.settings.declaring import Declarations
from sipaudit.settings.site import Site, load_site
from tests.settings.site_files import FULL, MANUAL, line, load, manual_examples, present, write

PHONE = line(user_agent="PolycomVVX-VVX_500-UA/4.0.1.13681")


def settings_of(tmp_path: Path, item: str, *overrides: str, identity: LineIdentity = PHONE,
                entry: str = "sbc") -> LineSettings:
    """The settings that one item of `lines:` gives a line, with `--set` options on top."""
    site = load(tmp_path, f"entries: {{sbc: [{{address: 10.0.0.1}}], two: [{{address: 10.0.0.2}}]}}\nlines: [{item}]")
    return Declarations(site, (), parse_set(overrides)).declare(identity).at(entry)


class TestEntries:
    def test_servers_are_kept_in_order_with_their_defaults_filled_in(self, tmp_path: Path) -> None:
        site = load(tmp_path, FULL)
        sbc, branch = site.entries["sbc"], site.entries["branch"]
        assert (sbc.name, sbc.dns_ttl, sbc.proxy, sbc.origin) == ("sbc", 300, False, "site")
        assert [server.key for server in sbc.servers] == ["10.0.0.1:5060", "10.0.0.2:5060"]
        assert [server.priority for server in sbc.servers] == [1, 2]
        assert sbc.servers[0].name == "sbc1.example.com"
        assert [(server.key, server.transport) for server in branch.servers] == [("[2001:db8::1]:5061", "tls")]

    def test_a_stated_priority_beats_the_position_and_equal_ones_share_the_load(self, tmp_path: Path) -> None:
        site = load(tmp_path, "entries: {e: [{address: 10.0.0.1, priority: 9}, {address: 10.0.0.2, priority: 2}]}")
        assert present(site.entries["e"].primary).address == "10.0.0.2"
        site = load(tmp_path, "entries: {e: [{address: 10.0.0.1, priority: 1}, {address: 10.0.0.2, priority: 1}]}")
        assert site.entries["e"].primary is None

    def test_a_name_alone_waits_for_dns(self, tmp_path: Path) -> None:
        (server,) = load(tmp_path, "entries: {e: [{name: sbc.example.com, address: }]}").entries["e"].servers
        assert (server.address, server.key) == (None, "sbc.example.com:5060")

    def test_an_outbound_proxy_is_marked(self, tmp_path: Path) -> None:
        for said in ("true", "True", "'true'"):
            site = load(tmp_path, f"entries: {{p: {{proxy: {said}, servers: [{{address: 10.0.0.1}}]}}}}")
            assert site.entries["p"].proxy


class TestLines:
    def test_the_first_item_that_matches_counts(self, tmp_path: Path) -> None:
        site = load(tmp_path, FULL)
        reception = Declarations(site).declare(PHONE)
        assert (reception.label, reception.group, reception.entries) == ("Reception", "Site A", ("sbc", "branch"))
        assert Declarations(site).declare(line(user="2001")).entries == ("sbc",)

    def test_a_line_that_matches_nothing_is_undeclared(self, tmp_path: Path) -> None:
        site = load(tmp_path, 'lines: [{match: {user: "20*"}, settings: {}}]')
        assert Declarations(site).declare(PHONE) == Declaration()
        assert Declarations(site).declare(PHONE).at("sbc") == LineSettings()

    def test_no_site_file_declares_nothing(self) -> None:
        assert Declarations(Site()).declare(PHONE) == Declaration()
        assert not Declarations(Site()).declares_phone("10.1.0.5", None)

    @pytest.mark.parametrize(
        ("match", "identity", "holds"),
        [
            ("{}", line(), True),
            ('{user: "10??"}', line("1001"), True),
            ('{user: "10??"}', line("10011"), False),  # the whole value must match
            ('{user: "[ab]*"}', line("alice"), True),
            ("{user: alice}", line("Alice"), False),  # users are case-sensitive
            ('{user: "ali*"}', line("Alice"), False),
            ("{user: 010}", line("010"), True),  # a number is matched as it was written
            ("{user: 010}", line("8"), False),
            ('{user: "0123"}', line("0123"), True),
            ("{user: 1e3}", line("1e3"), True),
            ("{domain: PBX.example.com}", line(domain="pbx.EXAMPLE.com"), True),
            ('{aor: "sip:1*@pbx.example.com"}', line(), True),
            ("{address: 10.1.0.5}", line(), True),
            ("{address: 10.1.0.0/16}", line(address="10.2.0.5"), False),
            ('{address: "2001:db8::/32"}', line(address="2001:db8::7"), True),
            ("{address: 10.0.0.0/8}", line(address="2001:db8::7"), False),
            ("{address: 0.0.0.0/0}", line(address="not an address"), False),
            ('{user_agent: "polycom*"}', PHONE, True),
            ('{user_agent: "*"}', line(), False),  # unknown: does not match
            ('{model: "vvx_*"}', line(model="VVX_500"), True),
            ('{mac: "00:04:F2:*"}', line(mac="0004f2aabbcc"), True),
            ('{mac: "00-04-f2-aa-bb-cc"}', line(mac="0004F2AABBCC"), True),
            ('{mac: "0004f2[a-b]*"}', line(mac="00:04:f2:aa:bb:cc"), True),
            ('{mac: "0004f2*"}', line(), False),
            ('{user: "10*", domain: other.example.com}', line(), False),  # all keys must hold
        ],
    )
    def test_globs(self, tmp_path: Path, match: str, identity: LineIdentity, holds: bool) -> None:
        site = load(tmp_path, f"lines: [{{match: {match}, label: found}}]")
        assert (Declarations(site).declare(identity).label == "found") is holds

    def test_order_counts_whatever_way_an_item_is_found(self, tmp_path: Path) -> None:
        site = load(
            tmp_path,
            """\
            lines:
              - {match: {user: "9*"}, label: nines}
              - {match: {address: 10.1.0.5}, label: by address}
              - {match: {user: 1001}, label: by user}
              - {match: {mac: 0004f2aabbcc}, label: by mac}
              - {match: {user: "10*"}, label: tens}
            """,
        )
        mac = {"mac": "00:04:f2:aa:bb:cc"}
        asked = [line("9001"), line(), line(address="10.1.0.6"), line("1002", "10.1.0.6", **mac), line("1002", "::1")]
        labels = [Declarations(site).declare(one).label for one in asked]
        assert labels == ["nines", "by address", "by user", "by mac", "tens"]

    @pytest.mark.parametrize(
        ("match", "declares"),
        [
            ("{}", False),
            ('{user: "*"}', False),
            ("{user: 1001, address: 10.1.0.0/16}", True),
            ("{address: 10.1.0.5}", True),
            ("{address: 10.1.0.6}", False),
            ('{mac: "0004f2*"}', True),
            ("{mac: 0004f2aabbcc}", True),
            ("{mac: 0004f2aabbcc, address: 10.1.0.6}", False),
        ],
    )
    def test_only_an_address_or_a_mac_declares_a_phone(self, tmp_path: Path, match: str, declares: bool) -> None:
        site = load(tmp_path, f"lines: [{{match: {match}}}]")
        assert Declarations(site).declares_phone("10.1.0.5", "0004F2AABBCC") is declares

    def test_a_phone_of_unknown_mac_is_not_declared_by_one(self, tmp_path: Path) -> None:
        assert not Declarations(load(tmp_path, 'lines: [{match: {mac: "*"}}]')).declares_phone("10.1.0.5", None)
        elsewhere = load(tmp_path, "lines: [{match: {address: 10.2.0.0/16}}]")
        assert not Declarations(elsewhere).declares_phone("10.1.0.5", None)


class TestSettings:
    def test_a_declared_block_means_defaults_for_what_it_leaves_out(self, tmp_path: Path) -> None:
        site = load(tmp_path, FULL)
        settings = Declarations(site).declare(PHONE).at("sbc")
        assert (settings.regime, settings.mode, settings.failback_timeout) == (Regime.R2, Mode.DURATION, 60)
        source = f"{tmp_path}/site.yaml:14 lines[0].settings"
        assert settings.get("failBack.timeout") == Setting(60, source, Origin.EXPLICIT)
        assert settings.get("retryMaxCount") == Setting(3, None, Origin.DEFAULT)
        assert settings.declared

    def test_an_empty_block_declares_the_defaults(self, tmp_path: Path) -> None:
        settings = settings_of(tmp_path, "{match: {}, settings: {}}")
        assert {name: setting.value for name, setting in settings.values.items()} == DEFAULTS
        assert settings.get("failoverOn503Response").origin is Origin.UNKNOWN

    @pytest.mark.parametrize("item", ["{match: {}, entry: sbc}", "{match: {}, settings: }"])
    def test_no_block_leaves_everything_unknown(self, tmp_path: Path, item: str) -> None:
        assert settings_of(tmp_path, item) == LineSettings()

    def test_an_empty_value_is_an_unset_one(self, tmp_path: Path) -> None:
        settings = settings_of(tmp_path, '{match: {}, settings: {reRegisterOn: "", failBack.mode: , port: ~}}')
        assert settings.get("reRegisterOn") == Setting(0, None, Origin.DEFAULT)
        assert settings.mode is Mode.NEW_REQUESTS

    def test_every_setting_has_a_place(self, tmp_path: Path) -> None:
        samples = {name: kind.words[0] if kind.words else str(kind.high or "x") for name, kind in SETTINGS.items()}
        samples |= {"dns.cache.A.1.ttl": "300", "dns.cache.SRV.12.target": "a.example.com"}
        block = ", ".join(f"{name}: {value}" for name, value in samples.items())
        settings = settings_of(tmp_path, f"{{match: {{}}, settings: {{{block}}}}}")
        assert {name: str(settings.get(name).value) for name in samples} == samples

    @pytest.mark.parametrize(("timeout", "acts_as"), [(0, 0), (1, 60), (59, 60), (60, 60), (65535, 65535)])
    def test_short_timeouts_are_kept_as_written_and_act_as_60(self, tmp_path: Path, timeout: int, acts_as: int) -> None:
        settings = settings_of(tmp_path, f"{{match: {{}}, settings: {{failBack.timeout: {timeout}}}}}")
        assert (settings.number("failBack.timeout"), settings.failback_timeout) == (timeout, acts_as)

    def test_one_entry_of_the_line_may_differ(self, tmp_path: Path) -> None:
        declaration = Declarations(load(tmp_path, FULL)).declare(PHONE)
        assert [declaration.at(entry).number("register") for entry in ("sbc", "branch", "other")] == [1, 0, 1]
        assert present(declaration.at("branch").get("register").source).endswith(":15 lines[0].entry_settings.branch")
        assert declaration.at("branch").mode is Mode.DURATION

    def test_settings_of_an_entry_alone_declare_only_what_they_name(self, tmp_path: Path) -> None:
        item = "{match: {}, entry: [sbc, two], entry_settings: {two: {register: 0}}}"
        assert settings_of(tmp_path, item, entry="sbc") == LineSettings()
        two = settings_of(tmp_path, item, entry="two")
        assert (two.number("register"), two.number("reRegisterOn"), two.declared) == (0, None, False)

    def test_set_beats_everything_suffix_by_suffix(self, tmp_path: Path) -> None:
        item = "{match: {}, entry: sbc, settings: {expires: 300, register: 0}, entry_settings: {sbc: {expires: 600}}}"
        settings = settings_of(tmp_path, item, "expires=180", "expires = 180")
        assert settings.get("expires") == Setting(180, "--set", Origin.EXPLICIT)
        assert settings.number("register") == 0

    def test_set_declares_an_undeclared_line_only_in_what_it_names(self) -> None:
        said = parse_set(["failBack.mode=duration", "failBack.timeout=60"])
        settings = Declarations(Site(), (), said).declare(PHONE).at(None)
        assert (settings.mode, settings.failback_timeout, settings.regime) == (Mode.DURATION, 60, None)
        assert not settings.declared

    def test_re_registration_forces_optimised_authentication(self, tmp_path: Path) -> None:
        item = "{match: {}, settings: {reRegisterOn: 1, authOptimizedInFailover: 0}}"
        forced = settings_of(tmp_path, item).get("authOptimizedInFailover")
        assert forced.value == 1
        assert present(forced.source).endswith("site.yaml:2 lines[0].settings: forced by reRegisterOn=1")
        assert settings_of(tmp_path, item, "reRegisterOn=0").number("authOptimizedInFailover") == 0
        by_option = settings_of(tmp_path, "{match: {}}", "reRegisterOn=1").get("authOptimizedInFailover")
        assert by_option == Setting(1, "--set: forced by reRegisterOn=1", Origin.EXPLICIT)

    def test_set_options_are_checked_all_at_once(self) -> None:
        with pytest.raises(InputErrors) as raised:
            parse_set(["reRegisteron=1", "failOver.failBack.mode=x", "expires", "register=2", "failBack.mode=Duration"])
        assert [error.fix for error in raised.value.errors] == [
            "did you mean 'reRegisterOn'?",
            "did you mean 'failBack.mode'?",
            "write suffix=value, as reRegisterOn=1",
            "write 0 or 1",
            "did you mean 'duration'?",
        ]


class TestProvisioning:
    """`config` names provisioning files; test_declaring.py covers their contents."""

    def test_a_pipe_is_refused_and_not_waited_for(self, tmp_path: Path) -> None:
        os.mkfifo(tmp_path / "phone.cfg")
        with pytest.raises(InputErrors, match=r"phone.cfg' is a pipe, which cannot be read again \(name a file\)$"):
            load(tmp_path, "lines:\n  - match: {}\n    config: phone.cfg\n")

    def test_its_path_counts_from_the_folder_of_the_file(self, tmp_path: Path) -> None:
        (tmp_path / "provisioning").mkdir()
        site = load(tmp_path, "lines:\n  - match: {}\n    config: provisioning/\n")
        assert site.lines[0].config == str(tmp_path / "provisioning")
        assert site.lines[0].declaration.at("sbc") == LineSettings()
        assert site.warnings == ()

    def test_settings_beside_it_declare_what_they_name_and_no_defaults(self, tmp_path: Path) -> None:
        (tmp_path / "phone.cfg").write_text("<phone/>")
        settings = settings_of(tmp_path, "{match: {}, settings: {failBack.timeout: 90}, config: phone.cfg}")
        assert (settings.failback_timeout, settings.regime, settings.declared) == (90, None, False)


class TestTheRest:
    def test_tolerances_events_and_emergency_numbers(self, tmp_path: Path) -> None:
        site = load(tmp_path, FULL)
        assert site.tolerances == Tolerances(timer=3.0, idle_retry=1.5, overdue=7.5)
        assert site.stated_tolerances == ("timer", "overdue")
        (event,) = site.events
        assert (event.text, event.line) == ("2026-11-22T12:03:04+01:00 sbc1 stopped", 19)
        assert event.file == str(tmp_path / "site.yaml")
        assert site.emergency == ("112", "911")
        assert site.warnings == ()

    @pytest.mark.parametrize("text", ["", "# nothing yet\n", "---\n", "{}", "entries:\nlines:\nevents:\n"])
    def test_an_empty_file_is_a_site_that_declares_nothing(self, tmp_path: Path, text: str) -> None:
        assert Declarations(load(tmp_path, text)).declare(PHONE) == Declaration()

    def test_an_item_that_nothing_reaches_is_pointed_out(self, tmp_path: Path) -> None:
        site = load(tmp_path, "lines:\n  - match: {}\n  - match: {user: 1001}\n")
        path = tmp_path / "site.yaml"
        assert site.warnings == (f"{path}:3: lines[1] is never used: lines[0] matches every line before it",)

    @pytest.mark.parametrize("match", ["user: 1001", "address: 10.1.0.5", "model: VVX*"])
    def test_an_item_that_matches_some_hides_none(self, tmp_path: Path, match: str) -> None:
        assert load(tmp_path, f"lines:\n  - match: {{{match}}}\n  - match: {{}}\n").warnings == ()

    def test_an_item_with_the_match_of_an_earlier_one_is_said(self, tmp_path: Path) -> None:
        site = load(tmp_path, "lines:\n  - match: {user: 1001, address: 10.1.0.5}\n"
                              "  - match: {address: 10.1.0.5/32, user: '1001'}\n  - match: {user: 1001}\n")
        path = tmp_path / "site.yaml"
        assert site.warnings == (f"{path}:3: lines[1] is never used: lines[0] has the same match",)

    def test_blocks_may_be_shared_by_anchor_alias_and_merge(self, tmp_path: Path) -> None:
        site = load(
            tmp_path,
            """\
            lines:
              - match: {user: "1*"}
                settings: &usual {reRegisterOn: 1, failBack.timeout: 300}
              - match: {user: "2*"}
                settings: *usual
              - match: {user: "3*"}
                settings: {<<: *usual, failBack.timeout: 60}
            """,
        )
        timeouts = [Declarations(site).declare(line(user)).at(None).failback_timeout for user in ("1", "2", "3")]
        assert timeouts == [300, 300, 60]
        assert Declarations(site).declare(line("3")).at(None).regime is Regime.R1

    def test_a_byte_order_mark_and_dos_line_ends_do_no_harm(self, tmp_path: Path) -> None:
        path = tmp_path / "site.yaml"
        path.write_bytes(b"\xef\xbb\xbf" + FULL.replace("\n", "\r\n").encode())
        assert Declarations(load_site(path)).declare(PHONE).at("sbc").get("register").origin is Origin.DEFAULT
        assert load_site(str(path)).events[0].line == 19

    @pytest.mark.parametrize("example", manual_examples(), ids=lambda text: text.split("\n", 1)[0])
    def test_every_example_of_the_manual_loads(self, tmp_path: Path, example: str) -> None:
        (tmp_path / "provisioning").mkdir()
        assert load_site(write(tmp_path, example)).path is not None

    def test_the_manual_names_every_setting_with_its_default(self) -> None:
        manual = MANUAL.read_text(encoding="utf-8")
        for name, value in DEFAULTS.items():
            row = next(row for row in manual.splitlines() if row.startswith(f"| `{name}` |"))
            assert row.endswith(f"| {value} |")
        assert all(f"`{name}`" in manual for name in SETTINGS)

    def test_a_site_is_a_frozen_value_that_workers_can_be_given(self, tmp_path: Path) -> None:
        site = load(tmp_path, FULL)
        assert Declarations(pickle.loads(pickle.dumps(site))).declare(PHONE) == Declarations(site).declare(PHONE)
        with pytest.raises(AttributeError):
            site.path = "other"  # type: ignore[misc]
