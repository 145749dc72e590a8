"""The table of all SIP messages (contract.md 3): a row a message, written in pieces as they come.

Whose a message is may be known only when all were read. So rows can be laid down first (`Rows`) with numbers for
names, and get their names when they are written: the captures need not be followed a second time.
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

PIECE = 4_096       # messages that are held as Python's values at a time
ROW_GROUP = 32_768  # messages that are held as Arrow's, which are ten times smaller

COLUMNS = {
    "time": "timestamp[us, tz=UTC]", "capture": "string", "frame": "uint64", "transport": "string", "source": "string",
    "destination": "string", "phone": "string", "line": "string", "server": "string", "from_phone": "bool",
    "method": "string", "status": "int16", "request_uri": "string", "call_id": "string", "cseq": "uint32",
    "branch": "string", "from_tag": "string", "to_tag": "string", "contact": "string", "expires": "double",
    "user_agent": "string", "retransmission": "bool", "length": "uint32", "defects": "list<string>",
}
"""Name and Arrow type of each column, in order."""

NUMBERED = {"capture": "uint32", "phone": "uint64", "line": "uint64"}
"""Columns that hold numbers until their names are known, and the type they have then."""

_UNREADABLE = (None,) * 11


class Names(NamedTuple):
    """What captures, phones, lines and servers are called in the end; None: it is none."""

    capture: Callable[[int], str]
    phone: Callable[[int], str | None]
    line: Callable[[int], str | None]
    server: Callable[[str], str]


class Rows:
    """Rows laid down in a temporary file as messages pass, under the numbers of their captures, phones and lines and
    the keys of their servers."""

    def __init__(self) -> None:
        self._file = TemporaryFile(prefix="sipaudit-")  # noqa: SIM115 - lives as long as the rows
        self._waiting: list[tuple[Any, ...]] = []
        self._writer: pa.RecordBatchFileWriter | None = None

    def add(self, cells: tuple[Any, ...]) -> None:
        """One row more, as `row_of` makes it."""
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
        """All rows, in pieces, with these names; no more can be added."""
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
    """The rows with names for numbers; a phone that proved to be none has none, and its server counts for nothing."""
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
    """The columns as Arrow types; some may have other types for a while."""
    import pyarrow as pa

    types = {
        "timestamp[us, tz=UTC]": pa.timestamp("us", "UTC"), "string": pa.string(), "uint64": pa.uint64(),
        "uint32": pa.uint32(), "int16": pa.int16(), "bool": pa.bool_(), "double": pa.float64(),
        "list<string>": pa.list_(pa.string()),
    }
    return pa.schema([(name, types[otherwise.get(name, kind)]) for name, kind in COLUMNS.items()])


def write_parquet(rows: Iterator[pa.RecordBatch], path: Path) -> None:
    """All messages as a Parquet file; what is held at a time does not grow with their number."""
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
    """A message in the order of `COLUMNS`; what it does not say, or cannot be read, is None."""
    whose = placed.phone, placed.line, placed.server, placed.from_phone
    return row_of(placed.item, placed.message, placed.capture, whose, placed.retransmission, placed.length)


def row_of(item: Datagram, message: Message, capture: str | int, whose: tuple[Any, ...], retransmission: bool,
           length: int) -> tuple[Any, ...]:
    """A row; `whose` are phone, line, server and whether the phone sent it."""
    flow = item.flow
    return (
        round(item.time * 1_000_000), capture, item.frame, flow.transport, flow.source, flow.destination, *whose,
        *(_UNREADABLE if isinstance(message, Malformed) else _headers(message)), retransmission, length,
        list(message.defects),
    )


def _headers(message: Request | Response) -> tuple[Any, ...]:
    """From `method` to `user_agent`. A response's method is that of its CSeq; of several Contacts the first counts,
    whose own `expires` goes before the header of that name (RFC 3261 10.2.1.1)."""
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
