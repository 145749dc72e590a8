"""Addresses: name-addr and addr-spec with their parameters (RFC 3261 20.10, 25.1)."""

from __future__ import annotations

import re

from sipaudit.one import one_number, one_text
from sipaudit.sip.defects import Defect, Found
from sipaudit.sip.message import Address, Uri
from sipaudit.sip.text import mask, number, parameters, unquote, values
from sipaudit.sip.uri import USUAL_PARAMETERS, USUAL_PLACE, USUAL_USER, read_host_port, read_uri

MAX_VALUES = 256  # a shared line's 200 lists every phone's Contact; a packet could list 1,600

# The form that most phones write, `"Name" <sip:user@host:5060;parameters>`, matched in one step: half the time of the
# general parser.
_USUAL_TEXT = (
    r"""[ ]*+(?:"([^"\\]*+)"[ ]*+)?"""
    rf"""<(sips?):({USUAL_USER})@({USUAL_PLACE})(?:;({USUAL_PARAMETERS}))?>"""
)
_USUAL = re.compile(_USUAL_TEXT)
_USUAL_CONTACT = re.compile(_USUAL_TEXT + r"""(?:;methods="[^"\\]*+")?(?:;expires=([0-9]{1,9}))?\Z""")
_TOKENS = re.compile(r"[A-Za-z0-9\-.!%*_+`'~ \t]*+\Z")


def read_party(text: str, found: Found) -> Address:
    """Read a From or To. Without "<>", every parameter belongs to the header, not to the URI (RFC 3261 20)."""
    uri, display, given = _read_address(text, None, found)
    if not given:
        return Address(uri, None, None, None, display)
    return Address(uri, _tag(given, found), None, None, display)


def read_contacts(text: str, found: Found) -> tuple[Address, ...]:
    """Read all values of a Contact header; a Contact of `*` gets the scheme `*`."""
    usual = _USUAL_CONTACT.match(text)
    if usual is not None:
        display, scheme, user, host_port, after, expires = usual.groups()
        uri = Uri(one_text(scheme), user, *read_host_port(host_port, found), after or "")
        return (Address(uri, None, None if expires is None else one_number(int(expires)), None, display),)
    return tuple([_contact(value, masked, found) for value, masked in _listed(text, found)])


def read_routes(text: str, found: Found) -> tuple[Uri, ...]:
    """The URIs of a Route header."""
    pieces = _listed(text, found)
    if any("<" not in masked for _, masked in pieces):  # 20.34: always name-addr
        found.append(Defect.UNBRACKETED_URI)
    return tuple(_read_address(value, masked, found)[0] for value, masked in pieces)


def _listed(text: str, found: Found) -> list[tuple[str, str]]:
    masked = mask(text, found)
    if "," not in masked and masked and not masked.isspace():
        return [(text, masked)]
    pieces = values(text, masked)
    filled = [piece for piece in pieces if piece[1].strip()]
    if len(filled) < len(pieces):
        found.append(Defect.EMPTY_VALUE)
    if len(filled) > MAX_VALUES:
        found.append(Defect.TOO_MANY_VALUES)
    return filled[:MAX_VALUES]


def _contact(text: str, masked: str, found: Found) -> Address:
    if text.strip() == "*":
        return Address(Uri("*", None, ""))
    uri, display, given = _read_address(text, masked, found)
    if not given:
        return Address(uri, None, None, None, display)
    return Address(uri, None, _expires(given, found), _instance(given), display)


def _read_address(text: str, masked: str | None, found: Found) -> tuple[Uri, str | None, dict[str, str]]:
    """`masked` is None when the text has not been masked yet; the usual form needs a mask only for its parameters."""
    usual = _USUAL.match(text)
    if usual is None:
        return _read_unusual(text, mask(text, found) if masked is None else masked, found)
    display, scheme, user, host_port, after = usual.groups()
    end = usual.end()
    host, port = read_host_port(host_port, found)
    given = {}
    if len(text) > end:
        given = parameters(text, mask(text, found) if masked is None else masked, end, found)
    return Uri(one_text(scheme), user, host, port, after or ""), display, given


def _read_unusual(text: str, masked: str, found: Found) -> tuple[Uri, str | None, dict[str, str]]:
    opened = masked.find("<")
    semicolon = masked.find(";")
    if opened < 0 or 0 <= semicolon < opened:
        end = semicolon if semicolon >= 0 else len(text)
        spec = text[:end].strip()
        if "?" in spec:
            found.append(Defect.UNBRACKETED_URI)
        return read_uri(spec, found), None, parameters(text, masked, end, found)
    end = masked.find(">", opened)
    if end < 0:
        found.append(Defect.UNCLOSED_BRACKET)
        end = len(text)
    spec = text[opened + 1:end]
    bare = spec.strip()
    if bare != spec:
        found.append(Defect.SPACE_IN_URI)
    given = parameters(text, masked, end + 1, found)
    return read_uri(bare, found), _display(text[:opened], masked[:opened], found), given


def _display(text: str, masked: str, found: Found) -> str | None:
    text, masked = text.strip(), masked.strip()
    if not text:
        return None
    if text[0] == '"':
        quotes = masked.count('"')
        if quotes == 1:  # unterminated; `mask` has reported it already
            return text[1:].strip()
        if quotes != 2 or text[-1] != '"':
            found.append(Defect.BAD_DISPLAY_NAME)
        return unquote(text)
    if not _TOKENS.match(text):
        found.append(Defect.BAD_DISPLAY_NAME)
    return text


def _tag(given: dict[str, str], found: Found) -> str | None:
    tag = given.get("tag")
    if tag == "":
        found.append(Defect.BAD_PARAMETER)
    return tag or None


def _expires(given: dict[str, str], found: Found) -> int | None:
    if "expires" not in given:
        return None
    seconds = number(unquote(given["expires"]))
    if seconds is None:
        found.append(Defect.BAD_EXPIRES)
    return seconds


def _instance(given: dict[str, str]) -> str | None:
    """RFC 5626 4.1: a URN between angle brackets in a quoted string."""
    instance = given.get("+sip.instance")
    return unquote(instance).removeprefix("<").removesuffix(">") if instance else None
