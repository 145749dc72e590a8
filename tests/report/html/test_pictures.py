"""The pictures of the page, as a browser draws them."""

from __future__ import annotations

import re

import pytest

from tests.report.html.conftest import Open

TIMED = ("p-servers", "p-requests", "p-answers", "p-delays", "p-failures")  # pictures with a time axis


def test_pictures_follow_the_chosen_server(open_page: Open) -> None:
    page = open_page("fleet", drawn=True)
    assert "sbc3" in page.text_content("#p-requests .legend")
    page.select_option("#rates-server", label="sbc2")
    page.wait_for_selector("#p-requests .legend >> text=INVITE")
    assert "REGISTER sbc2" in page.text_content("#p-failures .legend")
    assert page.locator("#p-servers .shapelayer path").count() == 3  # the outage, and two known events


@pytest.mark.parametrize("width", [1400, 400])
def test_what_happened_at_once_stands_at_one_place_in_all_pictures(open_page: Open, width: int) -> None:
    """They show the span of the captures, as the lanes do; a minute that begins before it or ends after it makes none
    of them longer."""
    page = open_page(width=width, drawn=True)
    for name in TIMED:
        shown = page.evaluate(f"document.getElementById('{name}').layout.xaxis.range")
        assert [each[11:19] for each in shown] == ["12:00:00", "12:07:13"], name
    columns: dict[float, set[tuple[float, float]]] = {}
    for name in TIMED[1:]:
        card = page.locator(f"#{name}").bounding_box()
        plane = page.locator(f"#{name} .nsewdrag").first.bounding_box()
        columns.setdefault(card["x"], set()).add((round(plane["x"] - card["x"]), round(plane["width"])))
    assert all(len(planes) == 1 for planes in columns.values()), columns


@pytest.mark.parametrize(("name", "width"), [
    ("sample", 1400), ("sample", 400), ("fleet", 400), ("days", 1400), ("days", 400),
])
def test_no_word_at_an_axis_stands_upon_another(open_page: Open, name: str, width: int) -> None:
    page = open_page(name, width=width, drawn=True)
    touching = page.evaluate("""[...document.querySelectorAll('.plot.js-plotly-plot')].flatMap(plot => {
        const words = [...plot.querySelectorAll('.xtick text, .ytick text, .y2tick text, .legendtext')]
            .map(each => [each.textContent, each.getBoundingClientRect()]);
        return words.flatMap(([one, here], number) => words.slice(number + 1)
            .filter(([, there]) => here.left < there.right && there.left < here.right
                                   && here.top + 1 < there.bottom && there.top + 1 < here.bottom)
            .map(([other]) => `${plot.id}: ${one} and ${other}`));
    })""")
    assert touching == []


def test_what_nobody_answered_is_seen_on_both_grounds(open_page: Open) -> None:
    page = open_page(dark=True, drawn=True)
    bar = page.evaluate("document.getElementById('p-answers').data.find(bar => bar.name === 'no answer').marker.color")
    for theme in ("dark", "light"):
        card = page.evaluate("getComputedStyle(document.getElementById('p-answers').parentElement).backgroundColor")
        assert contrast(hue(bar), tuple(map(int, re.findall(r"\d+", card)))) >= 3, theme   # WCAG 1.4.11
        page.click("#theme")


def hue(color: str) -> tuple[int, ...]:
    return tuple(bytes.fromhex(color.removeprefix("#")))


def contrast(one: tuple[int, ...], other: tuple[int, ...]) -> float:
    """The contrast ratio as WCAG defines it."""
    dark, light = sorted(0.2126 * red + 0.7152 * green + 0.0722 * blue for red, green, blue in (
        [(part / 255 + 0.055) ** 2.4 / 1.055 ** 2.4 if part > 10 else part / 255 / 12.92 for part in color]
        for color in (one, other)))
    return (light + 0.05) / (dark + 0.05)
