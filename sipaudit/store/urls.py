"""What tells a store from a file, asked before the libraries of databases are needed."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path

_STORE = re.compile(r"[A-Za-z][A-Za-z0-9_]*(\+[A-Za-z0-9_]+)?://")


def is_store(text: str) -> bool:
    """Whether a report is named by the URL of a store, not by the path of a file."""
    return _STORE.match(text) is not None


def default_store(environment: Mapping[str, str]) -> str | None:
    """Where a service keeps its store when nothing is said: in its state directory (systemd's StateDirectory=)."""
    directory = environment.get("STATE_DIRECTORY", "").partition(":")[0]
    return f"sqlite:///{Path(directory) / 'sipaudit.db'}" if directory else None
