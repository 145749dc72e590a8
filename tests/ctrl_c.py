"""Ctrl-C in tests that a shell may run in the background."""

from __future__ import annotations

import signal


def hears_ctrl_c() -> None:
    """For `preexec_fn`: a shell starts background jobs with SIGINT ignored, and child processes inherit that."""
    signal.signal(signal.SIGINT, signal.SIG_DFL)
