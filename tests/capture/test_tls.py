"""SIP over TLS, with real handshakes: read with the keys, counted as encrypted without them."""

from __future__ import annotations

import contextlib
import os
import shutil
import socket
import ssl
import subprocess
import threading
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from sipaudit.capture.captures import Captures
from sipaudit.capture.files import CaptureFile, examine
from sipaudit.capture.health import CaptureHealth
from sipaudit.capture.tshark import BEYOND_US, tshark_items
from sipaudit.capture.write import PcapngWriter
from sipaudit.errors import InputError
from sipaudit.sip.datagram import Connection, ConnectionKind, Datagram
from tests.capture.sessions import Connection as Tcp
from tests.capture.sessions import Tls, answer, certificate, register, write_capture
from tests.frames import udp_frame
from tests.shared import needs_openssl, needs_tshark

pytestmark = [needs_tshark, needs_openssl]

TLS12, TLS13 = ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3


@pytest.fixture(scope="module")
def cert(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return certificate(tmp_path_factory.mktemp("certificate"))


def capture_file(path: Path) -> CaptureFile:
    return examine(str(path), str(path))


def read(path: Path, keylog: Path | None = None, *, only: frozenset[str] | None = BEYOND_US) -> list[Datagram]:
    health, secrets = CaptureHealth(str(path)), None if keylog is None else str(keylog)
    return list(tshark_items(capture_file(path), capture=0, health=health, keylog=secrets, only=only))


class Talk:
    """A phone registers over TLS: the TCP connection, its key log, and what was sent in which frames."""

    def __init__(self, folder: Path, cert: Path, port: int = 5061, version: ssl.TLSVersion = TLS13) -> None:
        self.keylog = folder / "keys.log"
        self.path = folder / "tls.pcap"
        self.tcp = Tcp(port)
        self.tls = Tls(self.tcp, cert, self.keylog, version)
        self.sent: list[tuple[int, bytes]] = []

    def say(self, by_client: bool, data: bytes) -> None:
        self.tls.send(by_client, data)
        self.sent.append((len(self.tcp.packets), data))

    def register(self, count: int = 3) -> Talk:
        for number in range(1, count + 1):
            self.say(True, register(number))
            self.say(False, answer(number))
        return self

    def save(self) -> Path:
        return write_capture(self.path, self.tcp)


@pytest.mark.parametrize("version", [TLS12, TLS13], ids=["TLS 1.2", "TLS 1.3"])
@pytest.mark.parametrize("port", [5061, 15061])
def test_every_message_is_read_with_the_keys(tmp_path: Path, cert: Path, version: ssl.TLSVersion, port: int) -> None:
    talk = Talk(tmp_path, cert, port, version).register()
    found = read(talk.save(), talk.keylog)
    assert [(item.frame, item.payload) for item in found] == talk.sent
    assert [item.time for item in found] == [talk.tcp.packets[frame - 1][0] for frame, _ in talk.sent]
    phone, server = "10.1.0.5:49152", f"10.0.0.1:{port}"
    assert {(item.flow.transport, item.flow.source, item.flow.destination) for item in found} == {
        ("tls", phone, server), ("tls", server, phone)
    }


@pytest.mark.parametrize("version", [TLS12, TLS13], ids=["TLS 1.2", "TLS 1.3"])
def test_without_keys_nothing_is_read_and_the_connection_is_said_to_be_encrypted(
    tmp_path: Path, cert: Path, version: ssl.TLSVersion
) -> None:
    capture = Talk(tmp_path, cert, version=version).register().save()
    assert read(capture) == []
    captures = Captures([capture_file(capture)], engine="libpcap")
    kinds = [item.kind for item in captures if isinstance(item, Connection)]
    assert kinds.count(ConnectionKind.ENCRYPTED) == 1
    assert captures.health[0].encrypted["tls"] >= 6


def test_keys_of_another_connection_open_nothing(tmp_path: Path, cert: Path) -> None:
    (tmp_path / "other").mkdir()
    other = Talk(tmp_path / "other", cert).register(1)
    assert read(Talk(tmp_path, cert).register().save(), other.keylog) == []


def test_keys_inside_a_pcapng_need_no_key_log(tmp_path: Path, cert: Path) -> None:
    talk = Talk(tmp_path, cert).register()
    path = tmp_path / "with-secrets.pcapng"
    with path.open("wb") as stream:
        writer = PcapngWriter(stream)
        writer.interface()
        writer.secrets(talk.keylog.read_bytes())
        for at, frame in talk.tcp.packets:
            writer.write(at, frame)
    assert capture_file(path).secrets
    assert [item.payload for item in read(path)] == [data for _, data in talk.sent]


def test_messages_and_records_need_not_agree(tmp_path: Path, cert: Path) -> None:
    """Two messages in a record, one over two records, a keep-alive before one, and one that never ends."""
    talk = Talk(tmp_path, cert)
    whole = register(3)
    talk.say(True, register(1) + register(2) + whole[:90])
    talk.say(True, whole[90:])
    talk.say(True, b"\r\n\r\n")
    talk.say(True, b"\r\n\r\n" + register(4))
    talk.say(True, register(5)[:100])
    first, second, _, with_ping, _ = (frame for frame, _ in talk.sent)
    assert [(item.payload, item.frame, item.frames) for item in read(talk.save(), talk.keylog)] == [
        (register(1), first, ()),
        (register(2), first, ()),
        (whole, second, (first, second)),
        (register(4), with_ping, ()),
    ]


def test_segments_in_disorder_and_seen_twice(tmp_path: Path, cert: Path) -> None:
    """A mirror port swaps neighbouring packets and shows each packet twice."""
    talk = Talk(tmp_path, cert)
    for number in range(1, 6):
        talk.say(True, register(number))
    times = [at for at, _ in talk.tcp.packets]
    frames = [frame for _, frame in talk.tcp.packets]
    frames[-3], frames[-2] = frames[-2], frames[-3]
    talk.tcp.packets = [(at, frame) for at, frame in zip(times, frames, strict=True) for _ in range(2)]
    assert [item.payload for item in read(talk.save(), talk.keylog)] == [data for _, data in talk.sent]


def test_a_message_larger_than_a_record(tmp_path: Path, cert: Path) -> None:
    talk = Talk(tmp_path, cert)
    body = b"x" * 40_000
    large = register(1).replace(b"Content-Length: 0\r\n\r\n", b"Content-Length: 40000\r\n\r\n" + body)
    talk.say(True, large)
    talk.say(True, register(2))
    assert [item.payload for item in read(talk.save(), talk.keylog)] == [large, register(2)]


def test_other_traffic_costs_nothing_and_keeps_its_numbers(tmp_path: Path, cert: Path) -> None:
    """tshark is not even given the UDP packets, and yet frames are numbered as in the file."""
    talk = Talk(tmp_path, cert).register(1)
    noise = udp_frame(("10.1.0.5", 5060), ("10.0.0.1", 5060), register(9, transport="UDP"))
    talk.tcp.packets = [(at, each) for at, frame in talk.tcp.packets for each in (noise, frame)]
    found = read(talk.save(), talk.keylog)
    assert [(item.frame, item.payload) for item in found] == [(2 * frame, data) for frame, data in talk.sent]
    everything = read(talk.save(), talk.keylog, only=None)
    assert {item.flow.transport for item in everything} == {"udp", "tls"}


def test_with_keys_nothing_is_called_encrypted(tmp_path: Path, cert: Path) -> None:
    talk = Talk(tmp_path, cert).register()
    captures = Captures([capture_file(talk.save())], keylog=str(talk.keylog))
    items = list(captures)
    assert [(item.frame, item.payload) for item in items if isinstance(item, Datagram)] == talk.sent
    assert [item.kind for item in items if isinstance(item, Connection)] == [ConnectionKind.SYN]
    assert not captures.health[0].encrypted
    assert [item.frame for item in items] == sorted(item.frame for item in items)


@pytest.mark.skipif(os.geteuid() != 0, reason="capturing on an interface needs root")
@pytest.mark.skipif(not shutil.which("tcpdump"), reason="tcpdump is not installed")
def test_a_live_connection_on_the_loopback_interface(tmp_path: Path, cert: Path) -> None:
    keylog, path = tmp_path / "keys.log", tmp_path / "live.pcap"
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
        sniffer = subprocess.Popen(
            ["tcpdump", "-i", "lo", "--immediate-mode", "-U", "-B", "65536", "-w", str(path), f"tcp port {port}"],
            stderr=subprocess.PIPE,
        )
        try:
            assert sniffer.stderr is not None
            sniffer.stderr.readline()  # it listens now
            server = threading.Thread(target=serve_once, args=(listener, cert))
            server.start()
            client = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
            client.check_hostname, client.verify_mode = False, ssl.CERT_NONE
            client.keylog_filename = str(keylog)
            with client.wrap_socket(socket.create_connection(("127.0.0.1", port))) as phone:
                phone.sendall(register(1))
                assert phone.recv(4096) == answer(1)
            server.join()
            wait_until(lambda: len(read(path, keylog)) == 2)
        finally:
            sniffer.terminate()
            sniffer.communicate()
    assert [item.payload for item in read(path, keylog)] == [register(1), answer(1)]


def serve_once(listener: socket.socket, cert: Path) -> None:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(cert)
    with context.wrap_socket(listener.accept()[0], server_side=True) as phone:
        phone.recv(4096)
        phone.sendall(answer(1))
        phone.recv(1)


def wait_until(done: Callable[[], bool]) -> None:
    """The sniffer writes in its own time; if it never does, the caller's next assertion fails."""
    for _ in range(50):
        with contextlib.suppress(InputError):
            if done():
                return
        time.sleep(0.1)
