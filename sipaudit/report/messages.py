"""The table of all SIP messages (contract.md 3), one row for each, written in pieces.

Whose a message is may be known only when all have been read. So rows can be spooled (`Rows`) with numbers in place of
names, which replace them when the table is written: the captures need not be followed a second time.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from itertools import islice
from pathlib import Path
from tempfile import TemporaryFile
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, NamedTuple

from sipaudit.report.exhibits import PlacedMessage
from sipaudit.sip.datagram import Datagram
from sipaudit.sip.message import Malformed, Message, Request, Response
from sipaudit.sip.uri import uri_text

if TYPE_CHECKING:
    import pyarrow as pa

PIECE = 4_096       # messages in memory as Python values at a time
ROW_GROUP = 32_768  # messages in memory as Arrow values, which are ten times smaller

COLUMNS = {
    "time": "timestamp[us, tz=UTC]", "capture": "string", "frame": "uint64", "transport": "string", "source": "string",
    "destination": "string", "phone": "string", "line": "string", "server": "string", "from_phone": "bool",
    "method": "string", "status": "int16", "request_uri": "string", "call_id": "string", "cseq": "uint32",
    "branch": "string", "from_tag": "string", "to_tag": "string", "contact": "string", "expires": "double",
    "user_agent": "string", "retransmission": "bool", "length": "uint32", "defects": "list<string>",
}
"""Name and Arrow type of each column, in order."""

NUMBERED = {"capture": "uint32", "phone": "uint64", "line": "uint64"}
"""Columns that hold numbers until the names are known, and their types until then."""

_UNREADABLE = (None,) * 11


class Names(NamedTuple):
    """Functions that give the final names of captures, phones, lines and servers; None: it was no phone or line."""

    capture: Callable[[int], str]
    phone: Callable[[int], str | None]
    line: Callable[[int], str | None]
    server: Callable[[str], str]


class Rows:
    """Rows spooled to a temporary file as messages pass, with the numbers of their captures, phones and lines, and the
    keys of their servers."""

    def __init__(self) -> None:
        self._file = TemporaryFile(prefix="sipaudit-")  # noqa: SIM115 - lives as long as the rows
        self._waiting: list[tuple[Any, ...]] = []
        self._writer: pa.RecordBatchFileWriter | None = None

    def add(self, cells: tuple[Any, ...]) -> None:
        """Add a row that `row_of` made."""
        self._waiting.append(cells)
        if len(self._waiting) >= PIECE:
            self._lay_down()

    def _lay_down(self) -> None:
        import pyarrow as pa

        if self._writer is None:   # not before: a process that will fork must not have Arrow's threads
            options = pa.ipc.IpcWriteOptions(compression="lz4", use_threads=False)
            self._writer = pa.ipc.new_file(self._file, schema(NUMBERED), options=options)
        self._writer.write_batch(_batch(self._waiting, schema(NUMBERED)))
        self._waiting.clear()

    def batches(self, names: Names) -> Iterator[pa.RecordBatch]:
        """All rows, in pieces, with their names; afterwards no more can be added."""
        import pyarrow as pa

        with self._file:
            if self._waiting:
                self._lay_down()
            if self._writer is None:
                return
            self._writer.close()
            self._file.seek(0)
            with pa.ipc.open_file(self._file) as reader:
                for number in range(reader.num_record_batches):
                    yield _with_names(reader.get_batch(number), names)


def _with_names(batch: pa.RecordBatch, names: Names) -> pa.RecordBatch:
    """The rows with names in place of numbers. A source that proved to be no phone has no name, and its rows neither
    `server` nor `from_phone`."""
    import pyarrow as pa
    import pyarrow.compute as pc

    columns = dict(zip(COLUMNS, batch.columns, strict=True))

    def told(column: str, name: Callable[[Any], str | None]) -> pa.Array:
        numbers = columns[column].dictionary_encode()
        return pa.array(map(name, numbers.dictionary.to_pylist()), pa.string()).take(numbers.indices)

    phones = told("phone", names.phone)
    of_phone, nobodys = phones.is_valid(), pa.scalar(None)
    columns |= {
        "capture": told("capture", names.capture), "phone": phones, "line": told("line", names.line),
        "server": pc.if_else(of_phone, told("server", names.server), nobodys),
        "from_phone": pc.if_else(of_phone, columns["from_phone"], nobodys),
    }
    return pa.RecordBatch.from_arrays(list(columns.values()), schema=schema())


def schema(otherwise: Mapping[str, str] = MappingProxyType({})) -> pa.Schema:
    """The columns with their Arrow types; `otherwise` has other types for some, as `NUMBERED`."""
    import pyarrow as pa

    types = {
        "timestamp[us, tz=UTC]": pa.timestamp("us", "UTC"), "string": pa.string(), "uint64": pa.uint64(),
        "uint32": pa.uint32(), "int16": pa.int16(), "bool": pa.bool_(), "double": pa.float64(),
        "list<string>": pa.list_(pa.string()),
    }
    return pa.schema([(name, types[otherwise.get(name, kind)]) for name, kind in COLUMNS.items()])


def write_parquet(rows: Iterator[pa.RecordBatch], path: Path) -> None:
    """Write all messages to a Parquet file; the memory needed does not grow with their number."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    # a stream, since Arrow takes `run:1/...` for a URI, and cannot encode each name that a file may have
    with path.open("wb") as stream, pq.ParquetWriter(stream, schema(), compression="zstd") as writer:
        while group := list(islice(rows, ROW_GROUP // PIECE)):
            writer.write_table(pa.Table.from_batches(group), row_group_size=ROW_GROUP)


def batches(messages: Iterable[PlacedMessage]) -> Iterator[pa.RecordBatch]:
    """The messages in pieces of `PIECE` rows."""
    rest, whole = iter(messages), schema()
    while rows := [row(placed) for placed in islice(rest, PIECE)]:
        yield _batch(rows, whole)


def _batch(rows: list[tuple[Any, ...]], whole: pa.Schema) -> pa.RecordBatch:
    import pyarrow as pa

    columns: Iterable[tuple[Any, ...]] = zip(*rows, strict=True)
    return pa.RecordBatch.from_arrays(
        [pa.array(column, field.type) for column, field in zip(columns, whole, strict=True)], schema=whole)


def row(placed: PlacedMessage) -> tuple[Any, ...]:
    """The cells of a message in the order of `COLUMNS`; what it lacks, or what cannot be parsed, is None."""
    whose = placed.phone, placed.line, placed.server, placed.from_phone
    return row_of(placed.item, placed.message, placed.capture, whose, placed.retransmission, placed.length)


def row_of(item: Datagram, message: Message, capture: str | int, whose: tuple[Any, ...], retransmission: bool,
           length: int) -> tuple[Any, ...]:
    """The cells of a message; `whose` has its phone, line and server, and whether the phone sent it."""
    flow = item.flow
    return (
        round(item.time * 1_000_000), capture, item.frame, flow.transport, flow.source, flow.destination, *whose,
        *(_UNREADABLE if isinstance(message, Malformed) else _headers(message)), retransmission, length,
        list(message.defects),
    )


def _headers(message: Request | Response) -> tuple[Any, ...]:
    """The cells from `method` to `user_agent`. A response's method is that of its CSeq. Of several Contacts the first
    counts; its `expires` parameter takes precedence over the Expires header (RFC 3261 10.2.1.1)."""
    contact = message.contacts[0] if message.contacts else None
    expires = message.expires if contact is None or contact.expires is None else contact.expires
    if isinstance(message, Request):
        method, status, uri = message.method, None, uri_text(message.uri)
    else:
        method, status, uri = message.cseq.method, message.status, None
    return (
        method, status, uri, message.call_id, message.cseq.number if message.cseq.number >= 0 else None,
        message.via.branch or None, message.from_.tag, message.to.tag, uri_text(contact.uri) if contact else None,
        None if expires is None else float(expires), message.user_agent,
    )
