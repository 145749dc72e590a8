"""Makes the sinks that the options ask for. Modules that need a library are imported only when they are used."""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence
from datetime import tzinfo
from typing import TextIO

from sipaudit.live.console import console
from sipaudit.live.ends import Sink
from sipaudit.live.json_lines import STDOUT, json_lines
from sipaudit.live.orders import Orders
from sipaudit.live.storing import store_end
from sipaudit.model.values import Severity
from sipaudit.rulebook.rules import RulePack


def outputs_opened_early(orders: Orders, pack: RulePack, zone: tzinfo) -> list[Sink]:
    """The sinks that need a port or a secret file, and so are made before privileges are dropped. Raises InputError."""
    sinks: list[Sink] = []
    counts = None
    if orders.notify:
        from sipaudit.live.notify import Notifier

        notifier = Notifier(orders.notify, zone, Severity(orders.notify_severity))
        counts = notifier.counts
        sinks.append(notifier)
    if orders.metrics is not None:
        from sipaudit.live.metrics import Metrics
        from sipaudit.live.scrape import Scrape

        metrics = Metrics(rules=[rule.id for rule in pack.of_lines], kinds=[kind.id for kind in pack.incidents],
                          notices=counts)
        sinks.append(Scrape(orders.metrics, metrics))
    return sinks


def outputs(orders: Orders, title: str, zone: tzinfo, log: Sequence[str], identity: str, *, goes_on: bool
            ) -> list[Sink]:
    """The other sinks, made as the user that we have become. `log`: the last lines of the log; `goes_on`: whether this
    process continues a run. Raises InputError."""
    sinks: list[Sink] = []
    store = store_end(orders.store, orders.checkpoint, os.environ, identity=identity, goes_on=goes_on)
    if store is not None:
        sinks.append(store)
    if orders.jsonl is not None:
        sinks.append(json_lines(orders.jsonl))
    sinks.append(console(screen_of(orders), title, zone, log))
    return sinks


def screen_of(orders: Orders) -> TextIO:
    """Where the console view goes: to stdout, unless `--jsonl` writes there, then to stderr."""
    return sys.stderr if orders.jsonl == STDOUT else sys.stdout
