"""A cable is pulled out of a mirror port: the port stays up but is silent, which must accuse nobody."""

from __future__ import annotations

import re
import time

import pytest

from sipaudit.capture.decode import Decoder
from sipaudit.capture.health import CaptureHealth
from sipaudit.live.interface import Interface
from tests.live.mirror import Mirror, assert_was_blind_and_sees, wait_until, why_not
from tests.shared import ROOT

WHY_NOT = why_not()
pytestmark = pytest.mark.skipif(bool(WHY_NOT), reason=f"no mirror port: {WHY_NOT}")
OUTAGE = ROOT / "samples" / "clean-outage"


def test_while_it_is_out_the_port_is_away_and_what_was_not_seen_is_known_not_to_be(port: Mirror) -> None:
    listener = port.live()
    port.ip("link", "set", "wire", "down")
    wait_until(lambda: any(one["health"]["sources_away"] for one in listener.sayings("health")), "health that says so")
    port.ip("link", "set", "wire", "up")
    wait_until(lambda: "has a link again" in listener.errors, "it is back")
    port.replay(OUTAGE / "capture.pcap", "--topspeed")
    assert listener.end() == 0
    assert_was_blind_and_sees(listener)
    assert "tap has no link (is the cable out?): nothing is seen there until it has" in listener.errors
    assert re.search(r"tap has a link again after \d+ s$", listener.errors, re.MULTILINE)
    assert listener.sayings("line")


def test_a_port_that_goes_down_without_its_cable_was_blind_from_then_on(port: Mirror) -> None:
    listener = port.live()
    port.ip("link", "set", "wire", "down")
    wait_until(lambda: "has no link" in listener.errors, "it is noticed")
    port.ip("link", "set", "tap", "down")
    wait_until(lambda: "tap is away" in listener.errors, "it is down")
    for end in ("wire", "tap"):
        port.ip("link", "set", end, "up")
    wait_until(lambda: "tap is back after" in listener.errors, "it is back")
    assert listener.end() == 0
    assert_was_blind_and_sees(listener)


@pytest.fixture
def lying(monkeypatch: pytest.MonkeyPatch) -> Interface:
    """A port that reports no link, even when packets arrive."""
    monkeypatch.setattr("sipaudit.live.interface._flags", lambda _: 1)
    monkeypatch.setattr("sipaudit.live.interface.Port", Silent)
    monkeypatch.setattr("sipaudit.live.interface.AGAIN_AFTER", 0.0)
    health = CaptureHealth("eth1")
    return Interface("eth1", 0, Decoder([health]), health)


class Silent:
    """A port that gives no packets; with `comes` set, its frame counter still goes up at each read."""

    link_type = 1

    def __init__(self, _name: str, _bpf: str | None, frames: int) -> None:
        self.frames = frames
        self.comes = False

    def read(self) -> None:
        self.frames += self.comes

    def drops(self) -> tuple[int, int]:
        return 0, 0


def test_a_port_that_hears_without_a_link_is_believed_what_it_hears(lying: Interface) -> None:
    """The link state that some cards report is meaningless."""
    lying.read()
    assert lying.away
    port = lying._port
    assert isinstance(port, Silent)
    port.comes = True
    time.sleep(0.01)
    lying.read()
    assert not lying.away
    port.comes = False
    for _ in range(3):
        lying.read()
    assert not lying.away
