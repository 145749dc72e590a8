"""A file that was named in the place of another, known by its first bytes: what it is, and which command reads it."""

from __future__ import annotations

import re
from shlex import quote

from sipaudit.errors import InputError

HEAD = 512   # bytes, as much as knowing them takes

_CAPTURE = re.compile(rb"\xd4\xc3\xb2\xa1|\xa1\xb2\xc3\xd4|M<\xb2\xa1|\xa1\xb2<M|4\xcd\xb2\xa1|\xa1\xb2\xcd4|\n\r\r\n")
_COMPRESSED = re.compile(rb"\x1f\x8b|\x28\xb5\x2f\xfd|\x04\x22\x4d\x18|BZh|\xfd7zXZ|PK\x03\x04")
_REPORT = re.compile(rb'\s*\{\s*"schema"\s*:\s*"sipaudit\.report/')
_XML = re.compile(rb"(\xef\xbb\xbf)?\s*<[?!A-Za-z]")
_SITE_FILE = re.compile(rb"^(entries|lines)\s*:", re.MULTILINE)
_STORE = b"SQLite format 3\0"


def a_capture(head: bytes, path: str) -> InputError | None:
    """What to say of a capture, or of what is compressed as captures are, where something else is wanted."""
    if _CAPTURE.match(head):
        return InputError("is a capture", fix=f"read it with: sipaudit analyze {quote(path)}", file=path)
    if _COMPRESSED.match(head):
        fix = f"uncompress it first; if it is a capture, read it with: sipaudit analyze {quote(path)}"
        return InputError("is compressed", fix=fix, file=path)
    return None


def a_report(head: bytes, path: str) -> InputError | None:
    """What to say of a `report.json` where something else is wanted."""
    if _REPORT.match(head):
        fix = f"show it with: sipaudit report {quote(path)}"
        return InputError("is a report that sipaudit wrote", fix=fix, file=path)
    return None


def a_store(head: bytes, path: str) -> InputError | None:
    """What to say of an SQLite file where something else is wanted."""
    if head.startswith(_STORE):
        fix = f"show a store with: sipaudit report {quote(f'sqlite:///{path}')}"
        return InputError("is an SQLite file", fix=fix, file=path)
    return None


def a_provisioning_file(head: bytes, path: str) -> InputError | None:
    """What to say of XML where YAML is wanted."""
    if _XML.match(head):
        return InputError("is XML, as provisioning files are", fix="name those with --config", file=path)
    return None


def a_site_file(head: bytes, path: str) -> InputError | None:
    """What to say of a site file where a provisioning file is wanted."""
    if _SITE_FILE.search(head):
        return InputError("is a site file", fix="name it with --site", file=path)
    return None


def what_else(head: bytes, path: str) -> InputError | None:
    """What to say of any of these where a file of settings is wanted."""
    return a_capture(head, path) or a_report(head, path) or a_store(head, path)
