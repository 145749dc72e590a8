"""Debian's chromium without a window, driven by playwright."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

CHROMIUM = shutil.which("chromium")   # None: it is not installed


@contextmanager
def chromium() -> Iterator[Any]:
    """A browser that runs until the end of the block. Raises SystemExit where it is not installed."""
    from playwright.sync_api import sync_playwright  # it is slow to load, and a bench without pictures goes without

    if CHROMIUM is None:
        raise SystemExit("chromium is not installed: apt-get install chromium")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        yield browser
        browser.close()
