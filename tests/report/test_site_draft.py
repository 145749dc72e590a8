"""The draft of a site file: it declares what the captures show, and accuses nobody by itself."""

from __future__ import annotations

import shlex
from pathlib import Path

import pytest
import yaml
from msgspec.structs import replace

from sipaudit import pipeline
from sipaudit.model.values import Report
from sipaudit.report import site_draft
from tests.shared import ROOT, Ran
from tests.stories import Court, Handset, Story
from tests.traps.ground import looks_up, moved

SAMPLES = ROOT / "samples"


def judged(capture: str, site_file: Path) -> Report:
    def warned(text: str) -> None:
        raise AssertionError(text)
    return pipeline.analyze(pipeline.Job(paths=(capture,), site=str(site_file), zone="utc"), warn=warned)


def drafted(capture: str, folder: Path) -> Path:
    """The draft for a capture, as a file."""
    report = pipeline.phones(pipeline.Job(paths=(capture,), zone="utc"))
    file = folder / "site.yaml"
    file.write_text(site_draft.draft(report, capture))
    return file


def written(story: Story, tmp_path: Path) -> str:
    """The capture of a story."""
    return Court(tmp_path)._write(1, story, 1.0)


@pytest.mark.parametrize("sample", ["first-outage", "premature-failback", "three-servers", "tcp", "lossy-tap"])
def test_the_draft_of_a_sample_declares_its_servers_and_accuses_nobody(sample: str, tmp_path: Path) -> None:
    capture = str(SAMPLES / sample / "capture.pcap")
    file = drafted(capture, tmp_path)
    declared = yaml.safe_load(file.read_text())
    truth = yaml.safe_load((SAMPLES / sample / "site.yaml").read_text())
    (entry,), (known,) = declared["entries"].values(), truth["entries"].values()
    assert [server["address"] for server in entry] == [server["address"] for server in known["servers"]]
    report = judged(capture, file)
    assert report.findings == []
    assert "entry" not in {name for line in report.lines for name in line.declare}


def test_filled_in_it_judges_as_the_site_file_of_the_sample_does(tmp_path: Path) -> None:
    sample = SAMPLES / "premature-failback"
    capture = str(sample / "capture.pcap")
    file = drafted(capture, tmp_path)
    (settings,) = {str(item["settings"]) for item in yaml.safe_load((sample / "site.yaml").read_text())["lines"]}
    kept = [line for line in file.read_text().splitlines() if not line.startswith("    #")]
    file.write_text("\n".join([*kept, f"    settings: {settings}"]))
    findings = judged(capture, file).findings
    assert findings
    known = judged(capture, sample / "site.yaml").findings
    assert [(one.rule, one.line, one.time) for one in findings] == [(one.rule, one.line, one.time) for one in known]


def test_a_server_that_lines_turn_to_is_not_the_first_where_the_capture_begins_in_an_outage(tmp_path: Path) -> None:
    """The phone is first seen at the second server, comes back, and leaves the first one again."""
    story, first, second = Story(), ("10.0.0.9", 5060), ("10.0.0.2", 5060)
    phone = Handset(story)
    phone.register(0, second)
    phone.register(100, first)
    phone.call(105, first)
    phone.fail_over(300, first, second)
    (entry,) = yaml.safe_load(drafted(written(story, tmp_path), tmp_path).read_text())["entries"].values()
    assert [server["address"] for server in entry] == ["10.0.0.9", "10.0.0.2"]


def test_lines_of_other_servers_get_items_of_their_own(tmp_path: Path) -> None:
    """Two offices in one domain, each with its own network and pair of servers; one phone uses a single server."""
    story = Story()
    for number in (1, 2, 3):
        moved("R2", story, user=f"100{number}", place=(f"10.1.0.{number}", 5060))
    for number in (4, 5):
        phone = Handset(story, f"100{number}", (f"10.2.0.{number}", 5060))
        phone.register(0, ("10.0.0.8", 5070))
        phone.fail_over(300, ("10.0.0.8", 5070), ("10.0.0.9", 5060))
    Handset(story, "[1006]", ("10.1.0.6", 5060)).register(1, ("10.0.0.7", 5060))
    file = drafted(written(story, tmp_path), tmp_path)
    declared = yaml.safe_load(file.read_text())
    assert list(declared["entries"].values()) == [
        [{"address": "10.0.0.1"}, {"address": "10.0.0.2"}],
        [{"address": "10.0.0.8", "port": 5070}, {"address": "10.0.0.9"}], [{"address": "10.0.0.7"}]]
    assert [item["match"] for item in declared["lines"]] == [
        {"aor": "sip:[[]1006]@pbx.example.com"}, {"address": "10.2.0.0/24"}, {}]
    entries = {line.line: line.entry for line in judged(written(story, tmp_path), file).lines}
    assert [entries[f"sip:{user}@pbx.example.com"] for user in ("1001", "1004", "[1006]")] == [
        "list-1", "list-2", "list-3"]


