"""An outage of some phones alone: what others are answered does not end it (reference-model.md 1, *failure*)."""

from __future__ import annotations

from collections.abc import Mapping

from sipaudit.incidents.draft import TOGETHER
from sipaudit.incidents.outage import Outage
from sipaudit.incidents.servers import Failing, ServerWatch


def still_failing(server: ServerWatch, last: Outage, sent: float, soon: float) -> Mapping[int, Failing]:
    """The phones that ask a server in vain since its last outage ended, by an answer to others, until `sent`; none,
    where it may be another outage: one of its phones was answered since, or nobody between these requests or `soon`
    after them."""
    if last.end is None or last.returned is not None or not last.last < sent <= last.last + TOGETHER:
        return {}
    failing = {phone: one for phone, one in server.failing_since(last.end) if one.sends[-1] > last.end}
    first = min((time for one in failing.values() for time in one.sends if time > last.end), default=sent)
    served = server.first_life_after(first)
    return failing if served is not None and served <= sent + soon else {}
