"""A probe at a mirror port: real tcpreplay sends the captures through a real kernel, and real dumpcap records them."""

from __future__ import annotations

import json
import os
import pwd
import re
import signal
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pytest

import sipaudit
from tests.live.mirror import SIPAUDIT, Listener, Mirror, assert_was_blind_and_sees, mirror, wait_until, why_not
from tests.live.stories import outage, written
from tests.shared import ROOT
from tests.stories import S, Story, handsets

SAMPLES = ROOT / "samples"
WHY_NOT = why_not()
pytestmark = pytest.mark.skipif(bool(WHY_NOT), reason=f"no mirror port: {WHY_NOT}")

STORIES = ("premature-failback", "signalling-before-registration", "tcp", "three-servers", "flapping", "register-storm",
           "stuck-on-secondary", "clean-outage")
SPEED = 24   # times as fast as recorded: minutes pass in seconds


@dataclass
class Both:
    """What a probe said, and the report of `analyze` on what dumpcap recorded beside it."""

    findings: list[dict[str, Any]]
    incidents: list[dict[str, Any]]
    withdrawn: list[dict[str, Any]]
    report: dict[str, Any]


@pytest.fixture(scope="module")
def both(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Both]:
    """All stories at once, each at its own port."""
    folders = [tmp_path_factory.mktemp(sample) for sample in STORIES]   # not in the threads: the first makes the base
    with ThreadPoolExecutor(len(STORIES)) as pool:
        return dict(zip(STORIES, pool.map(heard, STORIES, folders), strict=True))


def heard(sample: str, folder: Path) -> Both:
    recording, site = folder / "recorded.pcapng", SAMPLES / sample / "site.yaml"
    with mirror(folder) as port:
        recorder = port.record(recording)
        listener = port.live("--site", str(site))
        port.replay(SAMPLES / sample / "capture.pcap", f"--multiplier={SPEED}")
        assert listener.end() == 0, listener.errors
        recorder.send_signal(signal.SIGINT)
        recorder.wait(30)
    report = json.loads(sipaudit.analyze([recording], site=site).to_json())
    findings = {one["finding"]["id"]: one["finding"] for one in listener.sayings("finding")}
    incidents = {one["incident"]["id"]: one["incident"] for one in listener.sayings("incident")}
    return Both(list(findings.values()), list(incidents.values()), listener.sayings("withdrawn"), report)


def told(findings: list[dict[str, Any]]) -> list[tuple[Any, ...]]:
    """The fields of findings that must agree, times included: both listeners see the same times at one port."""
    return sorted((one["time"], one["rule"], one["line"], one["phone"], one["server"], one["severity"],
                   one["confidence"], one["facts"].get("times"), len(one["evidence"])) for one in findings)


def outlined(incidents: list[dict[str, Any]]) -> list[tuple[Any, ...]]:
    return sorted((one["start"], one["kind"], one["server"] or "", one["state"], one["end"], one["lines"],
                   len(one["findings"])) for one in incidents)


@pytest.mark.parametrize("sample", STORIES)
def test_a_live_run_finds_what_analyze_finds_in_what_was_recorded_beside_it(both: dict[str, Both], sample: str) -> None:
    heard, report = both[sample], both[sample].report
    assert not heard.withdrawn
    assert told(heard.findings) == told(report["findings"])
    assert outlined(heard.incidents) == outlined(report["incidents"])


def test_the_stories_are_worth_comparing(both: dict[str, Both]) -> None:
    rules = {one["rule"] for heard in both.values() for one in heard.findings}
    kinds = {one["kind"] for heard in both.values() for one in heard.incidents}
    assert {"flapping", "premature-failback"} <= rules   # found at this speed
    assert {"server-outage", "register-storm"} <= kinds


def test_a_port_that_goes_down_is_heard_again_when_it_is_back(port: Mirror) -> None:
    listener = port.live()
    port.ip("link", "set", "tap", "down")
    wait_until(lambda: any(one["health"]["sources_away"] for one in listener.sayings("health")), "health that says so")
    port.ip("link", "set", "tap", "up")
    sample = SAMPLES / "clean-outage"
    wait_until(lambda: _heard(port, sample, listener.folder / "said.jsonl"), "packets after the port came back")
    assert listener.end() == 0
    assert_was_blind_and_sees(listener)
    assert "tap is away, and is opened again when it is back" in listener.errors
    assert re.search(r"tap is back after \d+ s$", listener.errors, re.MULTILINE)


