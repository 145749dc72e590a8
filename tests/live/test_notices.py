"""Which notices are sent, and how seldom: an outage of many phones is one story."""

from __future__ import annotations

import pytest

from sipaudit.live.notices import BELONGING, GROWN_LATE, GROWN_SOON, OVER, SETTLING, Notice, plain
from sipaudit.model.values import Severity
from sipaudit.turned_away import since, so_far
from tests.live import said
from tests.live.noticed import Notified, outage


def test_an_outage_is_told_as_it_opens_grows_and_is_over() -> None:
    story = Notified()
    story.say(said.server(), outage(2))
    story.say(outage(40))
    [opened] = story.wait(SETTLING)
    assert opened.title == "opened: server-outage at sbc1, 40 lines (i-0001)"
    assert opened.severity is Severity.ERROR
    assert opened.body == "sbc1 did not answer from 2023-11-14 22:13:20 on."
    story.say(outage(60))
    assert story.wait(GROWN_SOON) == []           # half as many again are not news within the hour
    story.say(outage(80))
    [grown] = story.wait(GROWN_SOON)
    assert grown.title == "grown: server-outage at sbc1, 80 lines (i-0001)"
    story.say(outage(80, state="closed", end=said.NOW + 123,
                     metrics={"lines_moved": 78, "lines_stayed": 2, "time_to_recover_p50": 3.6}))
    [over] = story.wait(OVER)
    assert over.title == "over: server-outage at sbc1, 80 lines (i-0001)"
    assert over.severity is None
    assert over.body.splitlines() == [
        "sbc1 did not answer from 2023-11-14 22:13:20 to 2023-11-14 22:15:23.",
        "78 of 80 lines moved in 3.6 s (median).",
    ]
    assert story.wait(2 * GROWN_LATE) == []


def test_an_end_that_does_not_last_is_not_told() -> None:
    story = Notified()
    story.say(outage(4))
    story.wait(SETTLING)
    for _ in range(5):
        story.say(outage(4, state="closed", end=story.now))
        assert story.wait(OVER / 2) == []
        story.say(outage(4))
        assert story.wait(OVER / 2) == []


def test_what_was_over_before_it_was_told_is_told_once() -> None:
    story = Notified()
    story.say(outage(4, state="closed", end=said.NOW + 2))
    assert [notice.title.partition(":")[0] for notice in story.wait(200)] == ["over"]


def test_an_incident_that_opens_again_is_told_again() -> None:
    story = Notified()
    story.say(outage(4, state="closed", end=said.NOW + 2))
    story.wait(200)
    story.say(outage(4))
    assert [notice.title.partition(":")[0] for notice in story.wait(GROWN_SOON)] == ["open again"]


def test_findings_of_an_incident_are_not_told_one_by_one() -> None:
    story = Notified()
    story.say(*(said.finding(f"f-{n:06d}") for n in range(300)))
    story.wait(10)
    story.say(outage(300, findings=300))
    told = story.wait(200)
    assert [notice.title for notice in told] == ["opened: server-outage at 10.0.0.1, 300 lines (i-0001)"]
    assert told[0].body.splitlines()[-1] == "Findings: 300 (300 premature-failback)"
    story.say(said.finding("f-000900", incident="i-0001"))
    assert story.wait(200) == []
    story.say(outage(300, findings=301))
    assert [notice.title.partition(":")[0] for notice in story.wait(GROWN_LATE)] == ["grown"]


def test_findings_of_no_incident_are_told_together_the_worst_first() -> None:
    story = Notified()
    story.say(said.finding("f-000001", rule="flapping", severity=Severity.WARNING, time=said.NOW + 1.5))
    story.say(*(said.finding(f"f-{n:06d}") for n in range(2, 20)))
    [told] = story.wait(BELONGING)
    assert told.title == "19 findings: 18 premature-failback, 1 flapping"
    assert told.severity is Severity.ERROR
    lines = told.body.splitlines()
    assert lines[0] == ("2023-11-14 22:13:20.000 error premature-failback (f-000002) sip:1001@pbx.example.com phone "
                        "10.1.0.5:5060: expected no REGISTER before 60 s; observed REGISTER after 30 s")
    assert lines[-1] == "and 9 more"
    story.say(said.finding("f-000002"))
    assert story.wait(200) == []                    # a repeated saying makes no second notice


@pytest.mark.parametrize(("least", "told"), [(Severity.INFO, 1), (Severity.WARNING, 1), (Severity.ERROR, 0)])
def test_the_threshold_holds_for_findings_and_for_incidents(least: Severity, told: int) -> None:
    story = Notified(least)
    story.say(said.finding(severity=Severity.WARNING))
    assert len(story.wait(200)) == told
    story.say(said.incident(kind="register-storm"))
    assert len(story.wait(SETTLING)) == told


def test_an_incident_whose_findings_are_remarks_is_told_all_the_same() -> None:
    story = Notified()
    story.say(said.finding(severity=Severity.INFO), said.incident(kind="flapping", findings=["f-000001"]))
    assert [notice.severity for notice in story.wait(200)] == [Severity.WARNING]


