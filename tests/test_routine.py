"""Mere renewals are taken as a whole (`model.routine`), and requests of the far end that change nothing are skipped
(`run.replays.Replays.is_idle`): the report must stay the same."""

from __future__ import annotations

from pathlib import Path
from types import ModuleType

import pytest

from sipaudit.model.events import Answered, Sent
from sipaudit.model.renewal import Renewal
from sipaudit.model.routine import DONE, OFF, ON, Common, Renewals
from sipaudit.model.scenario import parse
from sipaudit.model.state import LineState, PhoneState
from sipaudit.run import registrations
from sipaudit.run.replays import Replays
from tests.lives import LIVES, declared, lived, told
from tests.model.fleet.story import plain
from tests.roads import judged_alike
from tests.stories import BRANCH, MINUTE, R2, Court, Handset, P, S, Story, handsets, site

SHORT_ROADS = [(registrations, "begins"), (Replays, "is_idle")]


@pytest.mark.parametrize("road", SHORT_ROADS)
@pytest.mark.parametrize("share", [0.0, 0.02])
@pytest.mark.parametrize("run", range(len(LIVES)))
def test_lives_are_judged_alike_step_by_step(
    tmp_path: Path, run: int, share: float, road: tuple[ModuleType | type, str]
) -> None:
    settings, seed = LIVES[run]
    story, site = lived(settings, seed)
    judged_alike(tmp_path, story.thinned(share, seed) if share else story, site, *road)


@pytest.mark.parametrize("road", SHORT_ROADS)
@pytest.mark.parametrize("seed", range(16))
def test_so_are_lives_with_many_renewals(tmp_path: Path, seed: int, road: tuple[ModuleType | type, str]) -> None:
    history = plain(seed)
    judged_alike(tmp_path, told(history), declared(history.habits), *road)


def test_what_the_far_end_asks_may_prove_a_fault(tmp_path: Path) -> None:
    """The line came back during its call, as the phone's answer to the BYE shows: that request must not be skipped."""
    story = Story()
    phone = Handset(story)
    phone.register(0)
    phone.register(phone.silence(300), S)
    call = phone.ask(306, S, "INVITE")
    phone.told(306.1, call, 200, headers="Contact: <sip:2000@10.0.0.2>\r\n")
    phone.acknowledge(306.2, call)
    phone.register(370)
    bye = phone.called(380, S, "BYE", call_id=call.call_id, tag=call.near)
    phone.replies(380.1, bye, 200)
    report = judged_alike(tmp_path, story, site(R2 | MINUTE), Replays, "is_idle")
    assert [(found.rule, found.confidence) for found in report.findings] == [("failback-during-call", "certain")]


def test_a_server_of_another_entry_does_not_pass_by(tmp_path: Path) -> None:
    """The line registers at a server that is in none of its entries, and a server of its entry sends it a request."""
    story = Story()
    phone = Handset(story)
    phone.register(0, BRANCH)
    phone.replies(10.1, phone.called(10, P, "OPTIONS", call_id="alive"), 200)
    report = judged_alike(tmp_path, story, site(R2 | MINUTE), Replays, "is_idle")
    assert report.lines[0].working is None


def test_a_renewal_without_an_answer_is_counted_at_the_end_though_another_phone_has_asked_since(tmp_path: Path) -> None:
    """The renewal is only followed at the end, after the other phone's request."""
    story = Story()
    phone, other = Handset(story), Handset(story, user="1002", place=("10.1.0.6", 5060))
    for one in (phone, other):
        one.register(0)
        one.register(1800)
    phone.ask(3500, P, "REGISTER", expires=3600)
    other.ask(3600, P, "INVITE")
    report = Court(tmp_path).report(story, site(R2 | MINUTE))
    assert [minute.unanswered for minute in report.minutes if minute.unanswered] == [1]


def test_so_it_is_before_a_hole_in_the_capture(tmp_path: Path) -> None:
    story = Story()
    phones = handsets(story, range(11, 16))
    for phone in phones:
        phone.granted = 120
        phone.register(0)
        phone.register(60)
    phones[0].ask(110, P, "REGISTER", expires=120)
    phones[1].call(115, P, 1.0)
    phones[1].register(4000)
    report = Court(tmp_path).report(story, site(R2 | MINUTE))
    assert [minute.unanswered for minute in report.minutes if minute.unanswered] == [1]


