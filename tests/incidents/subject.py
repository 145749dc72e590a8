"""A line as the incident detectors see it, without captures."""

from __future__ import annotations

from sipaudit.incidents.moves import belongs
from sipaudit.incidents.requests import DEFAULT_SILENCE
from sipaudit.model.events import ModelEvent
from sipaudit.model.history import History, track_of
from sipaudit.model.profile import Profile
from sipaudit.model.state import LineState, Track
from sipaudit.model.values import Frame
from sipaudit.rulebook.pack import load_pack

KINDS = load_pack().incidents


class Told:
    """A line whose events come from a history."""

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
