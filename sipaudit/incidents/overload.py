"""overload: a server that refuses work with 503."""

from __future__ import annotations

from collections import deque
from collections.abc import Mapping, Set

from sipaudit.incidents.draft import Draft, Drafts, Watched
from sipaudit.model.events import Answered

Refusal = tuple[float, Watched, Answered]


class Overloads:
    """Counts 503 responses, by server."""

    def __init__(self, thresholds: Mapping[str, float], drafts: Drafts) -> None:
        self._responses = int(thresholds["responses"])
        self._within = thresholds["within"]
        self._quiet = thresholds["quiet"]
        self._drafts = drafts
        self._recent: dict[str, deque[Refusal]] = {}
        self._open: dict[str, Draft] = {}

    def refused(self, answer: Answered, subject: Watched) -> None:
        """A server answered 503."""
        key, time = answer.server, answer.time
        draft = self._open.get(key)
        if draft is not None and time - (draft.end or 0.0) <= self._quiet:
            self._grow(draft, (time, subject, answer))
            return
        recent = self._recent.setdefault(key, deque(maxlen=self._responses))
        recent.append((time, subject, answer))
        if len(recent) == self._responses and time - recent[0][0] <= self._within:
            self._open[key] = draft = Draft("overload", recent[0][0], key, subject.entry)
            draft.quiet = self._quiet
            self._drafts.open(draft)
            for refusal in recent:
                self._grow(draft, refusal)
            recent.clear()

    def _grow(self, draft: Draft, refusal: Refusal) -> None:
        """Add a 503; the draft's end is its last one so far."""
        time, subject, answer = refusal
        draft.end = max(draft.end or time, time)
        draft.add([subject], answer)
        draft.metrics["responses_503"] = (draft.metrics.get("responses_503") or 0) + 1

    def forget(self, before: float) -> None:
        """Forget the refusals before that time."""
        self._recent = {key: recent for key, recent in self._recent.items() if recent and recent[-1][0] >= before}
        self._open = {key: draft for key, draft in self._open.items() if draft.goes_on_after(before)}

    def release(self, lines: Set[int]) -> None:
        """These lines were forgotten."""
        for recent in self._recent.values():
            if any(subject.number in lines for _, subject, _ in recent):
                kept = [refusal for refusal in recent if refusal[1].number not in lines]
                recent.clear()
                recent.extend(kept)
