"""Which captures the arguments name, and the errors for files that are no captures (contract.md 1)."""

from __future__ import annotations

import gzip
import io
import os
import sys
import threading
from collections.abc import Sequence
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import zstandard

from sipaudit import mistaken
from sipaudit.capture.captures import Captures
from sipaudit.capture.files import OURS, Resolved, resolve
from sipaudit.capture.formats import compression
from sipaudit.capture.pcapng import SECTION_MAGIC
from sipaudit.capture.records import PCAP_MAGICS
from sipaudit.capture.write import PcapngWriter, PcapWriter
from sipaudit.errors import InputError
from sipaudit.report.folder import EVIDENCE
from sipaudit.sip.datagram import Datagram
from tests.frames import udp_frame

FRAME = udp_frame(("10.1.0.5", 5060), ("10.0.0.1", 5060), b"OPTIONS sip:a SIP/2.0\r\n\r\n")


def capture(*times: float) -> bytes:
    stream = io.BytesIO()
    writer = PcapWriter(stream)
    for time in times:
        writer.write(time, FRAME)
    return stream.getvalue()


def paths(resolved: Resolved) -> list[str]:
    return [Path(file.path).name for file in resolved.files]


def refused(arguments: Sequence[object]) -> str:
    with pytest.raises(InputError) as caught:
        resolve([str(argument) for argument in arguments])
    assert caught.value.fix
    return str(caught.value)


def test_a_file_is_known_by_its_content_and_not_by_its_name(tmp_path: Path) -> None:
    for name, content in (("a.txt", capture(5.5)), ("b", gzip.compress(capture(6.5)))):
        (tmp_path / name).write_bytes(content)
    files = resolve([str(tmp_path / "a.txt"), str(tmp_path / "b")]).files
    assert [(file.plain, file.first, file.link_types) for file in files] == [(True, 5.5, (1,)), (False, 6.5, (1,))]


def test_a_directory_gives_its_captures_sorted_and_lists_what_it_passes_over(tmp_path: Path) -> None:
    (tmp_path / "b.pcap").write_bytes(capture(1))
    (tmp_path / "a.pcap").write_bytes(capture(2))
    (tmp_path / "notes.txt").write_text("see ticket 5")
    (tmp_path / "new.pcap").write_bytes(capture())
    os.mkfifo(tmp_path / "pipe")
    (tmp_path / "deeper").mkdir()
    (tmp_path / "deeper" / "c.pcap").write_bytes(capture(3))
    (tmp_path / "evidence").mkdir()
    (tmp_path / "evidence" / "f-000001.pcapng").write_bytes(capture(3))
    (tmp_path / "words").mkdir()
    resolved = resolve([str(tmp_path)])
    assert paths(resolved) == ["a.pcap", "b.pcap"]
    assert [Path(error.file or "").name for error in resolved.skipped] == ["new.pcap", "notes.txt", "deeper"]
    assert "text file" in str(resolved.skipped[1])
    assert "is a folder within a folder, and not searched" in str(resolved.skipped[2])
    both = resolve([str(tmp_path), str(tmp_path / "deeper")])
    assert [Path(error.file or "").name for error in both.skipped] == ["new.pcap", "notes.txt"]


def test_a_pattern_is_expanded_and_one_that_matches_nothing_is_an_error(tmp_path: Path) -> None:
    for time, name in enumerate(("ring_2.pcap", "ring_1.pcap", "other.pcap")):
        (tmp_path / name).write_bytes(capture(time))
    assert paths(resolve([str(tmp_path / "ring_*.pcap")])) == ["ring_1.pcap", "ring_2.pcap"]
    assert "no file matches" in refused([tmp_path / "rung_*.pcap"])


def test_a_file_whose_name_looks_like_a_pattern_is_that_file(tmp_path: Path) -> None:
    (tmp_path / "a[1].pcap").write_bytes(capture(1))
    assert paths(resolve([str(tmp_path / "a[1].pcap")])) == ["a[1].pcap"]


def test_a_capture_named_twice_counts_once(tmp_path: Path) -> None:
    (tmp_path / "a.pcap").write_bytes(capture(1))
    (tmp_path / "link.pcap").symlink_to("a.pcap")
    assert paths(resolve([str(tmp_path / "a.pcap"), str(tmp_path), str(tmp_path / "*.pcap")])) == ["a.pcap"]


