"""How much work a message makes: counted, not timed, so that a busy machine changes nothing.

    SIPAUDIT_PURE=1 python -m tests.work

prints what is counted beside its budget. A change that makes a message dearer on purpose raises the budget here: the
new figure, rounded up, and in the commit why it is worth it. One that makes it cheaper lowers it, else it can be lost
again unseen. `SLACK` is for versions of Python and of libraries, not for changes of ours.

Counted are calls of functions (Python's and C's, as cProfile sees them) and blocks of memory that are held at the end
and were not before (without the parser's memo), each for the messages that a capture has more than one half as long:
what starts up, and what a line costs once, is then left out. Each capture is followed in a process of its own, so that
no memo knows it, and by the interpreter, since calls of what is compiled are not seen.

What a line takes is counted in bytes, at the most while its capture is read: between a fleet and one twice as large.
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
LINEAR = 1.03      # at most so many times as much for a message in a capture twice as long
LARGE_FLEET = 31   # calls for a renewal's message with 50,000 phones, whose lines the parser's memo cannot hold
A_LINE = 3_810     # bytes of a line that has registered twice
SMALLER = 125      # how much smaller fleets and the parser's memo are here than there


@dataclass(frozen=True)
class Budget:
    """What a message may cost: calls of functions, and blocks that stay."""

    calls: float
    blocks: float


@dataclass(frozen=True)
class Counted:
    """What was counted for a message between half a capture and the whole, and between a quarter and the half."""

    calls: float
    calls_before: float
    blocks: float


BUDGETS = {
    "register": Budget(calls=28, blocks=0.1),
    "calls": Budget(calls=72, blocks=3.0),
    "mixed": Budget(calls=66, blocks=1.7),
    "tcp": Budget(calls=47, blocks=0.3),
}
"""With each message of `mixed` come 40 packets of media, whose work is the message's."""


def sizes(name: str) -> list[Workload]:
    """A workload at a quarter, a half and its whole length."""
    dense = partial(Workload, name, phones=40, spread=60.0)
    if name == "calls":   # longer means more phones: how often one calls in the life of a registration is limited
        one = WORKLOADS["calls"]
        return [replace(one, phones=20 * times, calls=40 * times, spread=6.0 * times) for times in (1, 2, 4)]
    made = {
        "register": dense(rounds=5),
        "mixed": dense(rounds=1, calls=24, streams=32),
        "tcp": dense(rounds=3, transport="tcp"),
    }[name]
    return [replace(made, rounds=made.rounds * times) for times in (1, 2, 4)]


def count(name: str) -> Counted:
    """What a message of this workload costs."""
    quarter, half, whole = (_apart(partial(_calls, workload)) for workload in sizes(name))
    blocks = [_apart(partial(_blocks, workload)) for workload in sizes(name)[1:]]
    first, second, third = (workload.messages for workload in sizes(name))
    return Counted((whole - half) / (third - second), (half - quarter) / (second - first),
                   (blocks[1] - blocks[0]) / (third - second))


def fleets() -> tuple[float, float]:
    """Calls for a message of 5,000 and of 50,000 phones, both and the memo made smaller alike."""
    few, many = (_renewal(replace(SIP, phones=SIP.phones * times // SMALLER)) for times in (1, 10))
    return few, many


def line() -> float:
    """Bytes of a line, as Python allots them: what the allocator rounds up is not among them."""
    fleet = replace(SIP, phones=500, rounds=2)
    _give_names_room()
    few, many = (_apart(partial(_most, replace(fleet, phones=fleet.phones * times))) for times in (1, 2))
    return (many - few) / fleet.phones


def _give_names_room() -> None:
    """Python's own table of interned names grows by a megabyte at once, when depends on what was imported, and from
    bytecode or from source: let it grow now, and keep its room, which it does when names go."""
    names = [sys.intern(f"a name {number}") for number in range(50_000)]
    names.clear()


def _most(workload: Workload) -> int:
    _remember(0)
    with _ready(workload) as run:
        tracemalloc.start()
        run.drive()
        return tracemalloc.get_traced_memory()[1]


def _renewal(fleet: Workload) -> float:
    """Calls for a message of a fleet whose lines are known."""
    made = [_apart(partial(_calls, replace(fleet, rounds=rounds), MAX_LASTING // SMALLER)) for rounds in (2, 4)]
    return (made[1] - made[0]) / (fleet.phones * 4 * 2)


def _calls(workload: Workload, memo: int = MAX_LASTING) -> int:
    _remember(memo)
    profile = cProfile.Profile()
    with _ready(workload) as run:
        profile.runcall(run.drive)
    return sum(entry.callcount for entry in profile.getstats())


def _blocks(workload: Workload) -> int:
    _remember(0)   # the memo has a bound of its own, and is not full yet
    with _ready(workload) as run:
        gc.collect()
        before = sys.getallocatedblocks()
        run.drive()
        gc.collect()
        return sys.getallocatedblocks() - before


def _remember(lines: int) -> None:
    """From now on the parser's memo holds so many lines."""
    vars(ahead)["parse"] = Parser(lines).parse


@contextmanager
def _ready(workload: Workload) -> Iterator[Run]:
    """A run of one process over the capture of a workload, before its first packet."""
    with tempfile.TemporaryDirectory() as folder:
        capture = Path(folder, "capture.pcap")
        workload.write(capture)
        yield Run(Job((str(capture),), site=str(workload.site), jobs=1), print)


def _apart(counting: Callable[[], int]) -> int:
    """What is counted in a child of this process."""
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
    """A table; with `--json` what the tests read."""
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
