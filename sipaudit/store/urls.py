"""Tells the URL of a store from the path of a file, without importing the database libraries."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path

_STORE = re.compile(r"[A-Za-z][A-Za-z0-9_]*(\+[A-Za-z0-9_]+)?://")


def is_store(text: str) -> bool:
    """Whether `text` is the URL of a store, not the path of a file."""
    return _STORE.match(text) is not None


def default_store(environment: Mapping[str, str]) -> str | None:
    """The URL of the store that a service uses by default, in its state directory (systemd's StateDirectory=); None for
    other programs."""
    return f"sqlite:///{state_directory(environment) / 'sipaudit.db'}" if environment.get("STATE_DIRECTORY") else None


def state_directory(environment: Mapping[str, str]) -> Path:
    """The directory for files that outlive a run: a service's state directory, otherwise the user's (XDG_STATE_HOME, by
    default `~/.local/state`)."""
    service = environment.get("STATE_DIRECTORY", "").partition(":")[0]
    if service:
        return Path(service)
    own = environment.get("XDG_STATE_HOME") or str(Path(environment.get("HOME", "~")).expanduser() / ".local" / "state")
    return Path(own) / "sipaudit"