def test_a_copy_of_a_capture_is_told_and_not_read(tmp_path: Path) -> None:
    for name, content in (("a", capture(1, 2)), ("b", capture(1, 3)), ("c", capture(1, 2)), ("d", capture(1, 2, 3))):
        (tmp_path / f"{name}.pcap").write_bytes(content)
    found = resolve([str(tmp_path), str(tmp_path / "c.pcap")])
    assert paths(found) == ["a.pcap", "b.pcap", "d.pcap"]
    assert [str(error) for error in found.skipped] == [
        f"{tmp_path}/c.pcap: is a copy of {tmp_path}/a.pcap (name one of them)"]


@pytest.mark.parametrize("begins", [*PCAP_MAGICS, SECTION_MAGIC], ids=bytes.hex)
def test_what_is_read_as_a_capture_is_called_one_where_another_file_is_wanted(begins: bytes) -> None:
    known = mistaken.known_as(begins, "a.pcap", *mistaken.NO_SETTINGS)
    assert known is not None
    assert known.message == "is a capture"


@pytest.mark.parametrize("packed", [gzip.compress(b"", mtime=0), zstandard.compress(b""), b"\x04\x22\x4d\x18"],
                         ids=["gzip", "zstd", "lz4"])
def test_what_is_uncompressed_is_called_compressed_there(packed: bytes) -> None:
    known = mistaken.known_as(packed, "a.gz", *mistaken.NO_SETTINGS)
    assert compression(packed) is not None
    assert known is not None
    assert known.message == "is compressed"


def test_the_folder_of_evidence_that_is_not_told_of_is_the_one_that_is_written() -> None:
    assert OURS == EVIDENCE


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"", "is empty (0 bytes)"),
        (b"just some words\n", "is a text file, not a capture"),
        ("Zeit: 12 Uhr für alle\n".encode(), "is a text file, not a capture"),
        (b"\x00\x01\x02\x03 and more", "is not a pcap or pcapng capture"),
        (b"\xfd7zXZ\x00\x00", "is compressed with xz"),
        (b"snoop\x00\x00\x00", "is a snoop capture"),
        (b"PK\x03\x04abcdefg", "is a zip archive"),
        (b"a.pcap".ljust(257, b"\0") + b"ustar", "is a tar archive"),
        (capture(), "is a capture without a packet"),
        (capture()[:10], "breaks off"),
        (capture(1)[:50], "breaks off within its first packet"),
        (capture() + b"\xff" * 40, "is damaged"),
        (gzip.compress(b"words", mtime=0), "is a text file"),
        (gzip.compress(capture(1), mtime=0)[:12], "compressed data are damaged"),
        (b"\x1f\x8b" + b"junk" * 10, "compressed data are damaged"),
        (gzip.compress(b"", mtime=0), "is empty: its compressed data hold nothing"),
        (zstandard.compress(capture(1) * 50)[:14], "or break off before the first packet"),
    ],
)
def test_a_path_that_was_named_and_is_no_capture_is_explained(content: bytes, said: str, tmp_path: Path) -> None:
    path = tmp_path / "named.pcap"
    path.write_bytes(content)
    message = refused([path])
    assert said in message
    assert str(path) in message


def test_of_all_that_was_named_and_is_no_capture_each_is_explained(tmp_path: Path) -> None:
    (tmp_path / "a.pcap").write_bytes(capture(1))
    (tmp_path / "b.pcap").write_text("words")
    with pytest.raises(InputError) as caught:
        resolve([str(tmp_path / name) for name in ("*.nothing", "a.pcap", "b.pcap", "c.pcap")])
    assert [error.file for error in caught.value.errors] == [
        str(tmp_path / name) for name in ("*.nothing", "b.pcap", "c.pcap")]


def test_one_without_a_packet_is_passed_over_beside_others(tmp_path: Path) -> None:
    """A shell pattern includes the newest file of a ring, even before a packet has been written to it."""
    (tmp_path / "ring1.pcap").write_bytes(capture(1))
    (tmp_path / "ring2.pcap").write_bytes(capture())
    found = resolve([str(tmp_path / "ring1.pcap"), str(tmp_path / "ring2.pcap")])
    assert paths(found) == ["ring1.pcap"]
    assert [str(error).partition(" (")[0] for error in found.skipped] == [
        f"{tmp_path}/ring2.pcap: is a capture without a packet"]


def test_a_path_that_is_not_there_or_may_not_be_read(tmp_path: Path) -> None:
    assert "does not exist" in refused([tmp_path / "nowhere.pcap"])
    (tmp_path / "loop").symlink_to("loop")
    assert "cannot be read" in refused([tmp_path / "loop"])


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read everything")
def test_a_file_without_permission(tmp_path: Path) -> None:
    path = tmp_path / "locked.pcap"
    path.write_bytes(capture(1))
    path.chmod(0)
    assert "cannot be read: permission denied" in refused([path])


