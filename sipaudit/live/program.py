"""Identifies the exact program, not only its version.

A checkout is updated many times between two releases. A checkpoint holds values of the classes of the program that
wrote it; in today's classes, fields may be missing or in another order.
"""

from __future__ import annotations

from hashlib import blake2b
from pathlib import Path

import sipaudit


def program() -> str:
    """The version, and a digest of all source files of the package as they are now."""
    digest = blake2b(digest_size=8)
    folder = Path(sipaudit.__file__).parent
    for path in sorted(folder.rglob("*.py")):
        digest.update(f"{path.relative_to(folder)} {path.stat().st_size}\n".encode() + path.read_bytes())
    return f"{sipaudit.__version__} {digest.hexdigest()}"
