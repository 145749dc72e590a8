"""`phones --format csv`: the lines as a table for a spreadsheet."""

from __future__ import annotations

import csv
import io
from typing import Any

import pytest
from msgspec.structs import replace

from sipaudit.model.values import LineSummary, Registration
from sipaudit.report import document, table
from tests.cli.conftest import Command
from tests.shared import SAMPLE

LINE = document.read(str(SAMPLE)).lines[0]
WORDS = ("phones", str(SAMPLE / "capture.pcap"), "--site", str(SAMPLE / "site.yaml"), "--format", "csv")


def rows(text: str) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(text, newline="")))


def row(line: LineSummary) -> dict[str, str]:
    [only] = rows(b"".join(table.lines_to_csv([line])).decode())
    return only


def test_it_has_a_row_a_line_as_things_stood_then(sipaudit_command: Command) -> None:
    then = rows(sipaudit_command(*WORDS, "--at", "+5m36s").out)
    assert [one["line"][4:8] for one in then] == ["1001", "1002", "1003", "1004"]
    assert [one["working"] for one in then] == ["10.0.0.2:5060/udp", *["10.0.0.1:5060/udp"] * 3]
    assert then[0]["registered"] == "10.0.0.2:5060/udp 2026-11-22T12:10:17.513173Z"
    at_last = [one["registered"].split(";") for one in rows(sipaudit_command(*WORDS).out)]
    assert [len(each) for each in at_last] == [2, 2, 2, 1]
    assert {each[0].split()[0] for each in at_last} == {"10.0.0.1:5060/udp"}   # the server with which they work


def test_other_commands_go_on_to_print_findings(sipaudit_command: Command) -> None:
    assert rows(sipaudit_command("analyze", *WORDS[1:]).out)[0]["rule"] == "signalling-to-unregistered-server"
    assert rows(sipaudit_command("report", str(SAMPLE), "--format", "csv").out)[0]["id"] == "f-000001"


@pytest.mark.parametrize(("changed", "column", "shown"), [
    ({"mac": None}, "mac", ""), ({"label": "=1+1"}, "label", "'=1+1"), ({"working": None}, "working", ""),
    ({"user_agent": "a\x1b[2J"}, "user_agent", "a\\x1b[2J"), ({"moves": []}, "moves", "0"),
    ({"registrations": []}, "registered", ""),
    ({"registrations": [Registration("10.0.0.1:5060/udp", 0.0, None, None, 0, None)]}, "registered",
     "10.0.0.1:5060/udp"), ({"first": 0.5}, "first", "1970-01-01T00:00:00.500000Z"),
], ids=str)
def test_what_is_unknown_is_empty_and_nothing_is_a_formula(changed: dict[str, Any], column: str, shown: str) -> None:
    assert row(replace(LINE, **changed))[column] == shown
