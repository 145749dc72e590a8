"""The measured parts of bench/README.md, each between two comments that name it."""

from __future__ import annotations

from bench.captures import HERE

README = HERE / "README.md"


def put(part: str, text: str) -> None:
    """Replace what stands in a part (`table`, `stages sip` ...)."""
    begin, end = f"<!-- begin {part} -->\n", f"<!-- end {part} -->"
    head, found, rest = README.read_text().partition(begin)
    _, closed, tail = rest.partition(end)
    if not found or not closed:
        raise SystemExit(f"{README}: the part {part!r} is missing, or not closed")
    README.write_text(f"{head}{begin}{text}\n{end}{tail}")
