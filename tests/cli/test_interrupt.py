"""Ctrl-C in a running command: the real program, a real signal."""

from __future__ import annotations

import signal
import struct
import subprocess
import sys
from pathlib import Path

MORE_THAN_A_PIPE_HOLDS = 2_000_000  # bytes: writing them ends only when the command is reading
HEADER = struct.pack("<IHHiIII", 0xA1B2C3D4, 2, 4, 0, 0, 65535, 1)
PACKET = struct.pack("<IIII", 1_700_000_000, 0, 1000, 1000) + bytes(1000)


def _hears_ctrl_c() -> None:
    """A shell starts what it puts in the background deaf to SIGINT, and the tests may be run so."""
    signal.signal(signal.SIGINT, signal.SIG_DFL)


def test_ctrl_c_while_reading_ends_with_130_and_writes_nothing(tmp_path: Path) -> None:
    out = tmp_path / "out"
    with subprocess.Popen(
        [sys.executable, "-m", "sipaudit.cli.main", "analyze", "-", "-o", out],
        stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, preexec_fn=_hears_ctrl_c,
    ) as command:
        assert command.stdin is not None
        command.stdin.write(HEADER + PACKET * (MORE_THAN_A_PIPE_HOLDS // len(PACKET)))
        command.stdin.flush()
        command.send_signal(signal.SIGINT)
        assert command.wait(timeout=60) == 130
        assert command.stdout is not None
        assert command.stderr is not None
        assert command.stdout.read() == b""
        assert command.stderr.read() == b"sipaudit: interrupted\n"
    assert not out.exists()
