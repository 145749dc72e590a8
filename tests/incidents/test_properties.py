"""Whatever happens to a line, incidents can be told of it, and come out the same every time."""

from __future__ import annotations

from collections.abc import Sequence

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from sipaudit.incidents.chronicle import Chronicle
from sipaudit.incidents.known import KnownEvents
from sipaudit.incidents.moves import belongs
from sipaudit.incidents.requests import DEFAULT_SILENCE
from sipaudit.incidents.watch import Watch
from sipaudit.model.events import ModelEvent
from sipaudit.model.history import History, track_of
from sipaudit.model.profile import Profile
from sipaudit.model.replay import replay
from sipaudit.model.state import LineState, PhoneState, Track
from sipaudit.model.values import Frame, Incident
from sipaudit.rulebook.pack import load_pack
from tests.model.fleet.habits import Habits, names, profile_of
from tests.model.strings import histories

KINDS = load_pack().incidents
PROFILES = st.sampled_from([
    profile_of(Habits(regime, mode, 60, names(3), ttl=(120, 120)))
    for regime in ("R0", "R2") for mode in ("duration", "registration")])


class Told:
    """A line that is told of by a history."""

    number = owner = 1
    line, phone, group, fallback = "sip:1001@pbx.example.com", "10.1.0.5:5060", None, False
    silence = DEFAULT_SILENCE

    def __init__(self, known: Profile) -> None:
        self.known = known
        self.state = LineState()
        self.history = History()

    @property
    def entry(self) -> str | None:
        return self.known.entry.name if self.known.entry else None

    @property
    def belongs(self) -> bool:
        return belongs(self.known.settings)

    @property
    def track(self) -> Track:
        return track_of(self.known)

    def profile(self) -> Profile:
        return self.known

    unread = False

    def follows(self, server: str) -> bool:
        return True

    def sees(self, key: str) -> bool:
        return key.startswith("10.0.0.1")

    def connects(self, key: str) -> bool:
        return False

    def server(self, key: str) -> str:
        return key

    def frame(self, event: ModelEvent) -> Frame:
        return Frame("a.pcap", event.frame, event.time, type(event).__name__)


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
