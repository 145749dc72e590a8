"""A separate process that reads and parses captures, while the first process follows their items.

All learning happens in one process, from the same items in the same order: results cannot depend on the number of
processes (docs/decisions.md, *Speed*).
"""

from __future__ import annotations

import pickle
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager
from io import BufferedReader
from multiprocessing.context import ForkProcess

from sipaudit.capture.health import CaptureHealth
from sipaudit.run.packing import Unpacker
from sipaudit.run.pipe import received
from sipaudit.run.reader import Counted, Reader, Wanted
from sipaudit.sip.forms import Parsed


@contextmanager
def reading_apart(
    wanted: Wanted, *, payloads: bool, health: Sequence[CaptureHealth] = (), read: Counted | None = None,
    told: Reader | None = None,
) -> Iterator[Iterator[list[Parsed]]]:
    """Items with their messages, read by another process: the one `told` to read, or a new one. It ends with this
    context.

    `payloads`: all messages are needed whole; otherwise the payloads of datagrams are empty where their messages were
    parsed. `health` is updated, and `read` called with the stored bytes that were read, as if this process did the
    reading. While iterated, it raises what reading raises.
    """
    with closing(told or Reader()) as other:
        if told is None:
            other.read(wanted, payloads=payloads)
        yield _arrivals(other.incoming, other.process, Unpacker(payloads=payloads), health, read)


def _arrivals(incoming: BufferedReader, process: ForkProcess, unpacker: Unpacker, health: Sequence[CaptureHealth],
              read: Counted | None) -> Iterator[list[Parsed]]:
    """The batches as they arrive, each after the update of the captures' health."""
    while True:
        try:
            follows, end, count, states = pickle.loads(received(incoming))
            parcel = received(incoming) if follows else b""
        except EOFError:
            process.join()
            raise RuntimeError(f"the reading process has ended with {process.exitcode}") from None
        if health:
            for number, state in states:
                health[number].__dict__.update(state)
        if read is not None:
            read(count)
        if end is not None:
            raise end
        if not follows:
            return
        yield unpacker.unpack(parcel)
