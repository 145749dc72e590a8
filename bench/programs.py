"""The programs that are run on a capture: sipaudit and its neighbours."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from bench.captures import DATA, Capture, Workload
from bench.outage import Outage
from bench.until import command

SIPAUDIT = str(Path(sys.executable).with_name("sipaudit"))
ASKED = (SIPAUDIT, "--version")
FIELDS = ("frame.number", "frame.time_epoch", "ip.src", "ip.dst", "sip.Method", "sip.Status-Code", "sip.Call-ID",
          "sip.CSeq", "sip.from.addr", "sip.to.addr")
COPY = DATA / "copy.pcap"
FILES = DATA / "files"
JOBS = (1, 2)
ROUTE, JSON, ALL = "without a report", "with report.json", "with all files"   # sipaudit, for the cost of reports


@dataclass(frozen=True)
class Program:
    """A command that reads a capture. `ours`: it is sipaudit, and must not fail; `one_core`: it is pinned to one core,
    while others may use all; `once`: one run is enough."""

    name: str
    command: Callable[[Capture], list[str]]
    asked_version: tuple[str, ...]
    ours: bool = False
    one_core: bool = False
    once: bool = False

    @property
    def installed(self) -> bool:
        return shutil.which(self.asked_version[0]) is not None

    def version(self) -> str:
        """`sngrep 1.6.0`."""
        ran = subprocess.run(self.asked_version, capture_output=True, text=True, check=False)
        found = re.search(r"\d+\.\d+[\w.]*", ran.stdout + ran.stderr)
        return f"{Path(self.asked_version[0]).name} {found[0] if found else 'of unknown version'}"


def name_of(jobs: int) -> str:
    """The name of sipaudit with `jobs` jobs in the results."""
    return f"sipaudit --jobs {jobs}"


def _analyze(capture: Capture, jobs: int, *output: str) -> list[str]:
    return [SIPAUDIT, "-q", "analyze", str(capture.path), "--site", str(capture.site), "--jobs", str(jobs), *output]


def sipaudit(jobs: int) -> Program:
    """sipaudit with `jobs` jobs, writing its complete report."""
    return Program(name_of(jobs), lambda capture: _analyze(capture, jobs, "--format", "json"), ASKED, ours=True,
                   one_core=jobs == 1)


def _tshark(capture: Capture) -> list[str]:
    columns = [word for name in FIELDS for word in ("-e", name)]
    return ["tshark", "-n", "-r", str(capture.path), "-Y", "sip", "-T", "fields", *columns]


def _tcpdump(capture: Capture) -> list[str]:
    return ["tcpdump", "-Z", "root", "-r", str(capture.path), "-w", str(COPY), f"{_transport(capture)} port 5060"]


def _transport(capture: Capture) -> str:
    return capture.transport if isinstance(capture, Workload) else "udp"


NEIGHBOURS = {
    # Without -l it stops at 20,000 dialogs and only looks fast.
    "sngrep": Program("sngrep", lambda capture: ["sngrep", "-N", "-q", "-l", "1000000", "-I", str(capture.path)],
                      ("sngrep", "-V")),
    "tcpdump": Program("tcpdump", _tcpdump, ("tcpdump", "--version")),
    "sipgrep": Program("sipgrep", lambda capture: ["sipgrep", "-R", "-C", "-I", str(capture.path)], ("sipgrep", "-V")),
    "tshark": Program("tshark", _tshark, ("tshark", "-v")),
    "sip-doctor": Program("sip-doctor", lambda capture: ["sip-doctor", "read", "--all", "--json", str(capture.path)],
                          ("sip-doctor", "--version")),
}


def programs_for(capture: Capture) -> list[Program]:
    """The programs to run on a capture, in order: sngrep between the runs of sipaudit with which it is compared."""
    if isinstance(capture, Outage):
        return [_route(once=False), *_REPORTING]
    assert isinstance(capture, Workload)
    first, *others = [sipaudit(jobs) for jobs in JOBS]
    beside = [program for name, program in NEIGHBOURS.items() if name in capture.beside]
    return [first, *beside[:1], *others, *beside[1:], _route(once=True)]


def _route(*, once: bool) -> Program:
    """sipaudit up to the last packet, without the report."""
    return Program(ROUTE, lambda capture: command(capture.path, "follow", capture.site), ASKED, ours=True,
                   one_core=True, once=once)


_REPORTING = (
    Program(JSON, lambda capture: _analyze(capture, 1, "--format", "json"), ASKED, ours=True, one_core=True),
    Program(ALL, lambda capture: _analyze(capture, 1, "-o", str(FILES)), ASKED, ours=True, one_core=True),
)
