"""The text that a person reads."""

from __future__ import annotations

import csv
import re
from datetime import UTC
from itertools import pairwise
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from msgspec.structs import replace

from sipaudit import pipeline
from sipaudit.errors import InputError
from sipaudit.model.values import Assumption, Confidence, Frame, Place, Reason, Report, Severity, Undecided
from sipaudit.report import comparison, html, junit, ladder, markdown, phones, table, text
from sipaudit.report.advice import ADVICE, ASSUMED
from sipaudit.report.exhibits import frames_of
from sipaudit.report.ladder import LadderRow
from sipaudit.rulebook.telling import in_order
from tests.frames import write_pcap
from tests.shared import ROOT, SAMPLE
from tests.stories import Court, Handset, P, Story
from tests.traps.ground import minute
from tests.wire import ORIGIN

SAMPLES = ROOT / "samples"


def job(**changes: Any) -> pipeline.Job:
    values: dict[str, Any] = {"paths": (str(SAMPLE / "capture.pcap"),), "site": str(SAMPLE / "site.yaml"),
                              "zone": "utc"}
    return pipeline.Job(**{**values, **changes})


def test_the_verdict_comes_first() -> None:
    lines = text.render(pipeline.analyze(job()), UTC, 100, False).splitlines()
    assert "1 phone (1002) signalled with a server before registering there." in lines
    assert "1 phone (1003) returned before the failback was due." in lines
    assert "Deviations: 2 errors." in lines


def test_a_finding_shows_expected_observed_and_evidence() -> None:
    shown = text.render(pipeline.analyze(job()), UTC, 200, False)
    assert "f-000002 error  premature-failback (certain)" in shown
    assert "12:06:11.512  sip:1003@pbx.example.com  phone 10.1.0.13:5060" in shown
    assert "failBack.timeout=60" in shown
    assert "REGISTER to 10.0.0.1:5060/udp 20 s after the move" in shown
    assert "wireshark: frame.number in {" in shown


def test_of_findings_as_severe_the_certain_one_is_the_worst_on_a_screen_as_on_the_page() -> None:
    report = pipeline.analyze(job())
    first, second = report.findings
    doubted = replace(report, findings=[replace(first, confidence=Confidence.LIKELY), second])
    shown = text.render(doubted, UTC, 200, False)
    assert shown.index("f-000002 error") < shown.index("f-000001 error")
    assert "--finding f-000002" in shown
    assert f"explain {second.rule}" in shown


def test_a_report_that_begins_later_than_its_captures_says_what_counts_from_where() -> None:
    said = ("What is reported begins after the captures do (--from): packets, SIP messages and servers are counted "
            "from their beginning, and lines of which nothing is seen from then on are left out.")
    assert said in pipeline.analyze(job(start="+6m")).notes
    assert said in " ".join(text.render(pipeline.analyze(job(start="+6m")), UTC, 100, False).split())
    assert pipeline.analyze(job(start="+0s")).notes == pipeline.analyze(job(end="+6m")).notes == []


def test_the_calls_of_a_line_are_those_of_the_time_that_is_reported(tmp_path: Path) -> None:
    """A call that began before it is included, and so is one that goes on after it, whose end is not read."""
    phone = Handset(Story())
    phone.register(0)
    for began, seconds in ((20, 10), (90, 20), (140, 10), (190, 30), (300, 10)):
        phone.call(began, seconds=seconds)
    (line,) = Court(tmp_path).report(phone.story, None, start=f"@{ORIGIN + 100}", end=f"@{ORIGIN + 200}").lines
    assert [(span.from_, span.until) for span in line.call_spans] == [
        (ORIGIN + 90, pytest.approx(ORIGIN + 110, abs=0.1)), (ORIGIN + 140, pytest.approx(ORIGIN + 150, abs=0.1)),
        (ORIGIN + 190, None)]


def test_a_finding_names_the_requirement_that_it_rests_on() -> None:
    report = pipeline.analyze(job())
    assert "expected (F6): After 10.0.0.1:5060/udp failed" in text.render(report, UTC, 200, False)
    assert "\n- expected (F6): After 10.0.0.1:5060/udp failed" in markdown.render(report, UTC)
    none = replace(report, findings=[replace(report.findings[0], basis=[])])
    assert "expected: After 10.0.0.1" in text.render(none, UTC, 200, False)


