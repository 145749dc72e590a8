"""Writes to a store that may become unavailable and come back, and keeps track of whether it is available."""

from __future__ import annotations

import logging
import time
from collections.abc import Iterator, Sequence
from itertools import islice

from sqlalchemy.exc import DataError, DBAPIError, IntegrityError, SQLAlchemyError, StatementError

from sipaudit.model.sayings import Saying
from sipaudit.store.opening import Store
from sipaudit.store.retention import DAY, Trust, prune
from sipaudit.store.writing import RunOf, write

PRUNED_EVERY = DAY / 24
PRUNED_AT_ONCE = 5      # deleting transactions after each batch, at most

LOG = logging.getLogger("sipaudit.store")


class Reach:
    """The writing side of a store. One thread calls its methods; others may read its attributes.

    `written` counts the rows written, `refused` the sayings that the store rejected. `away` is since when the store is
    unavailable (seconds since the epoch; None: it is available), `asked` the start of the write that is under way
    (monotonic clock; None: none is). A store that is away is retried after `again` seconds; rows that are too old are
    deleted for the first time after `rest` seconds.
    """

    def __init__(self, store: Store, again: float, rest: float) -> None:
        self.written = self.refused = 0
        self.away: float | None = None
        self.asked: float | None = None
        self._store = store
        self._again = again
        self._next_try = 0.0
        self._next_pruning = time.monotonic() + rest
        self._pruning: Iterator[int] = iter(())
        self._trust: Trust | None = None

    @property
    def is_due(self) -> bool:
        """Whether the store is available, or it is time to retry it."""
        return self.away is None or time.monotonic() >= self._next_try

    def put(self, run: RunOf, sayings: Sequence[Saying]) -> bool:
        """Write sayings. Returns false if the store is away; without sayings true, and the store is not used."""
        if not sayings:
            return True
        try:
            self._write(run, sayings)
        except Exception as error:
            return self.fails(error) if means_away(error) else self._put_one_by_one(run, sayings)
        return self._is_back()

    def _put_one_by_one(self, run: RunOf, sayings: Sequence[Saying]) -> bool:
        """Write sayings singly after the store rejected the content of one, so that only that one is lost."""
        for saying in sayings:
            try:
                self._write(run, [saying])
            except Exception as error:
                if means_away(error):
                    return self.fails(error)
                self.refused += 1
                LOG.error("the store refuses a saying (%s): %s", type(saying).__name__, self._store.trouble(error))
        return self._is_back()

    def _write(self, run: RunOf, sayings: Sequence[Saying]) -> None:
        self.asked = time.monotonic()
        try:
            if self.away is not None:
                self._store.try_again()
            self._trusted()   # before this write, as it compares our clock with the last one
            if self._store.make_sure():
                LOG.warning("the store %s was moved or removed: another one is written now", self._store.address.shown)
            with self._store.engine.begin() as connection:
                count = write(connection, run, sayings, time.time())
        finally:
            self.asked = None
        self.written += count

    def fails(self, error: Exception) -> bool:
        """Note that the store cannot be used now because of `error`. Always returns false, as `put` then does."""
        self._next_try = time.monotonic() + self._again
        if self.away is None:
            self.away = time.time()
            LOG.warning("the store %s is away: %s; what is said is kept on disk until it is back",
                        self._store.address.shown, self._store.trouble(error))
        return False

    def _is_back(self) -> bool:
        if self.away is not None:
            LOG.warning("the store %s is back after %.0f s", self._store.address.shown, time.time() - self.away)
            self.away = None
        return True

    def prune_some(self) -> None:
        """Delete some of the rows that are too old; called after each batch."""
        try:
            if time.monotonic() >= self._next_pruning:
                self._next_pruning = time.monotonic() + PRUNED_EVERY
                self._begin_to_prune()
            for _ in islice(self._pruning, PRUNED_AT_ONCE):
                pass
        except (SQLAlchemyError, OSError) as error:
            self.fails(error)

    def _begin_to_prune(self) -> None:
        engine, address = self._store.engine, self._store.address
        if self._trusted().holds():
            self._pruning = prune(engine, address.writer, address.days, time.time())
        else:
            LOG.warning("the clock is more than a day from where it was when the store was last written or looked at: "
                        "what is too old goes in an hour, if the clock is right")

    def _trusted(self) -> Trust:
        if self._trust is None:
            self._trust = Trust(self._store.engine, self._store.address.writer)
        return self._trust


def means_away(error: Exception) -> bool:
    """Whether the error means that the store is unavailable, not that it rejected the content of a row."""
    if isinstance(error, StatementError) and not isinstance(error, DBAPIError):
        return False
    return isinstance(error, SQLAlchemyError | OSError) and not isinstance(error, DataError | IntegrityError)
