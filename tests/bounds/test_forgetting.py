"""State that is over and reported is forgotten, and no finding depends on it."""

from __future__ import annotations

from pathlib import Path

import pytest

from bench.weeks import Listener, frames, live, plan
from sipaudit import pipeline
from sipaudit.capture.write import ethernet_frame
from sipaudit.live import upkeep
from sipaudit.live.limits import Limits
from sipaudit.model.values import Reason, Severity
from sipaudit.reconstruct.bounds import Bounds
from sipaudit.simulate.simulate import simulate
from tests.bounds.ground import Post, site_life, small
from tests.stories import Handset, P, S, Story
from tests.wire import ORIGIN

DAY = 86_400.0
NO_PACKET = ethernet_frame(b"\x45" + bytes(30))   # not a real packet; only its time matters
GROWS = 1.05   # factor by which memory may exceed that after four hours


def heard(post: Post, story: Story) -> None:
    post.hear((packet.time, packet.frame) for packet in sorted(story.packets, key=lambda packet: packet.time))


def test_a_day_of_a_site_takes_no_more_memory_than_its_first_hours(tmp_path: Path) -> None:
    """100 phones call for 24 hours: memory and tables at the end are compared with those after four hours."""
    hours = {one["hour"]: one for one in live(100, 24, tmp_path)}
    before, after = hours[4], hours[24]
    assert after["packets"] > 5 * before["packets"]
    assert after["resident"] <= GROWS * before["resident"]
    for table in ("lines", "replays", "phone-states", "sights", "servers", "watched-servers", "flows", "minutes"):
        assert after[table] <= GROWS * before[table] + 2, table


