"""The sayings since the last checkpoint, so that a run that goes on from it neither repeats nor contradicts them, and
the store gets all of them: sayings that the store had not yet written are lost with a killed process. Since the store
may be some seconds behind, the sayings between the last two checkpoints are kept as well."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from contextlib import suppress
from errno import ENOSPC, ETIMEDOUT
from functools import partial
from pathlib import Path
from typing import IO

import msgspec

from sipaudit.live.aside import Aside, Count
from sipaudit.live.synced import Syncer
from sipaudit.model.sayings import (
    CallSaid,
    EventSaid,
    FindingSaid,
    IncidentSaid,
    LineSaid,
    MinuteSaid,
    MoveSaid,
    NoteSaid,
    RegistrationSaid,
    Saying,
    ServerSaid,
    TrySaid,
    Withdrawn,
)
from sipaudit.model.values import read_proof
from sipaudit.safe_json import to_json
from sipaudit.turned_away import turned_away

MOMENT = 0.05       # seconds that a turn waits for the disk
PATIENCE = 2.0      # seconds to wait for a slow disk where something depends on it
WAITING = 8 << 20   # bytes that may be queued for the disk
BOUND = 64 << 20    # bytes of the files; beyond them only findings and incidents are noted until the next checkpoint

Judged = FindingSaid | IncidentSaid | Withdrawn
Seen = (MoveSaid | TrySaid | RegistrationSaid | CallSaid | LineSaid | ServerSaid | MinuteSaid | EventSaid | NoteSaid)
_DECODER = msgspec.json.Decoder(Judged | Seen, dec_hook=read_proof)   # counters simply go on from the checkpoint


class Journal:
    """A sink that writes files beside the checkpoint `path`: a line of JSON for each saying of something that happens
    once. Call `turned` before a checkpoint begins, `cut` when it is complete. `log` takes one warning when writing
    fails. The sayings of a turn are on disk a moment later; a thread writes them, so a hanging disk blocks nothing."""

    def __init__(self, path: Path, log: Callable[[str], None]) -> None:
        self._new, self._old, self._past = (
            path.with_name(path.name + end) for end in (".said", ".said.old", ".said.past"))
        self._syncer, self._aside = Syncer(), Aside("journal")
        self._log = log
        self._lines: list[bytes] = []   # of this turn
        self._waiting = Count()         # bytes that are not yet written
        self._file: IO[bytes] | None = None
        self._failed = False
        self._bytes, self._apart = _size(self._new), _size(self._old)   # the latter from failed checkpoints

    def take(self, saying: Saying) -> None:
        if isinstance(saying, Judged | Seen):
            if self._has_room(saying):
                line = to_json(saying) + b"\n"
                self._lines.append(line)
                self._waiting.add(len(line))
            else:
                turned_away("journal")

    def _has_room(self, saying: Saying) -> bool:
        waiting = self._waiting.now
        room = isinstance(saying, Judged) or self._bytes + self._apart + waiting < BOUND
        return room and waiting < WAITING

    def turn(self, now: float) -> None:  # noqa: ARG002 - a sink's signature
        """Hand the sayings of this turn to the thread: they are written before other sinks tell them, unless the disk
        is slow."""
        if self._lines:
            was_idle = self._aside.idle
            self._aside.put(partial(self._write, b"".join(self._lines)))
            self._lines = []
            if was_idle:
                self.is_written(MOMENT)

    def _write(self, lines: bytes) -> None:
        """Runs in the thread. Lines that a full disk does not take are lost."""
        try:
            file = self._opened()
            if file.write(lines) < len(lines):
                raise OSError(ENOSPC, os.strerror(ENOSPC))
            self._bytes += len(lines)
            self._syncer.sync(file.fileno())
        except OSError as error:
            self._close()   # the last line may be incomplete
            self._fails(error)
        finally:
            self._waiting.add(-len(lines))

    def _opened(self) -> IO[bytes]:
        if self._file is None:
            self._file = self._new.open("ab", buffering=0)
            if self._file.tell():   # the last line of a killed process may be incomplete
                self._file.write(b"\n")
            self._bytes = self._file.tell()
            self._new.chmod(0o600)
            self._syncer.sync_names(self._new.parent)
        return self._file

    def _fails(self, error: OSError) -> None:
        if not self._failed:
            self._failed = True
            self._log(f"{self._new} cannot be written: {error.strerror}; after a crash findings may be said twice")

    def is_written(self, seconds: float) -> bool:
        """Whether the sayings of earlier turns are written within so many seconds."""
        return self._aside.settled(seconds)

    def is_synced(self) -> bool:
        """Whether the sayings of earlier turns would survive power loss."""
        return self._aside.idle and self._syncer.idle

    def turned(self) -> None:
        """Call this before a checkpoint, which knows all sayings so far: it sets them apart from later ones. Raises
        OSError where that fails or takes longer than PATIENCE; then no checkpoint must begin."""
        self.turn(0.0)
        if not self._aside.done(self._turn_over, PATIENCE):
            raise OSError(ETIMEDOUT, "the disk does not answer")

    def _turn_over(self) -> None:
        self._close()
        if self._new.exists():
            self._set_apart()
        self._bytes, self._apart = 0, _size(self._old)

    def _set_apart(self) -> None:
        if self._old.exists():   # of a checkpoint that failed
            _append(self._old, b"\n" + self._new.read_bytes())   # the last line may be incomplete
            self._new.unlink()
        else:
            self._new.rename(self._old)

    def cut(self) -> None:
        """That checkpoint is complete."""
        self._apart = 0
        self._aside.put(self._cut)

    def _cut(self) -> None:
        """Keep the sayings that the checkpoint knows for `read_before`; where that fails, the next run takes them for
        later ones."""
        with suppress(OSError):
            self._let_go()

    def _let_go(self) -> None:
        if self._old.exists():
            self._old.replace(self._past)
        else:
            self._past.unlink(missing_ok=True)

    def read(self) -> Iterator[Judged | Seen]:
        """The sayings since the last checkpoint; incomplete lines are skipped."""
        yield from self._read(self._old, self._new)

    def read_before(self) -> Iterator[Judged | Seen]:
        """The sayings between the last checkpoint, which knows them, and the one before it."""
        yield from self._read(self._past)

    def _read(self, *paths: Path) -> Iterator[Judged | Seen]:
        self.is_written(PATIENCE)
        for path in filter(Path.exists, paths):
            for line in path.read_bytes().splitlines():
                with suppress(msgspec.MsgspecError):
                    yield _DECODER.decode(line)

    def clear(self) -> None:
        """Delete the files: a new run begins, to which the sayings of another run do not belong."""
        self.is_written(PATIENCE)
        for path in (self._past, self._old, self._new):
            path.unlink(missing_ok=True)

    def close(self) -> None:
        """Write what is queued, if the disk takes it within seconds, and end the threads."""
        self.turn(0.0)
        self._aside.put(self._close)
        self.is_written(PATIENCE)
        self._aside.close()
        self._syncer.close()

    def _close(self) -> None:
        if self._file is not None:
            with suppress(OSError):   # everything is written already
                self._file.close()
            self._file = None


def _size(path: Path) -> int:
    return path.stat().st_size if path.exists() else 0


def _append(path: Path, data: bytes) -> None:
    """Append all of the data or, if the disk is full, nothing. Raises OSError."""
    size = path.stat().st_size
    try:
        with path.open("ab", buffering=0) as file:
            if file.write(data) < len(data):
                raise OSError(ENOSPC, os.strerror(ENOSPC))
    except OSError:
        with suppress(OSError):
            os.truncate(path, size)
        raise
