"""The container as its Dockerfile describes it: its command, with only the capabilities that the file names.

No container engine can run here, so the tests do its work: setpriv drops the capabilities, and the command is that of
ENTRYPOINT and CMD. docs/service.md describes how the image itself was built.
"""

from __future__ import annotations

import json
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest

from sipaudit.live.storing import SPOOL
from tests.live.mirror import SIPAUDIT, Listener, Mirror, wait_until, why_not
from tests.live.stories import outage
from tests.shared import ROOT

DOCKERFILE = (ROOT / "docs" / "service" / "Dockerfile").read_text()
WHY_NOT = why_not()
pytestmark = pytest.mark.skipif(bool(WHY_NOT), reason=f"no mirror port: {WHY_NOT}")

HEALTH = re.compile(r'^  CMD (\[.*\])$', re.MULTILINE)


def stated(instruction: str) -> list[str]:
    """The words of the last ENTRYPOINT or CMD."""
    words = re.findall(rf"^{instruction} (\[.*\])$", DOCKERFILE, re.MULTILINE)[-1]
    return [str(word) for word in json.loads(words)]


def capabilities() -> list[str]:
    """The capabilities that the container must be started with, all others dropped."""
    assert "--cap-drop ALL" in DOCKERFILE
    return [word.lower() for word in re.findall(r"--cap-add (\w+)", DOCKERFILE)]


@pytest.fixture
def volume() -> Iterator[Path]:
    """The volume for /var/lib/sipaudit; it belongs to the container's user."""
    with TemporaryDirectory() as folder:
        Path(folder).chmod(0o777)
        yield Path(folder)


def test_the_command_of_the_image_listens_with_the_capabilities_that_are_named(port: Mirror, volume: Path) -> None:
    capture, where = outage(port.folder)
    port.ip("link", "set", "lo", "up")
    assert stated("ENTRYPOINT") == ["sipaudit"]
    # dropping to the user "sipaudit" is tested elsewhere (`--user nobody`): Python itself may lie where only root reads
    command = [{"eth1": "tap", "sipaudit": "root", "/etc/sipaudit/site.yaml": str(where)}.get(
        word, word.replace("/var/lib/sipaudit", str(volume))) for word in stated("CMD")]
    bounding = ",".join(["-all", *(f"+{one}" for one in capabilities())])
    folder = port.folder / "container"
    folder.mkdir()
    process = port.start("setpriv", f"--bounding-set={bounding}", f"--inh-caps={bounding}", str(SIPAUDIT), *command,
                         "--jsonl", str(volume / "said.jsonl"), log=folder / "stderr")
    (folder / "said.jsonl").symlink_to(volume / "said.jsonl")
    listener = Listener(process, folder).ready()
    status = dict(line.split(":\t", 1) for line in Path(f"/proc/{process.pid}/status").read_text().splitlines())
    assert int(status["CapEff"], 16) == int(status["CapBnd"], 16) & (1 << 13) == 1 << 13   # CAP_NET_RAW
    port.replay(capture)
    wait_until(lambda: listener.sayings("incident"), "the outage")
    found = HEALTH.search(DOCKERFILE)
    assert found is not None
    health = [sys.executable if word == "python" else word for word in json.loads(found[1])]
    assert subprocess.run(port.inside(*health), check=False).returncode == 0
    assert listener.end() == 0, listener.errors
    assert {path.name for path in volume.iterdir()} >= {"sipaudit.db", "checkpoint", SPOOL}
