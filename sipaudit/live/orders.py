"""The options of `sipaudit live` (contract.md 1)."""

from __future__ import annotations

from dataclasses import dataclass

from sipaudit.run.job import Job


@dataclass(frozen=True)
class Orders:
    """`interfaces`, `hep` and `follow` are the sources; docs/commands.md describes the rest."""

    job: Job
    interfaces: tuple[str, ...] = ()
    hep: tuple[str, ...] = ()
    follow: tuple[str, ...] = ()
    hep_key: str | None = None
    hep_cert: str | None = None
    hep_keyfile: str | None = None
    user: str | None = None
    store: str | None = None
    jsonl: str | None = None
    metrics: str | None = None
    notify: tuple[str, ...] = ()
    notify_severity: str = "warning"
    checkpoint: str | None = None
    max_memory: str | None = None
    log_format: str = "text"
    verbosity: int = 0
