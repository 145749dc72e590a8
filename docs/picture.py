"""Draws docs/first-outage.svg: the sample's report in a terminal. Run it after changing the text report."""

from __future__ import annotations

import io
import os
import re
from pathlib import Path

from rich._export_format import CONSOLE_SVG_FORMAT
from rich.console import Console
from rich.text import Text

from docs.sample import JOB, ROOT, SAMPLE
from sipaudit import pipeline
from sipaudit.report import text
from sipaudit.times import parse_zone

WIDTH = 108
SHOWN = 40  # lines


def main() -> None:
    os.chdir(ROOT)
    shown = text.render(pipeline.analyze(JOB), parse_zone(JOB.zone), WIDTH, True)
    console = Console(record=True, width=WIDTH, file=io.StringIO(), force_terminal=True)
    console.print(Text(f"$ sipaudit analyze {SAMPLE}/capture.pcap --site {SAMPLE}/site.yaml --tz utc\n"))
    console.print(Text.from_ansi("\n".join(shown.splitlines()[:SHOWN])))
    fonts = re.compile(r"@font-face \{\{.*?\}\}", re.DOTALL)  # no font is fetched: the reader's own fixed font
    drawing = console.export_svg(title="sipaudit", unique_id="sipaudit", code_format=fonts.sub("", CONSOLE_SVG_FORMAT))
    Path("docs/first-outage.svg").write_text(drawing)


if __name__ == "__main__":
    main()
