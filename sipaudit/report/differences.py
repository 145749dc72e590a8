"""Where our reading of a frame and Wireshark's differ: one of them is wrong there, or the message is."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence

from msgspec import Struct

from sipaudit.report.by_key import by_key
from sipaudit.report.dissect import Dissection, Field, Layer
from sipaudit.safe_text import safe_text
from sipaudit.sip.describe import describe
from sipaudit.sip.message import Malformed, Message
from sipaudit.sip.uri import shortest_ipv6

_QUOTING = frozenset(("icmp", "icmpv6"))  # the layers after them are quoted from another packet
_FIELDS = {
    "sip.Method": "Request-Line method",
    "sip.r-uri": "Request-URI",
    "sip.Status-Code": "Status-Code",
    "sip.Via.branch": "Via branch",
    "sip.Via.sent-by.address": "Via sent-by",
    "sip.from.addr": "From URI",
    "sip.from.tag": "From tag",
    "sip.to.addr": "To URI",
    "sip.to.tag": "To tag",
    "sip.Call-ID": "Call-ID",
    "sip.CSeq.seq": "CSeq number",
    "sip.CSeq.method": "CSeq method",
    "sip.contact.uri": "Contact",
    "sip.Expires": "Expires",
    "sip.User-Agent": "User-Agent",
}
"""Wireshark's filter names, and the names that `describe` uses for these fields."""

_URIS = frozenset(("Request-URI", "From URI", "To URI", "Contact"))
_CASELESS = _URIS | {"Via sent-by"}
_START_LINES = frozenset(("sip.Request-Line", "sip.Status-Line"))
_NO_TEXT = re.compile(r"(?:[^\x00-\x7f]|\\x[0-9a-f]{2})+")
_REFERENCE = re.compile(r"(?<=\[)[0-9A-Fa-f:.]+(?=\])")  # an IPv6 address
_PASSWORD = re.compile(r"^(\w+:[^:@]*):[^@]*@")

FieldValues = dict[str, list[str]]
"""Values by the field names of `describe`; several Contacts give several values."""


class Difference(Struct, frozen=True, gc=False):
    """One field that the two read differently; "" if one of them lacks it. `message` counts from 1 in the frame."""

    frame: int
    message: int
    field: str
    wireshark: str
    ours: str


def compare(dissection: Dissection, own: Sequence[Message]) -> list[Difference]:
    """Where Wireshark's dissection of a frame and our messages of it differ, in the order of the fields.

    Only fields that both name are compared.  A message that we call malformed is one difference, and so is a message
    that only one of the two found.
    """
    theirs = [dissection.layers[at] for at in sip_layers(dissection)]
    differences = [
        Difference(dissection.frame, number, field, wireshark, mine)
        for number, pair in enumerate(zip(theirs, own, strict=False), 1)
        for field, wireshark, mine in _unlike(*pair)
    ]
    if len(theirs) != len(own):
        number = min(len(theirs), len(own)) + 1
        counts = f"{len(theirs)} in this frame", f"{len(own)} in this frame"
        differences.append(Difference(dissection.frame, number, "SIP messages", *counts))
    return differences


def sip_layers(dissection: Dissection) -> list[int]:
    """The positions of the frame's own SIP messages among its layers; messages that ICMP quotes do not count."""
    found: list[int] = []
    for at, layer in enumerate(dissection.layers):
        if layer.name in _QUOTING:
            break
        if layer.name == "sip":
            found.append(at)
    return found


def our_reading(message: Message) -> FieldValues:
    """Our fields of a message, by name."""
    return by_key(describe(message))


def wireshark_reading(layer: Layer) -> FieldValues:
    """Wireshark's fields of a SIP message, under our names."""
    return by_key((name, value) for name, value, _ in named(layer) if name)


def named(layer: Layer) -> Iterator[tuple[str, str, Field]]:
    """Each field with our name for it and its value; the name is empty if we have none, or have yielded it before.

    Of repeated headers the first counts, of several Vias the topmost; every Contact counts.
    """
    seen: set[str] = set()
    vias, port = 0, _topmost_port(layer)
    for field in layer.fields:
        vias += field.name == "sip.Via"
        name = _FIELDS.get(field.name, "")
        if (name in seen and name != "Contact") or (name.startswith("Via ") and vias > 1):
            name = ""
        seen.add(name)
        yield name, _sent_by(field.value, port) if name == "Via sent-by" else field.value, field


def _topmost_port(layer: Layer) -> str:
    """The port after the first sent-by address, "" if it has none."""
    names = [field.name for field in layer.fields]
    if "sip.Via.sent-by.address" not in names:
        return ""
    at = names.index("sip.Via.sent-by.address") + 1
    return layer.fields[at].value if names[at:] and names[at] == "sip.Via.sent-by.port" else ""


def _sent_by(host: str, port: str) -> str:
    host = f"[{host}]" if ":" in host and not host.startswith("[") else host
    return f"{host}:{port}" if port else host


def _unlike(layer: Layer, message: Message) -> Iterator[tuple[str, str, str]]:
    if isinstance(message, Malformed):
        line = next((field.value for field in layer.fields if field.name in _START_LINES), "")
        yield "SIP message", line, f"malformed: {', '.join(message.defects)}"
        return
    theirs, ours = wireshark_reading(layer), our_reading(message)
    for name in _FIELDS.values():
        for at in range(max(len(theirs.get(name, ())), len(ours.get(name, ())))):
            wireshark, mine = _at(theirs, name, at), _at(ours, name, at)
            if not _same(name, wireshark, mine):
                yield name, wireshark, mine


def _at(reading: FieldValues, name: str, at: int) -> str:
    values = reading.get(name, [])
    return values[at] if at < len(values) else ""


def _same(name: str, wireshark: str, ours: str) -> bool:
    """Whether the values are equal. Ignored are white space, case and the form of an IPv6 address where they mean
    nothing, a URI's password and headers (which we do not keep), and how bytes that are not text are shown."""
    left, right = (safe_text(" ".join(each.split())) for each in (wireshark, ours))
    if "\ufffd" in left or "\\x" in left:
        left, right = _NO_TEXT.sub("\ufffd", left), _NO_TEXT.sub("\ufffd", right)
    if name in _URIS:
        left = _PASSWORD.sub(r"\1@", left.partition("?")[0])
    if name in _CASELESS:
        left = _REFERENCE.sub(lambda found: shortest_ipv6(found[0]) or found[0], left)
        left, right = left.casefold(), right.casefold()
    return left == right
