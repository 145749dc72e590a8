"""The scenes of the lab by name. Each is a function that writes one; seconds are those of the scene."""

from __future__ import annotations

from collections.abc import Callable

from tests.lab.faults import early_and_late, gone, names, overloaded, refused, silent, stopped
from tests.lab.innocence import everyday, lossy, softphones
from tests.lab.scene import Scene

SCENES: dict[str, Callable[[], Scene]] = {
    write().name: write
    for write in (silent, early_and_late, refused, stopped, overloaded, names, gone, lossy, softphones, everyday)
}
