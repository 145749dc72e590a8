"""The verdict in words, with which every output begins."""

from __future__ import annotations

import re
from datetime import UTC
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from msgspec.structs import replace

from sipaudit import pipeline
from sipaudit.incidents.course import too_late
from sipaudit.model.captures import ServerMinute
from sipaudit.model.values import Confidence, Finding, Frame, Happening, Incident, Reason, Report, Severity, Undecided
from sipaudit.report import html, markdown, text
from sipaudit.report.answering import Served
from sipaudit.report.incident_words import SAID
from sipaudit.report.junit import to_junit
from sipaudit.report.names import short_names
from sipaudit.report.series import gravest
from sipaudit.report.verdict import DID, sentences
from sipaudit.rulebook.pack import load_pack
from tests.live.said import FINDING, INCIDENT
from tests.shared import SAMPLE


@pytest.fixture(scope="module")
def report() -> Report:
    return pipeline.analyze(pipeline.Job((str(SAMPLE / "capture.pcap"),), site=str(SAMPLE / "site.yaml"), zone="utc"))


def incident(kind: str, **more: Any) -> Incident:
    over: dict[str, Any] = {"state": "closed", "start": 1795349112.0, "end": 1795349178.0}
    return replace(INCIDENT, kind=kind, **over | more)


def finding(rule: str, phone: str, severity: Severity = Severity.ERROR, suppressed: str | None = None) -> Finding:
    return replace(FINDING, rule=rule, phone=phone, severity=severity, suppressed=suppressed, server=None)


@pytest.mark.parametrize(("refused", "refusing"), [(4, False), (5, True)])
def test_a_server_refuses_all_when_it_has_refused_five_requests(refused: int, refusing: bool) -> None:
    one = Served()
    one.add(ServerMinute(0.0, "10.0.0.1:5060/udp", {"INVITE": refused}, {"1xx": 20, "4xx": refused}, 0, 0, None, None))
    assert one.refusing is refusing


@pytest.mark.parametrize(("undecided", "skipped"), [(2, False), (3, True)])
def test_a_rule_that_was_decided_once_has_passed_for_a_build_server(report: Report, undecided: int, skipped: bool
                                                                    ) -> None:
    one = replace(report, findings=[], reached=[replace(report.reached[0], rule="flapping", count=3)],
                  inconclusive=[Undecided("flapping", Reason.LOSS_NEARBY, undecided)])
    assert (b"<skipped" in to_junit(one)) is skipped


def test_a_name_that_begins_with_a_number_is_not_cut(report: Report) -> None:
    """`1` alone would be a name to nobody."""
    servers = [replace(report.servers[0], server=f"10.0.0.{number}:5060/udp", name=name)
               for number, name in enumerate(("1.sbc.example.com", "sbc2.example.com"))]
    assert list(short_names(servers).values()) == ["1.sbc.example.com", "sbc2"]


def test_an_outage_is_told_with_what_the_phones_did(report: Report) -> None:
    said = sentences(report, UTC)
    assert said[0] == ("sbc1 did not answer from 12:05:12 to 12:06:11. 3 of 4 phones moved in 37.2 s (median), "
                       "counted from the known stop at 12:05:00. Affected: 3 of 4 phones of Head office.")
    assert said[1:4] == ["1 phone (1003) returned before the failback was due.",
                         "1 phone (1002) signalled with a server before registering there.", "Deviations: 2 errors."]


def test_times_are_in_the_zone_wanted_with_the_day_where_there_are_several(report: Report) -> None:
    assert sentences(report, ZoneInfo("Europe/Berlin"))[0].startswith("sbc1 did not answer from 13:05:12 to 13:06:11.")
    later = replace(report, captures=[replace(report.captures[0], last=(report.captures[0].first or 0) + 90_000)])
    assert sentences(later, UTC)[0].startswith("sbc1 did not answer from 2026-11-22 12:05:12 to 2026-11-22 12:06:11.")