@pytest.mark.parametrize("road", SHORT_ROADS)
def test_what_came_of_a_try_is_known_after_a_while_whatever_the_line_does_then(
    tmp_path: Path, road: tuple[ModuleType | type, str]
) -> None:
    story = Story()
    phone = Handset(story)
    phone.register(0, S)
    tried = phone.silence(300, P, "REGISTER")
    phone.register(tried, S)
    if road == SHORT_ROADS[0]:
        phone.register(tried + 60, S)
    else:
        phone.replies(tried + 60.1, phone.called(tried + 60, S, "OPTIONS", call_id="alive"), 200)
    report = judged_alike(tmp_path, story, site(R2 | MINUTE), *road)
    assert [one.result for one in report.lines[0].tries] == ["timeout"]


def _nobody(renewals: Renewals, renewal: Renewal) -> None:
    """Nobody needs the events of this renewal."""


@pytest.mark.parametrize("challenged", [False, True])
def test_events_that_were_never_made_are_made_as_they_would_have_been(challenged: bool) -> None:
    """Two series of the same renewals: in one every event is delivered, in the other none. When a different event needs
    them afterwards, the missing ones must be made as they would have been."""
    told, silent = (_renewed(challenged, silently=silently) for silently in (False, True))
    assert silent.began == told.began
    assert silent.under_way() == told.under_way()
    assert silent.phone_after(PhoneState()) == told.phone_after(PhoneState())
    assert (silent.ended, silent.until) == (told.ended, told.until)
    assert (silent.count, silent.challenged, silent.common.open) == (told.count, told.challenged, told.common.open)


def _renewed(challenged: bool, *, silently: bool) -> Renewals:
    """Two complete renewals, and a third that has begun, or been challenged and sent again."""
    ended: list[float] = []
    renewals: Renewals | None = None
    for number in range(3):
        renewal = Renewal(0, number, 100.0 * number, 2 * number, 60.0, "call")
        sent = Sent(renewal.sent, 0, number, 1, 2, "S", "REGISTER", renewal.transaction, expires=60.0, call_id="call")
        if renewals is None:
            renewals = Renewals(LineState(), sent, Common({}, lambda _, renewal: ended.append(renewal.sent)))
            if silently:
                renewals.adopt(sent)
        elif silently:
            renewals.begin(renewal)
        else:
            renewals.take(sent)
        if challenged:
            _challenge(renewals, number, silently)
        if number < 2:
            _grant(renewals, number, silently)
    assert renewals is not None
    assert ended == [0.0, 100.0]
    return renewals


def _challenge(renewals: Renewals, number: int, silently: bool) -> None:
    time, first = 100.0 * number, 2 * number
    if silently:
        renewal = renewals.current
        assert renewal is not None
        renewal.status, renewal.challenged, renewal.challenge_frame = 401, time + 0.1, 7
        renewal.asked, renewal.asked_frame, renewal.again, renewal.proves = time + 0.2, 8, first + 1, True
        return
    renewals.take(Answered(time + 0.1, 0, 7, 1, 2, "S", "REGISTER", first, 401, time, asked=60.0))
    renewals.take(Sent(time + 0.2, 0, 8, 1, 2, "S", "REGISTER", first + 1, expires=60.0, follows=first, call_id="call",
                       proves=True))


def _grant(renewals: Renewals, number: int, silently: bool) -> None:
    if silently:
        renewal = renewals.current
        assert renewal is not None
        renewal.asked = renewal.asked or renewal.sent
        renewal.answered, renewal.answer_frame, renewal.granted = renewal.asked + 0.1, 9, 300.0
        renewals.end(renewal)
        return
    last = renewals.last
    assert last is not None
    granted = Answered(last.time + 0.1, 0, 9, 1, 2, "S", "REGISTER", last.transaction, 200, last.time, granted=300.0,
                       own=True, asked=60.0)
    assert renewals.take(granted) is DONE
    renewals.done(granted)


def test_an_answer_to_another_request_ends_the_renewal() -> None:
    """It is a late answer to the renewal before: what follows is looked at event by event."""
    _, register, late, answer = parse("""entry: P S
0    > P REGISTER #1
10   > P REGISTER #2
10.1 < P 200 REGISTER #1
10.2 < P 200 REGISTER #2
""").events
    assert isinstance(register, Sent)
    renewals = Renewals(LineState(), register, Common({}, _nobody))
    assert renewals.take(late) is OFF
    assert renewals.take(answer) is DONE


def test_a_register_that_answers_no_challenge_ends_the_renewal() -> None:
    """After the challenge the line sends a REGISTER without credentials: that is no mere renewal."""
    register, challenge, again = parse("""entry: P S
0    > P REGISTER #1
0.1  < P 401 REGISTER #1
0.2  > P REGISTER #2
""").events
    assert isinstance(register, Sent)
    renewals = Renewals(LineState(), register, Common({}, _nobody))
    assert renewals.take(challenge) is ON
    assert renewals.take(again) is OFF
