"""Which files a phone reads, and which of their values count (C3, C7)."""

from __future__ import annotations

import os
from pathlib import Path
from typing import NoReturn

import pytest

from sipaudit.errors import InputErrors
from sipaudit.settings.provisioning import Provisioning
from tests.settings.provisioning_files import MAC, declare, flat, lay, one_file

LINE = flat(reg__1__address="1001", reg__1__server__1__address="sbc.example.com")


def master(files: str, **more: str) -> str:
    said = "".join(f' {name}="{value}"' for name, value in more.items())
    return f'<APPLICATION APP_FILE_PATH="sip.ld" CONFIG_FILES="{files}"{said}/>'


def expires(seconds: int) -> str:
    return flat(voIpProt__server__1__expires=seconds)


def expiry(folder: Path, **known: str) -> int | None:
    """`expires` of the only line."""
    return declare([str(folder)], **known).number("expires")


class TestMasterFiles:
    def test_the_phone_s_own_comes_before_the_one_for_all(self, tmp_path: Path) -> None:
        lay(tmp_path, **{f"_{MAC}": master("line.cfg, own.cfg")}, _000000000000=master("line.cfg, all.cfg"), line=LINE,
            own=expires(60), all=expires(90))
        assert expiry(tmp_path, mac=MAC) == 60
        assert expiry(tmp_path, mac="00:04:F2:00:00:02") == 90

    def test_without_one_for_all_an_unknown_phone_is_not_declared(self, tmp_path: Path) -> None:
        lay(tmp_path, **{f"_{MAC}": master("line.cfg")}, line=LINE)
        assert not declare([str(tmp_path)], mac="0004f2000002").declared

    @pytest.mark.parametrize("written", ["phones\\[PHONE_MAC_ADDRESS].cfg", "/phones/[PHONE_MAC_ADDRESS].cfg"])
    def test_a_name_counts_from_the_directory_however_it_is_written(self, tmp_path: Path, written: str) -> None:
        lay(tmp_path, _000000000000=master(written), **{f"phones__{MAC}": LINE})
        assert list(Provisioning([str(tmp_path)]).phones) == [MAC]

    def test_a_name_too_long_for_any_file_is_a_missing_file_and_nothing_else(self, tmp_path: Path) -> None:
        lay(tmp_path, _000000000000=master(f"line.cfg, {'a' * 300}/[PHONE_MAC_ADDRESS].cfg"), line=LINE)
        assert expiry(tmp_path) == 3600

    def test_the_first_file_that_states_a_parameter_counts(self, tmp_path: Path) -> None:
        lay(tmp_path, _000000000000=master("line.cfg, a.cfg,b.cfg"), line=LINE, a=expires(60), b=expires(90))
        assert expiry(tmp_path) == 60

    def test_an_empty_attribute_leaves_it_to_the_next_file(self, tmp_path: Path) -> None:
        lay(tmp_path, _000000000000=master("line.cfg, a.cfg, b.cfg"), line=LINE,
            a=flat(voIpProt__server__1__expires=""), b=expires(90))
        assert expiry(tmp_path) == 90

    def test_files_named_after_the_phone_whatever_the_case(self, tmp_path: Path) -> None:
        lay(tmp_path, _000000000000=master("phones/[PHONE_MAC_ADDRESS]-reg.cfg, all.cfg"), all=expires(90),
            **{"phones__0004F2000001-reg": LINE, "phones__0004f2000002-reg": LINE.replace("1001", "1002")})
        assert expiry(tmp_path, mac=MAC) == 90
        assert expiry(tmp_path, user="1002", mac="0004f2000002") == 90
        assert not declare([str(tmp_path)], user="1001", mac="0004f2000002").declared
        assert list(Provisioning([str(tmp_path)]).phones) == [MAC, "0004f2000002"]

    @pytest.mark.parametrize(("shape", "model"), [
        ('<APPLICATION CONFIG_FILES="line.cfg, all.cfg" CONFIG_FILES_VVX500="line.cfg, vvx.cfg"/>', "VVX_500"),
        ('<APPLICATION CONFIG_FILES="line.cfg, all.cfg"><APPLICATION_SPIP650 CONFIG_FILES_SPIP650="line.cfg, vvx.cfg"/>'
         "</APPLICATION>", "SPIP_650"),
        ('<APPLICATION CONFIG_FILES="line.cfg, all.cfg"><APPLICATION_SPIP650 CONFIG_FILES="line.cfg, vvx.cfg"/>'
         "</APPLICATION>", "SPIP_650"),
    ])
    def test_a_model_may_have_a_list_of_its_own(self, tmp_path: Path, shape: str, model: str) -> None:
        lay(tmp_path, _000000000000=shape, line=LINE, all=expires(90), vvx=expires(60))
        assert expiry(tmp_path, model=model) == 60
        assert expiry(tmp_path, model="SSIP_6000") == 90

    def test_of_a_model_that_is_not_known_both_lists_stay_possible(self, tmp_path: Path) -> None:
        lay(tmp_path, _000000000000=master("line.cfg, all.cfg", CONFIG_FILES_VVX500="line.cfg, vvx.cfg"), line=LINE,
            all=expires(90), vvx=expires(60))
        setting = declare([str(tmp_path)]).get("expires")
        assert (setting.value, setting.origin, set(setting.candidates)) == (None, "ambiguous", {60, 90})

    def test_what_models_with_the_same_servers_agree_on_holds_whichever_it_is(self, tmp_path: Path) -> None:
        lay(tmp_path, _000000000000=master("line.cfg, all.cfg", CONFIG_FILES_VVX500="line.cfg, vvx.cfg"), line=LINE, **{
            name: flat(reg__1__server__1__failOver__reRegisterOn=1,
                       reg__1__server__1__failOver__failBack__timeout=seconds)
            for name, seconds in (("all", 600), ("vvx", 900))})
        settings = declare([str(tmp_path)])
        assert settings.number("reRegisterOn") == 1
        assert settings.get("address").value == "sbc.example.com"
        assert set(settings.get("failBack.timeout").candidates) == {600, 900}

    def test_a_line_that_only_one_model_has_is_not_declared_until_the_model_is_known(self, tmp_path: Path) -> None:
        lay(tmp_path, _000000000000=master("all.cfg", CONFIG_FILES_VVX500="line.cfg"), line=LINE, all=expires(90))
        assert not declare([str(tmp_path)]).declared
        assert declare([str(tmp_path)], model="VVX_500").declared

    def test_models_whose_servers_differ_leave_the_server_open(self, tmp_path: Path) -> None:
        other = LINE.replace("sbc.example.com", "10.0.0.1")
        lay(tmp_path, _000000000000=master("line.cfg", CONFIG_FILES_VVX500="other.cfg"), line=LINE, other=other)
        settings = declare([str(tmp_path)])
        assert settings.declared
        assert set(settings.get("address").candidates) == {"sbc.example.com", "10.0.0.1"}

    def test_a_single_master_file_stands_for_what_it_names(
            self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        lay(tmp_path, **{f"_{MAC}": master("line.cfg, own.cfg")}, line=LINE, own=expires(60))
        assert declare([str(tmp_path / f"{MAC}.cfg")], mac=MAC).number("expires") == 60
        monkeypatch.chdir(tmp_path)
        assert declare([f"{MAC}.cfg"], mac=MAC).number("expires") == 60


class TestOverrides:
    def test_what_was_set_at_the_phone_beats_its_web_page_and_all_files(self, tmp_path: Path) -> None:
        lay(tmp_path, _000000000000=master("line.cfg, all.cfg"), line=LINE, all=expires(90),
            **{f"_{MAC}-web": expires(60)})
        assert expiry(tmp_path, mac=MAC) == 60
        lay(tmp_path, **{f"_{MAC}-phone": expires(70)})
        settings = declare([str(tmp_path)], mac=MAC)
        assert settings.number("expires") == 70
        assert settings.get("expires").source == (
            f"{tmp_path}/{MAC}-phone.cfg:1 voIpProt.server.1.expires (override)")

    @pytest.mark.parametrize("content", ["", "\n"])
    def test_an_empty_one_says_nothing_and_makes_the_phone_no_other_maker_s(self, tmp_path: Path, content: str
                                                                            ) -> None:
        lay(tmp_path, _000000000000=master("line.cfg, all.cfg"), line=LINE, all=expires(90),
            **{f"_{MAC}-phone": content})
        assert expiry(tmp_path, mac=MAC) == 90
        assert declare([str(tmp_path / "line.cfg"), str(tmp_path / f"{MAC}-phone.cfg")], mac=MAC).number("expires") \
            == 3600

    def test_they_may_lie_in_a_directory_of_their_own(self, tmp_path: Path) -> None:
        lay(tmp_path, **{f"_{MAC}": master("line.cfg", OVERRIDES_DIRECTORY="over"), f"over__{MAC}-web": expires(60)},
            line=LINE)
        assert expiry(tmp_path, mac=MAC) == 60

    def test_a_directory_that_lies_elsewhere_is_not_looked_at(self, tmp_path: Path) -> None:
        inside = tmp_path / "inside"
        lay(inside, **{f"_{MAC}": master("line.cfg", OVERRIDES_DIRECTORY="../")}, line=LINE)
        lay(tmp_path, **{f"_{MAC}-web": expires(60)})
        assert expiry(inside, mac=MAC) == 3600

    def test_one_that_is_named_by_itself_is_its_phone_s_alone(self, tmp_path: Path) -> None:
        lay(tmp_path, line=LINE, **{f"_{MAC}-phone": expires(70)})
        config = [str(tmp_path / "line.cfg"), str(tmp_path / f"{MAC}-phone.cfg")]
        assert declare(config, mac=MAC).number("expires") == 70
        assert declare(config, mac="0004f2000002").number("expires") == 3600


class TestPaths:
    def test_several_are_layers_the_first_counts(self, tmp_path: Path) -> None:
        lay(tmp_path, line=LINE, a=expires(60), b=expires(90))
        names = [str(tmp_path / f"{name}.cfg") for name in ("a", "line", "b")]
        assert declare(names).number("expires") == 60
        assert declare(names[::-1]).number("expires") == 90

    def test_a_file_named_after_a_phone_is_its_layer(self, tmp_path: Path) -> None:
        lay(tmp_path, **{f"_{MAC}": LINE})
        assert declare([str(tmp_path / f"{MAC}.cfg")], mac=MAC).declared
        assert not declare([str(tmp_path / f"{MAC}.cfg")], mac="0004f2000002").declared

    @pytest.mark.parametrize("name", ["nowhere", "x" * 300, "a\0b"])
    def test_one_that_is_not_there_is_said(self, tmp_path: Path, name: str) -> None:
        with pytest.raises(InputErrors, match="no such provisioning file") as raised:
            Provisioning([str(tmp_path / name), str(tmp_path / "neither")])
        assert len(raised.value.errors) == 2

    def test_a_directory_without_a_master_file_is_said(self, tmp_path: Path) -> None:
        with pytest.raises(InputErrors, match="no master file"):
            Provisioning([str(lay(tmp_path, site=LINE))])

    def test_a_folder_whose_name_is_no_text_can_be_reported(self, tmp_path: Path) -> None:
        folder = tmp_path / os.fsdecode(b"M\xfcnchen")
        folder.mkdir()
        lay(folder, site=flat(reg__1__server__1__port="x"))
        ((issue, _),) = Provisioning([str(folder / "site.cfg")]).issues()
        assert issue.statements[0].file == f"{tmp_path}/M\\udcfcnchen/site.cfg"

    def test_what_cannot_be_opened_is_said(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        def refuse(self: Path, *_: object) -> NoReturn:
            raise PermissionError(13, "Permission denied")

        lay(tmp_path, site=LINE)
        monkeypatch.setattr(Path, "open", refuse)
        with pytest.raises(InputErrors, match="cannot be read: permission denied"):
            Provisioning([str(tmp_path / "site.cfg")])


class TestMatching:
    def test_the_address_may_have_a_host_and_a_scheme(self, tmp_path: Path) -> None:
        config = one_file(tmp_path, reg__1__address="sip:1001@PBX.example.com", voIpProt__server__1__address="a.b")
        assert declare(config).declared
        assert not declare(config, domain="other.example.com").declared
        assert not declare(config, user="1002").declared

    def test_without_a_mac_one_phone_alone_must_have_the_address(self, tmp_path: Path) -> None:
        lay(tmp_path, **{f"_{MAC}": master("line.cfg"), "_0004f2000002": master("line.cfg")}, line=LINE)
        assert not declare([str(tmp_path)]).declared
        assert declare([str(tmp_path)], mac=MAC).declared

    def test_an_address_that_a_phone_has_twice_is_nobody_s(self, tmp_path: Path) -> None:
        assert not declare(one_file(tmp_path, reg__1__address="1001", reg__2__address="1001")).declared


class TestMissingFiles:
    def reasons(self, folder: Path) -> dict[str, str]:
        found = [issue for issue, _ in Provisioning([str(folder)]).issues() if issue.rule == "config-missing-file"]
        return {issue.statements[0].text: issue.facts["reason"] for issue in found}

    def test_each_is_said_with_the_reason(self, tmp_path: Path) -> None:
        lay(tmp_path, _000000000000=master("gone.cfg, ../up.cfg, a\\..\\b.cfg, ftp://host/x.cfg, [PHONE_MODEL].cfg"))
        assert self.reasons(tmp_path) == {
            "gone.cfg": "there is no such file in the provisioning directory",
            "../up.cfg": "it lies outside of the provisioning directory",
            "a\\..\\b.cfg": "it lies outside of the provisioning directory",
            "ftp://host/x.cfg": "it is fetched from another server, which is not asked here",
            "[PHONE_MODEL].cfg": "what [PHONE_MODEL] stands for is not known here",
        }

    def test_one_that_differs_in_upper_and_lower_case_alone_is_named(self, tmp_path: Path) -> None:
        lay(tmp_path, _000000000000=master("Site.cfg, phones/a.cfg"), site=expires(60), phones__A=expires(60))
        assert self.reasons(tmp_path) == {
            "Site.cfg": "only site.cfg is in the provisioning directory, and upper and lower case count",
            "phones/a.cfg": "only phones/A.cfg is in the provisioning directory, and upper and lower case count",
        }

    def test_one_that_is_empty_may_have_been_copied_badly(self, tmp_path: Path) -> None:
        lay(tmp_path, _000000000000=master("line.cfg, site.cfg"), line=LINE, site="")
        assert self.reasons(tmp_path) == {"site.cfg": "the file is empty"}
        assert expiry(tmp_path, mac=MAC) is None   # not the default

    def test_a_name_that_no_file_can_have_is_not_there(self, tmp_path: Path) -> None:
        lay(tmp_path, _000000000000=master("x" * 300 + ".cfg"))
        assert list(self.reasons(tmp_path)) == ["x" * 300 + ".cfg"]

    def test_what_is_named_after_each_phone_is_missed_only_where_a_phone_is_known(self, tmp_path: Path) -> None:
        lay(tmp_path, _000000000000=master("../[PHONE_MAC_ADDRESS].cfg, none/[PHONE_MAC_ADDRESS].cfg"))
        assert list(self.reasons(tmp_path)) == ["../[PHONE_MAC_ADDRESS].cfg"]
        lay(tmp_path, **{f"_{MAC}-web": expires(60)})
        assert set(self.reasons(tmp_path)) == {"../[PHONE_MAC_ADDRESS].cfg", "none/[PHONE_MAC_ADDRESS].cfg"}

    def test_a_master_file_without_a_list(self, tmp_path: Path) -> None:
        lay(tmp_path, **{f"_{MAC}": "<APPLICATION/>"})
        assert self.reasons(tmp_path) == {"": "it names none, so the phone reads no other file"}


class TestWhatIsSaid:
    def issues(self, *config: Path, of: str | None = None) -> list[tuple[str, str]]:
        found = Provisioning([str(path) for path in config]).issues()
        return [(issue.rule, line) for issue, line in found if of is None or issue.rule == of]

    def test_what_the_phone_for_all_others_lacks_is_no_issue_while_phones_are_known(self, tmp_path: Path) -> None:
        lay(tmp_path, _000000000000=master("[PHONE_MAC_ADDRESS]-reg.cfg, all.cfg"), all=flat(
            voIpProt__server__1__failOver__failRegistrationOn=1), **{f"_{MAC}-reg": flat(
                reg__1__address="1001", voIpProt__server__1__address="a.b",
                voIpProt__server__1__failOver__reRegisterOn=1, voIpProt__server__1__failOver__failBack__timeout=90)})
        assert self.issues(tmp_path) == [("config-no-effect", "sip:1001@a.b")]  # about the timeout

    def test_models_that_agree_on_a_line_are_one_line(self, tmp_path: Path) -> None:
        lay(tmp_path, _000000000000=master("line.cfg", CONFIG_FILES_VVX500="line.cfg"), line=LINE)
        provisioning = Provisioning([str(tmp_path)])
        assert (provisioning.count(), len(list(provisioning.lines()))) == (1, 1)

    def test_the_same_value_twice_in_a_file_shadows_nothing(self, tmp_path: Path) -> None:
        lay(tmp_path, a=f"<x>{expires(60)}{expires(60)}</x>")
        assert self.issues(tmp_path / "a.cfg") == []

    def test_a_place_that_the_static_cache_does_not_have_is_no_misprint(self, tmp_path: Path) -> None:
        lay(tmp_path, a=flat(dns__cache__A__13__name="x", dns__cache__MX__1__name="x"))
        assert self.issues(tmp_path / "a.cfg") == []

    def test_whether_a_proxy_is_used_may_be_what_is_not_known(self, tmp_path: Path) -> None:
        lay(tmp_path, a=flat(reg__1__server__1__useOutboundProxy="?", reg__1__outboundProxy__address="a.b",
                             reg__1__server__1__failOver__reRegisterOn=1,
                             reg__1__outboundProxy__failOver__reRegisterOn=0))
        (found,) = [issue for issue, _ in Provisioning([str(tmp_path / "a.cfg")]).issues()
                    if issue.rule == "config-ambiguous-precedence"]
        assert found.facts["reason"] == "whether the outbound proxy is in effect cannot be told"

    def test_servers_behind_one_proxy_that_differ_leave_the_setting_open(self, tmp_path: Path) -> None:
        lay(tmp_path, a=flat(reg__1__address="1001", reg__1__server__1__address="a.b", reg__1__server__2__address="b.b",
                             reg__1__outboundProxy__address="p.b", reg__1__server__2__failOver__failBack__timeout=90))
        ((_, block),) = Provisioning([str(tmp_path / "a.cfg")]).lines()
        (server,) = block.servers
        assert set(server.settings["failBack.timeout"].candidates) == {3600, 90}
        assert block.aor == "sip:1001@a.b"
        assert self.issues(tmp_path / "a.cfg", of="config-ambiguous-precedence") == []

    def test_a_phone_that_no_path_is_for_reads_nothing(self, tmp_path: Path) -> None:
        first, second = lay(tmp_path / "a", **{f"_{MAC}": master("line.cfg")}, line=LINE), lay(
            tmp_path / "b", _0004f2000002=master("line.cfg"), line=LINE.replace("1001", "1002"))
        found = Provisioning([str(first), str(second)])
        assert [(phone.mac, block.user) for phone, block in found.lines()] == [(MAC, "1001"), ("0004f2000002", "1002")]
