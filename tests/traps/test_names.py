"""Attempts that fail because a name does not resolve (F2), also for servers that the site file declares by address
only."""

from __future__ import annotations

from typing import TypedDict

import pytest

from tests.stories import Court, Handset, P, S, Story, site
from tests.traps.ground import BY_NAME, PREMATURE, REGIMES, accused, any_regime, looks_up, minute, moved, returns


class Answer(TypedDict, total=False):
    """A negative answer to a lookup, or none."""

    rcode: int
    answered: bool


NOT_TOLD: dict[str, Answer] = {"not there": {"rcode": 3}, "server failure": {"rcode": 2}, "no address": {},
                               "no answer": {"answered": False}}
LISTED, NEAR = "_sip._udp.pbx.example.com.", "sbc1.example.com."

no_answer = pytest.mark.parametrize("answer", NOT_TOLD.values(), ids=NOT_TOLD)
was_seen = pytest.mark.parametrize("seen", [True, False], ids=["resolved before", "never resolved"])


def asks_for(phone: Handset, time: float, name: str, kind: str, answer: Answer) -> None:
    """The phone looks up a name in vain, with a resolver's retransmissions."""
    for second in (0, 1, 3):
        phone.story.lookup(time + second, phone.place, name, kind, **answer)


def turns_away(phone: Handset, regime: str, name: str, kind: str, answer: Answer) -> None:
    """The phone fails to resolve P, and goes to S."""
    asks_for(phone, 300, name, kind, answer)
    if regime != "R0":
        phone.register(305, S)
    phone.call(306, S)


def at_p(story: Story, *, seen: bool) -> Handset:
    """A phone that is registered at P; its lookups are in the capture, or took place before it."""
    phone = Handset(story)
    if seen:
        looks_up(phone, -1)
    phone.register(0)
    return phone


@was_seen
@no_answer
@any_regime
def test_who_finds_no_address_for_the_first_server_may_leave_it(
    court: Court, regime: str, answer: Answer, seen: bool,
) -> None:
    phone = at_p(Story(), seen=seen)
    turns_away(phone, regime, NEAR, "A", answer)
    asks_for(phone, 330, NEAR, "A", answer)
    phone.call(335, S)
    assert accused(court(phone.story, site({**REGIMES[regime], "failBack.mode": "newRequests"}))) == []


@pytest.mark.parametrize("answer", [{"rcode": 2}, {"answered": False}], ids=["server failure", "no answer"])
@any_regime
def test_who_does_not_get_the_list_may_leave_the_first_server(
    court: Court, regime: str, answer: Answer
) -> None:
    phone = at_p(Story(), seen=True)
    turns_away(phone, regime, LISTED, "SRV", answer)
    assert accused(court(phone.story, minute(regime))) == []


@was_seen
@no_answer
@any_regime
def test_a_try_that_is_due_may_end_at_the_name(
    court: Court, regime: str, answer: Answer, seen: bool,
) -> None:
    phone = at_p(Story(), seen=seen)
    phone.fail_over(300, registers=regime != "R0")
    for due in (370, 440):
        asks_for(phone, due, NEAR, "A", answer)
        phone.call(due + 5, S)
    assert accused(court(phone.story, minute(regime))) == []


@any_regime
def test_a_name_that_is_somebody_elses_excuses_nothing(court: Court, regime: str) -> None:
    """While the phone is away, the name of its time server does not resolve; it returns too soon all the same."""
    phone = at_p(Story(), seen=False)
    phone.fail_over(300, registers=regime != "R0")
    asks_for(phone, 310, "time.example.org.", "A", {"rcode": 3})
    returns(phone, regime, 330)
    assert any("premature-failback" in said for said in accused(court(phone.story, minute(regime))))


def stays_in_vain(phone: Handset) -> None:
    """P is silent, and the phone keeps asking it."""
    for time in (300, 360, 420):
        asked = phone.ask(time, P, "REGISTER", expires=3600)
        for later in (0.5, 1.5, 3.5, *range(8, 32, 4)):
            phone.again(time + later, asked)
    phone.story.murmur(450, 600)
    phone.ask(600, P, "OPTIONS")


@pytest.mark.parametrize("known", [True, False], ids=["known before", "comes up"])
@pytest.mark.parametrize(("answer", "found"), [({"rcode": 3}, False), ({}, False), (None, True)],
                         ids=["not there", "no address", "resolves"])
@any_regime
def test_who_finds_no_address_for_the_second_server_has_none(
    court: Court, regime: str, answer: Answer | None, found: bool, known: bool
) -> None:
    """The phone need not repeat the lookup when P fails, however long ago the negative answer came (RFC 2308)."""
    phone = Handset(Story())
    if known:
        phone.register(-900)
    looks_up(phone, -800, order=(10, 20) if answer is None else (10, None))
    if answer is not None:
        phone.story.lookup(-799, phone.place, "sbc2.example.com.", "A", **answer)
    phone.register(0)
    stays_in_vain(phone)
    said = accused(court(phone.story, site({**REGIMES[regime], "failBack.mode": "newRequests"})))
    assert any("failover-missing" in one for one in said) is found


