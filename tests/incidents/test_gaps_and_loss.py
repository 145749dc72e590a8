"""The packet that a capture lacks may be the answer that registered a line."""

from __future__ import annotations

import pytest

from tests.incidents.ground import Tower, end, registered
from tests.stories import P, Packet, S, Story


@pytest.mark.parametrize("repeated", [False, True])
def test_who_goes_on_to_try_its_first_server_may_be_registered_at_the_other(tower: Tower, repeated: bool) -> None:
    """The 200 of S is missing. The phone received it: it neither retransmitted that REGISTER nor sent S another."""
    story = Story()
    phones = registered(story, 3, granted=300, asks=300)
    for number, phone in enumerate(phones):
        given_up = phone.silence(200 + number, method="REGISTER")
        phone.register(given_up, S)
        for late in range(60, 240, 60):
            phone.silence(given_up + late, method="REGISTER")
        phone.register(given_up + 240, S)
        phone.register(given_up + 245, P)
    if repeated:
        asked = phones[0].ask(205.51, S, "REGISTER", expires=300)
        for later in (0.5, 1.5, 3.5):
            phones[0].again(205.51 + later, asked)
    end(story, 550)

    def lacks(packet: Packet) -> bool:
        return packet.source == S and packet.destination == phones[0].place and 205 < packet.time < 210 \
            and (packet.what == "200 REGISTER" or repeated)

    tower.see(story.without(lacks))
    assert [one.kind for one in tower.report.incidents] == ["server-outage"] + ["registration-gap"] * repeated
    assert tower.of("server-outage").metrics["registrations_lost"] == int(repeated)
