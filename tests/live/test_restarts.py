"""A run is ended or killed and started again: it still knows what it knew, and what nobody saw accuses nobody."""

from __future__ import annotations

import os
import pickle
import select
import signal
from collections.abc import Callable
from errno import EACCES, ENOSPC
from pathlib import Path
from random import Random

import pytest

from sipaudit.errors import InputError
from sipaudit.live import checkpoint as checkpoint_module
from sipaudit.live.checkpoint import PATIENCE, Checkpoint
from sipaudit.live.digested import Digested
from sipaudit.live.follow.source import follow_source
from sipaudit.live.journal import Journal, Judged, Seen
from sipaudit.live.probe import Probe
from sipaudit.live.teller import Teller
from sipaudit.model.sayings import (
    CallSaid,
    FindingSaid,
    IncidentSaid,
    LineSaid,
    MinuteSaid,
    MoveSaid,
    RegistrationSaid,
    Saying,
    TrySaid,
    Withdrawn,
)
from sipaudit.run.brief import understand
from sipaudit.run.job import Job
from sipaudit.safe_json import to_json
from tests.live.ear import Ear, findings, incidents, withdrawn
from tests.live.stories import EARLY, SITE, early_return, returned_early
from tests.shared import ROOT
from tests.stories import R2, Handset, P, S, Story, handsets, site
from tests.wire import ORIGIN


def outage(story: Story, start: float) -> list[Handset]:
    """Three phones get no answer from P."""
    phones = handsets(story, range(10, 13))
    for phone in phones:
        phone.register(0)
    for number, phone in enumerate(phones):
        phone.fail_over(start + number / 4)
    return phones


def test_what_was_said_is_not_said_again_and_what_is_new_has_another_id(ear: Ear, tmp_path: Path) -> None:
    story, phone = returned_early(ear)
    assert findings(ear.said).count(EARLY) >= 1
    other = ear.again(tmp_path, after=20)
    other.turn(430)
    assert not findings(other.said)
    phone.register(1000)
    early_return(phone, 1300)
    other.hears(story, since=900)
    other.turn(1500)
    new = {one.finding.id for one in other.said if isinstance(one, FindingSaid)}
    assert new == {"f-000002"}


def test_an_outage_goes_on_under_its_name_and_closes(ear: Ear, tmp_path: Path) -> None:
    story = Story()
    phones = outage(story, 300)
    ear.hears(story)
    ear.turn(330)
    assert incidents(ear.said)[-1] == "server-outage open"
    before = {one.incident.id for one in ear.said if isinstance(one, IncidentSaid)}
    other = ear.again(tmp_path, after=10)
    for phone in phones:
        phone.register(400, P)
    other.hears(story, since=390)
    other.turn(700)
    assert incidents(other.said)[-1] == "server-outage closed"
    assert {one.incident.id for one in other.said if isinstance(one, IncidentSaid)} <= before
    assert not withdrawn(other.said)


def test_what_happened_while_nobody_listened_accuses_nobody(ear: Ear, tmp_path: Path) -> None:
    """Unseen, the line moves to S and registers there, a renewal passes, and the line returns to P."""
    story = Story()
    phone = Handset(story, granted=300)
    phone.register(0)
    ear.hears(story)
    ear.turn(10)
    other = ear.again(tmp_path, after=500)
    phone.call(600, S)
    phone.call(640, P)
    phone.call(700, P)
    other.hears(story, since=590)
    other.turn(800)
    assert not findings(other.said)
    assert other.probe.blind >= 499


def test_what_was_said_after_the_checkpoint_is_told_by_the_journal(ear: Ear, tmp_path: Path) -> None:
    """The checkpoint is older than the finding; the packets after it are read once more, as from a followed
    directory."""
    story = Story()
    phone = Handset(story)
    phone.register(0)
    ear.hears(story)
    checkpoint = ear.keeps(tmp_path)
    early_return(phone, 300)
    ear.hears(story, since=200)
    ear.turn(400)
    ear.notes_in(checkpoint.journal)

    other = ear.goes_on(checkpoint, after=0)
    other.hears(story, since=200)
    other.turn(400)
    assert EARLY not in findings(other.said)
    early_return(phone, 2000)
    other.hears(story, since=1900)
    other.turn(2200)
    assert [one.finding.id for one in other.said if isinstance(one, FindingSaid)][-1] == "f-000002"


