"""A followed directory gives what its files hold, however and whenever their bytes arrive."""

from __future__ import annotations

import gzip
import io
import json
import os
import shutil
import struct
from collections.abc import Callable
from errno import EACCES
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from sipaudit.capture.captures import Captures
from sipaudit.capture.files import resolve
from sipaudit.capture.records import LINK_TYPES_KEPT
from sipaudit.capture.write import PcapngWriter, PcapWriter
from sipaudit.errors import InputError
from sipaudit.live.follow import directory
from sipaudit.live.follow.directory import GONE_KEPT, OPEN, READ_OPEN
from sipaudit.live.follow.places import STRETCHES_KEPT, Places
from sipaudit.live.follow.source import FollowSource, follow_source
from sipaudit.live.follow.unpack import PIECE
from sipaudit.simulate.simulate import simulate
from sipaudit.sip.datagram import Datagram
from tests.frames import frames_in, write_pcap
from tests.live.agents import no_descriptors_left
from tests.live.followed import START, Reader, Said, capture, message, plain
from tests.live.judged import live, offline
from tests.score import plans
from tests.shared import ROOT


def whole(*paths: Path) -> list[Said]:
    """The items of the files as `analyze` reads them."""
    files = resolve([str(path) for path in paths]).files
    return [(Path(files[item.capture].path).name, item.frame, plain(item))
            for item in Captures(files, engine="libpcap")]


def append(path: Path, data: bytes) -> None:
    with path.open("ab") as stream:
        stream.write(data)


