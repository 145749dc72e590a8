"""A store is created, migrated from every earlier form, or refused with what to do about it."""

from __future__ import annotations

import sqlite3
import sys
from contextlib import closing, suppress
from pathlib import Path

import pytest
from alembic import command
from alembic.autogenerate import compare_metadata
from alembic.runtime.migration import MigrationContext
from sqlalchemy import text

from sipaudit.errors import InputError
from sipaudit.store import address
from sipaudit.store.migration import VERSIONS, configuration
from sipaudit.store.opening import make_engine, open_for_reading, open_for_writing
from sipaudit.store.reading import read
from sipaudit.store.rows import row_of
from sipaudit.store.schema import METADATA
from sipaudit.store.sink import StoreSink
from sipaudit.times import Span
from tests.cli.conftest import Command
from tests.shared import SAMPLE
from tests.store.postgres import Postgres
from tests.store.sayings import finding, known, line

SECRET = "s3cr:et"


def refusal(url: str, *, reading: bool = False) -> str:
    with pytest.raises(InputError) as caught:
        (open_for_reading if reading else open_for_writing)(url)
    assert caught.value.fix
    return str(caught.value)


@pytest.mark.parametrize(("written", "file"), [
    ("zustand \u00fc/s.db", "zustand \u00fc/s.db"), ("100%25 of it%3F.db", "100% of it?.db"),
])
def test_a_file_is_shown_as_a_person_writes_it_and_can_be_pasted_again(written: str, file: str) -> None:
    named = address.parse(f"sqlite:///{written}")
    assert (named.shown, named.file) == (f"sqlite:///{written}", Path(file))


def test_a_new_store_has_the_tables_that_the_program_knows(store_url: str) -> None:
    store = open_for_writing(store_url)
    with store.engine.connect() as connection:
        context = MigrationContext.configure(connection, opts={"version_table": VERSIONS})
        assert compare_metadata(context, METADATA) == []
    store.close()


def test_a_store_of_the_first_form_is_brought_up_with_what_it_holds(store_url: str, tmp_path: Path) -> None:
    engine = make_engine(address.parse(store_url), writing=True)
    row = "(1, :key, 1.7e9, 1.7e9, 'a finding', :body)"
    with engine.begin() as connection:
        command.upgrade(configuration(connection), "0001")
        connection.execute(text("INSERT INTO runs VALUES (1, 'old', 'a', 'live', 'b', 1.7e9, 1.7e9, 1.7e9, '')"))
        connection.execute(text(f"INSERT INTO findings (run, key, said, written, rule, body) VALUES {row}"), {
            "key": "f-000001", "body": _body(1)})
    engine.dispose()
    assert [one.id for one in known(store_url).findings] == ["f-000001"]     # opening it for reading upgrades it
    sink = StoreSink(open_for_writing(store_url), tmp_path, identity="old")
    sink.take(finding(2))
    sink.take(line())
    sink.close()
    shown = known(store_url)
    assert ([one.id for one in shown.findings], len(shown.lines)) == (["f-000001", "f-000002"], 1)


def _body(number: int) -> str:
    return str(row_of(finding(number)).values["body"])


def test_a_store_that_is_newer_than_the_program_is_refused(store_url: str) -> None:
    store = open_for_writing(store_url)
    with store.engine.begin() as connection:
        connection.execute(text(f"UPDATE {VERSIONS} SET version_num = '9999'"))
    store.close()
    assert "was written by a newer sipaudit (revision 9999) (update sipaudit here" in refusal(store_url)
    assert "9999" in refusal(store_url, reading=True)


def test_what_is_no_store_is_not_made_one_by_reading(sipaudit_command: Command, store_url: str, tmp_path: Path) -> None:
    if store_url.startswith("sqlite"):
        assert "there is no such store" in refusal(store_url, reading=True)
        assert not list(tmp_path.glob("*.db*"))
        with sqlite3.connect(tmp_path / "store.db") as theirs:
            theirs.execute("CREATE TABLE lines (theirs TEXT)")
    assert "is no store of sipaudit" in refusal(store_url, reading=True)
    shown = sipaudit_command("report", store_url)
    assert (shown.code, shown.out) == (2, "")
    if store_url.startswith("sqlite"):
        assert "already exists" in refusal(store_url)                            # nor is it made one by writing
        with sqlite3.connect(tmp_path / "store.db") as theirs:
            assert [name for name, in theirs.execute("SELECT name FROM sqlite_master")] == ["lines"]


def test_a_file_that_is_no_database_is_left_as_it_is(tmp_path: Path) -> None:
    file = tmp_path / "notes.txt"
    file.write_text("not yet\n" * 200)
    for reading in (False, True):
        said = refusal(f"sqlite:///{file}", reading=reading)
        assert "file is not a database (name a file that sipaudit wrote as a store" in said
    assert file.read_text() == "not yet\n" * 200


