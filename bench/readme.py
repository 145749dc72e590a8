"""The measured parts of bench/README.md, each between two comments that name it."""

from __future__ import annotations

from bench.captures import HERE
from docs.parts import replaced

README = HERE / "README.md"


def put(part: str, text: str) -> None:
    """Write this text into a part."""
    README.write_text(replaced(README.read_text(), part, text))
