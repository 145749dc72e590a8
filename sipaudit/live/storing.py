"""The store as an end of a live run, made from what the command line says."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from sipaudit.store.urls import default_store, state_directory

if TYPE_CHECKING:
    from sipaudit.store.sink import StoreSink

SPOOL = "store-spool"


def store_end(
    url: str | None, checkpoint: str | None, environment: Mapping[str, str], *, identity: str | None = None,
    goes_on: bool = False,
) -> StoreSink | None:
    """The sink of `--store URL`; without it that of a service, which has a state directory, else None.

    `checkpoint` is what `--checkpoint` names, beside which is kept what the store cannot take at once. `identity` is
    that of the run whose ids go on (`StoreSink.identity`, from the checkpoint); None begins a new run. Raises
    InputError when the store cannot be opened or made; where an earlier process of the run `goes_on`, it is waited for.
    """
    chosen = default_store(environment) if url is None else url
    if chosen is None:
        return None
    from sipaudit.store.sink import open_sink  # deferred: brings the libraries of databases

    place = state_directory(environment) if checkpoint is None else Path(checkpoint).absolute().parent
    return open_sink(chosen, place / SPOOL, identity=identity, goes_on=goes_on)
