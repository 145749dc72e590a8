"""The tshark engine: what it exports, what goes wrong, and how its messages are merged with ours."""

from __future__ import annotations

import os
import subprocess
from collections import Counter
from collections.abc import Generator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sipaudit.capture.beside import AHEAD_KEPT, LOOK_AHEAD, merge
from sipaudit.capture.bpf import BpfFilter
from sipaudit.capture.exported import ExportedSip
from sipaudit.capture.files import CaptureFile, examine
from sipaudit.capture.health import CaptureHealth
from sipaudit.capture.tshark import check_keylog, tshark_items, tshark_stream
from sipaudit.errors import InputError
from sipaudit.sip.datagram import Connection, ConnectionKind, Datagram, Item, flow
from tests.capture.exported_pdus import record, tag
from tests.capture.sessions import Connection as Tcp
from tests.capture.sessions import register, write_capture
from tests.frames import udp_frame, write_pcap
from tests.shared import CAPTURES, INDEX, needs_captures, needs_tshark

PHONE, SERVER = ("10.1.0.5", 5060), ("10.0.0.1", 5060)

NOT_TAKEN_FOR_SIP = {
    "OISF+suricata-verify/http-evader__http-evader-486__input.pcap": (
        1, "an HTTP answer that calls itself SIP/2.0: tshark goes by the HTTP request before it"
    ),
    "marcelocubria+ptavi-p4/register@6f399e2a.pcap": (
        4, "requests to port 5005 without a header: tshark leaves them as data, and takes only the answers for SIP"
    ),
    "ntop+nDPI/fuzz-2006-06-26-2594.pcap": (5, "fuzzed: tshark 4.0 gives up on five start lines"),
}
"""Messages of the index that tshark does not dissect as SIP, and why."""


def capture_file(path: Path) -> CaptureFile:
    return examine(str(path), str(path))


def read(path: Path, **options: Any) -> list[Datagram]:
    return list(tshark_items(capture_file(path), capture=0, health=CaptureHealth(str(path)), **options))


def udp_capture(path: Path, count: int, start: float = 1_700_000_000.0) -> Path:
    return write_pcap(path, [(start + number, udp_frame(PHONE, SERVER, register(number, transport="UDP")))
                             for number in range(count)])


# Captures

@needs_tshark
@needs_captures
@pytest.mark.parametrize("entry", INDEX, ids=[entry["file"] for entry in INDEX])
def test_every_shared_capture_gives_the_messages_that_wireshark_counts(entry: dict[str, Any]) -> None:
    """HEP is read by our own engine alone."""
    path = CAPTURES / entry["file"]
    frames = {(item.flow.transport, item.frame) for item in read(path)}
    expected = {transport: count for transport, count in entry["transports"].items() if transport != "hep"}
    not_taken, why = NOT_TAKEN_FOR_SIP.get(entry["file"], (0, ""))
    assert Counter(transport for transport, _ in frames).total() == sum(expected.values()) - not_taken, why
    assert {transport for transport, _ in frames} <= set(expected)


@needs_tshark
def test_several_messages_in_one_segment_come_once_each(tmp_path: Path) -> None:
    tcp = Tcp(5060)
    tcp.send(True, register(1, transport="TCP") + register(2, transport="TCP"))
    tcp.send(True, register(3, transport="TCP")[:80])
    tcp.send(True, register(3, transport="TCP")[80:])
    found = read(write_capture(tmp_path / "tcp.pcap", tcp))
    assert [(item.frame, item.payload) for item in found] == [
        (frame, register(number, transport="TCP")) for frame, number in ((4, 1), (4, 2), (6, 3))
    ]


@needs_tshark
def test_the_filter_and_the_end_hold_for_tshark_too(tmp_path: Path) -> None:
    path = udp_capture(tmp_path / "udp.pcap", 5)
    assert [item.frame for item in read(path, until=1_700_000_002.0)] == [1, 2, 3]
    assert read(path, bpf=BpfFilter("port 5070")) == []
    assert len(read(path, bpf=BpfFilter("port 5060"))) == 5


