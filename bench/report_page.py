"""`python -m bench.report_page [--write]`: how large report.html is, and how soon a browser can use it.

The reports are made without captures (`bench.fleet`). Interactive: lanes, filters and findings respond; drawn: the
pictures are complete, too, and nothing is left to do. Times are counted from opening the file, in Debian's chromium,
headless, on all cores of the machine.
"""

from __future__ import annotations

import os
import statistics
import sys
import tempfile
import time
from datetime import UTC
from pathlib import Path
from typing import Any

from msgspec import Struct

from bench.browser import chromium
from bench.fleet import Fleet
from bench.readme import options, tell
from bench.results import machine
from sipaudit.report import document
from sipaudit.report.html import render

FLEETS = ((100, 100), (1_000, 10_000), (10_000, 100_000))  # lines, findings
EMBED = 500
RUNS = 3
MOST_MEGABYTES, MOST_SECONDS = 15.0, 4.0
FINDING = "f-000777"


class Page(Struct, frozen=True):
    """One page: its fleet, the time of rendering (seconds), its size and that of the report's JSON (megabytes)."""

    lines: int
    findings: int
    path: Path
    rendered: float
    size: float
    document: float


class Opened(Struct, frozen=True):
    """One opening: seconds until the page is interactive and drawn, and until a filter and a finding respond; megabytes
    of memory."""

    interactive: float
    drawn: float
    filtered: float
    finding: float
    memory: float


def make(lines: int, findings: int, folder: Path) -> Page:
    fleet = Fleet(lines, findings)
    report, exhibits = fleet.report(), fleet.exhibits(EMBED)
    began = time.perf_counter()
    content = render(report, UTC, exhibits, {}, EMBED)
    rendered = time.perf_counter() - began
    path = folder / f"{lines}-{findings}.html"
    path.write_bytes(content)
    return Page(lines, findings, path, rendered, len(content) / 1e6, len(document.to_json(report)) / 1e6)


def opened(browser: Any, page: Page) -> Opened:
    """Open the page in a new browser context, so that nothing of it is cached."""
    context = browser.new_context(viewport={"width": 1280, "height": 900})
    shown = context.new_page()
    shown.goto(page.path.as_uri())
    shown.wait_for_selector("html[data-drawn]", state="attached", timeout=60_000)
    marks = shown.evaluate("({...document.documentElement.dataset})")
    began = time.perf_counter()
    before = shown.inner_text("#fitting")
    shown.fill("input[name=text]", "1042")
    while shown.inner_text("#fitting") == before:
        time.sleep(0.005)
    filtered = time.perf_counter() - began
    began = time.perf_counter()
    shown.evaluate(f"location.hash = '#{FINDING if page.findings > 777 else 'f-000001'}'")
    shown.wait_for_selector("#sheet >> text=In Wireshark")
    finding = time.perf_counter() - began
    memory = shown.evaluate("performance.memory.usedJSHeapSize") / 1e6
    context.close()
    return Opened(int(marks["ready"]) / 1000, int(marks["drawn"]) / 1000, filtered, finding, memory)


def table(measured: list[tuple[Page, list[Opened]]]) -> str:
    """The Markdown table, one row of medians for each page, and whether the mark is reached."""
    rows = ["| lines | findings | report.json | report.html | rendered | interactive | with pictures | a filter | "
            "a finding | memory |", "|--:|--:|--:|--:|--:|--:|--:|--:|--:|--:|"]
    for page, runs in measured:
        cells = [f"{statistics.median(getattr(run, name) for run in runs):.2f} s"
                 for name in ("interactive", "drawn", "filtered", "finding")]
        memory = statistics.median(run.memory for run in runs)
        rows.append(f"| {page.lines:,} | {page.findings:,} | {page.document:.1f} MB | {page.size:.1f} MB | "
                    f"{page.rendered:.1f} s | {' | '.join(cells)} | {memory:.0f} MB |")
    page, runs = measured[-1]
    interactive = statistics.median(run.interactive for run in runs)
    reached = page.size <= MOST_MEGABYTES and interactive <= MOST_SECONDS
    return "\n".join([f"{machine()}; median of {len(runs)} openings, load {os.getloadavg()[0]:.0f}.", "", *rows, "",
                      f"The mark, {page.lines:,} lines and {page.findings:,} findings in at most "
                      f"{MOST_MEGABYTES:g} MB and interactive within {MOST_SECONDS:g} s: "
                      f"{'reached' if reached else 'missed'}."])


def main() -> None:
    parser = options("bench.report_page", __doc__)
    parser.add_argument("--runs", type=int, default=RUNS, metavar="N", help=f"openings of each page (default {RUNS})")
    chosen = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="sipaudit-") as folder, chromium() as browser:
        measured = []
        for lines, findings in FLEETS:
            page = make(lines, findings, Path(folder))
            print(f"{lines} lines, {findings} findings: {page.size:.1f} MB", file=sys.stderr, flush=True)
            measured.append((page, [opened(browser, page) for _ in range(chosen.runs)]))
    text = table(measured)
    tell("page", text, write=chosen.write)


if __name__ == "__main__":
    main()