def test_a_finding_says_what_the_site_file_calls_its_line() -> None:
    report = pipeline.analyze(job())
    lines = [replace(line, label="Front_desk", group="Head office") for line in report.lines]
    named = replace(report, lines=lines)
    assert "sip:1002@pbx.example.com  phone 10.1.0.12:5060  (Front_desk, Head office)" in text.render(
        named, UTC, 200, False)
    assert "- line: `sip:1002@pbx.example.com`, phone `10.1.0.12:5060` (Front\\_desk, Head office)" in markdown.render(
        named, UTC)
    unnamed = replace(report, lines=[replace(line, group=None) for line in report.lines])
    assert "phone 10.1.0.12:5060\n" in text.render(unnamed, UTC, 200, False)


def test_what_is_suppressed_comes_last() -> None:
    report = pipeline.analyze(job())
    first, second = report.findings
    shown = text.render(replace(report, findings=[replace(first, suppressed="known"), second]), UTC, 200, False)
    assert shown.index(second.id) < shown.index(first.id)


def test_the_findings_of_an_incident_are_counted_without_suppressed_ones() -> None:
    report = pipeline.analyze(job())
    first, second = report.findings
    shown = text.render(replace(report, findings=[replace(first, suppressed="known"), second]), UTC, 200, False)
    assert next(line for line in shown.splitlines() if line.startswith("i-0001")).split()[-1] == "1"


def test_whose_clock_it_is_stands_with_the_capture() -> None:
    report = pipeline.analyze(job())
    assert "2026-11-22 12:07:13.568 UTC, 117 SIP messages." in text.render(report, UTC, 200, False)
    berlin = "2026-11-22 13:07:13.568 CET (UTC+01:00), 117 SIP messages."
    assert berlin in text.render(report, ZoneInfo("Europe/Berlin"), 200, False)
    assert berlin.replace("_", "") in markdown.render(report, ZoneInfo("Europe/Berlin"))
    page = html.render(report, ZoneInfo("Europe/Berlin"), {}, {}, 0).decode()
    assert "2026-11-22 13:00:00 to 13:07:13 CET (UTC+01:00)" in page
    october = replace(report.captures[0], first=1_792_880_000.0, last=1_792_980_000.0)
    changed = text.render(replace(report, captures=[october]), ZoneInfo("Europe/Berlin"), 200, False)
    assert "CEST (UTC+02:00), later CET (UTC+01:00), 117" in changed


def test_an_incident_without_an_end_is_open_in_every_output() -> None:
    report = pipeline.analyze(job())
    open_ = replace(report, incidents=[replace(report.incidents[0], end=None, state="open")])
    assert re.search(r"^i-0001 .* 12:05:12.000  open ", text.render(open_, UTC, 200, False), re.MULTILINE)
    assert "from 2026-11-22 12:05:12.000, still open at the end:" in markdown.render(open_, UTC)


def test_a_ticket_has_the_timeline_of_the_incident_and_the_servers_name() -> None:
    report = pipeline.analyze(job())
    ticket = markdown.render(report, UTC)
    assert ("- `i-0001` **server-outage** at `sbc1.pbx.example.com` (`10.0.0.1:5060/udp`) from 2026-11-22 12:05:12.000 "
            "to 2026-11-22 12:06:11.519: 3 lines of 3 phones\n"
            "  - 12:04:00.619 last answer from 10.0.0.1:5060/udp\n") in ticket
    assert "\n- 1 phone (1003) returned before the failback was due.\n" in ticket
    assert "\n- server: `sbc1.pbx.example.com` (`10.0.0.1:5060/udp`)\n" in ticket
    one = replace(report.incidents[0], lines=report.incidents[0].lines[:1], phones=1,
                  timeline=report.incidents[0].timeline * 9)
    ticket = markdown.render(replace(report, incidents=[one]), UTC)
    assert ": 1 line of 1 phone\n" in ticket
    assert "\n  - and 43 more, see report.json\n" in ticket