@pytest.mark.parametrize("damage", [b"\xe0\x80text", b"\x96" * 64])
def test_a_store_that_something_has_written_into_is_no_fault_of_ours(tmp_path: Path, damage: bytes) -> None:
    """Wherever the damage is, it is at most an input error: SQLite quotes the damaged bytes or stops at them, and rows
    may still be readable."""
    file = tmp_path / "store.db"
    store = open_for_writing(f"sqlite:///{file}")
    store.close()
    whole = file.read_bytes()
    for place in range(100, len(whole), 1009):
        file.write_bytes(whole[:place] + damage + whole[place + len(damage):])
        for reading in (True, False):
            with suppress(InputError), closing((open_for_reading if reading else open_for_writing)(f"sqlite:///{file}")
                                               ) as opened, suppress(InputError, OSError):
                read(opened, lambda _: Span(float("-inf"), float("inf")))


@pytest.mark.parametrize(("url", "said"), [
    ("mysql://host/db", "there is no store of the kind 'mysql' (write sqlite:///sipaudit.db or"),
    ("sqlite://", "the URL names none"),
    ("sqlite:///:memory:", "the URL names none"),
    ("sqlite://host/a.db", "the URL names none"),
    ("nonsense", "this is not the URL of a store"),
    ("sqlite:////nowhere/at/all.db", "No such file or directory"),
    ("sqlite:///a.db?mode=ro", "'mode' is no option of a SQLite store"),
    ("sqlite:///a.db?keep_finding=3", "did you mean 'keep_findings'?"),
    ("sqlite:///a.db?keep_findings=3d", "no number of days (write keep_findings=90"),
    ("sqlite:///a.db?probe=a&probe=b", "probe is said 2 times"),
    ("postgresql://host:port/db", "this is not the URL of a store"),
    ("sqlite:///\udcff.db", "this is not the URL of a store"),
])
def test_a_url_that_names_no_store_is_refused_with_the_fix(
    url: str, said: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.chdir(tmp_path)
    assert said in refusal(url)
    assert list(tmp_path.iterdir()) == []


def test_a_store_that_cannot_be_reached_is_refused_before_anything_is_read(sipaudit_command: Command) -> None:
    url = f"postgresql://me:{SECRET.replace(':', '%3A')}@127.0.0.1:1/db?sslpassword={SECRET}"
    capture = str(SAMPLE / "capture.pcap")
    for asked in (("analyze", capture, "--store", url), ("report", url)):
        refused = sipaudit_command(*asked)
        assert (refused.code, refused.out) == (2, "")
        assert "Connection refused" in refused.err
        assert "me:***@127.0.0.1" in refused.err
        assert SECRET not in refused.err
        assert "%3A" not in refused.err


def test_a_library_that_repeats_the_password_is_not_quoted() -> None:
    place = address.parse(f"postgresql://me:{SECRET.replace(':', '%3A')}@host/db?sslpassword=other")
    assert place.without_secrets(f"no {SECRET} for me, nor other") == "no *** for me, nor ***"


def test_a_password_that_the_server_does_not_take_is_not_said(postgres: Postgres) -> None:
    said = refusal(f"postgresql+psycopg://nobody:{SECRET.replace(':', '%3A')}@127.0.0.1:{postgres.port}/postgres")
    assert "nobody" in said
    assert "s3cr" not in said


def test_without_psycopg_the_extra_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "psycopg", None)
    assert "pip install 'sipaudit[postgres]'" in refusal("postgresql+psycopg://127.0.0.1/db")


def test_what_the_first_release_wrote_is_read_for_ever(tmp_path: Path) -> None:
    """Rows hold values as JSON: a new field of a value needs a default or a migration."""
    with sqlite3.connect(tmp_path / "store.db") as old:
        old.executescript((Path(__file__).parent / "form_0002.sql").read_text())
    url = f"sqlite:///{tmp_path / 'store.db'}"
    desk, north = known(f"{url}?probe=desk"), known(f"{url}?probe=north")
    assert [one.rule for one in desk.findings] == ["flapping"] * 3
    assert (len(desk.lines), len(desk.incidents), len(desk.events), len(desk.minutes)) == (3, 2, 2, 2)
    assert any(one.registrations and one.call_spans for one in desk.lines)
    assert [(one.id, one.incident) for one in north.findings] == [("f-000001", "i-0001")]
    assert [(len(one.moves), len(one.registrations)) for one in north.lines] == [(1, 1)]
    assert [one.count for one in north.inconclusive] == [3]
