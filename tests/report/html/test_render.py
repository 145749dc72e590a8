"""The contents of the page, checked without a browser."""

from __future__ import annotations

import base64
import hashlib
import json
import random
import re
import shutil
from datetime import UTC
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from msgspec.structs import replace

import sipaudit
from bench.fleet import DOWN, END, START, UP, Fleet
from sipaudit import pipeline
from sipaudit.incidents.course import BY_TURNS, OTHER_PHONES, OTHERS
from sipaudit.model.values import Happening, Move
from sipaudit.report.dissect import Dissection
from sipaudit.report.exhibits import frames_of
from sipaudit.report.html import render
from sipaudit.report.html.clock import PageClock
from sipaudit.report.html.index import Index
from sipaudit.report.html.inert import inert, inert_lines
from sipaudit.report.html.lanes import stays
from sipaudit.report.html.pictures import pictures
from tests.report.html import pages
from tests.shared import SAMPLE


def block(page: bytes, name: str) -> Any:
    """The value in a data block of the page."""
    return json.loads(pages.unpacked(page)[name])


def test_the_same_report_gives_the_same_bytes() -> None:
    assert pages.sample_page() == pages.sample_page()


def test_only_the_scripts_that_the_policy_names_by_hash_may_run() -> None:
    page = pages.sample_page().decode()
    policy = re.search(r'http-equiv="Content-Security-Policy" content="([^"]*)"', page)
    assert policy
    rules = policy[1].replace("&#39;", "'")
    assert rules.startswith("default-src 'none'; script-src 'sha256-")
    assert "unsafe-eval" not in rules
    assert "'unsafe-inline'" not in rules.partition("style-src")[0]
    (script,) = re.findall(r"<script>(.*?)</script>", page, re.DOTALL)
    own = base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()
    assert f"'sha256-{own}'" in rules
    assert not re.search(r'(?:src|href)="(?:https?:)?//', page)


def test_messages_come_with_the_worst_findings_alone() -> None:
    report, exhibits = pages.sample()
    page = render(report, UTC, exhibits, {}, 1)
    assert [len(each["messages"]) for each in block(page, "messages-0")] == [2]
    assert b'id="data-messages-0"' not in render(report, UTC, exhibits, {}, 0)
    details = block(page, "details-0")
    assert [row[-1] for row in details] == [True, False]  # whether there is a link to an evidence file
    told = render(report, UTC, exhibits, {}, 1, evidence={"f-000002"})
    assert [row[-1] for row in block(told, "details-0")] == [False, True]


def test_suppressed_findings_are_last_and_count_nowhere() -> None:
    report, _ = pages.sample()
    first, second = report.findings
    page = render(replace(report, findings=[replace(first, suppressed="known"), second]), UTC, {}, {}, 0)
    index = block(page, "index")
    assert index["findings"]["id"] == [second.id, first.id]
    assert index["findings"]["suppressed"] == [0, 1]
    assert index["lines"]["severities"][:2] == [[0, 0, 1], [0, 0, 0]]
    assert "1 suppressed by" in page.decode()


def test_an_empty_report_is_a_page() -> None:
    report, _ = pages.sample()
    empty = replace(report, lines=[], findings=[], servers=[], events=[], captures=[])
    page = render(empty, UTC, {}, {}, 500).decode()
    assert "No deviation was found." not in page
    assert "Nothing was judged." in page
    for name in ("pictures", "lanes", "whereabouts"):   # there is nothing to show
        assert f'<section id="{name}" class="scripted" hidden' in page
        assert f'href="#{name}"' not in page


def test_where_no_rule_had_anything_to_check_nothing_is_called_decided() -> None:
    report, _ = pages.sample()
    assert "Every check that was reached could be decided." in render(report, UTC, {}, {}, 0).decode()
    page = render(replace(report, reached=[], findings=[]), UTC, {}, {}, 0).decode()
    assert "could be decided" not in page
    assert page.count("No rule had anything to check.") == 2


