"""The files that a package or an operator installs: the unit and its files, the container, the manual page."""

from __future__ import annotations

import ctypes.util
import io
import json
import os
import re
import shlex
import shutil
import subprocess
import sys
import threading
import tomllib
from collections.abc import Iterator
from datetime import UTC
from pathlib import Path

import click
import pytest

from docs import manpage
from sipaudit.cli.root import root
from sipaudit.errors import InputErrors
from sipaudit.live import privileges
from sipaudit.live.console import console
from sipaudit.live.logs import Logs
from sipaudit.live.metrics import Metrics
from sipaudit.live.notify import Notifier
from sipaudit.live.scrape import Scrape
from sipaudit.settings.site import load_site
from tests.commands import all_commands, spellings
from tests.live.mirror import READY, wait_until
from tests.shared import COMMAND, ROOT

SERVICE = ROOT / "docs" / "service"
UNIT = SERVICE / "sipaudit.service"
EXPOSED = 20   # tenths: the highest exposure level that `systemd-analyze security` may report
LIVE = all_commands()["live"]
needs_systemd = pytest.mark.skipif(
    shutil.which("systemd-analyze") is None, reason="systemd-analyze is not installed: the unit is not examined"
)
needs_man = pytest.mark.skipif(
    shutil.which("man") is None or shutil.which("groff") is None, reason="man is not installed: the page is not shown"
)


def setting(name: str) -> str:
    found = re.search(rf"^{name}=(.*)$", UNIT.read_text(), flags=re.MULTILINE)
    assert found is not None, name
    return found[1]


def environment() -> dict[str, str]:
    lines = (SERVICE / "environment").read_text().splitlines()
    return dict(line.split("=", 1) for line in lines if line and not line.startswith("#"))


@needs_systemd
def test_systemd_understands_every_line_of_the_unit() -> None:
    ran = subprocess.run(["systemd-analyze", "verify", str(UNIT)], capture_output=True, text=True, check=False)
    assert (ran.returncode, ran.stderr) == (0, "")


@needs_systemd
def test_the_unit_can_do_little_besides_its_work() -> None:
    command = ["systemd-analyze", "security", "--offline=true", "--no-pager", f"--threshold={EXPOSED}", str(UNIT)]
    ran = subprocess.run(command, capture_output=True, text=True, check=False)
    assert ran.returncode == 0, ran.stdout[-200:]


@needs_systemd
@pytest.mark.skipif(ctypes.util.find_library("seccomp") is None, reason="libseccomp is not installed")
@pytest.mark.skipif(not privileges.can_capture(), reason="only root can listen to an interface")
def test_the_program_can_do_its_work_under_the_units_filter(tmp_path: Path) -> None:
    said = tmp_path / "said.jsonl"
    command = [*COMMAND, "live", "-i", "lo", "--jsonl", str(said)]
    with subprocess.Popen([sys.executable, "-m", "tests.live.confined", UNIT, *command], cwd=ROOT,
                          stderr=subprocess.PIPE, text=True) as running:
        wait_until(lambda: running.poll() is not None or (said.exists() and said.stat().st_size), "it says something")
        running.terminate()
        assert running.wait(READY) == 0, running.stderr.read() if running.stderr else ""
    assert '"type":"health"' in said.read_text()


def test_the_unit_keeps_one_capability() -> None:
    assert setting("CapabilityBoundingSet") == setting("AmbientCapabilities") == "CAP_NET_RAW"
    assert setting("NoNewPrivileges") == "yes"


def test_the_unit_and_its_environment_fit_together() -> None:
    used = set(re.findall(r"\$([A-Z]+)\b", setting("ExecStart")))
    assert used == environment().keys()
    assert f"/{setting('StateDirectory')}/" in setting("ExecStart")


def started_with() -> Iterator[list[str]]:
    """The arguments of `sipaudit live` in the unit and in the container."""
    expanded = re.sub(r"\$([A-Z]+)\b", lambda name: environment()[name[1]], setting("ExecStart"))
    yield shlex.split(expanded)[3:]
    yield json.loads(dockerfile()["CMD"][0])[1:]


def test_what_it_is_started_with_is_understood() -> None:
    for arguments in started_with():
        LIVE.make_context("live", arguments)


def test_the_example_of_a_site_file_is_one() -> None:
    site = load_site(str(SERVICE / "site.yaml"))
    assert list(site.entries) == ["sbc"]


def test_settings_of_the_example_are_refused_as_long_as_nobody_filled_them_in(tmp_path: Path) -> None:
    """If they were accepted, phones with other settings would be accused."""
    text = (SERVICE / "site.yaml").read_text()
    (tmp_path / "site.yaml").write_text(text.replace("    # settings:", "    settings:"))
    with pytest.raises(InputErrors) as caught:
        load_site(str(tmp_path / "site.yaml"))
    assert [error.message.endswith("cannot be '(?)'") for error in caught.value.errors] == [True] * 5