def test_what_could_not_be_judged_is_told_by_reason() -> None:
    """Rules that lack the same thing are decided by the same thing."""
    open_ = [Undecided("premature-failback", Reason.SETTINGS_UNKNOWN, 4),
             Undecided("flapping", Reason.BUSY_UNPROVEN, 1),
             *(Undecided(f"rule-{number}", Reason.SETTINGS_UNKNOWN, 1) for number in range(4))]
    shown = text.render(replace(pipeline.analyze(job()), inconclusive=open_), UTC, 250, False)
    assert ("\n8 checks: settings-unknown (4 premature-failback, 1 rule-0, 1 rule-1, ...). Declare the line's "
            "settings in the site file, or name its provisioning files (--config); `sipaudit config check` shows what "
            "is wrong with those.\n"
            "1 check: busy-unproven (1 flapping). A call may have been up; off-hook is not seen on the wire."
            "\n") in shown


def test_a_ticket_says_by_reason_what_could_not_be_judged() -> None:
    open_ = [Undecided("flapping", Reason.SETTINGS_UNKNOWN, 1),
             Undecided("premature-failback", Reason.BUSY_UNPROVEN, 1),
             Undecided("premature-failback", Reason.SETTINGS_UNKNOWN, 1_200)]
    ticket = markdown.render(replace(pipeline.analyze(job()), inconclusive=open_), UTC)
    told = ticket.partition("\n## Not decided\n\n")[2].partition("\n\n")[0].splitlines()
    assert told[0].startswith("- 1,201 checks: settings-unknown (1,200 `premature-failback`, 1 `flapping`). Declare ")
    assert told[0].endswith("; `sipaudit config check` shows what is wrong with those.")
    assert [line.partition(" (")[0] for line in told] == [told[0].partition(" (")[0], "- 1 check: busy-unproven"]


def test_a_ticket_says_what_to_do_once_for_each_rule_and_incident() -> None:
    report = pipeline.analyze(job())
    ticket = markdown.render(report, UTC)
    told = ticket.partition("\n## What to do\n\n")[2].partition("\n## ")[0]
    assert [line.partition(":")[0] for line in told.strip().splitlines()] == [
        "- `server-outage`", "- `signalling-to-unregistered-server`", "- `premature-failback`"]
    assert "- `premature-failback`: Compare failBack.mode and failBack.timeout" in told
    strange = replace(report, incidents=[], findings=[replace(report.findings[0], rule="of-mine")])
    assert "## What to do" not in markdown.render(strange, UTC)
    known = replace(report, incidents=[], findings=[replace(one, suppressed="known") for one in report.findings])
    assert "## What to do" not in markdown.render(known, UTC)


@pytest.mark.parametrize(("drops", "said"), [(1, "dropped 1 packet."), (2, "dropped 2 packets.")])
def test_what_the_capturing_machine_dropped_is_counted(drops: int, said: str) -> None:
    report = pipeline.analyze(job())
    one = replace(report.captures[0], loss=replace(report.captures[0].loss, kernel_drops=drops))
    assert said in text.render(replace(report, captures=[one]), UTC, 200, False)


def test_known_events_of_another_day_are_shown_with_it() -> None:
    """A site file is kept from one incident to the next; an event of a month ago explains nothing today."""
    shown = text.render(pipeline.analyze(job(events=("2026-10-15 12:05:00 sbc1 stopped",))), UTC, 120, False)
    assert "2026-10-15 12:05:00.000  sbc1 stopped" in shown


def test_times_name_their_day_where_the_captures_have_several() -> None:
    report = pipeline.analyze(job())
    (capture,) = report.captures
    assert capture.first is not None
    longer = replace(report, captures=[replace(capture, first=capture.first - 86_400)])
    for told, day in ((report, ""), (longer, "2026-11-22 ")):
        shown = text.render(told, UTC, 100, False)
        assert re.search(f"^i-0001 .*  {day}12:05:12.000  {day}12:06:11.519 ", shown, re.MULTILINE)
        assert f"\n{day}12:05:00.000  sbc1 stopped" in shown
        table = phones.render(told, UTC, 160, False)
        assert f"\n{day}12:05:17.513  1001" in table
        assert f"sbc1 {day}12:11:17, sbc2 {day}12:10:17" in table


