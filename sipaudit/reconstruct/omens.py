"""What was seen of a phone that may explain what it does next."""

from __future__ import annotations

from typing import NamedTuple

from sipaudit.model.reach import LONG_AGO

UNSENT_KEPT = 8   # attempts to send something that a phone could not


class Omens(NamedTuple):
    """What may explain what a phone does next (seconds as captured): `unresolved` when a name of its servers last did
    not resolve, `may_start` until when it may begin anew though it was not silent, since it ended a silence by an
    answer that a phone which has just started gives, too, or was told by a NOTIFY to look for new settings; `referred`
    when a REFER last told it whom to call; `unsent` when it had something to send and found no connection, or no
    address, the last few times."""

    unresolved: float = LONG_AGO
    may_start: float = LONG_AGO
    referred: float = LONG_AGO
    unsent: tuple[float, ...] = ()

    def could_not_send(self, time: float) -> Omens:
        """Something more, then; one attempt counts once."""
        return self if time in self.unsent else self._replace(unsent=(*self.unsent[1 - UNSENT_KEPT:], time))


NO_OMENS = Omens()   # of nearly all phones
