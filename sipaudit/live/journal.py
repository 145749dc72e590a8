"""What was said since the last checkpoint, so that whoever starts from it neither says it again nor contradicts it, and
the store gets all of it: what the store had not yet written went with the process that was killed. As it may be some
seconds behind, what was said between the last two checkpoints is kept as well."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from contextlib import suppress
from errno import ENOSPC
from pathlib import Path
from typing import IO

import msgspec

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

BOUND = 64 << 20   # bytes, beyond which only findings and incidents are noted until the next checkpoint

Judged = FindingSaid | IncidentSaid | Withdrawn
Seen = (MoveSaid | TrySaid | RegistrationSaid | CallSaid | LineSaid | ServerSaid | MinuteSaid | EventSaid | NoteSaid)
_DECODER = msgspec.json.Decoder(Judged | Seen, dec_hook=read_proof)   # what only counts goes on from the checkpoint


class Journal:
    """A sink beside the checkpoint `path`: all that happens once, a line each.
    `turned` before a checkpoint is begun, `cut` when it is there. `log` is told once when it cannot be written. What
    was said in a turn is on the disk a moment later."""

    def __init__(self, path: Path, log: Callable[[str], None]) -> None:
        self._new, self._old, self._past = (
            path.with_name(path.name + end) for end in (".said", ".said.old", ".said.past"))
        self._syncer = Syncer()
        self._log = log
        self._file: IO[bytes] | None = None
        self._failed = False
        self._bytes = self._apart = 0   # of the file that is written, and of those of checkpoints that did not come

    def take(self, saying: Saying) -> None:
        if isinstance(saying, Judged):
            self._write(saying)
        elif isinstance(saying, Seen):
            if self._bytes + self._apart < BOUND:
                self._write(saying)
            else:
                turned_away("journal")

    def _write(self, saying: Saying) -> None:
        try:
            file = self._opened()
            self._bytes += file.write(to_json(saying) + b"\n")
        except OSError as error:
            self._fails(error)

    def _opened(self) -> IO[bytes]:
        if self._file is None:
            self._file = self._new.open("ab")
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

    def turn(self, now: float) -> None:  # noqa: ARG002 - a sink's signature
        """What was said in this turn is out of our hands."""
        try:
            if self._file is not None:
                self._file.flush()
                self._syncer.sync(self._file.fileno())
        except OSError as error:
            self._fails(error)

    def is_synced(self) -> bool:
        """Whether what was said in the turns before would outlive power loss."""
        return self._syncer.idle

    def turned(self) -> None:
        """A checkpoint begins that knows all that was said until now. Raises OSError where that cannot be set apart
        from what is said later; then no checkpoint must begin."""
        if self._file is not None:
            self.turn(0.0)
            self._close()
        if self._new.exists():
            self._set_apart()
        self._bytes, self._apart = 0, self._old.stat().st_size if self._old.exists() else 0

    def _set_apart(self) -> None:
        if self._old.exists():   # of a checkpoint that did not come about
            _append(self._old, b"\n" + self._new.read_bytes())   # the last line may have broken off
            self._new.unlink()
        else:
            self._new.rename(self._old)

    def cut(self) -> None:
        """That checkpoint is there."""
        self._apart = 0
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
        for path in filter(Path.exists, paths):
            for line in path.read_bytes().splitlines():
                with suppress(msgspec.MsgspecError):
                    yield _DECODER.decode(line)

    def clear(self) -> None:
        """A run begins that goes on from nothing: what another one said is not its own."""
        for path in (self._past, self._old, self._new):
            path.unlink(missing_ok=True)

    def close(self) -> None:
        self._close()
        self._syncer.close()

    def _close(self) -> None:
        if self._file is not None:
            try:
                self._file.close()
            except OSError as error:
                self._fails(error)
            self._file = None


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
