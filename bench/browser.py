"""Debian's chromium, headless, driven by playwright."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

CHROMIUM = shutil.which("chromium")   # None: not installed


@contextmanager
def chromium() -> Iterator[Any]:
    """A browser that runs until the end of the block. Raises SystemExit where it is not installed."""
    from playwright.sync_api import sync_playwright  # imported here: slow to load, and not needed without pictures

    if CHROMIUM is None:
        raise SystemExit("chromium is not installed: apt-get install chromium")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        yield browser
        browser.close()
