"""A process of its own that reads and parses captures, while the one that asked for it follows what they say.

All that is learnt is learnt in one process, from the same items in the same order: what is found cannot depend on how
many processes work (docs/decisions.md, *Speed*).
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
    """Items with their messages, read by another process, the one that was `told` to or a new one, which ends with this
    context.

    (`payloads`) each message is wanted whole; else the payloads of datagrams are empty where their messages were
    parsed. `health` is brought up to date, and `read` told of the stored bytes that were read, as if this process did
    it. Raises while it is iterated what reading raises.
    """
    with closing(told or Reader()) as other:
        if told is None:
            other.read(wanted, payloads=payloads)
        yield _arrivals(other.incoming, other.process, Unpacker(payloads=payloads), health, read)


def _arrivals(incoming: BufferedReader, process: ForkProcess, unpacker: Unpacker, health: Sequence[CaptureHealth],
              read: Counted | None) -> Iterator[list[Parsed]]:
    """The batches as they come, with what is known of the captures by then."""
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