def test_it_says_what_is_known_of_servers_and_of_the_phones_that_use_them(tmp_path: Path) -> None:
    """The names of servers, and comments with the number and models of the lines behind each entry and item."""
    story = Story()
    for number in (1, 2):
        moved("R2", story, user=f"100{number}", place=(f"10.1.0.{number}", 5060))
    Handset(story, "2001", ("10.2.0.1", 5060)).register(0, ("10.0.0.7", 5060))
    report = pipeline.phones(pipeline.Job(paths=(written(story, tmp_path),), zone="utc"))
    names = {"10.0.0.1:5060/udp": "sbc1.example.com", "10.0.0.7:5060/udp": "odd\nname"}
    servers = [replace(server, name=names.get(server.server)) for server in report.servers]
    draft = site_draft.draft(replace(report, servers=servers), "a.pcap")
    pair, single = yaml.safe_load(draft)["entries"].values()
    assert pair == [{"name": "sbc1.example.com", "address": "10.0.0.1"}, {"address": "10.0.0.2"}]
    assert single == [{"address": "10.0.0.7"}]
    assert f"# 2 lines worked with these, with 2 moves between them.\n{site_draft.SEVERAL}" in draft
    assert f"# 1 line worked with this one.\n{site_draft.ALONE}" in draft
    models = {f"{line.model} {line.firmware}" for line in report.lines}
    assert len(models) == 1
    assert f"  # 2 lines: {models.pop()}\n" in draft


def test_lines_whose_servers_dns_tells_need_no_entry(tmp_path: Path) -> None:
    story = Story()
    phone = Handset(story)
    looks_up(phone, -1)
    phone.register(0)
    phone.fail_over(300)
    capture = written(story, tmp_path)
    file = drafted(capture, tmp_path)
    assert yaml.safe_load(file.read_text()) == {"lines": [{"match": {}}]}
    assert judged(capture, file).findings == []


@pytest.mark.parametrize("user", ["1001\\x1b[31m", 'a"b', "#", "a: {b", "é", "*"])
def test_what_a_phone_calls_itself_stays_text(user: str, tmp_path: Path) -> None:
    story = Story()
    moved("R2", story, user="1001")
    moved("R2", story, user="1002", place=("10.1.0.7", 5060))
    odd = Handset(story, user, ("10.1.0.6", 5060), agent='Polycom: {"[\x1b]} # VVX\x00')
    odd.register(1, ("10.0.0.7", 5060))
    declared = yaml.safe_load(drafted(written(story, tmp_path), tmp_path).read_text())
    assert set(declared) == {"entries", "lines"}
    assert all(set(item) == {"match", "entry"} for item in declared["lines"])


def test_the_command_prints_it_and_analyze_names_the_command(tmp_path: Path) -> None:
    capture = str(SAMPLES / "first-outage" / "capture.pcap")
    summary = Ran("analyze", capture, folder=tmp_path)
    (named,) = [line for line in summary.out.splitlines() if "--draft-site" in line]
    command = shlex.split(named.partition("sipaudit ")[2])
    ran = Ran(*command[:command.index(">")], folder=tmp_path)
    assert (ran.code, ran.err) == (0, "")
    assert set(yaml.safe_load(ran.out)) == {"entries", "lines"}


@pytest.mark.parametrize(("options", "said"), [
    (("--site", str(SAMPLES / "first-outage" / "site.yaml")), "leave out --site, --format, -o and --fail-on"),
    (("--format", "json"), "leave out --site, --format, -o and --fail-on"),
    (("-o", "out"), "leave out --site, --format, -o and --fail-on"),
    (("--fail-on", "info"), "leave out --site, --format, -o and --fail-on"),
    (("--to", "+0.001s"), "no phone was seen working with any server"),
])
def test_where_it_cannot_be_drafted_that_is_said(tmp_path: Path, options: tuple[str, ...], said: str) -> None:
    ran = Ran("phones", str(SAMPLES / "first-outage" / "capture.pcap"), *options, "--draft-site", folder=tmp_path)
    assert (ran.code, ran.out) == (2, "")
    assert said in ran.err
    assert list(tmp_path.iterdir()) == []


def uncommented(text: str) -> str:
    return text.replace("    # settings", "    settings").replace("    #   ", "      ")


def test_settings_that_were_filled_in_are_those_of_the_lines(tmp_path: Path) -> None:
    capture = str(SAMPLES / "premature-failback" / "capture.pcap")
    file = drafted(capture, tmp_path)
    text = uncommented(file.read_text()).replace("On: (?)", "On: 1").replace("Registered: (?)", "Registered: 1")
    file.write_text(text.replace("mode: (?)", "mode: duration").replace("timeout: (?)", "timeout: 60"))
    lines = judged(capture, file).lines
    assert {(line.regime, line.mode, line.settings["failBack.timeout"].value) for line in lines} == {
        ("R2", "duration", 60)}


def test_settings_that_nobody_filled_in_are_refused(tmp_path: Path) -> None:
    """Taken unchanged, example values would accuse phones that are set otherwise."""
    capture = str(SAMPLES / "premature-failback" / "capture.pcap")
    file = drafted(capture, tmp_path)
    file.write_text(uncommented(file.read_text()))
    ran = Ran("analyze", capture, "--site", str(file), folder=tmp_path)
    assert (ran.code, ran.out, ran.err.count("cannot be '(?)'")) == (2, "", 5)
