"""What was said since the last checkpoint, so that whoever starts from it neither says it again nor contradicts it, and
the store gets all of it: what the store had not yet written went with the process that was killed. As it may be some
seconds behind, what was said between the last two checkpoints is kept as well."""

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

MOMENT = 0.05       # seconds for which what is said waits for the disk
PATIENCE = 2.0      # seconds for which a slow disk is waited for, where something depends on it
WAITING = 8 << 20   # bytes that wait for the disk
BOUND = 64 << 20    # bytes, beyond which only findings and incidents are noted until the next checkpoint

Judged = FindingSaid | IncidentSaid | Withdrawn
Seen = (MoveSaid | TrySaid | RegistrationSaid | CallSaid | LineSaid | ServerSaid | MinuteSaid | EventSaid | NoteSaid)
_DECODER = msgspec.json.Decoder(Judged | Seen, dec_hook=read_proof)   # what only counts goes on from the checkpoint


class Journal:
    """A sink beside the checkpoint `path`: all that happens once, a line each.
    `turned` before a checkpoint is begun, `cut` when it is there. `log` is told once when it cannot be written. What
    was said in a turn is on the disk a moment later; a thread writes it, and a disk that hangs holds up nothing."""

    def __init__(self, path: Path, log: Callable[[str], None]) -> None:
        self._new, self._old, self._past = (
            path.with_name(path.name + end) for end in (".said", ".said.old", ".said.past"))
        self._syncer, self._aside = Syncer(), Aside("journal")
        self._log = log
        self._lines: list[bytes] = []   # of this turn
        self._waiting = Count()         # handed to the thread, and not yet written
        self._file: IO[bytes] | None = None
        self._failed = False
        self._bytes, self._apart = _size(self._new), _size(self._old)   # the latter of checkpoints that did not come

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
        """What was said in this turn is out of our hands: written before others tell it, unless the disk is slow."""
        if self._lines:
            was_idle = self._aside.idle
            self._aside.put(partial(self._write, b"".join(self._lines)))
            self._lines = []
            if was_idle:
                self.is_written(MOMENT)

    def _write(self, lines: bytes) -> None:
        """In the thread. What a full disk does not take is lost."""
        try:
            file = self._opened()
            if file.write(lines) < len(lines):
                raise OSError(ENOSPC, os.strerror(ENOSPC))
            self._bytes += len(lines)
            self._syncer.sync(file.fileno())
        except OSError as error:
            self._close()   # it may have broken off within a line
            self._fails(error)
        finally:
            self._waiting.add(-len(lines))

    def _opened(self) -> IO[bytes]:
        if self._file is None:
            self._file = self._new.open("ab", buffering=0)
            if self._file.tell():   # whoever was killed may have broken off within a line
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
        """Whether what was said in the turns before is written within so many seconds."""
        return self._aside.settled(seconds)

    def is_synced(self) -> bool:
        """Whether what was said in the turns before would outlive power loss."""
        return self._aside.idle and self._syncer.idle

    def turned(self) -> None:
        """A checkpoint begins that knows all that was said until now. Raises OSError where that cannot be set apart
        from what is said later, or not soon; then no checkpoint must begin."""
        self.turn(0.0)
        if not self._aside.done(self._turn_over, PATIENCE):
            raise OSError(ETIMEDOUT, "the disk does not answer")

    def _turn_over(self) -> None:
        self._close()
        if self._new.exists():
            self._set_apart()
        self._bytes, self._apart = 0, _size(self._old)

    def _set_apart(self) -> None:
        if self._old.exists():   # of a checkpoint that did not come about
            _append(self._old, b"\n" + self._new.read_bytes())   # the last line may have broken off
            self._new.unlink()
        else:
            self._new.rename(self._old)

    def cut(self) -> None:
        """That checkpoint is there."""
        self._apart = 0
        self._aside.put(self._cut)

    def _cut(self) -> None:
        """What it knows is kept once more as what was said before; where it cannot be, the next run reads it anew."""
        with suppress(OSError):
            self._let_go()

    def _let_go(self) -> None:
        if self._old.exists():
            self._old.replace(self._past)
        else:
            self._past.unlink(missing_ok=True)

    def read(self) -> Iterator[Judged | Seen]:
        """What was said since the last checkpoint; a line that breaks off is none."""
        yield from self._read(self._old, self._new)

    def read_before(self) -> Iterator[Judged | Seen]:
        """What was said between the last checkpoint and the one before it, which the last one knows."""
        yield from self._read(self._past)

    def _read(self, *paths: Path) -> Iterator[Judged | Seen]:
        self.is_written(PATIENCE)
        for path in filter(Path.exists, paths):
            for line in path.read_bytes().splitlines():
                with suppress(msgspec.MsgspecError):
                    yield _DECODER.decode(line)

    def clear(self) -> None:
        """A run begins that goes on from nothing: what another one said is not its own."""
        self.is_written(PATIENCE)
        for path in (self._past, self._old, self._new):
            path.unlink(missing_ok=True)

    def close(self) -> None:
        """What was said is written, where the disk takes it within seconds."""
        self.turn(0.0)
        self._aside.put(self._close)
        self.is_written(PATIENCE)
        self._aside.close()
        self._syncer.close()

    def _close(self) -> None:
        if self._file is not None:
            with suppress(OSError):   # all was written
                self._file.close()
            self._file = None


def _size(path: Path) -> int:
    return path.stat().st_size if path.exists() else 0


def _append(path: Path, data: bytes) -> None:
    """All of it or, where the disk is full, nothing."""
    size = path.stat().st_size
    try:
        with path.open("ab", buffering=0) as file:
            if file.write(data) < len(data):
                raise OSError(ENOSPC, os.strerror(ENOSPC))
    except OSError:
        with suppress(OSError):
            os.truncate(path, size)
        raise
