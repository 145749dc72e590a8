"""Makes text from the wire acceptable to a database.

PostgreSQL's text cannot hold NUL, and neither database accepts half a surrogate pair.  In columns both are written as
escapes; in JSON a NUL is escaped already.
"""

from __future__ import annotations

import hashlib


def clean(text: str) -> str:
    """`text` with NUL and lone surrogates written as escapes (`\\x00`, `\\udc80`), all else as it is."""
    if text.isprintable():
        return text
    return text.replace("\0", "\\x00").encode("utf-8", "backslashreplace").decode("utf-8")


def digest(*parts: object) -> str:
    """A hash of the parts, 32 hex digits: a header can be longer than the text that an index accepts."""
    return hashlib.blake2b(repr(parts).encode(), digest_size=16).hexdigest()