def test_parts_of_a_millisecond_are_left_out_as_in_every_other_output() -> None:
    """12:06:11.512781 is shown as 12:06:11.512 in the text, in Markdown and in Wireshark."""
    report, _ = pages.sample()
    index = block(render(report, UTC, {}, {}, 0), "index")
    assert (index["start"] + index["findings"]["time"][1]) % 1000 == 512
    start = PageClock(replace(report, captures=[replace(report.captures[0], first=1795348800.0009)]))
    assert start.ms(1795348800.0011) == 1
    assert start.ms(1795348800.0010) == 1
    assert start.ms(1795348800.0009) == 0


def test_the_page_knows_when_its_zone_changes_the_clocks() -> None:
    report, _ = pages.sample()
    back = 1_792_890_000.0  # 2026-10-25 01:00:00 UTC, when Berlin changes from UTC+2 to UTC+1
    capture = replace(report.captures[0], first=back - 7_200, last=back + 90_000)
    clock = PageClock(replace(report, captures=[capture]))
    assert clock.offsets(ZoneInfo("Europe/Berlin")) == [(0, 7_200), (7_200_000, 3_600)]


@pytest.mark.parametrize("time", [1e20, -1e20, 1e308, -1e308])
def test_a_report_whose_times_somebody_changed_is_a_page_all_the_same(time: float) -> None:
    """The page counts milliseconds, and looks for clock changes hour by hour."""
    report, exhibits = pages.sample()
    finding = report.findings[0]
    proof = replace(next(frames_of(finding)), time=time)
    told = replace(report, captures=[replace(report.captures[0], first=time)],
                   findings=[replace(finding, time=-time, evidence=[proof]), *report.findings[1:]])
    assert render(told, ZoneInfo("Europe/Berlin"), exhibits, {}, 500)


def test_what_does_not_print_is_shown_as_its_escape_and_cut() -> None:
    assert inert("a\x1b[0m\u202eb") == "a\\x1b[0m\\u202eb"
    assert inert("x" * 8_000, 10) == "xxxxxxxxxx… (8,000 characters)"
    assert inert(None) is None
    assert inert_lines("INVITE\r\nA:\tb\x00\u2066\r\n") == "INVITE\nA:\tb\\x00\\u2066\n"


def test_a_line_stays_where_its_moves_led() -> None:
    line = next(line for line in Fleet(50, 0).lines if len(line.moves) == 2)
    away, back = line.moves
    rows = list(stays(line, END))
    assert [row.server for row in rows] == [away.from_, away.to, back.to]
    assert [row.since for row in rows] == [line.first, away.time, back.time]
    assert rows[0].leaving == away.evidence[0].time  # the first packet that got no answer
    assert rows[1].leaving is None                     # it works there until it is back at the first server
    assert rows[-1].until == END  # registered to the end


def test_a_line_that_tries_its_first_server_in_vain_looks_for_no_other() -> None:
    """It keeps working with the second server, though its tries at the first may take minutes."""
    report = Fleet(1, 0).report()
    (line,) = report.lines
    away, back = line.moves
    tried = replace(line, moves=[away, replace(back, first_packet=away.time + 1)])
    drawn = pictures(Index(replace(report, lines=[tried])))["servers"]
    looked = [ms for ms, lines in zip(drawn["times"], drawn["moving"], strict=True) if lines]
    assert all(ms <= (away.time - START) * 1000 + 1 for ms in looked)