@pytest.mark.skipif(not Path("/dev/net/tun").exists(), reason="no tunnels here")
def test_a_port_that_comes_back_as_one_that_the_filter_is_not_for_stays_away_and_ends_nothing(port: Mirror) -> None:
    listener = port.live("--filter", "not ether host 02:00:00:00:00:09")
    port.ip("link", "delete", "tap")
    port.ip("tuntap", "add", "dev", "tap", "mode", "tun")
    port.ip("link", "set", "tap", "up")
    wait_until(lambda: "cannot be used" in listener.errors or listener.process.poll() is not None, "it was tried")
    port.ip("link", "delete", "tap")
    port.cable()
    wait_until(lambda: "tap is back" in listener.errors or listener.process.poll() is not None, "it is back")
    assert listener.end() == 0
    assert listener.errors.count("cannot be used") == 1


def _heard(port: Mirror, sample: Path, said: Path) -> bool:
    port.replay(sample / "capture.pcap", "--topspeed")
    return b'"type":"line"' in said.read_bytes()


def test_it_keeps_nothing_but_the_right_to_capture(port: Mirror) -> None:
    with TemporaryDirectory() as folder:
        Path(folder).chmod(0o777)
        listener = port.live("--user", "nobody", "--jsonl", f"{folder}/said.jsonl")
        status = dict(line.split(":\t", 1) for line in
                      Path(f"/proc/{listener.process.pid}/status").read_text().splitlines())
        assert set(status["Uid"].split()) == {str(pwd.getpwnam("nobody").pw_uid)}
        assert "0" not in status["Gid"].split()
        assert "0" not in status["Groups"].split()
        assert int(status["CapEff"], 16) == int(status["CapPrm"], 16) == 1 << 13   # CAP_NET_RAW
        assert status["NoNewPrivs"] == "1"
        assert listener.end() == 0


def test_on_a_port_that_falls_silent_an_outage_is_said_nevertheless(port: Mirror) -> None:
    capture, where = outage(port.folder)
    listener = port.live("--site", str(where))
    port.replay(capture)
    assert not listener.sayings("incident")
    wait_until(lambda: listener.sayings("incident"), "an incident, when nothing comes any more")
    assert listener.sayings("incident")[0]["incident"]["kind"] == "server-outage"
    assert listener.end() == 0


@pytest.mark.parametrize("how", [signal.SIGKILL, signal.SIGTERM])
def test_after_its_end_in_mid_outage_a_probe_goes_on(port: Mirror, how: signal.Signals) -> None:
    capture, where = outage(port.folder)
    state = port.folder / "state"
    first = port.live("--site", str(where), "--checkpoint", str(state))
    port.replay(capture)
    wait_until(lambda: first.sayings("incident"), "the outage")
    assert first.end(how) == (0 if how is signal.SIGTERM else -signal.SIGKILL)

    second = port.live("--site", str(where), "--checkpoint", str(state), name="second")
    assert "going on" in second.errors
    story = Story()
    for number, phone in enumerate(handsets(story, range(10, 13)), 10):
        phone.numbers = {phone.registration: 30}
        phone.register(number / 100)
    port.replay(written(port.folder, "again", story))
    assert second.end() == 0
    health = second.sayings("health")[-1]["health"]
    assert health["blind_s"] > 0
    assert health["lines"] == 3
    assert not second.sayings("finding")
    assert not second.sayings("withdrawn")
    assert {one["incident"]["id"] for one in second.sayings("incident")} <= {
        one["incident"]["id"] for one in first.sayings("incident")}


def test_what_was_said_before_a_kill_in_mid_outage_is_in_the_store(port: Mirror) -> None:
    """The probe is killed just when it says the last move, before the store has written it."""
    capture, where = outage(port.folder)
    store = f"sqlite:///{port.folder}/sipaudit.db"
    options = "--site", str(where), "--store", store, "--checkpoint", str(port.folder / "state")
    first = port.live(*options)
    port.replay(capture)
    story = Story()
    for number, phone in enumerate(handsets(story, range(10, 13))):
        phone.numbers = {phone.registration: 10}
        phone.register(number / 100, S)
    port.replay(written(port.folder, "moved", story))
    wait_until(lambda: len(first.sayings("move")) == 3, "the moves")
    assert first.end(signal.SIGKILL) == -signal.SIGKILL
    moves = first.sayings("move")

    second = port.live(*options, name="second")
    assert second.end() == 0
    report = json.loads(subprocess.run([str(SIPAUDIT), "report", store, "--format", "json"], capture_output=True,
                                       check=True).stdout)
    assert sorted((line["line"], move["time"]) for line in report["lines"] for move in line["moves"]) == sorted(
        (one["line"], one["move"]["time"]) for one in moves)
    assert {row["server"] for line in report["lines"] for row in line["registrations"]} >= {"10.0.0.2:5060/udp"}


def reload(listener: Listener, says: str) -> None:
    """Send SIGHUP and wait until the log says `says`."""
    listener.process.send_signal(signal.SIGHUP)
    wait_until(lambda: says in listener.errors, says)


def declared_modes(port: Mirror, capture: Path, listener: Listener) -> set[str]:
    """Replay a capture; return the failback modes by which its lines are judged."""
    port.replay(capture)
    wait_until(lambda: listener.sayings("line"), "the phones")
    return {one["line"]["mode"] for one in listener.sayings("line")}


