"""The replay of one line at one of its entries."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

from msgspec import Struct

from sipaudit.incidents.moves import belongs
from sipaudit.incidents.requests import silence_of
from sipaudit.model.calling import Calling
from sipaudit.model.events import ModelEvent
from sipaudit.model.history import History, track_of
from sipaudit.model.observations import Observation
from sipaudit.model.profile import Profile, Vendor, vouched
from sipaudit.model.routine import Renewals
from sipaudit.model.settings import Declaration, LineSettings, ServerEntry
from sipaudit.model.state import NOTHING, LineState, Track
from sipaudit.model.values import Frame
from sipaudit.reconstruct.phones import Line
from sipaudit.reconstruct.views import View
from sipaudit.run.naming import Naming

NO_HISTORY = History()
MANNERS_KEPT = 1024   # for all lines together; the lines of a site share a few


class Manner(Struct, frozen=True):
    """The expected behaviour of a line, derived from declaration, entry and device: everything that is needed with each
    event. The entry is that of a view with this revision; `home` is its primary, empty if it has none, None if no entry
    is known."""

    declaration: Declaration
    view: View
    revision: int
    profile: Profile
    track: Track
    silence: float
    belongs: bool
    keys: frozenset[str]
    home: str | None


class Shared(NamedTuple):
    """What all replays need from others: names for the report, the full profile of a replay, and whether a server may
    have been outside the tap's view at some time."""

    naming: Naming
    full: Callable[[LineReplay], Profile]
    lost_from_sight: Callable[[str, float], bool]


_manners: dict[tuple[object, ...], Manner] = {}


class LineReplay:
    """One line at one of its entries, being replayed. Also the subject that its findings name.

    `number` is the line's, `owner` its phone's; `renewals` are those in progress, or `calling` other activity on the
    short path, and `written` the state without them; `silence` is the seconds without an answer after which the phone
    may treat a server as failed; `kept` the line's history, None if it is empty.
    """

    __slots__ = ("_device", "_manner", "_shared", "calling", "index", "kept", "number", "record", "renewals",
                 "waiting", "written")

    def __init__(self, line: Line, index: int, shared: Shared) -> None:
        self.record = line
        self.number = line.number
        self.index = index
        self.renewals: Renewals | None = None
        self.calling: Calling | None = None
        self.written = NOTHING
        self.kept: History | None = None
        self.waiting: tuple[Observation, ...] = ()
        self._shared = shared
        self._manner = self._learnt()

    @property
    def owner(self) -> int:
        return self.record.phone

    @property
    def state(self) -> LineState:
        """The state of the line until now, including its renewals or other activity on the short path."""
        if self.renewals is None:
            return self.written if self.calling is None else self.calling.line_after(self.written)
        state = self.renewals.line_after(self.written)
        if self.renewals.arrived is None:
            self.written = state
        return state

    def write_down(self) -> None:
        """The short path has ended: write its state into `written`."""
        self.written, self.renewals, self.calling = self.state, None, None
        self.record.renewals = self.record.follower = None

    @property
    def history(self) -> History:
        """The line's history, for reading: most lines have none, and share an empty one."""
        return NO_HISTORY if self.kept is None else self.kept

    def own_history(self) -> History:
        """The line's history, for adding to."""
        if self.kept is None:
            self.kept = History()
        return self.kept

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
        """The profile including properties that change while the capture is read."""
        return self._shared.full(self)

    def server(self, key: str) -> str:
        return self._shared.naming.server(key)

    def sees(self, key: str) -> bool:
        return self._shared.naming.sees(key)

    def connects(self, key: str) -> bool:
        return self._shared.naming.connects(key)

    def loses_sight(self, key: str, time: float) -> bool:
        """Whether a server that was seen before may have been outside the tap's view at that time, whichever phone used
        it."""
        return self._shared.lost_from_sight(key, time)

    def skew(self) -> float:
        return self._shared.naming.skew(self.record.owner.host)

    def frame(self, event: ModelEvent) -> Frame:
        return self._shared.naming.frame(event, self.record.owner.host)

    def follows(self, server: str) -> bool:
        """Whether the server belongs to this replay's entry; if the entry is unknown, every server does."""
        view, manner = self.record.view, self._manner
        if view is not manner.view or view.revision != manner.revision:   # nothing else decides which servers
            manner = self._manner = self._learnt()
        return not manner.keys or server in manner.keys

    def is_home(self, server: str) -> bool:
        """Whether the server is the primary of this replay's entry, or the entry is unknown (`model.stakes.at_home`);
        either way it belongs to the entry (`follows`)."""
        home = self._known().home
        return home is None or home == server

    def profile(self) -> Profile:
        """The profile from declaration, entry and device; rebuilt when one of these has changed."""
        return self._known().profile

    @property
    def track(self) -> Track:
        """The track of the line's regime."""
        return self._known().track

    @property
    def silence(self) -> float:
        return self._known().silence

    @property
    def belongs(self) -> bool:
        return self._known().belongs

    @property
    def unread(self) -> bool:
        return self.record.owner.encrypted

    def _known(self) -> Manner:
        record, manner = self.record, self._manner
        if record.view is not manner.view or record.view.revision != manner.revision \
                or record.declaration is not manner.declaration or record.device is not self._device:
            self._manner = self._learnt()
        return self._manner

    def _learnt(self) -> Manner:
        record = self.record
        self._device = record.device
        entry = record.entries[self.index] if 0 <= self.index < len(record.entries) else None
        return _manner(record.declaration, record.view, entry, record.owner.vendor, record.model, record.firmware)


def _manner(declaration: Declaration, view: View, entry: ServerEntry | None, vendor: Vendor, model: str | None,
            firmware: str | None) -> Manner:
    """One shared manner for all lines with the same declaration, view, entry and device, by object identity."""
    key = id(declaration), id(view), view.revision, id(entry), vendor, model, firmware
    known = _manners.get(key)
    if known is not None and known.declaration is declaration and known.view is view and known.profile.entry is entry:
        return known
    settings = declaration.at(entry.name if entry else None)
    profile = Profile(settings, entry, vendor, firmware, vouched(model, firmware))
    keys = frozenset(server.key for server in entry.servers) if entry else frozenset()
    home = None if entry is None else "" if entry.primary is None else entry.primary.key
    made = Manner(declaration, view, view.revision, profile, track_of(profile), silence_of(settings),
                  belongs(settings), keys, home)
    if len(_manners) >= MANNERS_KEPT:
        _manners.clear()
    _manners[key] = made
    return made
