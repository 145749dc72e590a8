"""The shared public captures, whole: nothing raises, and what is found makes sense."""

from __future__ import annotations

import pytest

from sipaudit.capture.captures import Captures
from sipaudit.capture.files import resolve
from sipaudit.model.events import CallChanged, ModelEvent
from sipaudit.reconstruct.reconstruction import Reconstruction
from sipaudit.sip.datagram import Datagram
from tests.reconstruct.desk import Knowledge
from tests.shared import CAPTURES, CORPORA, needs_captures

FILES = [str(path.relative_to(CAPTURES)) for path in CORPORA]


def read(name: str) -> tuple[Reconstruction, list[ModelEvent], list[Datagram]]:
    seen: list[Datagram] = []
    rec = Reconstruction(Knowledge(), note=lambda item, *_: seen.append(item))
    events = [
        event for item in Captures(resolve([str(CAPTURES / name)]).files, engine="libpcap") for event in rec.feed(item)
    ]
    rec.finish()
    return rec, events, seen


@needs_captures
@pytest.mark.parametrize("name", FILES)
def test_every_capture_goes_through(name: str) -> None:
    rec, events, seen = read(name)
    assert sum(traffic.sip_messages for traffic in rec.traffic.values()) <= len(seen)
    assert rec.phones.keys() == {line.phone for line in rec.lines.values()}
    for line in rec.lines.values():
        assert any(event.line == line.number for event in events)
        assert line.first <= line.last
    times: dict[int, float] = {}
    for event in events:
        if not isinstance(event, CallChanged):
            assert event.time >= times.get(event.line, 0.0) - 60.0  # a clock may be set back a little, no more
            times[event.line] = event.time


@needs_captures
def test_the_lines_of_a_known_capture() -> None:
    """One phone calls another through a PBX that challenges it; the other one never registers in the capture."""
    rec, events, _ = read("MichalCab+ISA/real_sip_call@3a2583fe.pcap")
    (line,) = rec.lines.values()
    assert (line.aor, line.contact, line.owner.address) == (
        "sip:test18@10.0.2.15", "sip:test18@10.0.2.5", "10.0.2.5:5060")
    assert [event.state for event in events if isinstance(event, CallChanged)] == ["ringing", "up", "over"]
    assert [server.key for server in rec.servers.all()] == ["10.0.2.15:5060"]
