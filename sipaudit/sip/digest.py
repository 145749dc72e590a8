"""Challenges and credentials (RFC 3261 20.7, 20.27, 20.28, 20.44; RFC 2617 3.2)."""

from __future__ import annotations

import re

from sipaudit.one import one_text
from sipaudit.sip.defects import Defect, Found
from sipaudit.sip.message import Challenge
from sipaudit.sip.text import mask, unquote, values


def read_credentials(text: str, found: Found) -> tuple[Challenge, ...]:
    """Read credentials: one answer to a challenge.  Of schemes other than Digest, only the fields shared with it are
    kept."""
    given = _pairs(text, found)
    return (Challenge(one_text(given.get("realm", "")), given.get("nonce", ""), given.get("username", "")),)


def read_challenge(text: str, found: Found) -> tuple[Challenge, ...]:
    """Read one challenge; RFC 3261 7.3.1 does not allow a list of challenges in one header field."""
    given = _pairs(text, found)
    return (Challenge(one_text(given.get("realm", "")), given.get("nonce", "")),)


def _pairs(text: str, found: Found) -> dict[str, str]:
    """The `name=value` pairs after the scheme, keyed by name in lower case; of duplicates, the first."""
    scheme = re.split("[ \t]", text, maxsplit=1)[0]   # a tab separates as well (RFC 3261 25.1: LWS)
    text = text[len(scheme):]
    given: dict[str, str] = {}
    for piece, masked in values(text, mask(text, found).replace("<", "_")):  # brackets mean nothing here
        name, _, _ = masked.partition("=")
        given.setdefault(name.strip().lower(), unquote(piece[len(name) + 1:].strip()))
    if scheme.lower() == "digest" and not ("realm" in given and "nonce" in given):
        found.append(Defect.BAD_CREDENTIALS)
    return given
