"""What TLS and WebSocket connections show without keys."""

from __future__ import annotations

import ssl
from pathlib import Path

import pytest

from sipaudit.capture.tls import Records, is_client_hello, is_record
from sipaudit.capture.websocket import Frames
from sipaudit.sip.datagram import Connection, ConnectionKind, Datagram, ErrorKind, TransportError
from tests.capture.sessions import Connection as RealConnection
from tests.capture.sessions import Tls, certificate
from tests.capture.tcpstory import ACK, FIN, RST, SYN, Side, Tap, connected, message, sides
from tests.shared import needs_openssl

CHANGE_CIPHER_SPEC = b"\x14\x03\x03\x00\x01\x01"
SSL2_HELLO = b"\x80\x2e\x01\x03\x01\x00\x15\x00\x00\x00\x10" + bytes(37)


def record(kind: int, body: bytes) -> bytes:
    return bytes((kind, 3, 3)) + len(body).to_bytes(2, "big") + body


HELLO = record(22, b"\x01\x00\x00\x50" + bytes(80))
SERVER_HELLO = record(22, b"\x02\x00\x00\x40" + bytes(64))
FINISHED = CHANGE_CIPHER_SPEC + record(22, bytes(40))
DATA = record(23, bytes(300))


def alert(level: int, description: int) -> bytes:
    return record(21, bytes((level, description)))


def secured(tap: Tap, **options: int) -> tuple[Side, Side]:
    """A connection after a TLS 1.2 handshake."""
    phone, server = connected(tap, **{"port": 5061, **options})
    phone.sends(HELLO)
    server.sends(SERVER_HELLO)
    phone.sends(FINISHED)
    server.sends(FINISHED)
    return phone, server


def kinds(tap: Tap) -> list[str]:
    return [item.kind for item in (*tap.of(Connection), *tap.of(TransportError))]


class TestRecognition:
    def test_hello_and_records(self) -> None:
        assert is_client_hello(HELLO)
        assert is_client_hello(SSL2_HELLO)
        assert not is_client_hello(SERVER_HELLO)
        assert not is_client_hello(SSL2_HELLO + b"x")
        assert is_record(DATA)
        assert not any(is_record(data) for data in (b"", b"\x17\x03", message(1), b"\x17\x03\x03\xff\xff"))

    @pytest.mark.parametrize("hello", [HELLO, SSL2_HELLO])
    def test_a_hello_on_another_port_than_those_of_sip_is_none_of_ours(self, hello: bytes) -> None:
        tap = Tap()
        for port in (443, 15061):
            phone, _ = connected(tap, port=port)
            assert len(tap.streams) == 1
            phone.sends(hello)
            assert len(tap.streams) == 0
        assert tap.items == []

    def test_a_hello_joined_without_its_syn(self) -> None:
        tap = Tap()
        tap.streams.tighten(max_streams=1, max_bytes=1 << 20)
        connected(tap)
        phone, _ = sides(tap, client_port=41_000, port=443)
        phone.sends(HELLO)
        assert (len(tap.streams), tap.streams.evicted) == (1, 0), "it pushes out nothing that is ours"

    @pytest.mark.parametrize("size", [1, 4, 5, 6, 7])
    def test_a_hello_in_pieces(self, size: int) -> None:
        """The record header has five bytes, which do not show yet that the record is a hello."""
        tap = Tap()
        phone, server = connected(tap, port=5061)
        for at in range(0, len(HELLO), size):
            phone.sends(HELLO[at:at + size])
        server.sends(alert(2, 40))
        assert kinds(tap) == ["syn", "tls"]


class TestEncrypted:
    def test_a_connection_is_told_once_and_its_records_are_counted(self) -> None:
        tap = Tap()
        phone, server = secured(tap)
        for _ in range(3):
            phone.sends(DATA[:100])
            phone.sends(DATA[100:] + DATA)
            server.sends(DATA)
        told = tap.of(Connection)
        assert [item.kind for item in told] == [ConnectionKind.SYN, ConnectionKind.ENCRYPTED]
        assert told[1].flow.transport == told[0].flow.transport == "tls"
        assert told[1].flow.destination == "10.0.0.1:5061"
        assert tap.health[0].encrypted == {"tls": 9}
        assert tap.streams.held == 0

    def test_joined_in_the_middle(self) -> None:
        tap = Tap()
        phone, server = sides(tap, port=5061)
        phone.sends(DATA)
        server.sends(DATA)
        assert kinds(tap) == ["encrypted"]
        assert tap.health[0].encrypted == {"tls": 2}

    def test_joined_inside_a_record(self) -> None:
        tap = Tap()
        phone, server = sides(tap, port=5061)
        server.sends(DATA)
        phone.sends(DATA[100:])
        phone.sends(DATA)
        assert tap.health[0].encrypted == {"tls": 2}

    def test_behind_a_lost_segment(self) -> None:
        tap = Tap()
        phone, server = secured(tap)
        phone.sends(DATA)
        phone.loses(DATA)
        phone.sends(DATA)
        server.sends(flags=ACK)
        tap.wait(1)
        assert tap.health[0].encrypted == {"tls": 2}
        assert tap.health[0].tcp_gaps == 1

    @needs_openssl
    @pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3])
    def test_real_handshakes_end_well(self, version: ssl.TLSVersion, tmp_path: Path) -> None:
        pipe = RealConnection(5061)
        tls = Tls(pipe, certificate(tmp_path), tmp_path / "keys", version)
        for number in range(5):
            tls.send(True, message(number))
        tap = Tap()
        replay(tap, pipe)
        tap.wait(60)
        assert kinds(tap) == ["syn", "encrypted"]
        assert tap.health[0].encrypted["tls"] in range(5, 8)  # TLS 1.3 session tickets look the same


