"""Files and connections that the process may have open at once. HEP listeners and directories have some hundred each,
and a process is given 1,024 as a rule, which it may raise by itself."""

from __future__ import annotations

import resource
from contextlib import suppress
from errno import EMFILE, ENFILE, ENOBUFS, ENOMEM

ENOUGH = 1 << 16


def take_enough() -> None:
    """As many as this user may have."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    least = ENOUGH if hard == resource.RLIM_INFINITY else min(hard, ENOUGH)
    if soft != resource.RLIM_INFINITY and soft < least:
        with suppress(OSError, ValueError):   # a filter of system calls may forbid it
            resource.setrlimit(resource.RLIMIT_NOFILE, (least, hard))


def none_is_left(error: OSError) -> bool:
    """Whether something could not be opened for want of room in the system: it can be later."""
    return error.errno in (EMFILE, ENFILE, ENOBUFS, ENOMEM)
