"""Phones that obey in unusual settings: odd ports, lists and users, outages of all servers, requests inside calls."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

import pytest

from sipaudit.capture.write import Endpoint
from tests.stories import BRANCH, CHALLENGE, CREDENTIALS, Court, Handset, P, S, Story, T, site
from tests.traps.ground import DUE, MODES, REGIMES, TTL, UNREGISTERED, any_mode, any_regime, gated_regime

ABOUT = ()   # errors and warnings of all rules
ANONYMOUS = "sip:anonymous@anonymous.invalid"
PORTS = (P[0], 5060), (P[0], 5070)
Registers = Callable[[Handset, float, Endpoint], float]


class BehindNat(Handset):
    """A phone whose router maps it to a different port for each server."""

    def _carry(self, time: float, source: Endpoint, destination: Endpoint, text: str, what: str,
               transport: str | None = None) -> bytes:
        source, destination = self._outside(source, destination), self._outside(destination, source)
        return super()._carry(time, source, destination, text, what, transport)

    def _outside(self, end: Endpoint, other: Endpoint) -> Endpoint:
        return (end[0], 40_000 + int(other[0][-1])) if end == self.place else end


def declared(regime: str, mode: str, *servers: Endpoint, **more: Any) -> dict[str, Any]:
    return site({**REGIMES[regime], **MODES[mode]}, *servers, ttl=TTL, **more)


def settled(story: Story | None = None, registers: Registers = Handset.register, at: Endpoint = P, **known: Any
            ) -> Handset:
    """A phone that registered at P at 0, and renewed at 240."""
    phone = Handset(story or Story(), granted=300, **known)
    registers(phone, 0, at)
    registers(phone, 240, at)
    return phone


def leaves(phone: Handset, regime: str, origin: Endpoint = P, to: Endpoint = S, registers: Registers = Handset.register,
           **said: Any) -> float:
    """The phone finds `origin` silent at 300 and makes a call at the new server; returns when that call ends."""
    time = phone.silence(300, origin, **said)
    if regime != "R0":
        time = registers(phone, time, to)
    return phone.call(time, to, 5, **said)


def comes_back(phone: Handset, regime: str, mode: str, left: float, to: Endpoint = P,
               registers: Registers = Handset.register, **said: Any) -> None:
    """The phone returns when its mode says so."""
    time = left + DUE[mode]
    if regime in ("R2", "R3"):
        time = registers(phone, time, to)
    phone.call(phone.call(time, to, **said) + 20, to, **said)


@any_regime
@any_mode
def test_two_ports_of_one_address_are_two_servers(court: Court, regime: str, mode: str) -> None:
    one, other = PORTS
    phone = settled(at=one)
    left = leaves(phone, regime, one, other)
    comes_back(phone, regime, mode, left, one)
    assert court(phone.story, declared(regime, mode, one, other)) == []


@any_regime
@any_mode
def test_a_pair_that_shares_the_load_before_a_spare_one(court: Court, regime: str, mode: str) -> None:
    """Both servers of the pair are silent; the line may return to either."""
    phone = settled()
    time = phone.silence(phone.silence(300, P), S, "INVITE" if regime == "R0" else "REGISTER")
    if regime != "R0":
        time = phone.register(time, T)
    comes_back(phone, regime, mode, phone.call(time, T, 5), S)
    assert court(phone.story, declared(regime, mode, P, S, T, priorities=(1, 1, 2))) == []


@any_regime
@any_mode
def test_a_port_for_each_server_behind_nat(court: Court, regime: str, mode: str) -> None:
    phone = BehindNat(Story(), place=("203.0.113.9", 40_000), contact="sip:1001@192.168.1.5", granted=300)
    phone.register(0)
    phone.register(240)
    comes_back(phone, regime, mode, leaves(phone, regime))
    assert court(phone.story, declared(regime, mode)) == []


@any_regime
@any_mode
def test_a_caller_who_stays_anonymous(court: Court, regime: str, mode: str) -> None:
    phone = settled()
    comes_back(phone, regime, mode, leaves(phone, regime, sender=ANONYMOUS), sender=ANONYMOUS)
    assert court(phone.story, declared(regime, mode)) == []


@gated_regime
@pytest.mark.parametrize("how", ["anonymous", "behind-nat", "other-port"])
def test_and_none_of_that_hides_a_fault(court: Court, regime: str, how: str) -> None:
    one, other = PORTS if how == "other-port" else (P, S)
    phone = BehindNat(Story(), place=("203.0.113.9", 40_000), contact="sip:1001@192.168.1.5") \
        if how == "behind-nat" else Handset(Story())
    phone.register(0, one)
    said = {"sender": ANONYMOUS} if how == "anonymous" else {}
    phone.call(phone.silence(300, one, **said), other, 5, **said)
    assert court(phone.story, declared(regime, "duration", one, other)) == [
        f"305.500 {UNREGISTERED} 1001 {other[0]} certain"]


@any_regime
@any_mode
def test_two_registrations_of_one_address_on_one_phone(court: Court, regime: str, mode: str) -> None:
    """reg.1 and reg.2 are alike except for their Call-IDs."""
    def both(phone: Handset, time: float, server: Endpoint) -> float:
        return phone.register(phone.register(time, server, call_id="one") + 0.05, server, call_id="two")

    phone = settled(registers=both)
    left = leaves(phone, regime, registers=both)
    comes_back(phone, regime, mode, left, registers=both)
    assert court(phone.story, declared(regime, mode)) == []


@any_regime
@any_mode
def test_the_old_contact_goes_with_the_register_that_brings_the_new(court: Court, regime: str, mode: str) -> None:
    def moves_in(phone: Handset, time: float, server: Endpoint) -> float:
        new = f"<{phone.contact}>;expires=300"
        asked = phone.ask(time, server, "REGISTER", contact=f"<sip:1001@10.1.0.9>;expires=0, {new}")
        phone.told(time + 0.01, asked, 200, headers=f"Contact: {new}\r\n")
        return time + 0.02

    phone = settled(registers=moves_in)
    left = leaves(phone, regime, registers=moves_in)
    comes_back(phone, regime, mode, left, registers=moves_in)
    assert court(phone.story, declared(regime, mode)) == []


@any_regime
@any_mode
@pytest.mark.parametrize("answers", [True, False])
def test_another_user_logs_in_while_the_phone_is_away(court: Court, regime: str, mode: str, answers: bool) -> None:
    """The history of the first user's line is not the second's: that line begins at the head of the list."""
    phone = settled()
    leaves(phone, regime)
    phone.register(320, P if regime == "R0" else S, expires=0)
    guest = Handset(phone.story, user="1002", granted=300)
    if answers:
        guest.call(guest.register(325, P), P)
    else:
        guest.register(guest.silence(325, P, "REGISTER"), S)
    assert court(phone.story, declared(regime, mode)) == []


@any_regime
@any_mode
@pytest.mark.parametrize("first", [P, S])
def test_all_servers_are_down_for_minutes(court: Court, regime: str, mode: str, first: Endpoint) -> None:
    phone = settled()
    time = 480.0
    for _ in range(4):
        for server in (P, S, T):
            time = phone.silence(time, server, "REGISTER")
        time += 45
    if first == S:
        time = phone.silence(time, P, "REGISTER")
    time = phone.register(time, first)
    if first == P or mode != "newRequests":
        phone.call(time, first)
    assert court(phone.story, declared(regime, mode, P, S, T)) == []


@any_regime
@any_mode
def test_the_other_entry_of_the_line_fails_over_by_itself(court: Court, regime: str, mode: str) -> None:
    phone = Handset(Story(), granted=600)
    mine = phone.registration
    for begun in (0, 540, 1080):
        phone.register(begun, P, call_id=mine)
    phone.register(0.5, T, call_id="second")
    time = phone.register(phone.silence(540.5, T, "REGISTER", call_id="second"), BRANCH, call_id="second")
    phone.call(560, P)
    waits = {"duration": 60.5, "DNSTTL": TTL + 0.5}.get(mode, 540) if regime in ("R2", "R3") else 540
    phone.register(time + waits, T, call_id="second")
    both = declared(regime, mode)
    both["entries"]["second"] = {"servers": [{"address": T[0]}, {"address": BRANCH[0]}], "dns_ttl": TTL}
    both["lines"][0]["entry"] = ["sbc", "second"]
    assert court(phone.story, both) == []


@any_regime
@pytest.mark.parametrize("mode", ["DNSTTL", "registration", "duration"])
def test_holds_that_collide_are_challenged_and_a_transfer(court: Court, regime: str, mode: str) -> None:
    """All inside a call at S: 491 both ways, a 401 to the next re-INVITE, and a REFER whose INVITE opens a dialog
    there."""
    phone = settled()
    start = leaves(phone, regime)
    call = phone.ask(start, S, "INVITE")
    phone.told(start + 0.1, call, 200)
    phone.acknowledge(start + 0.2, call)
    reinvite = partial(phone.ask, server=S, method="INVITE", call_id=call.call_id, tag="far")
    own = call.near
    held = reinvite(start + 3)
    theirs = phone.called(start + 3.01, S, "INVITE", call_id=call.call_id, number=5, tag=own)
    phone.replies(start + 3.02, theirs, 491)
    phone.told(start + 3.03, held, 491)
    phone.told(start + 5.1, reinvite(start + 5), 401, headers=CHALLENGE)
    phone.told(start + 5.3, reinvite(start + 5.2, headers=CREDENTIALS), 200)
    refer = phone.called(start + 6, S, "REFER", call_id=call.call_id, number=7, tag=own)
    phone.replies(start + 6.1, refer, 202)
    phone.call(start + 6.2, S, 4, to="sip:3000@pbx.example.com")
    phone.hang_up(start + 7, call)
    comes_back(phone, regime, mode, start)
    assert court(phone.story, declared(regime, mode)) == []
