"""Says issues in provisioning files: each once, however many lines it concerns."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator

from msgspec.structs import replace

from sipaudit.model.sayings import FindingSaid
from sipaudit.model.values import Finding, Place
from sipaudit.turned_away import forget_oldest

SAID_KEPT = 20_000  # issues that are remembered as said

Key = tuple[object, ...]


class SaidSettings:
    """Remembers each issue with the id under which it was said. `again`: whether the files were read anew, so that
    there may be new issues for lines that were seen before."""

    def __init__(self) -> None:
        self.again = False
        self._told: dict[Key, Finding] = {}

    def turn(self, now: float, found: Iterable[Finding], next_id: Callable[[], str], *, whole: bool
             ) -> Iterator[FindingSaid]:
        """The new issues among those found for some lines. `whole`: for all lines, so that an issue that concerns more
        lines, or fewer, is said again."""
        for finding in found:
            told = self._told.get(_key(finding))
            if told is None or whole:
                named = replace(finding, id=told.id if told else next_id())
                if named != told:
                    self.said_before(named)
                    yield FindingSaid(now, named)

    def said_before(self, finding: Finding) -> None:
        """Note an issue that was said."""
        self._told[_key(finding)] = finding
        forget_oldest(self._told, SAID_KEPT, "said")

    def stand(self, now: float) -> Iterator[FindingSaid]:
        """The issues as last said."""
        yield from (FindingSaid(now, finding) for finding in self._told.values())


def _key(finding: Finding) -> Key:
    """What identifies an issue: what is wrong, and where."""
    at = finding.evidence[0]
    return (finding.rule, at.file, at.line, at.summary) if isinstance(at, Place) else (finding.rule, finding.observed)
