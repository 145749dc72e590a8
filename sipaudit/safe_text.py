"""Text from the wire, made harmless for a terminal.

A leaf like `errors`: the command line and the report both print what phones
and servers wrote, and a header can hold escape sequences, line breaks or
characters that turn the reading direction round.
"""

from __future__ import annotations


def safe_text(text: str) -> str:
    """`text` on one line, every character that does not print written as its escape (`\\x1b`, `\\n`, `\\u202e`)."""
    if text.isprintable():
        return text
    return "".join(char if char.isprintable() else repr(char)[1:-1] for char in text)


def safe_path(path: str) -> str:
    """A file name as text: bytes that are no UTF-8 are escaped, so that every output can hold it."""
    return path.encode("utf-8", "backslashreplace").decode("utf-8")
