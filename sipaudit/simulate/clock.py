"""Simulated time: a queue of timed events, and tasks that wait between their steps.

Behaviour is written as generators (`Steps`): `yield 2.5` waits 2.5 s; `yield (inbox, 32.0)` waits for an item in the
inbox and returns it, or None after 32 s. Time is in seconds after the start of the plan. Events at the same moment
happen in the order in which they were scheduled, so that every run is the same.
"""

from __future__ import annotations

import heapq
from collections.abc import Callable, Generator
from typing import Any, TypeVar

Result = TypeVar("Result")
Wait = Any  # seconds (float), or (Inbox, seconds)
Steps = Generator[Wait, Any, Result]

NEVER = float("inf")


class Inbox:
    """A queue of items for the one task that reads it."""

    __slots__ = ("_clock", "_items", "_reader", "_turn")

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._items: list[Any] = []  # mostly empty, rarely two items: a deque is ten times the size
        self._reader: Task | None = None
        self._turn = 0

    def put(self, item: Any) -> None:
        """Add `item` (not None); a waiting task resumes within the same moment."""
        self._items.append(item)
        if self._reader is not None:
            reader, self._reader = self._reader, None
            self._clock.after(0.0, reader.heard, self, self._turn)

    def take(self) -> Any:
        return self._items.pop(0) if self._items else None

    def read_by(self, task: Task, turn: int) -> None:
        self._reader, self._turn = task, turn


class Task:
    """Steps that are running. `stop` ends them at their current wait; their `finally` blocks release what they hold."""

    __slots__ = ("_clock", "_ended", "_steps", "_turn")

    def __init__(self, clock: Clock, steps: Steps[Any], ended: Callable[[Task], None] | None) -> None:
        self._clock = clock
        self._steps: Steps[Any] | None = steps
        self._ended = ended
        self._turn = 0

    def go_on(self, turn: int, value: Any = None) -> None:
        """Run to the next wait, unless the task has been woken otherwise since this call was scheduled."""
        if turn != self._turn or self._steps is None:
            return
        while True:
            try:
                wait = self._steps.send(value)
            except StopIteration:
                self._end()
                return
            self._turn += 1
            if not isinstance(wait, tuple):
                self._clock.after(wait, self.go_on, self._turn)
                return
            inbox, seconds = wait
            value = inbox.take()
            if value is None:
                inbox.read_by(self, self._turn)
                if seconds != NEVER:
                    self._clock.after(seconds, self.go_on, self._turn)
                return

    def heard(self, inbox: Inbox, turn: int) -> None:
        if turn == self._turn and self._steps is not None:
            self.go_on(turn, inbox.take())

    def stop(self) -> None:
        if self._steps is not None:
            steps, self._turn = self._steps, self._turn + 1
            self._end()
            steps.close()

    def _end(self) -> None:
        self._steps = None
        if self._ended is not None:
            self._ended(self)


class Clock:
    """The event queue. `now` is the current simulated time in seconds."""

    def __init__(self) -> None:
        self.now = 0.0
        self._count = 0
        self._queue: list[tuple[float, int, Callable[..., None], tuple[Any, ...]]] = []

    def after(self, seconds: float, act: Callable[..., None], *values: Any) -> None:
        self.at(self.now + seconds if seconds > 0 else self.now, act, *values)

    def at(self, time: float, act: Callable[..., None], *values: Any) -> None:
        if time != NEVER:
            self._count += 1
            heapq.heappush(self._queue, (time, self._count, act, values))

    def begin(self, steps: Steps[Any], ended: Callable[[Task], None] | None = None) -> Task:
        """Start steps at this moment; `ended` is called when they have ended."""
        task = Task(self, steps, ended)
        self.after(0.0, task.go_on, 0)
        return task

    def run(self, until: float) -> None:
        """Run all events up to `until`."""
        queue, pop = self._queue, heapq.heappop
        while queue and queue[0][0] <= until:
            self.now, _, act, values = pop(queue)
            act(*values)
        self.now = until


class Lock:
    """A lock held by one task at a time: `with (yield from lock.acquire()):`."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._held = False
        self._waiting: list[Inbox] = []

    def acquire(self) -> Steps[Lock]:
        """Wait for the lock; leaving the returned context manager passes it to the next task."""
        if not self._held:
            self._held = True
            return self
        turn = Inbox(self._clock)
        self._waiting.append(turn)
        try:
            yield (turn, NEVER)
        except GeneratorExit:
            if turn in self._waiting:
                self._waiting.remove(turn)
            else:
                self._release()
            raise
        return self

    def __enter__(self) -> None:
        pass

    def __exit__(self, *_: object) -> None:
        self._release()

    def _release(self) -> None:
        if self._waiting:
            self._waiting.pop(0).put(True)
        else:
            self._held = False
