"""Provisioning files in an analysis: all the way from packets and files to findings."""

from __future__ import annotations

import json
from datetime import UTC
from pathlib import Path
from typing import Any

import pytest
from msgspec.structs import replace

from sipaudit.model.values import Place
from sipaudit.report import document, text
from tests.settings.provisioning_files import flat, lay
from tests.stories import Court, Handset, P, S, Story

PREMATURE, UNREGISTERED = "premature-failback", "signalling-to-unregistered-server"
SERVERS = {
    "dns__cache__SRV__1__name": "_sip._udp.pbx.example.com", "dns__cache__SRV__1__priority": 1,
    "dns__cache__SRV__1__target": "a.example.com", "dns__cache__SRV__1__port": 5060,
    "dns__cache__SRV__2__name": "_sip._udp.pbx.example.com", "dns__cache__SRV__2__priority": 2,
    "dns__cache__SRV__2__target": "b.example.com", "dns__cache__SRV__2__port": 5060,
    "dns__cache__A__1__name": "a.example.com", "dns__cache__A__1__address": "10.0.0.1",
    "dns__cache__A__2__name": "b.example.com", "dns__cache__A__2__address": "10.0.0.2",
}
LINE = {"reg__1__address": "1001", "voIpProt__server__1__address": "pbx.example.com"}
F = "voIpProt__server__1__failOver__"
DURATION = {f"{F}reRegisterOn": 1, f"{F}failRegistrationOn": 1, f"{F}failBack__mode": "duration"}


@pytest.fixture
def court(tmp_path: Path) -> Court:
    return Court(tmp_path)


def faulty(**known: Any) -> Story:
    """A phone that calls through S before it has registered there, and is back at P half a minute later."""
    phone = Handset(Story(), **known)
    phone.register(0)
    phone.fail_over(300, registers=False)
    phone.register(311, S)
    phone.register(336, P)
    return phone.story


def config(folder: Path, **said: object) -> dict[str, Any]:
    lay(folder, site=flat(**{**LINE, **SERVERS, **said}))
    return {"config": (str(folder / "site.cfg"),)}


def test_settings_and_servers_come_from_the_files_alone(court: Court, tmp_path: Path) -> None:
    found = court(faulty(), None, **config(tmp_path, **DURATION, **{f"{F}failBack__timeout": 60}))
    assert [line for line in found if not line.startswith("?")] == [
        f"305.500 {UNREGISTERED} 1001 10.0.0.2 certain", f"336.000 {PREMATURE} 1001 10.0.0.1 certain"]


@pytest.mark.parametrize("agent", ["PolycomVVX-VVX_500-UA/4.0.1.13681", "PolycomVVX-VVX_500-UA/4.0.1_0004f2000001"])
def test_a_user_that_is_escaped_on_the_wire_is_plain_in_the_files(court: Court, tmp_path: Path, agent: str) -> None:
    """In a URI, "#" and non-ASCII characters must be escaped (RFC 3261 19.1.2, 25.1)."""
    said = {**DURATION, f"{F}failBack__timeout": 60, "reg__1__address": "büro#1"}
    found = court(faulty(user="b%c3%bcro%231", agent=agent), None, **config(tmp_path, **said))
    assert [line for line in found if not line.startswith("?")] == [
        f"305.500 {UNREGISTERED} b%C3%BCro%231 10.0.0.2 certain", f"336.000 {PREMATURE} b%C3%BCro%231 10.0.0.1 certain"]


def test_what_no_source_orders_convicts_nobody(court: Court, tmp_path: Path) -> None:
    said = {**DURATION, f"{F}failBack__timeout": 60, "reg__1__server__1__address": "pbx.example.com"}
    found = court(faulty(), None, **config(tmp_path, **said))
    assert f"? {PREMATURE} settings-ambiguous" in found
    assert f"? {UNREGISTERED} settings-ambiguous" in found
    assert not [line for line in found if line.endswith("certain") and "config-" not in line]


def test_values_that_all_condemn_do(court: Court, tmp_path: Path) -> None:
    """Whether failRegistrationOn is 1 or the default 0, the line has to register first."""
    said = {f"{F}failRegistrationOn": 1, "reg__1__server__1__address": "pbx.example.com",
            "reg__1__server__1__failOver__reRegisterOn": 1}
    found = court(faulty(), None, **config(tmp_path, **said))
    assert f"305.500 {UNREGISTERED} 1001 10.0.0.2 certain" in found


def test_an_invalid_value_leaves_the_line_open(court: Court, tmp_path: Path) -> None:
    found = court(faulty(), None, **config(tmp_path, **{**DURATION, f"{F}failBack__timeout": "soon"}))
    assert f"? {PREMATURE} settings-unknown" in found
    assert f"305.500 {UNREGISTERED} 1001 10.0.0.2 certain" in found


