"""`sipaudit config`: findings and explanations from real files."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.cli.conftest import Command
from tests.settings.provisioning_files import MAC, flat, lay

GOOD = {"reg__1__address": "1001", "reg__1__server__1__address": "sbc.example.com"}


@pytest.fixture(autouse=True)
def _plain(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "400")
    monkeypatch.setenv("NO_COLOR", "1")


def one(folder: Path, **said: object) -> str:
    lay(folder, site=flat(**{**GOOD, **said}))
    return str(folder / "site.cfg")


class TestCheck:
    def test_nothing_wrong_is_said_and_is_0(self, sipaudit_command: Command, tmp_path: Path) -> None:
        result = sipaudit_command("config", "check", one(tmp_path))
        assert (result.code, result.out, result.err) == (0, "1 line. Nothing to say against them.\n", "")

    def test_what_is_no_provisioning_file_is_not_approved_of(self, sipaudit_command: Command, tmp_path: Path) -> None:
        (tmp_path / "site.cfg").write_text("<html><body>404 Not Found</body></html>")
        result = sipaudit_command("config", "check", str(tmp_path / "site.cfg"))
        assert (result.code, result.out) == (
            0, "0 lines. No parameter of a line or of failover is in them: are these the files that the phones get?\n")

    def test_an_error_is_3_with_its_place_and_remedy(self, sipaudit_command: Command, tmp_path: Path) -> None:
        path = one(tmp_path, reg__1__server__1__failOver__reRegisterOn="yes", reg__1__server__1__failOver__RegisterOn=1)
        result = sipaudit_command("config", "check", path)
        assert result.code == 3
        first, _, rest = result.out.partition("\n\n")
        assert first == "1 line. 1 error, 1 warning."
        assert rest.startswith(f"{path}:1  error  config-invalid-value\n")
        assert "(write 0 or 1)" in rest
        assert "Did you mean reg.1.server.1.failOver.reRegisterOn?" in rest
        assert "line:     sip:1001@sbc.example.com\n" in rest

    def test_what_to_do_about_each_rule_can_be_pasted(self, sipaudit_command: Command, tmp_path: Path) -> None:
        path = one(tmp_path, reg__1__server__1__failOver__reRegisterOn="yes", reg__1__server__1__failOver__RegisterOn=1)
        asked = [line.split()[-2:] for line in sipaudit_command("config", "check", path).out.splitlines()[-2:]]
        assert asked == [["explain", "config-invalid-value"], ["explain", "config-unknown-parameter"]]
        for words in asked:
            assert sipaudit_command(*words).code == 0

    @pytest.mark.parametrize(("least", "code"), [("never", 0), ("error", 0), ("warning", 3), ("info", 3)])
    def test_how_bad_it_may_be_is_the_user_s_choice(
            self, sipaudit_command: Command, tmp_path: Path, least: str, code: int) -> None:
        path = one(tmp_path, reg__1__server__1__failOver__failBack__timeout=90)
        assert sipaudit_command("config", "check", path, "--fail-on", least).code == code

    def test_json_is_one_document_with_findings_as_in_a_report(self, sipaudit_command: Command, tmp_path: Path) -> None:
        lay(tmp_path, _000000000000='<A CONFIG_FILES="gone.cfg"/>', **{f"_{MAC}": '<A CONFIG_FILES="site.cfg"/>'},
            site=flat(**GOOD))
        result = sipaudit_command("config", "check", str(tmp_path), "--format", "json")
        document = json.loads(result.out)
        assert result.code == 3
        assert (document["schema"], document["phones"], document["lines"]) == ("sipaudit.config/1", 1, 1)
        (finding,) = document["findings"]
        assert (finding["id"], finding["rule"], finding["severity"], finding["time"], finding["line"],
                finding["phone"]) == ("f-000001", "config-missing-file", "error", None, None, None)
        assert finding["evidence"] == [{"file": f"{tmp_path}/000000000000.cfg", "line": 1, "attribute": "CONFIG_FILES",
                                        "summary": "CONFIG_FILES=gone.cfg"}]

    def test_every_statement_of_an_issue_is_shown_and_every_line_counted(
            self, sipaudit_command: Command, tmp_path: Path) -> None:
        said = {"reg__2__address": "1002", "voIpProt__SIP__outboundProxy__address": "p.example.com",
                "voIpProt__SIP__outboundProxy__failOver__reRegisterOn": 0}
        said |= {f"reg__{line}__server__1__failOver__reRegisterOn": 1 for line in (1, 2)}
        result = sipaudit_command("config", "check", one(tmp_path, **said))
        assert f"see also: {tmp_path}/site.cfg:1 voIpProt.SIP.outboundProxy.failOver.reRegisterOn=0" in result.out
        assert result.code == 0

    def test_what_is_known_can_be_suppressed(self, sipaudit_command: Command, tmp_path: Path) -> None:
        path = one(tmp_path, reg__1__server__1__port="x")
        known = tmp_path / "known.yaml"
        known.write_text("- {rule: config-invalid-value, reason: on its way}\n- {rule: 'config-no-*', reason: none}\n")
        result = sipaudit_command("config", "check", path, "--suppress", str(known))
        assert result.code == 0
        assert "(suppressed: on its way)" in result.out
        assert "suppresses nothing" in result.err

    def test_rules_can_be_laid_over(self, sipaudit_command: Command, tmp_path: Path) -> None:
        mine = tmp_path / "mine.yaml"
        mine.write_text("override: {config-no-effect: {severity: error}, config-single-server: {enabled: false}}\n")
        path = one(tmp_path, reg__1__server__1__failOver__failBack__timeout=90, reg__1__server__1__address="10.0.0.1")
        result = sipaudit_command("config", "check", path, "--rules", str(mine))
        assert result.code == 3
        assert "single-server" not in result.out

    def test_what_cannot_be_read_is_2_a_line_for_each_file(self, sipaudit_command: Command, tmp_path: Path) -> None:
        lay(tmp_path, a="<a", b="<b")
        result = sipaudit_command("config", "check", str(tmp_path / "a.cfg"), str(tmp_path / "b.cfg"))
        assert (result.code, result.out) == (2, "")
        assert len(result.err.splitlines()) == 2

    def test_a_thousand_findings_do_not_flood_the_terminal(self, sipaudit_command: Command, tmp_path: Path) -> None:
        said = {f"reg__1__server__{server}__failOver__x{number}": 1 for server in range(1, 7) for number in range(99)}
        result = sipaudit_command("config", "check", one(tmp_path, **said))
        assert "\n94 more findings: see --format json.\n" in result.out

    def test_what_stands_in_the_files_of_many_phones_is_told_once(
            self, sipaudit_command: Command, tmp_path: Path) -> None:
        macs = [f"0004f2{number:06}" for number in range(1, 7)]
        lay(tmp_path, **{f"_{mac}": f'<A CONFIG_FILES="phone-{mac}.cfg, gone.cfg"/>' for mac in macs},
            **{f"phone-{mac}": flat(reg__1__address=mac[-1], reg__1__server__1__address="10.0.0.1",
                                    reg__1__server__1__failOver__failBack__timeout=mac[-1]) for mac in macs})
        said = sipaudit_command("config", "check", str(tmp_path)).out.replace(f"{tmp_path}/", "")
        for rule in ("config-missing-file", "config-timeout-clamped"):
            assert said.count(f"  {rule}\n    expected") == 1
        assert "\n0004f2000001.cfg:1  error  config-missing-file\n" in said
        assert "\n    also at:  0004f2000002.cfg:1\n" in said   # the same in another file
        assert "\n    also at:  phone-0004f2000002.cfg:1 It is 2, which acts as 60.\n" in said
        assert ("\n              2 more places: see --format json.\n"
                "    line:     sip:1@10.0.0.1 and 5 more\n" in said)

    def test_what_a_file_says_cannot_move_the_cursor(self, sipaudit_command: Command, tmp_path: Path) -> None:
        result = sipaudit_command("config", "check", one(tmp_path, reg__1__server__1__port="\u202e\u009b2J"))
        assert "\\u202e\\x9b2J" in result.out


class TestShow:
    def test_each_setting_with_its_source_and_meaning(self, sipaudit_command: Command, tmp_path: Path) -> None:
        folder = tmp_path / ("a-name-that-is-long-" * 5)
        folder.mkdir()
        path = one(folder, reg__1__server__1__failOver__reRegisterOn=1, voIpProt__server__1__expires=600)
        lines = [" ".join(line.split()) for line in sipaudit_command("config", "show", path).out.splitlines()]
        assert lines[0] == "sip:1001@sbc.example.com (any phone)"
        assert lines[1] == "Server sbc.example.com: addresses by DNS. Regime R1, failback mode newRequests."
        assert ("reRegisterOn 1 explicit after a failover the line registers with the next server before it uses it"
                in lines)
        assert "expires 600 inherited asks for registrations of 10 min" in lines
        assert "register 1 default the line registers" in lines
        assert f"{path}:1 reg.1.server.1.failOver.reRegisterOn (reRegisterOn)" in lines
        assert f"{path}:1 voIpProt.server.1.expires (expires)" in lines
        assert lines[-4:] == [
            "If the first server fails:",
            "Silence is noticed 3.2-32 s after a request that gets no answer.",
            "An idle phone notices a dead server only when it renews, up to 9 min later (if the server grants 600 s); "
            "until then calls to it are lost.",
            "It returns with the next call that the first server answers.",
        ]

    def test_lines_that_are_alike_are_shown_once(self, sipaudit_command: Command, tmp_path: Path) -> None:
        lay(tmp_path, site=flat(reg__1__address="1001", reg__2__address="1002@a.b", voIpProt__server__1__address="a.b"))
        out = sipaudit_command("config", "show", str(tmp_path / "site.cfg")).out
        assert out.startswith("sip:1001@a.b, sip:1002@a.b (any phone)\n")

    def test_a_phone_is_found_by_its_mac_however_it_is_written(self, sipaudit_command: Command, tmp_path: Path) -> None:
        lay(tmp_path, site=flat(**GOOD), **{f"_{MAC}": '<A CONFIG_FILES="site.cfg"/>'})
        for mac in (MAC, "00:04:F2:00:00:01"):
            result = sipaudit_command("config", "show", mac, "--config", str(tmp_path))
            assert result.out.startswith(f"sip:1001@sbc.example.com (phone {MAC})\n")

    def test_models_that_differ_are_shown_apart(self, sipaudit_command: Command, tmp_path: Path) -> None:
        lay(tmp_path, _000000000000='<A CONFIG_FILES="site.cfg" CONFIG_FILES_VVX500="site.cfg" CONFIG_FILES_SPIP650='
            '"old.cfg, site.cfg"/>', site=flat(**GOOD), old=flat(reg__1__server__1__expires=60))
        out = sipaudit_command("config", "show", str(tmp_path)).out
        assert "(any phone, as any other model or VVX500)\n" in out
        assert "(any phone, as SPIP650)\n" in out

    def test_json_for_programs(self, sipaudit_command: Command, tmp_path: Path) -> None:
        path = one(tmp_path, reg__1__outboundProxy__address="10.0.0.9")
        (line,) = json.loads(sipaudit_command("config", "show", path, "--format", "json").out)["lines"]
        (server,) = line["servers"]
        assert (line["line"], line["mac"], server["name"], server["proxy"]) == (
            "sip:1001@sbc.example.com", None, "10.0.0.9", True)
        assert server["predictions"] == ["The server has one address: there is nothing to fail over to."]

    def test_settings_for_all_lines_are_shown_as_such(self, sipaudit_command: Command, tmp_path: Path) -> None:
        lay(tmp_path, site=flat(voIpProt__server__1__failOver__reRegisterOn=1))
        out = sipaudit_command("config", "show", str(tmp_path / "site.cfg")).out
        assert out.startswith("All lines (any phone)\nServer not known: its address, port or transport is missing or "
                              "not valid.")
        out = sipaudit_command("config", "show", str(tmp_path / "site.cfg"), "--format", "json").out
        assert [line["line"] for line in json.loads(out)["lines"]] == [None]

    def test_an_address_is_not_said_to_be_left_to_dns_where_only_the_transport_cannot_be_read(
            self, sipaudit_command: Command, tmp_path: Path) -> None:
        path = one(tmp_path, reg__1__server__1__address="10.0.0.1", reg__1__server__1__transport="UDPonly")
        out = sipaudit_command("config", "show", path).out
        assert "Server not known: its address, port or transport is missing or not valid." in out
        assert "DNS" not in out

    @pytest.mark.parametrize(("arguments", "said"), [
        (["nowhere.cfg"], "is neither a file or directory nor a MAC"),
        (["x" * 300], "is neither a file or directory nor a MAC"),
        ([MAC], "where are the files of the phone"),
        (["0004f2000002", "--config", "{folder}"], "no phone 0004f2000002 in these files"),
        (["{folder}/empty.cfg"], "nothing is said of any line here"),
    ])
    def test_what_cannot_be_shown_is_2(
            self, sipaudit_command: Command, tmp_path: Path, arguments: list[str], said: str) -> None:
        lay(tmp_path, site=flat(**GOOD), empty="<a/>", **{f"_{MAC}": '<A CONFIG_FILES="site.cfg"/>'})
        result = sipaudit_command("config", "show", *(text.format(folder=tmp_path) for text in arguments))
        assert (result.code, result.out) == (2, "")
        assert said in result.err
