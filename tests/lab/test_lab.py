"""All scenes are played at once: sipaudit finds what the scripts did, and nothing is left behind.

Runs only as root and with the programs of ability.PROGRAMS. Takes two minutes,
most of them waiting for real timers.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.ctrl_c import hears_ctrl_c
from tests.lab.ability import missing
from tests.lab.play import TOO_BUSY, begin
from tests.lab.scenes import SCENES
from tests.lab.verdict import analyzed, differences, moved_because
from tests.shared import ROOT

WHY_NOT = missing()
pytestmark = pytest.mark.skipif(bool(WHY_NOT), reason=f"the lab is not played: {WHY_NOT}")

LONGEST = 240.0    # seconds that the whole lab may take


@pytest.fixture(scope="module")
def playing(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, tuple[Path, subprocess.Popen[bytes]]]]:
    """Start all scenes; those that still run at the end are killed."""
    top = tmp_path_factory.mktemp("lab")
    scenes: dict[str, tuple[Path, subprocess.Popen[bytes]]] = {}
    try:
        for name in SCENES:
            scenes[name] = top / name, begin(name, top / name)
        yield scenes
    finally:
        for _, process in scenes.values():
            process.kill()
            process.wait()


@pytest.mark.parametrize("name", SCENES)
def test_what_is_found_is_what_was_done(
    playing: dict[str, tuple[Path, subprocess.Popen[bytes]]], name: str
) -> None:
    folder, process = playing[name]
    code = process.wait(timeout=LONGEST)
    log = (folder / "lab.log").read_text()
    if code == TOO_BUSY:
        pytest.skip(log)
    assert code == 0, log
    report, scene = analyzed(folder), SCENES[name]()
    assert differences(report, folder) == []
    assert scene.fewest(scene.lines()) <= len(report.lines) <= scene.lines()
    assert scene.cause in moved_because(report)


# What an interrupted lab leaves behind

def descendants(parent: int) -> dict[int, str]:
    """The descendants of a process: their ids with their network namespaces."""
    parents: dict[int, int] = {}
    for status in Path("/proc").glob("[0-9]*/stat"):
        try:
            parents[int(status.parent.name)] = int(status.read_text().rpartition(")")[2].split()[1])
        except (FileNotFoundError, ProcessLookupError):
            continue
    found = {parent}
    while more := {child for child, above in parents.items() if above in found} - found:
        found |= more
    return {process: space for process in found - {parent} if (space := _network(process))}


def _network(process: int) -> str:
    try:
        return str(Path(f"/proc/{process}/ns/net").readlink())
    except OSError:
        return ""   # the process has ended, or is not ours


def within(seconds: float, holds: Callable[[], bool]) -> bool:
    end = time.monotonic() + seconds
    while not holds():
        if time.monotonic() > end:
            return False
        time.sleep(0.1)
    return True


ENDS: dict[str, Callable[[int], None]] = {
    "Ctrl-C": lambda process: os.killpg(process, signal.SIGINT),
    "killed": lambda process: os.kill(process, signal.SIGKILL),
}


@pytest.mark.parametrize("end", ENDS)
def test_an_interrupted_lab_leaves_nothing_behind(tmp_path: Path, end: str) -> None:
    """When the starting process ends, all its processes end, and their namespaces with them."""
    starter = subprocess.Popen(
        [sys.executable, "-m", "tests.lab.play", "names", str(tmp_path)], cwd=ROOT, start_new_session=True,
        stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, preexec_fn=hears_ctrl_c,
    )
    try:
        assert within(30, lambda: (tmp_path / "log" / "1001.err").exists() or len(descendants(starter.pid)) > 20)
        processes = descendants(starter.pid)
        spaces = set(processes.values()) - {_network(os.getpid())}
        assert len(spaces) == 3, "tap, core and phones"
        ENDS[end](starter.pid)
        starter.wait(timeout=10)
        assert within(10, lambda: all(_network(process) != space for process, space in processes.items()))
    finally:
        starter.kill()
        starter.wait()
    assert not {_network(int(folder.name)) for folder in Path("/proc").glob("[0-9]*")} & spaces
