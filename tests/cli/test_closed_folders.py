"""Folders that the user may not enter: every path in one is refused, but none ends a live run that already listens."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import TypedDict

import pytest

from tests.live.mirror import wait_until
from tests.shared import COMMAND, SAMPLE

UNUSABLE = 2


class User(TypedDict, total=False):
    """The user who runs the program; if empty, the user who runs the tests."""

    user: int
    group: int
    extra_groups: list[int]


NOBODY: User = {"user": 65_534, "group": 65_534, "extra_groups": []} if os.geteuid() == 0 else {}


@pytest.fixture(scope="module")
def runs_as_nobody() -> bool:
    """False if Python or this project lies in a folder that only root may enter, such as root's pyenv."""
    try:
        subprocess.run([*COMMAND, "--version"], cwd="/", capture_output=True, check=True, **NOBODY)
    except (PermissionError, subprocess.CalledProcessError):
        return False
    return True


@pytest.fixture
def place(runs_as_nobody: bool) -> Iterator[Path]:
    """A folder with a subfolder `closed`, which NOBODY may not enter; the files in it do exist."""
    if not runs_as_nobody:
        pytest.skip("another user may not run this Python")
    folder = Path(tempfile.mkdtemp(prefix="sipaudit-"))   # only the owner may enter pytest's folders
    folder.chmod(0o755)
    (folder / "closed").mkdir()
    for name in ("capture.pcap", "site.yaml"):
        shutil.copy(SAMPLE / name, folder / "closed")
    shutil.copy(SAMPLE / "capture.pcap", folder)
    (folder / "closed").chmod(0o700 if NOBODY else 0)
    yield folder
    (folder / "closed").chmod(0o700)
    shutil.rmtree(folder)


@pytest.mark.parametrize("words", [
    "analyze closed/capture.pcap", "analyze closed/*.pcap", "inspect closed/capture.pcap 1",
    *(f"analyze capture.pcap {option} closed/site.yaml" for option in (
        "--site", "--config", "--rules", "--suppress", "-o", "--redact --redact-key")),
    "analyze capture.pcap --store sqlite:///closed/x.db", "report sqlite:///closed/x.db", "report closed/site.yaml",
    "rules check closed/site.yaml", "config check closed/site.yaml", "simulate closed/site.yaml -o x.pcap",
    "live --follow closed/x", "live --follow . --checkpoint closed/x", "live --follow . --jsonl closed/x",
])
def test_what_lies_in_a_closed_folder_is_refused(place: Path, words: str) -> None:
    refused = subprocess.run([*COMMAND, *words.split()], cwd=place, capture_output=True, text=True, check=False,
                             **NOBODY)
    assert (refused.returncode, refused.stdout) == (UNUSABLE, "")
    assert len(refused.stderr.splitlines()) == 1
    assert refused.stderr.endswith(")\n"), "what to do about it"
    assert "failed" not in refused.stderr


@pytest.mark.parametrize("words", [
    "analyze capture.pcap --rules closed", "analyze capture.pcap --rules .", "rules check closed", "rules check .",
    "analyze capture.pcap --config closed", "config check closed", "config show closed",
])
def test_a_closed_folder_itself_is_called_closed(place: Path, words: str) -> None:
    """This holds for a subfolder of rules too: its files, perhaps an override, would otherwise be left out silently."""
    refused = subprocess.run([*COMMAND, *words.split()], cwd=place, capture_output=True, text=True, check=False,
                             **NOBODY)
    assert (refused.returncode, refused.stdout) == (UNUSABLE, "")
    said = "closed: cannot be read: permission denied (give the user who runs sipaudit the permission to read it)\n"
    assert refused.stderr == f"sipaudit: {said}"


@pytest.mark.parametrize(("words", "what"), [
    ("report shut", ""), ("analyze capture.pcap --tls-keylog shut", " the TLS key log"),
    ("analyze capture.pcap --redact --redact-key shut", " the key"),   # a new key would not fit files redacted earlier
])
def test_of_what_is_closed_no_other_is_to_be_named_or_made(place: Path, words: str, what: str) -> None:
    (place / "shut").touch(0o600 if NOBODY else 0)
    refused = subprocess.run([*COMMAND, *words.split()], cwd=place, capture_output=True, text=True, check=False,
                             **NOBODY)
    assert refused.stderr == (f"sipaudit: shut:{what} cannot be read: permission denied "
                              "(give the user who runs sipaudit the permission to read it)\n")


def test_to_a_program_that_is_an_input_error(place: Path) -> None:
    code = ("import sipaudit\ntry: sipaudit.analyze('closed/capture.pcap')\n"
            "except sipaudit.InputError as error: print(error)")
    said = subprocess.run([sys.executable, "-c", code], cwd=place, capture_output=True, text=True, check=True, **NOBODY)
    assert said.stdout == ("closed/capture.pcap: cannot be read: permission denied "
                           "(give the user who runs sipaudit the permission to read it)\n")


@pytest.mark.skipif(not NOBODY, reason="only root can become another user")
def test_a_site_file_that_live_may_not_reach_any_more_ends_no_run(place: Path) -> None:
    log = place / "log"
    (place / "seen").mkdir()
    command = [*COMMAND, "live", "--follow", "seen", "--site", "closed/site.yaml", "--user", "nobody"]
    with log.open("wb") as errors, subprocess.Popen(command, cwd=place, stderr=errors,
                                                    stdout=subprocess.DEVNULL) as live:
        wait_until(lambda: "listening" in log.read_text() or live.poll() is not None, "it listens")
        live.send_signal(signal.SIGHUP)
        wait_until(lambda: "not reloaded" in log.read_text() or live.poll() is not None, "the reload")
        live.terminate()
        assert live.wait(60) == 0, log.read_text()
    assert "the old ones stay in force: [Errno 13] Permission denied: 'closed/site.yaml'" in log.read_text()