def test_moves_that_are_seen_again_are_not_said_again(ear: Ear, tmp_path: Path) -> None:
    """The packets after the checkpoint are read once more, as from a followed directory."""
    story = Story()
    phone = Handset(story)
    phone.register(0)
    ear.hears(story)
    checkpoint = ear.keeps(tmp_path)
    before = len(ear.said)
    early_return(phone, 300)
    ear.hears(story, since=200)
    ear.turn(470)
    ear.notes_in(checkpoint.journal, since=before)
    assert len(kinds(ear.said[before:]) & {MoveSaid, RegistrationSaid, TrySaid, CallSaid, MinuteSaid}) >= 4

    other = ear.goes_on(checkpoint, after=0)
    other.hears(story, since=200)
    other.turn(470)
    assert not kinds(other.said) & {MoveSaid, TrySaid, CallSaid, FindingSaid, MinuteSaid}


def test_what_looked_otherwise_for_a_while_is_said_again_as_it_was(ear: Ear, tmp_path: Path) -> None:
    """The killed run looked only when the try had timed out; this one looks once before that is known, too."""
    story = Story()
    phone = Handset(story)
    phone.register(0)
    phone.fail_over(100)
    phone.ask(200, P, "REGISTER", expires=3600)
    phone.call(222, P, seconds=4)
    phone.register(300, S)
    ear.hears(story, until=150)
    checkpoint, before = ear.keeps(tmp_path), len(ear.said)
    ear.hears(story, since=150)
    ear.notes_in(checkpoint.journal, since=before)
    other = ear.goes_on(checkpoint, after=0)
    other.hears(story, since=150, until=250)
    other.turn(240)
    other.hears(story, since=250)
    for said in ear.said, other.said:
        results = {one.try_.time - ORIGIN: one.try_.result for one in said if isinstance(one, TrySaid)}
        assert results[200] == "timeout"


def test_an_incident_that_looks_as_it_was_said_is_not_said_again(ear: Ear, tmp_path: Path) -> None:
    story = Story()
    outage(story, 300)
    ear.hears(story, until=200)
    checkpoint, before = ear.keeps(tmp_path), len(ear.said)
    ear.hears(story, since=200)
    ear.notes_in(checkpoint.journal, since=before)
    other = ear.goes_on(checkpoint, after=0)
    other.hears(story, since=200)
    assert incidents(ear.said) == ["server-outage open"]
    assert not incidents(other.said)


@pytest.mark.parametrize("opened", ["before the checkpoint", "after it"])
def test_an_incident_keeps_what_a_killed_run_had_seen_of_it(ear: Ear, tmp_path: Path, opened: str) -> None:
    """Three phones get no answer from P, the run is killed, and the next one sees the same of three others."""
    story = Story()
    others = handsets(story, range(20, 23))
    for phone in others:
        phone.register(0)
    outage(story, 300)
    ear.hears(story, until=307 if opened.startswith("before") else 200)
    checkpoint, before, known = ear.keeps(tmp_path), len(ear.said), ear.probe.newest - ORIGIN
    ear.hears(story, since=known)
    ear.turn(330)
    ear.notes_in(checkpoint.journal, since=before)
    seen = [one.incident for one in ear.said if isinstance(one, IncidentSaid)][-1]
    other = ear.goes_on(checkpoint, after=360 - known)
    for number, phone in enumerate(others):
        phone.fail_over(400 + number)
        phone.register(500, P)
    other.hears(story, since=360)
    other.turn(800)
    last = [one.incident for one in other.said if isinstance(one, IncidentSaid) and one.incident.id == seen.id][-1]
    assert (last.state, last.start, len(last.lines)) == ("closed", seen.start, 6)
    assert set(seen.lines) < set(last.lines)
    assert set(seen.timeline) <= set(last.timeline)


