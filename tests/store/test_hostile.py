"""Any text of a SIP message or a command line can be stored in both databases, and is read back unchanged."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from sipaudit.model.sayings import EventSaid, NoteSaid, Saying, Withdrawn
from sipaudit.model.values import KnownEvent, Place
from sipaudit.store.opening import Store, open_for_writing
from sipaudit.store.spool import Spool
from sipaudit.store.writing import RunOf, Stood, write
from tests.store.sayings import START, finding, incident, known, line, move, registration

PIECES = ["\0", "\udc80", "\ud800", "\udfff\ud83d", "'; DROP TABLE findings; --", "%s", ":name", "\\x00", "\x1b[2J",
          "{}", "\u202e", "A" * 9000, "\r\n", '"', "\ufffe", "\U0001f4a3"]
TEXT = st.lists(st.one_of(st.sampled_from(PIECES), st.text(max_size=20)), max_size=5).map("".join)
RUNS = itertools.count()


@pytest.fixture(scope="module", params=["sqlite", "postgresql"])
def store(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Store]:
    if request.param == "sqlite":
        url = f"sqlite:///{tmp_path_factory.mktemp('store') / 'store.db'}"
    else:
        url = request.getfixturevalue("postgres").database()
    opened = open_for_writing(url)
    yield opened
    opened.close()


def sayings(one: str, other: str) -> list[Saying]:
    """Sayings with both texts in every text field."""
    return [
        finding(1, line=one, observed=other, phone=one, server=other, rule=one, suppressed=other, incident=other,
                facts={one: other}, evidence=[Place(one, 1, other, one)], also=[other]),
        finding(2, line=other), incident(1, findings=(one,)), line(one, working=other), line(other),
        move(1.0, one, other, aor=one), registration(0.0, None, aor=one),
        EventSaid(START, KnownEvent(START, one)), NoteSaid(START, other), Withdrawn(START, one, other),
        Withdrawn(START, "f-000002", one), Stood(START, incident(2, findings=(other,))),
    ]


def escaped(text: str) -> str:
    return text.encode("utf-8", "backslashreplace").decode()


@settings(max_examples=40, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(TEXT, TEXT)
def test_any_text_is_kept(store: Store, one: str, other: str) -> None:
    run = RunOf(f"{next(RUNS)}{one}", f"probe {next(RUNS)}", "live", "sipaudit")
    with store.engine.begin() as connection:
        write(connection, run, sayings(one, other), START)
    shown = known(store.address.url.update_query_dict({"probe": run.probe}).render_as_string(hide_password=False))
    (told,) = shown.findings
    assert (told.line, told.observed, told.facts) == (escaped(one), escaped(other), {escaped(one): escaped(other)})
    assert {each.line for each in shown.lines} == {escaped(one), escaped(other)}
    assert [len(each.moves) for each in shown.lines if each.line == escaped(one)] == [1]
    assert [each.what for each in shown.events] == [escaped(one)]
    assert shown.notes == [escaped(other)]


@settings(max_examples=40, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(TEXT, TEXT)
def test_any_text_is_kept_in_the_spool(tmp_path: Path, one: str, other: str) -> None:
    place = tmp_path / str(next(RUNS))
    spool = Spool(place, RunOf(one, other, "live", "sipaudit"))
    spool.append(sayings(one, other))
    spool.close()
    again = Spool(place, RunOf("", "", "", ""))
    found = again.oldest()
    again.close()
    assert found is not None
    assert (found[0].identity, found[0].probe) == (escaped(one), escaped(other))
    read = list(found[1])
    assert [type(each) for each in read] == [type(each) for each in sayings(one, other)]
    assert (read[0].finding.line, read[0].finding.observed) == (escaped(one), escaped(other))
    assert again.dropped == 0
