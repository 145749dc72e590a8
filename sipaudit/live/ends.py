"""The two ends of a live run: where items come from, and where sayings go."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any, Protocol, runtime_checkable

from sipaudit.capture.bounds import CaptureBounds
from sipaudit.capture.health import CaptureHealth
from sipaudit.model.sayings import Saying
from sipaudit.sip.datagram import Item


class Reader(Protocol):
    """What makes items of bytes, for one source or for several, and remembers for that what has a bound."""

    def tighten(self, bounds: CaptureBounds) -> None:
        """Other bounds from now on."""
        ...

    @property
    def evicted(self) -> dict[str, int]:
        """What the bounds pushed out, by kind."""
        ...


class Source(Protocol):
    """Something live: an interface, a HEP listener, a directory into which a capture is rotated.

    `capture` is its index in the health that the run shows, and that of its items; `blind` are the seconds since its
    beginning in which it could not see.  What comes from outside never raises: it is counted in `health`.
    """

    capture: int
    health: CaptureHealth
    blind: float

    @property
    def reader(self) -> Reader:
        """Several sources may share one."""
        ...

    @property
    def away(self) -> bool:
        """Whether it cannot see now, so that its silence says nothing."""
        ...

    @property
    def by_our_clock(self) -> bool:
        """Whether the clock of this machine says when its packets came."""
        ...

    @property
    def taps(self) -> int:
        """How many may see at once what it gives, each in its own order: an interface one, HEP many, and files none,
        of which each is in order."""
        ...

    def descriptors(self) -> Sequence[int]:
        """The files to wait for; asked anew before every wait. A source without any is looked at ten times a second.
        """
        ...

    def read(self) -> Sequence[Item]:
        """What has come, in order; some thousand packets at most, and never a wait."""
        ...

    def place(self, frame: int) -> tuple[str, int | None]:
        """Where a packet can be found: the name of its capture, and its number there (None: it has none)."""
        ...

    def position(self) -> Any:
        """How far it was read: a plain value with which `go_on` of the same source in another run can do something."""
        ...

    def go_on(self, position: Any) -> bool:
        """Another run had read so far; whether everything since then will be read. Called before the first read, if at
        all."""
        ...

    def close(self) -> None: ...


class Sink(Protocol):
    """Somewhere to say things: a file, a screen, a store, metrics, a notification.

    None of these methods waits for anything outside, and none raises because something outside is away: what cannot be
    said now is kept within bounds, counted, and said later.
    """

    def take(self, saying: Saying) -> None: ...

    def turn(self, now: float) -> None:
        """Called about once a second; `now` is the clock's, seconds since the epoch."""
        ...

    def close(self) -> None:
        """The run ends: what is kept goes out, as far as that takes seconds only."""
        ...


@runtime_checkable
class Follower(Sink, Protocol):
    """A sink that shows how things stand, and so has to know how they stood when a probe goes on from a checkpoint."""

    def learn(self, saying: Saying) -> None:
        """As `take`, of what an earlier run has said and what stands: known, and neither counted nor told as new."""
        ...


@runtime_checkable
class Keeper(Sink, Protocol):
    """A sink of which something must not be lost, though the run that said it was killed before it was kept."""

    def make_good(self, sayings: Iterable[Saying], now: float | None) -> None:
        """Keep what an earlier run has said last, in its order. Nobody listened until `now`, in seconds since the epoch
        (None: nothing was missed)."""
        ...
