"""`--line`: find the chosen line."""

from __future__ import annotations

from collections.abc import Iterable

from sipaudit.errors import InputError
from sipaudit.reconstruct.phones import Line
from sipaudit.yamlfile.wording import quoted, suggestion


def means(chosen: str, aor: str) -> bool:
    """Whether this line is the chosen one: named as in a report, as in tables (without `sip:`), or by its user alone.
    """
    bare = aor.partition(":")[2]
    return chosen in (aor, bare, bare.partition("@")[0])


def require(chosen: str | None, lines: Iterable[Line]) -> None:
    """Raises InputError if a line was chosen that the captures do not have."""
    aors = sorted({line.aor for line in lines})
    if chosen is not None and not any(means(chosen, aor) for aor in aors):
        fix = suggestion(chosen, aors, "sipaudit phones CAPTURE lists those that there are")
        raise InputError(f"--line: no line {quoted(chosen)} in these captures", fix=fix)
