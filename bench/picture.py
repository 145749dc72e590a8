"""The picture of the results: seconds and memory of every program on every capture, by plotly.

A page that opens from disk; also an SVG for the README, drawn by Debian's chromium if that is installed.
"""

from __future__ import annotations

from pathlib import Path
from urllib.parse import unquote

import plotly.graph_objects as go
from plotly.subplots import make_subplots

from bench.browser import CHROMIUM, chromium
from bench.programs import ROUTE, name_of
from bench.results import MEGABYTE, OURS, Measured, Results

OURS_IN, THEIRS_IN = "#1f6f8b", "#b0b7bd"
ROW, WIDTH = 34, 1000   # pixels


def figure(measured: Measured) -> go.Figure:
    """One row for each capture: seconds on the left, memory on the right. Both axes begin at 0, so that lengths can be
    compared."""
    titles = [text for one in measured.values() for text in (f"{one.name}: seconds", f"{one.name}: memory, MB")]
    bars = [len(_drawn(one)) for one in measured.values()]
    drawn = make_subplots(rows=len(bars), cols=2, subplot_titles=titles, row_heights=bars,
                          vertical_spacing=0.28 / max(len(bars), 2), horizontal_spacing=0.2)
    for row, results in enumerate(measured.values(), 1):
        drawn.add_trace(_seconds(results), row=row, col=1)
        drawn.add_trace(_memory(results), row=row, col=2)
    drawn.update_xaxes(rangemode="tozero", gridcolor="#e4e7ea")
    drawn.update_traces(textposition="outside", cliponaxis=False)
    drawn.update_yaxes(autorange="reversed")
    drawn.update_layout(template="plotly_white", showlegend=False, width=WIDTH, margin={"l": 130, "t": 60},
                        height=120 + sum(bars) * ROW + len(bars) * 70)
    return drawn


def _seconds(results: Results) -> go.Bar:
    names = _drawn(results)
    medians = [results.seconds(name) for name in names]
    runs = [[cost.seconds for cost in results.runs[name]] for name in names]
    return go.Bar(
        x=medians, y=names, orientation="h", marker_color=_colours(names), text=[f"{value:.2f}" for value in medians],
        error_x={"array": [max(each) - value for each, value in zip(runs, medians, strict=True)], "thickness": 1,
                 "arrayminus": [value - min(each) for each, value in zip(runs, medians, strict=True)]},
    )


def _memory(results: Results) -> go.Bar:
    names = _drawn(results)
    peaks = [max(results.peak(name), results.floor) / MEGABYTE for name in names]
    return go.Bar(x=peaks, y=names, orientation="h", marker_color=_colours(names),
                  text=[f"{value:.0f}" for value in peaks])


def _drawn(results: Results) -> list[str]:
    """All programs except the run without a report, which serves only to measure the report's memory."""
    return [name for name in results.runs if name != ROUTE or name_of(1) not in results.runs]


def _colours(names: list[str]) -> list[str]:
    return [OURS_IN if name in OURS else THEIRS_IN for name in names]


def draw(measured: Measured, page: Path) -> None:
    """Write the picture as a self-contained page."""
    figure(measured).write_html(page, include_plotlyjs=True, full_html=True)


def as_svg(page: Path, svg: Path) -> bool:
    """Write a page's picture as SVG; False, and nothing is written, if chromium is not installed."""
    if CHROMIUM is None:
        return False
    with chromium() as browser:
        shown = browser.new_page()
        shown.goto(page.as_uri())
        text = shown.evaluate("Plotly.toImage(document.querySelector('.plotly-graph-div'), {format: 'svg'})")
    svg.write_text(unquote(text.partition(",")[2]))
    return True
