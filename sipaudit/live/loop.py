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
LOOK_AGAIN = 0.1  # seconds between two reads of a source that cannot be polled
HELD_BACK = 0.3   # seconds, more than the kernel waits for a block to fill
AT_LAST = 10.0    # seconds at most, after the signal to end, for reading what had arrived before it
AT_ONCE = 0.1     # seconds within which two clocks are read "at the same moment"
ENDING = (signal.SIGTERM, signal.SIGINT)


class Signals:
    """What signals ask of the process: to end, or to reload. A signal also ends a poll."""

    def __init__(self) -> None:
        self.ended = False
        self.reload = False
        self._reader, self._writer = os.pipe2(os.O_NONBLOCK | os.O_CLOEXEC)

    def fileno(self) -> int:
        return self._reader

    def clear(self) -> None:
        """Empty the wakeup pipe."""
        try:
            while os.read(self._reader, 512):
                pass
        except BlockingIOError:
            pass

    @contextmanager
    def heard(self) -> Iterator[None]:
        """Handle SIGTERM, SIGINT and SIGHUP; also a SIGHUP that came earlier and was blocked until now."""
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
    """The time of day and the monotonic time, of the same moment. If the process was stopped between reading them
    (SIGSTOP, swapping), the clock would seem to have been set, so both are read again."""
    while True:
        clock, wall = time.monotonic(), time.time()
        if time.monotonic() - clock < AT_ONCE:
            return wall, clock


class Loop:
    """Drives a probe until a signal ends it. `each_turn` is called with the monotonic time after every turn."""

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
        """Run until a signal ends it."""
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
        """Read what had arrived before the signal to end; the kernel may hold it back for a moment. If there is very
        much, or more keeps arriving, stop after AT_LAST seconds."""
        clock = time.monotonic()
        end, at_last = clock + HELD_BACK, clock + AT_LAST
        while (self._probe.read(clock) or clock < end) and clock < at_last:
            time.sleep(0.01)
            clock = time.monotonic()
        self._probe.let_go(time.monotonic())

    def _wait(self, seconds: float) -> None:
        """Wait until a source has something to read, a signal comes, or so many seconds have passed."""
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
        """No more packets will come: what is still open stays undecided, and everything is said as it stands."""
        self._probe.finish()
        self.say_all()

    def say_all(self, *, goes_on: bool = False) -> None:
        """Say everything as it stands; `goes_on`: a later run will go on and say more."""
        clock = time.monotonic()
        now = moment(self._probe.now(clock))
        for saying in self._teller.turn(now, at_last=True, goes_on=goes_on):
            self._say(saying)
        self._say(self._vitals.look(now, clock))
