"""Pseudonyms replace what names a person, a phone or a machine; equal values get equal pseudonyms.

A pseudonym depends on the key and the value alone (HMAC-SHA-256), so files made with one key agree, and without the
key nobody can try values out.  Its form shows what it stands for: `n…` a number, `h….invalid` a host, `t…` an opaque
value such as a Call-ID or a nonce, `w…` any other word.  Addresses are mapped bit by bit, depending on the bits before,
so that two in one network stay in one network (Xu, Fan, Ammar, Moon: prefix-preserving anonymization).
"""

from __future__ import annotations

import hmac
import re
import socket
from collections.abc import Callable
from functools import lru_cache
from pathlib import Path
from secrets import token_bytes

from sipaudit.errors import InputError, unreadable
from sipaudit.sip.message import Uri
from sipaudit.sip.uri import read_uri, uri_text

SHORTEST_KEY = 16    # bytes; a shorter one can be guessed
DIGITS = 12          # hexadecimal, 48 bits: with a million values, two collide in one of 500 runs
REMEMBERED = 65_536  # cached pseudonyms of each kind
VENDOR = 24          # bits of a MAC that name its vendor and are kept

_NUMBER = re.compile(r"\+?(?=[*#().-]*+[0-9])[0-9*#().-]++")
_MAC = re.compile(r"(?:[0-9A-Fa-f]{2}[:-]){5}[0-9A-Fa-f]{2}|[0-9A-Fa-f]{12}")
_HOST = re.compile(r"(?=.*[A-Za-z])[A-Za-z0-9_-]+(?:\.[A-Za-z0-9_-]+)+")
_SUFFIX = re.compile(r"(?:\.(?:pcap|pcapng|cap|gz|zst|lz4|ya?ml|cfg|xml))+\Z", re.IGNORECASE)
_KEPT_ADDRESSES = frozenset({"0.0.0.0", "::", "255.255.255.255"})  # they name nobody
_KEPT_PARAMETERS = frozenset({"lr", "ob", "transport", "user", "method", "ttl", "expires", "rport", "q"})
_HIDDEN_PARAMETERS = frozenset({"tag", "branch", "+sip.instance", "reg-id", "maddr", "received"})  # their names stay
_SCHEMES = frozenset({"sip", "sips", "tel", "http", "https", "urn", "mailto", "cid", "data"})
TRANSPORTS = frozenset({"udp", "tcp", "tls", "ws", "wss", "sctp", "tls-sctp", "phone", "ip"})
_NUMERIC = re.compile(r"[0-9.]{1,10}")
_PRODUCT = re.compile(r"\(?[A-Za-z][A-Za-z0-9_-]{0,40}[/:][A-Za-z0-9._-]{1,40}\)?")
_DIGITS_OF_SOMEBODY = re.compile(r"[0-9]{6,}")


def read_key(path: str | None) -> bytes:
    """The key in the file, or without one a random key for this run alone. Raises InputError."""
    if path is None:
        return token_bytes(32)
    fix = "make one: head -c 32 /dev/urandom > FILE, and keep it secret"
    try:
        key = Path(path).read_bytes()
    except OSError as error:
        raise unreadable(error, path, fix, "the key") from error
    if len(key) < SHORTEST_KEY:
        raise InputError(f"a key has at least {SHORTEST_KEY} bytes, this one has {len(key)}", fix=fix, file=path)
    return key


