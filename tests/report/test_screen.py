"""Tables on terminals of any width: no word is broken, and what does not fit is named."""

from __future__ import annotations

import re
from datetime import UTC

import pytest

from sipaudit import pipeline
from sipaudit.report import phones, text
from sipaudit.report.screen import Screen, count_of
from tests.shared import ROOT


def job(name: str = "first-outage") -> pipeline.Job:
    folder = ROOT / "samples" / name
    return pipeline.Job(paths=(str(folder / "capture.pcap"),), site=str(folder / "site.yaml"), zone="utc")


def drawn(width: int, *rows: tuple[object, ...], least: tuple[str, ...] = ()) -> str:
    screen = Screen(width, False)
    screen.table(("name", "what it does", "count"), rows, right=frozenset({"count"}), least=least)
    return screen.text()


def test_a_table_gives_way_between_words() -> None:
    shown = drawn(30, ("one", "nothing that anybody has to know", 12_345))
    assert max(map(len, shown.splitlines())) <= 30
    assert {"one", "nothing", "anybody", "12345"} <= set(shown.split())


def test_a_table_with_room_is_as_wide_as_it_wants_to_be() -> None:
    assert drawn(100, ("one", "nothing at all", 3)) == ("name  what it does    count\n"
                                                        "one   nothing at all      3\n")


def test_columns_that_have_no_room_are_left_out_in_their_order_and_named() -> None:
    rows = ("a-name-in-one-word", "something-in-one-word-too", 3)
    assert "did not fit" not in drawn(60, rows, least=("count", "what it does"))
    assert drawn(48, rows, least=("count", "what it does")).splitlines() == [
        "name                what it does", "a-name-in-one-word  something-in-one-word-too",
        "Columns that did not fit: count."]
    assert drawn(20, rows, least=("count", "what it does")).splitlines() == [
        "name", "a-name-in-one-word", "Columns that did not", "fit: what it does,", "count."]


def test_names_wider_than_the_terminal_are_broken_after_all() -> None:
    shown = drawn(20, ("a-name-in-one-word-wider-than-all", "a", 3))
    assert max(map(len, shown.splitlines())) <= 20
    assert "".join(line.partition(" ")[0] for line in shown.splitlines()) == "namea-name-in-one-word-wider-than-all"


@pytest.mark.parametrize("width", [24, 32, 40, 45, 50])
@pytest.mark.parametrize("name", ["first-outage", "three-servers"])
def test_times_are_whole_on_the_narrowest_terminal(name: str, width: int) -> None:
    found = pipeline.analyze(job(name))
    for render in (phones.render, text.render):
        wide, narrow = (render(found, UTC, columns, False) for columns in (500, width))
        pieces = {word for word in narrow.split() if re.fullmatch(r"[0-9]+:[0-9:.,]*|:[0-9]+[:.][0-9:.,]*", word)}
        assert pieces
        assert pieces <= set(wide.split())


@pytest.mark.parametrize("width", [56, 60, 80, 100])
@pytest.mark.parametrize("name", ["first-outage", "three-servers", "tcp"])
def test_phones_and_analyze_are_readable_on_narrow_terminals(name: str, width: int) -> None:
    found = pipeline.analyze(job(name))
    for render in (phones.render, text.render):
        wide, narrow = render(found, UTC, 500, False), render(found, UTC, width, False)
        assert set(narrow.split()) <= {*wide.split(), "Columns", "that", "did", "not", "fit:", *NAMED}
        assert max(map(len, narrow.splitlines()[:3])) <= width


NAMED = {f"{word}{end}" for column in ("moves", "firmware", "calls", "model", "entry", "last seen", "priority",
                                       "transports", "group", "label", "phone", "regime", "mode", "lines", "findings",
                                       "incident", "severity", "cause") for word in column.split() for end in ",."}


@pytest.mark.parametrize("width", [20, 21, 22, 23, 24, 25])
def test_no_line_ends_within_a_number(width: int) -> None:
    screen = Screen(width, False)
    screen.say(f"At most {count_of(12_345_678, 'packet')} of {count_of(1, 'phone')}")
    assert "12,345,678" in screen.text().split()
