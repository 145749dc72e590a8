"""sipaudit: a passive SIP failover auditor.

From Python: `sipaudit.analyze`, `sipaudit.read_messages` (docs/api.md).  They are loaded on first use.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

from sipaudit import compiled
from sipaudit.errors import InputError

if TYPE_CHECKING:
    from sipaudit.api import Report, analyze, read_messages

__version__ = "0.1.0"
__all__ = ["InputError", "Report", "__version__", "analyze", "read_messages"]


compiled.install()


def __getattr__(name: str) -> object:
    if name not in __all__:
        raise AttributeError(f"module 'sipaudit' has no attribute {name!r}")
    return getattr(import_module("sipaudit.api"), name)


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
