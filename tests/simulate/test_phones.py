"""Phones that follow their settings: the analysis reports what they did, and accuses nobody."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from tests.score.plans import MODES, REGIMES
from tests.score.runs import Judged
from tests.simulate.plans import plan, settings

Judge = Callable[[dict[str, Any]], Judged]
KINDS = ("talk", "hold", "transfer", "cancel", "busy", "far-end")


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("regime", REGIMES)
def test_an_outage_moves_phones_of_every_regime_and_mode_away_and_home(judge: Judge, regime: str, mode: str) -> None:
    told = plan({"settings": settings(regime, mode), "habits": {"keeps-old": False, "renews": "working"},
                 "calls": [{"at": [100, 205, 290, 400, 540], "seconds": 8}]}, seed=5)
    told["entries"]["sbc"] |= {"name": "sip.example.com", "ttl": 60}
    seen = judge(told)
    assert seen.found == []
    assert seen.moves == seen.true_moves
    assert {move[1] for move in seen.moves} == {"failover", "failback"}


@pytest.mark.parametrize("kind", KINDS)
def test_calls_of_every_kind_accuse_nobody(judge: Judge, kind: str) -> None:
    told = plan({"calls": [{"every": 30, "seconds": 12, "kind": kind}], "incoming": [{"every": 70, "seconds": 9}]})
    told["servers"]["sbc2"]["challenge"] = "all"
    seen = judge(told)
    assert seen.verdict.false == []
    assert sum(line.calls for line in seen.report.lines) > 30
    assert seen.moves == seen.true_moves


def test_a_busy_phone_comes_home_when_its_call_ends(judge: Judge) -> None:
    seen = judge(plan({"count": 1, "calls": [{"at": [205], "seconds": 5}, {"at": [230], "seconds": 100}]}))
    call = max(dialog for line in seen.report.lines for dialog in (move.time for move in line.moves))
    assert [move[1] for move in seen.moves] == ["failback", "failover"]
    began = seen.report.captures[0].first
    assert began is not None
    assert 330 < call - began < 335


@pytest.mark.parametrize("retry", [{}, {"retryTimeOut": 2000, "retryMaxCount": 2}, {"retryMaxCount": 6}])
@pytest.mark.parametrize("habit", ["capped", "rfc", "short"])
def test_however_a_phone_repeats_itself_silence_moves_it(judge: Judge, habit: str, retry: dict[str, int]) -> None:
    seen = judge(plan({"settings": settings("R2", "duration") | retry, "habits": {"retries": habit}}))
    assert seen.found == []
    assert seen.moves == seen.true_moves != []


def test_a_restart_begins_anew_also_at_another_address(judge: Judge) -> None:
    group = {"reboot": [230], "new-address": True, "boot-traffic": True, "count": 2}
    seen = judge(plan(group, faults=[]))
    assert seen.found == []
    assert {line.phone for line in seen.report.lines} >= {"10.1.0.14:5060", "10.1.0.15:5060"}


def test_subscriptions_keepalives_and_a_log_out_accuse_nobody(judge: Judge) -> None:
    group = {"subscribe": True, "subscribe-expires": 120, "options-every": 20, "keepalive-every": 15, "log-out": 450,
             "lines": 2}
    told = plan(group)
    told["servers"]["sbc1"]["options-every"] = 40
    seen = judge(told)
    assert seen.found == []
    ends = [stay.end for line in seen.report.lines for stay in line.registrations]
    assert ends.count("deregistered") == 6


@pytest.mark.parametrize("transport", ["udp", "tcp"])
@pytest.mark.parametrize("six", [False, True])
def test_by_udp_and_tcp_over_ipv4_and_ipv6(judge: Judge, transport: str, six: bool) -> None:
    told = plan({"transport": transport})
    if six:
        for number, server in enumerate(told["servers"].values(), 1):
            server["address"] = f"2001:db8::{number}"
    seen = judge(told)
    assert seen.found == []
    assert seen.moves == seen.true_moves != []


def test_phones_behind_one_address_are_told_apart(judge: Judge) -> None:
    seen = judge(plan({"nat": "198.51.100.7"}))
    assert seen.found == []
    assert [line.phone for line in seen.report.lines] == [f"198.51.100.7:{port}" for port in (20000, 20001, 20002)]


def test_of_encrypted_signalling_connections_are_seen_and_nothing_is_said(judge: Judge) -> None:
    seen = judge(plan({"transport": "tls"}))
    assert seen.found == []
    assert seen.report.captures[0].encrypted["tls"] > 100
    assert seen.report.captures[0].sip_messages == 0


@pytest.mark.parametrize("regime", REGIMES)
def test_calls_for_help_go_anywhere_and_move_nobody(judge: Judge, regime: str) -> None:
    seen = judge(plan({"settings": settings(regime, "newRequests"), "habits": {"renews": "working"},
                       "calls": [{"every": 40, "seconds": 6}, {"every": 50, "seconds": 7, "kind": "emergency"}]}))
    assert seen.found == []
    assert seen.moves == seen.true_moves != []
    assert sum(line.calls for line in seen.report.lines) > 45   # 3 phones in 600 s make some 45 ordinary ones at most


@pytest.mark.parametrize("regime", REGIMES)
@pytest.mark.parametrize("mode", ["newRequests", "duration"])
def test_who_is_redirected_has_not_failed_over(judge: Judge, regime: str, mode: str) -> None:
    fault = {"kind": "redirects", "from": 150, "to": 400, "target": "sbc2"}
    seen = judge(plan({"settings": settings(regime, mode), "calls": [{"every": 40, "seconds": 8}]}, faults=[fault]))
    assert seen.found == []
    assert sum(line.calls for line in seen.report.lines) > 20


@pytest.mark.parametrize("regime", REGIMES)
@pytest.mark.parametrize("mode", ["newRequests", "duration"])
def test_lines_that_register_nowhere_call_all_the_same(judge: Judge, regime: str, mode: str) -> None:
    alone = settings(regime, mode) | {"register": 0}
    seen = judge(plan({"settings": alone, "calls": [{"every": 30, "seconds": 8}]}))
    assert seen.found == []
    assert [stay for line in seen.report.lines for stay in line.registrations] == []
    assert sum(line.calls for line in seen.report.lines) > 30


@pytest.mark.parametrize("regime", REGIMES)
def test_where_a_whole_entry_fails_lines_go_by_the_second_and_come_back(judge: Judge, regime: str) -> None:
    group = {"settings": settings(regime, "duration"), "fallback": "branch", "calls": [{"every": 40, "seconds": 8}]}
    told = plan(group, servers=3, faults=[{"kind": "silent", "from": 150, "to": 330}])
    told["servers"]["sbc2"]["faults"] = [{"kind": "silent", "from": 150, "to": 330}]
    told["entries"] = {"sbc": {"servers": ["sbc1", "sbc2"]}, "branch": {"servers": ["sbc3"]}}
    seen = judge(told)
    assert seen.verdict.false == []
    assert all(line.entries == ["sbc", "branch"] for line in seen.report.lines)
    at_branch = [stay.server for line in seen.report.lines for stay in line.registrations if "10.0.0.3" in stay.server]
    assert len(at_branch) == 3
    assert {line.working for line in seen.report.lines} <= {"10.0.0.1:5060/udp", "10.0.0.2:5060/udp"}
