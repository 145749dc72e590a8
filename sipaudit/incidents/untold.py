"""Failures at servers without a reported outage (so far): INVITEs that ran out, and calls that could not be made."""

from __future__ import annotations

from collections.abc import Sequence, Set

from sipaudit.incidents.outage import FailedAttempt
from sipaudit.incidents.servers import ServerWatch
from sipaudit.turned_away import turned_away

ATTEMPTS_KEPT = 64      # of a server
UNHEARD_KEPT = 16       # INVITEs to one server that ran out, besides the first


class Untold:
    """By server. `unheard`: when the INVITEs were sent that have run out since it last answered one."""

    __slots__ = ("_attempts", "unheard")

    def __init__(self) -> None:
        self.unheard: dict[str, list[float]] = {}
        self._attempts: dict[str, list[FailedAttempt]] = {}

    def unheard_at(self, server: str, sent: float) -> None:
        """An INVITE sent at `sent` ran out."""
        unheard = self.unheard.setdefault(server, [])
        unheard.append(sent)
        if len(unheard) > UNHEARD_KEPT + 1:
            turned_away("samples")
            del unheard[1:-UNHEARD_KEPT]

    def heard(self, server: str) -> None:
        """An INVITE was answered, or an outage now reports those that ran out."""
        self.unheard.pop(server, None)

    def heard_since(self, server: str, start: float) -> bool:
        """Whether an INVITE was answered after the one that ran out, sent at `start`."""
        return min(self.unheard.get(server, ()), default=start + 1) > start

    def since_in_part(self, server: ServerWatch) -> float | None:
        """Since when INVITEs, of any phones, have run out with none answered, if a REGISTER or OPTIONS was answered
        between two of them; otherwise None."""
        unheard = self.unheard.get(server.key)
        if not unheard or not server.keeps_between(min(unheard), max(unheard)):
            return None
        return min(unheard)

    def failed(self, server: str, failed: FailedAttempt) -> None:
        """Add a failed call, which may be the first sign of an outage."""
        failed[0].acquit(server)
        kept = self._attempts.setdefault(server, [])
        kept.append(failed)
        if len(kept) > ATTEMPTS_KEPT:
            turned_away("watched-calls")
            del kept[0]

    def attempts_at(self, server: str) -> Sequence[FailedAttempt]:
        """Hand over the calls that failed there to their outage."""
        return self._attempts.pop(server, ())

    def forget(self, before: float) -> None:
        """Forget what was over before that time."""
        self.unheard = {key: unheard for key, unheard in self.unheard.items() if unheard[-1] >= before}
        self._attempts = {key: kept for key, kept in self._attempts.items() if kept[-1][0].event.time >= before}

    def release(self, lines: Set[int]) -> None:
        """These lines were forgotten."""
        for key, kept in list(self._attempts.items()):
            kept[:] = [pair for pair in kept if pair[0].subject.number not in lines]
            if not kept:
                del self._attempts[key]
