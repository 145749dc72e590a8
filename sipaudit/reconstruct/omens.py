"""What was seen of a phone that may explain what it does next."""

from __future__ import annotations

from math import inf
from typing import NamedTuple

from sipaudit.model.reach import LONG_AGO

UNSENT_KEPT = 8       # attempts to send something that a phone could not
LULL = 120.0          # seconds without such an attempt, after which those before count no longer: a retry comes sooner


class Omens(NamedTuple):
    """What may explain what a phone does next (seconds as captured): `unresolved` when a name of its servers last did
    not resolve, `may_start` until when it may begin anew though it was not silent, since it ended a silence by an
    answer that a phone which has just started gives, too, or was told by a NOTIFY to look for new settings; `referred`
    when a REFER last told it whom to call; `unsent` when it had something to send and found no connection, or no
    address, the last few times, and `earlier` how often before these, and since when."""

    unresolved: float = LONG_AGO
    may_start: float = LONG_AGO
    referred: float = LONG_AGO
    unsent: tuple[float, ...] = ()
    earlier: tuple[int, float] = (0, inf)

    def could_not_send(self, time: float) -> Omens:
        """Something more, then; one attempt counts once."""
        if time in self.unsent:
            return self
        gone, kept = self.unsent[:1 - UNSENT_KEPT], self.unsent[1 - UNSENT_KEPT:]
        count, since = (0, inf) if kept and time - kept[-1] > LULL else self.earlier
        return self._replace(unsent=(*kept, time), earlier=(count + len(gone), min((since, *gone))))

    def unsent_since(self, time: float) -> int:
        """How often that was since then; of those before the last few only where all of them were."""
        count, since = self.earlier
        return sum(each >= time for each in self.unsent) + (count if since >= time else 0)


NO_OMENS = Omens()   # of nearly all phones
