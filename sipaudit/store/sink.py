"""The sink of a live run that writes to the store: it queues sayings at once, and a thread of its own writes them.

Queued sayings are in one of two places: in memory until the next batch, or in the spool on disk while the store is
away.  As long as the spool is not empty, new sayings go to its end, so that the store gets all of them in order.  What
that disk does not take either stays in memory.
"""

from __future__ import annotations

import threading
import time
import traceback
import uuid
from collections.abc import Iterable, Sized
from dataclasses import dataclass
from itertools import islice
from pathlib import Path

from msgspec.structs import replace

from sipaudit import __version__
from sipaudit.model.sayings import FindingSaid, IncidentSaid, RegistrationSaid, Saying, Withdrawn
from sipaudit.safe_text import safe_text
from sipaudit.store.opening import Store, open_for_writing
from sipaudit.store.reach import LOG, Reach
from sipaudit.store.rows import name_of
from sipaudit.store.spool import BOUND, Spool
from sipaudit.store.writing import RunOf, Stood
from sipaudit.turned_away import turned_away

ROWS = 1_000            # most sayings in one transaction
EVERY = 1.0             # seconds that a saying waits at most for a batch to fill
WAITING = 20_000        # most sayings in memory
TRIED_EVERY = 2.0       # seconds until a store that is away is retried
HANGS = 10.0            # seconds without a response from the store, after which queued sayings go to disk
PATIENCE = 8.0          # seconds that `close` waits for the last batches


@dataclass(frozen=True)
class Standing:
    """The state of the sink: rows written to the store, sayings queued in memory (`waiting`) and on disk (`spooled`),
    sayings lost beyond the bounds (`dropped`), sayings that the store rejected (`refused`), and since when the store
    is away (seconds since the epoch; None: it is available)."""

    written: int
    waiting: int
    spooled: int
    dropped: int
    refused: int
    away_since: float | None


