"""`python -m bench.store [--store URL] [--write]`: a saying's cost in the capture loop, and a store's rows a second.

The sayings are those of a site of 2,000 lines: registrations, moves, findings and lines in equal parts. Without a URL
a new SQLite store is written in a temporary directory.
"""

from __future__ import annotations

import statistics
import tempfile
import time
from pathlib import Path

from bench.readme import options, tell
from sipaudit.model.sayings import Saying
from sipaudit.store.opening import open_for_writing
from sipaudit.store.sink import ROWS, WAITING, StoreSink
from sipaudit.store.writing import RunOf, write
from tests.store.sayings import FIRST, SECOND, finding, line, move, registration

RUNS = 5
LINES = 2_000


def sayings(count: int) -> list[Saying]:
    """`count` sayings, a quarter of each kind."""
    made: list[Saying] = []
    for number in range(count // 4):
        aor = f"sip:{number % LINES}@pbx.example.com"
        made += [registration(number, number + 3600.0, aor=aor), move(number, FIRST, SECOND, aor=aor),
                 finding(number, observed="x" * 200, line=aor), line(aor, last=float(number))]
    return made


def rate(url: str, told: list[Saying], name: str) -> float:
    """The rows written a second, in transactions as large as the sink's."""
    store = open_for_writing(url)
    run = RunOf(name, "bench", "live", "bench")
    began = time.perf_counter()
    for first in range(0, len(told), ROWS):
        with store.engine.begin() as connection:
            write(connection, run, told[first:first + ROWS], time.time())
    spent = time.perf_counter() - began
    store.close()
    return len(told) / spent


def taking(url: str, told: list[Saying], spool: Path) -> float:
    """The microseconds that the capture loop takes to hand over a saying while the store's thread writes."""
    sink = StoreSink(open_for_writing(url), spool)
    began = time.perf_counter()
    for saying in told:
        sink.take(saying)
    spent = time.perf_counter() - began
    sink.close()
    return spent / len(told) * 1e6


def main() -> None:
    parser = options("bench.store", __doc__)
    parser.add_argument("--store", metavar="URL", help="a store made for this (default: a new SQLite file)")
    chosen = parser.parse_args()
    told = sayings(WAITING)
    with tempfile.TemporaryDirectory() as folder:
        url = chosen.store or f"sqlite:///{folder}/store.db"
        rates = sorted(rate(url, told, f"bench {number}") for number in range(RUNS))
        costs = sorted(taking(url, told, Path(folder) / "spool") for _ in range(RUNS))
    kind = url.partition(":")[0].partition("+")[0]
    text = (f"{kind}: {statistics.median(rates):,.0f} rows a second ({rates[0]:,.0f}-{rates[-1]:,.0f}, {RUNS} runs of "
            f"{len(told):,}); the capture loop waits {statistics.median(costs):.1f} µs for a saying "
            f"({costs[0]:.1f}-{costs[-1]:.1f}).")
    tell(f"store {kind}", text, write=chosen.write)


if __name__ == "__main__":
    main()
