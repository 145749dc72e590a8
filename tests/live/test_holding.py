"""Two ports of one link: each shows one direction, and the kernel delivers the packets of one a moment later."""

from __future__ import annotations

import pickle
from pathlib import Path

import pytest

from sipaudit.live.holding import HELD_KEPT, Hold
from sipaudit.model.sayings import FindingSaid, IncidentSaid
from sipaudit.sip.datagram import Start, StartKind
from tests.incidents.ground import end, registered
from tests.live.ear import Ear, Wire
from tests.stories import MINUTE, R2, Packet, Story, site

SITE = site({**R2, **MINUTE})
SERVERS = ("10.0.0.1", "10.0.0.2")


def outage() -> Story:
    """P is out from 300 on; the first phone comes back much too soon."""
    story = Story()
    phones = registered(story, 6)
    for number, phone in enumerate(phones[:4]):
        phone.fail_over(300 + number)
    phones[0].call(phones[0].register(330))
    for number, phone in enumerate(phones[1:4]):
        phone.call(phone.register(420 + number))
    phones[5].register(430)
    end(story, 600)
    return story


def hears(ear: Ear, story: Story, late: dict[int, float]) -> None:
    """Packets from servers arrive by the second wire, if there is one; `late` has the delay of each wire in seconds."""
    def wire(packet: Packet) -> int:
        return int(packet.source[0] in SERVERS) % len(ear.wires)
    coming = sorted(((packet.time + late.get(wire(packet), 0.0), number, packet)
                     for number, packet in enumerate(sorted(story.packets, key=lambda packet: packet.time))))
    for clock, _, packet in coming:
        ear.wires[wire(packet)].come([packet])
        ear.turn(clock, read=True)
    for clock in range(600, 700):
        ear.turn(clock, read=True)


@pytest.mark.parametrize("late", [{}, {0: 0.3}, {1: 0.3}], ids=["at once", "requests late", "answers late"])
def test_two_ports_of_one_link_tell_what_one_port_does(tmp_path: Path, late: dict[int, float]) -> None:
    one, two = Ear(tmp_path, SITE), Ear(tmp_path, SITE, wires=2)
    hears(one, outage(), {})
    hears(two, outage(), late)
    assert [rule for rule, _, _ in findings(one)] == ["premature-failback"]
    assert findings(two) == findings(one)
    assert incidents(two) == incidents(one)
    assert {kind for kind, _, _, _ in incidents(one).values()} == {"server-outage"}


@pytest.mark.parametrize("stops", [False, True])
def test_two_directories_that_are_read_in_pieces_tell_what_one_does(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, stops: bool
) -> None:
    """The files were written before the probe started, and one directory has more than the other. In one case the probe
    stops in between and another goes on."""
    monkeypatch.setattr(Wire, "taps", 0)
    monkeypatch.setattr(Wire, "by_our_clock", False)
    told = []
    for wires in (1, 2):
        ear = Ear(tmp_path, SITE, wires=wires)
        waiting: list[list[Packet]] = [[] for _ in ear.wires]
        for packet in sorted(outage().packets, key=lambda packet: packet.time):
            waiting[int(packet.source[0] in SERVERS) % wires].append(packet)
        said, pieces = ear.said, 0
        while any(waiting):
            for wire, packets, much in zip(ear.wires, waiting, (100, 7), strict=False):
                wire.come(packets[:much])
                del packets[:much]
            pieces += 1
            ear.turn(5000 + pieces, read=True)
            if stops and pieces == 3:
                ear = stopped(ear, tmp_path)
        ear.turn(5600, read=True)
        ear.probe.finish()
        ear.turn(5601)
        ear.said = said + [one for one in ear.said if ear.said is not said]
        told.append((findings(ear), incidents(ear)))
    assert told[0] == told[1]
    assert [rule for rule, _, _ in told[0][0]] == ["premature-failback"]


def stopped(ear: Ear, folder: Path) -> Ear:
    """Another probe that goes on where this one stopped."""
    other = Ear(folder, SITE, wires=len(ear.wires))
    state = pickle.loads(pickle.dumps(ear.probe.state()))
    for wire, before in zip(other.wires, ear.wires, strict=True):
        wire.go_on(before.position())
    other.probe.go_on(state, ear.probe.newest, ear.probe.newest, 0.0)
    return other


def findings(ear: Ear) -> list[tuple[str, float | None, str | None]]:
    return [(one.finding.rule, one.finding.time, one.finding.line) for one in ear.said if isinstance(one, FindingSaid)]


def incidents(ear: Ear) -> dict[str, tuple[str, float, float | None, dict[str, int | float | None]]]:
    """Each incident as it was last said, by its id."""
    told = (one.incident for one in ear.said if isinstance(one, IncidentSaid))
    return {one.id: (one.kind, one.start, one.end, one.metrics) for one in told}


def at(*times: float) -> list[Start]:
    return [Start(time, 0, number, StartKind.FILE, None, None) for number, time in enumerate(times)]


def test_what_comes_later_than_others_wait_is_not_held() -> None:
    hold = Hold(0.5)
    hold.take([at(10, 12)], 0.0)
    assert hold.ready(0.4) == []
    hold.take([at(11, 13)], 0.4)
    assert [item.time for item in hold.ready(0.5)] == [10, 11, 12]
    hold.take([at(9)], 0.6)
    assert [item.time for item in hold.ready(0.6)] == [9]
    assert [item.time for item in hold.everything()] == [13]
    assert hold.ready(99.0) == hold.everything() == []


def test_no_more_than_some_are_held() -> None:
    hold = Hold(0.5)
    hold.take([at(*range(HELD_KEPT + 3))], 0.0)
    assert [item.time for item in hold.ready(0.0)] == [0, 1, 2]