def test_an_event_of_the_site_file_that_is_given_again_happened_once() -> None:
    again = pipeline.analyze(job(events=("2026-11-22T12:05:00Z sbc1 stopped", "12:05 sbc1 stopped")))
    assert [event.what for event in again.events] == ["sbc1 stopped", "sbc1 started"]


def test_known_events_are_shown_in_the_zone_wanted() -> None:
    shown = text.render(pipeline.analyze(job()), ZoneInfo("Europe/Berlin"), 100, False)
    assert "13:05:00.000  sbc1 stopped" in shown


def test_without_settings_the_report_says_what_to_declare() -> None:
    shown = text.render(pipeline.analyze(job(site=None)), UTC, 160, False)
    assert "No deviation was found, but 21 of 31 checks could not be decided; the reasons are below." in shown
    assert "settings-unknown" in shown or "entry-unknown" in shown
    assert "docs/capturing.md" in shown
    assert "To judge more, declare in a site file:" in shown


def test_no_line_is_wider_than_the_terminal() -> None:
    report = pipeline.analyze(job())
    for width in (60, 80, 120):
        assert max(len(line) for line in text.render(report, UTC, width, False).splitlines()) <= width


def test_colour_only_when_wanted() -> None:
    report = pipeline.analyze(job())
    assert "\x1b[" not in text.render(report, UTC, 100, False)
    assert "\x1b[" in text.render(report, UTC, 100, True)


def test_a_capture_without_sip_says_what_it_is_and_where_to_read_on(tmp_path: Path) -> None:
    from tests.wire import write_capture

    path = tmp_path / "quiet.pcap"
    write_capture(path, [], covered=0.0)
    shown = text.render(pipeline.analyze(job(paths=(str(path),), site=None)), UTC, 120, False)
    assert shown.startswith("No SIP in 1 packet.")
    assert "docs/capturing.md" in shown


def test_of_many_captures_the_first_are_described_and_the_others_counted() -> None:
    report = pipeline.analyze(job())
    many = replace(report, captures=[replace(report.captures[0], path=f"{number}.pcap") for number in range(9)])
    shown = text.render(many, UTC, 200, False)
    assert [number for number in range(9) if f"{number}.pcap" in shown] == [0, 1, 2]
    assert "6 more captures: see -o DIR or --format json." in shown


def test_what_is_too_much_to_be_shown_is_counted_and_what_is_shown_is_not() -> None:
    report = pipeline.analyze(job())

    def with_findings(count: int) -> Report:
        return replace(report, findings=[replace(report.findings[0], id=f"f-{n:06d}") for n in range(count)])

    def with_incidents(count: int) -> Report:   # an hour apart: closer ones would be told as one
        first = report.incidents[0]
        return replace(report, incidents=[replace(first, id=f"i-{n:04d}", start=first.start + 3600 * n,
                                                  end=first.start + 3600 * n + 9) for n in range(count)])

    def in_text(told: Report) -> str:
        return text.render(told, UTC, 200, False)

    def in_ticket(told: Report) -> str:
        return markdown.render(told, UTC)

    def compared(told: Report) -> str:
        return comparison.render(comparison.compare(replace(report, findings=[]), told), 200, False)

    rule = report.findings[0].rule
    for render, told, shown, more in (
        (in_text, with_findings, text.FINDINGS_SHOWN, f"\n2 more findings (2 {rule}): see -o DIR or --format json."),
        (in_text, with_incidents, text.INCIDENTS_SHOWN, "\n2 more incidents: see -o DIR or --format json."),
        (in_ticket, with_findings, markdown.FINDINGS_SHOWN, "\n2 more are in findings.csv."),
        (in_ticket, with_incidents, markdown.INCIDENTS_SHOWN, "\n- and 2 more, see report.json"),
        (compared, with_findings, comparison.FINDINGS_SHOWN, "\n2 more findings: see --format json."),
    ):
        assert more in render(told(shown + 2))
        assert more.partition("2")[2] not in render(told(shown))   # such as ` more are in findings.csv.`


