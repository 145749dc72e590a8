"""Imports compiled modules (hatch_build.py) in place of their sources, as long as they were built from these sources.

The sources define the behaviour and also work uncompiled: with `SIPAUDIT_PURE` in the environment no compiled module is
used.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence
from importlib.machinery import EXTENSION_SUFFIXES, ExtensionFileLoader, ModuleSpec
from pathlib import Path
from types import ModuleType

PACKAGE = Path(__file__).parent
FOLDER = PACKAGE / "_compiled"
SUFFIX = EXTENSION_SUFFIXES[0]   # differs between Python versions
PURE = "SIPAUDIT_PURE"


def source_of(module: str) -> Path:
    """The source file of one of our modules, given its full name."""
    return PACKAGE.parent.joinpath(*module.split(".")).with_suffix(".py")


def is_of(file: Path, module: str) -> bool:
    """Whether a file was built from the module's current source: both then have the same modification time, to the
    nanosecond."""
    try:
        return file.stat().st_mtime_ns == source_of(module).stat().st_mtime_ns
    except OSError:
        return False


class Compiled:
    """Finder for compiled modules; `files` holds them by full module name. In a source tree (`watched`) it skips those
    that are out of date; in an installed package they always match."""

    def __init__(self, folder: Path, watched: bool) -> None:
        self._watched = watched
        self.files = {file.name.removesuffix(SUFFIX): file for file in folder.glob(f"*{SUFFIX}")}

    def find_spec(self, name: str, _path: Sequence[str] | None = None, _target: ModuleType | None = None
                  ) -> ModuleSpec | None:
        """As in `importlib.abc.MetaPathFinder`."""
        file = self.files.get(name)
        if file is None or (self._watched and not is_of(file, name)):
            return None
        return ModuleSpec(name, ExtensionFileLoader(name, str(file)), origin=str(file))


def install() -> None:
    """Import compiled modules from now on, unless `SIPAUDIT_PURE` is set."""
    if not os.environ.get(PURE):
        sys.meta_path.insert(0, Compiled(FOLDER, watched=(PACKAGE.parent / "pyproject.toml").exists()))


def in_use() -> int:
    """How many modules would be imported in compiled form."""
    finders = (finder for finder in sys.meta_path if isinstance(finder, Compiled))
    return sum(finder.find_spec(name) is not None for finder in finders for name in finder.files)