def sample_parts(parts: int) -> list[bytes]:
    """A capture with ICMP, DNS and SIP, split into several files as in a ring; every other one is pcapng."""
    packets = frames_in(ROOT / "samples" / "first-outage" / "capture.pcap")
    made: list[bytes] = []
    each = -(-len(packets) // parts)
    for number in range(parts):
        stream = io.BytesIO()
        writer: Any = PcapngWriter(stream) if number % 2 else PcapWriter(stream)
        if number % 2:
            writer.interface()
        for time, frame in packets[number * each : (number + 1) * each]:
            writer.write(time, frame)
        made.append(stream.getvalue())
    return made


PARTS = sample_parts(4)


@settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(cuts=st.lists(st.integers(1, 9000), max_size=30), how=st.lists(st.sampled_from(["", "delete", "gzip", "move"]),
                                                                     min_size=4, max_size=4))
def test_however_the_bytes_arrive_the_items_are_those_of_the_whole_files(
    cuts: list[int], how: list[str], tmp_path_factory: pytest.TempPathFactory
) -> None:
    folder, aside = tmp_path_factory.mktemp("ring"), tmp_path_factory.mktemp("whole")
    reader, said, left = Reader(folder), list[Said](), list(cuts)
    for number, data in enumerate(PARTS):
        path = folder / f"ring{number}.cap"
        (aside / path.name).write_bytes(data)
        path.touch()
        while data:
            size = left.pop(0) if left else len(data)
            append(path, data[:size])
            data = data[size:]
            if data or size % 2 or not any(name == path.name for name, *_ in said):  # else it is gone before we look
                said += reader.read()
        if how[number] == "delete":
            path.unlink()
        elif how[number] == "move":
            path.rename(folder / f"old{number}")
        elif how[number] == "gzip":
            (folder / f"{path.name}.gz").write_bytes(gzip.compress(path.read_bytes()))
            said += reader.read() if size % 3 else []
            path.unlink()
        said += reader.read()
        reader.later()
    assert [(name.replace("old", "ring").removesuffix(".gz").removesuffix(".cap"), *rest) for name, *rest in said] == \
        [(name.removesuffix(".cap"), *rest) for name, *rest in whole(aside)]
    health = reader.source.health
    assert (health.undecoded.get("file-vanished"), health.truncated, health.clock_steps) == (None, False, [])
    assert reader.warned == []
    reader.source.close()


@settings(max_examples=40, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(piece=st.integers(200, 9000),
       restarts=st.lists(st.integers(0, len(PARTS[0]) + len(PARTS[1])), max_size=6))
def test_a_restart_anywhere_goes_on_where_it_was(
    piece: int, restarts: list[int], tmp_path_factory: pytest.TempPathFactory
) -> None:
    folder = tmp_path_factory.mktemp("ring")
    reader, said, written = Reader(folder), list[Said](), 0
    for number, data in enumerate(PARTS[:2]):
        for at in range(0, len(data), piece):
            append(folder / f"{number}.cap", data[at : at + piece])
            written += piece
            if any(written - piece < restart <= written for restart in restarts):
                position = reader.source.position()
                reader.source.close()
                reader = Reader(folder, position)
            said += reader.read()
    assert said == whole(folder)
    reader.source.close()


def test_a_partial_record_waits_for_its_rest(tmp_path: Path) -> None:
    reader, data = Reader(tmp_path), capture(1, 2)
    (tmp_path / "a").write_bytes(data[:-1])
    assert reader.numbers() == [1]
    assert reader.source.descriptors() == ()
    append(tmp_path / "a", data[-1:])
    assert reader.numbers() == [2]
    assert not reader.source.health.truncated


def test_a_file_that_breaks_off_is_said_once_it_has_a_successor(tmp_path: Path) -> None:
    reader = Reader(tmp_path)
    (tmp_path / "a").write_bytes(capture(1, 2)[:-1])
    (tmp_path / "b").write_bytes(capture(3))
    assert reader.numbers() == [1, 3]
    assert not reader.source.health.truncated
    reader.later()
    assert reader.numbers() == []
    assert reader.source.health.truncated


def test_a_backlog_is_read_in_the_order_of_its_packets_a_piece_at_a_time(tmp_path: Path) -> None:
    for name, first in (("b", 0), ("a", 10_000), ("c", 20_000)):
        (tmp_path / name).write_bytes(capture(*range(first, first + 10_000), size=200))
    reader = Reader(tmp_path)
    assert 0 < len(reader.source.read()) < 3 * PIECE / 300
    assert reader.source.descriptors() != ()
    done = Reader(tmp_path)
    assert done.numbers() == list(range(30_000))
    assert done.source.health.packets == 30_000
    assert (done.source.health.first, done.source.health.last) == (START, START + 29_999)


def test_a_file_that_appears_late_is_read_though_it_is_older(tmp_path: Path) -> None:
    reader = Reader(tmp_path)
    (tmp_path / "b").write_bytes(capture(10, 11))
    assert reader.numbers() == [10, 11]
    (tmp_path / "a").write_bytes(capture(1, 2))
    append(tmp_path / "b", capture(12)[24:])
    assert reader.numbers() == [1, 2, 12]
    assert [seconds for _, _, seconds in reader.source.health.clock_steps] == [-10]


def test_a_ring_that_comes_round_writes_other_packets_under_the_same_name(tmp_path: Path) -> None:
    reader = Reader(tmp_path)
    for turn in range(3):
        for slot in range(3):
            first = 100 * turn + 10 * slot
            (tmp_path / f"ring{slot}").write_bytes(capture(first))  # truncated and rewritten: the same inode
            assert reader.read()[0][:2] == (f"ring{slot}", 1)
            append(tmp_path / f"ring{slot}", capture(first + 1)[24:])
            assert reader.numbers() == [first + 1]
    assert reader.source.health.undecoded == {}


def test_what_is_overwritten_before_it_was_read_is_counted_and_the_new_content_is_read(tmp_path: Path) -> None:
    reader = Reader(tmp_path)
    (tmp_path / "a").write_bytes(capture(1, 2)[:-3])
    assert reader.numbers() == [1]
    (tmp_path / "a").write_bytes(capture(30, 31, 32))  # longer than the part that was read
    assert reader.numbers() == [30, 31, 32]
    assert reader.source.health.undecoded == {"file-overwritten": 1}
    assert reader.source.blind == 29


def test_an_overwriting_between_look_and_reading_gives_nothing_false(tmp_path: Path) -> None:
    reader = Reader(tmp_path)
    reader.source._every = 1.0
    (tmp_path / "a").write_bytes(capture(1, 2, size=3))
    reader.source._waiting = reader.source._directory.look(0.0)
    reader.source._looked = 0.0
    (tmp_path / "a").write_bytes(capture(30, 31, 32))
    assert reader.numbers() == []
    reader.later(1.0)
    assert reader.numbers() == [30, 31, 32]


def test_a_file_cut_while_it_is_written_goes_on_behind_the_hole(tmp_path: Path) -> None:
    reader, path = Reader(tmp_path), tmp_path / "a"
    with path.open("wb", buffering=0) as writer:
        writer.write(capture(1, 2))
        assert reader.numbers() == [1, 2]
        os.truncate(path, 0)
        assert reader.numbers() == []
        writer.write(capture(3)[24:])
        assert [(name, frame) for name, frame, _ in reader.read()] == [("a", 3)]
        os.truncate(path, 0)
        writer.write(capture(4, 5)[24:])
        assert reader.numbers() == [4, 5]
        writer.write(capture(6)[24:])
        os.truncate(path, 0)  # before that part was read
        writer.write(capture(7)[24:])
        assert reader.numbers() == []
    assert reader.source.health.undecoded == {"file-overwritten": 1}
    path.write_bytes(capture(8))
    assert reader.numbers() == [8]


def test_a_file_cut_to_a_part_is_written_on_from_there(tmp_path: Path) -> None:
    reader, path = Reader(tmp_path), tmp_path / "a"
    path.write_bytes(capture(1, 2, 3))
    assert reader.numbers() == [1, 2, 3]
    os.truncate(path, len(capture(1)) + 7)
    assert reader.numbers() == []
    append(path, capture(8)[31:] + capture(9, 10, 11)[24:])
    assert [(frame, item.payload[:15]) for _, frame, item in reader.read() if isinstance(item, Datagram)] == [
        (2, b"OPTIONS sip:8@e"), (3, b"OPTIONS sip:9@e"), (4, b"OPTIONS sip:10@"), (5, b"OPTIONS sip:11@")]


def test_a_file_deleted_while_it_is_written_is_read_to_its_end(tmp_path: Path) -> None:
    reader = Reader(tmp_path)
    with (tmp_path / "a").open("wb", buffering=0) as writer:
        writer.write(capture(1))
        assert reader.numbers() == [1]
        (tmp_path / "a").unlink()
        writer.write(capture(2)[24:])
        assert reader.numbers() == [2]
    (tmp_path / "b").write_bytes(capture(3))
    assert reader.numbers() == [3]
    reader.later()
    reader.read()
    assert [file.is_open for file in reader.source._directory._files.values()] == [False, True]


def test_files_deleted_before_they_were_read_are_read_all_the_same_when_they_were_seen(tmp_path: Path) -> None:
    for number in range(4):
        (tmp_path / f"{number}").write_bytes(capture(*range(1000 * number, 1000 * number + 1000), size=2000))
    reader = Reader(tmp_path)
    first = len(reader.source.read())
    assert first < 1000
    for number in range(4):
        (tmp_path / f"{number}").unlink()
    assert reader.numbers() == list(range(first, 4000))


def test_a_file_that_goes_before_its_turn_to_be_opened_is_missed_in_its_place(
        tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(directory, "OPEN", 2)
    monkeypatch.setattr("sipaudit.live.follow.source.PIECE", 100_000)
    for number in range(10):
        (tmp_path / f"{number}").write_bytes(capture(10 * number, 10 * number + 1, size=40_000))
    source = Reader(tmp_path).source
    source.read()
    (tmp_path / "7").unlink()
    blind: list[tuple[float, float]] = []
    while source.descriptors():
        before, items = source.blind, source.read()
        if source.blind > before:
            blind.append((items[0].time - START, source.blind - before))
    assert blind == [(80, 80 - 61)]
    assert source.read() == []
    assert source.health.undecoded == {"file-vanished": 1}
    source.close()


def test_files_that_go_before_their_turn_count_however_many_they_are(
        tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(directory, "OPEN", 2)
    monkeypatch.setattr(directory, "GONE_KEPT", 5)
    reader = Reader(tmp_path)
    for number in range(20):
        (tmp_path / f"{number:02}").write_bytes(capture(number))
    reader.source._directory.look(0.0)
    for number in range(20):
        (tmp_path / f"{number:02}").unlink()
    assert reader.numbers() == [0, 1]
    assert reader.source.health.undecoded == {"file-vanished": 18}
    assert len(reader.source._directory._files) <= 5 + 2


def test_what_is_no_capture_is_passed_over_and_said_once(tmp_path: Path) -> None:
    (tmp_path / "dumpcap.log").write_text("Capturing on 'eth0'\n")
    (tmp_path / "empty").touch()
    (tmp_path / "header").write_bytes(capture())
    (tmp_path / "deeper").mkdir()
    (tmp_path / "a.zst").write_bytes(b"\x28\xb5\x2f\xfd" + b"0" * 100)
    (tmp_path / "b.gz").write_bytes(gzip.compress(b"words"))
    (tmp_path / "c.gz").write_bytes(b"\x1f\x8b" + b"junk" * 10)
    os.mkfifo(tmp_path / "pipe")
    (tmp_path / "loop").symlink_to("loop")
    reader = Reader(tmp_path)
    assert reader.read() == []
    append(tmp_path / "dumpcap.log", b"more words")
    assert reader.read() == []
    assert sorted(warning.split(": ")[0].rpartition("/")[2] for warning in reader.warned) == [
        "a.zst", "b.gz", "c.gz", "dumpcap.log"]
    append(tmp_path / "header", capture(5)[24:])
    assert reader.numbers() == [5]


def test_damage_ends_a_file_and_not_the_following(tmp_path: Path) -> None:
    (tmp_path / "a").write_bytes(capture(1) + b"\xff" * 500)
    (tmp_path / "b").write_bytes(capture(2))
    packed = gzip.compress(capture(*range(3, 3000)))
    (tmp_path / "c.gz").write_bytes(packed[:40_000] + b"damage" + packed[40_006:])
    (tmp_path / "d").write_bytes(capture(5000))
    reader = Reader(tmp_path)
    numbers = reader.numbers()
    assert (numbers[:3], numbers[-1]) == ([1, 2, 3], 5000)
    assert reader.source.health.undecoded["damaged-record"] >= 1
    assert reader.read() == []


@settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(pieces=st.lists(st.one_of(
    st.binary(max_size=300), st.sampled_from([PARTS[0][:200], PARTS[0][200:900], PARTS[1][:180], PARTS[1][180:900],
                                              gzip.compress(PARTS[0])[:300], bytes(40), b"\xff" * 20])), max_size=8),
       cuts=st.lists(st.integers(0, 900), max_size=4))
def test_no_content_raises(pieces: list[bytes], cuts: list[int], tmp_path_factory: pytest.TempPathFactory) -> None:
    folder = tmp_path_factory.mktemp("ring")
    reader, path = Reader(folder), folder / "a"
    for number, piece in enumerate(pieces):
        append(path, piece)
        reader.read()
        if number < len(cuts) and path.exists():
            os.truncate(path, min(cuts[number], path.stat().st_size))
            reader.read()
    (folder / "b").write_bytes(capture(1))
    assert reader.numbers()[-1] == 1
    reader.source.close()


def test_a_gzip_file_that_was_there_first_is_read_as_it_comes(tmp_path: Path) -> None:
    packed = gzip.compress(capture(*range(500))) + gzip.compress(capture(*range(500, 600))[24:])
    reader, got = Reader(tmp_path), list[int]()
    for at in range(0, len(packed), 97):
        append(tmp_path / "a.gz", packed[at : at + 97])
        got += reader.numbers()
    assert got == list(range(600))


def test_a_file_compressed_while_we_were_away_is_not_read_twice(tmp_path: Path) -> None:
    path, reader = tmp_path / "a", Reader(tmp_path)
    path.write_bytes(capture(1, 2, 3))
    assert reader.numbers() == [1, 2, 3]
    position = reader.source.position()
    append(path, capture(4)[24:])
    (tmp_path / "a.gz").write_bytes(gzip.compress(path.read_bytes()))
    path.unlink()
    (tmp_path / "b").write_bytes(capture(5))
    assert Reader(tmp_path, position).numbers() == [4, 5]


def test_places_from_before_a_restart_are_still_known(tmp_path: Path) -> None:
    (tmp_path / "a").write_bytes(capture(1, 2))
    reader = Reader(tmp_path)
    frames = [item.frame for item in reader.source.read()]
    again = Reader(tmp_path, reader.source.position())
    assert [again.source.place(frame) for frame in frames] == [(str(tmp_path / "a"), 1), (str(tmp_path / "a"), 2)]
    append(tmp_path / "a", capture(3)[24:])
    assert [(name, frame) for name, frame, _ in again.read()] == [("a", 3)]
    assert again.source.place(99) == (str(tmp_path), None)


def test_a_name_that_is_no_text_can_be_said(tmp_path: Path) -> None:
    (tmp_path / os.fsdecode(b"a\xff\x1b")).write_bytes(capture(1))
    reader = Reader(tmp_path)
    ((name, frame, _),) = reader.read()
    assert (frame, json.dumps(name).isascii(), name.encode() != b"") == (1, True, True)
    assert reader.source.position()["stretches"]
    reader.source.close()


def test_the_position_is_plain(tmp_path: Path) -> None:
    (tmp_path / "a").write_bytes(capture(1, 2))
    reader = Reader(tmp_path)
    assert reader.numbers() == [1, 2]
    position = json.loads(json.dumps(reader.source.position()))
    assert Reader(tmp_path, position).numbers() == []


def open_files() -> int:
    return len(list(Path("/proc/self/fd").iterdir()))


def test_a_file_that_is_brought_again_and_again_longer_gives_what_is_new(tmp_path: Path) -> None:
    reader = Reader(tmp_path)
    descriptors = open_files() + 1
    for last in range(2, 6):
        (tmp_path / ".a.part").write_bytes(capture(*range(1, last)))
        (tmp_path / ".a.part").rename(tmp_path / "a")  # as rsync does
        assert reader.numbers() == [last - 1]
        assert open_files() <= descriptors


def test_a_copy_of_a_file_counts_once(tmp_path: Path) -> None:
    reader = Reader(tmp_path)
    (tmp_path / "a").write_bytes(capture(1, 2))
    assert reader.numbers() == [1, 2]
    append(tmp_path / "a", capture(3)[24:])
    shutil.copy(tmp_path / "a", tmp_path / "b")
    assert [(name, frame) for name, frame, _ in reader.read()] == [("a", 3)]
    append(tmp_path / "a", capture(4)[24:])
    assert [(name, frame) for name, frame, _ in reader.read()] == [("a", 4)]


def test_after_a_restart_files_that_were_read_are_not_opened_again(tmp_path: Path) -> None:
    for number in range(3):
        (tmp_path / f"{number}").write_bytes(capture(number))
    reader = Reader(tmp_path)
    assert reader.numbers() == [0, 1, 2]
    again = Reader(tmp_path, reader.source.position())
    assert again.source.read() == []
    assert not any(file.is_open for file in again.source._directory._files.values())


def test_a_file_that_only_its_compressed_copy_is_left_of_is_read_from_that(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(directory, "OPEN", 0)
    for name, first in (("a", 0), ("b", 1000)):
        (tmp_path / name).write_bytes(capture(*range(first, first + 1000), size=2000))
    reader = Reader(tmp_path)
    first = len(reader.source.read())
    (tmp_path / "b.gz").write_bytes(gzip.compress((tmp_path / "b").read_bytes()))
    reader.source.read()
    (tmp_path / "b").unlink()
    assert (reader.numbers() + reader.numbers())[-1] == 1999
    assert (reader.source.health.packets, reader.source.health.undecoded) == (2000, {})
    assert first < 1000


def test_drops_are_counted_over_the_files_of_a_capture(tmp_path: Path) -> None:
    reader, seen = Reader(tmp_path), list[int | None]()
    for number, drops in enumerate((None, 2, 5, 5, 1)):  # the last file belongs to another capture
        stream = io.BytesIO()
        writer = PcapngWriter(stream)
        writer.interface()
        writer.write(START + number, message(number))
        if drops is not None:
            stream.write(statistics(drops))
        (tmp_path / f"{number}").write_bytes(stream.getvalue())
        reader.read()
        seen.append(reader.source.health.kernel_drops)
    assert seen == [None, 2, 5, 5, 6]


def statistics(drops: int) -> bytes:
    """An Interface Statistics Block, with which dumpcap ends a file."""
    body = struct.pack("<III", 0, 0, 0) + struct.pack("<HHQ", 5, 8, drops) + struct.pack("<HH", 0, 0)
    return struct.pack("<II", 5, 12 + len(body)) + body + struct.pack("<I", 12 + len(body))


def test_a_directory_that_goes_away_and_comes_back(tmp_path: Path) -> None:
    folder = tmp_path / "captures"
    folder.mkdir()
    reader = Reader(folder)
    folder.rmdir()
    assert reader.read() == []
    folder.mkdir()
    (folder / "a").write_bytes(capture(1))
    assert reader.numbers() == [1]
    assert len(reader.warned) == 1


def test_many_small_files_are_read_with_few_descriptors(tmp_path: Path) -> None:
    """A backlog of small files is read within moments, but a process has about a thousand descriptors in all."""
    reader, count = Reader(tmp_path), READ_OPEN + OPEN + 100
    before = open_files()
    for number in range(count):
        (tmp_path / f"{number:05}.pcap").write_bytes(capture(number))
    assert reader.numbers() == list(range(count))
    assert open_files() - before <= READ_OPEN + OPEN
    (tmp_path / "00000.pcap").write_bytes(capture(0, count))   # a file that we closed is still followed
    assert reader.numbers() == [count]
    assert not reader.source.health.undecoded
    reader.source.close()
    assert open_files() < before


def test_of_files_of_ever_new_kinds_so_many_link_types_are_named(tmp_path: Path) -> None:
    reader = Reader(tmp_path)
    for number in range(2 * LINK_TYPES_KEPT):
        with (tmp_path / f"{number}").open("wb") as stream:
            PcapWriter(stream, 300 + number).write(START + number, message(number))
    reader.read()
    assert len(reader.source.health.link_types) == LINK_TYPES_KEPT


@pytest.mark.parametrize("known", [False, True], ids=["new", "seen before"])
def test_files_that_no_descriptor_is_left_for_are_read_later(tmp_path: Path, known: bool) -> None:
    (tmp_path / "a.pcap").write_bytes(capture(1))
    reader = Reader(tmp_path)
    assert reader.numbers() == [1]
    (tmp_path / "b.pcap").write_bytes(capture(2))
    (tmp_path / "c.pcap").write_bytes(capture(3))
    if known:
        for file in reader.source._directory.look(0.0):
            file.close()
    with no_descriptors_left():
        early = reader.numbers()
    assert (early, reader.numbers()) == ([], [2, 3])
    assert reader.source.health.undecoded == {}


def test_a_file_whose_turn_comes_when_no_descriptor_is_left_is_read_later(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for number in (1, 2):
        (tmp_path / f"{number}.pcap").write_bytes(capture(number))
    reader = Reader(tmp_path)
    for file in reader.source._directory.look(0.0):
        file.close()
    entries = list(reader.source._directory._entries())
    with monkeypatch.context() as patched, no_descriptors_left():
        patched.setattr(reader.source._directory, "_entries", lambda: iter(entries))
        early = reader.numbers()
    assert (early, reader.numbers()) == ([], [1, 2])
    assert reader.source.health.undecoded == {}


def test_what_is_remembered_is_bounded(tmp_path: Path) -> None:
    reader = Reader(tmp_path)
    for number in range(GONE_KEPT + 50):
        (tmp_path / f"{number}").write_bytes(capture(number))
        reader.read()
        (tmp_path / f"{number}").unlink()
        reader.later()
    reader.read()
    assert len(reader.source._directory._files) <= GONE_KEPT + 2
    position = reader.source.position()
    assert GONE_KEPT / 2 < len(position["files"]) <= GONE_KEPT + 2
    for _ in range(2):
        again = Reader(tmp_path, position)
        again.read()
        position = again.source.position()
    assert len(position["files"]) <= GONE_KEPT
    places = Places()
    for _ in range(STRETCHES_KEPT + 10):
        places.numbered(object(), lambda: "a", 1, 10)
    assert len(places.rows(2 * STRETCHES_KEPT)) <= STRETCHES_KEPT
    assert places.place(1) is None
    assert places.place(places.last) == ("a", 10)


@pytest.mark.parametrize("sample", ["first-outage", "dns-ttl", "tcp", "stuck-on-secondary", "lab/names"])
def test_what_is_found_by_following_is_what_analyze_finds(sample: str, tmp_path: Path) -> None:
    folder = ROOT / "samples" / sample
    shutil.copy(folder / "capture.pcap", tmp_path / "ring_00001.pcap")
    source = FollowSource(tmp_path, 0)
    assert live(source, folder / "site.yaml") == offline(folder / "capture.pcap", folder / "site.yaml")
    source.close()


@pytest.mark.parametrize(
    ("make", "said"),
    [(lambda path: None, "no such directory"), (lambda path: path.write_text(""), "is no directory")],
)
def test_a_directory_that_cannot_be_followed_is_explained(
    make: Callable[[Path], object], said: str, tmp_path: Path
) -> None:
    make(tmp_path / "there")
    with pytest.raises(InputError, match=said) as caught:
        follow_source(str(tmp_path / "there"), 0)
    assert caught.value.fix


def test_a_file_that_may_be_read_at_last_is_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Neither its size nor its modification time shows that its permissions were changed."""
    (tmp_path / "a.pcap").write_bytes(capture(1))
    reader = Reader(tmp_path)

    def refuse(path: Path, *_flags: int) -> int:
        raise PermissionError(EACCES, "Permission denied", str(path))

    with monkeypatch.context() as locked:
        locked.setattr(os, "open", refuse)
        assert reader.numbers() == reader.numbers() == []
    assert reader.numbers() == [1]
    assert reader.warned == [f"skipped {tmp_path / 'a.pcap'}: cannot be read: Permission denied "
                             "(give the user who runs sipaudit the permission to read it)"]


@pytest.mark.skipif(os.geteuid() == 0, reason="root may look at everything")
def test_a_directory_without_permission(tmp_path: Path) -> None:
    (tmp_path / "locked").mkdir(mode=0)
    with pytest.raises(InputError, match="permissions"):
        follow_source(str(tmp_path / "locked"), 0)


def test_a_capture_that_was_away_is_followed_as_it_is_analysed(tmp_path: Path) -> None:
    """The findings after the gap rest on nothing from before it."""
    plan = tmp_path / "plan.yaml"
    plan.write_text(yaml.safe_dump(plans.deviant(3)))
    whole, site, *_ = simulate(str(plan), str(tmp_path / "plan.pcap"))
    ring = tmp_path / "ring"
    ring.mkdir()
    packets = frames_in(Path(whole))
    write_pcap(ring / "ring_00001.pcap", [one for one in packets if not 400 <= one[0] - packets[0][0] < 520])
    found = live(FollowSource(ring, 0), Path(site))
    assert found == offline(ring / "ring_00001.pcap", Path(site))
    assert 0 < len(found) < len(offline(Path(whole), Path(site)))
