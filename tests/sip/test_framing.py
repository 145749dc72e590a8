"""Where messages begin and end in a stream, by content alone."""

from __future__ import annotations

from itertools import pairwise
from time import process_time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sipaudit.sip.framing import HEAD_LIMIT, LINE_LIMIT, MESSAGE_LIMIT, Framer, looks_like_sip
from tests.shared import CAPTURES, needs_captures


def message(number: int, body: bytes = b"", length: bytes | None = None) -> bytes:
    """A REGISTER, or a MESSAGE when it has a body; `length` replaces its Content-Length line."""
    method = b"MESSAGE" if body else b"REGISTER"
    line = b"Content-Length: %d\r\n" % len(body) if length is None else length
    return (
        method + b" sip:pbx.example.com SIP/2.0\r\nVia: SIP/2.0/TCP 10.0.0.1;branch=z9hG4bK%d\r\n" % number
        + b"Call-ID: %d\r\n" % number + line + b"\r\n" + body
    )


OK = b"SIP/2.0 200 OK\r\nCall-ID: 9\r\nContent-Length: 0\r\n\r\n"


class TestRecognition:
    @pytest.mark.parametrize(
        "payload",
        [
            message(1),
            OK,
            b"SIP/2.0 100 ",
            b"NEWMETHOD sip:x SIP/2.0\r\n\r\n",
            b"!odd%token' soap.beep://x SIP/7.0\r\n",
            b"INVITE  sip:user@example.com  SIP/2.0\r\n",
            b"OPTIONS sip:user@example.com; lr SIP/2.0  \r\n",
            b"\r\n\r\n\0" + OK,
            b"OPTIONS sip:cut-by-the-snap-len",
            b"INVITE tel:+4930123",
            b"FOO urn:x SIP/2.0\n",
        ],
    )
    def test_a_start_line_is_known_whatever_its_method(self, payload: bytes) -> None:
        assert looks_like_sip(payload)

    @pytest.mark.parametrize(
        "payload",
        [
            b"",
            b"\r\n\r\n",
            b"\0" * 12,
            b"\x80\x08\x12\x34" + bytes(168),
            b"GET /index.html HTTP/1.1\r\nX: y SIP/2.0\r\n\r\n",
            b"GET /a/SIP/2.0/b HTTP/1.1\r\n\r\n",
            b"HTTP/1.1 200 OK\r\n\r\n",
            b"OPTIONS rtsp://10.0.0.1/stream RTSP/1.0\r\n\r\n",
            b"RTSP/1.0 200 OK\r\n\r\n",
            b"MSRP a786hjs2 SEND\r\nTo-Path: msrp://x\r\n",
            b"\x00\x01\x00\x00\x21\x12\xa4\x42" + bytes(12),
            b"\x12\x34\x01\x00\x00\x01\x00\x00\x00\x00\x00\x00\x03sip\x00\x00\x01\x00\x01",
            b"SIP/2.0/UDP 10.0.0.1\r\n",
            b"v=0\r\no=- 1 1 IN IP4 10.0.0.1\r\n",
            b"\r\n" * 40 + OK,
        ],
    )
    def test_other_protocols_are_not(self, payload: bytes) -> None:
        assert not looks_like_sip(payload)

    @needs_captures
    def test_torture_messages_are_known_whatever_is_wrong_with_them(self) -> None:
        """RFC 4475 and RFC 5118."""
        files = sorted((CAPTURES / "messages").rglob("*.dat"))
        assert len(files) > 50
        assert [file.name for file in files if not looks_like_sip(file.read_bytes())] == []


