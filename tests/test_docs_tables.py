"""The tables in docs/ state what the code has: columns, types, days for which rows are stored, settings."""

from __future__ import annotations

import re

import pytest

from sipaudit.model import sayings
from sipaudit.model.sayings import Health, Saying
from sipaudit.report import messages, table
from sipaudit.settings.catalogue import DEFAULTS, SETTINGS
from sipaudit.store.address import DAYS
from sipaudit.store.schema import TABLES
from tests.shared import ROOT

ALWAYS = {"number", "run", "key", "said", "written", "body"}   # columns that every table of the store has


def section(page: str, title: str) -> str:
    found = re.search(rf"^#+ {re.escape(title)}$(.*?)(?=^#|\Z)", (ROOT / "docs" / page).read_text(), flags=re.M | re.S)
    assert found is not None
    return found[1]


def rows(text: str) -> list[list[str]]:
    """The cells of each row of a Markdown table, without the header."""
    lines = [line for line in text.splitlines() if line.startswith("|")]
    return [[cell.strip() for cell in line.strip("|").split("|")] for line in lines[2:]]


def names(cell: str) -> list[str]:
    return [name for code in re.findall(r"`([^`]+)`", cell) for name in code.split()]


def test_columns_of_findings() -> None:
    assert [name for row in rows(section("outputs.md", "findings.csv")) for name in names(row[0])] == [*table.COLUMNS]


def test_columns_of_lines() -> None:
    said = re.findall(r"`([a-z_]+)`", section("outputs.md", "Phones as a table").partition(":")[2])
    assert said == [*table.LINE_COLUMNS]


def test_columns_of_messages_and_their_types() -> None:
    said = {name: row[1].replace("&lt;", "<").replace("&gt;", ">")
            for row in rows(section("outputs.md", "messages.parquet")) for name in names(row[0])}
    assert said == messages.COLUMNS


def test_tables_of_the_store_their_columns_and_how_long_they_are_kept() -> None:
    said = {name: (names(row[2]), row[3]) for row in rows(section("store.md", "Tables")) for name in names(row[0])}
    assert said.keys() == TABLES.keys() | {"runs"}
    for name, known in TABLES.items():
        columns = {column.name for column in known.columns} - ALWAYS
        assert set(said[name][0]) == columns or (name == "notes" and not columns)
        assert float(said[name][1]) == DAYS[name]


def test_settings_of_a_line_and_their_defaults() -> None:
    said = {name: row[2] for row in rows(section("site-file.md", "`settings`")) for name in names(row[0])
            if not name.startswith("dns.cache.")}
    assert said.keys() == SETTINGS.keys()
    for name, default in said.items():
        assert default.startswith("unknown") if name not in DEFAULTS else re.match(rf"{DEFAULTS[name]}\b", default)


def test_types_of_the_lines_of_json() -> None:
    types = {kind.__struct_config__.tag for kind in vars(sayings).values()
             if isinstance(kind, type) and issubclass(kind, Saying) and kind is not Saying}
    assert types <= set(re.findall(r"`([a-z]+)`", (ROOT / "docs" / "live.md").read_text()))


@pytest.mark.parametrize("field", Health.__struct_fields__)
def test_health_is_explained(field: str) -> None:
    assert f"`{field}`" in section("live.md", "Health")
