"""The parts of a page that programs write, each between two comments that name it."""

from __future__ import annotations


def replaced(page: str, part: str, text: str) -> str:
    """The page with the text of a part (`table`, `stages sip` ...) replaced. Raises SystemExit if the page has no such
    part."""
    begin, end = f"<!-- begin {part} -->\n", f"<!-- end {part} -->"
    head, found, rest = page.partition(begin)
    _, closed, tail = rest.partition(end)
    if not found or not closed:
        raise SystemExit(f"the part {part!r} is missing in the page, or not closed")
    return f"{head}{begin}{text}\n{end}{tail}"
