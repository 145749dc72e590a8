"""How long a phone's server list lives when its names have different TTLs (B2, DNSTTL)."""

from __future__ import annotations

from dataclasses import replace

import pytest

from tests.stories import RESOLVER, Court, Handset, P, Packet, S, Story
from tests.traps.ground import REGIMES, accused, any_regime, looks_up, returns

ABOUT = ("premature-failback",)
ENTRY = {"servers": [{"name": f"sbc{number}.example.com", "address": place[0]}
                     for number, place in enumerate((P, S), 1)]}


def resolves(phone: Handset, time: float, number: int, ttl: int) -> None:
    name = f"sbc{number}.example.com."
    phone.story.lookup(time, phone.place, name, "A", f"{name} {ttl} IN A 10.0.0.{number}")


def by_ttl(regime: str) -> dict[str, object]:
    settings = {**REGIMES[regime], "failBack.mode": "DNSTTL"}
    return {"entries": {"sbc": ENTRY}, "lines": [{"match": {}, "entry": "sbc", "settings": settings}]}


@any_regime
@pytest.mark.parametrize(("back", "found"), [(338, 0), (320, 1)])
def test_a_name_with_both_kinds_of_address_lives_as_long_as_either(
    court: Court, regime: str, back: int, found: int
) -> None:
    """The IPv6 address expires after 30 s; which address the phone's timer follows is documented nowhere."""
    phone = Handset(Story())
    for number in (1, 2):
        name = f"sbc{number}.example.com."
        resolves(phone, -1, number, 3600)
        phone.story.lookup(-0.9, phone.place, name, "AAAA", f"{name} 30 IN AAAA 2001:db8::{number}")
    phone.register(0)
    phone.fail_over(300, registers=regime != "R0")
    returns(phone, regime, back)
    assert len(accused(court(phone.story, by_ttl(regime)))) == found


@any_regime
@pytest.mark.parametrize("second", ["once", "again"])
@pytest.mark.parametrize(("back", "found"), [(401, 0), (380, 1)])
def test_the_return_comes_with_the_end_of_the_first_server_s_answer(
    court: Court, regime: str, second: str, back: int, found: int
) -> None:
    """The phone looks up the name that it uses again; the answer for the other name may have expired long ago."""
    phone = Handset(Story())
    for number in (1, 2):
        resolves(phone, -1, number, 300)
    phone.register(0)
    resolves(phone, 100, 1, 300)
    if second == "again":
        resolves(phone, 101, 2, 300)
    phone.fail_over(300, registers=regime != "R0")
    returns(phone, regime, back)
    assert len(accused(court(phone.story, by_ttl(regime)))) == found


@pytest.mark.parametrize(("lacks", "found"), [("", 1), ("SRV", 0), ("A", 0)])
@pytest.mark.parametrize("asked", [299, 320, 335])
@any_regime
def test_what_a_lost_answer_said_is_not_known(court: Court, regime: str, asked: float, lacks: str, found: int) -> None:
    """B2: the phone has looked up its servers again, and the capture lacks an answer with the new TTLs."""
    phone = Handset(Story())
    looks_up(phone, -1)
    phone.register(0)
    phone.fail_over(300, registers=regime != "R0")
    looks_up(phone, asked)
    returns(phone, regime, 338)
    kinds = {"SRV": b"\x04_sip", "A": b"\x04sbc1\x07example"}

    def is_lost(packet: Packet) -> bool:
        answers = packet.source == RESOLVER and packet.time >= asked
        return answers and lacks != "" and kinds[lacks] in packet.frame[54:80]
    assert len(accused(court(phone.story.without(is_lost), by_ttl(regime)))) == found


@any_regime
def test_how_long_another_phones_list_lives_says_nothing_of_this_ones(court: Court, regime: str) -> None:
    """B2: this phone looked up its own list before the capture began, and that may expire at any time."""
    phone = Handset(Story())
    looks_up(replace(phone, place=("10.1.0.6", 5060)), -1)
    phone.register(0)
    phone.fail_over(300, registers=regime != "R0")
    returns(phone, regime, 338)
    assert accused(court(phone.story, by_ttl(regime), covered=60)) == []


@any_regime
@pytest.mark.parametrize(("left", "neighbours", "back", "found"), [
    (442, 3600, 748.5, 0), (442, 3600, 740, 1), (3600, 30, 338, 1), (3600, 442, 748.5, 1)])
def test_what_is_left_of_a_list_that_phones_share_is_told_to_each_for_itself(
    court: Court, regime: str, left: int, neighbours: int, back: float, found: int
) -> None:
    """The name server caches the list for an hour and reports the remaining TTL: to this phone, and later, still before
    this phone is seen to register, to another."""
    phone = Handset(Story())
    looks_up(phone, -800, srv=left)
    looks_up(replace(phone, place=("10.1.0.6", 5060)), -100, srv=neighbours)
    phone.register(0)
    phone.fail_over(300, registers=regime != "R0")
    returns(phone, regime, back)
    assert len(accused(court(phone.story, by_ttl(regime)))) == found


@any_regime
@pytest.mark.parametrize(("contact", "found"), [("sip:1001@192.168.1.5", 0), ("sip:1001@203.0.113.9", 1)])
def test_what_a_router_is_told_it_tells_its_phones_later(court: Court, regime: str, contact: str, found: int) -> None:
    """Behind NAT the lookup is the router's: it answers the phone later, from its cache, with the remaining TTL."""
    phone = Handset(Story(), place=("203.0.113.9", 40_000), contact=contact)
    looks_up(phone, -800)
    phone.register(0)
    phone.fail_over(300, registers=regime != "R0")
    returns(phone, regime, 705)
    assert len(accused(court(phone.story, by_ttl(regime)))) == found