def test_a_directory_without_captures(tmp_path: Path) -> None:
    assert "no file there" in refused([tmp_path])
    (tmp_path / "a").write_text("x")
    assert "none of its files is a capture" in refused([tmp_path])


def test_a_file_of_a_directory_is_an_error_when_it_was_also_named(tmp_path: Path) -> None:
    (tmp_path / "a.pcap").write_bytes(capture(1))
    (tmp_path / "b.pcap").write_text("words")
    assert "text file" in refused([tmp_path, tmp_path / "b.pcap"])


def test_zstd_without_its_package_names_the_extra_to_install(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "a.pcap.zst"
    path.write_bytes(zstandard.compress(capture(1)))
    monkeypatch.setitem(sys.modules, "zstandard", None)
    assert "pip install 'sipaudit[compressed]'" in refused([path])


def test_secrets_in_a_file_are_noticed(tmp_path: Path) -> None:
    with (tmp_path / "a.pcapng").open("wb") as stream:
        writer = PcapngWriter(stream)
        writer.interface()
        writer.secrets(b"CLIENT_RANDOM 00 11\n")
        writer.write(1.0, FRAME)
    assert resolve([str(tmp_path / "a.pcapng")]).files[0].secrets


def _pipe(content: bytes, monkeypatch: pytest.MonkeyPatch) -> threading.Thread:
    """Standard input as a pipe that a thread writes to."""
    reading, writing = os.pipe()

    def write() -> None:
        with os.fdopen(writing, "wb") as stream:
            stream.write(content)

    monkeypatch.setattr(sys, "stdin", os.fdopen(reading, "r"))
    thread = threading.Thread(target=write)
    thread.start()
    return thread


def _times(resolved: Resolved) -> list[float]:
    return [item.time for item in Captures(resolved.files) if isinstance(item, Datagram)]


@pytest.mark.parametrize("pack", [bytes, gzip.compress, zstandard.compress])
def test_standard_input_is_read_as_it_comes(pack: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    thread = _pipe(pack(capture(*range(1000, 1500))), monkeypatch)
    resolved = resolve(["-"])
    assert resolved.files[0].first is None  # nothing was read yet
    assert _times(resolved) == list(range(1000, 1500))
    thread.join()


def test_standard_input_that_is_to_be_read_again_is_spooled(monkeypatch: pytest.MonkeyPatch) -> None:
    thread = _pipe(capture(*range(1000, 1500)), monkeypatch)
    resolved = resolve(["-"], reread=True)
    assert (resolved.files[0].path, resolved.files[0].first) == ("-", 1000)
    assert _times(resolved) == _times(resolved) == list(range(1000, 1500))
    thread.join()


def test_standard_input_takes_its_place_in_time_among_files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    thread = _pipe(capture(5), monkeypatch)
    for name, time in (("late", 9), ("early", 1)):
        (tmp_path / name).write_bytes(capture(time))
    assert _times(resolve([str(tmp_path / "late"), "-", str(tmp_path / "early")])) == [1, 5, 9]
    thread.join()


def test_a_file_redirected_to_standard_input_needs_no_spool(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "a.pcap").write_bytes(capture(7))
    with (tmp_path / "a.pcap").open() as stream:
        monkeypatch.setattr(sys, "stdin", stream)
        file = resolve(["-"], reread=True).files[0]
        assert (file.path, file.plain, file.spool) == ("-", True, None)
        assert _times(resolve(["-"])) == _times(resolve(["-"])) == [7]


@pytest.mark.parametrize(("content", "said"), [(b"", "is empty"), (b"words\n", "text file"), (capture(), "without a")])
def test_standard_input_that_is_no_capture_is_explained_when_it_is_read(
    content: bytes, said: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    thread = _pipe(content, monkeypatch)
    with pytest.raises(InputError, match=said):
        list(Captures(resolve(["-"]).files))
    thread.join()


def test_standard_input_without_a_descriptor_is_read_all_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "stdin", SimpleNamespace(
        buffer=io.BufferedReader(io.BytesIO(capture(1, 2))), fileno=io.StringIO().fileno,
    ))
    assert _times(resolve(["-"])) == [1, 2]


def test_a_named_pipe_is_read_once(tmp_path: Path) -> None:
    fifo = tmp_path / "fifo"
    os.mkfifo(fifo)
    thread = threading.Thread(target=fifo.write_bytes, args=(capture(3, 4),))
    thread.start()
    assert _times(resolve([str(fifo)])) == [3, 4]
    thread.join()
