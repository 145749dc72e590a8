"""Hostile names from phones and people in every output: they are shown, and they do nothing."""

from __future__ import annotations

import csv
import io
import json
import os
import re
import shutil
import subprocess
import time
from pathlib import Path
from xml.etree import ElementTree as ET

import pytest
import yaml

from tests.outputs.desk import early_return, site_file, written
from tests.shared import COMMAND
from tests.stories import Story

USERS = {
    "markup": "<script src=//evil.example/x.js",
    "entity": "&lt;img src=x onerror=alert(1)&gt;",
    "formula": "=cmd()|'/c calc'!A1",
    "escape": "a\x1b[2J\x1b]0;owned\x07\x9b31m",
    "bidi": "a\u202egnp.exe\u2066",
    "long": "x" * 8000,
    "markdown": "`|![a](//evil.example/b)",
}
LABEL = "<script>alert(1)</script>\x1b[31m"
REASON = "=HYPERLINK(\"http://evil.example\")"
HARMLESS_CONTROLS = {"\n", "\r"}
COLOUR = re.compile(r"\x1b\[[0-9;]*m")


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a capture of phones with hostile names, all at fault, one of them suppressed, and `out`."""
    folder = tmp_path_factory.mktemp("hostile")
    story = Story()
    for number, user in enumerate(USERS.values()):
        early_return(story=story, user=user, place=(f"10.1.0.{number + 5}", 5060))
    early_return(story=story, agent=f"{LABEL}\u202e", user="agent", place=("10.1.0.99", 5060))
    written(story, folder / "=<b>x.pcap")
    (folder / "known.yaml").write_text(yaml.safe_dump([
        {"rule": "*", "line": "sip:a*gnp.exe*", "reason": REASON}, {"rule": "*", "line": "*&lt;*", "reason": LABEL}]))
    site = yaml.safe_load(Path(site_file(folder)).read_text())
    site["lines"][0] |= {"label": LABEL, "group": LABEL}
    (folder / "site.yaml").write_text(yaml.safe_dump(site))
    subprocess.run([*command("analyze"), "-o", "out"], cwd=folder, check=True, capture_output=True)
    return folder


def command(name: str, *options: str) -> list[str]:
    return [*COMMAND, name, "=<b>x.pcap", "--site", "site.yaml", "--suppress",
            "known.yaml", "--tz", "utc", *options]


def findings(place: Path) -> list[dict[str, object]]:
    found: list[dict[str, object]] = json.loads((place / "out" / "report.json").read_bytes())["findings"]
    return found


def printed(place: Path, name: str, *options: str) -> str:
    ran = subprocess.run(command(name, *options), cwd=place, check=True, capture_output=True)
    return ran.stdout.decode()


def is_inert(text: str) -> bool:
    """Whether no character moves the cursor, sets a title or changes the reading direction."""
    return all(char.isprintable() or char in HARMLESS_CONTROLS for char in text)


def test_every_hostile_phone_is_found(place: Path) -> None:
    users = {str(one["line"])[4:].partition("@")[0] for one in findings(place)}
    assert len(findings(place)) == len(users) == len(USERS)
    assert USERS["escape"] in users
    assert USERS["long"] in users


def test_csv_has_no_formula_and_no_control_character(place: Path) -> None:
    raw = (place / "out" / "findings.csv").read_bytes().decode()
    assert is_inert(raw)
    rows = list(csv.DictReader(io.StringIO(raw, newline="")))
    assert len(rows) == len(findings(place))
    assert not [cell for row in rows for cell in row.values() if cell.startswith(("=", "+", "-", "@", "\t"))]
    assert "'" + REASON in {row["suppressed"] for row in rows}
    assert all(row["evidence"].startswith("'=<b>x.pcap:") for row in rows)
    assert max(len(row["line"]) for row in rows) > 8000
    assert [json.loads(row["facts"]) for row in rows] == [one["facts"] for one in findings(place)]
    assert printed(place, "analyze", "--format", "csv") == raw


def test_markdown_renders_to_text_alone(place: Path) -> None:
    from markdown_it import MarkdownIt

    raw = (place / "out" / "report.md").read_text()
    assert is_inert(raw)
    assert max(map(len, raw.splitlines())) < 2_000
    page = MarkdownIt("gfm-like", {"linkify": False}).render(raw)
    assert set(re.findall(r"<(/?\w+)", page)) <= {
        f"{end}{tag}" for end in ("", "/") for tag in ("h1", "h2", "h3", "p", "ul", "li", "code", "strong")}
    assert "&lt;script src=//evil.example/x.js" in page
    assert "evil" not in "".join(re.findall(r'(?:href|src)="([^"]*)', page))


def test_junit_is_xml_with_text_alone(place: Path) -> None:
    raw = printed(place, "analyze", "--format", "junit")
    assert is_inert(raw)
    suite = ET.fromstring(raw).find("testsuite")
    assert suite is not None
    assert {element.tag for element in suite.iter()} == {"testsuite", "testcase", "failure", "skipped"}
    assert any("<script src=//evil.example/x.js" in case.get("name", "") for case in suite)
    hushed = [one for one in findings(place) if one["suppressed"]]
    assert len(hushed) == 2
    assert int(suite.get("failures", "")) == len(findings(place)) - len(hushed)
    assert {f"suppressed: {REASON}"} < {each.get("message") for each in suite.iter("skipped")}


@pytest.mark.parametrize("name", ["analyze", "phones", "ladder", "events"])
def test_the_terminal_gets_no_escape_that_is_not_ours(place: Path, name: str) -> None:
    said = printed(place, name)
    assert is_inert(said)
    assert max(map(len, said.splitlines())) < 1_000 or name == "events"  # a transcript is to be copied


def test_json_of_the_hostile_is_valid_and_inert(place: Path) -> None:
    raw = printed(place, "analyze", "--format", "jsonl")
    assert not re.search(r"[\x00-\x09\x0b-\x1f\x7f]", raw)
    assert all(json.loads(line) for line in raw.splitlines())


@pytest.mark.skipif(shutil.which("tmux") is None, reason="tmux is not installed: no real terminal to show it on")
def test_a_real_terminal_shows_it_and_keeps_its_title(place: Path) -> None:
    name = f"sipaudit-test-{os.getpid()}"
    tmux = ["tmux", "-L", name, "-f", "/dev/null"]
    shown = place / "shown"
    words = " ".join(f"'{word}'" for word in command("analyze"))
    try:
        subprocess.run([*tmux, "new-session", "-d", "-x", "120", "-y", "400",
                        f"cd '{place}'; {words}; touch '{shown}'; sleep 300"], check=True)
        waited = time.monotonic()
        while not shown.exists() and time.monotonic() - waited < 200:
            time.sleep(0.1)
        screen = subprocess.run([*tmux, "capture-pane", "-p", "-e"], check=True, capture_output=True, text=True).stdout
        title = subprocess.run([*tmux, "display", "-p", "#{pane_title}"], check=True, capture_output=True, text=True)
    finally:
        subprocess.run([*tmux, "kill-server"], check=False)
    assert "\x1b[31mf-" in screen or "\x1b[1;31mf-" in screen  # our own: errors are red
    assert is_inert(COLOUR.sub("", screen))
    assert r"a\x1b[2J\x1b]0" in COLOUR.sub("", screen)  # the rest continues below in its column
    assert "owned" not in title.stdout
