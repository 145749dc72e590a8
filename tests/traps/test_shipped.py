"""SIP over TCP where an agent ships only the messages (HEP): a refused connection is not in the capture, and may
explain what a phone did (F2)."""

from __future__ import annotations

from typing import Any

import pytest

from tests.capture.packets import hep3
from tests.stories import Court, Handset, P, S, Story, site
from tests.traps.ground import REGIMES, accused, any_regime, minute
from tests.wire import ORIGIN

AGENT, COLLECTOR = ("10.200.0.1", 40_001), ("10.200.0.100", 9060)
TCP, UDP = 6, 17


def shipped(story: Story, protocol: int = TCP) -> Story:
    """The messages of a story as an agent ships them, each with its own addresses and time."""
    told = Story()
    for packet in story.packets:
        if packet.what and packet.what != "icmp":
            (source, port), (destination, other) = packet.source, packet.destination
            header = 14 + 20 + (20 if protocol == TCP else 8)
            told.udp(packet.time + 0.01, AGENT, COLLECTOR, hep3(
                packet.frame[header:], source=source, destination=destination, protocol=protocol,
                time=ORIGIN + packet.time, ports=(port, other)))
    return told


def refused(phone: Handset, time: float, server: tuple[str, int]) -> None:
    """The phone tries in vain to open a connection, and uses another port for the next."""
    port = phone.place[1]
    phone.place = (phone.place[0], port + 1000)
    phone.story.syn(time, phone.place, server)
    phone.story.reset(time + 0.001, server, phone.place)
    phone.place = (phone.place[0], port + 1)


def away(regime: str) -> Handset:
    """A phone on TCP that has left P after a refused connection."""
    phone = Handset(Story(), transport="tcp")
    phone.register(0)
    refused(phone, 300, P)
    phone.call(300.1 if regime == "R0" else phone.register(300.1, S), S)
    return phone


def by_tcp(regime: str) -> dict[str, Any]:
    declared = minute(regime)
    for server in declared["entries"]["sbc"]["servers"]:
        server["transport"] = "tcp"
    return declared


@any_regime
def test_who_is_refused_at_the_second_server_may_return(court: Court, regime: str) -> None:
    phone = away(regime)
    refused(phone, 330, S)
    phone.call(330.1 if regime == "R0" else phone.register(330.1, P), P)
    assert accused(court(phone.story, by_tcp(regime))) == []
    assert accused(court(shipped(phone.story), by_tcp(regime))) == []


@any_regime
def test_who_is_refused_when_the_return_is_due_may_stay(court: Court, regime: str) -> None:
    phone = away(regime)
    for due in (362, 422):
        refused(phone, due, P)
        phone.call(due + 5, S)
    assert accused(court(phone.story, by_tcp(regime))) == []
    assert accused(court(shipped(phone.story), by_tcp(regime))) == []


def test_who_calls_at_a_server_without_a_registration_is_not_told_as_certain(court: Court) -> None:
    """The verdict does not depend on an unseen connection, but a message may be missing as well."""
    phone = Handset(Story(), transport="tcp")
    phone.register(0)
    phone.ask(300, P, "INVITE")
    phone.call(333, S)
    for story, certain in ((phone.story, True), (shipped(phone.story), False)):
        found = court(story, by_tcp("R2"))
        assert any("signalling-to-unregistered-server" in said for said in found)
        assert any(said.endswith("certain") for said in found) is certain


@pytest.mark.parametrize("regime", ["R0", "R2"])
def test_by_udp_nothing_is_missing(court: Court, regime: str) -> None:
    phone = Handset(Story())
    phone.register(0)
    phone.fail_over(300, registers=regime != "R0")
    phone.call(330 if regime == "R0" else phone.register(330, P), P)
    found = court(shipped(phone.story, UDP), site({**REGIMES[regime], "failBack.mode": "duration",
                                                   "failBack.timeout": 60}))
    assert any("premature-failback" in said and "certain" in said for said in found)
