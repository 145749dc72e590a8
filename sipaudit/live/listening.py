"""A live run as it is asked for: its sources opened, privileges dropped, its sinks made, and driven to its end."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, field

from sipaudit.capture.decode import Decoder
from sipaudit.capture.health import CaptureHealth
from sipaudit.errors import InputError, InputErrors
from sipaudit.live import privileges
from sipaudit.live.checkpoint import Checkpoint
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
    checkpoint: str | None = None
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
    Listening(orders, Probe(brief, sources, time.time())).run()


class Listening:
    """A live run whose sources are open."""

    def __init__(self, orders: Orders, probe: Probe) -> None:
        self._orders = orders
        self._probe = probe
        self._teller = Teller(probe)
        self._checkpoint = None if orders.checkpoint is None else Checkpoint(orders.checkpoint, orders.log)
        self._sinks = _make_sinks(orders, self._checkpoint)
        self._signals = Signals()

    def run(self) -> None:
        """Until a signal ends it."""
        self._go_on()
        loop = Loop(self._probe, self._teller, self._sinks, self._signals, self._each_turn)
        with self._signals.heard():
            self._orders.log(f"listening on {', '.join(one.path for one in self._probe.health)}")
            try:
                loop.run()
                self._end(loop)
            finally:
                for source in self._probe.sources:
                    source.close()
                for sink in self._sinks:
                    sink.close()

    def _go_on(self) -> None:
        """From the checkpoint, if there is one."""
        kept = None if self._checkpoint is None else self._checkpoint.read(self._probe)
        if kept is None:
            return
        for source, position in zip(self._probe.sources, kept.positions, strict=True):
            source.go_on(position)
        self._probe.go_on(kept.probe, kept.time, time.time(), kept.blind)
        self._teller = kept.teller
        self._orders.log(f"going on from {self._orders.checkpoint}")

    def _each_turn(self, clock: float) -> None:
        if self._signals.reload:
            self._signals.reload = False
            self._reload()
        if self._checkpoint is not None:
            self._checkpoint.turn(clock, self._probe, self._teller)

    def _reload(self) -> None:
        """Read the site file, rules and suppressions again; where they cannot be read, the old ones stay."""
        try:
            self._probe.obey(understand(self._orders.job))
        except InputError as error:
            for one in error.errors if isinstance(error, InputErrors) else [error]:
                self._orders.log(f"not reloaded, the old ones stay in force: {one}")
        else:
            self._orders.log("site file, rules and suppressions were read again")

    def _end(self, loop: Loop) -> None:
        """With a checkpoint the next run goes on; without one what waits stays undecided."""
        if self._checkpoint is None:
            loop.finish()
        else:
            loop.say_all()
            self._checkpoint.write(self._probe, self._teller)


def _open_sources(orders: Orders) -> list[Source]:
    healths = [CaptureHealth(name) for name in orders.interfaces]
    decoder = Decoder(healths)
    return [Interface(name, index, decoder, health, orders.job.bpf)
            for index, (name, health) in enumerate(zip(orders.interfaces, healths, strict=True))]


def _make_sinks(orders: Orders, checkpoint: Checkpoint | None) -> list[Sink]:
    sinks: list[Sink] = [] if checkpoint is None else [checkpoint.journal]
    if orders.jsonl is not None:
        sinks.append(JsonLines(orders.jsonl))
    return sinks
