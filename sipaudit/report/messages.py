"""The table of all SIP messages (contract.md 3): a row a message, written in pieces as they come."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Any

from sipaudit.report.exhibits import PlacedMessage
from sipaudit.sip.message import Malformed, Request, Response
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

_UNREADABLE = (None,) * 11


def schema() -> pa.Schema:
    """The columns as Arrow types."""
    import pyarrow as pa

    types = {
        "timestamp[us, tz=UTC]": pa.timestamp("us", "UTC"), "string": pa.string(), "uint64": pa.uint64(),
        "uint32": pa.uint32(), "int16": pa.int16(), "bool": pa.bool_(), "double": pa.float64(),
        "list<string>": pa.list_(pa.string()),
    }
    return pa.schema([(name, types[kind]) for name, kind in COLUMNS.items()])


def write_parquet(messages: Iterable[PlacedMessage], path: Path) -> None:
    """All messages as a Parquet file; what is held at a time does not grow with their number."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    rest = batches(messages)
    with pq.ParquetWriter(path, schema(), compression="zstd") as writer:
        while group := list(islice(rest, ROW_GROUP // PIECE)):
            writer.write_table(pa.Table.from_batches(group), row_group_size=ROW_GROUP)


def batches(messages: Iterable[PlacedMessage]) -> Iterator[pa.RecordBatch]:
    """The messages in pieces of `PIECE` rows."""
    import pyarrow as pa

    rest, whole = iter(messages), schema()
    while rows := [row(placed) for placed in islice(rest, PIECE)]:
        columns: Iterable[tuple[Any, ...]] = zip(*rows, strict=True)
        yield pa.RecordBatch.from_arrays(
            [pa.array(column, field.type) for column, field in zip(columns, whole, strict=True)], schema=whole)


def row(placed: PlacedMessage) -> tuple[Any, ...]:
    """A message in the order of `COLUMNS`; what it does not say, or cannot be read, is None."""
    item, message = placed.item, placed.message
    return (
        round(item.time * 1_000_000), placed.capture, item.frame, item.flow.transport, item.flow.source,
        item.flow.destination, placed.phone, placed.line, placed.server, placed.from_phone,
        *(_UNREADABLE if isinstance(message, Malformed) else _headers(message)), placed.retransmission,
        placed.length, list(message.defects),
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
