"""The limit on open files and connections. Each HEP listener and each directory may need some hundreds; the usual
limit of a process is 1,024, which it may raise itself up to the hard limit."""

from __future__ import annotations

import resource
from contextlib import suppress
from errno import EMFILE, ENFILE, ENOBUFS, ENOMEM

ENOUGH = 1 << 16


def take_enough() -> None:
    """Raise the limit to ENOUGH, or as far as this user may."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    least = ENOUGH if hard == resource.RLIM_INFINITY else min(hard, ENOUGH)
    if soft != resource.RLIM_INFINITY and soft < least:
        with suppress(OSError, ValueError):   # a filter of system calls may forbid it
            resource.setrlimit(resource.RLIMIT_NOFILE, (least, hard))


def none_is_left(error: OSError) -> bool:
    """Whether opening failed because descriptors or memory ran out: it may succeed later."""
    return error.errno in (EMFILE, ENFILE, ENOBUFS, ENOMEM)
