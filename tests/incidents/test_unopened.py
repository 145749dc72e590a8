"""Servers to which no connection can be opened: they receive no message, though their phones keep trying."""

from __future__ import annotations

from datetime import UTC

import pytest

from sipaudit.capture.write import Endpoint
from sipaudit.report.verdict import sentences
from tests.incidents.ground import Tower, end, registered
from tests.stories import Handset, P, S, Story

HELLO = bytes.fromhex("160301002f0100002b0303") + bytes(32) + bytes.fromhex("00000213010100") + bytes(2)
EXPIRED = bytes.fromhex("15030300020230")   # a fatal TLS alert


def tries(phone: Handset, time: float, server: Endpoint, kind: str) -> None:
    """A REGISTER uses up a CSeq, but no connection can be opened for it."""
    phone.numbers[phone.registration] += 1
    place = (phone.place[0], 49_000 + int(time) % 10_000 + 10_000 * (server == S))
    if kind == "refused":
        phone.story.syn(time, place, server)
    else:
        phone.story.tcp(time, place, server, HELLO)
        phone.story.tcp(time + 0.002, server, place, EXPIRED)
    phone.story.reset(time + 0.004, server, place)


def cut_off(kind: str) -> Story:
    """Four phones whose registrations last until 540; from 400 to 900 no server accepts their connections."""
    story = Story()
    phones = registered(story, 4, granted=300, asks=300, transport="tcp")
    for number, phone in enumerate(phones):
        phone.register(240 + number)
        story.reset(390 + number, P, phone.place)
        for time in range(400, 900, 40):
            tries(phone, time + number, P, kind)
            tries(phone, time + number + 0.01, S, kind)
        phone.register(920 + number)
    end(story, 1000)
    return story


@pytest.mark.parametrize("kind", ["refused", "certificate"])
def test_lines_that_no_server_lets_in_have_lost_their_registrations(tower: Tower, kind: str) -> None:
    """The CSeq numbers of those REGISTERs were never on the wire, and are no loss of the capture."""
    assert tower.see(cut_off(kind), only="registration-gap") == ["registration-gap sbc 540.011-923.011 4"]
    why = "10.0.0.1:5060/udp is not reached by 4 lines: " + ("refused" if kind == "refused" else "tls")
    assert why in [entry.what for entry in tower.of("registration-gap").timeline]
    assert tower.report.captures[0].loss.estimate == 0.0


@pytest.mark.parametrize("kind", ["refused", "certificate"])
def test_whom_they_tried_to_reach_is_seen_though_nothing_was_said(tower: Tower, kind: str) -> None:
    tower.see(cut_off(kind))
    outages = [one for one in tower.report.incidents if one.kind == "server-outage"]
    assert [(one.server or "").partition(":")[0] for one in outages] == ["10.0.0.1", "10.0.0.2"]
    assert [row.entry for row in tower.report.servers] == ["sbc", "sbc"]
    said = " ".join(sentences(tower.report, UTC))
    assert "10.0.0.2 could not be reached from" in said
    assert "No server of sbc was left" in said
    assert "show nothing of" not in said
