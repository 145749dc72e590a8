"""Resolves the CAPTURE arguments of the command line to capture files (contract.md 1)."""

from __future__ import annotations

import os
import re
import shutil
import stat
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from glob import glob, has_magic
from itertools import islice
from pathlib import Path
from typing import IO

from sipaudit.capture import formats
from sipaudit.capture.health import CaptureHealth
from sipaudit.capture.packet import Batch
from sipaudit.capture.records import Records
from sipaudit.capture.streams import STDIN, DamagedStreamError, chunks, opened
from sipaudit.errors import InputError, InputErrors, collecting, raise_together, unreadable

_STOPPED_EARLY = "was the capture stopped before its first packet, or did its filter match nothing?"
_COPY_AGAIN = "copy the file again from where it was captured"
OURS = "evidence"   # folder written by `-o`: its packets are in the captures as well
CAPTURES = re.compile(r"\.p?cap(ng)?\d*(\.(gz|zst|lz4))?$", re.IGNORECASE)
LOOKED_AT = 100      # entries of a folder that are checked
LISTED = 20          # skipped files that are listed if no capture is left
_PIECE = 4096  # bytes to parse at a time when looking for the first packet


class _NoPacketError(InputError):
    """The capture can be read, but has no packet."""


@dataclass(frozen=True)
class CaptureFile:
    """A capture that can be read.

    `path` is the name that the user gave, `source` the path to open (for a spooled pipe, the spool); `plain`: a regular
    file, not compressed; `first`: time of its first packet in seconds since the epoch (None for a pipe that is read
    only once, since it is not examined beforehand); `link_types` those of the interfaces declared before that packet;
    `secrets`: TLS keys were found up to that packet; `size` in stored bytes (of a pipe: 0).
    """

    path: str
    source: str
    plain: bool = False
    first: float | None = None
    link_types: tuple[int, ...] = ()
    secrets: bool = False
    size: int = 0
    spool: IO[bytes] | None = None


@dataclass(frozen=True)
class Resolved:
    """The captures in the order given, and what was skipped, with the reasons."""

    files: list[CaptureFile]
    skipped: list[InputError]


def resolve(arguments: Sequence[str], *, reread: bool = False) -> Resolved:
    """The captures meant by files, patterns, directories (one level) and `-`. A file named twice, or several copies of
    one file, count once.

    A pipe is spooled to an unnamed temporary file if it will be read again (`reread`), or if its place among other
    captures must be known.  Raises InputError, for all named paths that are no captures together, and if no capture
    with a packet is left.
    """
    if not arguments:   # the command line prevents this
        raise InputError("no capture is named", fix="name files, patterns or directories")
    errors: list[InputError] = []
    paths = _meant(arguments, errors)
    spool = reread or len(paths) > 1
    found = _Found()
    without_packet: list[InputError] = []   # named, as by a shell's pattern: a ring's last file may be empty
    for path, named in paths:
        try:
            found.take(_capture_file(path, spool))
        except _NoPacketError as error:
            (without_packet if named else found.skipped).append(error)
        except InputError as error:
            (errors if named else found.skipped).append(error)
    if not found.files:
        errors += without_packet
    raise_together(errors)
    passed_over = [*without_packet, *found.skipped, *_not_searched(arguments)]
    if not found.files:
        raise InputErrors(list(_no_capture(arguments, found.skipped, passed_over)))
    return Resolved(found.files, passed_over)


def must_be_captures(arguments: Sequence[str]) -> None:
    """Raises InputError as `resolve` does, but checks only arguments that can be read again later: no pipes."""
    lasting = [argument for argument in arguments
               if _is_regular(argument) or _is_folder(argument) or has_magic(argument)]
    if lasting:
        resolve(lasting)


def _meant(arguments: Sequence[str], errors: list[InputError]) -> list[tuple[str, bool]]:
    """Each path that the arguments refer to, once and as first written, and whether the user named it. A pattern that
    matches nothing is added to `errors`."""
    paths: dict[str, tuple[str, bool]] = {}
    for argument in arguments:
        with collecting(errors):
            for path, named in _expand(argument):
                first, before = paths.get(os.path.realpath(path), (path, False))
                paths[os.path.realpath(path)] = first, before or named
    return list(paths.values())


def _no_capture(arguments: Sequence[str], skipped: Sequence[InputError], passed_over: Sequence[InputError]
                ) -> Iterator[InputError]:
    """The errors if no capture is left: that, and for up to LISTED skipped files the reason, since some may be captures
    that cannot be read here."""
    what = "none of its files is a capture" if skipped else "no file there"
    fix = "name a pcap or pcapng file; folders within a folder are not searched"
    yield InputError(what, fix=fix, file=" ".join(arguments))
    yield from passed_over[:LISTED]
    if len(passed_over) > LISTED:
        yield InputError(f"and {len(passed_over) - LISTED} more are none")


class _Found:
    """The captures found, in order and each once, and what was skipped."""

    def __init__(self) -> None:
        self.files: list[CaptureFile] = []
        self.skipped: list[InputError] = []
        self._alike: dict[tuple[int, float | None], list[CaptureFile]] = {}   # by length and first packet

    def take(self, file: CaptureFile) -> None:
        """Add a capture, unless it is a copy of one already found."""
        alike = self._alike.setdefault((file.size, file.first), [])
        copied = next((other for other in alike if _same_content(file, other)), None)
        if copied is None:
            alike.append(file)
            self.files.append(file)
        else:
            self.skipped.append(InputError(f"is a copy of {copied.path}", fix="name one of them", file=file.path))


