"""The names of events and servers in a report."""

from __future__ import annotations

from collections.abc import Callable

from sipaudit.model.events import Answered, CallChanged, EntryChanged, ModelEvent, Received, server_of
from sipaudit.model.values import Frame

Locate = Callable[[int, int], tuple[str, int | None]]   # capture and frame numbers to path and frame number


class Naming:
    """The names of events and servers in a report. `place` tells where a packet (capture, frame) can be found: the name
    of its capture, and its number there (None: it has none). `sees`: whether any phone's packets to or from a server
    were seen; `connects`: whether it was used over connections only; `skew`: by how many seconds the clocks of captures
    that show a host may differ."""

    __slots__ = ("_frames", "_paths", "connects", "place", "sees", "server", "skew")

    def __init__(self, paths: list[str], server: Callable[[str], str], sees: Callable[[str], bool],
                 connects: Callable[[str], bool], skew: Callable[[str], float],
                 frames: dict[tuple[int, int], tuple[int, ...]], place: Locate | None = None) -> None:
        self._paths = paths
        self._frames = frames
        self.server = server
        self.sees = sees
        self.connects = connects
        self.skew = skew
        self.place = place or self._numbered

    def path(self, capture: int) -> str:
        """The name of a capture."""
        return self._paths[capture]

    def _numbered(self, capture: int, frame: int) -> tuple[str, int | None]:
        return self._paths[capture], frame

    def frame(self, event: ModelEvent, phone: str) -> Frame:
        """The packet of an event, in the form used in evidence; `phone` is the host of its phone."""
        path, number = self.place(event.capture, event.frame)
        several = self._frames.get((event.capture, event.frame))
        return Frame(path, number, round(event.time, 6), _summary(event, phone),
                     None if several is None else list(several))


def _summary(event: ModelEvent, phone: str) -> str:
    """What a packet was and its direction, in a few words, such as `REGISTER 10.1.0.5 → 10.0.0.1`."""
    server = server_of(event).rpartition(":")[0]
    method, status = getattr(event, "method", None), getattr(event, "status", None)
    if isinstance(event, EntryChanged):
        return f"DNS answer on {event.entry}"
    if isinstance(event, CallChanged):
        what, from_server = f"call {event.state}", not event.own
    elif method is None:
        return f"{getattr(event, 'kind', type(event).__name__)} {server}"
    else:
        what = method if status is None else f"{status} {method}"
        from_server = isinstance(event, Answered | Received)
    return f"{what} {server} → {phone}" if from_server else f"{what} {phone} → {server}"
