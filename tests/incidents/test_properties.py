"""Whatever happens to a line, its incidents can be reported, and come out the same every time."""

from __future__ import annotations

from collections.abc import Sequence

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from sipaudit.incidents.chronicle import Chronicle
from sipaudit.incidents.known import KnownEvents
from sipaudit.incidents.watch import Watch
from sipaudit.model.events import ModelEvent
from sipaudit.model.profile import Profile
from sipaudit.model.replay import replay
from sipaudit.model.state import PhoneState
from sipaudit.model.values import Incident
from tests.incidents.subject import KINDS, Told
from tests.model.fleet.habits import Habits, names, profile_of
from tests.model.strings import histories

PROFILES = st.sampled_from([
    profile_of(Habits(regime, mode, 60, names(3), ttl=(120, 120)))
    for regime in ("R0", "R2") for mode in ("duration", "registration")])


def incidents(events: Sequence[ModelEvent], known: Profile) -> list[Incident]:
    told = Told(known)
    watch = Watch(KINDS, lambda _: [told], lambda: False)
    phone = PhoneState()
    for step in replay(events, known):
        told.state = step.after
        told.history.take(step, told)
        watch.follow(step, told, phone)
        watch.of_phone(step.event, [told], phone)
        phone = step.phone
    watch.finish(max((event.time for event in events), default=0.0) + 600)
    return Chronicle(watch, lambda: [told], KnownEvents(), str, lambda *_: True).incidents()


@settings(max_examples=200, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(histories(), PROFILES)
def test_no_history_raises_and_incidents_end_after_they_start(events: list[ModelEvent], known: Profile) -> None:
    found = incidents(events, known)
    assert incidents(events, known) == found
    assert [incident.start for incident in found] == sorted(incident.start for incident in found)
    for incident in found:
        assert incident.end is None or incident.end >= incident.start
        assert (incident.end is None) == (incident.state == "open")
        assert all(value is None or value >= 0 for value in incident.metrics.values())
