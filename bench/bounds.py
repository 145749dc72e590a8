"""`python -m bench.bounds [--write]`: the memory of one entry of each table, as used in `sipaudit/run/budget.py`.

Each flood is followed without limits; the bytes that Python allocates meanwhile are divided by the number of entries in
the table that the flood fills first.
"""

from __future__ import annotations

import gc
import tracemalloc

from bench.captures import SITE
from bench.floods import FLOODS
from bench.readme import options, tell
from bench.weeks import Listener
from sipaudit.live.limits import Limits
from sipaudit.run.budget import SHARES

COUNT = 1_500
START = 1_700_000_000.0
FILLS = {  # for each flood: the table by whose entries its bytes are divided, and that table's share of the budget
    "call_ids": ("hidden", "hidden"), "branches": ("transactions", "strange_transactions"),
    "aors": ("hidden", "hidden"), "granted": ("lines", "lines"), "accomplices": ("lines", "lines"),
    "calls": ("dialogs", "lines"), "connections": ("streams", "streams"), "names": ("names", "names"),
}


def grown(kind: str) -> tuple[int, dict[str, int]]:
    """The bytes that a listener allocates in a flood, and the number of entries in each of its tables at the end."""
    frames = list(FLOODS[kind](COUNT))
    listener = Listener(str(SITE), Limits(None))
    listener.hear(START, frames[0])
    gc.collect()
    tracemalloc.start()
    for number, frame in enumerate(frames):
        listener.hear(START + number / 1000, frame)
    gc.collect()
    taken, _ = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    return taken, listener.open


def rows() -> list[str]:
    made = ["| flood | table | things | bytes each | counted with |", "|---|---|--:|--:|--:|"]
    for kind, (table, share) in FILLS.items():
        taken, open_ = grown(kind)
        made.append(f"| {kind} | {table} | {open_[table]:,} | {taken // max(open_[table], 1):,} "
                    f"| {SHARES[share].each:,} |")
    return made


def main() -> None:
    chosen = options("bench.bounds", __doc__).parse_args()
    text = "\n".join(rows())
    tell("bounds", text, write=chosen.write)


if __name__ == "__main__":
    main()
