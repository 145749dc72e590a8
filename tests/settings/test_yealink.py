"""Yealink's files by the same resolver: their words, numbers and defaults (polycom.md 8)."""

from __future__ import annotations

from pathlib import Path

import pytest

from sipaudit.errors import InputErrors
from sipaudit.settings import yealink
from sipaudit.settings.polycom.line import LineBlock
from sipaudit.settings.provisioning import Provisioning
from tests.settings.provisioning_files import lay
from tests.settings.site_files import present

DESK = """\
#!version:1.0.0.1
## the desk
[ account ]
account.1.enable = 1
account.1.user_name = 1001
account.1.sip_server.1.address = sbc.example.com
account.1.sip_server.1.register_on_enable = 1
account.1.sip_server.1.failback_mode = 3
account.1.sip_server.1.failback_timeout = 30
account.1.sip_server.1.transport_type = 1
account.1.sip_server.1.retry_counts =
account.1.sip_server.1.unheard_of = 1
account.1.outbound_proxy.2.address = 10.0.0.9
phone_setting.backlight = 1
dns_cache_srv.1.name = _sip._tcp.sbc.example.com
dns_cache_srv.1.target = a.example.com
dns_cache_a.1.name = a.example.com
dns_cache_a.1.address = 10.0.0.1
dns_cache_a.2.name = a.example.com
dns_cache_a.2.address = 10.0.0.2
"""


def block(folder: Path, text: str = DESK) -> LineBlock:
    lay(folder, desk=text)
    ((_, one),) = Provisioning([str(folder / "desk.cfg")]).lines()
    return one


def test_names_and_numbers_are_those_of_the_same_thing(tmp_path: Path) -> None:
    line = block(tmp_path)
    settings = line.servers[0].settings
    assert (line.user, settings["reRegisterOn"].value, settings["failBack.mode"].value) == ("1001", 1, "duration")
    assert settings["failBack.mode"].source == f"{tmp_path}/desk.cfg:8 account.1.sip_server.1.failback_mode"
    assert "retryMaxCount" not in settings
    assert [server.key for server in present(line.servers[0].entry).servers] == ["10.0.0.1:5060", "10.0.0.2:5060"]


def test_defaults_are_their_own(tmp_path: Path) -> None:
    line = block(tmp_path)
    assert line.servers[0].settings["onlySignalWithRegistered"].value == 0
    assert (line.defaults["useOutboundProxy"], line.yealink) == (0, True)


def test_what_is_their_default_all_the_same_is_no_failover_at_a_fallback_server(tmp_path: Path) -> None:
    text = DESK.partition("account.1")[0] + """
account.1.user_name = 1001
account.1.sip_server.1.address = 10.0.0.1
account.1.sip_server.2.address = 10.0.0.2
account.1.sip_server.1.only_signal_with_registered = 0
"""
    lay(tmp_path, desk=text)
    rules = [issue.rule for issue, _ in Provisioning([str(tmp_path / "desk.cfg")]).issues()]
    assert "config-failover-on-fallback" not in rules
    lay(tmp_path, desk=text.replace("registered = 0", "registered = 1"))
    rules = [issue.rule for issue, _ in Provisioning([str(tmp_path / "desk.cfg")]).issues()]
    assert "config-failover-on-fallback" in rules


def test_a_proxy_counts_when_it_is_enabled(tmp_path: Path) -> None:
    text = DESK.replace("proxy.2.", "proxy.1.")
    assert present(block(tmp_path, text).servers[0].host).name == "sbc.example.com"
    host = present(block(tmp_path, text + "account.1.outbound_proxy_enable = 1\n").servers[0].host)
    assert (host.name, host.proxy) == ("10.0.0.9", True)


def test_a_number_that_is_none_of_theirs_is_told(tmp_path: Path) -> None:
    lay(tmp_path, desk=DESK.replace("mode = 3", "mode = 7"))
    issues = [issue for issue, _ in Provisioning([str(tmp_path / "desk.cfg")]).issues()]
    assert ("config-invalid-value", "account.1.sip_server.1.failback_mode", "7") in [
        (issue.rule, issue.statements[0].attribute, issue.statements[0].text) for issue in issues]


def test_a_directory_holds_each_phone_s_file_and_one_for_all(tmp_path: Path) -> None:
    lay(tmp_path, _001565000001="account.1.user_name = 1001\naccount.1.sip_server.1.expires = 90\n",
        y000000000028="account.1.sip_server.1.expires = 60\naccount.1.sip_server.1.address = a.b\n")
    ((phone, line),) = Provisioning([str(tmp_path)]).lines()
    assert (phone.mac, line.servers[0].settings["expires"].value, line.aor) == ("001565000001", 90, "sip:1001@a.b")
    lay(tmp_path, y000000000029="account.1.sip_server.1.expires = 60\n")
    ((_, line),) = Provisioning([str(tmp_path)]).lines()
    assert line.aor == "sip:1001"  # it is unknown which of the two is for this model


def test_a_phone_s_own_file_may_be_empty(tmp_path: Path) -> None:
    lay(tmp_path, _001565000001="", y000000000028="account.1.user_name = 1001\naccount.1.sip_server.1.address = a.b\n")
    provisioning = Provisioning([str(tmp_path)])
    assert ([line.aor for _, line in provisioning.lines()], provisioning.issues()) == (["sip:1001@a.b"], [])


def test_a_file_of_any_length_is_not_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(yealink, "MAX_LINES", 5)
    with pytest.raises(InputErrors, match="more than 5 lines"):
        block(tmp_path)
