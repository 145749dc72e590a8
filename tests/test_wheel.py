"""A sipaudit that was installed from the wheel works without the checkout, and includes the rules."""

from __future__ import annotations

import importlib.util
import os
import subprocess
import sys
import sysconfig
from pathlib import Path

import pytest

from sipaudit import __version__
from sipaudit.compiled import in_use
from tests.shared import ROOT, SAMPLE

pytestmark = pytest.mark.skipif(
    importlib.util.find_spec("hatchling") is None or importlib.util.find_spec("pip") is None,
    reason="hatchling or pip is not installed here: the wheel is not built",
)


def run(*command: str | Path, cwd: Path) -> str:
    """The command's stdout; if it fails, the test does with its stderr."""
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    ran = subprocess.run(command, cwd=cwd, env=environment, capture_output=True, text=True, check=False)
    assert ran.returncode == 0, ran.stderr
    return ran.stdout


@pytest.fixture(scope="module")
def installed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A fresh environment with the wheel; it borrows the libraries of this one, so nothing is downloaded."""
    place = tmp_path_factory.mktemp("wheel")
    offline = ("--no-deps", "--no-index", "--disable-pip-version-check", "-q")
    run(sys.executable, "-m", "pip", "wheel", ROOT, "-w", place, "--no-build-isolation", *offline, cwd=place)
    run(sys.executable, "-m", "venv", "--without-pip", place / "venv", cwd=place)
    packages = place / "venv/lib" / f"python{sys.version_info[0]}.{sys.version_info[1]}" / "site-packages"
    (packages / "borrowed.pth").write_text(sysconfig.get_path("purelib") + "\n")
    wheel = next(place.glob("sipaudit-*.whl"))
    run(sys.executable, "-m", "pip", "--python", place / "venv/bin/python", "install", wheel, *offline, cwd=place)
    return place / "venv"


def test_the_installed_command_runs_outside_of_the_checkout(installed: Path) -> None:
    assert run(installed / "bin/sipaudit", "--version", cwd=installed) == f"sipaudit {__version__}\n"
    where = run(installed / "bin/python", "-c", "import sipaudit; print(sipaudit.__file__)", cwd=installed)
    assert Path(where.strip()).is_relative_to(installed)


def test_the_wheel_brings_every_rule_file(installed: Path) -> None:
    script = (
        "import sipaudit, pathlib; rules = pathlib.Path(sipaudit.__file__).parent / 'rules';"
        "print(*sorted(str(file.relative_to(rules)) for file in rules.rglob('*.yaml')), sep='\\n')"
    )
    shipped = run(installed / "bin/python", "-c", script, cwd=installed).split()
    ours = sorted(str(file.relative_to(ROOT / "rules")) for file in (ROOT / "rules").rglob("*.yaml"))
    assert shipped == ours
    assert ours


def test_the_installed_command_finds_its_rules(installed: Path) -> None:
    capture, site = SAMPLE / "capture.pcap", SAMPLE / "site.yaml"
    shown = run(installed / "bin/sipaudit", "analyze", capture, "--site", site, "--format", "json", cwd=installed)
    assert '"reached"' in shown


def test_the_page_needs_no_checkout(installed: Path, tmp_path: Path) -> None:
    run(installed / "bin/sipaudit", "analyze", SAMPLE / "capture.pcap", "-o", tmp_path / "out", cwd=installed)
    assert "<h2 id=\"h-findings\">Findings</h2>" in (tmp_path / "out" / "report.html").read_text()


def test_the_wheel_brings_what_makes_a_store(installed: Path, tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path / 'store.db'}"
    command = installed / "bin/sipaudit"
    analysed = run(command, "analyze", SAMPLE / "capture.pcap", "--format", "json", "--store", url, cwd=installed)
    assert run(command, "report", url, "--format", "json", cwd=installed) == analysed


@pytest.mark.skipif(not in_use(), reason="nothing is compiled here")
def test_the_wheel_brings_what_is_compiled(installed: Path) -> None:
    script = "import sipaudit.sip.parse as one; from sipaudit.compiled import in_use; print(one.__file__, in_use())"
    where, count = run(installed / "bin/python", "-c", script, cwd=installed).split()
    assert Path(where).is_relative_to(installed)
    assert int(count) == in_use()
