"""Makes text from the wire harmless and short for the page.

The page inserts text into the document as text only, so markup in it has no effect. What is left to do here is to
escape what does not print (escapes, bidirectional controls), and to keep an 8 kB name from filling the screen.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, overload

from sipaudit.report.advice import TYPED
from sipaudit.safe_text import safe_text

if TYPE_CHECKING:
    from markupsafe import Markup  # jinja2's, which only the page needs

NAME = 200        # characters of a name: a line, a phone, a label, a User-Agent
PATH = 400        # of a file, or of a place in it
SENTENCE = 1_500  # of a sentence that may hold several names
MESSAGE = 16_000  # of one SIP message
FIELD = 500       # of one line of a dissection
_LEFTWARD = "\u0590-\u08ff\ufb1d-\ufdff\ufe70-\ufefc\U00010800-\U00010fff\U0001e800-\U0001efff"
_RUN = re.compile(f"[{_LEFTWARD}]+(?:[^\\w<>&]+[{_LEFTWARD}]+)*")   # of words that are written from right to left


@overload
def inert(text: str, most: int = NAME) -> str: ...
@overload
def inert(text: None, most: int = NAME) -> None: ...
def inert(text: str | None, most: int = NAME) -> str | None:
    """One line of printable text, cut to `most` characters; a cut text ends with its length."""
    if text is None:
        return None
    return safe_text(text) if len(text) <= most else f"{safe_text(text[:most])}… ({len(text):,} characters)"


def apart(text: str) -> Markup:
    """The text as HTML, with words written from right to left isolated (`<bdi>`): otherwise they would also reorder
    what follows, and show `3 of 9` on their other side, as `9 of 3`."""
    from markupsafe import Markup, escape

    return Markup(_RUN.sub(lambda run: f"<bdi>{run[0]}</bdi>", str(escape(text))))


def prose(text: str) -> Markup:
    """A sentence of ours as HTML, with text in `backticks` as code."""
    from markupsafe import Markup, escape

    return Markup(TYPED.sub(r"<code>\1</code>", str(escape(text))))


def inert_lines(text: str, most: int = MESSAGE) -> str:
    """A message: its line ends and tabs are kept, everything else that does not print is escaped."""
    kept = text[:most].replace("\r\n", "\n")
    shown = "\n".join("\t".join(safe_text(part) for part in line.split("\t")) for line in kept.split("\n"))
    return shown if len(text) <= most else f"{shown}\n… ({len(text):,} characters)"
