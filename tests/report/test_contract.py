"""The JSON report as contract.md 3 fixes it, on the reports of all samples: names and their order, closed lists, ids,
and references."""

from __future__ import annotations

import json
import re
from typing import Any

import pytest

from sipaudit.model.values import Reason
from tests.shared import ROOT

REPORTS = {path.parent.name: json.loads(path.read_text()) for path in sorted((ROOT / "samples").glob("*/report.json"))}

KEYS = {   # fields may be added; those of the contract come in its order
    "report": "schema generator captures servers lines findings inconclusive reached incidents",
    "captures": "path packets sip_messages first last truncated link_types undecoded duplicates snaplen_cut "
                "clock_steps malformed one_way mid_life encrypted loss",
    "loss": "kernel_drops tcp_gaps missing_halves estimate",
    "servers": "server name entry priority transports",
    "lines": "line phone contact mac user_agent model firmware label group entry entries regime mode working first "
             "last calls settings moves tries registrations inconclusive declare",
    "moves": "time first_packet kind from to cause evidence",
    "tries": "time server method result",
    "registrations": "server from until expires refreshes end",
    "findings": "id rule severity confidence line phone server time expected observed basis facts assumptions also "
                "cause incident suppressed wireshark evidence",
    "incidents": "id kind server entry state start end lines phones findings metrics evidence timeline",
    "metrics": "time_to_detect_p50 time_to_detect_p95 time_to_detect_max time_to_recover_p50 time_to_recover_p95 "
               "time_to_recover_max lines_moved lines_stayed registrations_lost calls_lost calls_failed "
               "emergency_failed register_rate_median register_rate_peak responses_503",
    "evidence": "capture frame time summary",
    "timeline": "time what",
    "reached": "rule count",
    "inconclusive": "rule reason count",
}
LISTS = {
    "severity": "info warning error", "confidence": "certain likely", "state": "open closed",
    "result": "answered refused timeout abandoned unknown",
    "end": "expired invalidated deregistered replaced unknown",
    "origin": "explicit inherited default unknown ambiguous",
    "assumptions": "list-as-resolved capture-complete firmware-obeys settings-in-force ttl-from-failover "
                   "no-earlier-stay",
    "reason": "settings-unknown settings-ambiguous entry-unknown single-server load-balanced fallback "
              "concurrent-registration ttl-unknown started-later capture-ended loss-nearby one-way identity-unsure "
              "encrypted possible-boot firmware-unknown open-code retry-after busy-unproven vendor-unmodelled evicted "
              "readings-differ",
}
KINDS = ["failover", "failback", "fallback", "unknown"]
CAUSES = "timeout icmp refused reset tls dns 503 other-response newRequests DNSTTL registration duration unknown"

every_sample = pytest.mark.parametrize("report", REPORTS.values(), ids=list(REPORTS))


def objects(value: Any, key: str = "report") -> list[tuple[str, dict[str, Any]]]:
    """All objects, each with the key under which it, or its list, stands."""
    if isinstance(value, list):
        return [found for item in value for found in objects(item, key)]
    if not isinstance(value, dict):
        return []
    return [(key, value), *(found for name, item in value.items() for found in objects(item, name))]


@every_sample
def test_names_stand_in_their_order_and_none_is_left_out(report: dict[str, Any]) -> None:
    for key, value in objects(report):
        if key in KEYS and not (key == "inconclusive" and "rule" not in value):
            wanted = KEYS[key].split()
            assert [name for name in value if name in wanted] == wanted, key


@every_sample
def test_closed_lists_are_kept(report: dict[str, Any]) -> None:
    for key, value in objects(report):
        for name, of_it in value.items():
            if name in LISTS and not (name == "end" and key == "incidents") and key != "facts":
                said = of_it if isinstance(of_it, list) else [of_it]
                assert {one for one in said if one is not None} <= set(LISTS[name].split()), (key, name)
        if key == "moves":
            assert value["kind"] in KINDS
            assert value["cause"] in CAUSES.split()


def test_the_reasons_are_those_of_the_contract() -> None:
    assert set(LISTS["reason"].split()) == set(Reason)


@every_sample
def test_ids_number_by_time_line_phone_and_rule(report: dict[str, Any]) -> None:
    findings = report["findings"]
    assert [finding["id"] for finding in findings] == [f"f-{number:06d}" for number in range(1, len(findings) + 1)]
    placed = [(finding["time"], finding["line"], finding["phone"], finding["rule"]) for finding in findings]
    assert placed == sorted(placed)
    incidents = report["incidents"]
    assert [incident["id"] for incident in incidents] == [f"i-{number:04d}" for number in range(1, len(incidents) + 1)]


@every_sample
def test_what_is_referred_to_is_there(report: dict[str, Any]) -> None:
    lines = {(line["line"], line["phone"]) for line in report["lines"]}
    servers = {row["server"] for row in report["servers"]}
    findings = {finding["id"]: finding for finding in report["findings"]}
    incidents = {incident["id"]: incident for incident in report["incidents"]}
    moves = [move for line in report["lines"] for move in line["moves"]]
    assert {line["working"] for line in report["lines"]} | {move["to"] for move in moves} <= servers | {None}
    for finding in findings.values():
        assert (finding["line"], finding["phone"]) in lines
        assert finding["cause"] is None or finding["cause"] in findings
        assert finding["incident"] is None or finding["id"] in incidents[finding["incident"]]["findings"]
    for incident in incidents.values():
        assert {findings[name]["incident"] for name in incident["findings"]} <= {incident["id"]}
        assert (incident["state"] == "open") == (incident["end"] is None)


@every_sample
def test_the_filter_shows_the_evidence(report: dict[str, Any]) -> None:
    for finding in report["findings"]:
        frames = [number for one in finding["evidence"] for number in one["frames"] or [one["frame"]]]
        assert finding["wireshark"] == f"frame.number in {{{', '.join(map(str, sorted(set(frames))))}}}"
        assert list(map(int, re.findall(r"\d+", finding["wireshark"]))) == sorted(set(frames))
