"""What comes from the wire, made fit for a terminal."""

from __future__ import annotations


def visible(text: str) -> str:
    """The text with every character that a terminal might obey written as its escape."""
    if text.isprintable():
        return text
    return "".join(each if each.isprintable() else each.encode("unicode_escape").decode() for each in text)
