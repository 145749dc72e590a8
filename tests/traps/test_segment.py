"""Phones and servers on one segment: the only trace of a try at a dead server is the request for its hardware address
(ARP, neighbour discovery)."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import pytest

from sipaudit.capture.write import Endpoint
from tests.stories import FAR_MAC, MINUTE, OWN_MAC, P6, S6, Court, Handset, P, S, Story, site
from tests.traps.ground import REGIMES, accused, any_regime, returns

ROUTER = "10.0.0.254"


@dataclass
class Seeker(Handset):
    """A handset that resolves a server's hardware address before it sends, or has `router` (address, MAC) do so. The
    request is `answered`, or in vain."""

    answered: bool = False
    router: tuple[str, str] | None = None
    others: bool = False      # the other server, and a monitoring host, look for it as well

    def seek(self, time: float, server: Endpoint) -> float:
        """Returns when the phone goes on."""
        host, mac = self.router or (self.place[0], OWN_MAC)
        if self.others:
            self.story.seek(time - 1.5, "10.0.0.200", server[0], mac=FAR_MAC)
            self.story.seek(time - 1.4, "10.0.0.9", server[0], mac="0200000000fd")
        self.story.seek(time, host, server[0], mac=mac, answered=self.answered)
        return time + 3.0


def each_call_tries(phone: Seeker, regime: str, first: Endpoint, second: Endpoint) -> None:
    """newRequests: P is off, and each call looks for it before it goes to S."""
    phone.fail_over(300, first, second, registers=regime != "R0")
    for time in (500, 700):
        phone.call(phone.seek(time, first), second)


def each_minute_tries(phone: Seeker, regime: str, first: Endpoint, second: Endpoint) -> None:
    """duration: P is off, and the phone looks for it once the minute is over."""
    phone.fail_over(300, first, second, registers=regime != "R0")
    for time in (368, 700, 900):
        phone.call(phone.seek(time, first), second)


def goes_back_at_once(phone: Seeker, regime: str, first: Endpoint, second: Endpoint) -> None:
    """duration: S goes off in its turn, and the phone is back at P half a minute after its move."""
    phone.fail_over(300, first, second, registers=regime != "R0")
    returns(phone, regime, phone.seek(330, second), first)


def moves(phone: Seeker, regime: str, first: Endpoint, second: Endpoint) -> None:
    """The address requests are all that is seen of the failure."""
    returns(phone, regime, phone.seek(300, first), second)


Tale = Callable[[Seeker, str, Endpoint, Endpoint], None]
NEW_REQUESTS = {"failBack.mode": "newRequests"}
ACCUSED: dict[Tale, str] = {
    each_call_tries: "primary-not-tried-first", each_minute_tries: "overdue-failback",
    goes_back_at_once: "premature-failback",
}


def told(court: Court, phone: Seeker, tale: Tale, regime: str,
         servers: tuple[Endpoint, Endpoint] = (P, S)) -> list[str]:
    for earlier in (-900, 0):
        phone.register(earlier, servers[0])
    tale(phone, regime, *servers)
    newer = tale in (each_call_tries, moves)
    declared = site({**REGIMES[regime], **(NEW_REQUESTS if newer else MINUTE)}, *servers)
    return accused(court(phone.story, declared))


@any_regime
@pytest.mark.parametrize("tale", [each_call_tries, each_minute_tries, goes_back_at_once, moves])
def test_a_server_that_nobody_answers_for_was_tried(
    court: Court, regime: str, tale: Tale
) -> None:
    phone = Seeker(Story(), place=("10.0.0.100", 5060))
    assert told(court, phone, tale, regime) == []
    phone = Seeker(Story(), place=("2001:db8::100", 5060))
    assert told(court, phone, tale, regime, (P6, S6)) == []


@any_regime
@pytest.mark.parametrize("tale", ACCUSED)
def test_where_the_segment_answers_a_packet_would_have_come(
    court: Court, regime: str, tale: Tale
) -> None:
    phone = Seeker(Story(), place=("10.0.0.100", 5060), answered=True)
    assert any(ACCUSED[tale] in said for said in told(court, phone, tale, regime))
    phone = Seeker(Story(), place=("2001:db8::100", 5060), answered=True)
    assert any(ACCUSED[tale] in said for said in told(court, phone, tale, regime, (P6, S6)))


@any_regime
@pytest.mark.parametrize("tale", ACCUSED)
def test_a_router_seeks_for_the_phones_behind_it_and_others_for_themselves(
    court: Court, regime: str, tale: Tale
) -> None:
    phone = Seeker(Story(), router=(ROUTER, OWN_MAC))
    assert told(court, phone, tale, regime) == []
    phone = Seeker(Story(), router=(ROUTER, OWN_MAC), others=True)
    assert told(court, phone, tale, regime) == []
    phone = Seeker(Story(), router=(ROUTER, FAR_MAC))
    assert any(ACCUSED[tale] in said for said in told(court, phone, tale, regime))
