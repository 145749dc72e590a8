"""The command as tests run it, and the paths of the shared public captures."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).resolve().parent.parent
SHARED = ROOT.parent / "shared"
CAPTURES = SHARED / "captures"
INDEX: list[dict[str, Any]] = json.loads((CAPTURES / "index.json").read_text()) if CAPTURES.is_dir() else []
"""What Wireshark counts in each of the shared captures; empty where they are not installed."""
CORPORA = sorted(path for path in CAPTURES.glob("*+*/*") if path.is_file())
SAMPLES = sorted(ROOT.glob("samples/*/capture.pcap*")) + sorted(ROOT.glob("samples/lab/*/*.pcap*"))
SAMPLE = ROOT / "samples" / "first-outage"   # the sample that most tests use
COMMAND = [sys.executable, "-m", "sipaudit"]


def needs(*programs: str) -> pytest.MarkDecorator:
    """Skips a test where one of these programs is not installed."""
    missing = [program for program in programs if shutil.which(program) is None]
    return pytest.mark.skipif(bool(missing), reason=f"{' and '.join(missing)} must be installed")


needs_tshark, needs_openssl = needs("tshark"), needs("openssl")
needs_captures = pytest.mark.skipif(
    not CAPTURES.is_dir(), reason=f"the shared captures are not at {CAPTURES}: corpus tests are skipped"
)


class Ran:
    """The result of the command in a process of its own: exit code, stdout and stderr. `shell` holds redirections for a
    shell, `home` is the checkout whose code runs, `tz` the TZ of its environment."""

    def __init__(self, *arguments: str, folder: Path, shell: str = "", home: Path = ROOT, tz: str = "UTC") -> None:
        command = [*COMMAND, *arguments]
        if shell:
            command = ["sh", "-c", f'"$@" {shell}', "sh", *command]
        done = subprocess.run(command, capture_output=True, text=True, cwd=folder, check=False,
                              env={"PYTHONPATH": str(home), "PATH": "/usr/bin:/bin", "TZ": tz})
        self.code, self.out, self.err = done.returncode, done.stdout, done.stderr