def test_one_that_lasts_is_told_so(report: Report) -> None:
    lasting = replace(report, incidents=[incident("server-outage", end=None)])
    assert sentences(lasting, UTC)[0] == "sbc1 did not answer from 12:05:12 on."
    again = incident("server-outage", end=None, timeline=[Happening(1795349178.0, "10.0.0.1:5060/udp answers again")])
    assert sentences(replace(report, incidents=[again]), UTC)[0] == (
        "sbc1 did not answer from 12:05:12 on; it answered again at 12:06:18, shortly before the capture ends.")


def minute(server: str, requests: int, unanswered: int = 0, **answers: int) -> ServerMinute:
    return ServerMinute(1795349100.0, server, {"REGISTER": requests}, {f"{kind[1:]}xx": count for kind, count
                                                                      in answers.items()}, 0, unanswered, None, None)


P, S = "10.0.0.1:5060/udp", "10.0.0.2:5060/udp"
CANNOT_TELL = ("Whether there was an outage cannot be told: 40 requests to sbc1, sbc2, and not one answer. Either "
               "all servers were silent before the capture began, or it lacks what they send, see docs/capturing.md.")


@pytest.mark.parametrize(("minutes", "said"), [
    ([minute(P, 10, 10), minute(P, 10, 10), minute(S, 20, 20)], CANNOT_TELL),
    ([minute(P, 10, 10), minute(S, 20, _2=20)],
     "sbc1 answered none of 10 requests: away since before the capture began, or what it sends is not captured."),
    ([minute(P, 10, _1=3, _4=10), minute(P, 5, _4=4, _5=1), minute(S, 20, _2=20)],
     "sbc1 granted nothing of what was asked: 15 requests, answers 14 4xx, 1 5xx."),
    ([minute(P, 10, _4=10), minute(P, 10, _2=1, _4=9)], "No outage or other incident was seen."),
    ([minute(P, 1, _4=1)], "No outage or other incident was seen."),
    ([minute(P, 1)], "No outage or other incident was seen."),  # sent just before the capture ended
])
def test_a_server_that_gave_nobody_anything_is_told_where_no_incident_tells_of_it(
    report: Report, minutes: list[ServerMinute], said: str,
) -> None:
    shown = sentences(replace(report, incidents=[], minutes=minutes), UTC)
    assert shown[0] == said
    told = sentences(replace(report, incidents=[incident("server-outage", server=P)], minutes=minutes), UTC)
    assert said not in told


def test_of_an_outage_that_lasts_it_is_said_that_nobody_tried_again(report: Report) -> None:
    """The capture goes on until 12:07."""
    lasting = replace(report, incidents=[incident("server-outage", end=None)], minutes=[minute(P, 5, 5)])
    assert sentences(lasting, UTC)[0] == "sbc1 did not answer from 12:05:12 on; nobody asked it again after 12:06:00."
    asked = replace(lasting, minutes=[minute(P, 5, 5), replace(minute(P, 5, 5), time=1795349160.0)])
    assert sentences(asked, UTC)[0] == "sbc1 did not answer from 12:05:12 on."


@pytest.mark.parametrize(("summaries", "said"), [
    (["503 REGISTER 10.0.0.1 → 10.1.0.5"], "sbc1 answered nothing but 503 from"),
    (["icmp 10.0.0.1", "refused 10.0.0.1"], "sbc1 could not be reached from"),
    (["icmp 10.0.0.1", "INVITE 10.1.0.5 → 10.0.0.1"], "sbc1 did not answer from"),
])
def test_how_a_server_failed(report: Report, summaries: list[str], said: str) -> None:
    evidence = [Frame("a.pcap", 1, 0.0, summary) for summary in summaries]
    shown = sentences(replace(report, incidents=[incident("server-outage", evidence=evidence)]), UTC)
    assert shown[0].startswith(said)


def test_of_several_times_that_a_server_was_slow_the_median_is_told_as_of_each_of_them(report: Report) -> None:
    """The median by nearest rank: the second of four values."""
    slow = [incident("server-outage", id=f"i-000{number}", start=1795349112.0 + number * 100,
                     end=1795349178.0 + number * 100,
                     timeline=[Happening(0.0, too_late("10.0.0.1:5060/udp", float(late)))])
            for number, late in enumerate((9, 5, 7, 6))]
    told = sentences(replace(report, incidents=slow), UTC)[0]
    assert told.startswith("sbc1 answered too late (after 6.0 s, median) four times")