class TestFraming:
    def test_one_message_in_one_segment(self) -> None:
        framer = Framer()
        assert framer.feed(message(1)) == [message(1)]
        assert framer.spans == [(0, len(message(1)))]
        assert framer.pending == 0

    def test_several_messages_in_one_segment(self) -> None:
        first, second, third = message(1), message(2, b"hello"), OK
        framer = Framer()
        assert framer.feed(first + second + third) == [first, second, third]
        assert framer.spans == list(pairwise([0, len(first), len(first + second), len(first + second + third)]))

    @given(st.lists(st.integers(0, 40), max_size=30), st.integers(0, 3))
    def test_cutting_the_stream_anywhere_changes_nothing(self, cuts: list[int], blank: int) -> None:
        stream = (b"\r\n" * blank).join([message(1), message(2, b"a body\r\n\r\nof lines"), OK, message(3), b""])
        whole, cut = Framer(), Framer()
        expected = whole.feed(stream)
        got: list[bytes] = []
        spans: list[tuple[int, int]] = []
        at = 0
        for size in [*cuts, len(stream)]:
            got += cut.feed(stream[at:at + size])
            spans += cut.spans
            at += size
        assert len(expected) == 4
        assert got == expected
        assert [stream[begin:end] for begin, end in spans] == expected
        assert cut.skipped == whole.skipped == 0

    def test_byte_by_byte(self) -> None:
        framer = Framer()
        stream = message(1, b"x" * 300) + b"\r\n\r\n" + OK
        assert [got for at in range(len(stream)) for got in framer.feed(stream[at:at + 1])] == [
            message(1, b"x" * 300), OK,
        ]

    @pytest.mark.parametrize(
        "line",
        [b"content-length:5\r\n", b"l: 5\r\n", b"L :  5  \r\n", b"CONTENT-LENGTH:\r\n 5\r\n", b"Content-Length: 5 \r\n",
         b"Content-Length: 05\r\n"],
    )
    def test_content_length_in_every_spelling(self, line: bytes) -> None:
        framer = Framer()
        assert framer.feed(message(1, b"12345", line) + OK) == [message(1, b"12345", line), OK]
        assert framer.skipped == 0

    @pytest.mark.parametrize(
        "line",
        [b"", b"Content-Length: x\r\n", b"Content-Length: -5\r\n", b"Content-Length: 99999999\r\n",
         b"Content-Length: %s\r\n" % (b"9" * 400), b"X-Content-Length: 5\r\n", b"Content-Length: 1_0\r\n"],
    )
    def test_without_a_usable_length_the_message_ends_with_its_head(self, line: bytes) -> None:
        """Its body is skipped up to the next start line."""
        framer = Framer()
        head = message(1, b"body", line)[:-4]
        assert framer.feed(head + b"v=0\r\ns=-\r\n" + OK) == [head, OK]
        assert framer.skipped == 10

    def test_a_body_of_unknown_length_is_not_taken_for_the_next_method(self) -> None:
        head = message(1, b"", b"")
        assert Framer().feed(head + b"some-text" + message(2)) == [head, message(2)]

    def test_bare_line_feeds_end_a_head_too(self) -> None:
        bare = OK.replace(b"\r\n", b"\n")
        assert Framer().feed(bare + OK + bare) == [bare, OK, bare]

    def test_joined_in_the_middle_of_a_message(self) -> None:
        framer = Framer()
        assert framer.feed(message(1, b"v=0\r\n")[30:] + message(2)) == [message(2)]
        assert framer.skipped == len(message(1, b"v=0\r\n")) - 30

    def test_behind_what_is_no_message_only_what_is_certain_begins_one(self) -> None:
        """Whether the bytes arrive at once or one by one."""
        junk = b"0 0 SIP\r\n" + OK.replace(b"200", b"4294967301") + b"V:\r\n"
        framer = Framer()
        assert [got for byte in junk + OK for got in framer.feed(bytes([byte]))] == Framer().feed(junk + OK) == [OK]

    def test_a_start_line_behind_a_body_without_line_end(self) -> None:
        for follower in (OK, message(2)):
            assert Framer().feed(b"<dialog-info/>" + follower) == [follower]

    def test_a_hole_costs_the_message_it_touches(self) -> None:
        framer = Framer()
        stream = message(1) + message(2, b"x" * 100) + message(3)
        hole = len(message(1)) + 40
        assert framer.feed(stream[:hole]) == [message(1)]
        framer.lost(20)
        assert framer.feed(stream[hole + 20:]) == [message(3)]
        assert framer.spans == [(len(stream) - len(message(3)), len(stream))]

    def test_behind_a_hole_in_a_body_its_length_still_counts(self) -> None:
        """The rest of a body must not be read as messages, even where it holds one (message/sipfrag)."""
        framer = Framer()
        body = b"x" * 50 + b"SIP/2.0 200 OK\r\n\r\n"
        stream = message(1, body) + message(2)
        hole = len(message(1, body)) - 60
        assert framer.feed(stream[:hole]) == []
        framer.lost(20)
        assert framer.feed(stream[hole + 20:]) == [message(2)]

    def test_the_beginning_of_a_cut_message_is_handed_out(self) -> None:
        framer = Framer()
        whole = message(1, b"x" * 100)
        assert framer.feed(whole[:-60]) == []
        assert framer.cut() == whole[:-60]
        assert framer.spans == [(0, len(whole) - 60)]
        framer.lost(60)
        assert framer.feed(OK) == [OK]
        assert framer.cut() is None


