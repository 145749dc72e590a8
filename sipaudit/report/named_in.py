"""Finds the URIs, addresses, MACs and files that a sentence contains, by their form."""

from __future__ import annotations

import re
from collections.abc import Iterator

_NAMED = re.compile(
    r"(?P<uri>\b(?:sips?|tel):[^\s<>,;\"')]+)"
    r"|(?P<mac>(?<!\w)[0-9A-Fa-f]{12}(?!\w)|(?<!\w)(?:[0-9A-Fa-f]{2}[:-]){5}[0-9A-Fa-f]{2}(?!\w|:[0-9A-Fa-f:]))"
    r"|(?P<address>\[[0-9A-Fa-f:.]{2,}\]|(?<![\w.])[0-9]{1,3}(?:\.[0-9]{1,3}){3}(?![\w.]*[0-9]\.)\b"
    r"|(?<![\w:])[0-9A-Fa-f]{0,4}(?::[0-9A-Fa-f]{0,4}){2,7}(?:(?:\.[0-9]{1,3}){3})?(?!\w|:[\w:]))"
)
_FILE = re.compile(r"(?<![^\s(),])[^\s(),]*(\.(?:pcap|pcapng|cap|gz|zst|lz4|ya?ml|cfg|xml)\b)")


def named_in(text: str) -> Iterator[tuple[int, int, str | None]]:
    """The start, end and kind of each name in `text`: `uri`, `mac`, `address` (or what looks like one) and `path`. A
    file name begins where its word begins, or after another name in that word. It is searched for once in each word:
    searching from each letter would scan a long word again and again."""
    at, named = 0, _NAMED.search(text)
    for file in _FILE.finditer(text):
        while named is not None and named.start() <= max(at, file.start()):
            at = named.end()
            yield named.start(), at, named.lastgroup
            named = _NAMED.search(text, at)
        if at <= file.start(1):
            yield max(at, file.start()), file.end(), "path"
            at = file.end()
            if named is not None and named.start() < at:
                named = _NAMED.search(text, at)
    while named is not None:
        yield *named.span(), named.lastgroup
        named = _NAMED.search(text, named.end())
