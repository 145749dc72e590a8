"""Ctrl-C in a running command, and the signals of a service manager: real signals to the real program."""

from __future__ import annotations

import os
import signal
import struct
import subprocess
import sys
import time
from pathlib import Path

import pytest

from tests.capture.packets import REGISTER
from tests.ctrl_c import hears_ctrl_c
from tests.frames import udp_frame, write_pcap
from tests.live.mirror import wait_until
from tests.shared import COMMAND, ROOT

MORE_THAN_A_PIPE_HOLDS = 2_000_000  # bytes: writing them returns only once the command reads
HEADER = struct.pack("<IHHiIII", 0xA1B2C3D4, 2, 4, 0, 0, 65535, 1)
PACKET = struct.pack("<IIII", 1_700_000_000, 0, 1000, 1000) + bytes(1000)
INTERRUPTED = """
import signal, sys
from sipaudit.cli.main import main

number, function, file = sys.argv[1:4]
del sys.argv[1:4]

def interrupt(frame, event, _):
    if event == "call" and frame.f_code.co_name == function and file in frame.f_code.co_filename:
        sys.setprofile(None)
        signal.raise_signal(int(number))

sys.setprofile(interrupt)
sys.exit(main())
"""


@pytest.mark.parametrize(("function", "file"), [
    ("<module>", "sipaudit/cli/root.py"), ("<module>", "sipaudit/cli/explain.py"), ("cb", "importlib._bootstrap")])
def test_ctrl_c_while_modules_are_loaded_ends_with_130(function: str, file: str) -> None:
    """Python only reports an exception raised in a callback (`cb`), and goes on."""
    command = interrupted(signal.SIGINT, function, file, "explain", "F6")
    ran = subprocess.run(command, capture_output=True, check=False, timeout=60, preexec_fn=hears_ctrl_c)
    assert (ran.returncode, ran.stdout, ran.stderr) == (130, b"", b"sipaudit: interrupted\n")


def test_nor_is_it_lost_where_it_is_raised_again_too_soon() -> None:
    """On a slow machine Python may still be in that callback when the exception is raised again."""
    command = interrupted(signal.SIGINT, "cb", "importlib._bootstrap", "explain", "F6")
    command[2] = f"import sipaudit.cli.main\nsipaudit.cli.main.SOON = 1e-6\n{command[2]}"
    ran = subprocess.run(command, capture_output=True, check=False, timeout=60, preexec_fn=hears_ctrl_c)
    assert (ran.returncode, ran.stdout, ran.stderr) == (130, b"", b"sipaudit: interrupted\n")


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
@pytest.mark.parametrize(("function", "file"), [
    ("<module>", "sipaudit/cli/root.py"), ("<module>", "sipaudit/live/listening.py"), ("cb", "importlib._bootstrap"),
    ("understand", "sipaudit/run/brief.py"), ("heard", "sipaudit/live/loop.py")])
def test_live_that_is_stopped_before_it_listens_has_ended_well(
        number: signal.Signals, function: str, file: str, tmp_path: Path) -> None:
    command = interrupted(number, function, file, "live", "--follow", str(tmp_path))
    ran = subprocess.run(command, capture_output=True, check=False, timeout=60, preexec_fn=hears_ctrl_c)
    assert (ran.returncode, ran.stdout, ran.stderr) == (0, b"", b"")


def test_live_ends_well_also_with_a_reload_that_it_was_still_to_hear_of(tmp_path: Path) -> None:
    command = interrupted(signal.SIGTERM, "understand", "sipaudit/run/brief.py", "live", "--follow", str(tmp_path))
    command[2] = command[2].replace("signal.raise", "signal.raise_signal(signal.SIGHUP)\n        signal.raise")
    ran = subprocess.run(command, capture_output=True, check=False, timeout=60)
    assert (ran.returncode, ran.stdout, ran.stderr) == (0, b"", b"")


def test_live_ends_well_also_as_a_module_that_is_stopped_within_code_from_a_string(tmp_path: Path) -> None:
    """Python takes that KeyboardInterrupt for an unhandled one."""
    (tmp_path / "stopped.py").write_text("import sys\nfrom sipaudit.cli import main\n"
                                         "main._run = lambda: exec('raise KeyboardInterrupt')\n"
                                         "sys.exit(main.main())\n")
    ran = subprocess.run([sys.executable, "-m", "stopped", "live"], capture_output=True, check=False, timeout=60,
                         env={**os.environ, "PYTHONPATH": f"{ROOT}:{tmp_path}"})
    assert (ran.returncode, ran.stdout, ran.stderr) == (0, b"", b"")


@pytest.mark.parametrize(("function", "file"), [
    ("<module>", "sipaudit/cli/root.py"), ("outputs", "sipaudit/live/outputs.py")])
def test_what_live_is_told_to_read_again_before_it_listens_it_reads_again(
        function: str, file: str, tmp_path: Path) -> None:
    command = interrupted(signal.SIGHUP, function, file, "live", "--follow", str(tmp_path))
    with (tmp_path / "log").open("wb") as log, subprocess.Popen(command, stderr=log) as live:
        wait_until(lambda: live.poll() is not None or b"read again" in (tmp_path / "log").read_bytes(), "reload")
        live.terminate()
        assert live.wait(timeout=60) == 0


def interrupted(number: signal.Signals, function: str, file: str, *words: str) -> list[str]:
    """A command that gets the signal when it first calls `function` of `file`."""
    return [sys.executable, "-c", INTERRUPTED, str(int(number)), function, file, *words]


def test_ctrl_c_while_reading_ends_with_130_and_writes_nothing(tmp_path: Path) -> None:
    out = tmp_path / "out"
    with subprocess.Popen(
        [*COMMAND, "analyze", "-", "-o", out],
        stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, preexec_fn=hears_ctrl_c,
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


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_whoever_is_stopped_while_files_are_made_leaves_the_directory_as_it_was(
        number: signal.Signals, tmp_path: Path) -> None:
    capture, out = tmp_path / "a.pcap", tmp_path / "out"
    frame = udp_frame(("10.1.0.5", 5060), ("10.0.0.1", 5060), REGISTER)
    write_pcap(capture, [(1_700_000_000 + second, frame) for second in range(30_000)])
    (out / "evidence").mkdir(parents=True)
    (out / "evidence" / "f-000001.pcapng").write_text("old")
    (out / "report.json").write_text("old")
    with subprocess.Popen(
        [*COMMAND, "analyze", capture, "-o", out],
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, preexec_fn=hears_ctrl_c,
    ) as command:
        while command.poll() is None and not list(out.glob(".sipaudit-*")):
            time.sleep(0.002)
        command.send_signal(number)
        said, complained = command.communicate(timeout=60)
    assert (command.returncode, said, complained) == (130, b"", b"sipaudit: interrupted\n")
    left = {str(path.relative_to(out)): path.read_text() for path in out.rglob("*") if path.is_file()}
    assert left == {"report.json": "old", "evidence/f-000001.pcapng": "old"}
    assert sorted(path.name for path in out.iterdir()) == ["evidence", "report.json"]
