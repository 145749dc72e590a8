"""An analysis is stored once and shown again unchanged; a period of a store is a report."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from msgspec import Struct
from msgspec.structs import replace
from sqlalchemy import Row

from sipaudit.errors import InputError
from sipaudit.model.values import Move, Report
from sipaudit.report import document
from sipaudit.store import reading
from sipaudit.store.analysis import keep
from sipaudit.store.opening import open_for_writing
from sipaudit.store.sink import StoreSink
from sipaudit.store.telling import span
from tests.cli.conftest import Command
from tests.shared import ROOT, SAMPLE
from tests.store.sayings import (
    AOR,
    FIRST,
    SECOND,
    START,
    capture,
    finding,
    incident,
    known,
    line,
    move,
    registration,
    undecided,
)

SAMPLES = sorted((ROOT / "samples").glob("*/report.json"))
ANALYSE = ("analyze", "samples/first-outage/capture.pcap", "--site", "samples/first-outage/site.yaml")


@pytest.fixture(autouse=True)
def _in_the_top_folder(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(ROOT)


def kept(url: str, report: Report) -> None:
    store = open_for_writing(url)
    keep(store, report)
    store.close()


def sample(path: Path = SAMPLE / "report.json") -> Report:
    return document.from_json(path.read_bytes())


@contextmanager
def probe(url: str, folder: Path, identity: str | None = None) -> Iterator[StoreSink]:
    sink = StoreSink(open_for_writing(url), folder, identity=identity)
    yield sink
    sink.close()


def test_every_sample_comes_out_as_it_went_in(store_url: str) -> None:
    for path in SAMPLES:
        report = sample(path)
        kept(store_url + f"?probe={path.parent.name}", report)
        assert document.to_json(known(store_url + f"?probe={path.parent.name}")) == path.read_bytes(), path


@pytest.mark.parametrize("form", ["text", "json", "jsonl", "csv", "junit"])
def test_a_store_is_rendered_as_analyze_rendered_it(sipaudit_command: Command, tmp_path: Path, form: str) -> None:
    url = f"sqlite:///{tmp_path / 'store.db'}"
    first = sipaudit_command(*ANALYSE, "--format", form, "--store", url)
    again = sipaudit_command("report", url, "--format", form)
    commands = "\nWhat next\n"   # its commands name captures, which a store does not need
    assert (again.code, again.out.partition(commands)[0]) == (0, first.out.partition(commands)[0])


def test_what_next_names_captures_only_where_they_are(
        sipaudit_command: Command, store_url: str, tmp_path: Path) -> None:
    kept(f"{store_url}?probe=analyst", sample())
    with probe(f"{store_url}?probe=mirror", tmp_path / "spool") as sink:
        for said in line(), finding(1, incident="i-0001"), incident(1, findings=("f-000001",)):
            sink.take(said)
    told = sipaudit_command("report", f"{store_url}?probe=analyst").out
    assert "ladder CAPTURE ... --finding" in told
    assert "phones CAPTURE ..." in told
    sipaudit_command("report", f"{store_url}?probe=mirror", "-o", str(tmp_path / "out"))
    for path in (f"{store_url}?probe=mirror", str(tmp_path / "out")):
        told = sipaudit_command("report", path).out
        assert "explain premature-failback" in told
        assert "CAPTURE" not in told


def test_o_writes_the_files_of_a_store(sipaudit_command: Command, tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path / 'store.db'}"
    kept(url, sample())
    shown = sipaudit_command("report", url, "-o", str(tmp_path / "out"))
    assert (shown.code, {path.name for path in (tmp_path / "out").iterdir()}) == (
        0, {"report.html", "report.json", "report.md", "findings.csv"})


def test_a_capture_that_was_analysed_again_is_there_once(store_url: str) -> None:
    report = sample()
    kept(store_url, report)
    kept(store_url, replace(report, findings=report.findings[:1]))     # the findings of the first analysis are replaced
    assert known(store_url).findings == report.findings[:1]
    together = sample(SAMPLE.parent / "tcp" / "report.json")
    kept(store_url, replace(together, captures=[*together.captures, *report.captures]))
    assert [one.id for one in known(store_url).findings] == [one.id for one in together.findings]


def test_a_period_of_a_store_is_what_analyze_reports_of_it(sipaudit_command: Command, tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path / 'store.db'}"
    report = sample()
    kept(url, report)
    between = report.findings[0].time
    assert between is not None

    def told(option: str, *command: str) -> tuple[list[object], list[object], list[object]]:
        """Findings without their ids; moves and tries by line; ids of incidents."""
        shown = json.loads(sipaudit_command(*command, option, f"@{between + 1}", "--format", "json").out)
        assert len(shown["findings"]) == 1
        return ([one | {"id": None, "incident": None} for one in shown["findings"]],
                [(one["line"], one["moves"], one["tries"]) for one in shown["lines"]],
                [one["id"] for one in shown["incidents"]])

    assert told("--from", "report", url) == told("--from", *ANALYSE)
    assert told("--to", "report", url)[:2] == told("--to", *ANALYSE)[:2]    # which does not see the outage end


def test_a_store_is_compared_with_another_and_with_a_report(sipaudit_command: Command, tmp_path: Path) -> None:
    before, after = (f"sqlite:///{tmp_path / name}.db" for name in ("before", "after"))
    report = sample()
    kept(before, report)
    kept(after, replace(report, findings=report.findings[:1]))
    of_stores = sipaudit_command("report", after, "--compare", before)
    assert "0 new, 1 gone, 1 the same." in of_stores.out
    assert sipaudit_command("report", after, "--compare", str(SAMPLE / "report.json")).out == of_stores.out


def test_a_period_of_a_report_json_is_refused(sipaudit_command: Command) -> None:
    refused = sipaudit_command("report", str(SAMPLE / "report.json"), "--from", "12:00")
    assert (refused.code, refused.out) == (2, "")
    assert "--from and --to choose from a store" in refused.err


def test_of_a_period_of_which_the_store_knows_nothing_nothing_is_said_about_packets(
        store_url: str, tmp_path: Path, sipaudit_command: Command) -> None:
    with probe(store_url, tmp_path / "spool") as sink:
        sink.take(capture(0.0, 10))
    told = sipaudit_command("report", store_url, "--to", f"@{START - 3600}")
    assert (told.code, told.out) == (0, "Nothing is known of this period: no capture covers any of it.\n")


def test_several_probes_share_a_store(store_url: str, tmp_path: Path) -> None:
    for name, number in (("north", 1), ("south", 1)):
        with probe(f"{store_url}?probe={name}", tmp_path / name) as sink:
            sink.take(incident(1, findings=("f-000001",)))
            sink.take(finding(number, observed=name, incident="i-0001"))
    both = known(store_url)
    assert sorted((one.observed, one.id, one.incident) for one in both.findings) == [
        ("north", "f-000001-r1", "i-0001-r1"), ("south", "f-000001-r2", "i-0001-r2")]
    assert [one.findings for one in both.incidents] == [["f-000001-r1"], ["f-000001-r2"]]
    south = known(f"{store_url}?probe=south")
    assert [(one.observed, one.id) for one in south.findings] == [("south", "f-000001")]


def test_a_probe_that_has_written_nothing_is_named_with_those_that_have(store_url: str, tmp_path: Path) -> None:
    """Otherwise a misspelt name would look like a probe that found nothing."""
    for name in ("north", "so%00uth"):
        with probe(f"{store_url}?probe={name}", tmp_path / name[:2]) as sink:
            sink.take(finding(1))
    assert known(f"{store_url}?probe=so%00uth").findings
    with pytest.raises(InputError) as refused:
        known(f"{store_url}?probe=nroth")
    assert "no probe 'nroth' has written there (name one that has: north, so\\x00uth)" in str(refused.value)


def test_a_line_that_two_runs_saw_is_one_line(store_url: str, tmp_path: Path) -> None:
    for identity, after in (("before", 0.0), ("after", 100.0)):
        with probe(store_url, tmp_path / "spool", identity) as sink:
            sink.take(line(first=after, last=after + 10))
            sink.take(move(after + 5, FIRST, SECOND))
    (one,) = known(store_url).lines
    assert (one.first, one.last, len(one.moves)) == (START, START + 110, 2)


def test_a_period_of_a_long_run_counts_what_happened_in_it(store_url: str, tmp_path: Path) -> None:
    hour = 3600.0
    with probe(store_url, tmp_path) as sink:
        for number in range(1, 6):
            sink.take(capture(number * hour, 1000 * number, drops=10 * number))
            sink.take(undecided(number * hour, 2 * number))
    whole, part = known(store_url), known(store_url, 2 * hour, 3 * hour)
    assert ([one.count for one in whole.inconclusive], whole.captures[0].packets) == ([10], 5000)
    assert ([one.count for one in part.inconclusive], part.captures[0].packets) == ([2], 1000)
    assert (part.captures[0].loss.kernel_drops, part.captures[0].undecoded) == (10, {"arp": 100})
    assert part.captures[0].loss.estimate == round(10 / 1010, 6)
    begun = known(store_url, 2 * hour, 3 * hour - 700)      # in the hour of the third count
    assert ([one.count for one in begun.inconclusive], begun.captures[0].packets) == ([2], 1000)


def test_a_process_that_goes_on_with_a_run_counts_anew(store_url: str, tmp_path: Path) -> None:
    for first, packets in ((0.0, 500), (700.0, 30)):
        with probe(store_url, tmp_path, "one") as sink:
            sink.take(capture(first + 5, 0))
            sink.take(capture(first + 10, packets, first=first))
    assert [(one.path, one.packets) for one in known(store_url).captures] == [("eth1", 500), ("eth1", 30)]


def test_of_a_port_where_nothing_came_that_is_told(store_url: str, tmp_path: Path) -> None:
    with probe(store_url, tmp_path) as sink:
        sink.take(capture(5, 0))
    assert [(one.path, one.packets, one.first) for one in known(store_url).captures] == [("eth1", 0, None)]


def test_the_counts_of_an_analysis_are_told_with_any_part_of_it(store_url: str) -> None:
    report = document.read(str(ROOT / "samples" / "lossy-tap" / "report.json"))
    (seen,) = report.captures
    assert seen.first is not None
    kept(store_url, replace(report, captures=[replace(seen, last=seen.first + 36_000)]))
    shown = known(store_url, end=seen.first + 60 - START)
    assert shown.inconclusive == report.inconclusive != []
    assert [one.packets for one in shown.captures] == [seen.packets]


def test_a_run_reaches_from_the_first_to_the_last_thing_it_said(store_url: str, tmp_path: Path) -> None:
    for number, after in ((1, 5e5), (2, 9e5), (3, 1e5)):    # a spool may deliver older sayings last
        with probe(store_url, tmp_path, "one") as sink:
            sink.take(finding(number, after=after))
    for number, after in ((1, 5e5), (2, 9e5), (3, 1e5)):
        assert [one.id for one in known(store_url, after - 1, after + 1).findings] == [f"f-{number:06d}"]


def test_a_line_that_only_renews_is_there_and_where_it_was_then(store_url: str, tmp_path: Path) -> None:
    with probe(store_url, tmp_path) as sink:
        sink.take(line(last=10.0, working=SECOND))
        sink.take(registration(0, 9000, refreshes=5))
        sink.take(move(8000, FIRST, SECOND))
        sink.take(line("sip:gone@pbx.example.com", last=20.0))
    shown = known(store_url, 7000, 7500).lines
    assert [(one.line, one.working, one.moves) for one in shown] == [(AOR, FIRST, [])]
    assert [len(one.moves) for one in known(store_url, 7000).lines] == [1]


def test_of_a_time_when_nothing_was_analysed_nothing_is_told(store_url: str) -> None:
    report = sample()
    kept(store_url, report)
    first, last = span(report)
    for begin, end in ((first - 10, first - 5), (last + 5, last + 10)):
        shown = known(store_url, begin - START, end - START)
        assert (shown.captures, shown.servers, shown.lines, shown.incidents) == ([], [], [], [])
    assert known(store_url, last - START - 1).captures == report.captures


def test_of_what_came_after_the_period_only_where_it_left_from_is_asked(store_url: str, tmp_path: Path,
                                                                       monkeypatch: pytest.MonkeyPatch) -> None:
    with probe(store_url, tmp_path / "spool") as sink:
        sink.take(line(last=1000.0, working=FIRST))
        sink.take(move(10.0, FIRST, SECOND))
        for number in range(200):
            sink.take(move(100.0 + number, *((SECOND, FIRST) if number % 2 == 0 else (FIRST, SECOND))))
    decoded: list[type] = []
    value = reading._value

    def noted(kind: type[Struct], row: Row[Any]) -> Struct:
        decoded.append(kind)
        return value(kind, row)

    monkeypatch.setattr(reading, "_value", noted)
    (told,) = known(store_url, 0.0, 50.0).lines
    assert (len(told.moves), told.working) == (1, SECOND)
    assert decoded.count(Move) == 1
