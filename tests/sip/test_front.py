"""A line read by its front and its new part gives what the whole line gives, or nothing."""

from __future__ import annotations

import random

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from sipaudit.sip.front import COLON, MARKS, PARAMETERS, divide, read_front
from sipaudit.sip.line import Field, read_line
from tests.shared import needs_captures
from tests.sip.corpus import corpus
from tests.sip.damage import LINES, NOISE, damaged, mutate

USUAL = [
    b"Via: SIP/2.0/UDP 10.1.0.5:5060;branch=z9hG4bK2b4fae2e",
    b"Via: SIP/2.0/TCP [2001:db8::5]:5060;branch=z9hG4bK2b4f.ae-2e;rport",
    b"Via: SIP/2.0/UDP 10.1.0.5:5060;branch=z9hG4bK2b4fae2e;received=192.0.2.7;rport=40000",
    b'From: "Reception" <sip:1001@pbx.example.com>;tag=A1B2-C3',
    b"To: sip:1001@pbx.example.com;tag=a6c8;x=y",
    b"Call-ID: e9f8a7-1001@10.1.0.5",
    b"CSeq: 7 REGISTER",
    b'Authorization: Digest username="1001", realm="pbx", nonce="f00", uri="sip:pbx", response="beef"',
    b'Proxy-Authorization: Digest realm="pbx",username="1001",nonce="f00==",uri="sip:pbx"',
    b'WWW-Authenticate: Digest realm="a, b", nonce="1;2"',
]
# Pieces of lines that could be mistaken for something else when read by a front.
PIECES = st.sampled_from([
    b"Via: SIP/2.0/UDP h:5060", b"From: <sip:a@b>", b'From: "x', b"To: sip:a@b", b"Call-ID: ", b"CSeq: ", b"7 INVITE",
    b"Authorization: Digest ", b"WWW-Authenticate: Digest ", b'realm="r"', b'username="u"', b'nonce="n"', b"nonce=n",
    b'cnonce="c"', b'realm=""', b", ", b",", b" ", b"\t", b";branch=", b";branch=z9hG4bK", b"; branch=b", b";tag=t",
    b";tag=", b";tag", b";rport", b"\x1c", b"\x0b", b"\xc2\xa0", b"Basic ",
])
WRITTEN = st.lists(st.one_of(PIECES, PIECES, PIECES, LINES, NOISE), min_size=1, max_size=8).map(b"".join)


def by_front(line: bytes) -> Field | None:
    """A line read by its front, as the memory would."""
    mark = MARKS.get(line[0], COLON) if line else COLON
    front, found, last = line.partition(mark)
    if not found:
        return None
    if mark in PARAMETERS:
        front, last = divide(front, last)
    known = read_front(front)
    value = known.read(last)
    return None if value is None else (known.slot, value)


def agree(line: bytes) -> None:
    field = by_front(line)
    whole = read_line(line)
    assert field is None or (whole is not None and field == whole[0])


@pytest.mark.parametrize("line", USUAL)
def test_a_usual_line_is_read_by_its_front(line: bytes) -> None:
    whole = read_line(line)
    assert whole is not None
    assert by_front(line) == whole[0]


@settings(max_examples=3000)
@given(WRITTEN)
@example(b'From: "<sip:a@b>;tag=t')
def test_a_line_read_by_its_front_says_what_the_whole_says(line: bytes) -> None:
    agree(line)


@settings(max_examples=1000)
@given(damaged(USUAL))
def test_so_does_a_usual_line_with_a_few_bytes_changed(line: bytes) -> None:
    agree(line)


@needs_captures
def test_so_does_every_line_of_all_corpora_with_a_few_bytes_changed() -> None:
    chance = random.Random(3261)
    lines = [line for data in corpus().values() for line in data.split(b"\r\n")]
    for line in lines:
        agree(line)
    for _ in range(20000):
        data = bytearray(chance.choice(lines))
        mutate(data, chance, lines)
        agree(bytes(data))


@pytest.mark.parametrize("line", [
    b"Via: SIP/2.0/UDP h;branch=z9hG4bK", b"Via: SIP/2.0/UDP h;branch=a, SIP/2.0/UDP i", b"Via: SIP/2.0/UDP h;branch=",
    b'From: "x;tag=1;y" <sip:a@b>', b"From: <sip:a@b;tag=1;x=y>", b"From: <sip:a@b>;tag=1;tag=2", b"To: <sip:a@b>;tag=",
    b"CSeq: 4294967296 INVITE", b"CSeq: 1  INVITE", b"Call-ID: a b", b"Call-ID: \x1ca", b"Call-ID: ",
    b'Authorization: Digest realm="r", username="u", cnonce="c", nonce="n"',
    b'Authorization: Digest realm="r", username="u", nonce="n"x',
    b'Authorization: Digest realm="r", username="u", nonce="n", x="',
])
def test_a_line_in_doubt_is_not_read_by_its_front(line: bytes) -> None:
    assert by_front(line) is None