def replay(tap: Tap, pipe: RealConnection) -> None:
    """Feed the packets of a real conversation (Ethernet, IPv4 and TCP without options)."""
    phone, server = sides(tap, port=5061)
    for _, packet in pipe.packets:
        segment = packet[34:]
        way = phone.way if int.from_bytes(segment[:2], "big") == phone.way.source_port else server.way
        tap.see(
            way, int.from_bytes(segment[4:8], "big"), int.from_bytes(segment[8:12], "big"), segment[13],
            segment[(segment[12] >> 4) * 4:],
        )


class TestFailedHandshakes:
    @pytest.mark.parametrize(
        ("description", "name"), [(40, "handshake_failure"), (70, "protocol_version"), (255, "255")]
    )
    def test_a_fatal_alert_of_the_server(self, description: int, name: str) -> None:
        tap = Tap()
        phone, server = connected(tap, port=5061)
        phone.sends(HELLO)
        sent = tap.time
        (error,) = server.sends(alert(2, description))
        server.sends(flags=RST)
        assert isinstance(error, TransportError)
        assert (error.kind, error.code, error.sent) == (ErrorKind.TLS, name, sent)
        assert (error.flow.transport, error.flow.source) == ("tls", phone.way.source)
        assert tap.of(TransportError) == [error]

    def test_a_fatal_alert_of_the_phone_that_does_not_trust_the_server(self) -> None:
        tap = Tap()
        phone, server = connected(tap, port=5061)
        phone.sends(HELLO)
        server.sends(SERVER_HELLO)
        (error,) = phone.sends(alert(2, 48))
        assert isinstance(error, TransportError)
        assert (error.code, error.flow.source) == ("unknown_ca", phone.way.source)

    def test_an_alert_in_pieces(self) -> None:
        tap = Tap()
        phone, server = connected(tap, port=5061)
        phone.sends(HELLO)
        bytes_of = SERVER_HELLO + alert(2, 42)
        for at in range(len(bytes_of)):
            server.sends(bytes_of[at:at + 1])
        assert [error.code for error in tap.of(TransportError)] == ["bad_certificate"]

    def test_a_warning_is_no_failure(self) -> None:
        """RFC 6066 3: unrecognized_name may be sent as a warning."""
        tap = Tap()
        phone, server = connected(tap, port=5061)
        phone.sends(HELLO)
        server.sends(alert(1, 112) + SERVER_HELLO)
        phone.sends(FINISHED)
        server.sends(FINISHED)
        phone.sends(flags=FIN | ACK)
        assert kinds(tap) == ["syn", "closed"]

    @pytest.mark.parametrize("flags", [RST, FIN | ACK])
    @pytest.mark.parametrize("by_phone", [True, False])
    def test_the_connection_ends_before_the_handshake(self, flags: int, by_phone: bool) -> None:
        tap = Tap()
        phone, server = connected(tap, port=5061)
        phone.sends(HELLO)
        server.sends(SERVER_HELLO)
        (phone if by_phone else server).sends(flags=flags)
        assert [error.kind for error in tap.of(TransportError)] == [ErrorKind.TLS]

    def test_a_server_that_accepts_and_says_nothing(self) -> None:
        tap = Tap()
        phone, server = connected(tap, port=5061)
        phone.sends(HELLO)
        sent = tap.time
        server.sends(flags=ACK)
        assert tap.wait(31) == []
        (error,) = tap.wait(5)
        assert isinstance(error, TransportError)
        assert (error.kind, error.sent, error.time) == (ErrorKind.TLS, sent, sent + 32)

    def test_one_that_the_capture_never_shows_is_not_judged(self) -> None:
        tap = Tap()
        phone, _ = sides(tap, port=5061)
        phone.sends(flags=SYN)
        phone.sends(flags=ACK)
        phone.sends(HELLO)
        phone.sends(FINISHED + DATA)
        phone.sends(flags=FIN | ACK)
        tap.wait(60)
        assert tap.of(TransportError) == []

    def test_a_handshake_with_a_gap_is_not_judged(self) -> None:
        tap = Tap()
        phone, server = connected(tap, port=5061)
        phone.sends(HELLO)
        server.sends(SERVER_HELLO)
        phone.loses(FINISHED)
        phone.sends(DATA)
        server.sends(FINISHED)
        tap.wait(1)
        phone.sends(flags=FIN | ACK)
        assert tap.of(TransportError) == []

    def test_a_reset_behind_the_handshake(self) -> None:
        """A reset is a failure after an unanswered request, but not after a closing alert that nobody read."""
        for last, expected in ((DATA, ["reset"]), (record(21, bytes(26)), [])):
            tap = Tap()
            phone, server = secured(tap)
            phone.sends(last)
            server.sends(flags=RST)
            assert [error.kind for error in tap.of(TransportError)] == expected


