"""A frame for the terminal: Wireshark's dissection with our reading beside it."""

from __future__ import annotations

import textwrap
from collections.abc import Iterator, Sequence

from sipaudit.report.differences import Difference, compare, named, our_reading, sip_layers
from sipaudit.report.dissect import Dissection, Layer
from sipaudit.safe_text import safe_text
from sipaudit.sip.message import Message

MIN_WIDTH = 40  # columns
FIELD_SHOWN = 2_000  # characters of one field

_SAME, _UNLIKE = "│", "≠"


def render(dissection: Dissection, own: Sequence[Message], *, width: int = 100) -> str:
    """Text of `width` columns: Wireshark's dissection on the left, our values beside the fields they belong to with
    `≠` where the two differ; below it Wireshark's remarks, the defects we found, and the differences in words."""
    differences = compare(dissection, own)
    table = _Table(max(width, MIN_WIDTH))
    table.row("WIRESHARK", "SIPAUDIT")
    places = sip_layers(dissection)
    for at, layer in enumerate(dissection.layers):
        number = places.index(at) + 1 if at in places else 0
        ours = own[number - 1] if 0 < number <= len(own) else None
        table.row(layer.name, "" if ours is None else f"message {number} of {len(own)}")
        _layer(table, layer, ours, {each.field for each in differences if each.message == number})
    said = [*_remarks(dissection, own), *(_in_words(each) for each in differences)] or ["No difference."]
    lines = [line for text in said for line in _wrapped(text, table.width)]
    return "\n".join([f"Frame {dissection.frame}", "", *table.lines, "", *lines]) + "\n"


def _layer(table: _Table, layer: Layer, ours: Message | None, unlike: set[str]) -> None:
    """Wireshark's fields, with our values beside those that we have, too; fields that only we have come last."""
    left = our_reading(ours) if ours is not None else {}
    for name, _, field in named(layer):
        values = left.get(name, [])
        right = f"  {name}: {values.pop(0)}" if values else ""
        table.row(f"  {field.text}", right, unlike=bool(name) and ours is not None and name in unlike)
    for name, values in left.items():
        for value in values:
            table.row("", f"  {name}: {value}", unlike=name in unlike)


def _remarks(dissection: Dissection, own: Sequence[Message]) -> Iterator[str]:
    yield from (f"Wireshark remarks: {expert}" for expert in dissection.experts)
    for number, message in enumerate(own, 1):
        if message.defects:
            yield f"sipaudit found in message {number}: {', '.join(message.defects)}"


def _in_words(difference: Difference) -> str:
    wireshark, ours = (f'"{each}"' if each else "nothing" for each in (difference.wireshark, difference.ours))
    return f"Message {difference.message}, {difference.field}: Wireshark reads {wireshark}, sipaudit {ours}"


class _Table:
    """Two columns of wrapped text with a sign between them."""

    def __init__(self, width: int) -> None:
        self.width = width
        self.lines: list[str] = []
        self._right = (width - 3) * 2 // 5
        self._left = width - 3 - self._right

    def row(self, left: str, right: str, *, unlike: bool = False) -> None:
        lefts, rights = _wrapped(left, self._left), _wrapped(right, self._right)
        for at in range(max(len(lefts), len(rights))):
            one, other = (lines[at] if at < len(lines) else "" for lines in (lefts, rights))
            sign = _UNLIKE if unlike and at == 0 else _SAME
            self.lines.append(f"{one:<{self._left}} {sign} {other}".rstrip())


def _wrapped(text: str, width: int) -> list[str]:
    """Lines of at most `width` characters, continued with an indent; long fields are cut, and say so."""
    shown = safe_text(text[:FIELD_SHOWN])
    if len(text) > FIELD_SHOWN:
        shown += f" … ({len(text.strip())} characters)"
    indent = " " * (len(shown) - len(shown.lstrip()))
    return textwrap.wrap(shown, width, subsequent_indent=f"{indent}  ") or [""]
