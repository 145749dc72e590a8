"""The full profiles of lines: those from declaration and device, plus what is learnt while captures are read."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from msgspec.structs import replace

from sipaudit.model.profile import Profile
from sipaudit.model.settings import ServerEntry, Tolerances
from sipaudit.model.state import NOBODY, PhoneState
from sipaudit.reconstruct.phones import Line, Phone
from sipaudit.run.line_replay import LineReplay


class Profiles:
    """Properties learnt for all lines. `began` is the time since when the captures show all, `steps` returns where a
    clock was set, `unconnected` whether the captures lack the connections of a line. `phones` are the written states of
    phones."""

    __slots__ = ("_steps", "_tolerances", "_tolerances_of", "_unconnected", "began", "phones")

    def __init__(self, began: float, steps: Callable[[], tuple[tuple[int, int, float], ...]],
                 unconnected: Callable[[Line], bool]) -> None:
        self.began = began
        self._steps = steps
        self._unconnected = unconnected
        self._tolerances = Tolerances()
        self._tolerances_of: Mapping[str, Tolerances] = {}
        self.phones: dict[int, PhoneState] = {}

    def obey(self, tolerances: Tolerances, tolerances_of: Mapping[str, Tolerances]) -> None:
        """Put these tolerances in force; single expectations may have their own."""
        self._tolerances, self._tolerances_of = tolerances, tolerances_of

    def full(self, replay: LineReplay) -> Profile:
        """The profile including properties that change while the capture is read."""
        plain, record = replay.profile(), replay.record
        connects, unconnected = record.flow is not None and record.flow.transport != "udp", self._unconnected(record)
        return replace(
            plain, identity_unsure=record.owner.identity_unsure or self._speaks_elsewhere(record.owner, plain.entry),
            may_be_two=record.owner.may_be_two, encrypted=record.owner.encrypted,
            connected=connects and not unconnected, unconnected=unconnected,
            list_in_doubt=record.list_in_doubt, covered_from=max(self.began, record.since),
            steps=self._steps(), heard=frozenset(record.heard), lived=record.owner.lived, tolerances=self._tolerances,
            tolerances_of=self._tolerances_of,
            fallback=replay.fallback, crossed=record.view.crossed,
        )

    def _speaks_elsewhere(self, phone: Phone, entry: ServerEntry | None) -> bool:
        """Whether the device sends to servers of the entry from another address, where we take it for another phone
        (reference-model.md 1): what it did there is not seen here."""
        if phone.twin is None or entry is None:
            return False
        number, since = phone.twin
        here, there = self.phones.get(phone.number, NOBODY), self.phones.get(number, NOBODY)
        return any(there.reach(server.key).touched >= since > here.reach(server.key).touched
                   for server in entry.servers)