@needs_tshark
def test_captures_that_follow_each_other_come_in_their_order(tmp_path: Path) -> None:
    paths = [udp_capture(tmp_path / f"{start}.pcap", 2, start=1_700_000_000.0 + start) for start in (10, 0)]
    health = [CaptureHealth(str(path)) for path in paths]
    found = tshark_stream([capture_file(path) for path in paths], health)
    assert [(item.capture, item.frame) for item in found] == [(1, 1), (1, 2), (0, 1), (0, 2)]


@needs_tshark
def test_settings_of_the_user_change_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "disabled_protos").write_text("sip\nudp\n")
    monkeypatch.setenv("WIRESHARK_CONFIG_DIR", str(tmp_path))
    assert len(read(udp_capture(tmp_path / "udp.pcap", 2))) == 2


@needs_tshark
def test_a_capture_that_was_cut_off_gives_what_is_there(tmp_path: Path) -> None:
    path = udp_capture(tmp_path / "udp.pcap", 3)
    path.write_bytes(path.read_bytes()[:-100])
    assert [item.frame for item in read(path)] == [1, 2]


# What goes wrong

@needs_tshark
def test_no_process_is_left_when_reading_stops(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    started: list[subprocess.Popen[bytes]] = []

    class Noted(subprocess.Popen[bytes]):
        def __init__(self, *words: Any, **options: Any) -> None:
            super().__init__(*words, **options)
            started.append(self)

    path = udp_capture(tmp_path / "udp.pcap", 20_000)
    monkeypatch.setattr(subprocess, "Popen", Noted)
    items = tshark_items(capture_file(path), capture=0, health=CaptureHealth(""))
    assert next(iter(items)).frame == 1
    assert isinstance(items, Generator)
    items.close()
    assert started[0].returncode is not None


def test_a_tshark_that_fails_is_counted_and_what_it_gave_is_kept(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    fake = tmp_path / "tshark"
    fake.write_text("#!/bin/sh\nprintf 'no capture at all'\nexit 3\n")
    fake.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}{os.pathsep}{os.environ['PATH']}")
    path, health = udp_capture(tmp_path / "udp.pcap", 2_000), CaptureHealth("")
    assert list(tshark_items(capture_file(path), capture=0, health=health)) == []
    assert health.undecoded["tshark-ended-with-3"] == 1


@pytest.mark.parametrize("content", [None, b"", b"\x16\x03\x01\x00", b"# a comment\nhello world\n"])
def test_a_key_log_that_is_none_is_said_to_be_none(tmp_path: Path, content: bytes | None) -> None:
    path = tmp_path / "keys.log"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(InputError) as raised:
        check_keylog(str(path))
    assert raised.value.file == str(path)
    assert raised.value.fix


@pytest.mark.parametrize("line", [
    "CLIENT_RANDOM 0123abcd 4567ef", "SERVER_TRAFFIC_SECRET_0 00ff 11ee", "RSA Session-ID:00 Master-Key:11",
])
def test_a_key_log_is_known_by_its_lines(tmp_path: Path, line: str) -> None:
    path = tmp_path / "keys.log"
    path.write_text(f"# made by a phone\n{line}\n")
    check_keylog(str(path))


# Records


def exported(records: list[bytes], health: CaptureHealth | None = None) -> list[Datagram]:
    sip = ExportedSip(0, health or CaptureHealth(""), None, range(100, 200))
    return [item for data in records for item in sip.datagrams((1.0, 1, 252, data, 0))]


def test_transports_are_told_apart() -> None:
    message, over_websocket = register(1), register(1, transport="WS")
    assert [item.flow.transport for item in exported([
        record(b"sip", message, 1, carrier=3),
        record(b"sip", message, 2, carrier=1),
        record(b"sip", register(1, transport="TCP"), 3, port=5060),
        record(b"sip", over_websocket, 4, port=80),
        record(b"sip.tcp", message, 5), record(b"sip", message, 5),
        record(b"http-over-tls", b"GET / HTTP/1.1", 6, port=443, reverse=True),
        record(b"sip", over_websocket, 7, port=443),
    ])] == ["udp", "sctp", "tcp", "ws", "tls", "wss"]


def test_frames_are_numbered_as_in_the_file() -> None:
    whole = register(1)
    found = exported([record(b"sip.tcp", whole[:50], 3), record(b"sip.tcp", whole, 7), record(b"sip", whole, 7)])
    assert [(item.frame, item.frames, item.payload) for item in found] == [(106, (102, 106), whole)]


@pytest.mark.parametrize("data", [
    b"", b"\0\0\0\0", tag(12, b"sip\0"), record(b"sip", b"", 1)[:30], record(b"sip", register(1), 1, carrier=9),
    record(b"sip", register(1), 0), record(b"sip", register(1), 101), b"\0\x0c\xff\xffsip",
])
def test_a_record_that_cannot_be_read_is_counted(data: bytes) -> None:
    health = CaptureHealth("")
    assert exported([data], health) == []
    assert health.undecoded["exported-pdu"] == 1


@given(st.lists(st.one_of(
    st.binary(max_size=80),
    st.builds(
        record, st.sampled_from([b"sip", b"sip.tcp", b"http_tls", b"x"]),
        st.one_of(st.binary(max_size=60), st.just(register(1))), st.integers(0, 2**32 - 1),
        carrier=st.integers(0, 5), reverse=st.booleans(),
    ),
), max_size=5))
def test_no_record_raises(records: list[bytes]) -> None:
    exported(records)


# Beside our own engine

def message(frame: int, *, capture: int = 0, port: int = 5061, payload: bytes = b"tshark") -> Datagram:
    return Datagram(float(frame), capture, frame, flow("tls", "10.1.0.5", 49152, "10.0.0.1", port), payload)


def encrypted(frame: int, *, port: int = 5061) -> Connection:
    """Sent by the server, whereas the messages come from the phone: the connection is the same."""
    return Connection(
        float(frame), 0, frame, ConnectionKind.ENCRYPTED, flow("tls", "10.0.0.1", port, "10.1.0.5", 49152)
    )


def merged(own: list[Item], extra: list[Datagram], health: CaptureHealth | None = None) -> list[tuple[int, int]]:
    return [(item.capture, item.frame) for item in merge(iter(own), iter(extra), [health] if health else ())]


def test_both_streams_are_joined_in_the_order_of_the_capture() -> None:
    own: list[Item] = [message(1, payload=b"a"), message(4, payload=b"b"), message(4, payload=b"c")]
    joined = merge(iter(own), iter([message(2), message(4), message(9)]))
    assert [(item.frame, item.payload) for item in joined if isinstance(item, Datagram)] == [
        (1, b"a"), (2, b"tshark"), (4, b"b"), (4, b"c"), (4, b"tshark"), (9, b"tshark")
    ]


def test_captures_are_joined_by_time() -> None:
    assert merged([message(1), message(5)], [message(3, capture=1)]) == [(0, 1), (1, 3), (0, 5)]


def test_a_message_that_both_read_counts_once() -> None:
    assert merged([message(1), message(2)], [message(1), message(2, payload=b"other")]) == [(0, 1), (0, 2), (0, 2)]


def test_a_connection_that_was_read_is_not_called_encrypted() -> None:
    health = CaptureHealth("")
    health.encrypted["tls"] = 7
    assert merged([encrypted(1)], [message(2), message(3)], health) == [(0, 2), (0, 3)]
    assert not health.encrypted


def test_a_connection_of_which_nothing_was_read_stays_encrypted() -> None:
    health = CaptureHealth("")
    health.encrypted["tls"] = 7
    soon, late = int(LOOK_AHEAD) + 3, int(LOOK_AHEAD) + 4
    extra = [message(2), message(soon), message(late, port=5071)]
    assert merged([encrypted(1), encrypted(2, port=5071)], extra, health) == [(0, 2), (0, 2), (0, soon), (0, late)]
    assert health.encrypted["tls"] == 7


def test_looking_ahead_is_bounded() -> None:
    given_out = 0

    def endless() -> Any:
        nonlocal given_out
        while True:
            given_out += 1
            yield Datagram(2.0, 0, 2, flow("tls", "10.1.0.5", 49152, "10.0.0.1", 5061), b"")

    stream = merge(iter([encrypted(1, port=5071)]), endless())
    assert isinstance(next(stream), Connection)
    assert given_out <= AHEAD_KEPT + 1
