"""Discrete-event time: tasks are generators that wait for seconds, a signal, or a letter in a mailbox."""

from __future__ import annotations

import heapq
from collections import deque
from collections.abc import Callable, Generator
from typing import Any

Task = Generator[Any, Any, Any]


class Life:
    """Tasks end with the life of what started them: a phone that boots has forgotten what it was doing."""

    over = False


class _Waiter:
    __slots__ = ("life", "served", "task")

    def __init__(self, task: Task, life: Life) -> None:
        self.task, self.life, self.served = task, life, False


class Signal:
    """Something that happens once, and then resumes all tasks that wait for it."""

    def __init__(self, clock: Clock) -> None:
        self.clock = clock
        self.fired = False
        self.waiters: list[_Waiter] = []

    def fire(self) -> None:
        self.fired = True
        for waiter in self.waiters:
            self.clock.wake(waiter, True)
        self.waiters.clear()

    def ready(self) -> bool:
        return self.fired

    def take(self) -> Any:
        return True


class Mailbox:
    """Letters in the order of their arrival; one task reads them."""

    def __init__(self, clock: Clock) -> None:
        self.clock = clock
        self.letters: deque[Any] = deque()
        self.waiters: list[_Waiter] = []

    def put(self, letter: Any) -> None:
        self.waiters = [waiter for waiter in self.waiters if not waiter.served]
        if self.waiters:
            self.clock.wake(self.waiters.pop(0), letter)
        else:
            self.letters.append(letter)

    def ready(self) -> bool:
        return bool(self.letters)

    def take(self) -> Any:
        return self.letters.popleft()


class Clock:
    """Runs tasks in the order of time. A task yields seconds, a Signal, or (Signal or Mailbox, seconds); the yield
    returns the letter, True for a signal, or None when the seconds are over."""

    def __init__(self) -> None:
        self.now = 0.0
        self._due: list[tuple[float, int, Callable[[], None]]] = []
        self._count = 0

    def after(self, delay: float, do: Callable[[], None]) -> None:
        self._count += 1
        heapq.heappush(self._due, (self.now + max(delay, 0.0), self._count, do))

    def start(self, task: Task, life: Life) -> None:
        self.after(0.0, lambda: self._resume(task, None, life))

    def wake(self, waiter: _Waiter, letter: Any) -> None:
        if not waiter.served:
            waiter.served = True
            self.after(0.0, lambda: self._resume(waiter.task, letter, waiter.life))

    def run(self, until: float) -> None:
        while self._due and self._due[0][0] <= until:
            self.now, _, do = heapq.heappop(self._due)
            do()
        self.now = until

    def _resume(self, task: Task, letter: Any, life: Life) -> None:
        while not life.over:
            try:
                wait = task.send(letter)
            except StopIteration:
                return
            if isinstance(wait, (int, float)):
                self.after(wait, lambda: self._resume(task, None, life))
                return
            source, limit = wait if isinstance(wait, tuple) else (wait, None)
            if not source.ready():
                self._wait(source, limit, _Waiter(task, life))
                return
            letter = source.take()
        task.close()

    def _wait(self, source: Signal | Mailbox, limit: float | None, waiter: _Waiter) -> None:
        source.waiters.append(waiter)
        if limit is not None:
            self.after(limit, lambda: self.wake(waiter, None))
