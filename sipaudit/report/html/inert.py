"""Text from the wire made harmless and short for the page.

The page puts text into the document as text only, so markup cannot act; what is left to do here is to show what does
not print (escapes, bidirectional controls) as its escape, and to keep an 8 kB name from filling the screen.
"""

from __future__ import annotations

from typing import overload

from sipaudit.safe_text import safe_text

NAME = 200        # characters of a name: a line, a phone, a label, a User-Agent
SENTENCE = 1_500  # of a sentence that may hold several names
MESSAGE = 16_000  # of one SIP message
FIELD = 500       # of one line of a dissection


@overload
def inert(text: str, most: int = NAME) -> str: ...
@overload
def inert(text: None, most: int = NAME) -> None: ...
def inert(text: str | None, most: int = NAME) -> str | None:
    """One line of text: printable, and of at most `most` characters (what was cut is counted)."""
    if text is None:
        return None
    return safe_text(text) if len(text) <= most else f"{safe_text(text[:most])}… ({len(text):,} characters)"


def inert_lines(text: str, most: int = MESSAGE) -> str:
    """A message: its line ends and tabs are kept, everything else that does not print is escaped."""
    kept = text[:most].replace("\r\n", "\n")
    shown = "\n".join("\t".join(safe_text(part) for part in line.split("\t")) for line in kept.split("\n"))
    return shown if len(text) <= most else f"{shown}\n… ({len(text):,} characters)"
