"""The directory of `-o`: our files are written to a folder inside it and moved into place together; others stay."""

from __future__ import annotations

import os
import re
import shutil
import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from types import TracebackType

from sipaudit.errors import InputError

FILES = ("report.html", "report.json", "report.md", "findings.csv", "messages.parquet", "comparison.json")
EVIDENCE = "evidence"
EVIDENCE_FILE = re.compile(r"f-\d{6,}\.pcapng")


class Folder:
    """An output directory that is being written. The context ends with all files in place, or with nothing changed.

    A file with one of our names that was not written this time is removed when the context ends, since it is of another
    run; names in `kept` are left as they are.
    """

    def __init__(self, directory: str, kept: tuple[str, ...] = ()) -> None:
        self.place = Path(directory)
        self._kept = kept
        self._aside = self.place / f".sipaudit-{os.urandom(8).hex()}"   # unlike the one that a killed run may have left
        self._made: list[Path] = []

    def path(self, name: str) -> Path:
        """Where to write the file `name` (such as `evidence/f-000001.pcapng`) until it is moved into place."""
        path = self._aside / name
        path.parent.mkdir(exist_ok=True)
        return path

    def __enter__(self) -> Folder:
        self._made = [folder for folder in (self.place, *self.place.parents) if not folder.exists()]
        try:
            self.place.mkdir(parents=True, exist_ok=True)
            self._aside.mkdir()
        except OSError as error:  # /proc looks writable, and is not
            self._unmake()
            raise InputError(f"cannot be made: {error.strerror}", fix="name another directory", file=str(self.place)
                             ) from error
        except BaseException:   # Ctrl-C, before anybody will call `__exit__`
            self._undo()
            raise
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
                 ) -> None:
        if kind is None:
            with _undisturbed():
                self._put_in_place()
            shutil.rmtree(self._aside, ignore_errors=True)
        else:
            self._undo()

    def _undo(self) -> None:
        shutil.rmtree(self._aside, ignore_errors=True)
        self._unmake()

    def _unmake(self) -> None:
        with suppress(OSError):  # it was not made, or is no longer empty
            for folder in self._made:
                folder.rmdir()

    def _put_in_place(self) -> None:
        for name in FILES:
            self._replace(name)
        if EVIDENCE in self._kept:
            return
        made, standing = self._aside / EVIDENCE, self.place / EVIDENCE
        names = [path.name for folder in (made, standing) if folder.is_dir() for path in folder.iterdir()]
        if made.is_dir():
            standing.mkdir(exist_ok=True)
        for name in filter(EVIDENCE_FILE.fullmatch, dict.fromkeys(names)):
            self._replace(f"{EVIDENCE}/{name}")
        if standing.is_dir() and not any(standing.iterdir()):
            standing.rmdir()

    def _replace(self, name: str) -> None:
        made, standing = self._aside / name, self.place / name
        if made.exists():
            made.replace(standing)
        elif name not in self._kept:
            standing.unlink(missing_ok=True)


@contextmanager
def _undisturbed() -> Iterator[None]:
    """Ignore Ctrl-C and SIGTERM meanwhile: otherwise some files could be of this run and some of another."""
    if threading.current_thread() is not threading.main_thread():  # signals go to the main thread only
        yield
        return
    before = {number: signal.signal(number, signal.SIG_IGN) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def check(directory: str) -> None:
    """Check that we can write the output directory, before any work is done. Raises InputError."""
    place = Path(directory)
    if not directory:
        raise InputError("--output names no directory", fix="name one, or . for this one")
    if place.exists() and not place.is_dir():
        raise InputError("is a file, --output needs a directory", fix="name another one", file=directory)
    standing = next(folder for folder in (place, *place.absolute().parents) if folder.exists())
    if not standing.is_dir() or not os.access(standing, os.W_OK | os.X_OK):
        raise InputError(f"cannot be written: {standing} lets this user make nothing in it",
                         fix="name another directory", file=directory)
    for name in (*FILES, EVIDENCE):
        if (place / name).exists() and (place / name).is_dir() is not (name == EVIDENCE):
            what = "a file" if name == EVIDENCE else "a directory"
            raise InputError(f"is {what}, but sipaudit writes that name", fix="move it away", file=str(place / name))