def _same_content(one: CaptureFile, other: CaptureFile) -> bool:
    """Whether two files with the same length and first packet time are identical. Always false for pipes."""
    if not one.size:
        return False
    from filecmp import cmp  # deferred: there is seldom anything to compare

    try:
        return cmp(one.source, other.source, shallow=False)
    except OSError:   # reported when the file is read
        return False


def _expand(argument: str) -> Iterator[tuple[str, bool]]:
    """Paths, each with whether the user named it; pipes and folders found in a directory or by a pattern are left out.
    """
    if _is_folder(argument):
        yield from ((str(entry), False) for entry in sorted(Path(argument).iterdir()) if entry.is_file())
    elif argument != STDIN and has_magic(argument) and not os.path.exists(Path(argument)):  # noqa: PTH110 - the same
        found = sorted(glob(argument))  # noqa: PTH207 - a pattern may be absolute
        if not found:
            raise InputError("no file matches this pattern", fix="check the pattern", file=argument)
        yield from ((entry, False) for entry in found if Path(entry).is_file())
    else:
        yield argument, True


def _not_searched(arguments: Sequence[str]) -> Iterator[InputError]:
    """Reports folders with captures inside a named folder, since the user may believe that they were read."""
    named = {os.path.realpath(argument) for argument in arguments}
    for argument in filter(_is_folder, arguments):
        for folder in sorted(entry for entry in Path(argument).iterdir() if entry.is_dir()):
            if os.path.realpath(folder) not in named and folder.name != OURS and _holds_captures(folder):
                what = "is a folder within a folder, and not searched"
                yield InputError(what, fix="name it, too", file=str(folder))


def _is_folder(argument: str) -> bool:
    path = Path(argument)   # an empty argument means the current folder, as it does to Path
    return argument != STDIN and os.path.isdir(path)  # noqa: PTH112 - Path's raises where a folder above is closed


def _holds_captures(folder: Path) -> bool:
    """Whether a folder holds captures, by the names of its first LOOKED_AT entries: no file is opened."""
    try:
        return any(CAPTURES.search(entry.name) for entry in islice(folder.iterdir(), LOOKED_AT))
    except OSError:
        return False


def _capture_file(path: str, spool: bool) -> CaptureFile:
    """The capture at a path. Raises InputError if it is not a capture, or has no packet."""
    if _is_regular(path):
        return examine(path, _again(sys.stdin.fileno()) if path == STDIN else path)  # `< FILE` is a file, too
    if not spool:
        return CaptureFile(path, path)
    from tempfile import TemporaryFile  # deferred: most captures are not pipes

    held = TemporaryFile(prefix="sipaudit-")  # noqa: SIM115 - lives as long as the CaptureFile
    with opened(path) as stream:
        shutil.copyfileobj(stream, held)
    held.flush()
    return examine(path, _again(held.fileno()), held)


def _again(descriptor: int) -> str:
    """A path that opens the file behind a descriptor from its beginning."""
    return f"/dev/fd/{descriptor}"


def _is_regular(path: str) -> bool:
    """False for pipes and devices. True for a path that does not exist: `open` will report it."""
    try:
        status = os.fstat(sys.stdin.fileno()) if path == STDIN else Path(path).stat()
        return stat.S_ISREG(status.st_mode)
    except OSError:
        return path != STDIN


def examine(path: str, source: str, spool: IO[bytes] | None = None) -> CaptureFile:
    """Examine a capture up to its first packet. Raises InputError if there is none."""
    health = CaptureHealth(path)
    with opened(source) as stream:
        try:
            head = stream.read(formats.MAGIC)
            stream.seek(0)
        except OSError as error:
            raise unreadable(error, path, "name a capture, or a pipe that gives one") from error
        size = os.fstat(stream.fileno()).st_size
        packed = formats.compression(head) is not None
        reader, batch = _first_packet(chunks(stream, path), path, health, packed=packed)
    return CaptureFile(
        path, source, not packed, batch.packets()[0][0], tuple(reader.link_types),
        bool(reader.secrets), size, spool,
    )


def _first_packet(pieces: Iterator[tuple[bytes, int]], path: str, health: CaptureHealth, *, packed: bool
                  ) -> tuple[Records, Batch]:
    reader: Records | None = None
    try:
        for data, _ in pieces:
            reader = reader or formats.records(data, health)
            for start in range(0, len(data), _PIECE):
                if batches := reader.feed(data[start : start + _PIECE]):
                    return reader, batches[0]
    except DamagedStreamError as error:
        raise InputError("its compressed data are damaged from the start", fix=_COPY_AGAIN, file=path) from error
    if reader is None and packed:
        raise InputError("is empty: its compressed data hold nothing, or break off before the first packet",
                         fix=_COPY_AGAIN, file=path)
    raise no_packet(path, reader)


def no_packet(path: str, reader: Records | None) -> InputError:
    """The error that says why a capture had no packet, after it was read to its end."""
    if reader is None:
        return formats.not_a_capture(b"", path)
    if reader.damaged:
        return InputError("is damaged: its first record cannot be true", fix=_COPY_AGAIN, file=path)
    if reader.incomplete:
        return InputError("breaks off within its first packet", fix=_STOPPED_EARLY, file=path)
    return _NoPacketError("is a capture without a packet", fix=_STOPPED_EARLY, file=path)
