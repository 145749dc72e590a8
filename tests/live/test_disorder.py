"""Packets that arrive out of the order of their times."""

from __future__ import annotations

import subprocess
from pathlib import Path

from sipaudit.capture.health import CaptureHealth
from sipaudit.live.disorder import Disorder
from tests.capture.numbered import START, pcap
from tests.live.mirror import wait_until
from tests.shared import COMMAND


def test_a_source_that_is_out_of_order_is_named_once() -> None:
    said: list[str] = []
    a, b = CaptureHealth("a"), CaptureHealth("b")
    disorder = Disorder([a, b], said.append)
    disorder.turn()
    a.late, a.late_by, b.late, b.late_by = 1, 0.0008, 3, 0.0012
    for _ in range(3):
        disorder.turn()
    assert [one.partition(", so")[0] for one in said] == ["packets of b come up to 0.001 s behind later ones"]


def test_agents_whose_clocks_differ_are_named_once() -> None:
    said: list[str] = []
    hep = CaptureHealth("udp://0.0.0.0:9060")
    disorder = Disorder([hep], said.append)
    for apart in (0.0, 2.5, 2.6):
        hep.agents_apart = apart
        disorder.turn()
    assert [one.partition(":  what")[0][:79] for one in said] == [
        "agents that ship to udp://0.0.0.0:9060 see the same messages up to 2.5 s apart:"]


def test_so_is_a_directory_into_which_several_interfaces_are_captured(tmp_path: Path) -> None:
    log, seen = tmp_path / "log", tmp_path / "seen"
    seen.mkdir()
    (seen / "a.pcap").write_bytes(pcap([START, START + 0.2, START + 0.1, START + 0.3]))
    command = [*COMMAND, "live", "--follow", str(seen)]
    with log.open("wb") as errors, subprocess.Popen(command, stderr=errors, stdout=subprocess.DEVNULL) as live:
        wait_until(lambda: "behind later ones" in log.read_text() or live.poll() is not None, "it is logged")
        live.terminate()
        assert live.wait(60) == 0
    assert f"packets of {seen} come up to 0.100 s behind later ones" in log.read_text()
