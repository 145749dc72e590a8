"""Text of header values: decoding, quoted strings, lists, parameters and numbers.

Everything here is one pass over the text: a hostile header costs no more than
its length.  Quoted strings are handled with a *mask*: a copy of the text, of the
same length, in which everything between quotes is blanked.  Separators are
searched in the mask, and the pieces are cut out of the text.
"""

from __future__ import annotations

import re

from sipaudit.sip.defects import Defect, Found

MAX_32 = 2**32 - 1

TOKEN_BYTES = b"abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-.!%*_+`'~"
TOKENS_AS_LETTERS = bytes(ord("a") if byte in TOKEN_BYTES else ord(" ") for byte in range(256))   # for `translate`
is_token = re.compile(r"[A-Za-z0-9\-.!%*_+`'~]+\Z").match  # RFC 3261 25.1
_QUOTED = re.compile(r'"[^"\\]*+(?:\\.[^"\\]*+)*("?)', re.DOTALL)
_BRACKETED = re.compile(r"<[^>]*+")
_PAIR = re.compile(r"\\(.)", re.DOTALL)


def decode(raw: bytes, found: Found) -> str:
    """Decode as UTF-8, or else as ISO 8859-1: the other encoding that phones use, and one that loses no byte."""
    try:
        return raw.decode()
    except UnicodeDecodeError:
        found.append(Defect.NOT_UTF8)
        return raw.decode("latin-1")


def number(text: str, most: int = MAX_32) -> int | None:
    """Decimal digits (leading zeros allowed) as a number from 0 to `most`; None for anything else."""
    if not (text.isascii() and text.isdigit()):
        return None
    digits = text.lstrip("0") or "0"
    if len(digits) > 10:  # before int(), which refuses very long digit strings
        return None
    value = int(digits)
    return value if value <= most else None


def mask(text: str, found: Found) -> str:
    """The text with the inside of quoted strings blanked; an unterminated quoted string is left unchanged."""
    if '"' not in text:
        return text
    if "\\" in text or text.count('"') % 2:
        return _mask_escaped(text, found)
    pieces = text.split('"')
    pieces[1::2] = ["_" * len(piece) for piece in pieces[1::2]]
    return '"'.join(pieces)


def _mask_escaped(text: str, found: Found) -> str:
    def blank(match: re.Match[str]) -> str:
        if match[1]:
            return f'"{"_" * (len(match[0]) - 2)}"'
        found.append(Defect.UNTERMINATED_QUOTE)
        return match[0]

    return _QUOTED.sub(blank, text)


def unquote(text: str) -> str:
    """A quoted string without its quotes and escapes; other text unchanged."""
    if len(text) < 2 or text[0] != '"' or text[-1] != '"':
        return text
    return _PAIR.sub(r"\1", text[1:-1]) if "\\" in text else text[1:-1]


def values(text: str, masked: str) -> list[tuple[str, str]]:
    """The values of a comma-separated list, each with its mask; commas inside quotes and "<>" do not separate."""
    if "," not in masked:
        return [(text, masked)]
    if "<" in masked:
        masked = _BRACKETED.sub(lambda match: match[0].replace(",", "_"), masked)
    pieces: list[tuple[str, str]] = []
    start = 0
    for piece in masked.split(","):
        end = start + len(piece)
        pieces.append((text[start:end], piece))
        start = end + 1
    return pieces


def parameters(text: str, masked: str, start: int, found: Found) -> dict[str, str]:
    """The parameters `;name=value;name` from `start` on, by name in lower case; values as sent, "" without a value."""
    before, *pieces = masked[start:].split(";")
    if before and not before.isspace():
        found.append(Defect.BAD_PARAMETER)
    at = start + len(before) + 1
    read: dict[str, str] = {}
    for piece in pieces:
        name, _, value = piece.partition("=")
        if text is not masked:  # there are quotes
            value = text[at + len(name) + 1:at + len(piece)]
            at += len(piece) + 1
        name = name.strip().lower()
        if not name:
            found.append(Defect.EMPTY_PARAMETER)
        elif name in read:
            found.append(Defect.DUPLICATE_PARAMETER)
        else:
            read[name] = value.strip()
    return read
