"""The `sipaudit` command from its first line on: Ctrl-C and SIGTERM end it alike while it loads what it needs and while
it works, and what a service is told (`live`) counts from here on.

So this file loads next to nothing; the commands are those of `root.py`.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from signal import (
    ITIMER_REAL,
    SIG_BLOCK,
    SIG_SETMASK,
    SIGALRM,
    SIGHUP,
    SIGTERM,
    default_int_handler,
    pthread_sigmask,
    setitimer,
    signal,
    sigtimedwait,
)
from types import CodeType, FrameType

from sipaudit.cli.exit_codes import DONE, INTERRUPTED

SOON, LATER = 0.001, 0.01  # seconds


def main() -> int:
    """Runs the command line; gives the exit code (`exit_codes`)."""
    _open_what_is_closed()
    handler = signal(SIGTERM, default_int_handler)   # as Ctrl-C: what is half made is taken away
    try:
        return _service() if _command() == "live" else _run()
    except KeyboardInterrupt:
        _say_interrupted()
        return INTERRUPTED
    finally:
        signal(SIGTERM, handler)


def _say_interrupted() -> None:
    try:
        print("sipaudit: interrupted", file=sys.stderr)
    except OSError:   # who read it was interrupted, too (`2>&1 | head`)
        sys.stderr = None  # else the interpreter fails on what is left in its buffer


def _run() -> int:
    with _no_ctrl_c_is_lost():
        from sipaudit.cli.root import run  # deferred: most of the time in which a user may think better of it

        return run()


def _command() -> str:
    """The word that names it; no option before it takes a value."""
    return next((word for word in sys.argv[1:] if not word.startswith("-")), "")


def _service() -> int:
    """`live` ends with 0 when it is told to (contract 1), also before it listens. SIGHUP waits until then: files may
    have been read that have changed since."""
    blocked = pthread_sigmask(SIG_BLOCK, {SIGHUP})
    try:
        return _run()
    except KeyboardInterrupt:
        _forget_what_was_interrupted()
        return DONE
    finally:
        sigtimedwait({SIGHUP}, 0)   # one that still waits would end the process
        pthread_sigmask(SIG_SETMASK, blocked)


def _forget_what_was_interrupted() -> None:
    """Python takes note where code is interrupted that is run from a string, as libraries do while they are loaded, and
    ends `python -m` by that signal though it was handled. The next such code takes the note back."""
    exec("")


def _open_what_is_closed() -> None:
    """A closed stdout or stderr (`>&-`, some schedulers) takes what comes and keeps nothing, as /dev/null does; of a
    closed stdin nothing comes."""
    for name, mode in (("stdin", "r"), ("stdout", "w"), ("stderr", "w")):
        if getattr(sys, name) is None:
            setattr(sys, name, Path(os.devnull).open(mode))  # noqa: SIM115 - for as long as the process lives


@contextmanager
def _no_ctrl_c_is_lost() -> Iterator[None]:
    """Python drops what is raised in some of its own callbacks, as one that importing ends with, and in a `__del__`. A
    Ctrl-C that comes then is raised again a moment later, when they are over."""
    report = sys.unraisablehook

    def raise_again(dropped: sys.UnraisableHookArgs) -> None:
        if dropped.exc_type is KeyboardInterrupt:
            setitimer(ITIMER_REAL, SOON)
        else:
            report(dropped)

    def alarmed(number: int, frame: FrameType | None) -> None:
        if _is_within(frame, raise_again.__code__):
            setitimer(ITIMER_REAL, LATER)   # they are not over yet
        else:
            default_int_handler(number, frame)

    handler = signal(SIGALRM, alarmed)
    sys.unraisablehook = raise_again
    try:
        yield
    finally:
        setitimer(ITIMER_REAL, 0)
        sys.unraisablehook = report
        signal(SIGALRM, handler)


def _is_within(frame: FrameType | None, code: CodeType) -> bool:
    """Whether the code runs in this frame, or has called what does."""
    while frame is not None and frame.f_code is not code:
        frame = frame.f_back
    return frame is not None