def test_what_ran_out_before_a_line_came_back_is_not_when_it_began_to_look() -> None:
    """A server that answers REGISTER and lets calls time out: the timeout of the first stay is still evidence of
    failure (section 1, *failure*), although the line has worked with it since."""
    report = Fleet(1, 0).report()
    (line,) = report.lines
    away, back = line.moves
    asked = replace(away.evidence[0], time=back.time + 100)
    again = replace(away, time=back.time + 106, first_packet=back.time + 105, evidence=[*away.evidence, asked])
    told = replace(report, lines=[replace(line, moves=[away, back, again])])
    assert [row.leaving for row in stays(told.lines[0], END)] == [away.evidence[0].time, None, asked.time, None]
    drawn = pictures(Index(told))["recovery"]
    longest = max(place for place, count in enumerate(drawn["recovered"]) if count) * drawn["width"]
    assert longest <= max(away.time - away.evidence[0].time, 6.0)
    unseen = replace(again, evidence=away.evidence)   # of this time, only the turn itself was captured
    assert list(stays(replace(line, moves=[away, back, unseen]), END))[2].leaving == unseen.first_packet


def test_where_every_line_was_is_told_first_of_the_gravest_incident() -> None:
    report = Fleet(10, 0).report()
    (outage,) = report.incidents
    storm = replace(outage, id="i-0000", kind="register-storm", start=START, end=START + 10)
    index = block(render(replace(report, incidents=[storm, outage]), UTC, {}, {}, 0), "index")
    assert index["incidentIds"][index["gravest"]] == outage.id
    assert block(render(replace(report, incidents=[]), UTC, {}, {}, 0), "index")["gravest"] == -1


def test_the_area_counts_every_line_once_and_shows_the_outage() -> None:
    fleet = Fleet(200, 0)
    drawn = pictures(Index(fleet.report()))["servers"]
    series = dict(drawn["series"])
    together = [sum(counts) for counts in zip(*series.values(), drawn["moving"], strict=True)]
    late = next(place for place, ms in enumerate(drawn["times"]) if ms > 400_000)
    assert set(together[late:]) == {200}
    middle = next(place for place, ms in enumerate(drawn["times"]) if ms > (UP - START) * 1000)
    before = next(place for place, ms in enumerate(drawn["times"]) if ms > (DOWN - START - 60) * 1000)
    assert series[0][before] == 200
    assert series[0][middle] < 60 < series[1][middle]


def test_the_distribution_counts_every_failover_once() -> None:
    fleet = Fleet(200, 0)
    moves: list[Move] = [move for line in fleet.lines for move in line.moves if move.kind == "failover"]
    drawn = pictures(Index(fleet.report()))["recovery"]
    assert drawn["count"] == sum(drawn["recovered"]) == sum(drawn["detected"]) == len(moves)
    shortest = min(move.time - move.evidence[0].time for move in moves)
    first = next(place for place, count in enumerate(drawn["recovered"]) if count)
    assert first * drawn["width"] <= shortest < (first + 1) * drawn["width"]


def test_a_week_of_minutes_is_drawn_as_few_points() -> None:
    fleet = Fleet(3, 0)
    report = fleet.report()
    minute = report.minutes[0]
    week = [replace(minute, time=START + 60 * number, requests={"OPTIONS": 1}) for number in range(7 * 24 * 60)]
    capture = replace(report.captures[0], last=week[-1].time)
    drawn = pictures(Index(replace(report, captures=[capture], minutes=week)))["rates"]
    counts = drawn["servers"]["0"]["requests"]["OPTIONS"]
    assert drawn["minutes"] == 14
    assert len(counts) <= 721
    assert sum(counts) == len(week)


def test_a_stranger_cannot_fill_the_page_with_methods() -> None:
    fleet = Fleet(3, 0)
    report = fleet.report()
    minute = replace(report.minutes[0], requests={f"M{number}": 1 for number in range(500)})
    drawn = pictures(Index(replace(report, minutes=[minute])))["rates"]["servers"]["0"]["requests"]
    assert len(drawn) == 9
    assert sum(sum(counts) for counts in drawn.values()) == 500


