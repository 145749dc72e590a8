"""Challenges and credentials (RFC 3261 20.7, 20.27, 20.28, 20.44; RFC 2617 3.2)."""

from __future__ import annotations

import re

from sipaudit.one import one_text
from sipaudit.sip.defects import Defect, Found
from sipaudit.sip.message import Challenge
from sipaudit.sip.text import mask, unquote, values


def read_credentials(text: str, found: Found) -> tuple[Challenge, ...]:
    """One answer to a challenge.  Other schemes than Digest are kept with what they share."""
    given = _pairs(text, found)
    return (Challenge(one_text(given.get("realm", "")), given.get("nonce", ""), given.get("username", "")),)


def read_challenge(text: str, found: Found) -> tuple[Challenge, ...]:
    """One challenge; 7.3.1 allows no list of them in a header field."""
    given = _pairs(text, found)
    return (Challenge(one_text(given.get("realm", "")), given.get("nonce", "")),)


def _pairs(text: str, found: Found) -> dict[str, str]:
    """`name=value` pairs behind the scheme, by name in lower case, the first of each."""
    scheme = re.split("[ \t]", text, maxsplit=1)[0]   # a tab is as good (RFC 3261 25.1: LWS)
    text = text[len(scheme):]
    given: dict[str, str] = {}
    for piece, masked in values(text, mask(text, found).replace("<", "_")):  # brackets mean nothing here
        name, _, _ = masked.partition("=")
        given.setdefault(name.strip().lower(), unquote(piece[len(name) + 1:].strip()))
    if scheme.lower() == "digest" and not ("realm" in given and "nonce" in given):
        found.append(Defect.BAD_CREDENTIALS)
    return given
