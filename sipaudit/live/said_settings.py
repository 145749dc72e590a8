"""What is wrong with provisioning files as it is said: each issue once, however many lines it is about."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator

from msgspec.structs import replace

from sipaudit.model.sayings import FindingSaid
from sipaudit.model.values import Finding, Place
from sipaudit.turned_away import forget_oldest

SAID_KEPT = 20_000  # findings that are known to have been said

Key = tuple[object, ...]


class SaidSettings:
    """Knows under which id each issue was said. `again`: whether the files were read anew, so that there may be more to
    say of lines that were seen before."""

    def __init__(self) -> None:
        self.again = False
        self._told: dict[Key, Finding] = {}

    def turn(self, now: float, found: Iterable[Finding], next_id: Callable[[], str], *, whole: bool
             ) -> Iterator[FindingSaid]:
        """What is new of what was found of some lines. `whole`: of all lines, so that it is known how many they are."""
        for finding in found:
            told = self._told.get(_key(finding))
            if told is None or whole:
                named = replace(finding, id=told.id if told else next_id())
                if named != told:
                    self.said_before(named)
                    yield FindingSaid(now, named)

    def said_before(self, finding: Finding) -> None:
        """This was said."""
        self._told[_key(finding)] = finding
        forget_oldest(self._told, SAID_KEPT, "said")

    def stand(self, now: float) -> Iterator[FindingSaid]:
        """Issues as they were said last."""
        yield from (FindingSaid(now, finding) for finding in self._told.values())


def _key(finding: Finding) -> Key:
    """What makes two of them the same: what is wrong, where."""
    at = finding.evidence[0]
    return (finding.rule, at.file, at.line, at.summary) if isinstance(at, Place) else (finding.rule, finding.observed)