class TestAFileThatIsNotHere:
    """A setting that no file states may be in the one that was not copied."""

    def files(self, tmp_path: Path, listed: str, **more: object) -> dict[str, Any]:
        lay(tmp_path, _000000000000=f'<APPLICATION CONFIG_FILES="{listed}"/>',
            line=flat(**{**LINE, **SERVERS}), failover=flat(**DURATION, **more))
        return {"config": (str(tmp_path),)}

    def test_accuses_nobody_by_a_default(self, court: Court, tmp_path: Path) -> None:
        """A call at the secondary violates newRequests, the default, but no other mode."""
        phone = Handset(Story())
        phone.register(0)
        phone.fail_over(300)
        phone.call(400, S)
        phone.call(450, S)
        phone.register(500, S)
        whole = court(phone.story, None, **self.files(tmp_path, "line.cfg"))
        assert [line for line in whole if line.split()[1] == "primary-not-tried-first" and "certain" in line]
        found = court(phone.story, None, **self.files(tmp_path, "line.cfg, http://boot.example.com/all.cfg"))
        assert "? unexpected-re-registration settings-unknown" in found
        assert not [line for line in found if "certain" in line and "config-missing-file" not in line]

    def test_leaves_what_the_others_state(self, court: Court, tmp_path: Path) -> None:
        files = self.files(tmp_path, "line.cfg, failover.cfg, gone.cfg", **{f"{F}failBack__timeout": 60})
        found = court(faulty(), None, **files)
        assert f"336.000 {PREMATURE} 1001 10.0.0.1 certain" in found

    def test_makes_an_assumption_of_what_is_stated_behind_it(self, court: Court, tmp_path: Path) -> None:
        """Of two statements the phone takes the first (C7), which may be in the file that was not copied."""
        files = self.files(tmp_path, "line.cfg, gone.cfg, failover.cfg", **{f"{F}failBack__timeout": 60})
        found = court(faulty(), None, **files)
        assert f"336.000 {PREMATURE} 1001 10.0.0.1 likely settings-in-force" in found
        assert not [line for line in found if line.endswith("certain") and "config-" not in line]

    def test_is_named_where_a_setting_is_not_known_for_it(self, court: Court, tmp_path: Path) -> None:
        (line,) = court.report(faulty(), None, **self.files(tmp_path, "line.cfg, gone.cfg")).lines
        said = line.settings["failBack.mode"]
        assert (line.regime, said.value, said.origin) == (None, None, "unknown")
        assert said.source == (
            f"{tmp_path}/000000000000.cfg:1 CONFIG_FILES: gone.cfg is not here or empty, and may say it")


def test_an_invalid_register_leaves_open_whether_the_line_registers(court: Court, tmp_path: Path) -> None:
    found = court(faulty(), None, **config(tmp_path, **DURATION, voIpProt__server__1__register="x"))
    assert f"? {UNREGISTERED} settings-unknown" in found


def test_where_concurrent_registration_may_be_on_nothing_is_judged(court: Court, tmp_path: Path) -> None:
    found = court(faulty(), None, **config(tmp_path, **DURATION, **{f"{F}concurrentRegistration": "x"}))
    assert f"? {UNREGISTERED} concurrent-registration" in found


class TestFindings:
    def report(self, court: Court, tmp_path: Path, **said: object) -> Any:
        return court.report(faulty(agent="PolycomSoundPointIP-SPIP_650-UA/3.2.3.1734"), None, **config(
            tmp_path, **{**DURATION, f"{F}failBack__timeout": 30, **said}))

    def test_each_issue_is_one_finding_without_time_or_phone(self, court: Court, tmp_path: Path) -> None:
        report = self.report(court, tmp_path)
        of_files = [finding for finding in report.findings if finding.rule.startswith("config-")]
        assert [(finding.id, finding.rule, finding.line, finding.time) for finding in of_files] == [
            ("f-000001", "config-timeout-clamped", "sip:1001@pbx.example.com", None),
            ("f-000002", "config-unsupported-firmware", "sip:1001@pbx.example.com", None)]
        assert of_files[0].evidence == [Place(f"{tmp_path}/site.cfg", 1, "voIpProt.server.1.failOver.failBack.timeout",
                                              "voIpProt.server.1.failOver.failBack.timeout=30")]
        assert [finding.id for finding in report.findings] == [
            f"f-{number:06d}" for number in range(1, len(report.findings) + 1)]

    def test_the_report_says_where_each_setting_comes_from(self, court: Court, tmp_path: Path) -> None:
        (line,) = self.report(court, tmp_path).lines
        said = line.settings["failBack.timeout"]
        assert (line.entry, line.regime, line.mode) == ("pbx.example.com", "R2", "duration")
        assert (said.value, said.origin) == (30, "inherited")
        assert said.source == f"{tmp_path}/site.cfg:1 voIpProt.server.1.failOver.failBack.timeout"

    def test_it_comes_back_from_json_as_it_was(self, court: Court, tmp_path: Path) -> None:
        report = self.report(court, tmp_path)
        again = document.from_json(document.to_json(report))
        assert [finding.evidence for finding in again.findings] == [finding.evidence for finding in report.findings]
        assert json.loads(document.to_json(report))["findings"][0]["evidence"][0]["file"] == f"{tmp_path}/site.cfg"

    def test_the_text_shows_file_and_line_as_evidence(self, court: Court, tmp_path: Path) -> None:
        report = self.report(court, tmp_path)
        first = [finding for finding in report.findings if finding.rule.startswith("config-")][:1]
        shown = text.render(replace(report, findings=first), UTC, 400, False)
        assert (f"evidence: {tmp_path}/site.cfg:1 voIpProt.server.1.failOver.failBack.timeout=30") in shown
        assert "phone -" not in shown

    def test_a_phone_that_was_not_seen_is_not_spoken_of(self, court: Court, tmp_path: Path) -> None:
        report = self.report(court, tmp_path, reg__1__address="1002")
        assert [finding.rule for finding in report.findings] == []
        assert report.lines[0].settings == {}
