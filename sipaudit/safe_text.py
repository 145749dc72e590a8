"""Text from the wire, made harmless for a terminal.

A module without dependencies, like `errors`: the command line and the report both
print text from phones and servers, and a header can hold escape sequences, line
breaks or characters that reverse the reading direction.
"""

from __future__ import annotations

import codecs

# The non-ASCII characters of our own texts, each with an ASCII substitute of the same width: tables stay aligned.
_PLAIN = {"→": ">", "…": "~", "│": "|", "≠": "!", "µ": "u", "×": "x", "–": "-"}


def safe_text(text: str) -> str:
    """`text` on one line: every unprintable character becomes its escape (`\\x1b`, `\\n`, `\\u202e`)."""
    if text.isprintable():
        return text
    return "".join(char if char.isprintable() else repr(char)[1:-1] for char in text)


def safe_path(path: str) -> str:
    """A file name as text: bytes that are not UTF-8 are escaped, so that every output can hold it."""
    return path.encode("utf-8", "backslashreplace").decode("utf-8")


def encoded(text: str, encoding: str | None) -> bytes:
    """The text encoded for a stream. Of the characters that the encoding lacks, those of our own texts get an ASCII
    substitute, all others become escapes."""
    return text.encode(encoding or "utf-8", _LACKING)


def _stand_in(error: UnicodeError) -> tuple[str | bytes, int]:
    if not isinstance(error, UnicodeEncodeError):
        raise error
    shown = (_PLAIN.get(char) or _escape(char) for char in error.object[error.start:error.end])
    return "".join(shown), error.end


def _escape(char: str) -> str:
    """A character as its escape: `\\xe9`, `\\u05d0`."""
    return char.encode("ascii", "backslashreplace").decode("ascii")


_LACKING = "sipaudit.lacking"
codecs.register_error(_LACKING, _stand_in)
