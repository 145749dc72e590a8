"""Two domains, or two transports of one, list the same two servers in different orders, since before the capture."""

from __future__ import annotations

from typing import Any

import pytest

from tests.stories import Court, Handset, P, S, Story, site
from tests.traps.ground import BY_NAME, MODES, REGIMES, accused, any_regime, looks_up, returns

EAST, WEST = "_sip._udp.pbx.example.com.", "_sip._udp.west.example.com."

named = pytest.mark.parametrize("by_name", [False, True])


def declared(regime: str, mode: str, by_name: bool) -> dict[str, Any]:
    told = site({**REGIMES[regime], **MODES[mode]}, ttl=60 if mode == "DNSTTL" else None)
    return told | BY_NAME if by_name else told


def of_the_west(regime: str, *, asks: bool = True, **known: Any) -> Handset:
    """A phone whose line belongs to S, leaves S when it falls silent, and returns after a minute."""
    story = Story()
    neighbour = Handset(story, user="1002", place=("10.1.0.6", 5060))
    phone = Handset(story, domain="west.example.com", **known)
    looks_up(neighbour, -100, owner=EAST, ttl=60)
    looks_up(phone if asks else neighbour, -99, owner=WEST, order=(20, 10), ttl=60)
    phone.register(0, S)
    phone.fail_over(300, S, P, registers=regime != "R0")
    returns(phone, regime, 366.5, S)
    phone.call(420, S)
    return phone


@named
@pytest.mark.parametrize("mode", MODES)
@any_regime
def test_who_is_told_another_order_than_the_declared_one_goes_by_that(
        court: Court, regime: str, mode: str, by_name: bool) -> None:
    assert accused(court(of_the_west(regime).story, declared(regime, mode, by_name))) == []


@named
@pytest.mark.parametrize("mode", MODES)
@any_regime
def test_a_router_tells_its_phones_what_it_was_told(court: Court, regime: str, mode: str, by_name: bool) -> None:
    phone = of_the_west(regime, place=("203.0.113.9", 31_000), contact="sip:1001@192.168.1.10")
    assert accused(court(phone.story, declared(regime, mode, by_name))) == []


@named
@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("listed", ["_sip._udp", ""], ids=["by udp as declared", "by tcp alone"])
@any_regime
def test_who_goes_by_tcp_goes_by_the_list_for_tcp(
        court: Court, regime: str, mode: str, by_name: bool, listed: str) -> None:
    """The site file states no transport, which means UDP."""
    phone = Handset(Story(), transport="tcp", place=("10.1.0.5", 49152), contact="sip:1001@10.1.0.5;transport=tcp")
    if listed:
        looks_up(phone, -100, ttl=60)
    looks_up(phone, -99, owner="_sip._tcp.pbx.example.com.", order=(20, 10), ttl=60)
    phone.register(0, S)
    phone.ask(300, S, "INVITE")
    phone.call(307.5 if regime == "R0" else phone.register(307.5, P), P, 5.0)
    returns(phone, regime, 375, S)
    phone.call(420, S)
    assert accused(court(phone.story, declared(regime, mode, by_name))) == []


@pytest.mark.parametrize("again", [False, True])
@pytest.mark.parametrize("others", [False, True], ids=["nobody", "others"])
@pytest.mark.parametrize("mode", MODES)
@any_regime
def test_who_is_told_both_by_one_name_goes_by_no_order_that_is_declared(
        court: Court, regime: str, mode: str, others: bool, again: bool) -> None:
    """With its port set, a phone looks up addresses only (research/polycom.md 1.2), in the order received."""
    phone = Handset(Story())
    if others:
        neighbour = Handset(phone.story, user="1002", place=("10.1.0.6", 5060))
        looks_up(neighbour, -5, ttl=60)
        neighbour.register(-4)
    for time in (-1, *[299, 366] * again):
        phone.story.lookup(time, phone.place, "pbx.example.com.", "A", "pbx.example.com. 60 IN A 10.0.0.2",
                           "pbx.example.com. 60 IN A 10.0.0.1")
    phone.register(0, S)
    phone.fail_over(300, S, P, registers=regime != "R0")
    returns(phone, regime, 366.5, S)
    phone.call(420, S)
    assert accused(court(phone.story, declared(regime, mode, by_name=False))) == []


def test_who_is_told_the_first_one_first_goes_by_the_declared_order(court: Court) -> None:
    phone = Handset(Story())
    phone.story.lookup(-1, phone.place, "pbx.example.com.", "A", "pbx.example.com. 60 IN A 10.0.0.1",
                       "pbx.example.com. 60 IN A 10.0.0.2")
    phone.register(0)
    phone.call(200, S)
    found = accused(court(phone.story, declared("R0", "newRequests", by_name=False)))
    assert found == ["200.000 primary-not-tried-first 1001 10.0.0.2 certain"]


@named
def test_who_goes_by_udp_does_not_go_by_the_list_for_tcp(court: Court, by_name: bool) -> None:
    phone = Handset(Story())
    looks_up(phone, -100, ttl=60)
    looks_up(phone, -99, owner="_sip._tcp.pbx.example.com.", order=(20, 10), ttl=60)
    phone.register(0)
    phone.call(200, S)
    found = accused(court(phone.story, declared("R0", "newRequests", by_name)))
    assert found == ["200.000 primary-not-tried-first 1001 10.0.0.2 certain"]


@named
@any_regime
def test_of_who_was_told_unseen_nothing_is_certain(court: Court, regime: str, by_name: bool) -> None:
    """The list of the phone's domain differs from that of the site file."""
    found = accused(court(of_the_west(regime, asks=False).story, declared(regime, "newRequests", by_name)))
    assert {one.partition(" certain")[1] for one in found} <= {""}


@named
def test_where_ones_own_domain_has_the_declared_list_that_of_another_puts_nothing_in_doubt(
        court: Court, by_name: bool) -> None:
    phone = of_the_west("R0", asks=False)
    other = Handset(phone.story, user="1003", place=("10.1.0.7", 5060))
    other.register(5)
    other.call(200, S)
    found = accused(court(phone.story, declared("R0", "newRequests", by_name)))
    assert "200.000 primary-not-tried-first 1003 10.0.0.2 certain" in found