@pytest.mark.parametrize("what", ["an attempt", "a call that was up"])
def test_a_call_that_may_have_come_through_while_nobody_listened_is_not_lost(
    ear: Ear, tmp_path: Path, what: str
) -> None:
    story = Story()
    for phone in handsets(story, range(10, 14)):
        phone.register(0)
        if what == "a call that was up":
            phone.call(250, seconds=3000)
        phone.silence(300, P, "INVITE" if what == "an attempt" else "REGISTER")
    ear.hears(story, until=310)
    ear.turn(310)
    other = ear.again(tmp_path, after=15)
    other.hears(story, since=310)
    for clock in range(330, 500, 10):
        other.turn(clock)
    assert "calls-lost open" not in incidents(ear.said + other.said)


def test_time_has_gone_on_as_far_as_it_had_while_nothing_was_heard(ear: Ear, tmp_path: Path) -> None:
    """Nothing arrives in a followed directory for minutes; calls that are said to be lost in that time stay lost after
    restarts."""
    story = Story()
    for phone in handsets(story, range(10, 14)):
        phone.register(0)
        phone.silence(300, P)
        phone.silence(306, S)
    ear.hears(story)
    for clock in range(316, 440, 2):
        ear.turn(clock)
    assert "calls-lost open" in incidents(ear.said)
    other = ear.again(tmp_path, after=0).again(tmp_path, after=0)
    for clock in range(0, 20, 2):
        other.turn(clock)
    assert not withdrawn(other.said)
    assert other.probe.now(20) - ORIGIN >= 450


def kinds(said: list[Saying]) -> set[type[Saying]]:
    return {type(one) for one in said}


def test_the_minute_in_which_a_run_ended_is_told_whole_by_the_next(ear: Ear, tmp_path: Path) -> None:
    """The next run has already read minutes of packets at its first turn, as from a directory that has grown."""
    story = Story()
    for phone, start in zip(handsets(story, range(10, 13)), (70, 100, 400), strict=True):
        phone.register(start)
    ear.hears(story, until=90)
    ear._say_all()
    other = ear.again(tmp_path, after=0)
    other.wire.come([packet for packet in story.packets if packet.time > 90])
    other.turn(400, read=True)
    other.turn(600)
    asked = {one.minute.time - ORIGIN: one.minute.requests for one in [*ear.said, *other.said]
             if isinstance(one, MinuteSaid)}
    assert asked == {60: {"REGISTER": 4}, 360: {"REGISTER": 2}}


def test_an_incident_that_nobody_saw_end_is_closed_after_a_while(ear: Ear, tmp_path: Path) -> None:
    checkpoint = ear.keeps(tmp_path)
    story = Story()
    outage(story, 300)
    ear.hears(story)
    ear.turn(330)
    ear.notes_in(checkpoint.journal)

    other = ear.goes_on(checkpoint, after=50_400)
    other.turn(500)
    assert not incidents(other.said)
    other.turn(500 + 700)
    assert incidents(other.said) == ["server-outage closed"]
    assert not withdrawn(other.said)


def test_a_journal_that_breaks_off_is_read_up_to_there(ear: Ear, tmp_path: Path) -> None:
    returned_early(ear)
    journal = Journal(tmp_path / "state", print)
    ear.notes_in(journal)
    path = tmp_path / "state.said"
    whole = list(journal.read())
    path.write_bytes(path.read_bytes()[:-10])
    assert list(journal.read()) == whole[:-1]


