"""The store as an end of a live run: sayings are taken at once, and written by a thread of their own.

What waits is in one of two places: in memory until the next batch, or in the spool on disk while the store is away.
As long as the spool holds anything, what is new goes behind it, so that the store sees everything in order.  What that
disk does not take either waits in memory.
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

ROWS = 1_000            # sayings written in one transaction at most
EVERY = 1.0             # seconds that a saying waits for others at most
WAITING = 20_000        # sayings in memory at most
TRIED_EVERY = 2.0       # seconds until a store that is away is tried again
HANGS = 10.0            # seconds without an answer of the store, after which what waits behind it goes to disk
PATIENCE = 8.0          # seconds that the end of the run waits for the last batches


@dataclass(frozen=True)
class Standing:
    """How the sink stands: rows in the store, sayings that wait in memory and on disk, sayings lost beyond the bounds,
    sayings that the store did not take, and since when it is away (seconds since the epoch; None: it is there)."""

    written: int
    waiting: int
    spooled: int
    dropped: int
    refused: int
    away_since: float | None


class StoreSink:
    """Sayings of one run into a store. `take` costs microseconds, whatever the store does.

    `identity` names the run within which ids of findings and incidents are unique: who goes on with the ids of an
    earlier process (from a checkpoint) goes on with its identity, all others leave it out and get a new one.
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
        self._relieving = threading.RLock()     # one at a time moves what is in hand to disk
        self._in_hand: dict[object, Saying] = {}
        self._full = False      # whether the disk of the spool took nothing the last time
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
        """Keep a saying for the next batch; what was said of the same thing and is not written yet, it replaces."""
        name: object = saying.id if isinstance(saying, Withdrawn) else name_of(saying)
        if name is not None:
            self._wait(name, saying)

    def learn(self, saying: Saying) -> None:
        """Keep what an earlier process of this run has said and what stands, in case it was killed before that was
        written."""
        if isinstance(saying, FindingSaid | IncidentSaid):
            self._wait(("stood", name_of(saying)), Stood(saying.time, saying))

    def make_good(self, sayings: Iterable[Saying], now: float | None) -> None:
        """Keep what an earlier process of this run has said last, in its order: it may have been killed before that was
        written.  Nobody listened until `now` (None: nothing was missed): what became of registrations is not known."""
        said = list(sayings)
        last = {name_of(saying): saying for saying in said if isinstance(saying, RegistrationSaid)}
        if now is not None:
            said += [_ended(saying, now) for saying in last.values() if saying.registration.end is None]
        with self._relieving:   # on disk, behind what the earlier process has left there
            self._keep(dict(enumerate(said)))

    def _wait(self, name: object, saying: Saying) -> None:
        with self._change:
            self._pending.pop(name, None)       # behind what was said since
            self._pending[name] = saying
            if len(self._pending) > WAITING:
                del self._pending[next(iter(self._pending))]
                self._dropped += 1
            if len(self._pending) == self._rows:
                self._change.notify()

    def turn(self, now: float) -> None:  # noqa: ARG002 - a store hangs by a clock that nobody sets
        """Look after a store that does not answer, and say what was lost since the last turn."""
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
        """How it stands now."""
        return Standing(self._reach.written, len(self._pending) + len(self._in_hand), len(self._spool),
                        self._dropped + self._spool.dropped, self._reach.refused, self._reach.away)

    def close(self) -> None:
        """Write what waits, or put it on disk when the store does not take it within seconds."""
        with self._change:
            if self._ends:
                return
            self._ends = True
            self._change.notify()
        self._thread.join(PATIENCE)
        if self._thread.is_alive():             # it waits for a store that does not answer
            if not self._relieve_soon():
                LOG.error("the disk does not answer: what waits for the store is lost")
        else:
            self._store.close()
        if len(self._spool):
            LOG.warning("%d sayings are kept on disk until the store is back", len(self._spool))
        self._spool.close()
        self._say_lost()

    def _relieve_soon(self) -> bool:
        """Whether the disk took it."""
        relief = threading.Thread(target=self._relieve, name="store relief", daemon=True)
        relief.start()
        relief.join(PATIENCE)
        return not relief.is_alive()

    def _relieve(self) -> None:
        """What waits for the thread, and what it has in hand, to disk: it may wait for long."""
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
            except Exception as error:  # else a mistake of ours would end all writing for weeks
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
        """A batch from memory, into the store or behind what waits for it on disk."""
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
        """The oldest file of the spool into the store, and whether the store was there for it."""
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
        """On disk, behind what is there; where it takes nothing, in memory, until it does or the store is back."""
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
        """Before what was said since; beyond the bound the oldest are lost."""
        with self._change:
            self._pending = _before(sayings, self._pending)
            for name in list(islice(self._pending, max(len(self._pending) - WAITING, 0))):
                del self._pending[name]
                self._dropped += 1

    def _lose(self, sayings: Sized) -> None:
        with self._change:      # `take` counts as well
            self._dropped += len(sayings)


def _before(older: dict[object, Saying], newer: dict[object, Saying]) -> dict[object, Saying]:
    """Both in their order, without what was said again."""
    return {name: saying for name, saying in older.items() if name not in newer} | newer


def _ended(said: RegistrationSaid, now: float) -> RegistrationSaid:
    """A registration that nobody followed until then."""
    row = said.registration
    over = row.until is not None and row.until <= now
    until = row.until if over else now
    return replace(said, registration=replace(row, until=until, end="expired" if over else "unknown"))


def open_sink(url: str, spool: Path, *, identity: str | None = None, goes_on: bool = False) -> StoreSink:
    """The sink of a live run: `url` is that of --store, `spool` a directory beside the checkpoint. Raises InputError
    when the store cannot be opened now, unless the run `goes_on`: its store was there, and is waited for as if it had
    gone away later."""
    store = open_for_writing(url, later=goes_on)
    try:
        return StoreSink(store, spool, identity=identity)
    except BaseException:
        store.close()
        raise
