"""SIP over WebSocket (RFC 7118), plain and inside TLS, read through tshark."""

from __future__ import annotations

import struct
from pathlib import Path

import pytest

from sipaudit.capture.captures import Captures
from sipaudit.capture.files import examine
from sipaudit.capture.health import CaptureHealth
from sipaudit.capture.tshark import BEYOND_US, tshark_items
from sipaudit.sip.datagram import Datagram
from tests.capture.sessions import (
    Connection,
    Tls,
    answer,
    certificate,
    register,
    upgrade,
    websocket_frame,
    write_capture,
)
from tests.shared import needs_openssl, needs_tshark

pytestmark = needs_tshark


def read(path: Path, keylog: Path | None = None) -> list[Datagram]:
    file, health = examine(str(path), str(path)), CaptureHealth(str(path))
    secrets = None if keylog is None else str(keylog)
    return list(tshark_items(file, capture=0, health=health, keylog=secrets, only=BEYOND_US))


def talk(pipe: Connection | Tls, transport: str) -> list[bytes]:
    """Send an upgrade and two registrations; returns the SIP messages."""
    upgrade(pipe)
    said = []
    for number in (1, 2):
        for by_client, make in ((True, register), (False, answer)):
            said.append(make(number, transport=transport))
            pipe.send(by_client, websocket_frame(by_client, said[-1]))
    return said


@pytest.mark.parametrize("port", [80, 8088, 5060])
def test_plain_websocket(tmp_path: Path, port: int) -> None:
    connection = Connection(port)
    said = talk(connection, "WS")
    found = read(write_capture(tmp_path / "ws.pcap", connection))
    assert [item.payload for item in found] == said
    assert {item.flow.transport for item in found} == {"ws"}
    assert found[0].flow.destination == f"10.0.0.1:{port}"


@needs_openssl
@pytest.mark.parametrize("alpn", [None, "http/1.1"], ids=["no ALPN", "ALPN"])
@pytest.mark.parametrize("port", [443, 7443, 5061])
def test_websocket_inside_tls(tmp_path: Path, port: int, alpn: str | None) -> None:
    connection, keylog = Connection(port), tmp_path / "keys.log"
    said = talk(Tls(connection, certificate(tmp_path), keylog, alpn=alpn), "WSS")
    path = write_capture(tmp_path / "wss.pcap", connection)
    found = read(path, keylog)
    assert [item.payload for item in found] == said
    assert {item.flow.transport for item in found} == {"wss"}
    assert read(path) == []


def test_a_message_in_two_segments_and_one_in_two_frames(tmp_path: Path) -> None:
    connection = Connection(80)
    upgrade(connection)
    frame = websocket_frame(True, register(1, transport="WS"))
    connection.send(True, frame[:40])
    connection.send(True, frame[40:])
    message = answer(1, transport="WS")
    connection.send(False, b"\x01" + websocket_frame(False, message[:90])[1:])
    connection.send(False, b"\x80" + websocket_frame(False, message[90:])[1:])
    found = read(write_capture(tmp_path / "ws.pcap", connection))
    assert [(item.frame, item.payload) for item in found] == [(7, register(1, transport="WS")), (9, message)]


def test_two_frames_in_one_segment_without_content_length(tmp_path: Path) -> None:
    """RFC 7118 5.1 lets Content-Length be left out: the frame says where a message ends."""
    connection = Connection(80)
    upgrade(connection)
    said = [register(number, transport="WS").replace(b"Content-Length: 0\r\n", b"") for number in (1, 2)]
    connection.send(True, b"".join(websocket_frame(True, each) for each in said))
    assert [item.payload for item in read(write_capture(tmp_path / "ws.pcap", connection))] == said


def test_websocket_that_is_no_sip_gives_nothing(tmp_path: Path) -> None:
    connection = Connection(8088)
    upgrade(connection, protocol="xmpp")
    connection.send(True, websocket_frame(True, b"<open xmlns='urn:ietf:params:xml:ns:xmpp-framing'/>"))
    ping = struct.pack("!BB", 0x89, 0x80) + b"\0\0\0\0"
    connection.send(True, ping)
    assert read(write_capture(tmp_path / "ws.pcap", connection)) == []


def test_a_run_starts_tshark_by_itself(tmp_path: Path) -> None:
    connection = Connection(8088)
    said = talk(connection, "WS")
    path = write_capture(tmp_path / "ws.pcap", connection)
    captures = Captures([examine(str(path), str(path))])
    assert [item.payload for item in captures if isinstance(item, Datagram)] == said
    assert not captures.health[0].undecoded
