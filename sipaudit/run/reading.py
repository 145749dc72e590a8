"""The captures of a job, and the processes that read them."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import replace
from typing import TYPE_CHECKING, Protocol

from sipaudit.capture.files import CaptureFile, resolve
from sipaudit.errors import InputError, InputErrors
from sipaudit.run.job import Job
from sipaudit.run.reader import Reader, Wanted, processes
from sipaudit.run.scope import Scope, scope_of, wrong_later
from sipaudit.times import check_order, format_time, span_of

if TYPE_CHECKING:
    from sipaudit.capture.captures import Captures
    from sipaudit.sip.forms import Parsed

Warn = Callable[[str], None]


class Progress(Protocol):
    """Receives the progress of reading, in bytes. A total of 0 means unknown, as for a pipe."""

    def start(self, total_bytes: int) -> None: ...
    def advance(self, n: int) -> None: ...
    def stop(self) -> None: ...


class Reading:
    """The input of a job. Making one checks everything in the job that reading depends on, before a packet is read.

    `progress` receives the bytes read. `payloads`: all messages are needed whole. `reread`: the captures will be read
    twice, so that a pipe is spooled. `ready` is a process that waits to be told what to read; `before` is a reading of
    the same captures, whose files and declarations are reused. Raises InputError or InputErrors.
    """

    def __init__(self, job: Job, warn: Warn, *, payloads: bool, reread: bool, ready: Reader | None = None,
                 before: Reading | None = None) -> None:
        self.job = job
        self.scope: Scope = scope_of(job) if before is None else before.scope
        self.files: list[CaptureFile] = self._resolved(warn, reread) if before is None else before.files
        self.progress: Progress | None = None
        self.first = min((file.first for file in self.files if file.first is not None), default=0.0)
        self.span = span_of(self.scope.start, self.scope.end, self.first)
        self._check_span()
        self.payloads = payloads
        self._begun: Iterator[list[Parsed]] | None = None
        self._wanted = self._what_is_wanted()
        self._reader = ready if self._processes() > 1 else None   # it has been told to read
        if self._reader is not None:
            self._reader.read(self._wanted, payloads=payloads)   # before this process imports the same modules
        self.captures = self._wanted.captures(self._advance)

    def _resolved(self, warn: Warn, reread: bool) -> list[CaptureFile]:
        """The captures named by the job; `warn` is called for files that are no captures, and for oddities in the
        declarations."""
        job, scope = self.job, self.scope
        timed = any(when is not None for when in (scope.start, scope.end)) or bool(scope.events)
        reread = reread or timed or job.keylog is not None or job.engine == "tshark"
        try:
            resolved = resolve(job.paths, reread=reread)
        except InputError as error:
            if others := wrong_later(job, scope.zone):
                raise InputErrors([*error.errors, *others]) from None
            raise
        for skipped in resolved.skipped:
            warn(f"skipped {skipped}")
        for sentence in scope.warnings:
            warn(sentence)
        return resolved.files

    def _check_span(self) -> None:
        """A period that ends before it begins, or before the first packet, is a mistake, mostly in the time zone."""
        end, option, zone = self.span.end, self.job.end_option, self.scope.zone
        check_order(self.span, zone, option)
        if end < self.first:
            first = format_time(self.first, zone)
            raise InputError(f"{option} {format_time(end, zone)} is before the first packet, {first}",
                             fix="give a later time, or mind --tz")

    @contextmanager
    def begun(self) -> Iterator[None]:
        """Within this context another process already reads, if the job allows one, while this one still imports what
        following needs."""
        if self._processes() == 1:
            yield
            return
        with self._apart() as self._begun:
            yield

    def ahead(self) -> AbstractContextManager[Iterator[list[Parsed]]]:
        """The items of the captures with their messages, by as many processes as the job allows. Only once."""
        if self._begun is not None:
            return nullcontext(self._begun)
        return self._here(self.captures, payloads=self.payloads) if self._processes() == 1 else self._apart()

    def ahead_again(self) -> AbstractContextManager[Iterator[list[Parsed]]]:
        """The items from the beginning again, all messages whole; the result is the same each time, unless a pipe was
        not spooled."""
        if self._processes() == 1:
            return self._here(self.captures_again(), payloads=True)
        from sipaudit.run.reading_apart import reading_apart

        return reading_apart(self._wanted, payloads=True)

    def captures_again(self) -> Captures:
        """The captures, to be read from the beginning."""
        return self._wanted.captures()

    def _here(self, captures: Captures, *, payloads: bool) -> AbstractContextManager[Iterator[list[Parsed]]]:
        from sipaudit.run.ahead import known_ahead, parsed_ahead  # deferred: the other process may import it first

        return nullcontext(parsed_ahead(captures) if payloads else known_ahead(captures))

    def _apart(self) -> AbstractContextManager[Iterator[list[Parsed]]]:
        from sipaudit.run.reading_apart import reading_apart

        return reading_apart(self._wanted, payloads=self.payloads, health=self.captures.health, read=self._advance,
                             told=self._reader)

    def _processes(self) -> int:
        sizes = [file.size for file in self.files]
        return processes(self.job.jobs, sum(sizes) if all(sizes) else 0)

    def _what_is_wanted(self) -> Wanted:
        """What is to be read, by either process."""
        job, scope = self.job, self.scope
        return Wanted(
            [replace(file, spool=None) for file in self.files], engine=job.engine, bpf=job.bpf, keylog=job.keylog,
            until=None if scope.end is None else self.span.end,
            sip_ports=frozenset(server.port for entry in scope.declared.entries.values() for server in entry.servers),
        )

    def _advance(self, count: int) -> None:
        if self.progress is not None:
            self.progress.advance(count)
