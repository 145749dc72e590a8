"""After a power failure a probe still knows what it had said. The tests shut down a separate file system: data that was
not synced is never written, as when the power of a machine is cut."""

from __future__ import annotations

import sqlite3
import subprocess
import time
from contextlib import closing
from pathlib import Path

from sipaudit.live.checkpoint import Checkpoint
from sipaudit.store.opening import open_for_writing
from sipaudit.store.sink import StoreSink
from tests.live.disk import SOON, Disk, listening_at, words
from tests.live.ear import findings
from tests.live.stories import EARLY, early_return, returned_early
from tests.store.sayings import finding, known


def _content(path: Path) -> bytes:
    return path.read_bytes() if path.exists() else b""


def until_synced(checkpoint: Checkpoint) -> None:
    """Wait until the journal is synced, up to SOON seconds."""
    end = time.monotonic() + SOON
    while not checkpoint.journal.is_synced():
        assert time.monotonic() < end
        time.sleep(0.01)


def test_what_was_said_since_the_checkpoint_is_known_after_it(disk: Disk) -> None:
    place = disk.place
    ear = listening_at(place)
    story, phone = returned_early(ear)
    checkpoint = ear.keeps(place)
    known = len(ear.said)
    early_return(phone, 600)
    ear.hears(story, since=400)
    ear.turn(800)
    assert EARLY in findings(ear.said[known:])
    for saying in ear.said[known:]:
        checkpoint.journal.take(saying)
    checkpoint.journal.turn(0.0)
    until_synced(checkpoint)
    (place / "not synced").write_text("gone with the power")
    said = words(list(checkpoint.journal.read()))

    disk.loses_power()
    checkpoint.journal.close()
    checkpoint.close()
    disk.goes()
    disk.comes_back()
    assert not _content(place / "not synced")
    after = Checkpoint(str(place / "state"), print)
    other = ear.goes_on(after, after=600)
    assert words(after.said) == said
    other.turn(2000)
    assert not findings(other.said)


def test_a_checkpoint_that_is_there_stays(disk: Disk) -> None:
    place = disk.place
    ear = listening_at(place)
    returned_early(ear)
    checkpoint = ear.keeps(place)
    disk.loses_power()
    checkpoint.close()
    disk.goes()
    disk.comes_back()
    other = ear.goes_on(Checkpoint(str(place / "state"), print), after=600)
    other.turn(2000)
    assert not findings(other.said)


def test_what_is_in_a_store_stays(disk: Disk, tmp_path: Path) -> None:
    url = f"sqlite:///{disk.place}/store.db"
    sink = StoreSink(open_for_writing(url), tmp_path / "spool", every=0.02)
    subprocess.run(["sync", "-f", disk.place], check=True)   # the empty store
    sink.take(finding(1))
    end = time.monotonic() + SOON
    while not written(disk.place / "store.db"):
        assert time.monotonic() < end
        time.sleep(0.01)
    disk.loses_power()
    sink.close()
    disk.goes()
    disk.comes_back()
    assert [one.id for one in known(url).findings] == ["f-000001"]


def written(path: Path) -> int:
    with closing(sqlite3.connect(path)) as connection:
        return int(connection.execute("SELECT count(*) FROM findings").fetchone()[0])
