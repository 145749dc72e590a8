"""A disk hangs: nothing that the loop calls waits for it, and what was said is written when it answers again."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from threading import Event, Thread

import pytest

from sipaudit.live.aside import Aside
from sipaudit.live.checkpoint import Checkpoint
from sipaudit.live.journal import Journal, Judged, Seen
from sipaudit.live.json_lines import json_lines
from sipaudit.model.sayings import NoteSaid
from sipaudit.store import sink as sinks
from tests.live.disk import SOON, Disk, listening_at, words
from tests.live.ear import Ear
from tests.live.stories import returned_early

LONG = 20.0   # seconds after which a call counts as waiting for the disk


@contextmanager
def hanging(disk: Disk) -> Iterator[Event]:
    """The disk hangs meanwhile. The event is set, and the disk released, if the block took so long (LONG) that it must
    have waited for the disk."""
    over, waited = Event(), Event()

    def rescue() -> None:
        if not over.wait(LONG):
            waited.set()
            disk.answers()

    disk.hangs()
    rescuer = Thread(target=rescue)
    rescuer.start()
    try:
        yield waited
    finally:
        over.set()
        rescuer.join()
        with suppress(OSError):   # if it answers already
            disk.answers()


def test_what_is_said_meanwhile_is_noted_and_the_loop_does_not_wait(disk: Disk) -> None:
    ear, journal = noting_at(disk)
    with hanging(disk) as waited:
        for saying in ear.said:
            journal.take(saying)
            journal.turn(0.0)
        assert not waited.is_set()
    assert journal.is_written(SOON)
    noted = words([one for one in ear.said if isinstance(one, Judged | Seen)])
    assert words(list(journal.read())) == noted
    journal.close()


def noting_at(disk: Disk) -> tuple[Ear, Journal]:
    ear = listening_at(disk.place)
    returned_early(ear)
    return ear, Journal(disk.place / "state", print)



def test_no_checkpoint_is_begun_while_the_disk_hangs(disk: Disk) -> None:
    told: list[str] = []
    ear = listening_at(disk.place)
    returned_early(ear)
    checkpoint = Checkpoint(str(disk.place / "state"), told.append)
    ear.notes_in(checkpoint.journal)
    with hanging(disk) as waited:
        checkpoint.turn(0.0, ear.probe, ear.teller, "run")
        assert not waited.is_set()
    assert told == [f"the checkpoint {checkpoint.path} cannot be written: the disk does not answer"]
    checkpoint.write(ear.probe, ear.teller, "run")
    assert len(told) == 1
    assert not list(checkpoint.journal.read())
    checkpoint.close()


def test_lines_of_json_wait_for_it(disk: Disk) -> None:
    path = disk.place / "said"
    sink = json_lines(str(path))
    with hanging(disk) as waited:
        for number in range(100):
            sink.take(NoteSaid(float(number), "x"))
            sink.turn(0.0)
        assert not waited.is_set()
    sink.close()
    assert [json.loads(line)["time"] for line in path.read_text().splitlines()] == [float(one) for one in range(100)]


def test_an_end_does_not_wait_for_it(disk: Disk, caplog: pytest.LogCaptureFixture) -> None:
    sink = json_lines(str(disk.place / "said"))
    with hanging(disk) as waited:
        sink.take(NoteSaid(0.0, "x"))
        sink.close()
        assert not waited.is_set()
    assert caplog.records[0].getMessage() == "--jsonl: the disk does not answer, 1 line could not be written"


def test_an_end_does_not_wait_for_a_store_on_it(
    disk: Disk, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nor does it wait for the spool."""
    monkeypatch.setattr(sinks, "PATIENCE", 0.5)
    store = sinks.open_sink(f"sqlite:///{disk.place}/store.db", disk.place / "spool")
    with hanging(disk) as waited:
        store.take(NoteSaid(0.0, "x"))
        store.close()
        assert not waited.is_set()
    assert "the disk does not answer: what waits for the store is lost" in caplog.messages
    for thread in threading.enumerate():
        if thread.name.startswith("store"):
            thread.join(SOON)


def test_a_mistake_of_ours_ends_no_writing(caplog: pytest.LogCaptureFixture) -> None:
    done: list[int] = []
    aside = Aside("journal")
    aside.put(lambda: done.append(1 // len(done)))
    aside.put(lambda: done.append(1))
    assert aside.settled(SOON)
    assert done == [1]
    assert [record.getMessage() for record in caplog.records] == [
        "journal: a write failed in a way that was not foreseen: ZeroDivisionError"]
