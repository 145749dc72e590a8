"""Every message of the torture tests (RFC 4475, RFC 5118) and of other projects' fixtures, read as torture.txt says.

torture.txt has one section per message: its name, the RFC's verdict, then every value that must be read and every
defect. The values were written out by the parser and then checked by eye against the messages and the RFCs. Where a
valid message has a defect all the same, the verdict says EXCEPTION and why.
"""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from sipaudit.sip.message import Malformed
from sipaudit.sip.parse import Parser, parse
from tests.shared import needs_captures
from tests.sip.corpus import corpus
from tests.sip.summary import summary

pytestmark = needs_captures

TABLE = (Path(__file__).parent / "torture.txt").read_text()
SECTIONS = {
    name: (verdict, expected.strip())
    for name, verdict, expected in re.findall(r"^== (\S+)\n(.+)\n((?:(?!== ).*\n?)+)", TABLE, re.MULTILINE)
}
MESSAGES = corpus()


@pytest.mark.parametrize("name", SECTIONS)
def test_the_message_is_read_as_the_table_says(name: str) -> None:
    assert summary(parse(MESSAGES[name])) == SECTIONS[name][1]


@pytest.mark.parametrize("name", [name for name, (verdict, _) in SECTIONS.items() if ", valid" in verdict])
def test_what_the_rfc_calls_valid_has_no_defect(name: str) -> None:
    verdict, expected = SECTIONS[name]
    assert expected.endswith("No defects") or "EXCEPTION" in verdict


@pytest.mark.parametrize("name", [name for name, (verdict, _) in SECTIONS.items() if "invalid" in verdict])
def test_what_the_rfc_calls_invalid_has_a_defect(name: str) -> None:
    assert not SECTIONS[name][1].endswith("No defects")


def test_the_table_leaves_no_message_out() -> None:
    """A file that is a copy of one in the table needs no section; zeek's long capture has a test of its own below."""
    known = {MESSAGES[name] for name in SECTIONS}
    assert [name for name, data in MESSAGES.items() if data not in known and "sip-wireshark" not in name] == []


def test_a_real_trace_is_read_without_a_defect_but_for_bodies_that_lie_in_another_fragment() -> None:
    read = [parse(data) for name, data in MESSAGES.items() if "sip-wireshark" in name]
    assert len(read) == 81
    assert not any(isinstance(message, Malformed) for message in read)
    assert {defect for message in read for defect in message.defects} == {"content-length-long"}


def test_the_memory_changes_nothing() -> None:
    """The same without memory, with one that is always full, and with one that stores everything."""
    large, small, none = Parser(), Parser(2), Parser(0)
    for data in MESSAGES.values():
        assert large.parse(data) == large.parse(data) == small.parse(data) == none.parse(data)
