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
    return f"sqlite:///{state_directory(environment) / 'sipaudit.db'}" if environment.get("STATE_DIRECTORY") else None


def state_directory(environment: Mapping[str, str]) -> Path:
    """Where what outlives a run is kept: a service's state directory, else the user's (XDG_STATE_HOME)."""
    service = environment.get("STATE_DIRECTORY", "").partition(":")[0]
    if service:
        return Path(service)
    own = environment.get("XDG_STATE_HOME") or str(Path(environment.get("HOME", "~")).expanduser() / ".local" / "state")
    return Path(own) / "sipaudit"