def test_o_writes_the_page_with_messages_evidence_and_dissections(tmp_path: Path) -> None:
    job = pipeline.Job(paths=(str(SAMPLE / "capture.pcap"),), site=str(SAMPLE / "site.yaml"), zone="utc")
    pipeline.analyze(job, output=pipeline.Output(str(tmp_path / "out")), warn=lambda _: None)
    page = (tmp_path / "out" / "report.html").read_bytes()
    (first, _) = block(page, "messages-0")
    assert first["messages"][1][6].startswith("INVITE sip:2000@pbx.example.com SIP/2.0\nVia: ")
    assert [row[-1] for row in block(page, "details-0")] == [True, True]
    assert (tmp_path / "out" / "evidence" / "f-000001.pcapng").is_file()
    if shutil.which("tshark"):
        frame, layers, _ = next(row for row in first["dissections"] if row[1] == 220)[1:]
        words = dict(layers)
        assert frame == 220
        assert "Frame Number: 220" in words["frame"]
        assert any("INVITE sip:2000@pbx.example.com SIP/2.0" in field for field in words["sip"])

    again = tmp_path / "again"
    (report,) = pipeline.read_reports([str(tmp_path / "out")])
    pipeline.render_files(report, str(again), UTC)
    assert [row[-1] for row in block((again / "report.html").read_bytes(), "details-0")] == [False, False]
    pipeline.render_files(report, str(tmp_path / "out"), UTC)
    assert (tmp_path / "out" / "report.html").read_bytes() == page  # kept: a new one would lack the messages


def test_messages_cannot_blow_up_the_page() -> None:
    fleet = Fleet(30, 500)
    chance = random.Random(1)
    noise = "".join(chance.choices("abcdefghijklmnopqrstuvwxyz0123456789", k=60_000))
    exhibits = {place: [replace(message, text=f"INVITE\r\n{place[1]}{noise}") for message in several]
                for place, several in fleet.exhibits(500).items()}
    page = render(fleet.report(), UTC, exhibits, {}, 500)
    texts = [message[6] for name, content in pages.unpacked(page).items() if name.startswith("messages-")
             for each in json.loads(content) for message in each["messages"]]
    assert len(texts) == 1_000
    assert len(texts[0]) > 16_000 > 700 > len(texts[-1])  # nearly whole at first, later only the head
    assert sum(map(len, texts)) < 8_000_000
    assert texts[-1].startswith("INVITE\n")


def test_the_page_from_python() -> None:
    page = sipaudit.analyze(SAMPLE / "capture.pcap").to_html("utc")
    assert page.startswith("<!doctype html>")
    assert "2026-11-22 12:00:00 to 12:07:13" in page


def test_a_dissection_that_fails_costs_nothing_else(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def fails(*_: object) -> list[Dissection]:
        raise ValueError("bytes that no XML can hold")

    monkeypatch.setattr("sipaudit.run.dissections.dissect", fails)
    warnings: list[str] = []
    job = pipeline.Job(paths=(str(SAMPLE / "capture.pcap"),), site=str(SAMPLE / "site.yaml"), zone="utc")
    pipeline.analyze(job, output=pipeline.Output(str(tmp_path / "out")), warn=warnings.append)
    assert warnings == ["report.html is without Wireshark's dissection: bytes that no XML can hold"]
    (first, _) = block((tmp_path / "out" / "report.html").read_bytes(), "messages-0")
    assert len(first["messages"]) == 2
    assert first["dissections"] == []


@pytest.mark.parametrize(("manner", "heading"), [
    (None, "A server stopped answering its phones"),
    (OTHER_PHONES, "A server failed for some of its phones"),
    (BY_TURNS, "A server answered only a part of what its phones asked"),
    (OTHERS, "A server stopped answering REGISTERs"),
])
def test_an_outage_is_headed_by_whom_it_concerned(manner: str | None, heading: str) -> None:
    report, exhibits = pages.sample()
    incident = next(one for one in report.incidents if one.kind == "server-outage")
    if manner is not None:
        incident = replace(incident, timeline=[*incident.timeline, Happening(incident.start,
                                                                             f"{incident.server}{manner}")])
    page = render(replace(report, incidents=[incident]), UTC, exhibits, {}, 0).decode()
    assert re.search(r"<h3><code>i-\d+</code> ([^:<]*)", page)[1] == heading   # type: ignore[index]
