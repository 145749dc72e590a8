"""The other kinds of incident: what makes each, on both sides of its thresholds, and when it is over."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sipaudit.incidents import crowds
from sipaudit.incidents.crowds import Crowd
from tests.incidents.ground import Tower, registered
from tests.stories import CREDENTIALS, MINUTE, R1, R2, R3, Handset, P, S, Settings, Story, T
from tests.wire import ORIGIN


def end(story: Story, time: float) -> None:
    """The capture shows until then that nothing more happened."""
    story.murmur(time - 2, time)


# -- overload

def refuses(story: Story, phones: list[Handset], times: list[float]) -> None:
    for index, time in enumerate(times):
        phone = phones[index % len(phones)]
        phone.told(time + 0.01, phone.ask(time, P, "INVITE"), 503)


@pytest.mark.parametrize(("times", "seen"), [
    ([300.0, 301.0, 302.0, 303.0], []),                                                      # four
    ([300.0, 301.0, 302.0, 303.0, 309.9], ["overload 10.0.0.1 300.010-309.910 5"]),
    ([300.0, 301.0, 302.0, 303.0, 310.1], []),                                               # in more than 10 s
    ([300.0, 301.0, 302.0, 303.0, 304.0, 363.0], ["overload 10.0.0.1 300.010-363.010 5"]),   # less than 60 s apart
    ([300.0, 301.0, 302.0, 303.0, 304.0, 365.0], ["overload 10.0.0.1 300.010-304.010 5"]),
])
def test_overload_is_five_503_in_ten_seconds(tower: Tower, times: list[float], seen: list[str]) -> None:
    story = Story()
    refuses(story, registered(story, 5), times)
    end(story, 500)
    assert tower.see(story, only="overload") == seen


def test_an_overload_is_open_until_a_minute_has_passed_without_a_503(tower: Tower) -> None:
    story = Story()
    refuses(story, registered(story, 5), [300.0, 301.0, 302.0, 303.0, 304.0])
    end(story, 363)
    assert tower.see(story, only="overload") == ["overload 10.0.0.1 300.010- 5"]
    assert tower.of("overload").metrics["responses_503"] == 5


# -- register-storm

def rush(story: Story, count: int, at: float, apart: float, usual: float) -> None:
    """So many phones register at once, where one had registered every `usual` seconds."""
    one = Handset(story, "2000", ("10.2.0.1", 5060), challenges=False)
    for step in range(int(600 / usual)):
        one.register(step * usual)
    for index in range(count):
        phone = Handset(story, f"{3000 + index}", (f"10.3.0.{index + 1}", 5060), challenges=False)
        phone.register(at + apart * index)
    for step in range(int(600 / usual), int(900 / usual)):
        one.register(step * usual)


@pytest.mark.parametrize(("count", "apart", "seen"), [
    (19, 0.1, 0),   # less than 20
    (20, 0.1, 1),
    (20, 0.5, 0),   # not within 5 s
])
def test_a_storm_is_twenty_registers_in_five_seconds(tower: Tower, count: int, apart: float, seen: int) -> None:
    story = Story()
    rush(story, count, 600, apart, usual=61.0)
    assert len(tower.see(story, only="register-storm")) == seen


@pytest.mark.parametrize(("count", "seen"), [(19, 0), (20, 1)])
def test_and_five_times_the_usual(tower: Tower, count: int, seen: int) -> None:
    """One REGISTER a second is five in 5 s; with those five the storm needs 25."""
    story = Story()
    rush(story, count, 600.001, 0.1, usual=1.0)
    assert len(tower.see(story, only="register-storm")) == seen


def test_a_storm_ends_below_twice_the_usual_and_tells_its_rates(tower: Tower) -> None:
    story = Story()
    rush(story, 40, 600, 0.1, usual=5.0)
    assert tower.see(story, only="register-storm") == ["register-storm 10.0.0.1 600.000-608.000 41"]
    metrics = tower.of("register-storm").metrics
    assert (metrics["register_rate_median"], metrics["register_rate_peak"]) == (0.2, 8.2)


def test_a_storm_knows_its_lines_although_they_have_registered_since(tower: Tower) -> None:
    story = Story()
    rush(story, 40, 600, 0.1, usual=5.0)
    for index in range(40):
        Handset(story, f"{3000 + index}", (f"10.3.0.{index + 1}", 5060), challenges=False).register(800 + 2.5 * index)
    assert tower.see(story, only="register-storm") == ["register-storm 10.0.0.1 600.000-608.000 41"]


@given(st.lists(st.integers(0, 9), min_size=130, max_size=130))
def test_seconds_are_kept_that_lie_in_five_with_twenty_registers(counts: list[int]) -> None:
    crowd = Crowd()
    for second, count in enumerate(counts):
        if second % 60 == 0:
            crowd.thin(second)
        for line in range(count):
            crowd.note(second, line)
    crowd.thin(200)
    spans = [range(first, first + 5) for first in range(len(counts)) if sum(counts[first:first + 5]) >= 20]
    assert set(crowd.seconds) == {second for span in spans for second in span if any(counts[second:second + 1])}


def test_lines_are_noted_where_there_are_many_and_no_more_than_may_be(monkeypatch: pytest.MonkeyPatch) -> None:
    crowd = Crowd()
    for second in range(0, 100, 3):
        crowd.note(second, second)          # seven in 20 s
    for line in range(20):
        crowd.note(58 + line // 10, line)   # twenty in two seconds, as a minute ends
    crowd.thin(60)
    crowd.thin(120)
    assert set(crowd.seconds) == {57, 58, 59, 60}   # spans of five seconds with twenty
    assert crowd.lines(58, 59) == set(range(20))
    other = Crowd()
    for line in range(30):
        other.note(10, line)
    monkeypatch.setattr(crowds, "LINES_KEPT", 50)
    crowds.shed([crowd, other])
    assert (set(crowd.seconds), set(other.seconds)) == ({58, 59}, {10})   # the thinnest went


# -- flapping

def flaps(phone: Handset, times: list[float]) -> None:
    """Forth and back: into silence at P and on to S, then a call that P answers again."""
    for index, time in enumerate(times):
        if index % 2:
            phone.register(time, P)
        else:
            phone.silence(time - 5.5, P, method="REGISTER")
            phone.register(time, S)


@pytest.mark.parametrize(("lines", "times", "seen"), [
    (2, [300.0, 500.0, 899.0], 1),
    (2, [300.0, 500.0, 901.0], 0),     # not within ten minutes
    (1, [300.0, 500.0, 700.0], 0),     # one line
    (2, [300.0, 500.0], 0),            # two moves
])
def test_flapping_is_two_lines_with_three_moves_in_ten_minutes(
    tower: Tower, lines: int, times: list[float], seen: int
) -> None:
    story = Story()
    phones = registered(story, 6)
    for index, phone in enumerate(phones[:lines]):
        flaps(phone, [time + index / 10 for time in times])
    end(story, 2000)
    found = tower.see(story, only="flapping")
    assert len(found) == seen
    if seen:
        assert found == ["flapping sbc 300.011-899.111 2"]


# -- split-brain

def split(story: Story, at_s: int, of: int, until: float, settings: Settings | None = None) -> list[Handset]:
    """So many of the lines work with S from 100 s on, each for a failure of its own, and renew there."""
    phones = registered(story, of, apart=1.0)
    for index, phone in enumerate(phones):
        if index < at_s:
            phone.silence(100 + 70 * index - 5.5, P, method="REGISTER")
            phone.register(100 + 70 * index, S)
    for phone in phones[at_s:]:
        phone.register(until - 40)
    end(story, until)
    return phones


@pytest.mark.parametrize(("at_s", "of", "until", "seen"), [
    (1, 5, 402.0, ["split-brain sbc 100.011- 5"]),
    (1, 5, 399.0, []),       # not yet for five minutes
    (1, 6, 500.0, []),       # less than a fifth
])
def test_a_split_is_a_fifth_of_the_lines_on_each_of_two_servers_for_five_minutes(
    tower: Tower, at_s: int, of: int, until: float, seen: list[str]
) -> None:
    story = Story()
    split(story, at_s, of, until)
    assert tower.see(story, {**R2, "failBack.timeout": 3600, "failBack.mode": "duration"}, only="split-brain") == seen


def test_a_split_ends_when_the_lines_are_together_again(tower: Tower) -> None:
    story = Story()
    phones = split(story, 1, 5, 500)
    phones[0].register(600)
    assert tower.see(story, {**R2, "failBack.mode": "newRequests"}, only="split-brain") == [
        "split-brain sbc 100.011-600.011 5"]


@pytest.mark.parametrize("declared", [
    {"settings": R1}, {"settings": {**R2, "concurrentRegistration": 1}}, {"settings": R2, "priorities": (1, 1)}])
def test_it_is_none_where_lines_are_spread_by_right(tower: Tower, declared: dict[str, object]) -> None:
    """Old registrations in R1, registration with all servers, load balancing."""
    story = Story()
    split(story, 1, 5, 500)
    assert tower.see(story, only="split-brain", **declared) == []  # type: ignore[arg-type]


def test_nor_while_a_server_is_out(tower: Tower) -> None:
    story = Story()
    phones = registered(story, 5)
    for index, phone in enumerate(phones[:2]):
        phone.fail_over(100 + index)
    end(story, 500)
    assert [line.split()[0] for line in tower.see(story)] == ["server-outage"]


# -- stuck-on-secondary

def stays_away(story: Story, call_at: float) -> None:
    """1001 moves to S at 305.5; P answers the others from 320 on; 1001 calls through S."""
    phones = registered(story, 4)
    for phone in phones[:2]:
        phone.fail_over(300)
    phones[1].register(380)
    for time in range(320, 800, 20):
        phones[2 + time // 20 % 2].register(time)
    phones[0].call(call_at, S, 2.0)
    end(story, 900)


@pytest.mark.parametrize(("call_at", "seen"), [(436.0, []), (444.0, ["stuck-on-secondary 10.0.0.1 440.004- 1"])])
def test_stuck_is_twice_the_delay_after_the_primary_came_back(tower: Tower, call_at: float, seen: list[str]) -> None:
    """It answers from 320 on; twice 60 s after that is 440."""
    story = Story()
    stays_away(story, call_at)
    assert tower.see(story, only="stuck-on-secondary") == seen


def test_it_ends_with_the_return(tower: Tower) -> None:
    story = Story()
    stays_away(story, 500.0)
    back = Handset(story, numbers={"reg-1001@10.1.4.1:5060": 50}, user="1001", place=("10.1.4.1", 5060))
    back.register(600)
    assert tower.see(story, only="stuck-on-secondary") == ["stuck-on-secondary 10.0.0.1 440.004-600.011 1"]


@pytest.mark.parametrize("settings", [
    {**R2, "failBack.mode": "duration", "failBack.timeout": 0}, {**R2, "failBack.mode": "newRequests"},
    {**R2, "failBack.mode": "DNSTTL"}])
def test_without_a_delay_nothing_is_stuck(tower: Tower, settings: Settings) -> None:
    """A timeout of 0 keeps it away by right; a TTL that nobody knows, and a mode without one, have none to compare."""
    story = Story()
    stays_away(story, 700.0)
    assert tower.see(story, settings, only="stuck-on-secondary") == []


# -- registration-gap

def unregistered(story: Story, granted_at: float) -> Handset:
    """Granted for 300 s at 0; its renewals are refused from 240 on, until one is granted."""
    (phone,) = registered(story, 1, granted=300, asks=300)
    time = 240.0
    while time < granted_at - 10:
        phone.told(time + 0.01, phone.ask(time, P, "REGISTER", expires=300, headers=CREDENTIALS), 500)
        time += 30
    phone.register(granted_at)
    return phone


@pytest.mark.parametrize(("granted_at", "seen"), [
    (359.0, []), (361.0, ["registration-gap sbc 300.011-361.011 1"])])
def test_a_gap_is_a_minute_without_any_registration(tower: Tower, granted_at: float, seen: list[str]) -> None:
    story = Story()
    unregistered(story, granted_at)
    assert tower.see(story, only="registration-gap") == seen


def test_a_phone_that_was_off_has_no_gap(tower: Tower) -> None:
    """Nothing was seen of it for an hour; that it asks in vain at first, as it comes back, makes none."""
    story = Story()
    (phone,) = registered(story, 1, granted=300, asks=300)
    phone.registration = "anew"
    phone.register(phone.silence(4000, method="REGISTER"), S)
    assert tower.see(story, only="registration-gap") == []


def test_nor_has_a_line_that_logged_out(tower: Tower) -> None:
    story = Story()
    (phone,) = registered(story, 1, granted=300, asks=300)
    phone.register(100, expires=0)
    for time in range(120, 900, 30):
        phone.told(time + 0.01, phone.ask(time, P, "OPTIONS"), 200)
    phone.register(900)
    assert tower.see(story, only="registration-gap") == []


def test_nor_when_its_registration_elsewhere_runs_out_later(tower: Tower) -> None:
    """It logs out at S, where it had moved; what it had at P, from before, ends by itself."""
    story = Story()
    (phone,) = registered(story, 1, granted=300, asks=300)
    phone.fail_over(100)
    phone.register(120, S, expires=0)
    for time in range(130, 900, 30):
        phone.told(time + 0.01, phone.ask(time, S, "OPTIONS"), 200)
    assert tower.see(story, only="registration-gap") == []


def test_gaps_of_many_lines_are_one_incident(tower: Tower) -> None:
    story = Story()
    for phone in registered(story, 6, granted=300, asks=300):
        for time in range(260, 420, 30):
            phone.told(time + 0.01, phone.ask(time, P, "REGISTER", expires=300, headers=CREDENTIALS), 500)
    end(story, 500)
    assert tower.see(story, only="registration-gap") == ["registration-gap sbc 300.011- 6"]


# -- calls-lost

def test_calls_are_lost_with_the_server_and_cannot_be_made(tower: Tower) -> None:
    """1001 is in a call that nobody hears of again; 1002 hangs up into silence; 1003 calls 112 in vain; 1004's call
    comes through S in the end."""
    story = Story()
    phones = registered(story, 5)
    phones[0].call(200, seconds=0)
    asked = phones[1].ask(210, P, "INVITE")
    phones[1].told(211, asked, 200)
    phones[1].silence(299, method="REGISTER")
    phones[1].hang_up(310, asked, answered=False)
    phones[2].silence(305, to="sip:112@pbx.example.com")
    phones[3].fail_over(310)
    phones[4].register(400)
    end(story, 420)
    tower.see(story, emergency=["112"])
    lost = tower.of("calls-lost")
    assert (lost.start - ORIGIN, (lost.end or 0) - ORIGIN) == (299.0, pytest.approx(400.004))
    assert lost.lines == ["sip:1001@pbx.example.com", "sip:1003@pbx.example.com"]
    assert [lost.metrics[name] for name in ("calls_lost", "calls_failed", "emergency_failed")] == [1, 1, 1]
    assert "sip:1003@pbx.example.com could not make an emergency call" in [entry.what for entry in lost.timeline]


def test_a_call_that_is_heard_of_again_is_not_lost(tower: Tower) -> None:
    story = Story()
    phones = registered(story, 4)
    phones[0].call(200, seconds=300)   # its BYE, and P's answer, at 500
    for phone in phones[1:3]:
        phone.fail_over(300)
    phones[3].register(400)
    assert tower.see(story, only="calls-lost") == []


# -- ghost-calls

def ghost(story: Story, status: int | None, *, speaks: bool = False) -> None:
    """A call through P is up as its line moves to S; then the far end sends BYE."""
    phone, *_ = registered(story, 3)
    asked = phone.ask(200, P, "INVITE")
    phone.told(201, asked, 200)
    phone.acknowledge(201.1, asked)
    phone.fail_over(300)
    if speaks:
        phone.told(320.01, phone.ask(320, P, "INFO", call_id=asked.call_id, tag="far"), 200)
    bye = asked.text.replace("INVITE sip:2000@pbx.example.com", "BYE sip:1001@10.1.4.1", 1)
    lines = [line for line in bye.split("\r\n") if not line.startswith(("From:", "To:", "CSeq:", "Via:", "Contact:"))]
    near = next(line for line in bye.split("\r\n") if line.startswith("From:"))[6:]
    heads = ["Via: SIP/2.0/UDP 10.0.0.1;branch=z9hG4bKghost", "From: <sip:2000@pbx.example.com>;tag=far", f"To: {near}",
             "CSeq: 7 BYE"]
    said = "\r\n".join([lines[0], *heads, *lines[1:]])
    story.udp(400, P, phone.place, said.encode(), "BYE")
    if status is not None:
        story.udp(400.01, phone.place, P, "\r\n".join(
            [f"SIP/2.0 {status} Any", *heads, next(line for line in lines if line.startswith("Call-ID")),
             "Content-Length: 0", "", ""]).encode(), f"{status} BYE")
    end(story, 440)


@pytest.mark.parametrize(("status", "seen"), [
    (481, ["ghost-calls 10.0.0.1 400.000-400.010 1"]), (None, ["ghost-calls 10.0.0.1 400.000-400.000 1"]), (200, [])])
def test_a_ghost_is_a_call_that_the_phone_has_forgotten(tower: Tower, status: int | None, seen: list[str]) -> None:
    story = Story()
    ghost(story, status)
    assert tower.see(story, only="ghost-calls") == seen


def test_only_where_a_phone_drops_calls_without_a_word(tower: Tower) -> None:
    story = Story()
    ghost(story, 481)
    assert tower.see(story, {**R3, **MINUTE}, only="ghost-calls") == []


def test_and_only_if_the_phone_said_nothing_in_it(tower: Tower) -> None:
    story = Story()
    ghost(story, 481, speaks=True)
    assert tower.see(story, only="ghost-calls") == []


# -- dead-subscriptions

def subscribed(story: Story, again: float | None, until: float = 1000.0, package: str = "dialog") -> None:
    """Subscribed at P for 600 s at 50; at S by 305; subscribed there, or not."""
    phone, *_ = registered(story, 3)
    asked = phone.ask(50, P, "SUBSCRIBE", expires=600, headers="Event: dialog\r\n")
    phone.told(50.1, asked, 202)
    phone.fail_over(300)
    if again is not None:
        if again > 700:
            phone.call(700, S, 2.0)
        asked = phone.ask(again, S, "SUBSCRIBE", expires=600, headers=f"Event: {package}\r\n")
        phone.told(again + 0.1, asked, 202)
    phone.call(until, S, 2.0)


@pytest.mark.parametrize(("again", "package", "seen"), [
    (None, "dialog", ["dead-subscriptions 10.0.0.1 650.100- 1"]),
    (310.0, "dialog", []),
    (310.0, "message-summary", ["dead-subscriptions 10.0.0.1 650.100- 1"]),
    (800.0, "dialog", ["dead-subscriptions 10.0.0.1 650.100-800.000 1"]),
])
def test_a_subscription_is_dead_past_its_refresh_time(
    tower: Tower, again: float | None, package: str, seen: list[str]
) -> None:
    story = Story()
    subscribed(story, again, package=package)
    assert tower.see(story, only="dead-subscriptions") == seen


def test_before_its_time_nothing_is_dead(tower: Tower) -> None:
    story = Story()
    subscribed(story, None, until=640.0)
    assert tower.see(story, only="dead-subscriptions") == []


# -- stale-dns

def renamed(story: Story, tries: float) -> None:
    """The answer of 100 s no longer lists T, which the phone then tries."""
    (phone,) = registered(story, 1, server=T)
    names = ["sbc.example.com. 60 IN A 10.0.0.3", "sbc.example.com. 60 IN A 10.0.0.2"]
    story.lookup(-0.5, phone.place, "sbc.example.com.", "A", *names)
    story.lookup(30, phone.place, "sbc.example.com.", "A", "sbc.example.com. 60 IN A 10.0.0.1", names[1])
    phone.call(tries, T, 2.0)


@pytest.mark.parametrize(("tries", "seen"), [(55.0, []), (62.0, ["stale-dns 10.0.0.3 62.000-62.000 1"])])
def test_an_address_is_stale_when_the_answer_that_listed_it_has_run_out(
    tower: Tower, tries: float, seen: list[str]
) -> None:
    story = Story()
    renamed(story, tries)
    entries = {"sbc": {"servers": [{"name": "sbc.example.com"}]}}
    assert tower.see(story, entries=entries, only="stale-dns") == seen
