"""The captures that `bench/run` measures have the contents that they claim, and its tables print the measured values.

Nothing is timed here: that is the bench's job.
"""

from __future__ import annotations

import hashlib
import json
import sys
from pathlib import Path

import pytest

from bench import captures, following, marks, programs
from bench.captures import MIXED, SIP, SITE, WORKLOADS, Capture, Workload, ensure
from bench.make import CAPTURES, USUAL
from bench.measure import Cost, Failed, run
from bench.outage import Outage
from bench.programs import NEIGHBOURS, ROUTE, name_of, programs_for
from bench.results import Measured, Results, keep, read, table
from bench.until import STAGES, go
from sipaudit.model.values import Report
from sipaudit.pipeline import Job, analyze
from sipaudit.report import document
from sipaudit.run.analysis import analyzed
from tests.shared import ROOT

FEW = Workload("few", phones=5, rounds=20)
CALLS = Workload("calls", phones=4, rounds=1, calls=3, media=40)
WATCHED = Workload("watched", phones=6, rounds=1, calls=12, talk=60.0, watch=True, spread=100.0)
STREAMS = Workload("streams", phones=4, rounds=2, calls=3, streams=4)
TCP = Workload("tcp", phones=20, rounds=3, transport="tcp")
ALL = [FEW, CALLS, WATCHED, STREAMS, TCP]


def made(workload: Capture, place: Path) -> Path:
    capture = place / "capture.pcap"
    workload.write(capture)
    return capture


def report(workload: Workload, place: Path) -> Report:
    return analyze(Job((str(made(workload, place)),), site=str(workload.site)))


def test_the_large_captures_have_the_sizes_that_the_marks_name() -> None:
    assert {name: (each.messages, each.media_packets, each.phones) for name, each in WORKLOADS.items()} == {
        "sip": (200_000, 0, 5_000), "sip10": (2_000_000, 0, 5_000),
        "mixed": (50_000, 1_500_000, 12_500), "mixed10": (500_000, 15_000_000, 12_500),
        "mixed-calls": (50_000, 1_500_000, 5_000), "calls": (200_000, 0, 5_000), "tcp": (200_000, 0, 5_000),
        "phones50k": (2_000_000, 0, 50_000),
    }
    assert SIP.messages / SIP.phones == WORKLOADS["phones50k"].messages / WORKLOADS["phones50k"].phones


def test_what_takes_gigabytes_is_made_only_when_it_is_asked_for() -> None:
    assert all(CAPTURES[name].size < 500_000_000 for name in USUAL)
    assert set(CAPTURES) - set(USUAL) == {"sip10", "mixed10", "phones50k"}


@pytest.mark.parametrize("workload", ALL, ids=lambda each: each.name)
def test_the_same_bytes_every_time(workload: Workload, tmp_path: Path) -> None:
    (tmp_path / "again").mkdir()
    first, again = made(workload, tmp_path), made(workload, tmp_path / "again")
    assert hashlib.sha256(first.read_bytes()).digest() == hashlib.sha256(again.read_bytes()).digest()
    assert first.stat().st_size <= workload.size


