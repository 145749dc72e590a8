"""The documentation is true: every option is described, examples run, filters compile and keep what they promise."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import click
import pytest

from sipaudit.cli.root import root
from tests.commands import all_commands, spellings
from tests.shared import ROOT

DOCS = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]
LINKED = [*DOCS, ROOT / "CHANGELOG.md", *sorted((ROOT / "bench").glob("*.md"))]
COMMANDS_PAGE = (ROOT / "docs" / "commands.md").read_text()
needs_tcpdump = pytest.mark.skipif(
    shutil.which("tcpdump") is None, reason="tcpdump is not installed: capture filters are not compiled"
)


def sections() -> dict[str, str]:
    """The sections of docs/commands.md, by the command in each heading."""
    parts = re.split(r"^## (.*)$", COMMANDS_PAGE, flags=re.MULTILINE)
    return dict(zip(parts[1::2], parts[2::2], strict=True))


COMMON = spellings(root)


@pytest.mark.parametrize(("name", "command"), all_commands().items(), ids=all_commands())
def test_every_option_of_a_command_is_described_and_no_other(name: str, command: click.Command) -> None:
    described = set(re.findall(r"(?<![\w-])--?[a-z][a-z-]*", sections()[f"sipaudit {name}"]))
    assert spellings(command) - COMMON <= described
    assert described <= spellings(command) | COMMON


def test_options_of_all_commands_are_described_once() -> None:
    common = sections()["Common to all commands"]
    assert all(f"`{name}`" in common for name in COMMON)


def headings(page: Path) -> list[str]:
    """The anchors by which links name the sections of a page."""
    titles = re.findall(r"^#+ (.*)$", re.sub(r"^```.*?^```", "", page.read_text(), flags=re.M | re.S), flags=re.M)
    return [re.sub(r"[^\w\- ]", "", title.lower()).replace(" ", "-") for title in titles]


@pytest.mark.parametrize("page", LINKED, ids=lambda page: str(page.relative_to(ROOT)))
def test_links_lead_to_files_and_sections_that_are_there(page: Path) -> None:
    for link in re.findall(r"\]\((?!https?:)([^)\s]+)\)", page.read_text()):
        name, _, section = link.partition("#")
        linked = page.parent / name if name else page
        assert linked.exists(), link
        assert not section or section in headings(linked), link


@pytest.mark.parametrize("page", ["code.md", "decisions.md"])
def test_modules_that_are_named_are_there(page: str) -> None:
    """A path may leave out its first folders, which the text around it names: `conditions/trust.py` is in the model."""
    modules = [str(path.relative_to(ROOT)) for path in (ROOT / "sipaudit").rglob("*.py")]
    named = re.findall(r"`([\w/]+\.py)`", (ROOT / "docs" / page).read_text())
    assert [name for name in named if not (ROOT / name).exists()
            and not any(module.endswith(f"/{name}") for module in modules)] == []


@pytest.mark.parametrize("page", LINKED, ids=lambda page: str(page.relative_to(ROOT)))
def test_paths_that_are_named_are_there(page: Path) -> None:
    """Except paths that are generated: by the bench, by the compiler, in a wheel."""
    named = re.findall(r"`((?:tests|sipaudit|docs|bench|rules|samples|\.ci)/[\w./*-]*)`", page.read_text())
    made = ("bench/data/", "sipaudit/_compiled", "sipaudit/rules")
    assert [name for name in named if not name.startswith(made) and not any(ROOT.glob(name.rstrip("/")))] == []


@pytest.mark.parametrize("page", ["code.md", "decisions.md"])
def test_functions_and_attributes_that_are_named_are_there(page: str) -> None:
    """`Line.since` is an attribute of a class of ours, `failures._failure` a function of one of our modules."""
    sources: dict[str, str] = {}
    for path in (ROOT / "sipaudit").rglob("*.py"):
        sources[path.stem] = sources.get(path.stem, "") + path.read_text()
    everything = "".join(sources.values())
    for owner, name in re.findall(r"`(\w+)\.(?!(?:py|json|html|parquet)`)(\w+)`", (ROOT / "docs" / page).read_text()):
        is_class = re.search(rf"^class {owner}\b", everything, flags=re.MULTILINE)
        if is_class or owner in sources:
            assert re.search(rf"\bdef {name}\b|\b{name} ?[:=]", everything if is_class else sources[owner]), name


def test_the_index_of_the_decisions_names_every_section() -> None:
    page = ROOT / "docs" / "decisions.md"
    sections = re.findall(r"^## (.*)$", page.read_text(), flags=re.MULTILINE)
    assert re.findall(r"^- \[(.*)\]\(#", page.read_text(), flags=re.MULTILINE) == sections


def examples() -> dict[str, set[tuple[str, str]]]:
    """For each command (a `$` line in a console block), the lines that it must print, each with the page that shows
    it."""
    found: dict[str, set[tuple[str, str]]] = {}
    for page in DOCS:
        for block in re.findall(r"^```console\n(.*?)^```", page.read_text(), flags=re.MULTILINE | re.DOTALL):
            printed: set[tuple[str, str]] = set()
            for line in block.splitlines():
                if line.startswith("$ "):
                    printed = found.setdefault(line[2:].replace(".venv/bin/", ""), set())
                elif line.strip():
                    printed.add((page.name, line.strip()))
    return found


@pytest.mark.parametrize(("command", "printed"), examples().items())
def test_examples_run_and_print_what_is_shown(command: str, printed: set[tuple[str, str]], tmp_path: Path) -> None:
    if command.startswith("sipaudit inspect") and shutil.which("tshark") is None:
        pytest.skip("tshark is not installed: inspect cannot dissect")
    (tmp_path / "samples").symlink_to(ROOT / "samples")
    environment = os.environ | {"PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}"}
    ran = subprocess.run(
        ["bash", "-c", command], cwd=tmp_path, env=environment, stdin=subprocess.DEVNULL, capture_output=True,
        text=True, check=False,
    )
    assert ran.returncode == 0, f"{command}\n{ran.stderr}"
    assert [(page, line) for page, line in sorted(printed) if line not in ran.stdout] == []


def shell_filter(name: str) -> str:
    """The variable's value after running the shell lines of docs/capturing.md."""
    page = (ROOT / "docs" / "capturing.md").read_text()
    lines = "\n".join(re.findall(r"""^(?:WANTED|FILTER)=['"].*$""", page, flags=re.MULTILINE))
    shell = subprocess.run(["bash", "-c", f'{lines}\necho "${name}"'], capture_output=True, text=True, check=True)
    return shell.stdout.strip()


