"""Replaces names in SIP messages by pseudonyms: in their text, header by header, and in parsed messages.

What is known to name nobody stays; every other header, parameter and body is replaced, so that an unknown header
gives nothing away.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator

from msgspec.structs import replace

from sipaudit.reasons import REASONS
from sipaudit.report.exhibits import PlacedMessage
from sipaudit.report.ladder import LadderRow
from sipaudit.report.redact import TRANSPORTS, Pseudonyms, maybe
from sipaudit.report.redact_report import Redaction
from sipaudit.sip.message import Address, Malformed, Message, Request, Via
from sipaudit.sip.text import decode

_COMPACT = {"v": "via", "f": "from", "t": "to", "i": "call-id", "m": "contact", "l": "content-length", "o": "event",
            "k": "supported", "e": "content-encoding", "c": "content-type", "r": "refer-to", "b": "referred-by",
            "x": "session-expires", "u": "allow-events", "s": "subject"}
_ADDRESSES = frozenset({
    "from", "to", "contact", "route", "record-route", "refer-to", "referred-by", "p-asserted-identity",
    "p-preferred-identity", "remote-party-id", "diversion", "path", "service-route", "history-info", "reply-to",
    "alert-info", "call-info", "error-info", "p-called-party-id", "p-associated-uri"})
_TOKENS = frozenset({"call-id", "in-reply-to", "replaces", "join", "target-dialog", "p-charging-vector"})
_DIGEST = frozenset({"authorization", "proxy-authorization", "www-authenticate", "proxy-authenticate",
                     "authentication-info", "proxy-authentication-info"})
_AGENTS = frozenset({"user-agent", "server"})
_NUMBERS = frozenset({"max-forwards", "expires", "min-expires", "rseq", "session-expires", "min-se", "retry-after",
                      "timestamp", "mime-version"})
_PLAIN = frozenset({
    "content-type", "allow", "supported", "require", "proxy-require", "unsupported", "accept",
    "accept-encoding", "accept-language", "allow-events", "event", "subscription-state", "rack", "date",
    "content-disposition", "content-encoding", "privacy", "priority"})
_HARMLESS = re.compile(r"[A-Za-z0-9 ,:;=/.*+_-]{0,200}")
_SOMEBODY = re.compile(r"[0-9A-Fa-f]{12}|[0-9]{11,}|[0-9]{1,3}(?:\.[0-9]{1,3}){3}|::|(?:[0-9A-Fa-f]{1,4}:){3}")
_STATUS = re.compile(r"[1-6][0-9]{2}")
_LEADING_NUMBER = re.compile(r"[0-9.]{1,16}(?:\s*;\s*refresher=ua[cs])?")
_DIGEST_PLAIN = frozenset({"algorithm", "qop", "stale", "nc"})
_DIGEST_NAMES = _DIGEST_PLAIN | {"username", "realm", "nonce", "uri", "response", "cnonce", "opaque", "domain",
                                 "nextnonce", "rspauth"}
_PAIR = re.compile(r'(?<![A-Za-z0-9_-])([A-Za-z0-9_-]++)\s*+=\s*+("(?:[^"\\]|\\.)*"|[^\s,"]*)')
_MEMBER = re.compile(r'\s*((?:"(?:[^"\\]|\\.)*"|<[^>]*>?|[^,"<])*)')
_NAME_ADDR = re.compile(r'((?:"(?:[^"\\]|\\.)*"|[^"<])*)<([^>]*)>(.*)', re.DOTALL)
_VIA_MEMBER = re.compile(r"(SIP\s*/\s*2\.0\s*/\s*)([^\s;/]+)\s+([^;]*)(.*)", re.DOTALL | re.IGNORECASE)
_SDP_KEPT = frozenset("vtmrbz")
_SDP_ATTRIBUTES = frozenset({"rtpmap", "fmtp", "ptime", "maxptime", "sendrecv", "sendonly", "recvonly", "inactive"})
_SDP_ADDRESS = re.compile(r"(IN IP[46] )(\S+)")


class MessageRedaction:
    """Replaces names in messages. Every method accepts whatever the wire holds."""

    def __init__(self, redaction: Redaction) -> None:
        self.redaction = redaction
        self._names: Pseudonyms = redaction.names

    # -- as values

    def placed(self, placed: PlacedMessage, text: bytes = b"") -> PlacedMessage:
        """A message with its place; its defects and its length stay. `text` is the redacted text of the message, if
        that is to be shown."""
        names, flow = self._names, placed.item.flow
        hidden = replace(
            flow, source_host=names.host(flow.source_host), destination_host=names.host(flow.destination_host),
            source=names.endpoint(flow.source), destination=names.endpoint(flow.destination),
            source_mac=None, vlan=None)
        return replace(
            placed, capture=names.path(placed.capture), item=replace(placed.item, flow=hidden, payload=text),
            message=self.message(placed.message), phone=maybe(names.endpoint, placed.phone),
            line=maybe(names.uri, placed.line), server=maybe(names.endpoint, placed.server),
        )

    def message(self, message: Message) -> Message:
        """A message with the headers that tables show; the others are left out."""
        if isinstance(message, Malformed):
            return Malformed("", message.defects)
        common = {
            "via": self._via_value(message.via), "from_": self._party(message.from_), "to": self._party(message.to),
            "call_id": self._names.token(message.call_id), "contacts": tuple(map(self._party, message.contacts)),
            "user_agent": maybe(self._names.agent, message.user_agent),
            "cseq": replace(message.cseq, method=self._method(message.cseq.method)),
        }
        if isinstance(message, Request):
            return replace(message, **common, method=self._method(message.method),
                           uri=self._names.parsed_uri(message.uri), routes=(), credentials=(), event=None,
                           replaces=None, rack=None)
        return replace(message, **common, reason=reason(message.status), challenges=())

    def row(self, row: LadderRow) -> LadderRow:
        """A row of a ladder."""
        status, _, _ = row.text.partition(" ")
        if status.isdigit():
            text = f"{status} {reason(int(status[:3]))}"
        else:
            text = row.text if row.text.startswith("malformed: ") else self._method(row.text)
        return replace(row, capture=self._names.path(row.capture), source=self._names.endpoint(row.source),
                       destination=self._names.endpoint(row.destination), text=text)

    def _via_value(self, via: Via) -> Via:
        return replace(via, transport=self._transport(via.transport), host=self._names.host(via.host),
                       branch=self._names.token(via.branch), received=None)

    def _party(self, party: Address) -> Address:
        return Address(self._names.parsed_uri(party.uri), maybe(self._names.token, party.tag), party.expires)

    def _method(self, method: str) -> str:
        return method if method.isalpha() and len(method) <= 16 else self._names.word(method)

    def _transport(self, transport: str) -> str:
        return transport if transport.lower() in TRANSPORTS else self._names.word(transport)

    # -- as text

    def text(self, payload: bytes) -> bytes:
        """The text of a message as it would be on the wire if the pseudonyms were the real names."""
        head, _, body = payload.replace(b"\r\n", b"\n").partition(b"\n\n")
        lines = _unfolded(head)
        kind = next((value for name, value in map(_header, lines[1:]) if name == "content-type"), "")
        hidden = self._body(kind, body)
        said = [self._start(lines[0]), *(self._line(line, len(hidden)) for line in lines[1:])]
        return "\r\n".join(said).encode() + b"\r\n\r\n" + hidden

    def _start(self, line: str) -> str:
        words = line.split(" ")
        if words[0].upper() == "SIP/2.0" and len(words) > 1 and _STATUS.fullmatch(words[1]):
            return f"SIP/2.0 {words[1]} {reason(int(words[1]))}"
        if len(words) == 3 and words[2].upper() == "SIP/2.0":
            return f"{self._method(words[0])} {self._names.uri(words[1])} SIP/2.0"
        return self._names.word(line)

    def _line(self, line: str, length: int) -> str:
        name, value = _header(line)
        shown = line.partition(":")[0].strip()
        if name == "content-length":
            return f"{shown}: {length}"
        hide = self._reader(name)
        return f"X-Redacted: {self._names.token(line)}" if hide is None else f"{shown}: {hide(value) if value else ''}"

    def _reader(self, name: str) -> Callable[[str], str] | None:
        """The function that redacts the value of a header; None for an unknown header."""
        if name == "via":
            return self._vias
        if name in _ADDRESSES:
            return self._addresses
        if name in _TOKENS:
            return self._names.token
        if name in _DIGEST:
            return self._digest
        if name in _AGENTS:
            return self._names.agent
        if name == "cseq":
            return self._cseq
        if name in _NUMBERS:
            return self._number
        return self._plain if name in _PLAIN else None

    def _number(self, value: str) -> str:
        """The number at the start of a value; a comment after it may say anything, and is left out."""
        found = _LEADING_NUMBER.match(value)
        return found[0] if found and not _SOMEBODY.search(found[0]) else self._names.token(value)

    def _cseq(self, value: str) -> str:
        number, *method = value.split(None, 1)
        return " ".join([self._number(number), *map(self._method, method)])

    def _plain(self, value: str) -> str:
        return value if _names_nobody(value) else self._names.token(value)

    def _vias(self, value: str) -> str:
        return ", ".join(map(self._via, _members(value)))

    def _via(self, value: str) -> str:
        found = _VIA_MEMBER.fullmatch(value)
        if found is None:
            return self._names.token(value)
        place = self._names.endpoint(found[3].strip())
        return f"{found[1]}{self._transport(found[2])} {place}{self._parameters(found[4])}"

    def _parameters(self, text: str) -> str:
        """`;name=value` after an address or a Via."""
        hidden = self._names.parameters(text.lstrip("; "))
        return f";{hidden}" if hidden else ""

    def _addresses(self, value: str) -> str:
        return ", ".join(map(self._address, _members(value)))

    def _address(self, value: str) -> str:
        found = _NAME_ADDR.fullmatch(value)
        if found is None:
            uri, _, parameters = value.partition(";")
            return self._names.uri(uri.strip()) + self._parameters(parameters)
        display = found[1].strip().strip('"')
        shown = f'"{self._names.word(display)}" ' if display else ""
        return f"{shown}<{self._names.uri(found[2])}>{self._parameters(found[3])}"

    def _digest(self, value: str) -> str:
        scheme, *_ = value.split(None, 1)
        rest = value[len(scheme):]
        pairs = [f'{name}="{self._digest_value(name.lower(), text.strip(chr(34)))}"' for name, text in
                 _PAIR.findall(rest) if name.lower() in _DIGEST_NAMES]
        return f"{scheme if scheme.lower() == 'digest' else self._names.token(value)} {', '.join(pairs)}".rstrip()

    def _digest_value(self, name: str, text: str) -> str:
        if name in _DIGEST_PLAIN:
            return self._plain(text)
        if name in ("username", "realm"):
            return self._names.word(text)
        return self._names.uri(text) if name == "uri" else self._names.token(text)

    def _body(self, kind: str, body: bytes) -> bytes:
        """A session description (SDP) is redacted line by line; of any other body only the length is given."""
        if not body.strip(b"\0\r\n "):
            return b""
        if kind.partition(";")[0].strip().lower() != "application/sdp":
            return f"{len(body)} bytes\r\n".encode()
        lines = body.decode("latin-1").split("\n")
        return "".join(f"{hidden}\r\n" for line in lines if (hidden := self._sdp(line.strip()))).encode()

    def _sdp(self, line: str) -> str:
        letter, _, value = line.partition("=")
        if letter == "o":
            return f"o=- 0 0 {self._sdp_address(' '.join(value.split()[3:]))}"
        if letter == "s":
            return "s=-"
        if letter == "c":
            return f"c={self._sdp_address(value)}"
        if letter == "a":
            return line if value.partition(":")[0] in _SDP_ATTRIBUTES and _names_nobody(value) else ""
        return line if letter in _SDP_KEPT and _names_nobody(value) else ""

    def _sdp_address(self, value: str) -> str:
        found = _SDP_ADDRESS.match(value)
        return found[1] + self._names.host(found[2].partition("/")[0]) if found else "IN IP4 0.0.0.0"


def reason(status: int) -> str:
    """The usual reason phrase of a status code; the one on the wire may say anything."""
    return REASONS.get(status, "Redacted")


def _names_nobody(value: str) -> bool:
    """Whether the value has only characters of plain words, and nothing that may be an address, a MAC or a number."""
    return _HARMLESS.fullmatch(value) is not None and not _SOMEBODY.search(value)


def _unfolded(head: bytes) -> list[str]:
    """The lines of a head, with continuation lines joined to the header that they continue."""
    lines: list[list[str]] = []
    for raw in head.split(b"\n"):
        line = decode(raw, [])
        if line[:1] in (" ", "\t") and len(lines) > 1:
            lines[-1].append(line.strip())
        else:
            lines.append([line])
    return [" ".join(pieces) for pieces in lines]


def _header(line: str) -> tuple[str, str]:
    """The name of a header, in lower case and its long form, and its value."""
    name, _, value = line.partition(":")
    short = name.strip().lower()
    return _COMPACT.get(short, short), value.strip()


def _members(value: str) -> Iterator[str]:
    """The members of a list, split at commas that stand neither between quotes nor in `<>`."""
    at = 0
    while at <= len(value):
        found = _MEMBER.match(value, at)
        end = found.end() if found else at
        member = value[at:end].strip()
        if end < len(value) and value[end] != ",":  # an unclosed quote
            yield value[at:].strip()
            return
        if member:
            yield member
        at = end + 1
