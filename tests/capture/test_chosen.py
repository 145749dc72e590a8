"""A packet decoded alone gives the same message as it does among all others of its capture."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import pytest

from sipaudit.capture.captures import Captures
from sipaudit.capture.chosen import said_alone
from sipaudit.capture.files import resolve
from sipaudit.sip.datagram import Datagram
from tests.frames import packets_in
from tests.outputs.desk import early_return, written
from tests.shared import ROOT
from tests.stories import Story


@pytest.mark.parametrize("capture", sorted(ROOT.glob("samples/**/capture.pcap*")), ids=lambda path: path.parent.name)
def test_what_a_packet_says_alone_it_says_among_all(capture: Path) -> None:
    at_most = Counter[int]()
    said = {}
    for item in Captures(resolve((str(capture),)).files, engine="libpcap"):
        if isinstance(item, Datagram):
            said[item.frame] = item
            at_most[item.frame] += 1
    alone = {packet[1]: said_alone(packet) for packet in packets_in(capture)}
    for frame, by_itself in alone.items():
        if isinstance(by_itself, Datagram) and frame in said:
            assert (by_itself, at_most[frame]) == (said[frame], 1)
    whole = {frame for frame, item in said.items() if item.flow.transport == "udp" and not item.frames}
    assert {frame for frame in whole if alone[frame] is None} == set()


def test_segments_and_fragments_say_nothing_alone(tmp_path: Path) -> None:
    tcp = packets_in(written(early_return("tcp"), tmp_path / "tcp.pcap"))
    assert {said_alone(packet) for packet in tcp} == {None}
    fragments = packets_in(written(early_return(story=Story(mtu=200)), tmp_path / "fragments.pcap"))
    assert {said_alone(packet) for packet in fragments} == {None}
