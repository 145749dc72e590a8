"""Events that the user reports (`--event`, the site file's `events:`), and the server that each one names."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping

from sipaudit.model.values import KnownEvent

TO_THE_SECOND = 1.0    # users give times to the second
DRAWN_BEFORE = 300.0   # seconds around an incident within which a known event belongs to its timeline
DRAWN_AFTER = 60.0

_WORD = re.compile(r"[\w.:\[\]-]+")


class KnownEvents:
    """The known events. `names`: by server key, the names by which users may call it: its name, the first label of the
    name, its address with or without the port."""

    def __init__(self, events: Iterable[KnownEvent] = (), names: Mapping[str, Iterable[str]] | None = None) -> None:
        self._events = [(event, frozenset(_words(event.what))) for event in events]
        self._names = {key: {name.lower() for name in called} for key, called in (names or {}).items()}
        self._every = frozenset().union(*self._names.values())   # names of any server

    def of(self, server: str | None) -> Iterator[KnownEvent]:
        """The events that name this server."""
        called = self._names.get(server or "", set())
        return (event for event, words in self._events if words & called)

    def stop(self, server: str | None, last_answer: float | None, start: float) -> float | None:
        """When the server really stopped: the last known event that names it, before its first unanswered request, and
        after which it answered nobody. None if there is no such event, or if other phones were answered all along."""
        if last_answer is None:
            return None
        times = [event.time for event in self.of(server)
                 if last_answer - TO_THE_SECOND <= event.time <= start]
        return max(times, default=None)

    def around(self, server: str | None, start: float, end: float) -> Iterator[KnownEvent]:
        """The events for the timeline of an incident at a server: those about that time that name this server, or no
        server.
        """
        of_server = set(self.of(server))
        for event, words in self._events:
            if start - DRAWN_BEFORE <= event.time <= end + DRAWN_AFTER \
                    and (event in of_server or not words & self._every):
                yield event


def called(key: str, name: str | None) -> set[str]:
    """The names by which users may call a server."""
    host = key.rpartition(":")[0]
    label = (name or "").partition(".")[0]
    return {key, host, host.strip("[]")} | ({name} if name else set()) | ({label} if label and not label.isdigit()
                                                                          else set())


def _words(text: str) -> Iterator[str]:
    return (word.strip(".:,").lower() for word in _WORD.findall(text))
