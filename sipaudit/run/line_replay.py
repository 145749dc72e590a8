"""One line at one of its entries, being replayed."""

from __future__ import annotations

from collections.abc import Callable

from sipaudit.incidents.watch import DEFAULT_SILENCE, silence_of
from sipaudit.model.events import ModelEvent
from sipaudit.model.history import History, track_of
from sipaudit.model.observations import Observation
from sipaudit.model.profile import Profile, vouched
from sipaudit.model.routine import Renewals
from sipaudit.model.settings import LineSettings
from sipaudit.model.state import LineState, Track
from sipaudit.model.values import Frame
from sipaudit.reconstruct.phones import Line
from sipaudit.run.naming import Naming


class LineReplay:
    """One line at one of its entries, being replayed. Also the subject that its findings name.

    `number` is the line's, `owner` its phone's, `renewals` those that go on, `silence` the seconds without an answer
    after which the phone may hold a server for failed.
    """

    def __init__(self, line: Line, index: int, naming: Naming, full: Callable[[LineReplay], Profile]) -> None:
        self.record = line
        self.number, self.owner = line.number, line.phone
        self._full = full
        self.index = index
        self.renewals: Renewals | None = None
        self._state = LineState()
        self.history = History()
        self.waiting: tuple[Observation, ...] = ()
        self._naming = naming
        self._known: tuple[object, int, object, object] = (None, 0, None, None)
        self._plain = Profile(LineSettings())
        self._track = track_of(self._plain)
        self.silence = DEFAULT_SILENCE
        self._keys: frozenset[str] = frozenset()

    @property
    def state(self) -> LineState:
        """What is known of the line, its renewals until now included."""
        if self.renewals is not None:
            self._state = self.renewals.line_after(self._state)
        return self._state

    @state.setter
    def state(self, state: LineState) -> None:
        self._state = state

    def write_down(self) -> None:
        """The renewals are over: the state is what it is after them."""
        self.state, self.renewals = self.state, None

    @property
    def line(self) -> str:
        return self.record.aor

    @property
    def phone(self) -> str:
        return self.record.owner.address

    @property
    def group(self) -> str | None:
        return self.record.declaration.group

    @property
    def fallback(self) -> bool:
        """Whether the line has other entries beside this one."""
        return len(self.record.entries) > 1

    @property
    def entry(self) -> str | None:
        entry = self.profile().entry
        return None if entry is None else entry.name

    @property
    def settings(self) -> LineSettings:
        return self.profile().settings

    def full(self) -> Profile:
        """The profile with what grows while the capture is read."""
        return self._full(self)

    def server(self, key: str) -> str:
        return self._naming.server(key)

    def frame(self, event: ModelEvent) -> Frame:
        return self._naming.frame(event, self.record.owner.host)

    def follows(self, server: str) -> bool:
        """Whether the server is of this replay's entry; of an entry that is not known every server is."""
        self.profile()
        return not self._keys or server in self._keys

    def profile(self) -> Profile:
        """What is known of the line itself; made anew when its declaration or its entries changed."""
        record, (view, revision, declaration, device) = self.record, self._known
        if record.view is not view or record.view.revision != revision or record.declaration is not declaration \
                or record.device is not device:
            self._learn()
        return self._plain

    def _learn(self) -> None:
        record = self.record
        self._known = record.view, record.view.revision, record.declaration, record.device
        entry = record.entries[self.index] if 0 <= self.index < len(record.entries) else None
        model, firmware = record.model, record.firmware
        settings = record.declaration.at(entry.name if entry else None)
        self._plain = Profile(settings, entry, record.owner.vendor, firmware, vouched(model, firmware))
        self._track = track_of(self._plain)
        self.silence = silence_of(settings)
        self._keys = frozenset(server.key for server in entry.servers) if entry else frozenset()

    @property
    def track(self) -> Track:
        """Which working server is meant: that of the line's regime."""
        self.profile()
        return self._track
