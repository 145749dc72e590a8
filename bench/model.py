"""`python -m bench.model [--write]`: the processor time of model and rules a message, alone.

The events of a capture are collected first; then the same process passes them to the model, and to a function that only
stores them: the difference is the model's time.
"""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable, Sequence
from itertools import chain

from bench.captures import SITE, WORKLOADS, ensure
from bench.readme import options, tell
from sipaudit.model.events import ModelEvent
from sipaudit.pipeline import Job
from sipaudit.run.ahead import parsed_ahead
from sipaudit.run.garbage import rare_collections
from sipaudit.run.run import Run

RUNS = 5


def spent(take: Callable[[ModelEvent], object], events: Sequence[ModelEvent]) -> float:
    """The processor time in seconds that `take` needs for all events."""
    with rare_collections():
        before = time.process_time()
        for event in events:
            take(event)
        return time.process_time() - before


def once(capture: str) -> tuple[float, int]:
    """Microseconds an event, and the number of events. Each call makes a new route, since events belong to its lines.
    """
    route = Run(Job((capture,), site=str(SITE)), print)
    events = [event for item, message, _ in chain.from_iterable(parsed_ahead(route.reading.captures))
              for event in route.reconstruction.feed(item, message)]
    seen: list[ModelEvent] = []
    idle = spent(seen.append, events)
    return (spent(route.auditor.take, events) - idle) / len(events) * 1e6, len(events)


def main() -> None:
    chosen = options("bench.model", __doc__).parse_args()
    workload = WORKLOADS["sip"]
    runs = [once(str(ensure(workload))) for _ in range(RUNS)]
    costs = sorted(cost for cost, _ in runs)
    text = (f"{statistics.median(costs):.1f} µs a message ({costs[0]:.1f}-{costs[-1]:.1f}, {RUNS} runs of "
            f"{runs[0][1]:,} events; aim: at most 4).")
    tell("model", text, write=chosen.write)


if __name__ == "__main__":
    main()