def test_where_nobody_is_a_phone_nothing_is_called_right() -> None:
    """Unanswered messages, or a period without any line, prove nothing."""
    report = replace(pipeline.analyze(job(site=None)), lines=[], findings=[], incidents=[])
    shown, listed = text.render(report, UTC, 200, False), phones.render(report, UTC, 200, False)
    assert "No deviation was found" not in shown
    for said in (shown, listed):
        assert "Nothing was judged: no line of a phone was seen" in said
    assert listed.startswith("0 phones, 0 lines at ")
    assert "Lines" not in listed.splitlines()


def test_phones_says_what_a_capture_without_sip_is(tmp_path: Path) -> None:
    from tests.wire import write_capture

    path = tmp_path / "quiet.pcap"
    write_capture(path, [], covered=0.0)
    report = pipeline.phones(job(paths=(str(path),), site=None))
    assert "No SIP in 1 packet." in phones.render(report, UTC, 120, False)


def test_phones_shows_where_each_line_was_then() -> None:
    shown = phones.render(pipeline.phones(job(), at="+350s"), UTC, 160, False)
    assert works_with(shown, "1001") == "sbc2"
    later = phones.render(pipeline.phones(job()), UTC, 160, False)
    assert works_with(later, "1001") == "sbc1"


def test_phones_says_of_which_moment_and_puts_the_working_server_first() -> None:
    shown = phones.render(pipeline.phones(job(), at="+6m"), ZoneInfo("Europe/Berlin"), 160, False)
    assert shown.startswith("4 phones, 4 lines at 2026-11-22 13:05:54.317 CET (UTC+01:00), the last packet read; "
                            "all lines are of pbx.example.com\n")
    end = phones.render(pipeline.phones(job()), UTC, 160, False)
    assert re.search(r" sbc1 +sbc1 12:11:17, sbc2 12:10:17 ", end)


def test_what_has_run_out_by_then_is_not_shown_although_no_packet_tells_it(tmp_path: Path) -> None:
    """There is no packet between the last one and that moment, and the capture goes on."""
    story = Story()
    Handset(story).register(0)
    Handset(story, "1002", ("10.1.0.12", 5060)).register(9000)
    (capture,) = Court(tmp_path).report(story, None, covered=0.0).captures
    captured = pipeline.Job((capture.path,))
    assert "registered until" in phones.render(pipeline.phones(captured, at="+59m"), UTC, 160, False)
    shown = phones.render(pipeline.phones(captured, at="+61m"), UTC, 160, False, "+61m")
    assert "registered until" not in shown
    assert shown.startswith("1 phone, 1 line at +61m; the last packet read is of ")


def test_phones_shows_settings_moves_and_servers() -> None:
    shown = phones.render(pipeline.phones(job()), UTC, 160, False)
    assert re.search(r"^1001 +10.1.0.11 +R2 +duration +Head office$", shown, re.MULTILINE)
    assert re.search(r"^12:05:17.513 +1001 +10.1.0.11 +failover +sbc1 → sbc2 +timeout$", shown,
                     re.MULTILINE)
    assert re.search(r"^10.0.0.2:5060/udp +sbc2.pbx.example.com +sbc +2 +udp$", shown, re.MULTILINE)


def test_phones_writes_lines_of_several_domains_in_full() -> None:
    report = pipeline.phones(job())
    other = replace(report, lines=[replace(report.lines[0], line="sip:1001@branch.example.com"), *report.lines[1:]])
    shown = phones.render(other, UTC, 160, False)
    assert "all lines are of" not in shown
    assert " 1001@branch.example.com " in shown
    assert " 1002@pbx.example.com " in shown


def works_with(table: str, user: str) -> str:
    row = next(line for line in table.splitlines() if user in line)
    return re.split(r"\s{2,}", row)[5]


def test_every_output_says_alike_where_a_proof_stands_and_of_one_over_hep_from_whom_it_came() -> None:
    report = pipeline.analyze(job())
    first = report.findings[0]
    seen = [proof for proof in first.evidence if isinstance(proof, Frame)]
    shipped = [replace(proof, capture="10.9.0.1:9060", frame=None) for proof in seen]
    for proofs, place in ((seen, f"{seen[0].capture}:{seen[0].frame}"), (shipped, "10.9.0.1:9060")):
        told = replace(report, findings=[replace(first, evidence=proofs, wireshark=None)])
        assert f"evidence: {place} {seen[0].summary}" in text.render(told, UTC, 400, False)
        assert f"- evidence: `{place}` " in markdown.render(told, UTC)
        (row,) = csv.DictReader(b"".join(table.to_csv(told.findings)).decode().splitlines())
        assert row["evidence"].partition(";")[0] == place
        assert f"evidence: {place}" in junit.to_junit(told).decode()


