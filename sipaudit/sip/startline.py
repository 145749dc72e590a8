"""The start line: Request-Line and Status-Line (RFC 3261 7.1, 7.2)."""

from __future__ import annotations

import re

from msgspec import Struct

from sipaudit.one import one_text
from sipaudit.sip.defects import Defect, Found
from sipaudit.sip.message import Uri
from sipaudit.sip.text import decode, is_token, number
from sipaudit.sip.uri import USUAL_PARAMETERS, USUAL_PLACE, USUAL_USER, read_host_port, read_uri

VERSION = "SIP/2.0"

_STATUS_LINE = re.compile(r"(SIP/\S*) +(\S+) ?(.*)\Z", re.IGNORECASE | re.DOTALL)


class StartLine(Struct, frozen=True, gc=False, array_like=True):
    """A start line. A Request-Line has a method and a URI; a Status-Line has method "" and a status, 0 if invalid."""

    method: str
    uri: Uri
    status: int
    reason: str
    defects: tuple[Defect, ...] = ()


NO_URI = Uri("", None, "")


# The Request-Line of nearly every request, matched in one step: a third of the time of the general parser.
_USUAL_REQUEST = re.compile(
    rf"([A-Z]{{1,16}}) (sips?):({USUAL_USER})@({USUAL_PLACE})(?:;({USUAL_PARAMETERS}))? SIP/2\.0\Z".encode()
)


def read_start_line(line: bytes) -> StartLine | None:
    """Parse a start line; None when the line is none."""
    found: Found = []
    if usual := _USUAL_REQUEST.match(line):
        method, scheme, user, place, after = usual.groups(b"")
        uri = Uri(one_text(scheme.decode()), user.decode(), *read_host_port(place.decode(), found), after.decode())
        return StartLine(one_text(method.decode()), uri, 0, "", tuple(found))
    text = decode(line, found)
    if "\n" in text or "\r" in text:
        return None
    return _status_line(text, found) or _request_line(text, found)


def _status_line(text: str, found: Found) -> StartLine | None:
    match = _STATUS_LINE.match(text)
    if match is None:
        return None
    version, code, reason = match.groups()
    if f"{version} {code} {reason}" != text:
        found.append(Defect.START_LINE_SPACES)
    _check_version(version, found)
    status = number(code)
    if status is None or len(code) != 3 or not 100 <= status <= 699:
        found.append(Defect.BAD_STATUS)
        status = 0
    return StartLine("", NO_URI, status, reason, tuple(found))


def _request_line(text: str, found: Found) -> StartLine | None:
    words = text.split()
    if len(words) < 3 or not words[-1].upper().startswith("SIP/") or not is_token(words[0]):
        return None
    method, *middle, version = words
    uri = " ".join(middle)
    if f"{method} {uri} {version}" != text:
        found.append(Defect.START_LINE_SPACES)
    _check_version(version, found)
    return StartLine(one_text(method), _request_uri(uri, found), 0, "", tuple(found))


def _check_version(text: str, found: Found) -> None:
    if text.upper() != VERSION:  # case-insensitive (7.1)
        found.append(Defect.BAD_VERSION)


def _request_uri(text: str, found: Found) -> Uri:
    if " " in text:
        found.append(Defect.SPACE_IN_URI)
        text = text.replace(" ", "")
    if text.startswith("<") and text.endswith(">"):
        found.append(Defect.BRACKETED_REQUEST_URI)
        text = text[1:-1]
    if "?" in text.rpartition("@")[2] and text[:4].lower() in ("sip:", "sips"):
        found.append(Defect.REQUEST_URI_HEADERS)
    return read_uri(text, found)
