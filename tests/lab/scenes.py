"""The scenes of the lab by name: each is a function that makes one. Seconds count from the scene's beginning."""

from __future__ import annotations

from collections.abc import Callable

from tests.lab.faults import early_and_late, gone, names, overloaded, refused, silent, stopped
from tests.lab.innocence import everyday, lossy, softphones
from tests.lab.scene import Scene

SCENES: dict[str, Callable[[], Scene]] = {
    write().name: write
    for write in (silent, early_and_late, refused, stopped, overloaded, names, gone, lossy, softphones, everyday)
}
