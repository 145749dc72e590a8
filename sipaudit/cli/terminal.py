"""Where words go: results to stdout, everything else to stderr."""

from __future__ import annotations

import os
import shlex
import shutil
import sys
from collections.abc import Iterable
from pathlib import Path
from typing import TextIO

import click

from sipaudit.safe_text import encoded, safe_text

VERBOSITY = "sipaudit.verbosity"  # key of the click context's meta: -1 quiet, 0, 1 and more verbose
WIDEST = 1_000        # columns of any output
WIDTH_OF_A_FILE = 100  # columns, when stdout is no terminal and COLUMNS is not set


def verbosity() -> int:
    """How much to say on stderr: -1 after -q, else the number of -v."""
    context = click.get_current_context(silent=True)
    return 0 if context is None else int(context.meta.get(VERBOSITY, 0))


def has_color() -> bool:
    """Colours only on a terminal, and not when NO_COLOR (no-color.org) is set to anything."""
    return sys.stdout.isatty() and not os.environ.get("NO_COLOR") and os.environ.get("TERM") != "dumb"


def width() -> int:
    """Columns to fill, whatever COLUMNS asks for."""
    return min(shutil.get_terminal_size((WIDTH_OF_A_FILE, 24)).columns, WIDEST)


def program() -> str:
    """How this program is called: by its name where that finds it, else as it was called this time."""
    called = sys.argv[0] if sys.argv else ""
    found = shutil.which("sipaudit")
    if not found and Path(called).parts[-2:] == ("sipaudit", "__main__.py"):
        return "python -m sipaudit"
    if Path(called).name != "sipaudit" or not Path(called).exists() or (found and Path(found).samefile(called)):
        return "sipaudit"
    return shlex.quote(called)


def complain(text: str) -> None:
    """One line on stderr that -q does not silence."""
    say(f"sipaudit: {text}")


def say(line: str) -> None:
    """One line on stderr. Where nobody reads it any more (`2>&1 | head`), or its disk is full, it is lost, and what is
    done and the exit code stay what they are."""
    if sys.stderr is None:   # `2>&-`
        return
    try:
        sys.stderr.write(f"{safe_text(line)}\n")   # not as click does it: past a bar that is drawn, into its line
        sys.stderr.flush()
    except OSError:
        _silence(sys.stderr)


def note(text: str) -> None:
    """One line on stderr, silenced by -q."""
    if verbosity() >= 0:
        complain(text)


def warn(text: str) -> None:
    """A warning on stderr, silenced by -q."""
    note(f"warning: {text}")


def emit_text(text: str) -> None:
    """A result to stdout, in its encoding."""
    emit([encoded(text, sys.stdout.encoding)])


def emit(chunks: Iterable[bytes]) -> None:
    """Results to stdout, piece by piece; stops quietly when the reader (`| head`) has gone."""
    for chunk in chunks:
        if not _write(chunk):
            return


def _write(chunk: bytes) -> bool:
    try:
        sys.stdout.buffer.write(chunk)
        sys.stdout.buffer.flush()
    except OSError as error:
        _silence(sys.stdout)
        if isinstance(error, BrokenPipeError):
            return False
        error.filename = "stdout"   # which no message would name
        raise
    return True


def _silence(stream: TextIO) -> None:
    """What is left in its buffer goes nowhere, so that the interpreter does not fail on it when it ends."""
    nowhere = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, stream.fileno())
    os.close(nowhere)