def test_sighup_reads_the_site_file_again_and_a_bad_one_changes_nothing(port: Mirror) -> None:
    capture, where = outage(port.folder)
    listener = port.live("--site", str(where))
    good = where.read_text()
    where.write_text("lines: 7\n")
    reload(listener, "not reloaded")
    assert "site.yaml:1" in listener.errors
    where.write_text(good.replace("failBack.mode: duration", "failBack.mode: newRequests"))
    reload(listener, "read again")
    assert declared_modes(port, capture, listener) == {"newRequests"}
    assert listener.end() == 0


def test_a_site_file_that_is_just_being_written_declares_what_it_did_before(port: Mirror) -> None:
    capture, where = outage(port.folder)
    listener = port.live("--site", str(where))
    where.write_text("# from here on\n")
    reload(listener, "declares nothing any more")
    assert declared_modes(port, capture, listener) == {"duration"}
    assert listener.end() == 0


@pytest.mark.parametrize("option", ["--site", "--config"])
def test_nobody_waits_for_a_pipe_that_was_read_before(port: Mirror, option: str) -> None:
    capture, where = outage(port.folder)
    config, pipe = port.folder / "phone.cfg", port.folder / "pipe"
    config.write_text('<phone reg.1.address="1010" reg.1.server.1.failOver.failBack.mode="duration"/>\n')
    os.mkfifo(pipe)
    writer = port.start("cp", str(where if option == "--site" else config), str(pipe), log=port.folder / "cp.log")
    listener = port.live(option, str(pipe))
    assert writer.wait(30) == 0
    reload(listener, "is a pipe, which cannot be read again")
    assert "duration" in declared_modes(port, capture, listener)
    assert listener.end() == 0


@pytest.mark.parametrize(("options", "fault"), [
    (("-i", "nowhere"), "no such interface"),
    (("-i", "tap", "--filter", "porridge"), "--filter"),
    (("-i", "tap", "--user", "nobody-of-that-name"), "is not a user"),
    (("-i", "tap", "--jsonl", "/nowhere/said.jsonl"), "/nowhere/said.jsonl"),
    (("-i", "tap", "--checkpoint", "/nowhere/state"), "/nowhere/state"),
    (("-i", "tap", "--checkpoint", "/"), "is no file"),
    (("-i", "tap", "--checkpoint", "/dev/null"), "is no file"),
    (("-i", "tap", "--checkpoint", "/etc/hostname"), "is no checkpoint, and would be replaced by one"),
    (("-i", "tap", "-i", "tap"), "named twice"),
    ((), "nothing to listen to"),
])
def test_what_cannot_be_listened_to_is_said_with_the_way_out(port: Mirror, options: tuple[str, ...], fault: str
                                                              ) -> None:
    log = port.folder / "log"
    assert port.start(str(SIPAUDIT), "live", *options, log=log).wait(30) == 2
    assert fault in log.read_text()


def test_who_may_not_capture_is_told_how_to_be_allowed(port: Mirror) -> None:
    log = port.folder / "log"
    process = port.start("setpriv", "--bounding-set", "-net_raw", "--inh-caps", "-net_raw", str(SIPAUDIT), "live", "-i",
                         "tap", log=log)
    assert process.wait(30) == 2
    assert "setcap cap_net_raw" in log.read_text()
    assert "AmbientCapabilities=CAP_NET_RAW" in log.read_text()


def test_what_was_heard_is_in_the_store_and_in_the_metrics(port: Mirror) -> None:
    capture, where = outage(port.folder)
    port.ip("link", "set", "lo", "up")
    store = f"sqlite:///{port.folder}/sipaudit.db"
    listener = port.live("--site", str(where), "--store", store, "--metrics", "127.0.0.1:9464",
                         "--checkpoint", str(port.folder / "state"))
    port.replay(capture)
    wait_until(lambda: listener.sayings("incident"), "the outage")
    fetch = "import urllib.request as u; print(u.urlopen('http://127.0.0.1:9464/metrics').read().decode())"
    scraped = subprocess.run(port.inside(sys.executable, "-c", fetch), capture_output=True, text=True,
                             check=True).stdout
    assert re.search(r'^sipaudit_incidents_open\{kind="server-outage"\} 1', scraped, re.MULTILINE), scraped
    assert listener.end() == 0
    report = json.loads(subprocess.run([str(SIPAUDIT), "report", store, "--format", "json"], capture_output=True,
                                       check=True).stdout)
    assert [one["kind"] for one in report["incidents"]] == ["server-outage"]
    assert {one["line"] for one in report["lines"]} == {
        f"sip:10{number}@pbx.example.com" for number in range(10, 13)}
    assert report["captures"][0]["path"] == "tap"
