"""A probe at a mirror port, with a real kernel, real tcpreplay and real dumpcap between the captures and it."""

from __future__ import annotations

import json
import pwd
import signal
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pytest

import sipaudit
from tests.live.mirror import Mirror, mirror, wait_until, why_not
from tests.shared import ROOT

SAMPLES = ROOT / "samples"
WHY_NOT = why_not()
pytestmark = pytest.mark.skipif(bool(WHY_NOT), reason=f"no mirror port: {WHY_NOT}")

STORIES = ("premature-failback", "signalling-before-registration", "tcp", "three-servers", "flapping", "register-storm",
           "stuck-on-secondary", "clean-outage")
SPEED = 24   # times as fast as it happened: what takes minutes is over in seconds


@pytest.fixture
def port(tmp_path: Path) -> Iterator[Mirror]:
    with mirror(tmp_path) as made:
        yield made


@dataclass
class Both:
    """What a probe said, and the report of what was recorded beside it."""

    findings: list[dict[str, Any]]
    incidents: list[dict[str, Any]]
    withdrawn: list[dict[str, Any]]
    report: dict[str, Any]


@pytest.fixture(scope="module")
def both(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Both]:
    """All stories at once, each at a port of its own."""
    with ThreadPoolExecutor(len(STORIES)) as pool:
        return dict(zip(STORIES, pool.map(lambda sample: heard(sample, tmp_path_factory.mktemp(sample)), STORIES),
                        strict=True))


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
    """What must agree of findings; of one port two listeners see the same times."""
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
    assert {"flapping", "premature-failback"} <= rules   # what becomes of them when minutes are seconds
    assert {"server-outage", "register-storm"} <= kinds


def test_a_port_that_goes_down_is_heard_again_when_it_is_back(port: Mirror) -> None:
    listener = port.live()
    port.ip("link", "set", "tap", "down")
    port.ip("link", "set", "tap", "up")
    sample = SAMPLES / "clean-outage"
    wait_until(lambda: _heard(port, sample, listener.folder / "said.jsonl"), "packets after the port came back")
    assert listener.end() == 0
    health = listener.sayings("health")[-1]["health"]
    assert health["blind_s"] > 0


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