@pytest.mark.parametrize(("starts", "ends", "said"), [
    ((100, 130), (200, 180), "12:00:30 to 12:01:20"), ((130, 100), (None, None), "12:00:30 on"),
    ((100, 100), (None, 140), "12:00:00 to 12:00:40"), ((100, 200), (150, 250), None),
    ((100, 200), (210, 250), None),   # a phone that leaves the second finds the first, which nobody had tried since
    ((100, None), (200, None), None)])
def test_where_no_server_of_an_entry_was_left_they_share_something(
    report: Report, starts: tuple[int, int | None], ends: tuple[int | None, int | None], said: str | None
) -> None:
    start = 1795348800.0 - 100   # 12:00
    out = [incident("server-outage", id=f"i-000{number}", server=f"10.0.0.{number}:5060/udp", start=start + since,
                    end=None if until is None else start + until)
           for number, since, until in zip((1, 2), starts, ends, strict=True) if since is not None]
    told = [sentence for sentence in sentences(replace(report, incidents=out), UTC) if "No server of" in sentence]
    assert [f"No server of sbc was left from {said}: what they share" in sentence for sentence in told] == (
        [True] if said else [])


@pytest.mark.parametrize(("lines", "said"), [((10, 10), True), ((10, 9), True), ((20, 6), False)])
def test_to_a_site_none_was_left_where_both_have_lost_the_same_lines(
    report: Report, lines: tuple[int, int], said: bool
) -> None:
    others = [Happening(1795349112.0, "10.0.0.1:5060/udp answers other phones")]
    out = [incident("server-outage", id=f"i-000{number}", server=f"10.0.0.{number}:5060/udp", timeline=others,
                    lines=[f"sip:{user}@pbx.example.com" for user in range(count)])
           for number, count in zip((1, 2), lines, strict=True)]
    told = " ".join(sentences(replace(report, incidents=out), UTC))
    assert (f"No server of sbc was left to {min(lines)} phones from " in told) is said


def test_what_the_captures_do_not_show_is_said_once(report: Report) -> None:
    hidden = [Happening(1795349112.0, "nothing is seen of 10.0.0.3:5060/udp")]
    other = [Happening(1795349112.0, "nothing is seen of 10.0.0.4:5060/udp")]
    told = [incident(kind, id=f"i-000{number}", timeline=timeline, metrics={"calls_failed": 2, "responses_503": 9})
            for number, (kind, timeline) in enumerate([("server-outage", hidden), ("calls-lost", hidden),
                                                       ("overload", other)])]
    said = " ".join(sentences(replace(report, incidents=told), UTC))
    assert said.count("The captures show nothing of 10.0.0.3: what was done there is not known.") == 1
    assert said.count("The captures show nothing of 10.0.0.4: what was done there is not known.") == 1


def test_nobody_knows_that_of_servers_of_which_one_was_never_seen(report: Report) -> None:
    out = [incident("server-outage", id=f"i-000{number}", server=f"10.0.0.{number}:5060/udp",
                    timeline=[Happening(1795349112.0, "nothing is seen of 10.0.0.3:5060/udp")]) for number in (1, 2)]
    assert "No server of" not in " ".join(sentences(replace(report, incidents=out), UTC))


def test_every_kind_of_incident_and_every_rule_has_its_words() -> None:
    pack = load_pack()
    assert set(SAID) == {kind.id for kind in pack.incidents}
    assert set(DID) == {rule.id for rule in pack.rules}