def test_a_capture_is_made_once_and_is_there_when_it_is_whole(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(captures, "DATA", tmp_path / "data")
    ensure(FEW).write_bytes(b"kept")
    assert ensure(FEW).read_bytes() == b"kept"
    assert [path.name for path in (tmp_path / "data").iterdir()] == ["few.pcap"]


def test_none_is_begun_that_the_disk_has_no_room_for(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(captures, "DATA", tmp_path)
    monkeypatch.setattr(captures, "SPARE", 10**18)
    with pytest.raises(Failed, match=r"GB are free"):
        ensure(FEW)
    assert not list(tmp_path.iterdir())


def test_registrations_read_as_they_were_meant(tmp_path: Path) -> None:
    read = report(FEW, tmp_path)
    capture = read.captures[0]
    assert (capture.packets, capture.sip_messages, capture.malformed, capture.undecoded) == (400, 400, {}, {})
    assert (len(read.lines), read.findings) == (5, [])
    for line in read.lines:
        assert (line.regime, line.mode, line.working) == ("R2", "duration", "10.0.0.1:5060/udp")
        assert [(row.refreshes, row.end) for row in line.registrations] == [(19, None)]


def test_calls_with_media_read_as_they_were_meant(tmp_path: Path) -> None:
    read = report(CALLS, tmp_path)
    capture = read.captures[0]
    assert (capture.packets, capture.sip_messages, capture.malformed) == (166, 46, {})
    assert [line.calls for line in read.lines] == [1, 1, 1, 0]
    assert read.findings == []


def test_subscriptions_and_calls_read_as_they_were_meant(tmp_path: Path) -> None:
    read = report(WATCHED, tmp_path)
    capture = read.captures[0]
    assert (capture.packets, capture.sip_messages, capture.malformed) == (WATCHED.packets, WATCHED.messages, {})
    assert [line.calls for line in read.lines] == [2] * 6
    assert [line.registrations[0].end for line in read.lines] == [None] * 6
    assert read.findings == []


def test_media_of_other_systems_are_media_and_nothing_else(tmp_path: Path) -> None:
    read = report(STREAMS, tmp_path)
    capture = read.captures[0]
    assert (capture.packets, capture.sip_messages) == (STREAMS.packets, STREAMS.messages)
    assert capture.content == {"rtp-like": STREAMS.media_packets}
    assert (capture.clock_steps, capture.duplicates, read.findings) == ([], 0, [])


def test_messages_over_tcp_read_as_they_were_meant(tmp_path: Path) -> None:
    read = report(TCP, tmp_path)
    capture = read.captures[0]
    assert capture.packets > TCP.messages, "they are opened, acknowledged, and some cut into segments"
    assert (capture.sip_messages, capture.malformed, capture.undecoded) == (TCP.messages, {}, {})
    assert {line.working for line in read.lines} == {"10.0.0.1:5060/tcp"}
    assert [[(row.refreshes, row.end) for row in line.registrations] for line in read.lines] == [[(2, None)]] * 20


def test_an_outage_leaves_findings_and_an_incident_to_report(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    outage = Outage("outage", 200)
    monkeypatch.setattr("bench.outage.DATA", tmp_path)
    read = analyze(Job((str(made(outage, tmp_path)),), site=str(outage.site)))
    assert len(read.lines) == 200
    assert {finding.rule for finding in read.findings} == {"premature-failback"}
    assert "server-outage" in {incident.kind for incident in read.incidents}


def test_the_neighbours_stand_beside_the_runs_they_are_compared_with() -> None:
    assert [one.name for one in programs_for(SIP)][:4] == [name_of(1), "sngrep", name_of(2), "tcpdump"]
    assert [one.name for one in programs_for(WORKLOADS["mixed10"])] == [name_of(1), "tcpdump", name_of(2), ROUTE]


def test_the_route_that_a_report_is_compared_with_is_driven_to_its_end() -> None:
    route, *_ = programs_for(Outage("few", phones=5))
    assert route.name == ROUTE
    assert "'follow'" in route.command(Outage("few", phones=5))[-1]
    assert STAGES.index("report") - STAGES.index("follow") == 1
    with pytest.raises(ValueError, match="no stage: model"):
        go("nowhere.pcap", "model", str(SITE))


def test_following_alone_is_timed_to_the_whole_report(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(following, "DATA", tmp_path)
    job = Job((str(made(WATCHED, tmp_path)),), site=str(WATCHED.site), jobs=1)
    following.Read(job).keep()
    _, found = analyzed(following.Read(job), None, None, None, print)
    assert document.to_json(found) == document.to_json(analyze(job))
    assert found.captures[0].packets == WATCHED.packets


def test_tcpdump_copies_what_the_mark_names() -> None:
    command = NEIGHBOURS["tcpdump"].command
    assert command(MIXED)[-1] == "udp port 5060"
    assert command(WORKLOADS["tcp"])[-1] == "tcp port 5060"


def measured(**runs: list[Cost]) -> Measured:
    """Measurements of workload `sip`: runs named `ours1`, `ours2`, `sngrep` and the `route`."""
    names = {"ours1": name_of(1), "ours2": name_of(2), "route": ROUTE}
    results = Results.of(SIP, "a machine", floor=0)
    results.runs = {names.get(name, name): costs for name, costs in runs.items()}
    return {"sip": results}


def cost(seconds: float, peak: float = 50e6, together: float = 0) -> Cost:
    return Cost(seconds, seconds, int(peak), 1000, int(together))


def verdicts(found: Measured, number: int) -> dict[str, tuple[str, str]]:
    """For the marks with this number that were measured: the measured value and the verdict."""
    rows = [(mark.said, mark.figure(found), mark) for mark in marks.MARKS if mark.number == number]
    return {said: (figure.shown, mark.verdict(figure)) for said, figure, mark in rows if figure is not None}


def test_a_mark_is_the_median_of_pairs_and_not_the_pair_of_medians() -> None:
    found = measured(ours1=[cost(7.0), cost(7.5), cost(20.0)], ours2=[cost(3.5)] * 3,
                     sngrep=[cost(10.0), cost(10.0), cost(40.0)])
    assert list(verdicts(found, 1).values()) == [("0.35x", "reached, and the aim"), ("0.70x", "reached")]


def test_what_a_mark_is_missed_by_is_said() -> None:
    found = measured(ours1=[cost(8.2)], ours2=[cost(5.0)], sngrep=[cost(10.0)])
    assert list(verdicts(found, 1).values()) == [("0.50x", "reached"), ("0.82x", "**missed**")]


def test_memory_is_that_of_the_largest_process_beside_what_lines_and_report_hold() -> None:
    found = measured(ours1=[cost(1, 130e6)], ours2=[cost(1, 90e6, together=170e6)], route=[cost(1, 110e6)])
    one, two = verdicts(found, 4).values()
    assert one == ("130 of 135 MB", "reached"), "100 MB, 5,000 lines of 3 kB, 20 MB of report, and few transactions"
    assert two == ("90 of 135 MB; all processes 170 MB", "reached")


def test_ten_times_the_messages_are_held_against_ten_and_a_half_times_the_seconds() -> None:
    found = measured(ours1=[cost(2.0, 60e6)], route=[cost(1.9, 50e6)])
    large = Results.of(WORKLOADS["sip10"], "a machine", floor=0)
    large.runs = {name_of(1): [cost(20.8, 100e6)], ROUTE: [cost(20, 56e6)]}
    told = [shown for said, shown in verdicts({**found, "sip10": large}, 4).items() if said.startswith("`sip10`")]
    assert told[1:] == [("10.40x", "reached"), ("1.12x", "**missed**")]


def test_what_was_not_measured_is_neither_reached_nor_missed() -> None:
    assert all("not measured" in mark.row({}) for mark in marks.MARKS)
    assert {mark.number for mark in marks.MARKS} == {1, 2, 3, 4, 5}


def test_results_are_kept_whole(tmp_path: Path) -> None:
    found = measured(ours1=[cost(7.0)], sngrep=[cost(10.0), cost(11.0)])
    assert read(tmp_path / "results.json") == {}
    keep(found, tmp_path / "results.json")
    assert read(tmp_path / "results.json") == found
    assert json.loads((tmp_path / "results.json").read_text())[0]["runs"]["sngrep"][1]["seconds"] == 11.0


def test_the_table_names_runs_spread_and_what_sipaudit_took() -> None:
    found = measured(ours1=[cost(6.0), cost(8.0)], sngrep=[cost(10.0), cost(10.0)], route=[cost(5.0)])["sip"]
    rows = table(found)
    assert "| sipaudit --jobs 1 | 2 | 7.00 (6.00-8.00) | 7.00 | 35.00 | 50 MB |  |" in rows
    assert "| sngrep | 2 | 10.00 (10.00-10.00) | 10.00 | 50.00 | 50 MB | 0.70x (0.60-0.80) |" in rows


def test_a_program_is_measured_with_its_children(tmp_path: Path) -> None:
    child = "import time; held = bytearray(40_000_000); time.sleep(0.5)"
    parent = f"import subprocess, sys; subprocess.run([sys.executable, '-c', {child!r}])"
    found = run([sys.executable, "-c", parent], tmp_path / "out", together=True)
    assert found.peak > 40_000_000
    assert found.together > 50_000_000, "the parent holds something, too"


def test_one_that_takes_for_ever_is_stopped(tmp_path: Path) -> None:
    with pytest.raises(Failed, match="did not end within 0 s"):
        run(["sleep", "60"], tmp_path / "out", limit=0.2)


def test_one_that_fails_is_told_with_its_last_words(tmp_path: Path) -> None:
    with pytest.raises(Failed, match=r"exit code 2: sipaudit|exit code 2: .*no-such-file"):
        run([programs.SIPAUDIT, "analyze", "no-such-file.pcap", "--site", str(SITE)], tmp_path / "out")


def test_the_readme_has_a_place_for_every_table() -> None:
    text = (ROOT / "bench" / "README.md").read_text()
    for part in ("marks", "following", "stages sip", "stages mixed", "model", "page", "weeks", "weeks outages",
                 "bounds", "simulate", "port", "store sqlite", "store postgresql", "away"):
        assert text.count(f"<!-- begin {part} -->") == text.count(f"<!-- end {part} -->") == 1


def test_the_pages_say_of_marks_and_runs_what_the_results_say() -> None:
    measured = read(ROOT / "bench" / "results.json")
    assert "\n".join(marks.table(measured)) in (ROOT / "bench" / "README.md").read_text()
    assert all("\n".join(table(results)) in (ROOT / "bench" / "runs.md").read_text() for results in measured.values())