def test_what_a_provisioning_file_says_of_no_line_names_none_in_any_output() -> None:
    report = pipeline.analyze(job())
    proof = Place("site.cfg", 12, "voIpProt.server.1.expires", "voIpProt.server.1.expires=5")
    flaws = [replace(report.findings[0], id=f"f-00001{rank}", line=None, phone=None, server=None, time=None,
                     severity=severity, wireshark=None, evidence=[proof]) for rank, severity in enumerate(Severity)]
    told = replace(report, findings=in_order([*report.findings, *flaws]))
    outputs = [text.render(told, UTC, 400, False), markdown.render(told, UTC), junit.to_junit(told).decode(),
               *(cell for one in told.findings[:3] for cell in table.cells(one)),
               comparison.render(comparison.compare(report, told), 400, False)]
    assert not any(re.search(r"\bNone\b", output) for output in outputs)
    assert 'name="f-000002"' in outputs[2]   # the first is only a remark, not a failure
    assert html.render(told, UTC, {}, {}, 0)


def test_every_reason_and_assumption_has_a_sentence() -> None:
    assert set(ADVICE) == set(Reason)
    assert set(ASSUMED) == set(Assumption)


def test_what_to_draw_next_of_several_runs_names_the_run_and_the_finding_as_it_knows_it() -> None:
    report = pipeline.analyze(job())
    several = replace(report, findings=[replace(one, id=f"{one.id}-r7") for one in report.findings])
    shown = text.render(several, UTC, 200, False)
    assert "with the captures of run 7 alone: sipaudit ladder CAPTURE ... --finding f-000001\n" in shown


def test_ladder_of_a_finding_marks_its_evidence() -> None:
    rows = pipeline.ladder(job(), finding="f-000001")
    drawn = ladder.render(rows, UTC, 110, False)
    assert "|-INVITE" in drawn
    assert "#220 f-000001" in drawn
    assert "(again)" in drawn
    assert {row.mark for row in rows} == {None, "f-000001"}


def test_a_message_that_cannot_be_read_is_drawn_where_all_are_and_is_of_no_line_or_call(tmp_path: Path) -> None:
    story = Story()
    phone = Handset(story)
    phone.register(0)
    call = phone.ask(10, P, "INVITE")
    story.udp(20, phone.place, P, b"REGISTER sip:pbx.example.com SIP/2.0\r\nTo: <sip:1001@pbx.example.com>\r\n\r\n")
    capture = str(write_pcap(tmp_path / "a.pcap", story.frames()))

    def drawn(line: str | None = None, call_id: str | None = None) -> list[int]:
        rows = pipeline.ladder(pipeline.Job((capture,)), line=line, call_id=call_id)
        return sorted({round(row.time - ORIGIN) for row in rows})

    assert drawn() == [0, 10, 20]
    assert drawn(line="1001") == [0, 10]
    assert drawn(call_id=call.call_id) == [10]
    with pytest.raises(InputError, match=f"no message with the Call-ID .*did you mean '{call.call_id}'"):
        drawn(call_id=f"{call.call_id}x")


def test_of_two_captures_the_evidence_is_marked_and_filtered_where_it_is(tmp_path: Path) -> None:
    """Each capture counts its frames from 1."""
    story = Story()
    phone = Handset(story)
    phone.register(0)
    phone.fail_over(300)
    phone.register(330, P)
    early, late = story.without(lambda packet: packet.time > 303), story.without(lambda packet: packet.time <= 303)
    court = Court(tmp_path)
    report = court.report([early, late], minute("R2"))
    (finding,) = report.findings
    paths = tuple(capture.path for capture in report.captures)
    rows = pipeline.ladder(pipeline.Job(paths, site=str(tmp_path / "site1.yaml")), finding=finding.id)
    proofs = {(proof.capture, proof.frame) for proof in frames_of(finding)}
    assert {path for path, _ in proofs} == set(paths)
    assert {(row.capture, row.frame) for row in rows if row.mark} == proofs
    shown = text.render(report, UTC, 200, False)
    for path in paths:
        frames = ", ".join(str(frame) for capture, frame in sorted(proofs) if capture == path)
        assert f"wireshark in {path}: frame.number in {{{frames}}}" in shown


