"""The store of a live probe gives the same report as `analyze` of a recording."""

from __future__ import annotations

from pathlib import Path

import pytest

from sipaudit.model.sayings import MoveSaid
from sipaudit.model.values import Report
from sipaudit.pipeline import Job, analyze
from sipaudit.store.opening import open_for_writing
from sipaudit.store.sink import StoreSink
from tests.live.ear import Ear
from tests.outputs.desk import written
from tests.store.sayings import START, known
from tests.stories import MINUTE, R2, Handset, Story, site
from tests.wire import ORIGIN

DECLARED = site({**R2, **MINUTE})


def outage() -> Story:
    """Three phones leave the first server; one of them returns too early."""
    story = Story()
    phones = [Handset(story, user=f"10{number}", place=(f"10.1.0.{number}", 5060)) for number in (11, 12, 13)]
    for number, phone in enumerate(phones):
        phone.register(number)
        phone.fail_over(300 + number)
        phone.register(330 + number if number == 1 else 420 + number)
    return story


def told(report: Report) -> list[object]:
    return [[(one.rule, one.line, one.phone, one.server, one.time, one.severity) for one in report.findings],
            [(one.kind, one.server, one.start, one.end, one.lines, one.state) for one in report.incidents],
            [(one.line, one.phone, one.working, [(move.time, move.from_, move.to, move.kind) for move in one.moves])
             for one in report.lines],
            [one.server for one in report.servers]]


def test_a_live_run_is_told_by_its_store_as_by_a_recording(store_url: str, tmp_path: Path) -> None:
    story, ear = outage(), Ear(tmp_path, DECLARED)
    recorded = analyze(Job((str(written(story, tmp_path / "a.pcap")),), site=str(tmp_path / "site.yaml"), zone="utc"))
    sink = StoreSink(open_for_writing(store_url), tmp_path / "spool", every=0.02)
    for said in ear.hears(story), ear.finish(430):
        for saying in said:
            sink.take(saying)
    sink.close()
    live = known(store_url)
    assert told(live) == told(recorded)
    assert recorded.findings
    assert {row.server for one in live.lines for row in one.registrations} == {
        row.server for one in recorded.lines for row in one.registrations}
    assert known(store_url, ORIGIN + 300 - START, ORIGIN + 310 - START).lines[0].working == "10.0.0.2:5060/udp"


@pytest.mark.parametrize("again", [False, True], ids=["long after a checkpoint", "right after a checkpoint"])
def test_what_a_killed_probe_said_last_is_in_the_store_of_the_next(store_url: str, tmp_path: Path, again: bool) -> None:
    """The probe was killed in mid-outage, and nothing had been written to the store since the previous checkpoint."""
    story, ear = outage(), Ear(tmp_path, DECLARED)
    ear.hears(story, until=100)
    checkpoint = ear.keeps(tmp_path)
    before = len(ear.said)
    ear.hears(story, since=100, until=310)
    ear.turn(315)
    for saying in ear.said[before:]:
        checkpoint.journal.take(saying)
    checkpoint.journal.turn(0.0)
    if again:
        checkpoint.write(ear.probe, ear.teller, "run")

    other = ear.goes_on(checkpoint, after=250)
    sink = StoreSink(open_for_writing(store_url), tmp_path / "spool", every=0.02)
    assert bool(checkpoint.before) is again
    sink.make_good([*checkpoint.before, *checkpoint.said], other.probe.newest)
    for saying in other.turn(360):
        sink.take(saying)
    sink.close()
    shown = known(store_url)
    assert sorted((move.time, one.line) for one in shown.lines for move in one.moves) == sorted(
        (one.move.time, one.line) for one in ear.said if isinstance(one, MoveSaid))
    assert len([one for one in shown.incidents if one.kind == "server-outage"]) == 1
    rows = [row for one in shown.lines for row in one.registrations]
    assert {row.server for row in rows} == {"10.0.0.1:5060/udp", "10.0.0.2:5060/udp"}
    assert {row.end for row in rows} == {"unknown", "invalidated"}