HOSTILE = [
    b"\n", b"\r\n", b"a\n", b"a a\n", b"\n\r", b" ", b"\xff", b"SIP/2.0 ", b"SIP/2.0 200 \n", b"SIP/2.0 200 \r\n\r",
    b"ACK sip:", b"ACK sip:x SIP/2.0\n", b"INVITE sip:x ", b"A B SIP/2.0\n\n", b"A B SIP/2.0\r\n\r\n",
    b"Content-Length: 1\r\n", b"INVITEINVITE",
]  # fmt: skip


def work(unit: bytes, size: int, step: int) -> float:
    """Processor time in seconds to feed `size` bytes in steps of `step`; the buffer must stay within bounds."""
    stream = unit * (size // len(unit))
    framer = Framer()
    start = process_time()
    for at in range(0, len(stream), step):
        framer.feed(stream[at:at + step])
    spent = process_time() - start
    assert framer.pending <= MESSAGE_LIMIT
    return spent


class TestHostileStreams:
    def test_a_line_without_end_is_not_collected(self) -> None:
        framer = Framer()
        for _ in range(200):
            assert framer.feed(b"x" * 1000) == []
            assert framer.pending <= LINE_LIMIT + 1000
        assert framer.feed(b"\r\n" + OK) == [OK]

    def test_a_head_without_end_is_not_collected(self) -> None:
        framer = Framer()
        framer.feed(b"OPTIONS sip:x SIP/2.0\r\n")
        for _ in range(500):
            assert framer.feed(b"X-Header: y\r\n" * 70) == []
            assert framer.pending <= HEAD_LIMIT + 1000
        assert framer.feed(b"\r\n" + OK) == [OK]

    def test_the_longest_message_is_bounded(self) -> None:
        framer = Framer()
        for _ in range(20):
            framer.feed(b"MESSAGE sip:x SIP/2.0\r\nContent-Length: 250000\r\n\r\n" + b"x" * 30_000)
            assert framer.pending <= MESSAGE_LIMIT

    @pytest.mark.parametrize("step", [7, 128_000])
    @pytest.mark.parametrize("unit", HOSTILE)
    def test_work_is_linear_in_the_bytes(self, unit: bytes, step: int) -> None:
        """Sixteen times the bytes take about sixteen times as long; quadratic work would take 256 times as long."""
        few, many = (min(work(unit, size, step) for _ in range(2)) for size in (8_000, 128_000))
        assert many < 16 * few * 5 + 0.01

    @given(st.lists(st.one_of(st.binary(max_size=60), st.sampled_from([OK, message(1), b"\r\n", b"SIP/2.0 2"]))))
    def test_any_bytes_are_accounted_for(self, chunks: list[bytes]) -> None:
        framer = Framer()
        framed = 0
        for chunk in chunks:
            framed += sum(map(len, framer.feed(chunk)))
        blank = sum(map(len, chunks)) - framed - framer.skipped - framer.pending
        assert 0 <= blank <= sum(chunk.count(b"\r") + chunk.count(b"\n") for chunk in chunks)