class StoreSink:
    """Writes the sayings of one run to a store. `take` costs microseconds, whatever the store does.

    `identity` names the run within which ids of findings and incidents are unique. A process that continues the ids of
    an earlier one (from a checkpoint) passes that one's identity; all others leave it out and get a new one.
    """

    def __init__(self, store: Store, spool: Path, *, identity: str | None = None, rows: int = ROWS,
                 every: float = EVERY, again: float = TRIED_EVERY, bound: int = BOUND) -> None:
        self.identity = identity or uuid.uuid4().hex
        self._store = store
        self._rows, self._every, self._again = rows, every, again
        self._run = RunOf(self.identity, store.address.writer, "live", f"sipaudit {__version__}")
        self._spool = Spool(spool, self._run, bound=bound)
        self._pending: dict[object, Saying] = {}
        self._change = threading.Condition()
        self._relieving = threading.RLock()     # one thread at a time moves the batch in hand to disk
        self._in_hand: dict[object, Saying] = {}
        self._full = False      # whether the last append to the spool failed
        self._reach = Reach(store, again, rest=every)
        if store.fault is not None:
            self._reach.fails(store.fault)
        self._dropped = self._told = 0
        self._relief: threading.Thread | None = None
        self._ends = False
        if len(self._spool):
            LOG.warning("%d sayings of an earlier run wait for the store", len(self._spool))
        self._thread = threading.Thread(target=self._work, name="store", daemon=True)
        self._thread.start()

    # what the driver calls

    def take(self, saying: Saying) -> None:
        """Queue a saying for the next batch. It replaces a queued saying about the same thing."""
        name: object = saying.id if isinstance(saying, Withdrawn) else name_of(saying)
        if name is not None:
            self._wait(name, saying)

    def learn(self, saying: Saying) -> None:
        """Queue a finding or incident that an earlier process of this run reported and that still stands, in case that
        process was killed before it was written; other sayings are ignored."""
        if isinstance(saying, FindingSaid | IncidentSaid):
            self._wait(("stood", name_of(saying)), Stood(saying.time, saying))

    def make_good(self, sayings: Iterable[Saying], now: float | None) -> None:
        """Spool the last sayings of an earlier process of this run, in their order: it may have been killed before they
        were written.  Nothing was captured from then until `now` (None: nothing was missed), so registrations that
        were open are ended: how they went on is unknown."""
        said = list(sayings)
        last = {name_of(saying): saying for saying in said if isinstance(saying, RegistrationSaid)}
        if now is not None:
            said += [_ended(saying, now) for saying in last.values() if saying.registration.end is None]
        with self._relieving:   # on disk, after the sayings that the earlier process spooled
            self._keep(dict(enumerate(said)))

    def _wait(self, name: object, saying: Saying) -> None:
        with self._change:
            self._pending.pop(name, None)       # a replaced saying moves to the end
            self._pending[name] = saying
            if len(self._pending) > WAITING:
                del self._pending[next(iter(self._pending))]
                self._dropped += 1
            if len(self._pending) == self._rows:
                self._change.notify()

    def turn(self, now: float) -> None:  # noqa: ARG002 - a store hangs by a clock that nobody sets
        """Move queued sayings to disk if the store does not respond, and log what was lost since the last turn."""
        asked, is_relieved = self._reach.asked, self._relief is not None and self._relief.is_alive()
        if asked is not None and time.monotonic() - asked > HANGS and not is_relieved and self.standing().waiting:
            self._relief = threading.Thread(target=self._relieve, name="store relief", daemon=True)
            self._relief.start()
        self._say_lost()

    def _say_lost(self) -> None:
        lost = self._dropped + self._spool.dropped
        if lost > self._told:
            LOG.error("the store %s is behind: %d sayings lost so far", self._store.address.shown, lost)
            turned_away("store", lost - self._told)
            self._told = lost

    def standing(self) -> Standing:
        """The current state of the sink."""
        return Standing(self._reach.written, len(self._pending) + len(self._in_hand), len(self._spool),
                        self._dropped + self._spool.dropped, self._reach.refused, self._reach.away)

    def close(self) -> None:
        """Write the queued sayings, or spool them if the store does not take them within PATIENCE seconds."""
        with self._change:
            if self._ends:
                return
            self._ends = True
            self._change.notify()
        self._thread.join(PATIENCE)
        if self._thread.is_alive():             # it hangs in a store that does not respond
            if not self._relieve_soon():
                LOG.error("the disk does not answer: what waits for the store is lost")
        else:
            self._store.close()
        if len(self._spool):
            LOG.warning("%d sayings are kept on disk until the store is back", len(self._spool))
        self._spool.close()
        self._say_lost()

    def _relieve_soon(self) -> bool:
        """Move all queued sayings to disk; whether that ended within PATIENCE seconds."""
        relief = threading.Thread(target=self._relieve, name="store relief", daemon=True)
        relief.start()
        relief.join(PATIENCE)
        return not relief.is_alive()

    def _relieve(self) -> None:
        """Move the queued sayings and the thread's batch in hand to disk: the store may not respond for long."""
        with self._relieving:
            with self._change:
                left = _before(self._in_hand, self._pending)
                self._in_hand, self._pending = {}, {}
            self._keep(left)

    # the thread

    def _work(self) -> None:
        while not self._ended():
            try:
                self._step()
            except Exception as error:  # otherwise a bug of ours would end all writing for weeks
                told = safe_text("".join(traceback.format_exception(error)))
                LOG.error("writing to the store failed in a way that was not foreseen: %s", told)
                self._reach.fails(error)
                with self._relieving:
                    self._lose(self._in_hand)
                    self._in_hand = {}

    def _ended(self) -> bool:
        with self._change:
            is_replaying = self._reach.away is None and len(self._spool) > 0
            if not self._ends and (self._full or len(self._pending) < self._rows) and not is_replaying:
                self._change.wait(self._every if self._reach.away is None else min(self._every, self._again))
            return self._ends and not self._pending and not (self._reach.away is None and len(self._spool))

    def _step(self) -> None:
        """Write a batch from memory to the store, or append it to the spool."""
        with self._change:
            self._in_hand = {name: self._pending.pop(name) for name in list(islice(self._pending, self._rows))}
        batch = list(self._in_hand.values())
        is_due = self._ends or self._reach.is_due
        is_written = is_due and self._replay() and not len(self._spool) and self._reach.put(self._run, batch)
        with self._relieving:
            if is_written:
                self._full = False
            else:
                self._keep(self._in_hand)
            self._in_hand = {}
        if self._reach.away is None:
            self._reach.prune_some()

    def _replay(self) -> bool:
        """Write the oldest file of the spool, if any, to the store. Returns false if the store is away."""
        waiting = self._spool.oldest()
        if waiting is None:
            return True
        run, sayings = waiting
        while batch := list(islice(sayings, self._rows)):
            if not self._reach.put(run, batch):
                return False
        self._spool.remove()
        return True

    def _keep(self, sayings: dict[object, Saying]) -> None:
        """Append sayings to the spool. If that fails, they go back to memory until the disk or the store takes them; at
        the end of the run they are lost."""
        if not sayings:
            return
        try:
            self._spool.append(list(sayings.values()))
        except OSError as error:
            self._say_full(error)
            if self._ends:
                self._lose(sayings)
            else:
                self._put_back(sayings)
        else:
            self._full = False

    def _say_full(self, error: OSError) -> None:
        if not self._full:
            LOG.error("what the store cannot take cannot be kept on disk either, and waits in memory: %s", error)
        self._full = True

    def _put_back(self, sayings: dict[object, Saying]) -> None:
        """Put sayings back at the front of the queue in memory; beyond the bound the oldest are dropped."""
        with self._change:
            self._pending = _before(sayings, self._pending)
            for name in list(islice(self._pending, max(len(self._pending) - WAITING, 0))):
                del self._pending[name]
                self._dropped += 1

    def _lose(self, sayings: Sized) -> None:
        with self._change:      # `take` changes the count as well
            self._dropped += len(sayings)


def _before(older: dict[object, Saying], newer: dict[object, Saying]) -> dict[object, Saying]:
    """The older sayings and then the newer ones, without older ones that a newer one replaces."""
    return {name: saying for name, saying in older.items() if name not in newer} | newer


def _ended(said: RegistrationSaid, now: float) -> RegistrationSaid:
    """The end of a registration that nobody followed until `now`: it expired before, or ends then as unknown."""
    row = said.registration
    over = row.until is not None and row.until <= now
    until = row.until if over else now
    return replace(said, registration=replace(row, until=until, end="expired" if over else "unknown"))


def open_sink(url: str, spool: Path, *, identity: str | None = None, goes_on: bool = False) -> StoreSink:
    """Open the sink of a live run: `url` is that of --store, `spool` the directory of the spool, beside the checkpoint.
    Raises InputError if the store cannot be opened now. With `goes_on`, the run continues from a checkpoint: its store
    existed, so one that cannot be reached is treated as away and is retried."""
    store = open_for_writing(url, later=goes_on)
    try:
        return StoreSink(store, spool, identity=identity)
    except BaseException:
        store.close()
        raise
