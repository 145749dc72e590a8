"""Words for messages: the valid name that a user most likely meant, and user text made safe to print."""

from __future__ import annotations

from collections.abc import Iterable

LONGEST_NAME = 64  # a longer word is no misspelt name, and the cost of comparing is quadratic
ALIKE = 0.62       # of 1: a word less alike (`servers`, `events`) is another word, and listing all names helps more
TAILS_ALIKE = 0.85
SHOWN = 60


def nearest(word: str, names: Iterable[str]) -> str | None:
    """The valid name closest to `word`, ignoring case: the one that it ends with after a dot, otherwise the most
    similar one, otherwise one that it nearly ends with."""
    if len(word) > LONGEST_NAME:
        return None
    by_case = {name.casefold(): name for name in names}
    folded = word.casefold()
    tails = [name for name in by_case if folded.endswith("." + name)]
    if tails:
        return by_case[max(tails, key=len)]
    from difflib import get_close_matches  # deferred: most runs have no invalid word

    parts = folded.split(".")
    misspelt = ((".".join(parts[start:]), TAILS_ALIKE) for start in range(1, len(parts)))
    for part, least in ((folded, ALIKE), *misspelt):
        if matches := get_close_matches(part, by_case, n=1, cutoff=least):
            return by_case[matches[0]]
    return None


def hint(word: str, names: Iterable[str]) -> str:
    """`; did you mean 'x'?`, to follow an unknown name; empty if no valid name is similar."""
    best = nearest(word, names)
    return "" if best is None else f"; did you mean '{best}'?"


def suggestion(word: str, names: Iterable[str], otherwise: str | None = None) -> str:
    """Advice for an unknown name: the nearest valid one, otherwise the advice `otherwise`, or a list of all."""
    valid = list(names)
    best = nearest(word, valid)
    if best is not None:
        return f"did you mean '{best}'?"
    if otherwise is not None:
        return otherwise
    return "valid: " + ", ".join(valid) if valid else "none is defined"


def quoted(text: str) -> str:
    """User text for a message: quoted, printable, and shortened to fit a line."""
    return repr(text if len(text) <= SHOWN else text[: SHOWN - 3] + "...")


def printable(name: str) -> str:
    """A name as part of a place like `entries.sbc`: unchanged if short and printable, otherwise quoted."""
    return name if name.isprintable() and len(name) <= SHOWN else quoted(name)
