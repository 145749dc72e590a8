"""What the user knows to have happened (`--event`, the site file's `events:`), and of which server it speaks."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping

from sipaudit.model.values import KnownEvent

TO_THE_SECOND = 1.0    # who names a time names a second
DRAWN_BEFORE = 300.0   # seconds around an incident in which a known event belongs to its timeline
DRAWN_AFTER = 60.0

_WORD = re.compile(r"[\w.:\[\]-]+")


class KnownEvents:
    """The known events. `names` by server key what the server may be called: its name, the name's first label, its
    address with or without the port."""

    def __init__(self, events: Iterable[KnownEvent] = (), names: Mapping[str, Iterable[str]] | None = None) -> None:
        self._events = [(event, frozenset(_words(event.what))) for event in events]
        self._names = {key: {name.lower() for name in called} for key, called in (names or {}).items()}
        self._every = frozenset().union(*self._names.values())   # names of any server

    def of(self, server: str | None) -> Iterator[KnownEvent]:
        """The events that name this server."""
        called = self._names.get(server or "", set())
        return (event for event, words in self._events if words & called)

    def stop(self, server: str | None, last_answer: float | None, start: float) -> float | None:
        """When the server really stopped: the last event that names it, before its first unanswered request, and after
        which it answered nobody; None where there is none, or where others were answered all the while."""
        if last_answer is None:
            return None
        times = [event.time for event in self.of(server)
                 if last_answer - TO_THE_SECOND <= event.time <= start]
        return max(times, default=None)

    def around(self, server: str | None, start: float, end: float) -> Iterator[KnownEvent]:
        """What belongs to the timeline of an incident there: events that name its server, or none, at about that time.
        """
        of_server = set(self.of(server))
        for event, words in self._events:
            if start - DRAWN_BEFORE <= event.time <= end + DRAWN_AFTER \
                    and (event in of_server or not words & self._every):
                yield event


def called(key: str, name: str | None) -> set[str]:
    """What a server may be called by those who know it."""
    host = key.rpartition(":")[0]
    label = (name or "").partition(".")[0]
    return {key, host, host.strip("[]")} | ({name} if name else set()) | ({label} if label and not label.isdigit()
                                                                          else set())


def _words(text: str) -> Iterator[str]:
    return (word.strip(".:,").lower() for word in _WORD.findall(text))
