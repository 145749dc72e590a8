"""The interface through which reconstruction gets the site file's declarations: it reads no files itself."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Protocol

from sipaudit.model.settings import Declaration, LineIdentity, ServerEntry


class Knowledge(Protocol):
    """What the site file declares. `declares_phone` takes the source address and the MAC; `emergency` are the numbers.
    """

    @property
    def entries(self) -> Mapping[str, ServerEntry]: ...
    @property
    def declare(self) -> Callable[[LineIdentity], Declaration]: ...
    @property
    def declares_phone(self) -> Callable[[str, str | None], bool]: ...
    @property
    def emergency(self) -> frozenset[str]: ...
