"""How much work a message causes: counted, not timed, so that a busy machine does not matter.

    SIPAUDIT_PURE=1 python -m tests.work

prints each count beside its budget. A change that raises the cost of a message on purpose raises the budget here: the
new figure, rounded up, and in the commit why it is worth it. A change that lowers the cost lowers the budget, or the
gain could be lost again unnoticed. `SLACK` allows for versions of Python and of libraries, not for changes of ours.

Two things are counted: function calls (Python's and C's, as cProfile sees them), and blocks of memory that are held at
the end and were not before (without the parser's memo). Each figure is the difference between a capture and one half as
long, per additional message: this leaves out the start, and what a line costs once. Each capture is followed in a
process of its own, so that no memo knows it, and interpreted, since cProfile does not see calls of compiled code.

The memory that a line takes is counted in bytes: the difference of the peaks, while the capture is read, between a
fleet and one twice as large.
"""

from __future__ import annotations

import cProfile
import gc
import json
import os
import sys
import tempfile
import tracemalloc
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, replace
from functools import partial
from pathlib import Path

from bench.captures import SIP, WORKLOADS, Workload
from sipaudit.compiled import PURE
from sipaudit.pipeline import Job
from sipaudit.run import ahead
from sipaudit.run.run import Run
from sipaudit.sip.lines import MAX_LASTING
from sipaudit.sip.parse import Parser

SLACK = 1.05
LINEAR = 1.03      # the cost of a message in a capture twice as long may be at most so many times as high
LARGE_FLEET = 31   # calls for a renewal's message with 50,000 phones, whose lines the parser's memo cannot hold
A_LINE = 3_810     # bytes for a line that has registered twice
SMALLER = 125      # fleets and the parser's memo are divided by this here


@dataclass(frozen=True)
class Budget:
    """What a message may cost: function calls, and blocks that stay allocated."""

    calls: float
    blocks: float


@dataclass(frozen=True)
class Counted:
    """Counts for a message: over the second half of a capture, and (calls only) over its second quarter."""

    calls: float
    calls_before: float
    blocks: float


BUDGETS = {
    "register": Budget(calls=28, blocks=0.1),
    "calls": Budget(calls=72, blocks=3.0),
    "mixed": Budget(calls=66, blocks=1.7),
    "tcp": Budget(calls=47, blocks=0.3),
}
"""In `mixed`, 40 packets of media come with each message, and their work is counted for the message."""


def sizes(name: str) -> list[Workload]:
    """A workload at a quarter, a half and its whole length."""
    dense = partial(Workload, name, phones=40, spread=60.0)
    if name == "calls":   # longer means more phones: a phone cannot make more calls in the life of a registration
        one = WORKLOADS["calls"]
        return [replace(one, phones=20 * times, calls=40 * times, spread=6.0 * times) for times in (1, 2, 4)]
    made = {
        "register": dense(rounds=5),
        "mixed": dense(rounds=1, calls=24, streams=32),
        "tcp": dense(rounds=3, transport="tcp"),
    }[name]
    return [replace(made, rounds=made.rounds * times) for times in (1, 2, 4)]


def count(name: str) -> Counted:
    """The cost of a message in this workload."""
    quarter, half, whole = (_apart(partial(_calls, workload)) for workload in sizes(name))
    blocks = [_apart(partial(_blocks, workload)) for workload in sizes(name)[1:]]
    first, second, third = (workload.messages for workload in sizes(name))
    return Counted((whole - half) / (third - second), (half - quarter) / (second - first),
                   (blocks[1] - blocks[0]) / (third - second))


def fleets() -> tuple[float, float]:
    """Function calls for a message with 5,000 and with 50,000 phones; the fleets and the memo are made smaller
    alike."""
    few, many = (_renewal(replace(SIP, phones=SIP.phones * times // SMALLER)) for times in (1, 10))
    return few, many


def line() -> float:
    """Bytes of a line, as Python requests them, without what the allocator adds by rounding up."""
    fleet = replace(SIP, phones=500, rounds=2)
    _give_names_room()
    few, many = (_apart(partial(_most, replace(fleet, phones=fleet.phones * times))) for times in (1, 2))
    return (many - few) / fleet.phones


def _give_names_room() -> None:
    """Python's table of interned strings grows by a megabyte at a time, and when that happens depends on what was
    imported, from bytecode or from source. So let it grow now: it keeps its size when the strings are freed."""
    names = [sys.intern(f"a name {number}") for number in range(50_000)]
    names.clear()


def _most(workload: Workload) -> int:
    _remember(0)
    with _ready(workload) as run:
        tracemalloc.start()
        run.drive()
        return tracemalloc.get_traced_memory()[1]


def _renewal(fleet: Workload) -> float:
    """Function calls for a message of a fleet whose lines are known."""
    made = [_apart(partial(_calls, replace(fleet, rounds=rounds), MAX_LASTING // SMALLER)) for rounds in (2, 4)]
    return (made[1] - made[0]) / (fleet.phones * 4 * 2)


def _calls(workload: Workload, memo: int = MAX_LASTING) -> int:
    _remember(memo)
    profile = cProfile.Profile()
    with _ready(workload) as run:
        profile.runcall(run.drive)
    return sum(entry.callcount for entry in profile.getstats())


def _blocks(workload: Workload) -> int:
    _remember(0)   # the memo is bounded, but would not be full yet
    with _ready(workload) as run:
        gc.collect()
        before = sys.getallocatedblocks()
        run.drive()
        gc.collect()
        return sys.getallocatedblocks() - before


def _remember(lines: int) -> None:
    """Replace the parser by one whose memo holds so many lines."""
    vars(ahead)["parse"] = Parser(lines).parse


@contextmanager
def _ready(workload: Workload) -> Iterator[Run]:
    """A run in one process over the capture of a workload, ready for its first packet."""
    with tempfile.TemporaryDirectory() as folder:
        capture = Path(folder, "capture.pcap")
        workload.write(capture)
        yield Run(Job((str(capture),), site=str(workload.site), jobs=1), print)


def _apart(counting: Callable[[], int]) -> int:
    """The result of `counting`, called in a child of this process."""
    reader, writer = os.pipe()
    if (child := os.fork()) == 0:
        try:
            os.write(writer, str(counting()).encode())
        finally:
            os._exit(0)
    os.close(writer)
    with os.fdopen(reader) as said:
        number = said.read()
    os.waitpid(child, 0)
    return int(number)


def main() -> None:
    """Prints a table; with `--json`, the data that the tests read."""
    if not os.environ.get(PURE):
        sys.exit(f"what is compiled cannot be counted: {PURE}=1 python -m tests.work")
    counted, (few, many) = {name: count(name) for name in BUDGETS}, fleets()
    if "--json" in sys.argv:
        print(json.dumps({"large fleet": many, "line": line(), **{name: asdict(one) for name, one in counted.items()}}))
        return
    for name, budget in BUDGETS.items():
        one = counted[name]
        print(f"{name}: {one.calls:.1f} calls a message (budget {budget.calls:g}), "
              f"{one.blocks:.2f} blocks that stay ({budget.blocks:g}); before that {one.calls_before:.1f} calls")
    print(f"50,000 phones: {many:.1f} calls a message (budget {LARGE_FLEET}), "
          f"{many / few:.2f}x those of 5,000 (the mark for seconds is 1.4)")
    print(f"a line: {line():,.0f} bytes (budget {A_LINE:,})")


if __name__ == "__main__":
    main()
