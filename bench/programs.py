"""What is run on a capture: sipaudit, and its neighbours as far as they are installed."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from bench.captures import SITE

SIPAUDIT = str(Path(sys.executable).with_name("sipaudit"))
FIELDS = ("frame.number", "frame.time_epoch", "ip.src", "ip.dst", "sip.Method", "sip.Status-Code", "sip.Call-ID",
          "sip.CSeq", "sip.from.addr", "sip.to.addr")


@dataclass(frozen=True)
class Program:
    """A command that reads a capture; `one_core`: it is held to a single core, the others may use all of them."""

    name: str
    command: Callable[[str], list[str]]
    asked_version: tuple[str, ...]
    one_core: bool = False

    @property
    def installed(self) -> bool:
        return shutil.which(self.asked_version[0]) is not None

    def version(self) -> str:
        """`sngrep 1.6.0`."""
        ran = subprocess.run(self.asked_version, capture_output=True, text=True, check=False)
        found = re.search(r"\d+\.\d+[\w.]*", ran.stdout + ran.stderr)
        return f"{self.name} {found[0] if found else 'of unknown version'}"


def _tshark(capture: str) -> list[str]:
    columns = [word for name in FIELDS for word in ("-e", name)]
    return ["tshark", "-n", "-r", capture, "-Y", "sip", "-T", "fields", *columns]


PROGRAMS = (
    Program("sipaudit", lambda capture: [SIPAUDIT, "analyze", capture, "--site", str(SITE), "--format", "json"],
            (SIPAUDIT, "--version"), one_core=True),
    # Without -l it stops at 20,000 dialogs and only looks fast.
    Program("sngrep", lambda capture: ["sngrep", "-N", "-q", "-l", "1000000", "-I", capture], ("sngrep", "-V")),
    Program("tshark", _tshark, ("tshark", "-v")),
    Program("tcpdump", lambda capture: ["tcpdump", "-Z", "root", "-r", capture, "-w", "/dev/null"],
            ("tcpdump", "--version")),
)