def test_what_comes_behind_a_line_that_breaks_off_is_read(ear: Ear, tmp_path: Path) -> None:
    """The disk was full, so that no checkpoint was written; then there is room again."""
    returned_early(ear)
    journal = Journal(tmp_path / "state", print)
    ear.notes_in(journal)
    journal.turned()
    whole = list(journal.read())
    path = tmp_path / "state.said.old"
    path.write_bytes(path.read_bytes()[:-10])
    ear.notes_in(journal)
    journal.turned()
    assert list(journal.read()) == [*whole[:-1], *whole]


@pytest.mark.parametrize("times", [1, 5], ids=["one that ends at once", "one of minutes"])
def test_a_journal_keeps_its_bound_while_no_checkpoint_comes_about(
    ear: Ear, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, times: int,
) -> None:
    """It does so over several processes. Beyond the bound `Seen` sayings are noted no more; `Judged` ones still are."""
    returned_early(ear)
    monkeypatch.setattr("sipaudit.live.journal.BOUND", 2_000)
    for _ in range(3):
        journal = Journal(tmp_path / "state", print)
        for minute in range(times):
            if minute:
                journal.turned()
            ear.notes_in(journal)
        journal.close()
    noted = list(journal.read())
    seen = [saying for saying in noted if not isinstance(saying, Judged)]
    judged = [saying for saying in ear.said if isinstance(saying, Judged)]
    assert sum(len(to_json(saying)) for saying in seen) < 2 * 2_000
    assert len(noted) - len(seen) == 3 * times * len(judged)
    journal.turned()
    journal.cut()
    ear.notes_in(journal)
    assert any(not isinstance(saying, Judged) for saying in journal.read())


