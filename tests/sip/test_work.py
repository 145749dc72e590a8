"""The cost of a message is at most linear in its length: calls are counted, and where a single call could hide the
work, times of growing inputs are compared."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable

import pytest

from sipaudit.sip.lines import MAX_LASTING, LineParser
from sipaudit.sip.message import Malformed
from sipaudit.sip.parse import Parser
from tests.shared import needs_captures
from tests.sip.corpus import corpus
from tests.sip.memory import remembered

HEAD = (
    b"INVITE sip:b@h SIP/2.0\r\nVia: SIP/2.0/UDP h;branch=z9hG4bKx\r\nFrom: <sip:a@h>;tag=t\r\nTo: <sip:b@h>\r\n"
    b"Call-ID: c\r\nCSeq: 1 INVITE\r\n"
)
HOSTILE: dict[str, Callable[[int], bytes]] = {
    "unterminated quotes": lambda n: HEAD + b'Contact: ' + b'\\"' * (n // 2) + b"\r\n\r\n",
    "quotes": lambda n: HEAD + b'Contact: ' + b'"' * n + b"\r\n\r\n",
    "backslashes": lambda n: HEAD + b'Contact: "' + b"\\" * n + b"\r\n\r\n",
    "quotes without end": lambda n: HEAD + b'Contact: ' + b'"\\' * (n // 2) + b"\r\n\r\n",
    "opening brackets": lambda n: HEAD + b"Contact: " + b"<" * n + b"\r\n\r\n",
    "brackets": lambda n: HEAD + b"Contact: " + b"<>" * (n // 2) + b"\r\n\r\n",
    "commas": lambda n: HEAD + b"Contact: " + b"," * n + b"\r\n\r\n",
    "brackets and commas": lambda n: HEAD + b"Contact: " + b"<," * (n // 2) + b"\r\n\r\n",
    "semicolons": lambda n: HEAD + b"Contact: <sip:a@b>" + b";" * n + b"\r\n\r\n",
    "parameters": lambda n: HEAD + b"Contact: <sip:a@b>" + b";a=" * (n // 3) + b"\r\n\r\n",
    "at signs": lambda n: HEAD + b"Contact: <sip:" + b"@" * n + b">\r\n\r\n",
    "colons": lambda n: HEAD + b"Contact: <sip:" + b":" * n + b">\r\n\r\n",
    "a long token": lambda n: HEAD + b"Contact: " + b"a" * n + b"\r\n\r\n",
    "a long host": lambda n: HEAD + b"Contact: <sip:a@" + b"a." * (n // 2) + b">\r\n\r\n",
    "digits": lambda n: HEAD + b"Expires: " + b"9" * n + b"\r\n\r\n",
    "zeros": lambda n: HEAD + b"Expires: " + b"0" * n + b"x\r\n\r\n",
    "credentials": lambda n: HEAD + b"Authorization: Digest " + b'a="b",' * (n // 6) + b"\r\n\r\n",
    "spaces": lambda n: HEAD + b"Via: SIP" + b" " * n + b"/2.0/UDP h\r\n\r\n",
    "empty headers": lambda n: HEAD + b":\r\n" * (n // 3) + b"\r\n",
    "folds": lambda n: HEAD + b"Contact: x\r\n" + b" y\r\n" * (n // 4) + b"\r\n",
    "many headers": lambda n: HEAD + b"Contact: <sip:a@b>\r\n" * (n // 20) + b"\r\n",
    "distinct headers": lambda n: HEAD + b"".join(b"X%d: y\r\n" % i for i in range(n // 8)) + b"\r\n",
    "line ends before the start": lambda n: b"\r\n" * (n // 2) + HEAD + b"\r\n",
    "line feeds": lambda n: HEAD.replace(b"\r\n", b"\n") + b"x\n" * (n // 2),
    "carriage returns": lambda n: b"\r" * n,
    "no line end": lambda n: b"a" * n,
    "junk without line end": lambda n: b"\x01a" * (n // 2),
    "spaces in the start line": lambda n: b"INVITE" + b" " * n + b"SIP/2.0\r\n\r\n",
    "words in the start line": lambda n: b"INVITE" + b" a" * (n // 2) + b" SIP/2.0\r\n\r\n",
    "status line of spaces": lambda n: b"SIP/2.0" + b" " * n + b"\r\n\r\n",
    "NULs": lambda n: b"\0" * n,
    "junk lines": lambda n: b"\x01\r\n" * (n // 3),
}


def calls(data: bytes) -> int:
    """How many Python and C functions a parser without memory calls to read a payload."""
    parser = Parser(0)
    count = 0

    def note(_frame: object, event: str, _arg: object) -> None:
        nonlocal count
        count += event in ("call", "c_call")

    sys.setprofile(note)
    try:
        parser.parse(data)
    finally:
        sys.setprofile(None)
    return count


def seconds(data: bytes) -> float:
    """The best of five times; the parser has no memory, so that every run does the same work."""
    parser = Parser(0)
    best = 1e9
    for _ in range(5):
        begin = time.process_time()
        parser.parse(data)
        best = min(best, time.process_time() - begin)
    return best


@pytest.mark.parametrize("kind", HOSTILE)
def test_a_hostile_message_of_64_kb_needs_a_bounded_number_of_calls(kind: str) -> None:
    assert calls(HOSTILE[kind](65_000)) < 70_000


@pytest.mark.parametrize("size", [1_000, 8_000])
@pytest.mark.parametrize("kind", HOSTILE)
def test_a_hostile_message_eight_times_as_long_takes_about_eight_times_as_long(kind: str, size: int) -> None:
    """8,000 bytes are below the limit of a header, 64,000 are a datagram. Quadratic growth would be 64; 24 leaves room
    for a busy machine, and a millisecond for what is too short to time."""
    short, long = seconds(HOSTILE[kind](size)), seconds(HOSTILE[kind](8 * size))
    assert long < 24 * short + 0.001


@needs_captures
@pytest.mark.parametrize(("lines", "is_read"), [(7, True), (8, False), (400, False)])
def test_behind_so_many_lines_of_junk_no_message_is_looked_for(lines: int, is_read: bool) -> None:
    """Each line may be as long as the whole message, and is searched for a start line."""
    read = LineParser(0).parse_lines(b"junk\r\n" * lines + HEAD + b"\r\n")
    assert isinstance(read, Malformed) is not is_read
    assert ("no-start-line" in read.defects) is not is_read


@needs_captures
def test_an_ordinary_message_needs_few_calls() -> None:
    assert max(calls(data) / (len(data) + 100) for data in corpus().values()) < 2.5


def test_the_memory_is_bounded_whatever_comes() -> None:
    parser = Parser(50)
    for number in range(400):
        parser.parse(HEAD.replace(b"a@h", b"%d@h" % number).replace(b"sip:b@h SIP", b"sip:%d@h SIP" % number)
                     + b"X%d: y\r\n\r\n" % number)
        assert max(map(len, remembered(parser))) <= 50
    assert MAX_LASTING <= 2**15


def test_a_long_line_is_not_remembered() -> None:
    parser = Parser()
    parser.parse(HEAD + b"X: " + b"y" * 5000 + b"\r\nContact: <sip:a@b>;x=" + b"y" * 5000 + b"\r\n\r\n")
    assert all(len(line) < 1100 for memo in remembered(parser) for line in memo)


def test_nor_is_a_long_tail_of_a_message_or_a_long_line_before_it() -> None:
    parser = Parser()
    long = HEAD.replace(b"branch=z9hG4bKx", b"branch=" + b"z" * 5000).replace(b"tag=t", b"tag=" + b"t" * 5000)
    for _ in range(2):
        parser.parse(long.replace(b": c", b": " + b"c" * 5000) + b"X: y\r\n" * 2000 + b"\r\n")
        parser.parse(HEAD + b"Content-Length: 0\r\n\r\n")
    assert parser._tails
    assert all(len(line) < 2100 for memo in remembered(parser) for line in memo)


