"""The command, as tests run it, and where the shared public captures lie."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
SHARED = ROOT.parent / "shared"
CAPTURES = SHARED / "captures"
SAMPLE = ROOT / "samples" / "first-outage"   # the one that most tests look at
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
    """What came of the command in a process of its own: exit code, stdout and stderr. `shell` are the redirections that
    a shell adds to it, `home` is the checkout that it is of, `tz` the zone of its environment."""

    def __init__(self, *arguments: str, folder: Path, shell: str = "", home: Path = ROOT, tz: str = "UTC") -> None:
        command = [*COMMAND, *arguments]
        if shell:
            command = ["sh", "-c", f'"$@" {shell}', "sh", *command]
        done = subprocess.run(command, capture_output=True, text=True, cwd=folder, check=False,
                              env={"PYTHONPATH": str(home), "PATH": "/usr/bin:/bin", "TZ": tz})
        self.code, self.out, self.err = done.returncode, done.stdout, done.stderr
