"""Makes the store's sink for a live run from the command line and the environment."""

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
    """The sink of `--store URL`; without a URL the default store if the service has a state directory, otherwise None.

    `checkpoint` is the path of `--checkpoint`; rows that the store cannot take at once are spooled beside it.
    `identity` is that of the run whose ids continue (`StoreSink.identity`, from the checkpoint); None begins a new run.
    Raises InputError when the store cannot be opened or made; if the run `goes_on`, it is waited for instead.
    """
    chosen = default_store(environment) if url is None else url
    if chosen is None:
        return None
    from sipaudit.store.sink import open_sink  # deferred: brings the libraries of databases

    place = state_directory(environment) if checkpoint is None else Path(checkpoint).absolute().parent
    return open_sink(chosen, place / SPOOL, identity=identity, goes_on=goes_on)
