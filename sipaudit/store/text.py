"""Text from the wire as a database takes it, and values as JSON.

PostgreSQL's text has no NUL, and neither database takes half a surrogate pair.  In a column both are written as their
escapes; in JSON a NUL is an escape already.
"""

from __future__ import annotations

import hashlib
from typing import Any

import msgspec

_ENCODER = msgspec.json.Encoder()


def clean(text: str) -> str:
    """`text` with NUL and lone surrogates written as escapes (`\\x00`, `\\udc80`), all else as it is."""
    if text.isprintable():
        return text
    return text.replace("\0", "\\x00").encode("utf-8", "backslashreplace").decode("utf-8")


def to_json(value: Any) -> bytes:
    """A value as JSON, lone surrogates as escapes."""
    try:
        return _ENCODER.encode(value)
    except UnicodeEncodeError:
        return _ENCODER.encode(_cleaned(msgspec.to_builtins(value)))


def _cleaned(value: Any) -> Any:
    if isinstance(value, str):
        return value.encode("utf-8", "backslashreplace").decode("utf-8")
    if isinstance(value, dict):
        return {_cleaned(key): _cleaned(each) for key, each in value.items()}
    return [_cleaned(each) for each in value] if isinstance(value, list | tuple) else value


def digest(*parts: object) -> str:
    """A name of fixed length for what these parts name: an index takes no text as long as a header may be."""
    return hashlib.blake2b(repr(parts).encode(), digest_size=16).hexdigest()