def test_a_probe_that_forgets_finds_what_analyze_finds(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(upkeep, "REMEMBERED_FOR", 900.0)
    (tmp_path / "plan.yaml").write_text(plan(40, 4, outages=True, wayward=30))
    capture, site, _ = simulate(str(tmp_path / "plan.yaml"), str(tmp_path / "a.pcap"))
    report = pipeline.analyze(pipeline.Job((str(capture),), site=str(site)))
    listener = Listener(str(site), Limits(None))
    told: dict[int, tuple[str, str, float]] = {}
    most = 0
    with capture.open("rb") as stream:
        for time, frame in frames(stream):
            listener.hear(time, frame)
            faults = listener.route.auditor.faults
            for fault in faults.since(len(told)):
                told[fault.number] = (fault.rule.id, fault.subject.line, round(fault.told.time, 6))
            most = max(most, len(faults.done))
    found = [(one.rule, one.line, one.time) for one in report.findings]
    assert len(found) > 5
    assert sorted(told.values()) == sorted(found)
    assert most < len(found)


def test_a_line_that_is_forgotten_with_an_open_check_leaves_it_undecided(tmp_path: Path) -> None:
    """Only the answer to its INVITE would have shown whether the phone left while it still waited for it."""
    story = Story()
    phone = Handset(story)
    phone.register(0)
    phone.ask(350, P, "INVITE")
    phone.register(351, S)
    post = Post(tmp_path, small())
    heard(post, story)
    route = post.listener.route
    assert not route.auditor.faults.checks.totals().open
    route.forget(ORIGIN, unheard=ORIGIN + 1000)
    assert route.auditor.faults.checks.totals().open == {("failover-without-failure", Reason.EVICTED): 1}
    left = {table for table, count in route.open.items() if count}
    assert left <= {"transactions", "incidents", "servers", "watched-servers", "minutes"}


def test_who_is_silent_for_a_week_is_forgotten_and_who_speaks_once_in_it_is_not(tmp_path: Path) -> None:
    """A phone that is quiet for days is still known when it is back; one that is gone for good does not take room for
    ever, and does not count as evicted."""
    story = Story()
    seldom, silent = (Handset(story, user, (f"10.1.0.{user[3:]}", 5060)) for user in ("1005", "1006"))
    for phone, time in ((seldom, 0.0), (silent, 0.0), (seldom, 6 * DAY)):
        phone.register(time)
    post = Post(tmp_path, small(64 << 20))
    heard(post, story)
    lines = post.listener.route.reconstruction.lines
    known = []
    for time in (7 * DAY - 60, 7 * DAY + 90):
        post.hear([(time, NO_PACKET)])
        known.append(sorted(line.aor for line in lines.values()))
    assert known == [["sip:1005@pbx.example.com", "sip:1006@pbx.example.com"], ["sip:1005@pbx.example.com"]]
    assert post.listener.upkeep.evicted == {}


def test_a_phone_that_was_forgotten_is_not_taken_for_new(tmp_path: Path) -> None:
    """It now works at another server than at first, which is right: what it did before is not known any more, and the
    time from which it is covered begins anew."""
    story = site_life()
    post = Post(tmp_path, small())
    heard(post, story)
    reconstruction = post.listener.route.reconstruction
    reconstruction.tighten(Bounds(lines=1))
    assert len(reconstruction.lines) <= 1
    later = Story()
    phone = Handset(later, "1003", ("10.1.0.7", 5060))
    phone.numbers = {phone.registration: 40}
    phone.call(600, S)
    phone.register(605, S)
    phone.call(610, S)
    heard(post, later)
    assert [line.since for line in reconstruction.lines.values() if "1003" in line.aor] == [ORIGIN + 600]
    assert post.found([1003]) == []


def test_faults_keep_their_numbers_and_lose_a_cause_that_is_forgotten(tmp_path: Path) -> None:
    post = Post(tmp_path, small())
    heard(post, site_life())
    faults = post.listener.route.auditor.faults
    first = faults.done[0]
    assert first.severity is not Severity.INFO
    faults.open.clear()
    faults.done[-1].cause = first.number
    last = faults.done[-1]
    kept = len(faults.done)
    faults.forget(first.told.time + 0.001, set(faults.checks))
    assert first not in faults.done
    assert faults.made == kept
    assert last.cause is None or last is first
    assert faults.since(first.number + 1) == faults.done


def test_a_line_that_went_through_many_outages_holds_no_more_than_after_the_first(tmp_path: Path) -> None:
    """One outage an hour: the evidence of the moves before the last was reported, and no rule needs it any more."""
    story = Story()
    phone = Handset(story)
    phone.register(0)
    for hour in range(4):
        back = phone.fail_over(3600 * hour + 400)
        phone.register(back + 61, P)
        phone.call(back + 63)
    post = Post(tmp_path, small(64 << 20))
    heard(post, story)
    auditor = post.listener.route.auditor
    stays = [stay for replay in auditor.replays.everyone() for stay in replay.state.stays if stay is not None]
    assert max(len(stay.moves) for stay in stays) <= 2
    reached = auditor.faults.checks.totals().reached
    assert reached["premature-failback"] > 0
    auditor.forget(ORIGIN + 20_000)
    histories = [replay.history for replay in auditor.replays.everyone()]
    assert [(len(one.moves), one.moves[-1].evidence, one.tries) for one in histories] == [(1, (), ())]
    assert auditor.faults.checks.totals().reached == reached
    assert not [checks for checks in auditor.faults.checks.values() if checks.reached or not checks.open]


def test_what_is_taken_back_after_it_was_summed_up_counts_once(tmp_path: Path) -> None:
    """A check is added to the totals only once it can no longer be taken back."""
    post = Post(tmp_path, small())
    heard(post, site_life())
    auditor, faults = post.listener.route.auditor, post.listener.route.auditor.faults
    replay = auditor.replays.everyone()[0]
    before = faults.checks.totals().reached.copy()
    held = faults.held(replay, replay.owner, ORIGIN + 5000)
    faults.forget(ORIGIN + 4000, set(faults.checks))
    faults.take_back(replay, replay.owner, held)
    assert faults.checks.totals().reached == before


def wanders(story: Story, moves: int, apart: float) -> Handset:
    """A line that moves again and again, each time to a server that nobody has asked before."""
    phone = Handset(story, challenges=False)
    for index in range(moves):
        phone.register(index * apart, (f"10.7.{index // 250}.{index % 250}", 5060))
    return phone


def pairs_moved_between(post: Post) -> int:
    flapping = post.listener.route.auditor.watch._flapping
    assert flapping is not None
    return sum(map(len, flapping._often.values()))


def test_of_a_line_that_wanders_for_hours_the_moves_of_late_are_remembered(tmp_path: Path) -> None:
    story = Story()
    wanders(story, 400, 30.0)
    post = Post(tmp_path, small(64 << 20))
    post.hear((packet.time, packet.frame) for packet in story.packets)
    assert 3 < pairs_moved_between(post) < 100   # those of the last hour at most
    assert post.listener.upkeep.evicted.get("watched-lines", 0) == 0


def test_moves_between_so_many_servers_are_remembered_and_no_more(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("sipaudit.incidents.moves.LINES_KEPT", 8)
    story = Story()
    wanders(story, 30, 1.0)
    post = Post(tmp_path, small(64 << 20))
    post.hear((packet.time, packet.frame) for packet in story.packets)
    assert pairs_moved_between(post) == 8
    assert post.listener.upkeep.evicted["watched-lines"] > 0