@pytest.mark.parametrize(("kind", "metrics", "said"), [
    ("overload", {"responses_503": 7}, "sbc1 refused 1 phone with 7 responses 503 from 12:05:12 to 12:06:18."),
    ("register-storm", {"register_rate_peak": 8.2, "register_rate_median": 0.2},
     "1 phone hit sbc1 with up to 8.2 REGISTERs a second (usual: 0.2) from 12:05:12 to 12:06:18."),
    ("calls-lost", {"calls_lost": 2, "calls_failed": 3, "emergency_failed": 1},
     "1 emergency call failed at sbc1. 3 calls could not be made at sbc1 from 12:05:12 to 12:06:18. 2 calls that were "
     "up through it at 12:05:12 were not heard of again."),
    ("stale-dns", {}, "1 phone went on using sbc1, which DNS no longer lists, from 12:05:12 to 12:06:18."),
])
def test_how_kinds_are_said(report: Report, kind: str, metrics: dict[str, float], said: str) -> None:
    assert sentences(replace(report, incidents=[incident(kind, metrics=metrics)]), UTC)[0] == said


def test_lines_may_be_forgotten_of_a_storm_and_one_that_goes_on_has_no_end(report: Report) -> None:
    rates = {"register_rate_peak": 8.2, "register_rate_median": 0.2}
    storm = incident("register-storm", metrics=rates, lines=[], end=None)
    assert sentences(replace(report, incidents=[storm]), UTC)[0] == (
        "sbc1 was hit by up to 8.2 REGISTERs a second (usual: 0.2) from 12:05:12 on.")


def test_servers_are_named_with_their_addresses_and_moves_in_plain_words(report: Report) -> None:
    """The verdict says sbc1, findings and Wireshark say 10.0.0.1: the reader must learn that they are the same."""
    assert ("Seen: 117 SIP messages of 4 phones with 4 lines at 2 servers: sbc1 (10.0.0.1:5060/udp), sbc2 "
            "(10.0.0.2:5060/udp). Moves between servers: 3 failovers, 3 failbacks.") in sentences(report, UTC)
    nameless = [replace(row, name=None) for row in report.servers]
    one = replace(report.lines[0].moves[0], kind="unknown")
    few = replace(report, servers=nameless[:1], lines=[replace(report.lines[0], moves=[one])])
    assert ("Seen: 117 SIP messages of 1 phone with 1 line at 1 server: 10.0.0.1:5060/udp. Moves between servers: 1 of "
            "unknown kind.") in sentences(few, UTC)
    many = replace(report, servers=report.servers * 3, lines=[])
    assert "Seen: 117 SIP messages of 0 phones with 0 lines at 6 servers. Moves between servers: none." in \
        sentences(many, UTC)


def test_lines_that_all_begin_below_the_head_of_their_list_are_told(report: Report, tmp_path: Path) -> None:
    """With the servers swapped in the site file, phones seem never to go where they should."""
    right = (SAMPLE / "site.yaml").read_text()
    wrong = tmp_path / "site.yaml"
    wrong.write_text(right.replace("10.0.0.1", "S").replace("10.0.0.2", "10.0.0.1").replace('"S"', "10.0.0.2"))
    turned = pipeline.analyze(pipeline.Job((str(SAMPLE / "capture.pcap"),), site=str(wrong), zone="utc"))
    assert sentences(turned, UTC)[-1] == (
        "Entry sbc: all 4 lines that registered did so first with sbc2, not with sbc1, which heads the list. Unless "
        "sbc1 was out when the capture began, the phones have another order than the list (site file or DNS), and what "
        "is said of them may be wrong.")
    one = replace(turned, lines=[replace(line, moves=[]) for line in turned.lines[:1]])
    assert "the one line that registered did so first with sbc2" in sentences(one, UTC)[-1]
    assert not any(said.startswith("Entry") for said in sentences(report, UTC))
    unregistered = replace(turned, lines=[replace(line, registrations=[], moves=[]) for line in turned.lines])
    assert not any(said.startswith("Entry") for said in sentences(unregistered, UTC))


def test_without_incidents_and_findings_it_says_so(report: Report) -> None:
    said = sentences(replace(report, incidents=[], findings=[]), UTC)
    assert said[:2] == ["No outage or other incident was seen.", "No deviation was found."]
    left = replace(report, incidents=[], findings=[], inconclusive=[Undecided("flapping", Reason.LOSS_NEARBY, 2)])
    assert sentences(left, UTC)[1] == (
        "No deviation was found, but 2 of 8 checks could not be decided; the reasons are below.")
    assert not any(sentence.startswith("Checks: ") for sentence in sentences(left, UTC))   # no repetition


