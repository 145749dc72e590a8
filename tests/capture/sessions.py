"""TCP, TLS and WebSocket conversations made in memory and written as captures: real handshakes, no socket, no root."""

from __future__ import annotations

import base64
import hashlib
import ssl
import struct
import subprocess
from operator import itemgetter
from pathlib import Path

from sipaudit.capture.write import TCP_ACK, TCP_PSH, TCP_SYN, ethernet_frame, tcp_packet
from tests.frames import write_pcap

SEGMENT = 1400  # bytes of payload in a segment
STEP = 0.001  # seconds between packets
WS_GUID = "258EAFA5-E914-47DA-95CA-C5AB0DC85B11"  # RFC 6455 1.3


def register(number: int, *, transport: str = "TLS", user: str = "1001") -> bytes:
    """A REGISTER with CSeq `number`."""
    return (
        f"REGISTER sip:pbx.example.com SIP/2.0\r\nVia: SIP/2.0/{transport} 10.1.0.5:49152;branch=z9hG4bK-{number}\r\n"
        f"From: <sip:{user}@pbx.example.com>;tag=phone\r\nTo: <sip:{user}@pbx.example.com>\r\n"
        f"Call-ID: call-1@10.1.0.5\r\nCSeq: {number} REGISTER\r\nMax-Forwards: 70\r\n"
        f"Contact: <sip:{user}@10.1.0.5:49152>;expires=60\r\nUser-Agent: PolycomVVX-VVX_500-UA/4.0.1\r\n"
        "Content-Length: 0\r\n\r\n"
    ).encode()


def answer(number: int, *, transport: str = "TLS", status: str = "200 OK", user: str = "1001") -> bytes:
    """The answer to `register(number)`."""
    return (
        f"SIP/2.0 {status}\r\nVia: SIP/2.0/{transport} 10.1.0.5:49152;branch=z9hG4bK-{number}\r\n"
        f"From: <sip:{user}@pbx.example.com>;tag=phone\r\nTo: <sip:{user}@pbx.example.com>;tag=server\r\n"
        f"Call-ID: call-1@10.1.0.5\r\nCSeq: {number} REGISTER\r\n"
        f"Contact: <sip:{user}@10.1.0.5:49152>;expires=60\r\nContent-Length: 0\r\n\r\n"
    ).encode()


class Connection:
    """One TCP connection as packets. `send` speaks for the client or the server."""

    def __init__(self, port: int, *, client_port: int = 49152, start: float = 1_700_000_000.0) -> None:
        self.ends = (("10.1.0.5", client_port), ("10.0.0.1", port))
        self.next = [1000, 5000]  # sequence numbers of client and server
        self.time = start
        self.packets: list[tuple[float, bytes]] = []
        self._add(True, TCP_SYN)
        self._add(False, TCP_SYN | TCP_ACK)
        self._add(True, TCP_ACK)

    def send(self, by_client: bool, data: bytes) -> None:
        for at in range(0, len(data), SEGMENT):
            self._add(by_client, TCP_PSH | TCP_ACK, data[at : at + SEGMENT])

    def _add(self, by_client: bool, flags: int, data: bytes = b"") -> None:
        me = 0 if by_client else 1
        packet = tcp_packet(
            self.ends[me], self.ends[1 - me], data, sequence=self.next[me],
            acknowledgement=self.next[1 - me] if flags & TCP_ACK else 0, flags=flags,
        )
        self.packets.append((self.time, ethernet_frame(packet)))
        self.time = round(self.time + STEP, 6)
        self.next[me] += len(data) + bool(flags & TCP_SYN)


class Tls:
    """TLS over a `Connection`: a real handshake between two in-memory ends, its secrets in `keylog`."""

    def __init__(
        self, connection: Connection, certificate: Path, keylog: Path,
        version: ssl.TLSVersion = ssl.TLSVersion.TLSv1_3, *, alpn: str | None = None,
    ) -> None:
        client, server = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT), ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        client.check_hostname, client.verify_mode = False, ssl.CERT_NONE
        client.keylog_filename = str(keylog)
        server.load_cert_chain(certificate)
        self.connection = connection
        self.bios = [ssl.MemoryBIO() for _ in range(4)]  # into client, from client, into server, from server
        for context in (client, server):
            context.minimum_version = context.maximum_version = version
            if alpn:
                context.set_alpn_protocols([alpn])
        self.client = client.wrap_bio(self.bios[0], self.bios[1])
        self.server = server.wrap_bio(self.bios[2], self.bios[3], server_side=True)
        self._handshake()

    def send(self, by_client: bool, data: bytes) -> None:
        """`data` as one TLS record (the caller keeps it under 16 kB)."""
        (self.client if by_client else self.server).write(data)
        self._pump()
        (self.server if by_client else self.client).read(len(data))

    def _handshake(self) -> None:
        waiting = [self.client, self.server]
        while waiting:
            for end in list(waiting):
                try:
                    end.do_handshake()
                    waiting.remove(end)
                except ssl.SSLWantReadError:
                    pass
                self._pump()

    def _pump(self) -> None:
        into_client, from_client, into_server, from_server = self.bios
        for by_client, source, sink in ((True, from_client, into_server), (False, from_server, into_client)):
            if data := source.read():
                self.connection.send(by_client, data)
                sink.write(data)


def upgrade(pipe: Connection | Tls, host: str = "pbx.example.com", protocol: str = "sip") -> None:
    """The HTTP upgrade to SIP over WebSocket (RFC 7118 4)."""
    key = base64.b64encode(b"sixteen bytes...").decode()
    accept = base64.b64encode(hashlib.sha1((key + WS_GUID).encode()).digest()).decode()
    pipe.send(True, (
        f"GET /ws HTTP/1.1\r\nHost: {host}\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Key: {key}\r\n"
        f"Sec-WebSocket-Protocol: {protocol}\r\nSec-WebSocket-Version: 13\r\n\r\n"
    ).encode())
    pipe.send(False, (
        "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
        f"Sec-WebSocket-Accept: {accept}\r\nSec-WebSocket-Protocol: {protocol}\r\n\r\n"
    ).encode())


def websocket_frame(by_client: bool, data: bytes) -> bytes:
    """One text frame, masked when the client sends it (RFC 6455 5.2)."""
    mask = b"\x11\x22\x33\x44" if by_client else b""
    bit = 0x80 if by_client else 0
    length = bytes([bit | len(data)]) if len(data) < 126 else struct.pack("!BH", bit | 126, len(data))
    if by_client:
        data = bytes(byte ^ mask[at % 4] for at, byte in enumerate(data))
    return b"\x81" + length + mask + data


def certificate(folder: Path) -> Path:
    """A self-signed certificate with its key in one file, made by openssl."""
    key, cert, both = folder / "key.pem", folder / "cert.pem", folder / "both.pem"
    subprocess.run(
        ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes",
         "-subj", "/CN=pbx.example.com", "-days", "2", "-keyout", str(key), "-out", str(cert)],
        check=True, capture_output=True,
    )
    both.write_bytes(key.read_bytes() + cert.read_bytes())
    return both


def write_capture(path: Path, *connections: Connection) -> Path:
    """The connections' packets in time order as a pcap."""
    packets = [packet for each in connections for packet in each.packets]
    return write_pcap(path, sorted(packets, key=itemgetter(0)))
