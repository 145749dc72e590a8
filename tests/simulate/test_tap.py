"""The same story however it is captured: with tags or tunnels, duplicated, with losses, one-sided, begun too late."""

from __future__ import annotations

import subprocess
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import yaml

from sipaudit import pipeline
from sipaudit.simulate.simulate import simulate
from tests.score.runs import Judged
from tests.shared import needs_tshark
from tests.simulate.plans import plan, settings

Judge = Callable[[dict[str, Any]], Judged]


@pytest.mark.parametrize("tap", [
    {"vlans": [10]}, {"vlans": [10, 20]}, {"tunnel": "gre"}, {"tunnel": "ipip"}, {"tunnel": "vxlan"}, {"mtu": 500},
    {"doubles": 0.5}, {"mtu": 500, "vlans": 7, "doubles": 0.5},
], ids=str)
def test_what_the_packets_are_dressed_in_does_not_matter(judge: Judge, tap: dict[str, Any]) -> None:
    bare, dressed = judge(plan()), judge(plan(tap=tap))
    assert dressed.moves == bare.moves == bare.true_moves
    assert dressed.report.captures[0].sip_messages == bare.report.captures[0].sip_messages


@pytest.mark.parametrize("tap", [
    {"loss": 0.05}, {"loss": 0.3}, {"sees": "from-phones"}, {"sees": "to-phones"}, {"from": 210}, {"from": 300},
], ids=str)
def test_what_the_tap_does_not_see_is_held_against_nobody(judge: Judge, tap: dict[str, Any]) -> None:
    seen = judge(plan({"count": 10}, tap=tap))
    assert seen.verdict.false == []


@pytest.mark.parametrize("network", [
    {"loss": 0.03}, {"duplicate": 0.2}, {"reorder": 0.3}, {"delay": 0.4, "jitter": 0.3},
], ids=str)
@pytest.mark.parametrize("transport", ["udp", "tcp"])
def test_a_bad_network_makes_nobody_guilty(judge: Judge, network: dict[str, Any], transport: str) -> None:
    seen = judge(plan({"count": 10, "transport": transport}, network=network))
    assert seen.verdict.false == []


def test_the_story_is_the_same_whatever_the_tap_loses(judge: Judge) -> None:
    assert judge(plan()).truth == judge(plan(tap={"loss": 0.2})).truth


@needs_tshark
def test_wireshark_finds_nothing_to_object_to(judge: Judge, tmp_path: Path) -> None:
    """Checksums, lengths, sequence numbers and dissection, checked by a reader that is not ours."""
    groups = [
        plan({"user": 1001 + 100 * place, "transport": transport, "boot-traffic": True, "subscribe": True,
              "calls": [{"every": 50, "kind": "hold", "rtp": transport == "udp"}]})["phones"][0]
        for place, transport in enumerate(("udp", "tcp", "tls"))
    ]
    told = plan(duration=300)
    told["entries"]["sbc"]["name"] = "sip.example.com"
    judge(told | {"phones": groups})
    objections = ("_ws.malformed || ip.checksum.status == 0 || udp.checksum.status == 0 || tcp.checksum.status == 0 "
                  "|| tcp.analysis.lost_segment || tcp.analysis.ack_lost_segment")
    checks = [word for name in ("ip", "udp", "tcp") for word in ("-o", f"{name}.check_checksum:TRUE")]
    ran = subprocess.run(["tshark", "-n", "-r", tmp_path / "plan.pcap", *checks, "-Y", objections],
                         capture_output=True, text=True, check=True)
    assert ran.stdout == ""


@needs_tshark
def test_with_the_keys_tls_is_read_as_if_it_were_tcp(judge: Judge, tmp_path: Path) -> None:
    slow = settings("R2", "duration") | {"failBack.timeout": 180}   # at the time of the try, the server is back
    told = plan({"transport": "tls", "settings": slow, "deviates": "premature-failback"}, tap={"keys": True})
    (tmp_path / "plan.yaml").write_text(yaml.safe_dump(told, sort_keys=False))
    capture, site, _, keylog = simulate(str(tmp_path / "plan.yaml"), str(tmp_path / "out.pcap"))
    job = pipeline.Job(paths=(str(capture),), site=str(site), keylog=str(keylog))
    read = pipeline.analyze(job, warn=lambda _: None)
    plain = judge(told | {"phones": [told["phones"][0] | {"transport": "tcp"}]}).report
    found, expected = (sorted((one.rule, one.line) for one in report.findings) for report in (read, plain))
    assert found == expected != []
    assert read.captures[0].sip_messages == plain.captures[0].sip_messages
    assert pipeline.analyze(replace(job, keylog=None), warn=lambda _: None).captures[0].sip_messages == 0
