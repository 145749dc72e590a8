"""All errors in a site file are reported at once, each with its line and what to do."""

from __future__ import annotations

from pathlib import Path
from typing import NoReturn

import pytest

from sipaudit.errors import InputError
from sipaudit.settings.site import load_site
from tests.settings.site_files import errors_of, write

ONE = "entries: {sbc: [{address: 10.0.0.1}]}\n"


def one_error(tmp_path: Path, text: str) -> tuple[int | None, str, str | None]:
    (error,) = errors_of(tmp_path, text)
    return error.line, error.message, error.fix


class TestEverythingAtOnce:
    def test_all_errors_come_together_in_line_order(self, tmp_path: Path) -> None:
        errors = errors_of(
            tmp_path,
            """\
            entrys: {}
            entries:
              sbc:
                dns_ttl: -1
                servers:
                  - {adress: 10.0.0.1}
                  - {address: 10.0.0.256, port: 70000}
            lines:
              - match: {usr: 1001}
                entry: sbcc
                settings:
                  failback.mode: duration
                  failBack.timeout: 65536
                entry_settings: {branch: {}}
              - entry: sbc
            tolerances: {timer: soon}
            events: [12:99 sbc1 stopped, "12:03"]
            """,
        )
        assert [(error.line, error.message, error.fix) for error in errors] == [
            (1, "the site file: unknown key 'entrys'", "did you mean 'entries'?"),
            (4, "entries.sbc.dns_ttl cannot be '-1'", "write a whole number from 0 to 2147483647"),
            (6, "entries.sbc.servers[0]: unknown key 'adress'", "did you mean 'address'?"),
            (6, "entries.sbc.servers[0] has neither address nor name", "add 'address: 10.0.0.1'"),
            (
                7,
                "entries.sbc.servers[1].address: '10.0.0.256' is no IP address",
                "write an address as 10.0.0.1 or 2001:db8::1",
            ),
            (7, "entries.sbc.servers[1].port cannot be '70000'", "write a whole number from 1 to 65535"),
            (9, "lines[0].match: unknown key 'usr'", "did you mean 'user'?"),
            (10, "lines[0].entry: there is no entry 'sbcc'", "did you mean 'sbc'?"),
            (12, "lines[0].settings: there is no setting 'failback.mode'", "did you mean 'failBack.mode'?"),
            (
                13,
                "lines[0].settings: failBack.timeout cannot be '65536'",
                "write a whole number from 0 to 65535 seconds",
            ),
            (14, "lines[0].entry_settings: the line has no entry 'branch'", "add it to lines[0].entry"),
            (15, "lines[1] has no match", "add 'match: {user: \"10??\"}', or 'match: {}' for every line"),
            (16, "tolerances.timer cannot be 'soon'", "write seconds from 0 to 3600"),
            (
                17,
                "events: '12:99' is no time",
                "write 2026-11-22T12:03:04, 12:03, 12:03:04.5, +90s, +5m, +1h or @1700000300.5",
            ),
            (17, "events: '12:03' does not say what happened",
             "write a time and what happened: '12:03:04 sbc1 stopped'"),
        ]

    def test_an_error_reads_as_file_line_message_and_fix(self, tmp_path: Path) -> None:
        (error,) = errors_of(tmp_path, "\n\nentries: [1]\n")
        fix = "write it as NAME: [{address: 10.0.0.1}, {address: 10.0.0.2}]"
        assert str(error) == f"{tmp_path}/site.yaml:3: entries must be a mapping, not a list ({fix})"

    def test_an_item_without_a_match_hides_none_of_its_other_errors(self, tmp_path: Path) -> None:
        said = [error.message for error in errors_of(tmp_path, "lines: [{entry: nobody, settings: {x: 1}}]")]
        assert said == ["lines[0] has no match", "lines[0].entry: there is no entry 'nobody'",
                        "lines[0].settings: there is no setting 'x'"]

    def test_a_flood_of_errors_is_cut(self, tmp_path: Path) -> None:
        errors = errors_of(tmp_path, "lines:\n" + "  - {match: {}, settings: {x: 1}}\n" * 500)
        assert len(errors) == 101
        assert errors[-1].message == "more errors follow and are not listed"


