"""Challenges and credentials (RFC 3261 20.7, 20.27, 20.28, 20.44; RFC 2617 3.2)."""

from __future__ import annotations

from sys import intern

from sipaudit.sip.defects import Defect, Found
from sipaudit.sip.message import Challenge
from sipaudit.sip.text import mask, unquote, values


def read_digest(text: str, found: Found) -> tuple[Challenge, ...]:
    """One challenge or answer a header field, as 7.3.1 has it.  Other schemes are kept with what they share."""
    known = _plain(text)
    if known is not None:
        return (known,)
    scheme, *rest = text.split(None, 1)
    given = _pairs(rest[0] if rest else "", found)
    if scheme.lower() == "digest" and not ("realm" in given and "nonce" in given):
        found.append(Defect.BAD_CREDENTIALS)
    return (Challenge(intern(given.get("realm", "")), given.get("nonce", ""), given.get("username", "")),)


def _pairs(text: str, found: Found) -> dict[str, str]:
    """`name=value` pairs by name in lower case, the first of each."""
    given: dict[str, str] = {}
    for piece, masked in values(text, mask(text, found)):
        name, _, _ = masked.partition("=")
        given.setdefault(name.strip().lower(), unquote(piece[len(name) + 1:].strip()))
    return given


def _plain(text: str) -> Challenge | None:
    """The usual spelling of a Digest in half the time: without a backslash, every second piece between quotes is a
    value, and the piece before it ends in the name.  None when in doubt."""
    if "\\" in text:
        return None
    pieces = text.split('"')
    given = dict(zip(pieces[::2], pieces[1::2], strict=False))
    if len(pieces) % 2 == 0 or len(given) != len(pieces) // 2:
        return None
    username = given.get("Digest username=")
    realm = given.get("Digest realm=") if username is None else given.get(", realm=", given.get(",realm="))
    nonce = given.get(", nonce=", given.get(",nonce="))
    if realm is None or nonce is None:
        return None
    return Challenge(intern(realm), nonce, username or "")
