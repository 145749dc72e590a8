"""Runs `sipaudit live`: opens its sources, drops privileges, makes its sinks, and drives it to its end."""

from __future__ import annotations

import logging
import sys
import time
import uuid

from sipaudit.errors import InputError, InputErrors
from sipaudit.live import privileges
from sipaudit.live.checkpoint import Checkpoint, Kept
from sipaudit.live.console import is_terminal
from sipaudit.live.descriptors import take_enough
from sipaudit.live.disorder import Disorder
from sipaudit.live.ends import Follower, Keeper, Sink
from sipaudit.live.inputs import decoders_of, open_sources
from sipaudit.live.limits import Limits, read_size
from sipaudit.live.logs import LogFormat, Logs
from sipaudit.live.loop import Loop, Signals
from sipaudit.live.orders import Orders
from sipaudit.live.outputs import outputs, outputs_opened_early, screen_of
from sipaudit.live.probe import Probe
from sipaudit.live.systemd import Systemd
from sipaudit.live.teller import Teller
from sipaudit.live.upkeep import Upkeep
from sipaudit.live.vitals import Vitals
from sipaudit.run.brief import understand, understand_again

log = logging.getLogger(__name__)


def listen(orders: Orders) -> None:
    """Listen until a signal ends the run.

    Raises InputError or InputErrors for whatever the user can fix, before anything is read.
    """
    logs = _logs(orders)
    take_enough()
    try:
        brief = understand(orders.job)
        early = outputs_opened_early(orders, brief.pack, brief.zone)
        limits = Limits(None if orders.max_memory is None else read_size(orders.max_memory),
                        decoders=decoders_of(orders))
        probe = Probe(brief, open_sources(orders, limits.budget.capture), time.time(), limits.budget)
        privileges.drop(orders.user)
        for sentence in brief.warnings:
            log.warning("%s", sentence)
        Listening(orders, probe, early, logs, limits).run()
    finally:
        logs.close()


def _logs(orders: Orders) -> Logs:
    """The log on stderr, unless stderr is the terminal of the console view."""
    shared = is_terminal(screen_of(orders)) and sys.stderr.isatty()
    return Logs(None if shared else sys.stderr, LogFormat(orders.log_format), orders.verbosity)


class Listening:
    """A live run whose sources are open; `early` are the sinks that had to be made before privileges were dropped."""

    def __init__(self, orders: Orders, probe: Probe, early: list[Sink], logs: Logs, limits: Limits) -> None:
        self._orders = orders
        self._probe = probe
        self._teller = Teller(probe)
        self._identity = uuid.uuid4().hex
        self._gone_on_at: float | None = None   # when we began to listen again, after a gap
        self._checkpoint = None if orders.checkpoint is None else Checkpoint(orders.checkpoint, log.warning)
        goes_on = self._go_on()
        readers = dict.fromkeys(one.reader for one in probe.sources)
        self._upkeep = Upkeep(probe, limits, list(readers), log.warning, [self._teller.forget])
        self._disorder = Disorder(probe.health, log.warning)
        self._systemd = Systemd()
        title = ", ".join(one.path for one in probe.health)
        self._sinks = [*early, *outputs(orders, title, probe.brief.zone, logs.recent.lines, self._identity,
                                        goes_on=goes_on), self._systemd]
        if self._checkpoint is not None:    # first: a run that goes on must know what the other sinks have told
            self._sinks.insert(0, self._checkpoint.journal)
        if goes_on:
            self._teach()
            self._make_good()
        self._signals = Signals()

    def run(self) -> None:
        """Listen until a signal ends the run."""
        vitals = Vitals(self._probe, self._upkeep)
        loop = Loop(self._probe, self._teller, vitals, self._sinks, self._signals, self._each_turn)
        with self._signals.heard():
            log.info("listening on %s", ", ".join(one.path for one in self._probe.health))
            self._systemd.ready()
            try:
                loop.run()
                self._end(loop)
            finally:
                for source in self._probe.sources:
                    source.close()
                for sink in self._sinks:
                    sink.close()
                if self._checkpoint is not None:
                    self._checkpoint.close()

    def _go_on(self) -> bool:
        """Go on from the checkpoint; false if there is none that can be used."""
        kept = None if self._checkpoint is None else self._checkpoint.read(self._probe)
        if kept is None:
            return False
        self._take_over(kept)
        log.info("going on from %s", self._orders.checkpoint)
        return True

    def _take_over(self, kept: Kept) -> None:
        seamless = [source.go_on(position) for source, position
                    in zip(self._probe.sources, kept.positions, strict=True)]
        now = kept.time if all(seamless) else self._probe.newest   # the latter: when the sources were opened
        self._gone_on_at = None if all(seamless) else now
        self._probe.go_on(kept.probe, kept.time, now, kept.blind, begun=kept.begun)
        self._teller = kept.teller
        self._identity = kept.identity
        if not all(seamless):
            self._teller.begins_anew()
        if self._probe.newest < kept.time:
            self._teller.set_back()

    def _teach(self) -> None:
        """Teach the sinks that show the current state what it was."""
        followers = [sink for sink in self._sinks if isinstance(sink, Follower)]
        for saying in self._teller.stand(self._probe.newest):
            for follower in followers:
                follower.learn(saying)

    def _make_good(self) -> None:
        """Give the store the last sayings once more: those of the last seconds it may not have written."""
        checkpoint = self._checkpoint
        if checkpoint is None:
            return
        for sink in self._sinks:
            if isinstance(sink, Keeper):
                sink.make_good([*checkpoint.before, *checkpoint.said], self._gone_on_at)
        checkpoint.said, checkpoint.before = [], []

    def _each_turn(self, clock: float) -> None:
        if self._signals.reload:
            self._signals.reload = False
            self._systemd.reloading()
            self._reload()
            self._systemd.ready()
        self._upkeep.turn(self._probe.now(clock), clock)
        self._disorder.turn()
        if self._checkpoint is not None:
            self._checkpoint.turn(clock, self._probe, self._teller, self._identity)

    def _reload(self) -> None:
        """Read the site file, rules and suppressions again; if that fails, the old ones stay in force."""
        try:
            self._probe.obey(understand_again(self._orders.job, self._probe.brief))
        except (InputError, OSError) as error:   # OSError: such as a folder that this user may not read
            for one in error.errors if isinstance(error, InputErrors) else [error]:
                log.warning("not reloaded, the old ones stay in force: %s", one)
        else:
            self._teller.files_changed()
            log.info("site file, rules and suppressions were read again")

    def _end(self, loop: Loop) -> None:
        """Write a checkpoint from which the next run goes on; without one, what is still open stays undecided."""
        if self._checkpoint is None:
            loop.finish()
        else:
            loop.say_all(goes_on=True)
            self._checkpoint.write(self._probe, self._teller, self._identity)