class TestEntries:
    @pytest.mark.parametrize(
        ("entry", "message", "fix"),
        [
            ("1", "must be a mapping, not a single value", "write it as [{address: 10.0.0.1}, {address: 10.0.0.2}]"),
            ("", "must be a mapping, not nothing", "write it as [{address: 10.0.0.1}, {address: 10.0.0.2}]"),
            ("{proxy: true}", "has no servers", "add 'servers: [{address: 10.0.0.1}, {address: 10.0.0.2}]'"),
            ("[]", "is an empty list", "name at least one server: {address: 10.0.0.1}"),
            ("{proxy: 1, servers: [{name: a}]}", ".proxy must be true or false", "write true or false"),
            ("[10.0.0.1]", "[0] must be a mapping, not a single value", "write it as {address: 10.0.0.1}"),
            ("[{address: sbc1}]", "[0].address: 'sbc1' is no IP address", "write a host name under 'name'"),
            ("[{name: 10.0.0.1}]", "[0].name: '10.0.0.1' is an address, no name", "write it under 'address'"),
            ("[{name: a b}]", "[0].name: 'a b' is no host name", "write it as sbc1.example.com"),
            ("[{name: a, transport: UDP}]", "[0].transport cannot be 'UDP'", "did you mean 'udp'?"),
            (
                "[{name: a, transport: carrier}]",
                "[0].transport cannot be 'carrier'",
                "valid: udp, tcp, tls, ws, wss",
            ),
            ("[{name: a, port: 0}]", "[0].port cannot be '0'", "write a whole number from 1 to 65535"),
            ("[{name: a, port: 05060}]", "[0].port cannot be '05060'", "write a whole number from 1 to 65535"),
            (
                "[{address: 10.0.0.1}, {address: 10.0.0.1, port: 5060}]",
                "[1]: 10.0.0.1:5060 is listed twice",
                "a server is its address and port: keep one of the two",
            ),
            ("[{address: 10.0.0.1:5070}]", "[0].address: '10.0.0.1:5070' is no IP address",
             "write 10.0.0.1, and 5070 under 'port'"),
            ("[{name: 'sbc1.example.com:5070'}]", "[0].name: 'sbc1.example.com:5070' is no host name",
             "write sbc1.example.com, and 5070 under 'port'"),
            ("[{address: '[2001:db8::1]:5060'}]", "[0].address: '[2001:db8::1]:5060' is no IP address",
             "write 2001:db8::1, and 5060 under 'port'"),
            (
                "[{address: fe80::1%eth0}]",
                "[0].address: 'fe80::1%eth0' is no IP address",
                "write an address as 10.0.0.1 or 2001:db8::1",
            ),
        ],
    )
    def test_what_cannot_be_an_entry(self, tmp_path: Path, entry: str, message: str, fix: str) -> None:
        expected = (2, "entries.sbc" + ("" if message[0] in ".[" else " ") + message, fix)
        assert one_error(tmp_path, f"entries:\n  sbc: {entry}\n") == expected

    def test_an_entry_with_an_error_still_exists_for_the_lines_that_use_it(self, tmp_path: Path) -> None:
        text = "entries: {sbc: [{address: x.y}]}\nlines: [{match: {}, entry: sbc}]\n"
        assert one_error(tmp_path, text)[1] == "entries.sbc[0].address: 'x.y' is no IP address"


