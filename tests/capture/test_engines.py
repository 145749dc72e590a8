"""Which engine reads a capture, and when: ours, tshark, or both."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from sipaudit.capture import captures as under_test
from sipaudit.capture import linktypes
from sipaudit.capture.captures import Captures
from sipaudit.capture.files import CaptureFile, resolve
from sipaudit.capture.write import ethernet_frame, icmp_unreachable_packet, ip_packet, udp_packet
from sipaudit.errors import InputError
from sipaudit.sip.datagram import Datagram, TransportError
from tests.capture.sessions import Connection as Tcp
from tests.capture.sessions import Tls, certificate, register, upgrade, websocket_frame, write_capture
from tests.frames import udp_frame, write_pcap
from tests.shared import needs_openssl, needs_tshark

PHONE, SERVER = ("10.1.0.5", 5060), ("10.0.0.1", 5060)
START = 1_700_000_000.0
MESSAGE = b"OPTIONS sip:a@example.com SIP/2.0\r\nVia: SIP/2.0/UDP a;branch=z9hG4bK1\r\nCSeq: 1 OPTIONS\r\n\r\n"



def read(path: Path, **options: Any) -> tuple[list[tuple[str, int]], Captures]:
    """Transport and frame of each message; and the captures."""
    captures = Captures(resolve([str(path)]).files, **options)
    return [(item.flow.transport, item.frame) for item in captures if isinstance(item, Datagram)], captures


@pytest.fixture
def no_tshark(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(under_test, "tshark_available", lambda: None)


@pytest.fixture
def plain(tmp_path: Path) -> Path:
    return write_pcap(tmp_path / "plain.pcap", [
        (START + number, udp_frame(PHONE, SERVER, MESSAGE + b"%d" % number)) for number in range(5)])


@pytest.fixture
def tls(tmp_path: Path) -> tuple[Path, str]:
    """A UDP message, then one over TLS; the capture and its key log."""
    keylog = tmp_path / "keys.log"
    connection = Tcp(15061, start=START)
    session = Tls(connection, certificate(tmp_path), keylog)
    session.send(True, register(1))
    connection.packets.append((START - 1, udp_frame(PHONE, SERVER, MESSAGE)))
    return write_capture(tmp_path / "tls.pcap", connection), str(keylog)


@pytest.fixture
def websocket(tmp_path: Path) -> Path:
    connection = Tcp(8080, start=START)
    upgrade(connection)
    connection.send(True, websocket_frame(True, register(1, transport="WS")))
    for seconds in (-1, 60):
        connection.packets.append((START + seconds, udp_frame(PHONE, SERVER, MESSAGE + b"%d" % seconds)))
    return write_capture(tmp_path / "ws.pcap", connection)


@needs_tshark
@pytest.mark.parametrize("engine", ["auto", "libpcap", "tshark"])
def test_plain_messages_are_the_same_by_every_engine(engine: str, plain: Path) -> None:
    found, captures = read(plain, engine=engine)
    assert found == [("udp", frame) for frame in range(1, 6)]
    assert captures.health[0].packets == 5


@needs_tshark
@pytest.mark.parametrize("engine", ["libpcap", "tshark"])
def test_a_packet_that_is_mirrored_twice_counts_once_by_every_engine(engine: str, tmp_path: Path) -> None:
    sent = (0.0, 0.001, 0.5, 0.519)   # retransmitted after half a second
    path = write_pcap(tmp_path / "twice.pcap", [(START + time, udp_frame(PHONE, SERVER, MESSAGE)) for time in sent])
    messages, captures = read(path, engine=engine)
    assert (messages, captures.health[0].duplicates) == ([("udp", 1), ("udp", 3)], 2)


def test_tshark_is_not_started_for_what_we_read_ourselves(plain: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def started(*_: object, **__: object) -> None:
        raise AssertionError("tshark was started")

    monkeypatch.setattr(under_test, "tshark_stream", started)
    assert len(read(plain)[0]) == 5


@needs_tshark
@needs_openssl
def test_tls_is_read_with_its_keys_on_any_port(tls: tuple[Path, str]) -> None:
    path, keylog = tls
    found, captures = read(path, keylog=keylog)
    assert [transport for transport, _ in found] == ["udp", "tls"]
    assert not captures.health[0].encrypted


@needs_tshark
def test_with_the_tshark_engine_icmp_errors_are_still_ours(tmp_path: Path) -> None:
    asked = udp_packet(PHONE, SERVER, MESSAGE)
    path = write_pcap(tmp_path / "a.pcap", [
        (START, ethernet_frame(asked)), (START + 0.1, ethernet_frame(icmp_unreachable_packet(SERVER[0], asked)))])
    items = list(Captures(resolve([str(path)]).files, engine="tshark"))
    assert [(type(item), item.frame) for item in items] == [(Datagram, 1), (TransportError, 2)]


@needs_tshark
def test_websocket_brings_tshark_in_by_itself_and_in_order(websocket: Path) -> None:
    found, captures = read(websocket)
    assert [transport for transport, _ in found] == ["udp", "ws", "udp"]
    assert [frame for _, frame in found] == sorted(frame for _, frame in found)
    assert not captures.health[0].undecoded


@pytest.mark.usefixtures("no_tshark")
def test_without_tshark_what_it_would_read_is_counted(websocket: Path) -> None:
    found, captures = read(websocket)
    assert [transport for transport, _ in found] == ["udp", "udp"]
    assert captures.health[0].undecoded["websocket"] > 0


def test_the_libpcap_engine_never_asks_tshark(websocket: Path) -> None:
    found, captures = read(websocket, engine="libpcap")
    assert [transport for transport, _ in found] == ["udp", "udp"]
    assert captures.health[0].undecoded["websocket"] > 0


@needs_tshark
def test_sctp_alone_in_a_capture_is_read(tmp_path: Path) -> None:
    chunk = b"\x00\x03" + (16 + len(MESSAGE)).to_bytes(2, "big") + b"\0\0\0\1\0\0\0\0\0\0\0\0" + MESSAGE
    sctp = b"\x13\xc4\x13\xc4\0\0\0\1\0\0\0\0" + chunk + bytes(-len(chunk) % 4)
    path = write_pcap(tmp_path / "sctp.pcap", [
        (START, ethernet_frame(ip_packet("10.1.0.5", "10.0.0.1", 132, sctp)))])
    found, captures = read(path)
    assert found == [("sctp", 1)]
    assert not captures.health[0].undecoded
    assert read(path, engine="libpcap")[1].health[0].undecoded == {"sctp": 1}


def test_a_pipe_that_cannot_be_read_again_is_left_to_us(websocket: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with websocket.open("rb") as stream:
        monkeypatch.setattr("sys.stdin", type("Stdin", (), {"buffer": stream}))
        captures = Captures([CaptureFile("-", "-")])
        assert [item.flow.transport for item in captures if isinstance(item, Datagram)] == ["udp", "udp"]


@pytest.fixture
def strange(tmp_path: Path) -> Path:
    """A link type that only tshark knows: frame relay, routed IP (RFC 2427)."""
    frame = b"\x18\x41\x03\xcc" + udp_packet(PHONE, SERVER, MESSAGE)
    return write_pcap(tmp_path / "strange.pcap", [(START, frame)], 107)


@needs_tshark
def test_a_link_type_that_we_do_not_know_is_left_to_tshark(strange: Path) -> None:
    found, captures = read(strange)
    assert found == [("udp", 1)]
    assert captures.health[0].link_types == ["FRELAY"]


@pytest.mark.usefixtures("no_tshark")
def test_a_link_type_that_nobody_knows_is_refused(strange: Path) -> None:
    with pytest.raises(InputError, match="link type FRELAY") as caught:
        read(strange)
    assert "install tshark" in str(caught.value)


def test_a_link_type_that_we_do_not_know_is_refused_by_the_libpcap_engine(strange: Path) -> None:
    with pytest.raises(InputError, match="link type FRELAY"):
        read(strange, engine="libpcap")


def test_an_unknown_link_type_beside_known_ones_is_counted(tmp_path: Path, plain: Path) -> None:
    assert linktypes.name(107) == "FRELAY"
    write_pcap(tmp_path / "odd.pcap", [(START, b"\x00\x99")], 9)
    found, captures = read(tmp_path / "odd.pcap", engine="libpcap")
    assert (found, sum(captures.health[0].undecoded.values())) == ([], 1)


@pytest.mark.usefixtures("no_tshark")
def test_what_needs_tshark_says_so_when_it_is_missing(plain: Path, tmp_path: Path) -> None:
    keylog = tmp_path / "keys"
    keylog.write_text("CLIENT_RANDOM 00112233 44556677\n")
    for options in ({"engine": "tshark"}, {"keylog": str(keylog)}):
        with pytest.raises(InputError, match="not installed"):
            read(plain, **options)


def test_a_key_log_is_checked_before_anything_is_read(plain: Path, tmp_path: Path) -> None:
    with pytest.raises(InputError, match="cannot be read"):
        read(plain, keylog=str(tmp_path / "missing"))
    keylog = tmp_path / "keys"
    keylog.write_text("CLIENT_RANDOM 00112233 44556677\n")
    with pytest.raises(InputError, match="needs tshark"):
        read(plain, keylog=str(keylog), engine="libpcap")
