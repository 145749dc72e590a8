"""The interfaces at both ends of a live run: sources, which give items, and sinks, which take sayings."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any, Protocol, runtime_checkable

from sipaudit.capture.bounds import CaptureBounds
from sipaudit.capture.health import CaptureHealth
from sipaudit.model.sayings import Saying
from sipaudit.sip.datagram import Item


class Reader(Protocol):
    """Turns bytes into items, for one source or for several, and keeps bounded state for that."""

    def tighten(self, bounds: CaptureBounds) -> None:
        """Use other bounds from now on."""
        ...

    @property
    def evicted(self) -> dict[str, int]:
        """How much the bounds evicted, by kind."""
        ...


class Source(Protocol):
    """A live input: an interface, a HEP listener, a directory into which captures are rotated.

    `capture` is its index in the run's list of `health`, and is in each of its items; `blind` is the number of seconds
    since it began in which it could not see.  Bad input never raises: it is counted in `health`.
    """

    capture: int
    health: CaptureHealth
    blind: float

    @property
    def reader(self) -> Reader:
        """Its reader, which several sources may share."""
        ...

    @property
    def away(self) -> bool:
        """Whether it cannot see now, so that its silence is no evidence."""
        ...

    @property
    def by_our_clock(self) -> bool:
        """Whether its packets have timestamps of this machine's clock."""
        ...

    @property
    def taps(self) -> int:
        """How many capture points feed it at the same time, each in its own order: 1 for an interface, many for HEP, 0
        for files, each of which is in order."""
        ...

    def descriptors(self) -> Sequence[int]:
        """The file descriptors to poll, queried before every wait. A source without any is read ten times a second."""
        ...

    def read(self) -> Sequence[Item]:
        """The items that have arrived, in order; of some thousand packets at most. Never blocks."""
        ...

    def place(self, frame: int) -> tuple[str, int | None]:
        """Where a user finds a packet: the name of its capture, and its number there (None: it has none)."""
        ...

    def position(self) -> Any:
        """How far it was read: a plain value for `go_on` of the same source in another run."""
        ...

    def go_on(self, position: Any) -> bool:
        """Go on from where another run had read to. Returns whether everything since then will be read. Called before
        the first read, if at all."""
        ...

    def close(self) -> None: ...


class Sink(Protocol):
    """An output for sayings: a file, a screen, a store, metrics, notifications.

    No method waits for anything outside the process, and none raises because something outside is unavailable: what
    cannot be written now is queued within bounds, counted, and written later.
    """

    def take(self, saying: Saying) -> None: ...

    def turn(self, now: float) -> None:
        """Called about once a second; `now` is the time of day, in seconds since the epoch."""
        ...

    def close(self) -> None:
        """The run ends: write what is queued, as far as that takes only seconds."""
        ...


@runtime_checkable
class Follower(Sink, Protocol):
    """A sink that shows the current state, and so must learn it when a probe goes on from a checkpoint."""

    def learn(self, saying: Saying) -> None:
        """Take a saying of an earlier run that still holds: it becomes known, but is neither counted nor told as new.
        """
        ...


@runtime_checkable
class Keeper(Sink, Protocol):
    """A sink that must lose no saying, even if the run was killed before it was written."""

    def make_good(self, sayings: Iterable[Saying], now: float | None) -> None:
        """Write the last sayings of an earlier run, in their order. Nobody listened between that run and `now`, in
        seconds since the epoch (None: nothing was missed)."""
        ...