class TestLines:
    @pytest.mark.parametrize(
        ("item", "message", "fix"),
        [
            ("{match: {}, entry: x}", ".entry: there is no entry 'x'", "valid: sbc"),
            ("{match: {}, entry: [sbc, sbc]}", ".entry: 'sbc' is named twice", "name each entry once"),
            ("{match: {}, lable: x}", ": unknown key 'lable'", "did you mean 'label'?"),
            ("{match: {}, label: [x]}", ".label must be a text, not a list", "write it as Reception"),
            ("{match: {user: }}", ".match.user is empty", "give it a value, or remove the key to match any"),
            ('{match: {address: ""}}', ".match.address is empty", "give it a value, or remove the key to match any"),
            (
                "{match: {address: 10.1.0.0/33}}",
                ".match.address: '10.1.0.0/33' is neither an address nor a network",
                "write an address as 10.1.0.5, or a network as 10.1.0.0/16",
            ),
            (
                "{match: {address: 10.1.0.5/16}}",
                ".match.address: '10.1.0.5/16' has bits set beyond its mask",
                "write 10.1.0.0/16 for the network, or 10.1.0.5 for the one address",
            ),
            (
                "{match: {aor: 1001@pbx.example.com}}",
                ".match.aor: '1001@pbx.example.com' matches no AOR",
                "write 'sip:1001@pbx.example.com', the AOR as reports show it",
            ),
            (
                "{match: {mac: '00:04:f2:zz'}}",
                ".match.mac: '00:04:f2:zz' matches no MAC",
                "write 0004f2abcdef, or 0004f2* for all of a maker",
            ),
            (
                "{match: {mac: '00:04:f2'}}",
                ".match.mac: '00:04:f2' matches no MAC",
                "write 0004f2abcdef, or 0004f2* for all of a maker",
            ),
            (
                "{match: {}, config: nowhere/}",
                ".config: '{folder}/nowhere' does not exist",
                "name a provisioning file or directory, counted from the site file's folder",
            ),
            (
                "{match: {}, settings: {failBack: {mode: duration}}}",
                ".settings: there is no setting 'failBack'",
                "did you mean 'failBack.mode'?",
            ),
            (
                "{match: {}, settings: {voIpProt.server.1.failOver.reRegisterOn: 1}}",
                ".settings: there is no setting 'voIpProt.server.1.failOver.reRegisterOn'",
                "did you mean 'reRegisterOn'?",
            ),
            ("{match: {}, settings: {reRegisterOn: true}}", ".settings: reRegisterOn cannot be 'true'", "write 0 or 1"),
            (
                "{match: {}, settings: {failBack.mode: newrequests}}",
                ".settings: failBack.mode cannot be 'newrequests'",
                "did you mean 'newRequests'?",
            ),
            (
                "{match: {}, settings: {retryTimeOut: 0.5}}",
                ".settings: retryTimeOut cannot be '0.5'",
                "write a whole number from 0 to 65535 milliseconds",
            ),
            (
                "{match: {}, settings: {expires: [1]}}",
                ".settings: expires must be a text, not a list",
                "write it as 'expires: VALUE'",
            ),
            (
                "{match: {}, settings: {dns.cache.A.13.ttl: 300}}",
                ".settings: there is no setting 'dns.cache.A.13.ttl'",
                "write dns.cache.A.N.*, dns.cache.SRV.N.* or dns.cache.NAPTR.N.* with N from 1 to 12",
            ),
            (
                "{match: {}, settings: 1}",
                ".settings must be a mapping, not a single value",
                "write it as {reRegisterOn: 1, failBack.mode: duration}",
            ),
            (
                "{match: {}, entry: sbc, entry_settings: {sbb: {}}}",
                ".entry_settings: the line has no entry 'sbb'",
                "did you mean 'sbc'?",
            ),
        ],
    )
    def test_what_cannot_be_a_line(self, tmp_path: Path, item: str, message: str, fix: str) -> None:
        expected = (4, "lines[0]" + message.replace("{folder}", str(tmp_path)), fix)
        assert one_error(tmp_path, f"{ONE}lines:\n\n  - {item}\n") == expected

    def test_a_line_cannot_use_an_entry_when_none_is_defined(self, tmp_path: Path) -> None:
        assert one_error(tmp_path, "lines: [{match: {}, entry: sbc}]")[2] == "none is defined"


