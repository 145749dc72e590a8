"""Two networks use the same private addresses, and one tap sees both: two phones at one address that look alike."""

from __future__ import annotations

from dataclasses import dataclass, field

import pytest

from sipaudit.capture.write import Endpoint, ethernet_frame
from tests.stories import Court, Handset, P, Packet, S, Story
from tests.traps.ground import RETURN, accused, minute, returns

POLYCOMS = ("0004f2000001", "0004f2000002")
ROUTERS = ("0200000000aa", "0200000000bb")
DURING = "failback-during-call"


@dataclass
class TwoNetworks(Story):
    """What passes the tap; `mac` is the source MAC of the phones' packets."""

    mac: str = ""
    networks: dict[str, tuple[int, ...]] = field(default_factory=dict)   # VLANs by `mac`, which is then only a name

    def put(self, time: float, packet: bytes, source: Endpoint, destination: Endpoint, what: str = "") -> None:
        vlans = self.networks.get(self.mac, ())
        mac = ROUTERS[0] if self.networks else self.mac
        is_phone = source[0].startswith("10.1.")
        frame = ethernet_frame(packet, source_mac=mac, vlans=vlans) if is_phone else ethernet_frame(packet, vlans=vlans)
        self.packets.append(Packet(time, frame, source, destination, what))


def two(macs: tuple[str, str], vlans: tuple[tuple[int, ...], ...] = ()) -> TwoNetworks:
    """Both phones register, renew, and move to S. One returns when due, while the other is in a call."""
    story = TwoNetworks(networks=dict(zip(macs, vlans, strict=False)))
    here = Handset(story, domain="a.example.com", registration="a")
    there = Handset(story, domain="b.example.com", registration="b", calls=100)
    lines = list(zip((here, there), macs, strict=True))
    for time in (0, 200):
        for number, (phone, story.mac) in enumerate(lines):
            phone.register(time + number)
    for number, (phone, story.mac) in enumerate(lines):
        phone.fail_over(300 + number)
    call = there.ask(340, S, "INVITE")
    there.told(341, call, 200)
    there.acknowledge(341.1, call)
    story.mac = macs[0]
    returns(here, "R2", RETURN, P)
    story.mac = macs[1]
    there.hang_up(400, call)
    returns(there, "R2", 401.2)
    return story


@pytest.mark.parametrize("macs", [POLYCOMS, ROUTERS], ids=["phones", "routers"])
def test_a_call_of_the_one_does_not_keep_the_other_away(court: Court, macs: tuple[str, str]) -> None:
    assert accused(court(two(macs), minute("R2"))) == []


@pytest.mark.parametrize("vlans", [((10,), (20,)), ((100, 10), (200, 10)), ((100, 10), (100, 20)), ((10,), (10, 110))])
def test_nor_does_it_where_the_networks_are_vlans_behind_one_router(
    court: Court, vlans: tuple[tuple[int, ...], ...]
) -> None:
    assert accused(court(two(ROUTERS, vlans), minute("R2"))) == []


@pytest.mark.parametrize("vlans", [((10,), (10,)), ((10,), ()), ((0,), (10,)), ((10,), (20, 10))])
def test_what_comes_with_and_without_a_tag_may_be_one_phone_s(court: Court, vlans: tuple[tuple[int, ...], ...]) -> None:
    """A tap may show one phone's packets from either side of a switch; a tag with VLAN ID 0 only carries a priority."""
    assert [said.split()[1] for said in accused(court(two(ROUTERS, vlans), minute("R2")))] == [DURING]


@pytest.mark.parametrize("mac", [POLYCOMS[0], ROUTERS[0]], ids=["a phone", "a router"])
def test_what_comes_one_way_is_one_phone_s(court: Court, mac: str) -> None:
    assert [said.split()[1] for said in accused(court(two((mac, mac)), minute("R2")))] == [DURING]
