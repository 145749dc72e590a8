"""SIP and tel URIs (RFC 3261 19.1, RFC 3966): parsing, canonical text, address of record."""

from __future__ import annotations

import re
import socket

from sipaudit.one import one_text
from sipaudit.sip.defects import Defect, Found
from sipaudit.sip.message import Uri
from sipaudit.sip.text import number

SIP_PORT = 5060
MAX_PORT = 65535
MAX_HOST = 255    # characters of a cached host and port: no DNS name is longer
MAX_HOSTS = 4096  # cached hosts and ports

# Patterns of a URI as most phones write it: the general parser gives the same, and such a URI can have no defects
# except in its host and port.
USUAL_USER = r"[A-Za-z0-9\-_.!~*'()&=+$,%]++"
USUAL_PLACE = r"[A-Za-z0-9.\-]++(?::[0-9]++)?"
USUAL_PARAMETERS = r"[A-Za-z0-9\-_.!~*'()&=+$,%;/:\[\]]*+"

_SCHEME = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*+\Z")
_UNESCAPED = re.compile(r"[^A-Za-z0-9\-_.!~*'();/?:@&=+$,%\[\]]")  # must be escaped in a URI (25.1)
_NAME_PORT = re.compile(r"([A-Za-z0-9._-]++)[ \t]*(?::([^:]*))?\Z")  # "_" is illegal in host names but occurs in DNS
_ESCAPED = re.compile("%([0-9A-Fa-f]{2})")
_NEEDS_NO_ESCAPE = frozenset(  # in a user (25.1)
    b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_.!~*'()&=+$,;?/")
_OCTET = "(?:25[0-5]|2[0-4][0-9]|1[0-9][0-9]|[1-9]?[0-9])"
_ADDRESS_PORT = re.compile(rf"({_OCTET}\.{_OCTET}\.{_OCTET}\.{_OCTET})(?::([1-9][0-9]{{0,3}}))?\Z")  # what phones write

_sound: dict[str, tuple[str, int]] = {}  # cached results without a defect: parsing is a function of the text alone


def read_uri(text: str, found: Found) -> Uri:
    """Parse any text as a URI; without a scheme, all of it is the host.  A password (`user:password@`) is not kept."""
    scheme, colon, rest = text.partition(":")
    if not colon or not _SCHEME.match(scheme):
        found.append(Defect.BAD_URI)
        return Uri("", None, text)
    if _UNESCAPED.search(rest):
        found.append(Defect.BAD_URI)
    scheme = one_text(scheme.lower())
    if scheme in ("sip", "sips"):
        return _sip_uri(scheme, rest, found)
    if scheme == "tel":
        digits, _, after = rest.partition(";")
        return Uri(scheme, digits, "", 0, after)
    return Uri(scheme, None, rest)


def is_name(host: str) -> bool:
    """Whether a host is a name and not an address: a name's last label begins with a letter (RFC 3261 25.1)."""
    return ":" not in host and host.rpartition(".")[2][:1].isalpha()


def _sip_uri(scheme: str, text: str, found: Found) -> Uri:
    user, text = _split_user(text, found)
    text = text.partition("?")[0]
    at, _, after = text.partition(";")
    host, port = read_host_port(at, found)
    return Uri(scheme, user, host, port, after)


def _split_user(text: str, found: Found) -> tuple[str | None, str]:
    """The user without password, and what follows the "@".  A user may contain `;` and `?`, but "@" only escaped: of
    several, the last "@" before the parameters counts, as in `sip:me@company.example@provider.example;x=@`."""
    user, at, rest = text.partition("@")
    if not at:
        return None, text
    if "@" in rest:
        found.append(Defect.BAD_URI)
        start = len(user) + 1
        ends = [end for end in (text.find(";", start), text.find("?", start)) if end >= 0]
        last = text.rfind("@", 0, min(ends, default=len(text)))
        user, rest = text[:last], text[last + 1:]
    return user.partition(":")[0], rest


def read_host_port(text: str, found: Found) -> tuple[str, int]:
    """Parse `host[:port]`: the host in canonical form (lower case, IPv6 shortest) and without brackets; port 0 when it
    is absent or invalid."""
    known = _sound.get(text)
    if known is not None:
        return known
    flaws: Found = []
    usual = _ADDRESS_PORT.match(text)
    read = (one_text(usual[1]), int(usual[2] or 0)) if usual else _read_host_port(text, flaws)
    found += flaws
    if not flaws and len(text) <= MAX_HOST:
        if len(_sound) >= MAX_HOSTS:
            _sound.clear()
        _sound[text] = read
    return read


def _read_host_port(text: str, found: Found) -> tuple[str, int]:
    plain = _NAME_PORT.match(text)
    if plain is None:
        host, port = _read_reference(text, found)
    else:
        host, port = plain.groups()
        if host.rpartition(".")[2].isdigit() and not _is_address(socket.AF_INET, host):  # 25.1 toplabel
            found.append(Defect.BAD_HOST)
    host = one_text(host.lower())
    if port is None:
        return host, 0
    value = number(port.strip(), MAX_PORT)
    if not value:
        found.append(Defect.BAD_PORT)
    return host, value or 0


def _read_reference(text: str, found: Found) -> tuple[str, str | None]:
    """Parse an IPv6 reference, the address in canonical form (RFC 5954 4.2 compares addresses). Any other text is all
    host, since without brackets it is unclear where a port begins."""
    if not text.startswith("["):
        found.append(Defect.BAD_HOST)
        return text, None
    host, closed, behind = text[1:].partition("]")
    behind = behind.lstrip(" \t")   # in a Via, white space may precede the colon (25.1)
    shortest = shortest_ipv6(host)
    if not closed or behind[:1] not in ("", ":") or shortest is None:
        found.append(Defect.BAD_HOST)
    return shortest or host, behind[1:] if behind.startswith(":") else None


def shortest_ipv6(text: str) -> str | None:
    """An IPv6 address in its shortest form, as for addresses of packets (RFC 5952); None for any other text."""
    if not _is_address(socket.AF_INET6, text):
        return None
    return socket.inet_ntop(socket.AF_INET6, socket.inet_pton(socket.AF_INET6, text))


def _is_address(family: int, text: str) -> bool:
    try:
        socket.inet_pton(family, text)
    except (OSError, ValueError):  # ValueError: a NUL inside
        return False
    return True


def uri_text(uri: Uri) -> str:
    """The URI as canonical text: lower-case scheme and host, no password, no headers."""
    if uri.scheme not in ("sip", "sips", "tel"):
        return f"{uri.scheme}:{uri.host}" if uri.scheme not in ("", "*") else uri.host or uri.scheme
    behind = f";{uri.parameters}" if uri.parameters else ""
    if uri.scheme == "tel":
        return f"tel:{uri.user}{behind}"
    port = f":{uri.port}" if uri.port else ""
    return f"{_front(uri)}{port}{behind}"


def aor(uri: Uri) -> str:
    """The address of record: `sip:user@host`, without parameters and port 5060 (contract.md 3 `line`). The user has
    only the necessary escapes, so that equivalent URIs give the same AOR (RFC 3261 10.3 step 5, 19.1.4)."""
    if uri.scheme not in ("sip", "sips"):
        return uri_text(uri).partition(";")[0]
    if uri.user and "%" in uri.user:
        uri = Uri(uri.scheme, _ESCAPED.sub(_one_way, uri.user), uri.host, uri.port)
    port = f":{uri.port}" if uri.port not in (0, SIP_PORT) else ""
    return f"{_front(uri)}{port}"


def _one_way(escaped: re.Match[str]) -> str:
    """The character that an escape stands for, if it may stand in a user unescaped; else the escape in upper case."""
    byte = int(escaped[1], 16)
    return chr(byte) if byte in _NEEDS_NO_ESCAPE else escaped[0].upper()


def _front(uri: Uri) -> str:
    user = "" if uri.user is None else f"{uri.user}@"
    host = f"[{uri.host}]" if ":" in uri.host else uri.host
    return f"{uri.scheme}:{user}{host}"