def test_what_is_noted_counts_once_where_no_checkpoint_can_begin(
        ear: Ear, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The disk is too full to rename the journal, again and again."""
    returned_early(ear)
    journal = Journal(tmp_path / "state", print)
    ear.notes_in(journal)
    size = (tmp_path / "state.said").stat().st_size
    monkeypatch.setattr("sipaudit.live.journal.BOUND", 4 * size)
    with monkeypatch.context() as disk:
        disk.setattr(Path, "rename", full)
        for _ in range(5):
            with pytest.raises(OSError, match="No space"):
                journal.turned()
            journal.take(next(saying for saying in ear.said if isinstance(saying, Judged)))
    journal.turn(0.0)
    before = len(list(journal.read()))
    ear.notes_in(journal)
    noted = [saying for saying in ear.said if isinstance(saying, Judged | Seen)]
    assert len(list(journal.read())) == before + len(noted)


def full(*_: object) -> None:
    raise OSError(ENOSPC, "No space left on device")


def test_the_first_that_is_said_after_a_crash_is_read_behind_a_line_that_breaks_off(ear: Ear, tmp_path: Path) -> None:
    returned_early(ear)
    journal = Journal(tmp_path / "state", print)
    ear.notes_in(journal)
    whole = list(journal.read())
    path = tmp_path / "state.said"
    path.write_bytes(path.read_bytes()[:-10])
    another = Journal(tmp_path / "state", print)
    ear.notes_in(another)
    assert list(another.read()) == [*whole[:-1], *whole]


def test_a_damaged_checkpoint_is_not_gone_on_with(ear: Ear, tmp_path: Path) -> None:
    """A bit flipped by a disk may leave the checkpoint readable, but make the run that goes on from it wrong or crash.
    It would crash at every start, since a run that ends at once writes no new checkpoint."""
    returned_early(ear)
    checkpoint = ear.keeps(tmp_path)
    written, chance = checkpoint.path.read_bytes(), Random(1)
    said: list[str] = []
    checkpoint._log = said.append
    turned = [bytearray(written) for _ in range(100)]
    for one in turned:
        one[chance.randrange(2, len(one))] ^= 1 << chance.randrange(8)
    for bad in (*map(bytes, turned), written[:-1], written[:9000], b"", b"nonsense"):
        checkpoint.path.write_bytes(bad)
        assert checkpoint.read(ear.probe) is None
    assert len(said) == 104
    assert all("starting anew" in one for one in said)
    checkpoint.path.write_bytes(written)
    assert checkpoint.read(ear.probe) is not None


@pytest.mark.parametrize("bad", [pickle.dumps(os.system), b"\x80\x05cos\nsystem\n.", pickle.dumps({})])
def test_what_is_none_of_our_values_is_not_read(ear: Ear, tmp_path: Path, bad: bytes) -> None:
    said: list[str] = []
    checkpoint = Checkpoint(str(tmp_path / "state"), said.append)
    with checkpoint.path.open("wb") as file:
        digested = Digested(file)
        digested.write(bad)
        digested.end()
    assert checkpoint.read(ear.probe) is None
    assert "system, which is not ours" in said[0] or "is of another version" in said[0]


@pytest.mark.parametrize("content", [b"entries: {}\n", b"{"])
def test_a_file_of_something_else_is_not_replaced(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "site.yaml"
    path.write_bytes(content)
    with pytest.raises(InputError, match="is no checkpoint, and would be replaced by one"):
        Checkpoint(str(path), print)
    assert [(one.name, one.read_bytes()) for one in tmp_path.iterdir()] == [("site.yaml", content)]


def test_a_pipe_is_not_waited_for(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(InputError, match="is no file"):
        Checkpoint(str(tmp_path / "pipe"), print)


@pytest.mark.parametrize("content", [b"", bytes(4096)])
def test_what_power_loss_left_of_a_checkpoint_hinders_no_start(ear: Ear, tmp_path: Path, content: bytes) -> None:
    (tmp_path / "state").write_bytes(content)
    checkpoint = Checkpoint(str(tmp_path / "state"), print)
    assert checkpoint.read(ear.probe) is None
    checkpoint.write(ear.probe, ear.teller, "run")
    assert Checkpoint(str(tmp_path / "state"), print).read(ear.probe) is not None


def test_a_checkpoint_of_other_sources_of_the_same_version_is_not_gone_on_with(
    ear: Ear, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A checkout may be updated between releases and its values get other fields. A process that runs meanwhile still
    has the sources that it loaded."""
    said: list[str] = []
    checkpoint = Checkpoint(str(tmp_path / "state"), said.append)
    checkpoint.write(ear.probe, ear.teller, "run")
    assert checkpoint.read(ear.probe) is not None
    package = tmp_path / "sipaudit"
    package.mkdir()
    (package / "__init__.py").write_text("")
    monkeypatch.setattr("sipaudit.__file__", str(package / "__init__.py"))
    assert checkpoint.read(ear.probe) is not None
    assert Checkpoint(str(tmp_path / "state"), said.append).read(ear.probe) is None
    assert "another version" in said[0]


def test_a_full_disk_costs_a_checkpoint_and_neither_the_run_nor_what_was_noted(ear: Ear, tmp_path: Path) -> None:
    """The previous checkpoint failed too, and what was said until then is on the disk that is full now."""
    said: list[str] = []
    checkpoint = Checkpoint(str(tmp_path / "state"), said.append)
    returned_early(ear)
    old = tmp_path / "state.said.old"
    old.symlink_to("/dev/full")
    ear.notes_in(checkpoint.journal)
    checkpoint.turn(0.0, ear.probe, ear.teller, "run")
    assert said == [f"the checkpoint {checkpoint.path} cannot be written: No space left on device"]
    checkpoint.write(ear.probe, ear.teller, "run")
    assert len(said) == 2
    old.unlink()
    ear.notes_in(checkpoint.journal)
    assert list(checkpoint.journal.read()) == 2 * list(noted(ear.said))
    checkpoint.write(ear.probe, ear.teller, "run")
    assert len(said) == 2
    assert not list(checkpoint.journal.read())


def test_of_a_checkpoint_that_a_full_disk_does_not_take_nothing_stays(
    ear: Ear, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its remains would take the room that the store and the spool need."""
    def full(_file: int) -> None:
        raise OSError(ENOSPC, "No space left on device")

    said: list[str] = []
    checkpoint = Checkpoint(str(tmp_path / "state"), said.append)
    monkeypatch.setattr(os, "fsync", full)
    checkpoint.write(ear.probe, ear.teller, "run")
    assert said == [f"the checkpoint {checkpoint.path} cannot be written: No space left on device"]
    assert [path.name for path in tmp_path.glob("state*")] == ["state.lock"]


def test_the_copy_that_writes_a_checkpoint_says_why_it_cannot(
    ear: Ear, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The copy is another process, of which only the exit status is known."""
    said: list[str] = []

    def why(fails: Callable[[int], None]) -> str:
        checkpoint = Checkpoint(str(tmp_path / "state"), said.append)
        monkeypatch.setattr(os, "fsync", fails)
        checkpoint.turn(0.0, ear.probe, ear.teller, "run")
        monkeypatch.undo()
        checkpoint.write(ear.probe, ear.teller, "run")
        return said.pop().removeprefix(f"the checkpoint {checkpoint.path} cannot be written: ")

    assert why(lambda _: os_error(ENOSPC)) == "No space left on device"
    assert why(lambda _: os_error(EACCES)) == "Permission denied"
    assert why(mistaken) == "an error of the program itself"
    assert why(lambda _: os.kill(os.getpid(), 9)) == "what writes it was ended (Killed)"


def os_error(number: int) -> None:
    raise OSError(number, "for a test")


def mistaken(_: int) -> None:
    raise KeyError(0)


def noted(said: list[Saying]) -> list[Saying]:
    """The sayings that a journal notes."""
    return [one for one in said if isinstance(one, Judged | Seen)]


def test_a_copy_that_comes_to_no_end_is_ended_and_the_next_one_begins(
    ear: Ear, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whatever blocks the copy: otherwise the last checkpoint would grow old and nobody would notice."""
    said: list[str] = []
    checkpoint = Checkpoint(str(tmp_path / "state"), said.append)
    with monkeypatch.context() as patched:
        patched.setattr(Checkpoint, "_write", lambda *_: signal.pause())
        checkpoint.turn(0.0, ear.probe, ear.teller, "run")
    child = checkpoint._child
    assert child is not None
    checkpoint.turn(PATIENCE - 1, ear.probe, ear.teller, "run")
    assert (checkpoint._child, said) == (child, [])
    checkpoint.turn(PATIENCE, ear.probe, ear.teller, "run")
    os.waitid(os.P_PID, child, os.WEXITED | os.WNOWAIT)
    checkpoint.turn(PATIENCE + 1, ear.probe, ear.teller, "run")
    assert len(said) == 2
    assert "takes longer than" in said[0]
    assert "was ended" in said[1]
    assert checkpoint._child not in (child, None)
    checkpoint.write(ear.probe, ear.teller, "run")


def test_a_copy_is_the_first_to_go_where_memory_runs_out(
    ear: Ear, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It takes more than the probe itself, which goes on without it."""
    said: list[str] = []
    checkpoint = Checkpoint(str(tmp_path / "state"), said.append)
    ready, copies = os.pipe()

    def writes(*_: object) -> None:
        os.write(copies, b".")
        signal.pause()

    with monkeypatch.context() as patched:
        patched.setattr(Checkpoint, "_write", writes)
        checkpoint.turn(0.0, ear.probe, ear.teller, "run")
    assert select.select([ready], [], [], 10.0)[0]
    child = checkpoint._child
    assert child is not None
    assert Path(f"/proc/{child}/oom_score_adj").read_text() == "1000\n"
    os.kill(child, signal.SIGKILL)
    checkpoint.write(ear.probe, ear.teller, "run")
    assert [line for line in said if "was ended" in line]
    assert Path(checkpoint.path).exists()


def test_an_end_does_not_wait_for_a_copy_that_comes_to_none(
    ear: Ear, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    said: list[str] = []
    checkpoint = Checkpoint(str(tmp_path / "state"), said.append)
    monkeypatch.setattr(checkpoint_module, "AT_END", 0.1)
    with monkeypatch.context() as patched:
        patched.setattr(Checkpoint, "_write", lambda *_: signal.pause())
        checkpoint.turn(0.0, ear.probe, ear.teller, "run")
    child = checkpoint._child
    assert child is not None
    checkpoint.write(ear.probe, ear.teller, "run")
    assert said == [f"the checkpoint {checkpoint.path} cannot be written: the disk does not answer"]
    os.kill(child, signal.SIGKILL)
    os.waitpid(child, 0)


def test_a_copy_ends_with_the_process_that_it_is_of(ear: Ear, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """If it went on writing, it would replace the checkpoint of the next run."""
    monkeypatch.setattr(Checkpoint, "_write", lambda *_: signal.pause())
    alive, copies = os.pipe()
    process = os.fork()
    if not process:
        Checkpoint(str(tmp_path / "state"), print).turn(0.0, ear.probe, ear.teller, "run")
        os.kill(os.getpid(), signal.SIGKILL)
    os.close(copies)
    os.waitpid(process, 0)
    assert select.select([alive], [], [], 10.0)[0], "the copy goes on"
    os.close(alive)


def test_a_checkpoint_that_another_process_keeps_is_refused(ear: Ear, tmp_path: Path) -> None:
    """Each process would take the other's journal for its own."""
    made, ends = os.pipe()
    process = os.fork()
    if not process:
        Checkpoint(str(tmp_path / "state"), print)
        os.write(ends, b"x")
        signal.pause()
    try:
        os.read(made, 1)
        with pytest.raises(InputError, match="another sipaudit"):
            Checkpoint(str(tmp_path / "state"), print)
    finally:
        os.kill(process, signal.SIGKILL)
        os.waitpid(process, 0)
    ear.keeps(tmp_path)


def test_a_checkpoint_that_others_may_write_is_not_read(ear: Ear, tmp_path: Path) -> None:
    said: list[str] = []
    checkpoint = Checkpoint(str(tmp_path / "state"), said.append)
    checkpoint.write(ear.probe, ear.teller, "run")
    checkpoint.path.chmod(0o666)
    assert checkpoint.read(ear.probe) is None
    assert said == [f"starting anew: the checkpoint {checkpoint.path} may have been written by somebody else: its mode "
                    "is 0666, and it must be writable for its owner alone (chmod go-w)"]


@pytest.mark.skipif(os.geteuid() != 0, reason="only root gives files away")
def test_a_checkpoint_of_another_user_is_not_read(ear: Ear, tmp_path: Path) -> None:
    said: list[str] = []
    checkpoint = Checkpoint(str(tmp_path / "state"), said.append)
    checkpoint.write(ear.probe, ear.teller, "run")
    os.chown(checkpoint.path, 12345, -1)
    assert checkpoint.read(ear.probe) is None
    assert said[0].endswith("may have been written by somebody else: it belongs to user 12345, and this runs as 0")


def test_another_site_file_changes_what_is_judged_from_then_on(ear: Ear, tmp_path: Path) -> None:
    story = Story()
    phone = Handset(story)
    phone.register(0)
    ear.hears(story)
    ear.turn(10)
    ear.obeys(site({**R2, "failBack.mode": "newRequests"}, P, S))
    phone.register(250)
    early_return(phone, 300)
    ear.hears(story, since=200)
    ear.turn(400)
    assert EARLY not in findings(ear.said)
    assert [one.line.mode for one in ear.said if isinstance(one, LineSaid)][-1] == "newRequests"
    ear.obeys(SITE)
    phone.register(1000)
    early_return(phone, 1300)
    ear.hears(story, since=900)
    ear.turn(1500)
    assert EARLY in findings(ear.said)


@pytest.mark.parametrize(("apart", "said"), [(0.0, ["certain"]), (0.3, ["likely"]), (2.5, [])])
def test_agents_whose_clocks_differ_leave_open_what_they_show(ear: Ear, apart: float, said: list[str]) -> None:
    story = Story()
    phone = Handset(story)
    phone.register(0)
    early_return(phone, 300)
    ear.wire.health.agents_apart = apart
    ear.hears(story)
    ear.turn(1500)
    assert [one.finding.confidence for one in ear.said if isinstance(one, FindingSaid) and one.finding.rule == EARLY
            ][-1:] == said


@pytest.mark.parametrize("how", ["label", "above", "mode"])
def test_a_line_of_which_nothing_else_is_declared_to_obey_goes_on_in_mid_outage(ear: Ear, how: str) -> None:
    """The line's item in the site file has another label or another place: what the line did before the reload counts.
    With another failback mode it does not."""
    story = Story()
    phone = Handset(story)
    phone.register(0)
    early_return(phone, 300)
    ear.hears(story, until=310)
    declared = {**SITE, "lines": [dict(line) for line in SITE["lines"]]}
    if how == "above":
        declared["lines"].insert(0, {"match": {"user": "2000"}, "entry": "sbc", "settings": {}})
    elif how == "label":
        declared["lines"][0] |= {"label": "Reception", "group": "Ground floor"}
    else:
        declared["lines"][0]["settings"] = {**R2, "failBack.mode": "registration"}
    ear.obeys(declared)
    ear.hears(story, since=310)
    ear.turn(1500)
    assert (EARLY in findings(ear.said)) is (how != "mode")
    last = [one.line for one in ear.said if isinstance(one, LineSaid)][-1]
    assert (last.label, last.group) == (("Reception", "Ground floor") if how == "label" else (None, None))


@pytest.mark.parametrize("sample", sorted(path.parent.name for path in (ROOT / "samples").glob("*/site.yaml")))
def test_every_kind_of_site_file_and_capture_survives(sample: str, tmp_path: Path) -> None:
    folder = ROOT / "samples" / sample
    one, other = followed(folder), followed(folder)
    one.read(0.0)
    while one.read(0.0):
        one.pass_time(0.0, drained=False)
    said: list[str] = []
    checkpoint = Checkpoint(str(tmp_path / "state"), said.append)
    teller = Teller(one)
    before = list(teller.turn(one.newest))
    checkpoint.write(one, teller, "run")
    kept = checkpoint.read(other)
    assert kept is not None, said
    assert other.sources[0].go_on(kept.positions[0])
    other.go_on(kept.probe, kept.time, kept.time, kept.blind)
    assert not other.read(0.0)
    assert findings(before) == findings(list(Teller(other).turn(other.newest)))
    assert not [one for one in kept.teller.turn(other.newest) if isinstance(one, FindingSaid | IncidentSaid)]


def followed(folder: Path) -> Probe:
    """A probe that reads a sample as a followed directory."""
    brief = understand(Job((), site=str(folder / "site.yaml"), zone="utc"))
    return Probe(brief, [follow_source(str(folder), 0)], ORIGIN)


def test_what_was_withdrawn_after_the_checkpoint_does_not_stand_again(ear: Ear, tmp_path: Path) -> None:
    returned_early(ear)
    checkpoint = ear.keeps(tmp_path)
    checkpoint.journal.take(Withdrawn(0.0, "f-000001", "loss-nearby"))
    checkpoint.journal.close()
    other = ear.goes_on(checkpoint, after=0)
    assert "f-000001" not in [one.finding.id for one in other.teller.stand(0.0) if isinstance(one, FindingSaid)]


def test_who_starts_anew_takes_nothing_from_the_journal_of_another(ear: Ear, tmp_path: Path) -> None:
    checkpoint = Checkpoint(str(tmp_path / "state"), lambda _: None)
    checkpoint.path.write_bytes(b"damaged")
    returned_early(ear)
    ear.notes_in(checkpoint.journal)
    assert checkpoint.read(ear.probe) is None
    assert not list(checkpoint.journal.read())