ITS_DOMAIN = "pbx.example.com."


@pytest.mark.parametrize("comes", [-800, 100], ids=["before it registers", "later"])
@pytest.mark.parametrize(("answer", "addresses", "found"), [
    ({"rcode": 3}, (P,), False), ({"rcode": 2}, (P,), False), ({}, (P,), False), ({"rcode": 3}, (P, S), True)],
    ids=["not there", "server failure", "no records", "two addresses"])
@any_regime
def test_who_gets_no_list_and_one_address_knows_one_server(
    court: Court, regime: str, answer: Answer, addresses: tuple[tuple[str, int], ...], found: bool, comes: int
) -> None:
    """RFC 3263 4.2: where a domain has no SRV records, its own addresses are the servers."""
    phone = Handset(Story())
    if comes > 0:
        phone.register(-900)
    phone.story.lookup(comes, phone.place, LISTED, "SRV", **answer)
    phone.story.lookup(comes + 0.1, phone.place, ITS_DOMAIN, "A",
                       *(f"{ITS_DOMAIN} 3600 IN A {host}" for host, _ in addresses))
    phone.register(200)
    stays_in_vain(phone)
    said = accused(court(phone.story, site({**REGIMES[regime], "failBack.mode": "newRequests"})))
    assert any("failover-missing" in one for one in said) is found


@any_regime
def test_what_is_told_of_a_name_that_is_no_servers_puts_no_list_in_doubt(court: Court, regime: str) -> None:
    """The site file names a third server, which nobody looks up; the phone looks up its time server."""
    phone = moved(regime)
    phone.story.lookup(100, phone.place, "ntp.example.com.", "A", "ntp.example.com. 3600 IN A 10.0.9.9")
    returns(phone, regime, 320)
    declared = minute(regime)
    declared["entries"]["sbc"]["servers"].append({"name": "sbc3.example.com"})
    found = accused(court(phone.story, declared))
    assert [one.split()[1:] for one in found] == [[PREMATURE, "1001", "10.0.0.1", "certain"]]


@any_regime
def test_a_list_of_one_server_is_that_of_who_stays_with_it(court: Court, regime: str) -> None:
    phone = Handset(Story())
    looks_up(phone, -800, order=(10, None))
    phone.register(0)
    stays_in_vain(phone)
    assert accused(court(phone.story, site({**REGIMES[regime], "failBack.mode": "newRequests"}))) == []


@pytest.mark.parametrize("turned", [False, True], ids=["as declared", "turned round"])
@any_regime
def test_the_list_in_dns_says_which_of_the_declared_names_is_first(court: Court, regime: str, turned: bool) -> None:
    """The site file names the servers, and the zone has since put the second first: calls rightly go there."""
    phone = Handset(Story())
    looks_up(phone, -1, ttl=100)
    phone.register(0)
    looks_up(phone, 199, ttl=100, order=(20, 10) if turned else (10, 20))
    phone.register(200, S)
    for number in (1, 2, 3):
        phone.call(200 + 60 * number, S, to=f"sip:200{number}@pbx.example.com")
    declared = site({**REGIMES[regime], "failBack.mode": "newRequests"}) | BY_NAME
    said = [one.split()[1] for one in accused(court(phone.story, declared))]
    assert ("primary-not-tried-first" in said) is not turned
    assert not (turned and said)


@any_regime
def test_who_passes_over_the_first_of_the_list_in_dns_is_found(court: Court, regime: str) -> None:
    """By the order of the site file, P, where its calls go, would be the first server."""
    phone = Handset(Story())
    looks_up(phone, -1, order=(20, 10))
    phone.register(0, S)
    phone.fail_over(300, S, P, registers=regime != "R0")
    for number in (1, 2, 3):
        phone.call(400 + 60 * number, P, to=f"sip:200{number}@pbx.example.com")
    declared = site({**REGIMES[regime], "failBack.mode": "newRequests"}) | BY_NAME
    found = accused(court(phone.story, declared))
    assert [one.split()[1:] for one in found] == [["primary-not-tried-first", "1001", "10.0.0.1", "certain"]]


@any_regime
@pytest.mark.parametrize("asks", [False, True], ids=["asks nothing", "asks for its time server"])
def test_how_long_a_list_lives_for_another_phone_says_nothing_of_this_one(
        court: Court, regime: str, asks: bool) -> None:
    """B2: the phone looked up its servers before the capture began, and at most another name since."""
    story = Story()
    other, phone = Handset(story, user="1002", place=("10.1.0.6", 5060)), Handset(story)
    looks_up(other, -5, 300)
    if asks:
        story.lookup(-4, phone.place, "ntp.example.com.", "A", "ntp.example.com. 300 IN A 10.0.9.9")
    other.register(1)
    phone.register(0)
    phone.fail_over(300, registers=regime != "R0")
    returns(phone, regime, 400)
    declared = {"lines": [{"match": {}, "settings": {**REGIMES[regime], "failBack.mode": "DNSTTL"}}]}
    found = court(story, declared)
    assert not any(PREMATURE in said for said in accused(found))
    assert f"? {PREMATURE} ttl-unknown" in found
