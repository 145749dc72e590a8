"""A mirror port in its own network namespace: a cable with two ends (veth). Captures are replayed into one end; a probe
and dumpcap listen at the other.

The namespace belongs to a process and has no name, so it goes when its processes end, however they end.
"""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

SIPAUDIT = Path(sys.executable).with_name("sipaudit")
TOOLS = ("ip", "tcpreplay", "dumpcap", "unshare", "nsenter")
LASTS = 300       # seconds after which a namespace is gone at the latest
READY = 30.0      # seconds that a program may take to become ready
POLL = 0.05


def why_not() -> str:
    """The reason why no mirror port can be made here; empty if one can."""
    if os.geteuid():
        return "only root can make network namespaces"
    missing = [tool for tool in TOOLS if shutil.which(tool) is None]
    if missing:
        return f"not installed: {', '.join(missing)}"
    done = subprocess.run(["unshare", "--net", "true"], capture_output=True, check=False)
    return "" if done.returncode == 0 else "network namespaces cannot be made here"


def wait_until(holds: Any, what: str, within: float = READY) -> None:
    """Wait until `holds` is true; fail with `what` after `within` seconds."""
    end = time.monotonic() + within
    while not holds():
        if time.monotonic() > end:
            raise AssertionError(f"waited {within:.0f} s in vain: {what}")
        time.sleep(POLL)


class Listener:
    """A running `sipaudit live`. `folder` has its output and its sayings."""

    def __init__(self, process: subprocess.Popen[bytes], folder: Path) -> None:
        self.process = process
        self.folder = folder

    @property
    def errors(self) -> str:
        return (self.folder / "stderr").read_text()

    def sayings(self, kind: str | None = None) -> list[dict[str, Any]]:
        """The sayings so far (of one kind), from complete lines only."""
        path = self.folder / "said.jsonl"
        lines = path.read_bytes().split(b"\n")[:-1] if path.exists() else []
        said = [json.loads(line) for line in lines]
        return [one for one in said if kind is None or one["type"] == kind]

    def ready(self) -> Listener:
        wait_until(lambda: "listening" in self.errors or self.process.poll() is not None, "the probe listens")
        assert self.process.poll() is None, self.errors
        return self

    def end(self, number: int = signal.SIGTERM) -> int:
        """End it by this signal; return its exit code."""
        if self.process.poll() is None:
            self.process.send_signal(number)
        return self.process.wait(READY)


def assert_was_blind_and_sees(listener: Listener) -> None:
    """An ended listener had a source that was away for a while, and at the end none was."""
    health = listener.sayings("health")[-1]["health"]
    assert health["blind_s"] > 0
    assert not health["sources_away"]


class Mirror:
    """The namespace with its cable: packets are sent into `wire` and seen at `tap`."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._started: list[subprocess.Popen[bytes]] = []
        self._holder = subprocess.Popen(["unshare", "--net", "--", "sleep", str(LASTS)])
        wait_until(self._apart, "a network namespace")
        self.cable()

    def cable(self) -> None:
        self.ip("link", "add", "name", "wire", "type", "veth", "peer", "name", "tap")
        for end in ("wire", "tap"):
            self.ip("link", "set", end, "addrgenmode", "none", "up")

    def _apart(self) -> bool:
        return Path(f"/proc/{self._holder.pid}/ns/net").readlink() != Path("/proc/self/ns/net").readlink()

    def inside(self, *command: str) -> list[str]:
        return ["nsenter", "-t", str(self._holder.pid), "-n", "--", *command]

    def ip(self, *words: str) -> None:
        subprocess.run(self.inside("ip", *words), check=True, capture_output=True)

    def start(self, *command: str, log: Path) -> subprocess.Popen[bytes]:
        with log.open("ab") as output:
            process = subprocess.Popen(self.inside(*command), stdin=subprocess.DEVNULL, stdout=output, stderr=output)
        self._started.append(process)
        return process

    def live(self, *options: str, name: str = "live") -> Listener:
        """Start `sipaudit live` at the tap and wait until it is ready. By default its sayings go to `said.jsonl`."""
        folder = self.folder / name
        folder.mkdir(exist_ok=True)
        said = () if "--jsonl" in options else ("--jsonl", str(folder / "said.jsonl"))
        process = self.start(str(SIPAUDIT), "live", "-i", "tap", *said, *options, log=folder / "stderr")
        return Listener(process, folder).ready()

    def record(self, path: Path) -> subprocess.Popen[bytes]:
        """Start dumpcap at the tap."""
        log = self.folder / "dumpcap.log"
        process = self.start("dumpcap", "-i", "tap", "-w", str(path), log=log)
        wait_until(lambda: "File:" in log.read_text() or process.poll() is not None, "dumpcap records")
        return process

    def replay(self, capture: Path, *how: str) -> None:
        """Replay a capture into `wire`; returns when all packets are sent."""
        done = subprocess.run(self.inside("tcpreplay", "-q", "-i", "wire", *how, str(capture)), capture_output=True,
                              text=True, check=False)
        assert done.returncode == 0, done.stderr

    def close(self) -> None:
        for process in (*self._started, self._holder):
            if process.poll() is None:
                process.terminate()
            process.wait(READY)


@contextmanager
def mirror(folder: Path) -> Iterator[Mirror]:
    """A mirror port for the duration of a test."""
    made = Mirror(folder)
    try:
        yield made
    finally:
        made.close()