def test_where_nothing_could_be_judged_that_comes_first(report: Report) -> None:
    """"No outage was seen" alone would be taken for good news."""
    said = sentences(replace(report, incidents=[], findings=[], lines=[], servers=[]), UTC)
    assert said[0].startswith("Nothing was judged: no line of a phone was seen in the time that is reported.")
    assert said[1].startswith("Seen: 117 SIP messages of 0 phones")
    assert len(said) == 2


def test_where_provisioning_files_are_wrong_something_was_judged(report: Report) -> None:
    flaw = replace(report.findings[0], line=None, phone=None, server=None, time=None)
    said = sentences(replace(report, incidents=[], findings=[flaw], lines=[], servers=[]), UTC)
    assert not any(one.startswith("Nothing was judged") for one in said)
    assert f"Wrong in the provisioning: 1 {flaw.rule}." in said


@pytest.mark.parametrize(("held", "said"), [
    ({"content": {"tcp": 12}, "encrypted": {"tls": 18}},
     "No SIP in 267 packets. They hold: 12 tcp. Encrypted and not read: 18 tls; there may be SIP in it, which "
     "--tls-keylog opens. See"),
    ({"content": {"tcp": 2}, "malformed": {"missing-via": 8, "missing-cseq": 7}},
     "No SIP that can be understood in 267 packets. They hold: 8 malformed SIP, 2 tcp. See"),
    ({}, "No SIP in 267 packets. They hold: nothing that is known, or that --filter lets through where there is one."),
    ({"content": {"rtp-like": 150}, "snaplen_cut": 117},
     "No SIP that can be understood in 267 packets: 117 SIP messages lost the end to the snap length of the capture."),
])
def test_a_capture_without_sip_is_told_by_what_it_holds(report: Report, held: dict[str, Any], said: str) -> None:
    capture = replace(report.captures[0], **{"sip_messages": 0, "content": {}, "undecoded": {}, **held})
    assert sentences(replace(report, captures=[capture]), UTC)[0].startswith(said)


def test_where_a_part_is_encrypted_the_verdict_ends_with_it(report: Report) -> None:
    """If half of the phones use TLS, or only some connections have keys, no outage is seen of the others."""
    capture = replace(report.captures[0], encrypted={"tls": 18, "esp": 4})
    said = sentences(replace(report, captures=[capture]), UTC)[-1]
    assert said.startswith("18 records of TLS, where SIP is expected, could not be read: nothing that was said in them")
    esp = replace(report.captures[0], encrypted={"esp": 4})
    assert not any("could not be read" in one for one in sentences(replace(report, captures=[esp]), UTC))


def test_how_much_was_checked_stands_beside_what_was_found(report: Report) -> None:
    """That nothing was found means little if nothing was checked."""
    assert "Checks: 8, all decided." in sentences(report, UTC)
    left = replace(report, inconclusive=[Undecided("premature-failback", Reason.LOSS_NEARBY, 2)])
    assert "Checks: 8, of which 2 could not be decided; the reasons are below." in sentences(left, UTC)
    none = replace(report, findings=[], inconclusive=[Undecided("premature-failback", Reason.LOSS_NEARBY, 8)])
    assert ("No deviation was found, but none of 8 checks could be decided; the reasons are below."
            in sentences(none, UTC))
    assert "No rule had anything to check." in sentences(replace(report, reached=[], findings=[]), UTC)
    nothing = sentences(replace(report, reached=[], findings=[], lines=[]), UTC)
    assert not any("check" in sentence for sentence in nothing)


def test_the_gravest_come_first_and_the_rest_is_counted(report: Report) -> None:
    many = [incident("flapping"), *(incident("overload", server=f"10.0.0.{number}:5060/udp") for number in range(6)),
            incident("server-outage")]
    said = sentences(replace(report, incidents=many), UTC)
    assert said[0].startswith("sbc1 did not answer")
    assert said[4] == "4 more incidents: 3 overload, 1 flapping."


