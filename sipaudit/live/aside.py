"""File operations, done in order by a separate thread, so that a slow or hanging disk delays nothing else."""

from __future__ import annotations

import logging
import threading
from collections import deque
from collections.abc import Callable

Job = Callable[[], None]

log = logging.getLogger(__name__)


class Count:
    """A number that two threads may change."""

    def __init__(self) -> None:
        self.now = 0
        self._lock = threading.Lock()

    def add(self, more: int) -> None:
        with self._lock:
            self.now += more


class Aside:
    """A queue of jobs with its thread. `put` and `idle` never block. A job handles its own errors, except one that
    `done` waits for. The thread starts with the first job: Linux capabilities belong to each thread, and a thread
    started before privileges are dropped would keep them."""

    def __init__(self, name: str) -> None:
        self._name = name
        self._jobs: deque[Job] = deque()
        self._change = threading.Condition()
        self._begun = self._works = self._ends = False

    def put(self, job: Job) -> None:
        """Queue a job behind all earlier ones."""
        with self._change:
            self._jobs.append(job)
            if not self._begun:
                self._begun = True
                threading.Thread(target=self._run, name=self._name, daemon=True).start()
            self._change.notify_all()

    def done(self, job: Job, seconds: float) -> bool:
        """Queue a job, and return whether it finished within so many seconds; otherwise it stays queued. If the job
        raises an OSError within that time, it is raised here."""
        errors: list[OSError] = []
        over = threading.Event()

        def tried() -> None:
            try:
                job()
            except OSError as error:
                errors.append(error)
            finally:
                over.set()

        self.put(tried)
        if not over.wait(seconds):
            return False
        if errors:
            raise errors[0]
        return True

    @property
    def idle(self) -> bool:
        """Whether no job is queued or running."""
        with self._change:
            return not (self._jobs or self._works)

    def settled(self, seconds: float) -> bool:
        """Whether all jobs finish within so many seconds."""
        with self._change:
            return self._change.wait_for(lambda: not (self._jobs or self._works), seconds)

    def close(self) -> None:
        """End the thread once all jobs are done."""
        with self._change:
            self._ends = True
            self._change.notify_all()

    def _run(self) -> None:
        while (job := self._next()) is not None:
            try:
                job()
            except Exception as error:   # otherwise a bug of ours would end all writing for weeks
                log.error("%s: a write failed in a way that was not foreseen: %s", self._name, type(error).__name__)
            finally:
                with self._change:
                    self._works = False
                    self._change.notify_all()

    def _next(self) -> Job | None:
        with self._change:
            self._change.wait_for(lambda: self._jobs or self._ends)
            if not self._jobs:
                self._begun = self._ends = False
                return None
            self._works = True
            return self._jobs.popleft()
