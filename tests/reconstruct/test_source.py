"""Phones behind one address: each of thousands is found at once, with the same result as among few."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sipaudit.model.events import ModelEvent
from sipaudit.reconstruct import source
from sipaudit.reconstruct.bounds import Bounds
from tests.reconstruct.desk import Desk, Handset, P

AT = "203.0.113.1"
AGENTS = (None, "A/1", "B/2", "PolycomVVX-VVX_500-UA/4.0.1.13681_0004f2000001",
          "PolycomVVX-VVX_500-UA/4.0.1.13681_0004f2000002")
HOSTS = (AT, "192.168.1.10", "192.168.1.11")

registers = st.fixed_dictionaries({
    "user": st.integers(1001, 1004), "host": st.sampled_from(HOSTS), "port": st.sampled_from([5060, 5062]),
    "at": st.sampled_from([40_001, 40_002]), "instance": st.sampled_from([None, None, "a", "b"]),
    "agent": st.sampled_from(AGENTS), "answered": st.sampled_from([True, True, False]), "calls": st.booleans(),
})


def outcome(plan: list[dict[str, Any]], few: int, bounds: Bounds) -> tuple[list[Any], list[ModelEvent]]:
    """The phones at the end, and all events, if up to `few` are searched one by one."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(source, "FEW", few)
        desk = Desk(bounds=bounds)
        for time, one in enumerate(plan):
            params = "" if one["instance"] is None else f';+sip.instance="<urn:{one["instance"]}>"'
            handset = Handset(desk, str(one["user"]), f"{AT}:{one['at']}", user_agent=one["agent"], params=params,
                              contact=f"sip:{one['user']}@{one['host']}:{one['port']}", call_id=f"r-{time}")
            if one["answered"]:
                handset.register(time)
            else:
                handset.send(time, P, handset.compose("REGISTER", expires=3600))
            if one["calls"]:
                handset.invite(time + 0.5, call_id=f"c-{time}")
        phones = [(phone.number, phone.instance, phone.agent_mac, phone.unsure, phone.unproven,
                   [(line.number, line.aor, line.contact, line.proven, line.held is None) for line in phone.lines])
                  for phone in desk.rec.phones.values()]
    return phones, desk.events


@pytest.mark.parametrize("bounds", [Bounds(), Bounds(lines=3, strange_lines=2, candidates=1)], ids=["ample", "tight"])
@settings(max_examples=150)
@given(plan=st.lists(registers, min_size=4, max_size=25))
def test_all_are_found_as_they_are_when_they_are_searched_one_by_one(bounds: Bounds, plan: list[dict[str, Any]]
                                                                     ) -> None:
    assert outcome(plan, 0, bounds) == outcome(plan, 1000, bounds)


@settings(max_examples=100)
@given(plan=st.lists(registers, min_size=4, max_size=25))
def test_the_lines_that_were_granted_nothing_are_counted(plan: list[dict[str, Any]]) -> None:
    phones, _ = outcome(plan, 0, Bounds(lines=4))
    for *_, unproven, lines in phones:
        assert unproven == sum(not proven for _, _, _, proven, _ in lines)
