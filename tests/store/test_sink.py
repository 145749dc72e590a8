"""The sayings of a probe reach its store: in order, once, and late rather than never."""

from __future__ import annotations

import logging
import os
import signal
import sqlite3
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NoReturn

import pytest
from sqlalchemy import create_engine, text

from sipaudit.errors import InputError
from sipaudit.live.storing import store_end
from sipaudit.model.sayings import Withdrawn
from sipaudit.store import sink as sinks
from sipaudit.store.opening import open_for_writing
from sipaudit.store.sink import StoreSink, open_sink
from sipaudit.turned_away import since, so_far
from tests.shared import ROOT
from tests.store.postgres import Postgres
from tests.store.sayings import (
    START,
    eventually,
    finding,
    health,
    incident,
    known,
    line,
    registration,
)


@pytest.fixture
def spool(tmp_path: Path) -> Path:
    return tmp_path / "spool"


def sink_of(url: str, spool: Path, **options: Any) -> StoreSink:
    return StoreSink(open_for_writing(url), spool, **{"every": 0.02, "again": 0.1} | options)


@contextmanager
def probe(url: str, spool: Path, **options: Any) -> Iterator[StoreSink]:
    sink = sink_of(url, spool, **options)
    yield sink
    sink.close()


@contextmanager
def occupied(url: str) -> Iterator[sqlite3.Connection]:
    """Another process holds an open write transaction on the SQLite store."""
    other = sqlite3.connect(url.removeprefix("sqlite:///"), isolation_level=None, check_same_thread=False)
    other.execute("BEGIN IMMEDIATE")
    yield other
    other.close()


