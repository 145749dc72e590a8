"""A return that crosses requests which the secondary is about to answer is no evidence against it (F2, F11)."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.incidents.ground import Tower, end, registered
from tests.stories import CREDENTIALS, MINUTE, R3, P, S, Story


@pytest.mark.parametrize("gap", [0.05, -0.05, -0.15])   # the call is dialled just after, or just before the REGISTER
@pytest.mark.parametrize("retry", [{}, {"retryTimeOut": 0, "retryMaxCount": 3}])
def test_a_return_while_the_secondary_is_answering_is_no_outage_of_it(
    tmp_path: Path, gap: float, retry: dict[str, int]
) -> None:
    tower, story, away = Tower(tmp_path), Story(), 0.2   # 200 ms there and back: a site abroad, or a slow server
    phones = registered(story, 4)
    for index, phone in enumerate(phones):
        phone.fail_over(100 + index * 7)
    for index, phone in enumerate(phones):
        time = 300.0 + index * 5
        dial = time + gap
        call = phone.ask(dial, S, "INVITE")
        home = phone.ask(time, P, "REGISTER", expires=3600, headers=CREDENTIALS)
        phone.told(time + away, home, 200, headers=f"Contact: <{phone.contact}>;expires=3600\r\n")
        phone.told(dial + away + 0.1, call, 100)
        phone.told(dial + 2, call, 200, headers="Contact: <sip:2000@10.0.0.2>\r\n")
        phone.acknowledge(dial + 2.01, call)
        phone.hang_up(dial + 10, call)
        phone.call(400 + index * 11, P, 5.0)
    end(story, 560)
    seen = tower.see(story, {**R3, **MINUTE, **retry})
    assert seen == ["server-outage 10.0.0.1 100.000-300.200 4"]
    assert [move.kind for move in tower.report.lines[0].moves] == ["failover", "failback"]
