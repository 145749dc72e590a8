"""A live run as it is asked for: its sources opened, privileges dropped, its sinks made, and driven to its end."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from sipaudit.capture.decode import Decoder
from sipaudit.capture.health import CaptureHealth
from sipaudit.errors import InputError
from sipaudit.live import privileges
from sipaudit.live.ends import Sink, Source
from sipaudit.live.interface import Interface
from sipaudit.live.json_lines import JsonLines
from sipaudit.live.loop import Loop, Signals
from sipaudit.live.probe import Probe
from sipaudit.live.teller import Teller
from sipaudit.run.job import Job, understand


@dataclass(frozen=True)
class Orders:
    """What `sipaudit live` was told (contract.md 1)."""

    job: Job
    interfaces: tuple[str, ...] = ()
    user: str | None = None
    jsonl: str | None = None
    log: Callable[[str], None] = field(default=print)


def listen(orders: Orders) -> None:
    """Listen until a signal ends it.

    Raises InputError or InputErrors for whatever the user can mend, before anything is read.
    """
    brief = understand(orders.job)
    if not orders.interfaces:
        raise InputError("nothing to listen to", fix="name an interface: -i eth0")
    sources = _open_sources(orders)
    privileges.drop(orders.user)
    sinks = _make_sinks(orders)
    probe = Probe(brief, sources, time.time())
    signals = Signals()
    loop = Loop(probe, Teller(probe), sinks, signals)
    with signals.heard():
        orders.log(f"listening on {', '.join(source.health.path for source in sources)}")
        try:
            loop.run()
            loop.finish()
        finally:
            for source in sources:
                source.close()
            for sink in sinks:
                sink.close()


def _open_sources(orders: Orders) -> list[Source]:
    healths = [CaptureHealth(name) for name in orders.interfaces]
    decoder = Decoder(healths)
    return [Interface(name, index, decoder, health, orders.job.bpf)
            for index, (name, health) in enumerate(zip(orders.interfaces, healths, strict=True))]


def _make_sinks(orders: Orders) -> Sequence[Sink]:
    return [JsonLines(orders.jsonl)] if orders.jsonl is not None else []