class TestTheRest:
    @pytest.mark.parametrize(
        ("text", "message"),
        [
            ("- 1\n", "the site file must be a mapping, not a list"),
            ("hello\n", "the site file must be a mapping, not a single value"),
            ("lines: {}\n", "lines must be a list, not a mapping"),
            ("events: 12:03 sbc1 stopped\n", "events must be a list, not a single value"),
            ("events: [{a: b}]\n", "events[0] must be a text, not a mapping"),
            ("emergency: 112\n", "emergency must be a list, not a single value"),
            ("tolerances: {timer: .nan}\n", "tolerances.timer cannot be '.nan'"),
            ("tolerances: {timer: -2}\n", "tolerances.timer cannot be '-2'"),
            ("tolerances: {overdue: 3600.5}\n", "tolerances.overdue cannot be '3600.5'"),
            ("tolerances: {idel_retry: 1}\n", "tolerances: unknown key 'idel_retry'"),
        ],
    )
    def test_wrong_types_and_values(self, tmp_path: Path, text: str, message: str) -> None:
        assert one_error(tmp_path, text)[:2] == (1, message)

    def test_several_on_one_line_are_said_in_their_order(self, tmp_path: Path) -> None:
        keys = [f"key{number}" for number in (5, 2, 9, 1, 7, 3)]
        errors = errors_of(tmp_path, "tolerances: {" + ": 1, ".join(keys) + ": 1}\n")
        assert [error.message[-6:] for error in errors] == [f"'{key}'" for key in keys]

    def test_a_key_that_is_like_none_gets_them_all_and_not_the_least_unlike(self, tmp_path: Path) -> None:
        assert one_error(tmp_path, "servers: []\n") == (
            1, "the site file: unknown key 'servers'", "valid: entries, lines, tolerances, events, emergency")

    @pytest.mark.parametrize(
        ("text", "message"),
        [
            ("lines: [x]", "lines[0] must be a mapping, not a single value"),
            ("lines: [{match: x}]", "lines[0].match must be a mapping, not a single value"),
            ("lines: [{match: {user: [1]}}]", "lines[0].match.user must be a text, not a list"),
            ("lines: [{match: {address: {}}}]", "lines[0].match.address must be a text, not a mapping"),
            ("lines: [{match: {}, entry: [[sbc]]}]", "lines[0].entry must be a text, not a list"),
            ("lines: [{match: {}, entry_settings: x}]",
             "lines[0].entry_settings must be a mapping, not a single value"),
            ("lines: [{match: {}, config: [a.cfg]}]", "lines[0].config must be a text, not a list"),
            ("entries: {sbc: {dns_ttl: [1], servers: [{address: 10.0.0.1}]}}",
             "entries.sbc.dns_ttl must be a text, not a list"),
            ("entries: {sbc: [{address: [1]}]}", "entries.sbc[0].address must be a text, not a list"),
            ("entries: {sbc: [{name: [1]}]}", "entries.sbc[0].name must be a text, not a list"),
            ("tolerances: {timer: [1]}", "tolerances.timer must be a text, not a list"),
        ],
    )
    def test_a_block_where_a_value_belongs_or_the_other_way_round(
            self, tmp_path: Path, text: str, message: str) -> None:
        assert [error.message for error in errors_of(tmp_path, text)] == [message]

    def test_a_path_that_no_file_can_have(self, tmp_path: Path) -> None:
        (error,) = errors_of(tmp_path, f"lines: [{{match: {{}}, config: {'x' * 300}}}]")
        assert error.message.endswith("does not exist")

    def test_a_key_given_twice_is_no_silent_choice(self, tmp_path: Path) -> None:
        text = "entries: {}\nlines:\n  - match: {}\n    label: a\n    label: b\n"
        assert one_error(tmp_path, text) == (
            5,
            "the key 'label' is given twice (first on line 4)",
            "keep one of the two",
        )

    @pytest.mark.parametrize(
        ("text", "line", "fix"),
        [
            ("entries:\n\tsbc: []\n", 2, "indent with spaces, not tabs"),
            ("lines:\n  - match: {\n", 3, "check indentation, quotes and brackets here and above"),
            ("lines:\n  - match: {}\n   label: x\n", 3, "check indentation, quotes and brackets here and above"),
        ],
    )
    def test_what_is_no_yaml_is_said_with_its_line(self, tmp_path: Path, text: str, line: int, fix: str) -> None:
        error_line, message, error_fix = one_error(tmp_path, text)
        assert (error_line, error_fix) == (line, fix)
        assert message.startswith("not valid YAML: ")

    def test_a_file_that_cannot_be_read(self, tmp_path: Path) -> None:
        with pytest.raises(InputError, match="cannot be read: no such file or directory") as raised:
            load_site(tmp_path / "none.yaml")
        assert raised.value.file == str(tmp_path / "none.yaml")
        with pytest.raises(InputError, match="cannot be read: is a directory"):
            load_site(tmp_path)

    def test_a_file_that_may_not_be_read_is_not_said_to_have_another_name(
            self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        def refuse(self: Path, *_: object) -> NoReturn:
            raise PermissionError(13, "Permission denied")

        monkeypatch.setattr(Path, "open", refuse)
        with pytest.raises(InputError, match="cannot be read: permission denied") as raised:
            load_site(tmp_path / "site.yaml")
        assert raised.value.fix == "give the user who runs sipaudit the permission to read it"

    def test_merging_what_is_no_mapping(self, tmp_path: Path) -> None:
        write(tmp_path, "")
        text = "emergency: &list ['112']\ntolerances: {<<: *list}\n"
        assert one_error(tmp_path, text)[1] == "'<<' merges a mapping and nothing else"
