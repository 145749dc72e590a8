"""The report as JSON: one document, or one object a line. Same report, same bytes."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from inspect import cleandoc
from pathlib import Path
from typing import Any

import msgspec

from sipaudit import mistaken, safe_json
from sipaudit.errors import InputError, unreadable
from sipaudit.model.values import SCHEMA, Frame, Place, Report, read_proof
from sipaudit.report.screen import shortened

REMEDY = "name a report.json that sipaudit wrote, its directory, or the URL of a store"
ROWS_AT_ONCE = 500   # lines, findings and the like that are formatted together
OURS = "sipaudit."   # the schema of every document that we write begins so
SCHEMA_SHOWN = 60    # characters


class Marked(msgspec.Struct):
    """The field that every document of ours has, whatever its kind and version."""

    schema: str


def to_json(report: Report) -> bytes:
    """The report as one indented JSON document (`sipaudit/report.schema.json`), keys in the schema's order."""
    return b"".join(pieces(report))


def pieces(report: Report) -> Iterator[bytes]:
    """The document of `to_json` in pieces, to avoid further copies of a large report's lines and findings."""
    for number, (key, field) in enumerate(zip(report.__struct_encode_fields__, report.__struct_fields__, strict=True)):
        yield b',\n "%s": ' % key.encode() if number else b'{\n "%s": ' % key.encode()
        value = getattr(report, field)
        yield from _rows(value) if isinstance(value, list) and value else (_below(value),)
    yield b"\n}\n"


def _rows(rows: list[Any]) -> Iterator[bytes]:
    """A non-empty list within the document, ROWS_AT_ONCE rows at a time."""
    for start in range(0, len(rows), ROWS_AT_ONCE):
        yield b"," if start else b"["
        yield _formatted([rows[start:start + ROWS_AT_ONCE]])[len(b"[\n ["):-len(b"\n ]\n]")]
    yield b"\n ]"


def _below(value: Any) -> bytes:
    """A value within the document, one level further in: formatted as the one element of a list."""
    return _formatted([value])[len(b"[\n "):-len(b"\n]")]


def indented(value: Any) -> bytes:
    """A value as one indented JSON document."""
    return _formatted(value) + b"\n"


def _formatted(value: Any) -> bytes:
    return msgspec.json.format(safe_json.to_json(value), indent=1)


def from_json(data: bytes) -> Report:
    """Read a report from JSON. Raises InputError if it is none, or of another version."""
    try:
        report = msgspec.json.decode(data, type=Report, dec_hook=read_proof)
    except (msgspec.MsgspecError, UnicodeDecodeError) as error:
        raise _other_document(data) or _no_report(data, error) from None
    if report.schema != SCHEMA:
        raise _other_document(data) or _no_report(data, f"its schema is not {SCHEMA}")
    return report


def _no_report(data: bytes, why: object) -> InputError:
    what = why if data.lstrip()[:1] == b"{" else "it is no JSON"
    return InputError(f"not a sipaudit report: {what}", fix=REMEDY)


def _other_document(data: bytes) -> InputError | None:
    """The error for a document of ours that is not a report of this version; only its schema is read, as a report of
    another version may lack fields that ours requires. None for anything else."""
    try:
        named = msgspec.json.decode(data, type=Marked).schema
    except (msgspec.MsgspecError, UnicodeDecodeError):
        return None
    if named == SCHEMA or not named.startswith(OURS):
        return None
    shown = shortened(named, SCHEMA_SHOWN)
    if named.startswith(SCHEMA.rstrip("0123456789")):
        return InputError(f"is a report of another version, {shown}; this one reads {SCHEMA}",
                          fix="read it with the version that wrote it, or analyze the captures again")
    return InputError(f"is no report but {shown}", fix=REMEDY)


def read(path: str) -> Report:
    """The report in a file, or in the `report.json` of a directory. Raises InputError."""
    place = Path(path)
    if place.is_dir():
        place /= "report.json"
    try:
        return from_json(_content(place))
    except InputError as error:
        raise InputError(error.message, fix=error.fix, file=str(place)) from None


def _content(place: Path) -> bytes:
    """The content of a file. Raises InputError, also if its first bytes show that it is a capture, a compressed file or
    a store, before the rest is read: it may be large."""
    try:
        with place.open("rb") as file:
            head = file.read(mistaken.HEAD)
            kinds = mistaken.CAPTURE, mistaken.COMPRESSED, mistaken.STORE
            if error := mistaken.known_as(head, str(place), *kinds):
                raise error
            return head + file.read()
    except OSError as error:
        raise unreadable(error, place, REMEDY) from error


def to_jsonl(report: Report) -> Iterator[bytes]:
    """One object a line, `{"type": "finding", "finding": {...}}`, in the order of contract.md 3."""
    yield from _lines("capture", report.captures)
    yield from _lines("server", report.servers)
    yield from _lines("line", report.lines)
    moves = [(move, line) for line in report.lines for move in line.moves]
    for move, line in sorted(moves, key=lambda pair: pair[0].time):
        yield line_of({"type": "move", "line": line.line, "phone": line.phone, "move": move})
    yield from _lines("finding", report.findings)
    yield from _lines("incident", report.incidents)
    yield from _lines("inconclusive", report.inconclusive)
    yield from _lines("reached", report.reached)


def _lines(kind: str, items: Iterable[Any]) -> Iterator[bytes]:
    return (line_of({"type": kind, kind: item}) for item in items)


def line_of(value: dict[str, Any]) -> bytes:
    """One line of JSON lines."""
    return safe_json.to_json(value) + b"\n"


def schema() -> dict[str, Any]:
    """The JSON Schema of a report, made from the values themselves."""
    (of_report, *_), kinds = msgspec.json.schema_components(
        [Report, Frame, Place], schema_hook=_proof_schema, ref_template="#/$defs/{name}")
    for kind in kinds.values():   # some versions of msgspec keep the docstrings' indentation
        if "description" in kind:
            kind["description"] = cleandoc(kind["description"])
    return {"$schema": "https://json-schema.org/draft/2020-12/schema", "title": "sipaudit report",
            **of_report, "$defs": kinds}


def _proof_schema(_kind: type) -> dict[str, Any]:
    return {"anyOf": [{"$ref": "#/$defs/Frame"}, {"$ref": "#/$defs/Place"}]}
