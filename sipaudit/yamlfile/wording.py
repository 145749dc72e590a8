"""Words for messages: the valid name a user most likely meant, and the user's own text made fit to print."""

from __future__ import annotations

from collections.abc import Iterable

LONGEST_NAME = 64  # a longer word is no misspelt name, and comparing it would cost its square
ALIKE = 0.62       # of 1: what shares less (`servers`, `events`) is another word, and the list of all helps more
TAILS_ALIKE = 0.85
SHOWN = 60


def nearest(word: str, names: Iterable[str]) -> str | None:
    """The name closest to `word`: the one it ends with after a dot, else the most alike, else one that it nearly ends
    with; whatever the case."""
    if len(word) > LONGEST_NAME:
        return None
    by_case = {name.casefold(): name for name in names}
    folded = word.casefold()
    tails = [name for name in by_case if folded.endswith("." + name)]
    if tails:
        return by_case[max(tails, key=len)]
    from difflib import get_close_matches  # deferred: most runs have no word that is wrong

    parts = folded.split(".")
    misspelt = ((".".join(parts[start:]), TAILS_ALIKE) for start in range(1, len(parts)))
    for part, least in ((folded, ALIKE), *misspelt):
        if matches := get_close_matches(part, by_case, n=1, cutoff=least):
            return by_case[matches[0]]
    return None


def hint(word: str, names: Iterable[str]) -> str:
    """`; did you mean 'x'?` to go on with after an unknown name, nothing when no valid one is like it."""
    best = nearest(word, names)
    return "" if best is None else f"; did you mean '{best}'?"


def suggestion(word: str, names: Iterable[str], otherwise: str | None = None) -> str:
    """What to do about an unknown name: the nearest valid one, else what else is advised, or all of them."""
    valid = list(names)
    best = nearest(word, valid)
    if best is not None:
        return f"did you mean '{best}'?"
    if otherwise is not None:
        return otherwise
    return "valid: " + ", ".join(valid) if valid else "none is defined"


def quoted(text: str) -> str:
    """Text of the user for a message: quoted, printable, and not longer than a line bears."""
    return repr(text if len(text) <= SHOWN else text[: SHOWN - 3] + "...")


def printable(name: str) -> str:
    """A name as part of a place like `entries.sbc`: as it is when it is short and printable, else quoted."""
    return name if name.isprintable() and len(name) <= SHOWN else quoted(name)
