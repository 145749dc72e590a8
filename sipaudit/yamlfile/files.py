"""Reading files: a file that cannot be opened raises an error that says what the file was needed for."""

from __future__ import annotations

from codecs import BOM_UTF16_BE, BOM_UTF16_LE
from pathlib import Path

from sipaudit import mistaken
from sipaudit.errors import InputError, unreadable
from sipaudit.yamlfile.tree import MAX_BYTES

_HEAD, _BINARY = 64, 4   # a capture has 4 or more zeros in its first 64 bytes; a text may have one by mistake


def read_bytes(path: Path, what: str) -> bytes:
    """The content of a file, up to one byte more than `read_tree` accepts. Raises InputError."""
    try:
        with path.open("rb") as file:
            content = file.read(MAX_BYTES + 1)
    except OSError as error:
        is_folder = isinstance(error, IsADirectoryError)
        fix = "name a YAML file; a provisioning directory is named with --config" if is_folder else "check its name"
        raise unreadable(error, path, fix, what) from None
    head = content[:mistaken.HEAD]
    if other := mistaken.known_as(head, str(path), *mistaken.NO_SETTINGS):
        raise InputError(f"{other.message} and cannot be {what}", fix="name a YAML file", file=other.file)
    if other := mistaken.known_as(head, str(path), mistaken.PROVISIONING):
        raise InputError(f"{other.message}, and cannot be {what}", fix=other.fix, file=other.file)
    if len(content) <= MAX_BYTES and _is_binary(content[:_HEAD]):
        raise InputError(f"this is no text and cannot be {what}", fix="name a YAML file", file=str(path))
    return content


def _is_binary(head: bytes) -> bool:
    return head.count(0) >= _BINARY and not head.startswith((BOM_UTF16_LE, BOM_UTF16_BE))


def exists(path: str | Path) -> bool:
    """Whether there is such a file or directory."""
    try:
        return Path(path).exists()
    except OSError:  # a name longer than the file system allows
        return False