def test_that_a_server_is_overloaded_is_graver_than_moments_in_which_it_refuses_everybody(report: Report) -> None:
    lines = [f"sip:{number}@pbx.example.com" for number in range(9)]
    refused = Frame("a.pcap", 1, 1.0, "503 INVITE 10.0.0.1 → 10.1.0.5")
    long = incident("overload", id="i-0001", start=100.0, end=700.0, lines=lines)
    within = incident("server-outage", id="i-0002", start=99.9, end=120.0, evidence=[refused])
    after = replace(within, id="i-0003", start=690.0, end=800.0)
    whole = replace(within, id="i-0004", lines=lines[:5])
    silent = replace(within, id="i-0005", evidence=[replace(refused, summary="INVITE 10.1.0.5 → 10.0.0.1")])
    other = replace(within, id="i-0006", server="10.0.0.2:5060/udp")
    ordered = [one.id for one in gravest([within, long, after, whole, silent, other], 6)]
    assert ordered == ["i-0004", "i-0005", "i-0006", "i-0003", "i-0001", "i-0002"]


@pytest.mark.parametrize(("failed", "said"), [
    (0, ["3 calls that were up through sbc1 at 12:05:12 were not heard of again."]),
    (2, ["2 calls could not be made at sbc1 from 12:05:12 to 12:06:18.",
         "3 calls that were up through it at 12:05:12 were not heard of again."]),
])
def test_through_which_server_the_calls_were_that_are_lost_is_said_once(
    report: Report, failed: int, said: list[str]
) -> None:
    lost = incident("calls-lost", metrics={"calls_lost": 3, "calls_failed": failed})
    assert sentences(replace(report, incidents=[lost]), UTC)[0] == " ".join(said)


def test_every_output_begins_with_the_gravest_incidents(report: Report) -> None:
    """By kind, then by size, then by time; within a kind, those shown are in order of time."""
    lines = [f"sip:{number}@pbx.example.com" for number in range(9)]
    storm = incident("register-storm", id="i-0001", start=1.0, lines=lines)
    small = [incident("server-outage", id=f"i-000{number}", start=float(number)) for number in range(2, 8)]
    large = incident("server-outage", id="i-0008", start=8.0, lines=lines)
    told = replace(report, incidents=[storm, *small, large])
    assert [one.id for one in gravest(told.incidents, 3)] == ["i-0002", "i-0003", "i-0008"]
    assert [one.id for one in gravest(told.incidents, 8)][-2:] == ["i-0008", "i-0001"]
    shown = text.render(told, UTC, 100, False)
    assert re.findall("^(i-000.) ", shown, re.MULTILINE) == ["i-0002", "i-0003", "i-0004", "i-0008", "i-0001"]
    assert re.findall("^- `(i-000.)`", markdown.render(told, UTC), re.MULTILINE)[-2:] == ["i-0008", "i-0001"]
    page = html.render(told, UTC, {}, {}, 0).decode()
    cards = re.findall('<article class="incident" id="(i-000.)"', page)   # those in the verdict, then the others
    assert cards == ["i-0002", "i-0003", "i-0008", "i-0001", "i-0004", "i-0005", "i-0006", "i-0007"]


def test_phones_are_counted_once_by_rule_and_what_is_suppressed_or_weak_is_not(report: Report) -> None:
    found = [finding("flapping", "a", Severity.INFO), finding("failover-missing", "a", Severity.WARNING),
             finding("failover-missing", "a", Severity.WARNING), finding("failover-missing", "b", Severity.WARNING),
             finding("premature-failback", "c", suppressed="known")]
    said = sentences(replace(report, findings=found, incidents=[]), UTC)
    assert said[1:3] == ["2 phones kept asking a silent server and turned to no other.",
                         "Deviations: 3 warnings, 1 info. Suppressed and not counted: 1."]


def test_phones_whose_findings_weigh_less_are_counted_too(report: Report) -> None:
    """When several lines leave a server without cause, the first of them is only an info."""
    rule = "failover-without-failure"
    findings = [finding(rule, f"10.1.0.{number}:5060", Severity.INFO if number < 2 else Severity.WARNING)
                for number in range(5)]
    said = sentences(replace(report, incidents=[], findings=findings), UTC)
    assert any(one.startswith("5 phones") and "left a server" in one for one in said)
    quiet = replace(report, incidents=[], findings=findings[:2])
    assert not any("left a server" in one for one in sentences(quiet, UTC))