class TestRecords:
    @pytest.mark.parametrize("size", [1, 2, 3, 6, 7, 100])
    def test_cutting_them_anywhere_changes_nothing(self, size: int) -> None:
        stream = HELLO + alert(1, 112) + FINISHED + DATA + record(23, b"") + DATA
        records = Records(whole=True)
        for at in range(0, len(stream), size):
            records.feed(stream[at:at + size])
        assert (records.finished, records.application, records.alert, records.fatal) == (True, 3, "unrecognized_name",
                                                                                          False)

    def test_bytes_that_are_no_records_are_passed_over_to_the_next_segment(self) -> None:
        records = Records(whole=False)
        for part in (DATA, b"\xff" * 700, DATA):
            records.feed(part)
        assert records.application == 2

    def test_an_encrypted_alert_of_tls_13_is_no_finished(self) -> None:
        records = Records(whole=True)
        records.feed(CHANGE_CIPHER_SPEC + record(23, bytes(19)))
        assert not records.finished
        records.feed(record(23, bytes(53)))
        assert records.finished


UPGRADE = (
    b"GET /ws HTTP/1.1\r\nHost: x\r\nUpgrade: websocket\r\nSec-WebSocket-Protocol: chat, sip\r\n\r\n"
)  # fmt: skip
SWITCHED = b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\n\r\n"


def frame(payload: bytes, opcode: int = 1, masked: bool = True) -> bytes:
    size = len(payload)
    short = size if size < 126 else 126 if size < 1 << 16 else 127
    extended = b"" if short < 126 else size.to_bytes(2 if short == 126 else 8, "big")
    mask = b"\0\0\0\0" if masked else b""
    return bytes((0x80 | opcode, short | (0x80 if masked else 0))) + extended + mask + payload


class TestWebSocket:
    @pytest.mark.parametrize("port", [80, 8088, 5060])
    def test_its_messages_are_counted_for_tshark(self, port: int) -> None:
        tap = Tap()
        phone, server = connected(tap, port=port)
        phone.sends(UPGRADE[:60])
        phone.sends(UPGRADE[60:])
        server.sends(SWITCHED + frame(message(1), masked=False)[:30])
        server.sends(frame(message(1), masked=False)[30:])
        phone.sends(frame(message(2)) + frame(b"", 9) + frame(message(3, b"x" * 70_000)))
        assert tap.health[0].undecoded == {"websocket": 3}
        assert tap.of(Datagram) == []

    def test_other_websockets_are_not_ours(self) -> None:
        tap = Tap()
        phone, server = connected(tap, port=80)
        phone.sends(UPGRADE.replace(b"sip", b"mqtt"))
        server.sends(SWITCHED)
        phone.sends(frame(message(1)))
        assert tap.health[0].undecoded == {}
        assert tap.items == []
        assert len(tap.streams) == 0

    def test_a_refused_upgrade_counts_nothing(self) -> None:
        tap = Tap()
        phone, server = connected(tap, port=80)
        phone.sends(UPGRADE)
        server.sends(b"HTTP/1.1 403 Forbidden\r\n\r\n" + frame(b"x"))
        assert tap.health[0].undecoded == {}

    def test_after_a_lost_frame_counting_ends(self) -> None:
        frames = Frames()
        assert frames.feed(UPGRADE + frame(b"a") + frame(b"b" * 200)[:20]) == 2
        frames.lost(100)
        assert frames.feed(frame(b"b" * 200)[120:] + frame(b"c")) == 1
        frames.lost(10)
        assert frames.feed(frame(b"d")) == 0

    def test_an_endless_head_is_not_collected(self) -> None:
        frames = Frames()
        for _ in range(100):
            assert frames.feed(b"X: y\r\n" * 100) == 0
        assert len(frames._header) < 20_000
