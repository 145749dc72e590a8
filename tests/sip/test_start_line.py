"""A request line that is read in one step gives the same as the general parser."""

from __future__ import annotations

import re
from unittest import mock

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sipaudit.sip import startline
from sipaudit.sip.startline import StartLine, read_start_line
from tests.sip.damage import damaged

NEVER = re.compile(rb"(?!)")
USUAL = [
    b"INVITE sip:1002@pbx.example.com SIP/2.0", b"NOTIFY sip:1001@10.1.0.5:5060 SIP/2.0",
    b"BYE sips:+49%2030@PBX.example.com;transport=tls;lr SIP/2.0", b"REGISTER sip:pbx.example.com SIP/2.0",
    b"SIP/2.0 200 OK",
]
PIECES = st.sampled_from([
    b"INVITE", b"Ack", b" ", b"  ", b"sip:", b"SIP:", b"sips:", b"tel:1", b"1001", b"a:b", b"@", b"10.1.0.5",
    b"10.1.0.256", b"h_", b"[::1]", b":5060", b":0", b":99999", b";lr", b";a=b?c", b"?h=v", b" SIP/2.0", b" sip/2.0",
    b" SIP/3.0", b"<", b">", b"\xc3\xa9", b"\n", b"\t", b"%41", b'"', b"\\",
])


def agree(line: bytes) -> StartLine | None:
    quick = read_start_line(line)
    with mock.patch.object(startline, "_USUAL_REQUEST", NEVER):
        assert quick == read_start_line(line)
    return quick


@pytest.mark.parametrize("line", USUAL)
def test_usual_lines_are_read_without_defects(line: bytes) -> None:
    start = agree(line)
    assert start is not None
    assert start.defects == ()


@settings(max_examples=1500)
@given(st.lists(PIECES, max_size=8).map(b"".join))
def test_written_of_pieces(line: bytes) -> None:
    agree(line)


@settings(max_examples=1500)
@given(damaged(USUAL))
def test_usual_lines_with_a_few_bytes_changed(line: bytes) -> None:
    agree(line)
