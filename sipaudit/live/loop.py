"""The loop of a live run: wait, read, follow, say."""

from __future__ import annotations

import os
import select
import signal
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from types import FrameType

from sipaudit.live.ends import Sink
from sipaudit.live.limits import steady_collections
from sipaudit.live.probe import Probe
from sipaudit.live.teller import Teller
from sipaudit.live.vitals import Vitals
from sipaudit.model.sayings import Saying
from sipaudit.model.values import moment

TURN = 0.5        # seconds between two turns in which something may be said
LOOK_AGAIN = 0.1  # seconds between two looks at a source that cannot be waited for
HELD_BACK = 0.3   # seconds, more than the kernel waits for a block to fill
AT_LAST = 10.0    # seconds in which is read what had come before the end was asked for
AT_ONCE = 0.1     # seconds
ENDING = (signal.SIGTERM, signal.SIGINT)


class Signals:
    """What the process was asked to do. A signal ends every wait."""

    def __init__(self) -> None:
        self.ended = False
        self.reload = False
        self._reader, self._writer = os.pipe2(os.O_NONBLOCK | os.O_CLOEXEC)

    def fileno(self) -> int:
        return self._reader

    def clear(self) -> None:
        """What woke us is read."""
        try:
            while os.read(self._reader, 512):
                pass
        except BlockingIOError:
            pass

    @contextmanager
    def heard(self) -> Iterator[None]:
        """Listen to SIGTERM, SIGINT and SIGHUP; also to a SIGHUP that came before and was kept waiting."""
        before = {number: signal.signal(number, self._note) for number in (*ENDING, signal.SIGHUP)}
        woken = signal.set_wakeup_fd(self._writer, warn_on_full_buffer=False)
        blocked = signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGHUP})
        try:
            yield
        finally:
            signal.pthread_sigmask(signal.SIG_SETMASK, blocked)
            signal.set_wakeup_fd(woken)
            for number, handler in before.items():
                signal.signal(number, handler)
            os.close(self._reader)
            os.close(self._writer)

    def _note(self, number: int, _frame: FrameType | None) -> None:
        if number == signal.SIGHUP:
            self.reload = True
        else:
            self.ended = True


def both_clocks() -> tuple[float, float]:
    """The time of day and the monotonic one, of the same moment: where the process stood still between them (SIGSTOP, a
    machine that swaps), the one would seem to have been set."""
    while True:
        clock, wall = time.monotonic(), time.time()
        if time.monotonic() - clock < AT_ONCE:
            return wall, clock


class Loop:
    """Drives a probe until it is told to end. `each_turn` is called with the monotonic clock after every turn."""

    def __init__(self, probe: Probe, teller: Teller, vitals: Vitals, sinks: Sequence[Sink], signals: Signals,
                 each_turn: Callable[[float], None] = lambda _: None) -> None:
        self._probe = probe
        self._teller = teller
        self._vitals = vitals
        self._sinks = sinks
        self._signals = signals
        self._each_turn = each_turn
        probe.clock_sets, probe.clock_was_set = self.say_all, teller.set_back

    def run(self) -> None:
        """Until a signal ends it."""
        turn_at = time.monotonic()
        with steady_collections():
            while not self._signals.ended:
                wall, clock = both_clocks()
                self._probe.look_at_clocks(wall, clock)
                count = self._probe.read(clock)
                if count:
                    self._vitals.read(time.time())
                if clock >= turn_at:
                    turn_at = clock + TURN
                    self._turn(clock, drained=not count)
                if not count:
                    self._wait(turn_at - time.monotonic())
            self._read_the_rest()

    def _read_the_rest(self) -> None:
        """What had come before the end was asked for; the kernel may hold it back for a moment. Where it is very much,
        or more comes all the time, not all of it."""
        clock = time.monotonic()
        end, at_last = clock + HELD_BACK, clock + AT_LAST
        while (self._probe.read(clock) or clock < end) and clock < at_last:
            time.sleep(0.01)
            clock = time.monotonic()
        self._probe.let_go(time.monotonic())

    def _wait(self, seconds: float) -> None:
        """Until something comes, or the next turn."""
        poll = select.poll()
        poll.register(self._signals, select.POLLIN)
        for source in self._probe.sources:
            descriptors = source.descriptors()
            for descriptor in descriptors:
                poll.register(descriptor, select.POLLIN)
            if not descriptors:
                seconds = min(seconds, LOOK_AGAIN)
        if any(ready == self._signals.fileno() for ready, _ in poll.poll(max(seconds, 0.0) * 1000)):
            self._signals.clear()

    def _turn(self, clock: float, *, drained: bool) -> None:
        self._probe.pass_time(clock, drained=drained)
        now = moment(self._probe.now(clock))
        for saying in self._teller.turn(now):
            self._say(saying)
        if self._vitals.due(clock):
            self._say(self._vitals.look(now, clock))
        wall = time.time()
        for sink in self._sinks:
            sink.turn(wall)
        self._each_turn(clock)

    def _say(self, saying: Saying) -> None:
        for sink in self._sinks:
            sink.take(saying)

    def finish(self) -> None:
        """Nothing will come any more: what waits stays undecided; everything is said as it stands then."""
        self._probe.finish()
        self.say_all()

    def say_all(self, *, goes_on: bool = False) -> None:
        """Everything as it stands; `goes_on`: another run will say more."""
        clock = time.monotonic()
        now = moment(self._probe.now(clock))
        for saying in self._teller.turn(now, at_last=True, goes_on=goes_on):
            self._say(saying)
        self._say(self._vitals.look(now, clock))
