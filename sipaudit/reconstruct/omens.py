"""Observations of a phone that may explain what it does next."""

from __future__ import annotations

from math import inf
from typing import NamedTuple

from sipaudit.model.reach import LONG_AGO

UNSENT_KEPT = 8       # failed attempts to send
LULL = 120.0          # seconds without such an attempt, after which earlier ones no longer count: retries come sooner


class Omens(NamedTuple):
    """Observations that may explain a phone's next actions (seconds as captured). `unresolved`: when a name of its
    servers last failed to resolve. `may_start`: until when it may boot without a silence, because it ended a silence
    with an answer that a phone just started gives, too, or because a NOTIFY told it to fetch new settings. `referred`:
    when a REFER last told it whom to call. `unsent`: the last few times when it had something to send and found no
    connection or no address; `earlier`: how many such attempts came before these, and since when."""

    unresolved: float = LONG_AGO
    may_start: float = LONG_AGO
    referred: float = LONG_AGO
    unsent: tuple[float, ...] = ()
    earlier: tuple[int, float] = (0, inf)

    def could_not_send(self, time: float) -> Omens:
        """Add a failed attempt to send at that time; each attempt counts once."""
        if time in self.unsent:
            return self
        gone, kept = self.unsent[:1 - UNSENT_KEPT], self.unsent[1 - UNSENT_KEPT:]
        count, since = (0, inf) if kept and time - kept[-1] > LULL else self.earlier
        return self._replace(unsent=(*kept, time), earlier=(count + len(gone), min((since, *gone))))

    def unsent_since(self, time: float) -> int:
        """The number of such attempts since then; those before the last few count only if all of them are that recent.
        """
        count, since = self.earlier
        return sum(each >= time for each in self.unsent) + (count if since >= time else 0)


NO_OMENS = Omens()   # of nearly all phones
