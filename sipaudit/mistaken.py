"""Recognises a file given in place of another kind by its first bytes: what it is, and which command reads it."""

from __future__ import annotations

import re
from shlex import quote
from typing import NamedTuple

from sipaudit.errors import InputError

HEAD = 512   # bytes that suffice to recognise a kind


class Kind(NamedTuple):
    """A kind of file: how it begins, what the error says of it, and how to use it (`{}` is replaced by its path in the
    form `named`)."""

    begins: re.Pattern[bytes]
    what: str
    fix: str
    named: str = "{}"


_PCAP = re.compile(rb"\xd4\xc3\xb2\xa1|\xa1\xb2\xc3\xd4|M<\xb2\xa1|\xa1\xb2<M|4\xcd\xb2\xa1|\xa1\xb2\xcd4|\n\r\r\n")
CAPTURE = Kind(_PCAP, "is a capture", "read it with: sipaudit analyze {}")
COMPRESSED = Kind(re.compile(rb"\x1f\x8b|\x28\xb5\x2f\xfd|\x04\x22\x4d\x18|BZh|\xfd7zXZ|PK\x03\x04"), "is compressed",
                  "uncompress it first; if it is a capture, read it with: sipaudit analyze {}")
REPORT = Kind(re.compile(rb'\s*\{\s*"schema"\s*:\s*"sipaudit\.report/'), "is a report that sipaudit wrote",
              "show it with: sipaudit report {}")
STORE = Kind(re.compile(rb"SQLite format 3\0"), "is an SQLite file", "show a store with: sipaudit report {}",
             "sqlite:///{}")
PROVISIONING = Kind(re.compile(rb"(\xef\xbb\xbf)?\s*<[?!A-Za-z]"), "is XML, as provisioning files are",
                    "name those with --config")
SITE = Kind(re.compile(rb"(?s:.*\n)?(entries|lines)\s*:"), "is a site file", "name it with --site")
NO_SETTINGS = (CAPTURE, COMPRESSED, REPORT, STORE)   # kinds that are mistakes where a settings file is expected


def known_as(head: bytes, path: str, *kinds: Kind) -> InputError | None:
    """The error for a file that is of one of `kinds` where another kind is expected; None if it is of none of them."""
    for kind in kinds:
        if kind.begins.match(head):
            return InputError(kind.what, fix=kind.fix.format(quote(kind.named.format(path))), file=path)
    return None
