"""Draws docs/report.png: the top of the sample's page, its first picture and its lanes, as chromium shows them.

Run it after changing the page. The incidents and smaller pictures in between are left out of the image.
"""

from __future__ import annotations

import os
import tempfile
from pathlib import Path

from bench.browser import chromium
from docs.sample import JOB, ROOT
from sipaudit import pipeline

LEFT_OUT = "#incidents, #rates-of, #pictures .grid, .top, #findings, #whereabouts, #undecided, #captures, footer"


def main() -> None:
    os.chdir(ROOT)
    with tempfile.TemporaryDirectory() as folder, chromium() as browser:
        pipeline.analyze(JOB, output=pipeline.Output(folder))
        page = browser.new_page(viewport={"width": 960, "height": 900})
        page.goto((Path(folder) / "report.html").as_uri())
        page.wait_for_selector("html[data-drawn]", state="attached")
        page.add_style_tag(content=f"{LEFT_OUT} {{ display: none !important }} main {{ padding-bottom: 12px }}"
                                   "section { padding-top: 1rem !important }")
        page.wait_for_timeout(500)
        page.screenshot(path="docs/report.png", full_page=True)


if __name__ == "__main__":
    main()