def test_ladder_of_several_captures_says_of_which_each_frame_is() -> None:
    rows = [LadderRow(0.0, "a.pcap", 7, "x:1", "y:1", "INVITE"), LadderRow(1.0, "b.pcap", 7, "y:1", "x:1", "100")]
    lines = ladder.render(rows, UTC, 100, False).splitlines()
    assert lines[:2] == ["frames 1#: a.pcap", "frames 2#: b.pcap"]
    assert [line.split()[-1] for line in lines[-2:]] == ["1#7", "2#7"]
    alone = ladder.render(rows[:1], UTC, 100, False)
    assert alone.split()[-1] == "#7"
    assert "a.pcap" not in alone


def test_ladder_of_connections_has_a_column_for_a_phone() -> None:
    rows = pipeline.ladder(pipeline.Job((str(SAMPLES / "tcp" / "capture.pcap"),)), line="1001")
    drawn = ladder.render(rows, UTC, 100, False)
    assert drawn.splitlines()[0].split() == ["10.1.0.11", "10.0.0.1:5060", "10.0.0.2:5060"]


def test_ladder_keeps_the_end_of_a_long_address() -> None:
    ends = [f"[2001:db8::{number}]:5070" for number in range(6)]
    rows = [LadderRow(0.0, "x", 1, one, two, "INVITE") for one, two in pairwise(ends)]
    assert ladder.render(rows, UTC, 110, False).splitlines()[0].split() == [f"…1:db8::{n}]:5070" for n in range(6)]


def test_ladder_of_a_line_shows_no_other() -> None:
    rows = pipeline.ladder(job(), line="sip:1004@pbx.example.com")
    assert {host for row in rows for host in (row.source, row.destination)} == {"10.1.0.14:5060", "10.0.0.1:5060"}


def test_ladder_keeps_hostile_text_on_its_line() -> None:
    row = LadderRow(0.0, "x", 1, "a:1", "b:1", "INVITE\x1b[2J\nX")
    drawn = ladder.render([row], UTC, 80, False)
    assert "\x1b" not in drawn
    assert r"INVITE\x1b[2J\nX" in drawn


def test_events_printed_can_be_read_and_judged_again() -> None:
    from sipaudit.model.scenario import parse
    from sipaudit.rulebook.pack import load_pack
    from sipaudit.rulebook.trial import judge_scenario

    printed = "\n".join(pipeline.events(job(), line="sip:1003@pbx.example.com"))
    scenario = parse(printed)
    lines, _ = judge_scenario(scenario, load_pack().rules)
    assert lines == list(scenario.expected)
    assert any("premature-failback P certain" in line for line in lines)


@pytest.mark.parametrize("name", ["f-999999", "nonsense"])
def test_a_finding_that_does_not_exist_is_named(name: str) -> None:
    from sipaudit.errors import InputError

    with pytest.raises(InputError, match="no finding"):
        pipeline.ladder(job(), finding=name)


def test_a_finding_about_provisioning_files_has_no_ladder() -> None:
    from sipaudit.errors import InputError

    files = str(SAMPLE / "provisioning")
    with pytest.raises(InputError, match="f-000001 is about provisioning files, not about messages") as raised:
        pipeline.ladder(job(site=None, config=(files,)), finding="f-000001")
    assert raised.value.fix == f"see {files}/site.cfg:10, and `sipaudit explain config-timeout-clamped`"


def test_a_finding_is_not_drawn_for_a_line_that_it_is_not_of() -> None:
    from sipaudit.errors import InputError

    with pytest.raises(InputError, match=r"f-000001 is not of the line '1003'"):
        pipeline.ladder(job(), line="1003", finding="f-000001")
    assert pipeline.ladder(job(), line="1002", finding="f-000001") == pipeline.ladder(job(), finding="f-000001")