def test_few_phones_are_named_by_their_lines(report: Report) -> None:
    def told(*lines: str) -> str:
        found = [replace(finding("premature-failback", f"10.1.0.{number}"), line=line)
                 for number, line in enumerate(lines)]
        return sentences(replace(report, findings=found, incidents=[]), UTC)[1].partition(" returned")[0]

    assert told("sip:1003@a.com", "sip:1002@a.com", "sip:1001@a.com") == "3 phones (1001, 1002, 1003)"
    assert told("sip:4@a.com", "sip:3@a.com", "sip:2@a.com", "sip:1@a.com") == "4 phones"
    assert told("sip:1@a.com", "sip:1@a.com") == "2 phones"    # the name does not tell them apart
    assert told(f"sip:{'x' * 60}@a.com") == f"1 phone ({'x' * 39}…)"
    assert told("sip:a.com") == "1 phone (a.com)"


def test_what_is_likely_of_all_phones_is_said_so(report: Report) -> None:
    """A certain finding that is a mere remark does not make the others certain."""
    here, there = finding("premature-failback", "a"), finding("premature-failback", "b")
    doubtful = [*(replace(one, confidence=Confidence.LIKELY) for one in (here, there)),
                finding("premature-failback", "c", Severity.INFO)]
    told = (replace(report, findings=found, incidents=[]) for found in (doubtful, [*doubtful, here]))
    said = [sentences(each, UTC)[1] for each in told]
    assert said == ["3 phones likely returned before the failback was due.",
                    "3 phones returned before the failback was due."]


def test_hostile_names_are_harmless_on_the_screen(report: Report) -> None:
    """The sentences keep the original text; the screen shows it with escapes."""
    servers = [replace(row, name="sbc\x1b[2J\u202e") for row in report.servers[:1]]
    shown = text.render(replace(report, servers=servers), UTC, 100, False)
    assert "\x1b" not in shown
    assert "\u202e" not in shown


def test_the_summary_fits_a_screen_however_much_there_is(report: Report) -> None:
    many = replace(report, findings=report.findings * 500, incidents=report.incidents * 100,
                   inconclusive=report.inconclusive * 50, captures=report.captures * 30, events=report.events * 30)
    assert len(text.render(many, UTC, 100, False).splitlines()) < 75
    assert len(text.render(report, UTC, 100, False).splitlines()) < 50


def test_it_says_what_to_do_next(report: Report, tmp_path: Path) -> None:
    shown = text.render(report, UTC, 120, False)
    assert "sipaudit ladder CAPTURE ... --finding f-000001" in shown
    assert "\n- What the incident means, and what to do: sipaudit explain server-outage\n" in shown
    worst = "sipaudit explain signalling-to-unregistered-server"
    assert f"\n- What the worst finding means, and what to do: {worst}\n" in shown
    narrow = text.render(report, UTC, 80, False)   # commands are never broken
    assert f"\n- What the worst finding means, and what to do:\n    {worst}\n" in narrow
    mixed = replace(report, findings=[replace(report.findings[0], severity=Severity.INFO), report.findings[1]])
    assert "sipaudit explain premature-failback" in text.render(mixed, UTC, 120, False)


@pytest.mark.parametrize(("median", "told"), [
    (5.5, "5.5 s"), (59.96, "1 min 00 s"), (68.0, "1 min 08 s"), (3_541.0, "59 min 01 s"), (7_500.0, "2 h 05 min")])
def test_how_long_phones_took_is_told_as_people_say_it(report: Report, median: float, told: str) -> None:
    """An idle phone notices an outage only when it renews its registration, perhaps after an hour."""
    (outage,) = report.incidents
    slow = replace(outage, metrics={**outage.metrics, "time_to_recover_p50": median})
    assert f"3 of 4 phones moved in {told} (median)" in sentences(replace(report, incidents=[slow]), UTC)[0]