@pytest.mark.parametrize(("module", "library", "option"), [
    ("metrics", "prometheus_client", "--metrics"), ("scrape", "prometheus_client", "--metrics"),
    ("notify", "apprise", "--notify"),
])
def test_without_the_library_an_option_says_what_to_install(module: str, library: str, option: str) -> None:
    script = f"""
import sys
sys.modules[{library!r}] = None
from sipaudit import InputError
try:
    import sipaudit.live.{module}
except InputError as error:
    print(error)
"""
    ran = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    package = library.replace("_", "-")
    assert ran.stdout.startswith(f"{option} needs the library {package} (pip install 'sipaudit[live]'")


# -- the container

INSTRUCTIONS = {"FROM", "WORKDIR", "COPY", "RUN", "ENV", "VOLUME", "EXPOSE", "STOPSIGNAL", "HEALTHCHECK", "ENTRYPOINT",
                "CMD"}


def dockerfile() -> dict[str, list[str]]:
    """The arguments of each instruction, continued lines joined."""
    text = re.sub(r"^#.*\n", "", (SERVICE / "Dockerfile").read_text(), flags=re.MULTILINE).replace("\\\n", " ")
    found: dict[str, list[str]] = {}
    for line in text.splitlines():
        if line.strip():
            name, _, rest = line.partition(" ")
            found.setdefault(name, []).append(rest.strip())
    return found


def test_the_container_is_built_from_what_is_there() -> None:
    parsed = dockerfile()
    assert parsed.keys() <= INSTRUCTIONS
    copied = [word for copy in parsed["COPY"] if "--from" not in copy for word in copy.split()[:-1]]
    assert [word for word in copied if not (ROOT / word).exists()] == []
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())
    packaged = {*project["tool"]["hatch"]["build"]["targets"]["wheel"]["packages"],
                *project["tool"]["hatch"]["build"]["targets"]["wheel"]["force-include"],
                project["project"]["readme"], *project["project"]["license-files"], "pyproject.toml", "hatch_build.py"}
    assert packaged <= set(copied)
    extras = re.search(r'"\.\[([a-z,]+)\]"', " ".join(parsed["RUN"]))
    assert extras is not None
    assert set(extras[1].split(",")) <= project["project"]["optional-dependencies"].keys()


def test_the_container_asks_for_its_health_where_it_is_served() -> None:
    parsed = dockerfile()
    command = json.loads(parsed["HEALTHCHECK"][0].partition("CMD ")[2])
    compile(command[2], "HEALTHCHECK", "exec")
    arguments = json.loads(parsed["CMD"][0])
    assert f"http://{arguments[arguments.index('--metrics') + 1]}/healthz" in command[2]
    assert json.loads(parsed["ENTRYPOINT"][0]) == ["sipaudit"]


@pytest.mark.skipif(shutil.which("sh") is None, reason="there is no shell")
def test_the_commands_of_the_container_are_shell() -> None:
    for command in dockerfile()["RUN"]:
        subprocess.run(["sh", "-n", "-c", command], check=True)


# -- the manual page

def test_the_manual_page_is_that_of_today() -> None:
    assert manpage.PAGE.read_text() == manpage.page(), "run: python -m docs.manpage"


@needs_man
def test_the_manual_page_shows_every_command_and_option_and_roff_has_no_complaint() -> None:
    quiet = os.environ | {"MANWIDTH": "500", "LC_ALL": "C.UTF-8", "MAN_KEEP_FORMATTING": "", "PAGER": "cat"}
    ran = subprocess.run(["man", "--warnings", "-l", manpage.PAGE], env=quiet, capture_output=True, text=True,
                         check=False)
    if "minimized" in ran.stdout:
        pytest.skip("this system has no manual pages")
    assert ran.stderr == ""
    shown = ran.stdout
    parts = re.split(r"^   (sipaudit [a-z ]+?)(?= [^a-z]|$)", shown, flags=re.MULTILINE)
    sections = dict(zip(parts[1::2], parts[2::2], strict=True))
    common = spellings(root)
    for name, command in all_commands().items():
        missing = {each for each in spellings(command) - common if each not in sections[f"sipaudit {name}"]}
        assert missing == set(), name
    assert all(each in parts[0] for each in common | {"--help"})


def test_an_option_with_everything_that_roff_acts_upon_is_printed_as_it_is() -> None:
    command = click.Command("x", params=[click.Option(["--odd"], help=r".TH 'a' \fB ~^`")])
    assert list(manpage._options(command, {"--help"})) == [
        ".TP", r"\fB\-\-odd TEXT\fR", r"\&.TH \(aqa\(aq \efB \(ti\(ha\(ga"]


def test_nothing_that_is_made_before_privileges_are_dropped_has_a_thread() -> None:
    """Capabilities belong to a thread: one that was started as root would keep them."""
    before = threading.active_count()
    notifier = Notifier(["json://127.0.0.1:1"], UTC)
    scrape = Scrape("127.0.0.1:0", Metrics())
    screen = console(io.StringIO(), "eth1", UTC)
    logs = Logs(io.StringIO())
    assert threading.active_count() == before
    for sink in (notifier, scrape, screen, logs):
        sink.close()
