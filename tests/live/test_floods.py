"""Floods on a real interface, through the real kernel and libpcap: phones known before are judged as always."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml

from bench.floods import mixed
from tests.frames import write_pcap
from tests.live.mirror import Mirror, wait_until, why_not
from tests.stories import MINUTE, R2, Handset, P, S, Story, site
from tests.wire import ORIGIN

WHY_NOT = why_not()
pytestmark = pytest.mark.skipif(bool(WHY_NOT), reason=f"no mirror port: {WHY_NOT}")

COUNT, RATE = 12_000, 1_500   # packets of the flood, and packets per second
MEMORY = 160   # MB


def phones(count: int = 6) -> tuple[Story, Story]:
    """Phones before the flood, and the same phones in it: all lose P, and the first returns too soon."""
    before, within = Story(), Story()
    for number in range(count):
        user, place = str(1001 + number), (f"10.1.0.{20 + number}", 5060)
        phone = Handset(before, user, place)
        phone.register(number / 10)
        phone.call(1 + number / 10, seconds=0.5)
        later = Handset(within, user, place)
        later.numbers = dict(phone.numbers)
        asked = later.ask(0.5 + number / 4, P, "REGISTER", expires=3600)
        later.again(1.0 + number / 4, asked)
        later.again(2.0 + number / 4, asked)
        later.register(4.5 + number / 4, S)
        later.call(4.7 + number / 4, S, seconds=0.4)
        if number == 0:
            later.register(6.5, P)
            later.call(6.7, P, seconds=0.2)
    return before, within


def written(path: Path, packets: list[tuple[float, bytes]]) -> Path:
    return write_pcap(path, [(ORIGIN + time, frame) for time, frame in packets])


def of(story: Story) -> list[tuple[float, bytes]]:
    return sorted((packet.time, packet.frame) for packet in story.packets)


def test_phones_are_judged_in_a_flood_on_a_port(port: Mirror) -> None:
    where = port.folder / "site.yaml"
    where.write_text(yaml.safe_dump(site({**R2, **MINUTE}, P, S)))
    before, within = (written(port.folder / f"{name}.pcap", of(story))
                      for name, story in zip(("before", "within"), phones(), strict=True))
    flood = written(port.folder / "flood.pcap",
                    [(number / RATE, frame) for number, frame in enumerate(mixed(COUNT))])
    listener = port.live("--site", str(where), "--max-memory", f"{MEMORY}M")
    port.replay(before)
    flooding = port.start("tcpreplay", "-q", "-i", "wire", f"--pps={RATE}", str(flood), log=port.folder / "flood.log")
    port.replay(within)
    assert flooding.wait(60) == 0
    wait_until(lambda: listener.sayings("finding"), "the finding")
    assert listener.end() == 0
    findings = [one["finding"] for one in listener.sayings("finding")]
    real = {f"sip:{1001 + number}@pbx.example.com" for number in range(6)}
    assert {(one["rule"], one["line"]) for one in findings if one["line"] in real and one["severity"] != "info"} == {
        ("premature-failback", "sip:1001@pbx.example.com")}
    moved = {one["line"] for one in listener.sayings("move") if one["move"]["kind"] == "failover"}
    assert moved >= real
    outages = [one["incident"] for one in listener.sayings("incident") if one["incident"]["kind"] == "server-outage"]
    assert outages[-1]["server"] == "10.0.0.1:5060/udp"
    assert set(outages[-1]["lines"]) >= real
    health = [one["health"] for one in listener.sayings("health")]
    assert health[-1]["kernel_drops"] == 0
    assert health[-1]["evicted"]["candidates"] > 0
    assert health[-1]["undecoded"]["fragment-bounds"] > 0
    assert max(one["memory_bytes"] for one in health) < MEMORY << 20