@pytest.fixture
def sqlite_url(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """A SQLite store whose writers wait 0.05 s for the lock."""
    monkeypatch.setattr("sipaudit.store.opening.PATIENCE", 0.05)
    return f"sqlite:///{tmp_path / 'store.db'}"


def ids(url: str) -> list[str]:
    return [one.id for one in known(url).findings]


def test_what_is_said_again_replaces_what_was_said(store_url: str, spool: Path) -> None:
    with probe(store_url, spool, rows=3) as sink:
        for times in range(1, 8):
            sink.take(finding(1, observed=f"{times} times"))
            sink.take(incident(1, end=float(times)))
            sink.take(registration(0, 3600.0 * times, refreshes=times))
            sink.take(line(last=float(times)))
            time.sleep(0.01)    # so that the sayings fall into several batches
    shown = known(store_url)
    assert [one.observed for one in shown.findings] == ["7 times"]
    assert [(one.state, one.end) for one in shown.incidents] == [("closed", START + 7)]
    assert [row.refreshes for one in shown.lines for row in one.registrations] == [7]


def test_what_is_withdrawn_is_told_no_more_unless_it_is_said_again(store_url: str, spool: Path) -> None:
    with probe(store_url, spool) as sink:
        for together in (True, False):     # in one batch, and each in its own
            first = 1 if together else 3
            for saying in (finding(first), finding(first + 1), incident(first),
                           Withdrawn(START, f"f-{first:06d}", "late"), Withdrawn(START, f"i-{first:04d}", "late"),
                           Withdrawn(START, f"f-{first + 1:06d}", "late"), finding(first + 1)):
                sink.take(saying)
                if not together:
                    eventually(lambda: sink.standing().waiting == 0)
    assert ids(store_url) == ["f-000002", "f-000004"]
    assert known(store_url).incidents == []
    store = open_for_writing(store_url)
    with store.engine.connect() as connection:     # the row stays, with the reason of the withdrawal
        assert connection.execute(text("SELECT DISTINCT withdrawn FROM incidents")).scalars().all() == ["late"]
    store.close()


def test_postgresql_dies_in_mid_stream_and_comes_back(postgres: Postgres, spool: Path, tmp_path: Path) -> None:
    """Every saying arrives, in order: 100 findings are said again with the number of each turn, and the last one
    counts."""
    url = postgres.database()
    sink = sink_of(url, spool, rows=50)
    said = 0
    for turn in range(6):
        if turn == 2:
            postgres.stop()
        if turn == 4:
            postgres.start()
        for number in range(1, 101):
            sink.take(finding(number, observed=f"turn {turn}"))
            sink.take(finding(1000 + said, observed="said once"))
            said += 1
        if turn == 3:
            eventually(lambda: sink.standing().away_since is not None and sink.standing().spooled >= 300)
        time.sleep(0.1)
    eventually(lambda: sink.standing().away_since is None and sink.standing().spooled == 0)
    sink.close()
    found = known(url).findings
    assert [one.observed for one in found if one.id <= "f-000999"] == ["turn 5"] * 100
    assert len(found) == 100 + said
    assert sink.standing().dropped == sink.standing().refused == 0
    assert [path.name for path in spool.iterdir()] == ["lock"]


def test_a_run_that_goes_on_begins_without_its_store(postgres: Postgres, tmp_path: Path) -> None:
    """A probe that is restarted in mid-outage must watch it even if the server of the store is out as well."""
    url, state = postgres.database(), str(tmp_path / "state")
    postgres.stop()
    try:
        with pytest.raises(InputError, match="cannot be opened"):
            store_end(url, state, {})
        sink = store_end(url, state, {}, identity="run", goes_on=True)
        assert sink is not None
        sink.take(finding(1))
        eventually(lambda: sink.standing().spooled == 1)
    finally:
        postgres.start()
    eventually(lambda: sink.standing().written == 1 and sink.standing().away_since is None)
    sink.close()
    assert ids(url) == ["f-000001"]


def test_a_run_that_goes_on_begins_beside_a_file_that_somebody_holds(sqlite_url: str, tmp_path: Path) -> None:
    with probe(sqlite_url, tmp_path / "before"):
        pass
    with occupied(sqlite_url):
        sink = store_end(sqlite_url, str(tmp_path / "state"), {}, identity="run", goes_on=True)
        assert sink is not None
        sink.take(finding(1))
        eventually(lambda: sink.standing().spooled == 1)
    eventually(lambda: sink.standing().written == 1)
    sink.close()
    assert ids(sqlite_url) == ["f-000001"]


def told(url: str, *statements: str) -> None:
    """Run statements on the database of a URL, as an administrator would."""
    server, name = url.rsplit("/", 1)
    engine = create_engine(f"{server}/postgres", isolation_level="AUTOCOMMIT")
    with engine.connect() as connection:
        for statement in statements:
            connection.execute(text(statement.format(name=name)))
    engine.dispose()


def test_a_session_that_stays_read_only_is_not_kept(postgres: Postgres, spool: Path) -> None:
    """Such as a session, through a proxy, with a server that is not the primary any more."""
    url = postgres.database()
    with probe(url, spool) as sink:
        sink.take(finding(1))
        eventually(lambda: sink.standing().written == 1)
        told(url, "ALTER DATABASE {name} SET default_transaction_read_only = on",
             "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = '{name}'")
        sink.take(finding(2))
        eventually(lambda: sink.standing().away_since is not None)
        time.sleep(0.5)     # meanwhile it has tried again with a read-only session
        told(url, "ALTER DATABASE {name} RESET default_transaction_read_only")
        eventually(lambda: sink.standing().away_since is None and sink.standing().written == 2)
    assert ids(url) == ["f-000001", "f-000002"]


def test_a_database_that_is_made_anew_gets_its_tables(postgres: Postgres, spool: Path) -> None:
    url = postgres.database()
    with probe(url, spool) as sink:
        sink.take(finding(1))
        eventually(lambda: sink.standing().written == 1)
        told(url, "DROP DATABASE {name} WITH (FORCE)", "CREATE DATABASE {name}")
        sink.take(finding(2))
        eventually(lambda: sink.standing().written == 2)
    assert ids(url) == ["f-000002"]


def test_what_waits_at_the_end_is_written_when_a_later_run_finds_the_store(sqlite_url: str, spool: Path) -> None:
    with probe(sqlite_url, spool, identity="first") as sink:
        sink.take(finding(1))
        eventually(lambda: sink.standing().written == 1)
        with occupied(sqlite_url):
            sink.take(finding(2, observed="while away"))
            sink.take(Withdrawn(START, "f-000001", "late"))
            eventually(lambda: sink.standing().spooled == 2)
            sink.take(finding(3))
            sink.close()
    assert ids(sqlite_url) == ["f-000001"]
    with probe(sqlite_url, spool, identity="second") as later:
        later.take(finding(2, observed="of another run"))
    found = known(sqlite_url).findings
    assert [(one.id, one.observed) for one in found] == [
        ("f-000002-r1", "while away"), ("f-000003-r1", ""), ("f-000002-r2", "of another run")]


KILLED = """
import os, signal, sys, time
from pathlib import Path
from tests.store.sayings import finding
from sipaudit.store import opening
from sipaudit.store.sink import StoreSink
opening.PATIENCE = 0.05
sink = StoreSink(opening.open_for_writing(sys.argv[1]), Path(sys.argv[2]), identity="one", every=0.02)
sink.take(finding(1))
while sink.standing().written < 1:
    time.sleep(0.01)
print("written", flush=True)
sys.stdin.readline()
for number in range(2, 40):
    sink.take(finding(number))
while sink.standing().spooled < 38:
    time.sleep(0.01)
os.kill(os.getpid(), signal.SIGKILL)
"""


def test_a_probe_that_was_killed_while_the_store_was_away_has_lost_nothing(sqlite_url: str, spool: Path) -> None:
    with subprocess.Popen([sys.executable, "-c", KILLED, sqlite_url, str(spool)], cwd=ROOT, stdin=subprocess.PIPE,
                          stdout=subprocess.PIPE, text=True) as killed:
        assert killed.stdin is not None
        assert killed.stdout is not None
        assert killed.stdout.readline() == "written\n"
        with occupied(sqlite_url):
            killed.stdin.write("go on\n")
            killed.stdin.flush()
            assert killed.wait(20) == -signal.SIGKILL
    assert ids(sqlite_url) == ["f-000001"]
    with probe(sqlite_url, spool, identity="one") as again:
        again.take(finding(40))
    assert ids(sqlite_url) == [f"f-{number:06d}" for number in range(1, 41)]


def test_what_a_killed_process_had_said_is_made_good_and_what_it_withdrew_is_not(store_url: str, spool: Path) -> None:
    with probe(store_url, spool, identity="one") as sink:
        for taken in (finding(1), finding(2), incident(1), Withdrawn(START, "f-000002", "late")):
            sink.take(taken)
    with probe(store_url, spool, identity="one") as again:
        for saying in (finding(1), finding(2), finding(3), finding(4, observed="then"), incident(1, end=9.0), line()):
            again.learn(saying)
        again.take(finding(4, observed="now"))
        again.take(Withdrawn(START, "f-000003", "late"))
    shown = known(store_url)
    assert [(one.id, one.observed) for one in shown.findings] == [("f-000001", ""), ("f-000004", "now")]
    assert [one.state for one in shown.incidents] == ["closed"]
    assert shown.lines == []


def test_what_is_kept_is_for_its_owner_alone(sqlite_url: str, spool: Path, tmp_path: Path) -> None:
    with probe(sqlite_url, spool) as sink, occupied(sqlite_url):
        sink.take(finding(1))
        eventually(lambda: sink.standing().spooled == 1)
        files = [*tmp_path.glob("store.db*"), *spool.iterdir()]
        assert len(files) >= 3
        assert {path.stat().st_mode & 0o777 for path in files} == {0o600}


def test_a_run_that_goes_on_with_its_identity_goes_on_with_its_rows(store_url: str, spool: Path) -> None:
    with probe(store_url, spool) as sink:
        sink.take(incident(1))
    with probe(store_url, spool, identity=sink.identity) as again:
        again.take(incident(1, end=60.0))
    assert [(one.id, one.state) for one in known(store_url).incidents] == [("i-0001", "closed")]


def test_the_spool_keeps_its_bound_and_says_what_it_cost(
    sqlite_url: str, spool: Path, caplog: pytest.LogCaptureFixture,
) -> None:
    with probe(sqlite_url, spool, bound=40_000, rows=20) as sink:
        with occupied(sqlite_url):
            for number in range(1, 401):
                sink.take(finding(number))
            eventually(lambda: sink.standing().waiting == 0)
            assert sum(path.stat().st_size for path in spool.iterdir()) <= 40_000
            sink.turn(0.0)
            assert "is behind: " in caplog.text
        eventually(lambda: sink.standing().spooled == 0)
        dropped = sink.standing().dropped
    assert 0 < dropped < 400
    assert ids(sqlite_url) == [f"f-{number:06d}" for number in range(1 + dropped, 401)]   # the oldest are lost


def test_what_waits_in_memory_keeps_its_bound(
    sqlite_url: str, spool: Path, monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(sinks, "WAITING", 10)
    with probe(sqlite_url, spool, every=30.0) as sink:
        for number in range(25):
            sink.take(finding(number))
    assert sink.standing().dropped == 15
    assert ids(sqlite_url) == [f"f-{number:06d}" for number in range(15, 25)]


def test_half_a_line_and_strange_files_in_the_spool_do_no_harm(sqlite_url: str, spool: Path) -> None:
    with probe(sqlite_url, spool, identity="one") as sink, occupied(sqlite_url):
        for number in (1, 2):
            sink.take(finding(number))
            eventually(lambda: sink.standing().spooled == number)  # noqa: B023 - asked at once
        sink.close()
    (file,) = spool.glob("*.jsonl")
    lines = file.read_bytes().splitlines(keepends=True)
    file.write_bytes(b"".join([*lines[:2], b'{"type": "finding", "time"\n', b'{"type":"no such"}\n', lines[2][:-20]]))
    (spool / "0000000002.jsonl").write_bytes(b"\x00\xff nothing of ours\n" * 3)
    (spool / "0000000003.jsonl").write_bytes(b"")
    with probe(sqlite_url, spool, identity="one") as again:
        again.take(finding(3))
    assert ids(sqlite_url) == ["f-000001", "f-000003"]
    assert again.standing().dropped == 4
    assert [path.name for path in spool.iterdir()] == ["lock"]


OCCUPYING = """
import os, sys, time
from pathlib import Path
from sipaudit.store.spool import Spool
from sipaudit.store.writing import RunOf
spool = Spool(Path(sys.argv[1]), RunOf("one", "a", "live", "b"))
copy = os.fork()    # as a checkpoint is written
if copy:
    print("here", flush=True)
time.sleep(60)
"""


def test_two_probes_do_not_share_a_spool_and_the_copy_of_a_dead_one_holds_none(sqlite_url: str, spool: Path) -> None:
    with subprocess.Popen([sys.executable, "-c", OCCUPYING, str(spool)], cwd=ROOT, stdout=subprocess.PIPE, text=True,
                          start_new_session=True) as other:
        assert other.stdout is not None
        try:
            assert other.stdout.readline() == "here\n"
            with pytest.raises(InputError) as refused:
                open_sink(sqlite_url, spool)
            assert "another sipaudit keeps here" in str(refused.value)
            other.kill()
            other.wait(20)
            open_sink(sqlite_url, spool).close()
        finally:
            os.killpg(other.pid, signal.SIGKILL)


def test_a_spool_that_cannot_be_made_is_refused(sqlite_url: str, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(InputError) as refused:
        open_sink(sqlite_url, tmp_path / "file" / "spool")
    assert "name a directory that can be written" in str(refused.value)


@contextmanager
def full_disk(url: str, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Meanwhile neither the store nor the spool beside it can be written."""
    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    with occupied(url), monkeypatch.context() as patched:
        patched.setattr("os.fsync", full)
        yield


def test_what_a_disk_that_is_full_as_well_does_not_take_waits_in_memory(
    sqlite_url: str, spool: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture,
) -> None:
    """The state directory of a service has store and spool on the same disk."""
    with probe(sqlite_url, spool, rows=2) as sink:
        with full_disk(sqlite_url, monkeypatch):
            for number in (1, 2, 3):
                sink.take(finding(number))
            eventually(lambda: "No space left on device" in caplog.text and sink.standing().waiting == 3)
            sink.take(finding(2, observed="said again"))
            sink.take(Withdrawn(START, "f-000003", "late"))
            sink.take(finding(4))
        eventually(lambda: not sink.standing().waiting + sink.standing().spooled)
    assert [(one.id, one.observed) for one in known(sqlite_url).findings] == [
        ("f-000001", ""), ("f-000002", "said again"), ("f-000004", "")]
    assert sink.standing().dropped == 0
    assert caplog.text.count("No space left on device") == 1


def test_what_waits_for_a_full_disk_keeps_its_bound(
    sqlite_url: str, spool: Path, monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(sinks, "WAITING", 10)
    with probe(sqlite_url, spool, rows=2) as sink:
        with full_disk(sqlite_url, monkeypatch):
            for number in range(25):
                sink.take(finding(number))
            eventually(lambda: sink.standing().dropped == 15)
        eventually(lambda: not sink.standing().waiting + sink.standing().spooled)
    assert ids(sqlite_url) == [f"f-{number:06d}" for number in range(15, 25)]


def test_what_a_full_disk_did_not_take_until_the_end_is_counted(
    sqlite_url: str, spool: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture,
) -> None:
    before = so_far()
    with probe(sqlite_url, spool) as sink, full_disk(sqlite_url, monkeypatch):
        sink.take(finding(1))
        eventually(lambda: "No space left on device" in caplog.text)
        sink.close()
    assert sink.standing().dropped == 1
    assert "is behind: 1 sayings lost" in caplog.text
    assert since(before) == {"store": 1}


def test_a_saying_that_the_database_refuses_is_lost_alone(
    store_url: str, spool: Path, caplog: pytest.LogCaptureFixture,
) -> None:
    with probe(store_url, spool) as sink:
        sink.take(finding(1))
        sink.take(health(0.0, memory_bytes=10**400))
        sink.take(finding(2))
    assert ids(store_url) == ["f-000001", "f-000002"]
    assert (sink.standing().refused, sink.standing().dropped) == (1, 0)
    assert "refuses a saying (HealthSaid)" in caplog.text


@contextmanager
def unanswered(url: str, spool: Path, patched: pytest.MonkeyPatch) -> Iterator[StoreSink]:
    """A sink that waits with one saying for a store which does not answer meanwhile."""
    patched.setattr("sipaudit.store.opening.PATIENCE", 60.0)
    sink = sink_of(url, spool, identity="one", rows=1)
    with occupied(url), patched.context() as impatient:     # the next sink waits as long as a busy machine needs
        impatient.setattr(sinks, "PATIENCE", 0.2)
        sink.take(finding(1))
        eventually(lambda: sink._reach.asked is not None)
        yield sink
        sink.close()
    with probe(url, spool, identity="one"):
        pass


def test_a_mistake_of_ours_costs_what_was_in_hand_and_no_more(
    sqlite_url: str, spool: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture,
) -> None:
    def mistaken(*_: object) -> NoReturn:
        raise KeyError("\x1b[2J")

    with probe(sqlite_url, spool) as sink:
        with monkeypatch.context() as patched:
            patched.setattr(sink._reach, "put", mistaken)
            sink.take(finding(1))
            eventually(lambda: sink.standing().dropped == 1)
        sink.take(finding(2))
    assert ids(sqlite_url) == ["f-000002"]
    assert "not foreseen" in caplog.text
    assert "\x1b" not in caplog.text


def test_a_store_that_does_not_answer_holds_nobody_up(
    sqlite_url: str, spool: Path, monkeypatch: pytest.MonkeyPatch,
) -> None:
    with unanswered(sqlite_url, spool, monkeypatch) as sink:
        sink.take(finding(2))
        assert sink.standing().waiting == 2     # accepted, but the store has not answered yet
        sink.close()
        assert sink.standing().spooled == 2
    assert ids(sqlite_url) == ["f-000001", "f-000002"]


def test_what_waits_behind_a_store_that_hangs_goes_to_disk(
    sqlite_url: str, spool: Path, monkeypatch: pytest.MonkeyPatch,
) -> None:
    with unanswered(sqlite_url, spool, monkeypatch) as sink:
        def spooled() -> int:
            sink.turn(0.0)
            return sink.standing().spooled

        sink.take(finding(2))
        sink.turn(0.0)
        assert sink.standing().spooled == 0     # the store may still answer
        monkeypatch.setattr(sinks, "HANGS", 0.0)
        sink.turn(0.0)
        eventually(lambda: sink.standing().spooled == 2 and sink.standing().waiting == 0)
        sink.take(finding(3))
        eventually(lambda: spooled() == 3)
    assert ids(sqlite_url) == ["f-000001", "f-000002", "f-000003"]


def test_the_log_says_when_the_store_goes_and_comes(
    sqlite_url: str, spool: Path, caplog: pytest.LogCaptureFixture,
) -> None:
    caplog.set_level(logging.WARNING)
    with probe(sqlite_url, spool) as sink:
        with occupied(sqlite_url):
            for number in range(3):
                sink.take(finding(number))
                time.sleep(0.1)
        eventually(lambda: sink.standing().spooled == 0 and sink.standing().away_since is None)
    said = [record.getMessage() for record in caplog.records]
    assert len(said) == 2
    assert "is away: database is locked; what is said is kept on disk" in said[0]
    assert "is back after" in said[1]


@pytest.mark.parametrize("moved", [True, False])
def test_a_store_that_is_moved_or_removed_under_a_run_is_made_anew(
        sqlite_url: str, spool: Path, tmp_path: Path, moved: bool, caplog: pytest.LogCaptureFixture) -> None:
    """A moved store is complete without the files that SQLite had beside it."""
    store, old = tmp_path / "store.db", tmp_path / "old" / "old.db"
    old.parent.mkdir()
    with probe(sqlite_url, spool) as sink:
        sink.take(finding(1))
        eventually(lambda: sink.standing().written == 1)
        store.rename(old) if moved else store.unlink()
        sink.take(finding(2))
        eventually(lambda: sink.standing().written == 2)
    assert ids(sqlite_url) == ["f-000002"]
    if moved:
        assert ids(f"sqlite:///{old}") == ["f-000001"]
    assert "was moved or removed: another one is written now" in caplog.text


def test_what_grew_beside_a_store_while_somebody_read_for_long_shrinks_again(
        sqlite_url: str, spool: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sipaudit.store.opening.LEFT", 100_000)
    ahead = tmp_path / "store.db-wal"
    with probe(sqlite_url, spool) as sink:
        def put(since: int) -> None:
            for number in range(since, since + 1000):
                sink.take(finding(number))
            eventually(lambda: sink.standing().written >= since + 1000)

        put(0)
        reader = sqlite3.connect(tmp_path / "store.db", isolation_level=None)
        reader.execute("BEGIN")
        reader.execute("SELECT count(*) FROM findings").fetchall()
        for since in range(1000, 6000, 1000):
            put(since)
        grown = ahead.stat().st_size
        reader.close()
        put(6000)
        put(7000)
        assert ahead.stat().st_size < grown / 2


def test_where_the_directory_of_a_store_is_gone_what_is_said_waits(sqlite_url: str, tmp_path: Path) -> None:
    place, spool = tmp_path / "place", tmp_path / "spool"
    place.mkdir()
    with probe(f"sqlite:///{place}/store.db", spool) as sink:
        sink.take(finding(1))
        eventually(lambda: sink.standing().written == 1)
        place.rename(tmp_path / "gone")
        sink.take(finding(2))
        eventually(lambda: sink.standing().spooled == 1)
        place.mkdir()
        eventually(lambda: sink.standing().written == 2)
    assert ids(f"sqlite:///{place}/store.db") == ["f-000002"]


def test_a_clock_that_is_years_ahead_costs_nothing_that_is_kept_until_it_is_mended(
    store_url: str, spool: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """The clock of a machine may be so after its battery ran out."""
    with probe(store_url, spool, identity="run") as sink:
        sink.take(finding(1))
    right = time.time
    with monkeypatch.context() as battery:
        battery.setattr(time, "time", lambda: right() + 3_000 * 86_400)
        with probe(store_url, spool, identity="run") as sink:
            sink.take(finding(2))
            eventually(lambda: sink.standing().written == 1)
            eventually(lambda: "if the clock is right" in caplog.text)
    with probe(store_url, spool, identity="run") as sink:
        sink.take(finding(3))
    assert ids(store_url) == ["f-000001", "f-000002", "f-000003"]


def test_what_is_old_goes_table_by_table_and_only_of_this_probe(
    store_url: str, spool: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("north", "south"):
        with probe(f"{store_url}?probe={name}", spool, identity=name) as sink:
            for number in range(30):
                sink.take(finding(number))
                sink.take(health(float(number)))
            sink.take(line())
    store = open_for_writing(store_url)
    with store.engine.begin() as connection:
        for table in ("findings", "health", "lines"):
            connection.execute(text(f"UPDATE {table} SET written = written - 40 * 86400"))

    def left(table: str) -> list[tuple[str, int]]:
        counted = f"SELECT probe, count(*) FROM {table} JOIN runs ON runs.number = run GROUP BY probe ORDER BY probe"
        with store.engine.connect() as connection:
            return [tuple(row) for row in connection.execute(text(counted))]

    def runs() -> list[tuple[str, int]]:
        with store.engine.connect() as connection:
            counted = text("SELECT probe, count(*) FROM runs GROUP BY probe ORDER BY probe")
            return [tuple(row) for row in connection.execute(counted)]

    with probe(f"{store_url}?probe=north&keep_findings=50", spool, identity="north") as sink:
        sink.take(finding(30))
        eventually(lambda: left("health") == [("south", 30)])
        assert left("findings") == [("north", 31), ("south", 30)]
    with probe(f"{store_url}?probe=north&keep_findings=39", spool, identity="north"):
        eventually(lambda: left("findings") == [("north", 1), ("south", 30)])
    assert left("lines") == [("north", 1), ("south", 1)]       # kept: a line is said once, and its run goes on
    with store.engine.begin() as connection:
        for table in ("findings", "runs"):
            connection.execute(text(f"UPDATE {table} SET written = written - 1000 * 86400"))
    monkeypatch.setattr("sipaudit.store.reach.PRUNED_EVERY", 0.1)   # only the second check deletes what is old
    with probe(f"{store_url}?probe=south", spool) as sink:
        sink.take(finding(1))
        eventually(lambda: left("lines") == [("north", 1)])
        eventually(lambda: runs() == [("north", 1), ("south", 1)])     # a run without rows is deleted too
    store.close()


def test_a_service_keeps_its_store_in_its_state_directory(tmp_path: Path) -> None:
    assert store_end(None, None, {"HOME": str(tmp_path)}) is None
    service = {"STATE_DIRECTORY": str(tmp_path / "state")}
    (tmp_path / "state").mkdir()
    sink = store_end(None, None, service)
    assert sink is not None
    sink.take(finding(1))
    sink.close()
    assert sorted(path.name for path in (tmp_path / "state").iterdir()) == ["sipaudit.db", "store-spool"]
    assert ids(f"sqlite:///{tmp_path / 'state' / 'sipaudit.db'}") == ["f-000001"]


def test_what_waits_is_kept_beside_the_checkpoint(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path / 'store.db'}"
    for checkpoint, place in ((str(tmp_path / "check" / "point"), "check"), (None, ".local/state/sipaudit")):
        sink = store_end(url, checkpoint, {"HOME": str(tmp_path)})
        assert sink is not None
        sink.close()
        assert (tmp_path / place / "store-spool" / "lock").exists()
