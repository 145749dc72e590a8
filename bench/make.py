"""`python -m bench.make NAME...`: makes captures in bench/data/ that are not there."""

from __future__ import annotations

import sys

from bench.captures import WORKLOADS, Capture, ensure
from bench.measure import Failed
from bench.outage import Outage

OUTAGE = Outage("outage10k", 10_000)
CAPTURES: dict[str, Capture] = {**WORKLOADS, OUTAGE.name: OUTAGE}
USUAL = [name for name, capture in CAPTURES.items() if name not in WORKLOADS or not WORKLOADS[name].large]


def main() -> None:
    try:
        for name in sys.argv[1:]:
            ensure(CAPTURES[name])
    except Failed as failure:
        sys.exit(str(failure))


if __name__ == "__main__":
    main()