class Pseudonyms:
    """Makes pseudonyms under one key. The methods accept whatever the wire holds, and return the same type."""

    def __init__(self, key: bytes) -> None:
        self._key = key
        self._flips = lru_cache(REMEMBERED)(self._flip)
        self.word = lru_cache(REMEMBERED)(self._word)
        self.address = lru_cache(REMEMBERED)(self._address)

    def _digest(self, what: str) -> bytes:
        return hmac.digest(self._key, what.encode("utf-8", "surrogatepass"), "sha256")

    def _short(self, what: str) -> str:
        return self._digest(what).hex()[:DIGITS]

    def _word(self, text: str) -> str:
        """Any name: a number, an address, a host, a MAC or a word, recognised by its form."""
        if not text:
            return text
        if is_address(text):
            return self.address(text)
        if _MAC.fullmatch(text):
            return self.mac(text)
        if _NUMBER.fullmatch(text):
            return "n" + self._short(text)
        if _HOST.fullmatch(text):
            return f"h{self._short(text.lower())}.invalid"
        return "w" + self._short(text)

    def token(self, text: str) -> str:
        """An opaque value. A branch keeps its magic cookie, which marks it as one of RFC 3261."""
        cookie = "z9hG4bK" if text.startswith("z9hG4bK") else ""
        return f"{cookie}t{self._short(text)}" if text else text

    def host(self, text: str) -> str:
        """A host name or address, IPv6 with or without brackets."""
        if text.startswith("[") and text.endswith("]"):
            return f"[{self.word(text[1:-1])}]"
        return self.word(text.lower())

    def endpoint(self, text: str) -> str:
        """`host`, `host:port`, `[v6]:port`, or a server, `host:port/transport`."""
        at, slash, transport = text.partition("/")
        host, colon, port = at.rpartition(":")
        if not colon or not port.isdigit() or (":" in host and not host.startswith("[")):
            return self.host(at) + slash + transport
        return f"{self.host(host)}:{port}{slash}{transport}"

    def uri(self, text: str) -> str:
        """A URI, or an AOR."""
        return uri_text(self.parsed_uri(read_uri(text, [])))

    def parsed_uri(self, uri: Uri) -> Uri:
        """A parsed URI; parameters that name nobody stay."""
        if uri.scheme == "*":
            return uri
        if uri.scheme not in _SCHEMES:
            return Uri("", None, uri.host if uri.host == "*" else self.word(f"{uri.scheme}:{uri.host}"))
        if uri.scheme not in ("sip", "sips", "tel"):
            return Uri(uri.scheme, None, self.word(uri.host))
        user = None if uri.user is None else self.word(uri.user)
        return Uri(uri.scheme, user, self.host(uri.host), uri.port, self.parameters(uri.parameters))

    def parameters(self, text: str) -> str:
        """`;`-separated parameters without the first `;`."""
        return ";".join(filter(None, map(self._parameter, text.split(";"))))

    def _parameter(self, text: str) -> str:
        name, equals, value = (part.strip() for part in text.partition("="))
        known = name.lower()
        if known in _KEPT_PARAMETERS and (not value or _NUMERIC.fullmatch(value) or value.lower() in TRANSPORTS):
            return name + equals + value
        if known not in _HIDDEN_PARAMETERS | _KEPT_PARAMETERS:
            return self.token(text.strip())
        return name + equals + (self.host(value) if known in ("maddr", "received") else self.token(value))

    def mac(self, text: str) -> str:
        """A MAC: its vendor stays, the rest is mapped bit by bit. Separators and case stay."""
        bits = self._bits("mac", int(re.sub("[:-]", "", text), 16), 48, VENDOR)
        digits = iter(f"{bits:012X}" if text.upper() == text and text.lower() != text else f"{bits:012x}")
        return "".join(char if char in ":-" else next(digits) for char in text)

    def agent(self, text: str) -> str:
        """A User-Agent: products and versions stay; a MAC in them, and every other word, is replaced."""
        return " ".join(map(self._product, text.split(" ")))

    def _product(self, word: str) -> str:
        if not _PRODUCT.fullmatch(word) or len(word) > 80:
            return self.word(word)
        pieces = re.split(r"([0-9A-Fa-f]{12})(?![0-9A-Fa-f])", word)
        masked = [self.mac(piece) if index % 2 else _DIGITS_OF_SOMEBODY.sub(lambda found: self.word(found[0]), piece)
                  for index, piece in enumerate(pieces)]
        return "".join(masked)

    def path(self, text: str) -> str:
        """The path of a file; only its suffix, which tells the kind of file, stays."""
        found = _SUFFIX.search(text)
        return f"f{self._short(text)}{found[0] if found else ''}"

    def _address(self, text: str) -> str:
        if text in _KEPT_ADDRESSES:
            return text
        family = socket.AF_INET6 if ":" in text else socket.AF_INET
        packed = socket.inet_pton(family, text)
        length = 8 * len(packed)
        mapped = self._bits(f"ip{length}", int.from_bytes(packed, "big"), length, 0)
        return socket.inet_ntop(family, mapped.to_bytes(len(packed), "big"))

    def _bits(self, kind: str, value: int, length: int, kept: int) -> int:
        """`value` with each bit after the first `kept` flipped or not, depending on the key and the bits before it."""
        mapped = 0
        for left in range(length - 1, -1, -1):
            before = value >> left + 1
            flip = length - 1 - left >= kept and self._flips(kind, length - 1 - left, before)
            mapped = mapped << 1 | (value >> left & 1) ^ flip
        return mapped

    def _flip(self, kind: str, position: int, before: int) -> int:
        return self._digest(f"{kind}/{position}/{before:x}")[0] & 1


def maybe(hide: Callable[[str], str], text: str | None) -> str | None:
    """`hide(text)`, or None for None."""
    return None if text is None else hide(text)


def is_address(text: str) -> bool:
    """Whether the text is an IPv4 or IPv6 address."""
    try:
        socket.inet_pton(socket.AF_INET6 if ":" in text else socket.AF_INET, text)
    except (OSError, ValueError):
        return False
    return True