def test_a_finding_that_lost_its_incident_is_told_by_itself() -> None:
    story = Notified()
    story.say(said.finding(incident="i-0001"), said.incident(findings=["f-000001"]))
    assert len(story.wait(200)) == 1
    story.say(said.withdrawn("i-0001"), said.finding(incident=None))
    assert [notice.title for notice in story.wait(200)] == [
        "withdrawn: 1 of what was told", "1 finding: 1 premature-failback"]


def test_an_incident_below_the_threshold_is_told_for_its_worst_finding() -> None:
    story = Notified(Severity.ERROR)
    story.say(said.incident(kind="flapping"))
    assert story.wait(200) == []
    story.say(said.finding(), said.incident(kind="flapping", findings=["f-000001"]))
    [told] = story.wait(200)
    assert told.title.startswith("opened: flapping")


def test_suppressed_findings_are_not_told() -> None:
    story = Notified(Severity.INFO)
    story.say(said.finding("f-000001", suppressed="known"), said.finding("f-000002"))
    story.say(said.finding("f-000002", suppressed="known"))
    assert story.wait(200) == []


def test_suppressed_findings_make_an_incident_neither_graver_nor_larger() -> None:
    story = Notified()
    names = [f"f-{number:06d}" for number in range(1, 9)]
    known = [said.finding(name, severity=Severity.ERROR, suppressed="known") for name in names]
    story.say(*known, said.finding("f-000009", severity=Severity.WARNING))
    story.say(said.incident(kind="flapping", findings=["f-000009", names[0]]))
    [opened] = story.wait(BELONGING)
    assert opened.severity is Severity.WARNING
    assert opened.body.splitlines()[-1] == "Findings: 1 (1 premature-failback)"
    story.say(said.incident(kind="flapping", findings=["f-000009", *names]))
    assert story.wait(2 * GROWN_LATE) == []


def test_what_is_withdrawn_in_time_is_never_told_and_else_taken_back() -> None:
    story = Notified()
    story.say(said.finding("f-000001"), said.incident("i-0001"))
    story.say(said.withdrawn("f-000001"), said.withdrawn("i-0001"))
    assert story.wait(200) == []
    story.say(said.finding("f-000002"), said.incident("i-0002"))
    assert len(story.wait(200)) == 2
    story.say(said.withdrawn("f-000002"), said.withdrawn("i-0002"))
    assert story.wait(1) == [Notice(
        "withdrawn: 2 of what was told",
        "f-000002 premature-failback: a packet that came late explains it\n"
        "i-0002 server-outage: a packet that came late explains it", None)]


def test_a_flood_is_bounded_and_told_in_one() -> None:
    before, story = so_far(), Notified()
    for number in range(21_000):
        story.notices.take(said.finding(f"f-{number:06d}"))
    for number in range(2_500):
        story.notices.take(said.incident(f"i-{number:04d}", kind="flapping"))
    told = story.wait(BELONGING)
    assert len(told) == 2_001                # 2,000 followed incidents, and one notice for the findings
    assert since(before) == {"notices": 1_000}


@pytest.mark.parametrize(("wire", "told"), [
    ("\x1b[2J\r\n\u202e", "\\x1b[2J\\r\\n\\u202e"),
    ("<script>alert(1)</script>", "‹script›alert(1)‹/script›"),
    ("[here](http://evil.example)", "[here] (http: //evil.example)"),
    ("sip:@everyone", "sip:@ everyone"),
    ("<!channel> `rm` *b*", "‹!channel› 'rm' ·b·"),
    ("[fd00::1]:5060", "[fd00::1]:5060"),
])
def test_what_came_from_the_wire_does_nothing_in_a_chat(wire: str, told: str) -> None:
    assert plain(wire) == told


def test_hostile_values_stay_on_their_line() -> None:
    story = Notified()
    story.say(said.finding(line="sip:\n\x1b[31m<b>@pbx", phone="\r\n" * 500, observed="`x`" * 500))
    [told] = story.wait(BELONGING)
    assert len(told.body.splitlines()) == 1
    assert len(told.body) < 1_000


def test_what_was_waited_with_is_told_when_the_run_ends() -> None:
    story = Notified()
    story.say(said.finding("f-000001"), said.incident(), said.incident("i-0002", state="closed", end=said.NOW + 1))
    told = [notice.title.partition(":")[0] for notice in story.notices.turn(story.now, is_last=True)]
    assert told == ["opened", "over", "1 finding"]


def test_a_probe_that_goes_on_does_not_tell_old_stories_as_new() -> None:
    story = Notified()
    for saying in (said.incident("i-0001"), said.incident("i-0002", state="closed", end=said.NOW - 300),
                   said.finding("f-000001", time=said.NOW - 300), said.finding("f-000002", time=said.NOW - 10)):
        story.notices.learn(saying)
    told = story.wait(200)
    assert [notice.title.partition(":")[0] for notice in told] == ["going on", "1 finding"]
    assert "f-000002" in told[1].body     # the previous run may have ended before it sent the notice
    story.say(said.incident("i-0001", state="closed", end=said.NOW + 9))
    story.say(said.finding("f-000001", time=said.NOW - 300))
    assert [notice.title.partition(":")[0] for notice in story.wait(200)] == ["over"]