def documented_filters() -> list[str]:
    page = (ROOT / "docs" / "capturing.md").read_text()
    double = re.search(r'`FILTER="(.*?)"`', page)
    assert double is not None
    wanted = shell_filter("WANTED")
    others = re.findall(r"`((?:udp port|proto) \d+)`", page)
    return [wanted, shell_filter("FILTER"), double[1].replace("$WANTED", wanted), *others]


@needs_tcpdump
@pytest.mark.parametrize("expression", documented_filters())
def test_capture_filters_compile(expression: str) -> None:
    ran = subprocess.run(["tcpdump", "-y", "EN10MB", "-d", expression], capture_output=True, text=True, check=False)
    assert ran.returncode == 0, ran.stderr


@needs_tcpdump
def test_the_filter_keeps_fragments_tags_dns_and_icmp_and_drops_media(tmp_path: Path) -> None:
    from scapy.utils import rdpcap, wrpcap

    everything = tmp_path / "everything.pcap"
    wrpcap(str(everything), packets())
    subprocess.run(
        ["tcpdump", "-r", everything, "-w", tmp_path / "kept.pcap", shell_filter("FILTER")],
        check=True, capture_output=True,
    )
    kept = [bytes(packet) for packet in rdpcap(str(tmp_path / "kept.pcap"))]
    assert kept == [bytes(packet) for packet in packets() if b"media" not in bytes(packet)]


def packets() -> list[Any]:
    """One packet of each kind that the filter is about; its payload names the kind."""
    from scapy.layers.inet import ICMP, IP, TCP, UDP
    from scapy.layers.inet6 import IPv6, IPv6ExtHdrFragment
    from scapy.layers.l2 import Dot1Q, Ether
    from scapy.packet import Raw

    ether = Ether(src="00:04:f2:00:00:01", dst="00:04:f2:00:00:02")
    ip = IP(src="10.1.0.5", dst="10.0.0.1")
    tail = IP(src="10.1.0.5", dst="10.0.0.1", proto=17, frag=185)
    return [
        ether / ip / UDP(sport=5060, dport=5060) / Raw(b"sip"),
        ether / tail / Raw(b"tail of a fragmented datagram"),
        ether / Dot1Q(vlan=7) / ip / TCP(sport=40000, dport=5061) / Raw(b"tagged sip"),
        ether / Dot1Q(vlan=7) / tail / Raw(b"tagged tail"),
        ether / IPv6(src="fd00::5", dst="fd00::1") / IPv6ExtHdrFragment(offset=180, nh=17) / Raw(b"tail in IPv6"),
        ether / ip / UDP(sport=40001, dport=53) / Raw(b"dns"),
        ether / ip / UDP(sport=68, dport=67) / Raw(b"start of a phone"),
        ether / ip / UDP(sport=40002, dport=69) / Raw(b"its files"),
        ether / ip / ICMP(type=3, code=3) / Raw(b"unreachable"),
        ether / ip / UDP(sport=20000, dport=20002) / Raw(b"media"),
        ether / Dot1Q(vlan=7) / ip / UDP(sport=20000, dport=20002) / Raw(b"tagged media"),
    ]
