"""Modules that were compiled (hatch_build.py): found before their sources, as long as they were made of these.

The sources say what they do, and work without: with `SIPAUDIT_PURE` in the environment nothing compiled is used.
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
SUFFIX = EXTENSION_SUFFIXES[0]   # each Python has its own
PURE = "SIPAUDIT_PURE"


def source_of(module: str) -> Path:
    """The source of a module of ours, named in full."""
    return PACKAGE.parent.joinpath(*module.split(".")).with_suffix(".py")


def is_of(file: Path, module: str) -> bool:
    """Whether a file was made of the module's source as it is: both then have the same time, to the nanosecond."""
    try:
        return file.stat().st_mtime_ns == source_of(module).stat().st_mtime_ns
    except OSError:
        return False


class Compiled:
    """Finds modules: `files` by their full names. Where sources are worked on (`watched`), those that are out of date
    are passed by; an installed copy is whole."""

    def __init__(self, folder: Path, watched: bool) -> None:
        self._watched = watched
        self.files = {file.name.removesuffix(SUFFIX): file for file in folder.glob(f"*{SUFFIX}")}

    def find_spec(self, name: str, _path: Sequence[str] | None = None, _target: ModuleType | None = None
                  ) -> ModuleSpec | None:
        """As `importlib.abc.MetaPathFinder` has it."""
        file = self.files.get(name)
        if file is None or (self._watched and not is_of(file, name)):
            return None
        return ModuleSpec(name, ExtensionFileLoader(name, str(file)), origin=str(file))


def install() -> None:
    """From now on what was compiled is imported."""
    if not os.environ.get(PURE):
        sys.meta_path.insert(0, Compiled(FOLDER, watched=(PACKAGE.parent / "pyproject.toml").exists()))


def in_use() -> int:
    """How many modules are imported as they were compiled."""
    finders = (finder for finder in sys.meta_path if isinstance(finder, Compiled))
    return sum(finder.find_spec(name) is not None for finder in finders for name in finder.files)
