"""Text from the wire as a database takes it.

PostgreSQL's text has no NUL, and neither database takes half a surrogate pair.  In a column both are written as their
escapes; in JSON a NUL is an escape already.
"""

from __future__ import annotations

import hashlib


def clean(text: str) -> str:
    """`text` with NUL and lone surrogates written as escapes (`\\x00`, `\\udc80`), all else as it is."""
    if text.isprintable():
        return text
    return text.replace("\0", "\\x00").encode("utf-8", "backslashreplace").decode("utf-8")


def digest(*parts: object) -> str:
    """A name of fixed length for what these parts name: an index takes no text as long as a header may be."""
    return hashlib.blake2b(repr(parts).encode(), digest_size=16).hexdigest()
