"""A store on a real file system that is full or read-only."""

from __future__ import annotations

import sqlite3
import subprocess
from collections.abc import Iterator
from contextlib import closing, suppress
from pathlib import Path
from shutil import copy

import pytest

from sipaudit.errors import InputError
from sipaudit.store import reading, sqlite_file
from sipaudit.store.opening import open_for_reading, open_for_writing
from sipaudit.times import Span
from tests.cli.conftest import Command
from tests.shared import COMMAND, SAMPLE

CAPTURE, SITE = str(SAMPLE / "capture.pcap"), str(SAMPLE / "site.yaml")


class Disk:
    """A small file system (1 MB), mounted at `place`."""

    def __init__(self, place: Path) -> None:
        self.place = place
        self.store = place / "store.db"
        self.url = f"sqlite:///{self.store}"

    def mount(self, *options: str) -> None:
        command = ["mount", "-t", "tmpfs", *options, "none", str(self.place)]
        subprocess.run(command, check=True, capture_output=True)

    def has_room_for(self, size: int) -> None:
        """Fill the disk until only `size` kB are free."""
        (self.place / "filler").write_bytes(b"")
        with suppress(OSError), (self.place / "filler").open("wb", buffering=0) as filler:
            while filler.write(bytes(4096)):
                pass
        with (self.place / "filler").open("r+b") as filler:
            filler.truncate((self.place / "filler").stat().st_size - size * 1000)

    def names(self) -> list[str]:
        return sorted(path.name for path in self.place.iterdir() if path.name != "filler")


@pytest.fixture
def disk(tmp_path: Path) -> Iterator[Disk]:
    made = Disk(tmp_path / "disk")
    made.place.mkdir()
    try:
        made.mount("-o", "size=1m")
    except (OSError, subprocess.CalledProcessError) as error:
        pytest.skip(f"nothing can be mounted here: {error}")
    yield made
    subprocess.run(["umount", "--lazy", made.place], check=True)


@pytest.fixture
def kept(sipaudit_command: Command, tmp_path: Path) -> Path:
    """A closed store that holds a report."""
    store = tmp_path / "kept.db"
    assert sipaudit_command("analyze", CAPTURE, "--site", SITE, "--store", f"sqlite:///{store}").code == 0
    return store


def test_a_store_is_read_where_nothing_can_be_written(sipaudit_command: Command, disk: Disk, kept: Path) -> None:
    copy(kept, disk.store)
    disk.mount("-o", "remount,ro")
    shown = sipaudit_command("report", disk.url, "--format", "csv")
    assert (shown.code, shown.err) == (0, "")
    assert shown.out == sipaudit_command("report", f"sqlite:///{kept}", "--format", "csv").out
    assert disk.names() == ["store.db"]


def test_what_a_writer_left_beside_a_store_that_cannot_be_written_is_asked_for(
        sipaudit_command: Command, disk: Disk, kept: Path) -> None:
    """The last writes are in the -wal file, so the store must not be read without it."""
    copy(kept, disk.store)
    (disk.place / "store.db-wal").write_bytes(b"something")
    disk.mount("-o", "remount,ro")
    refused = sipaudit_command("report", disk.url)
    assert (refused.code, refused.out) == (2, "")
    assert "copy it, and the -wal beside it, to where you may write" in refused.err


@pytest.mark.parametrize("there", [True, False])
def test_a_store_that_cannot_be_written_is_refused_before_anything_is_read(
        there: bool, sipaudit_command: Command, disk: Disk, kept: Path) -> None:
    if there:
        copy(kept, disk.store)
    disk.mount("-o", "remount,ro")
    refused = sipaudit_command("analyze", CAPTURE, "--store", disk.url)
    live = subprocess.run([*COMMAND, "live", "--follow", kept.parent, "--store",
                           disk.url], capture_output=True, text=True, check=False)   # it drops privileges
    assert (refused.code, refused.out, live.returncode, live.stdout) == (2, "", 2, "")
    assert refused.err == live.stderr
    assert f"{disk.url}: cannot be opened: Read-only file system (name a store that you may write" in refused.err


@pytest.mark.parametrize("room", [0, 4, 60, 400])
def test_of_a_store_that_could_not_be_made_nothing_stays(
        room: int, sipaudit_command: Command, disk: Disk) -> None:
    """With 400 kB SQLite reports success, but half of the data is in a file beside the store."""
    disk.has_room_for(room)
    failed = sipaudit_command("analyze", CAPTURE, "--store", disk.url)
    assert (failed.code, failed.out) == (1, "")
    assert f"{disk.url} cannot be opened" in failed.err
    assert "bug" not in failed.err
    assert disk.names() == []


def test_a_store_on_a_full_disk_is_read_and_takes_no_more(sipaudit_command: Command, disk: Disk, kept: Path) -> None:
    copy(kept, disk.store)
    disk.has_room_for(0)
    assert sipaudit_command("report", disk.url).code == 0
    assert disk.names() == ["store.db"]
    assert sipaudit_command("analyze", CAPTURE, "--store", disk.url).code == 1


def test_a_store_that_is_written_while_it_is_read_as_if_it_were_not_is_to_be_read_again(kept: Path) -> None:
    with closing(open_for_reading(f"sqlite:///{kept}")) as store:
        with closing(sqlite3.connect(kept)) as writer:
            writer.execute("DELETE FROM findings")
            writer.commit()
        with pytest.raises(OSError, match="was written while it was read: read it again"):
            reading.read(store, lambda _: Span(None, None))


def test_who_makes_the_same_store_meanwhile_keeps_it(tmp_path: Path) -> None:
    store = tmp_path / "store.db"

    def make(new: Path) -> None:
        new.write_text("ours")
        store.write_text("theirs")

    sqlite_file.make_whole(store, make)
    assert [(path.name, path.read_text()) for path in tmp_path.iterdir()] == [("store.db", "theirs")]


def test_what_a_store_that_was_removed_has_left_does_not_get_into_the_next(tmp_path: Path, kept: Path) -> None:
    url = f"sqlite:///{kept}"
    open_for_writing(url).close()
    with closing(sqlite3.connect(kept)) as writer:
        writer.execute("UPDATE findings SET rule = 'old'")
        writer.commit()
        left = kept.with_name("kept.db-wal").read_bytes()
    assert left
    kept.unlink()
    kept.with_name("kept.db-wal").write_bytes(left)
    open_for_writing(url).close()
    with closing(sqlite3.connect(kept)) as reader:
        assert reader.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
        assert reader.execute("SELECT count(*) FROM findings").fetchall() == [(0,)]


def test_where_files_have_no_second_names_a_store_is_made_in_its_place(
        tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuses(*_: object) -> None:
        raise PermissionError

    monkeypatch.setattr("os.link", refuses)
    store = tmp_path / "store.db"
    open_for_writing(f"sqlite:///{store}").close()
    open_for_reading(f"sqlite:///{store}").close()
    assert (store.stat().st_mode & 0o777, list(tmp_path.iterdir())) == (0o600, [store])


def test_a_directory_is_no_store(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="Is a directory"):
        open_for_writing(f"sqlite:///{tmp_path}")
