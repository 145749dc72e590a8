"""A browser as a person has it: Debian's chromium, driven by playwright.

Every page that a test opens must stay silent: nothing on its console, and no request except for the page itself.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from bench.browser import CHROMIUM, chromium
from tests.report.html import pages

PATIENCE = 180_000  # ms: a machine that also runs other tests is slow; speed is measured in bench/

Open = Callable[..., Any]


@pytest.fixture(scope="module")  # it runs an event loop in the tests' thread, which other modules must not meet
def browser() -> Iterator[Any]:
    if CHROMIUM is None:
        pytest.skip("chromium is not installed: the page is not opened")
    pytest.importorskip("playwright.sync_api", reason="playwright is not installed: the page is not opened")
    with chromium() as running:
        yield running


@pytest.fixture(scope="session")
def written(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """The pages as files, each written once."""
    folder = tmp_path_factory.mktemp("pages")
    made = {"sample": pages.sample_page, "fleet": lambda: pages.fleet_page(1_000, 3_000),
            "storms": pages.storms_page, "days": pages.days_page, "hostile": pages.hostile_page,
            "broken clock": pages.broken_clock_page, "labels": pages.labels_page}
    paths = {}
    for name, make in made.items():
        paths[name] = folder / f"{name}.html"
        paths[name].write_bytes(make())
    return paths


@pytest.fixture
def open_page(browser: Any, written: dict[str, Path]) -> Iterator[Open]:
    """`open_page(name, hash, ...)` returns the page once it is ready, with `drawn` once its pictures are drawn as well.
    At the end, its silence is checked."""
    noise: list[str] = []
    contexts = []

    def opened(name: str = "sample", link: str = "", *, width: int = 1280, dark: bool = False, script: bool = True,
               drawn: bool = False) -> Any:
        context = browser.new_context(viewport={"width": width, "height": 900}, java_script_enabled=script,
                                      color_scheme="dark" if dark else "light")
        contexts.append(context)
        context.set_default_timeout(PATIENCE)
        context.grant_permissions(["clipboard-read", "clipboard-write"])
        page = context.new_page()
        address = written[name].as_uri()
        page.on("console", lambda message: noise.append(f"{message.type}: {message.text}"))
        page.on("pageerror", lambda error: noise.append(str(error)))
        page.on("request", lambda asked: None if asked.url.startswith((address, "data:", "blob:"))
                else noise.append(f"asked for {asked.url}"))
        page.goto(address + link)
        if script:
            page.wait_for_selector("html[data-drawn]" if drawn else "html[data-ready]", state="attached")
        return page

    yield opened
    for context in contexts:
        context.close()
    assert noise == []
