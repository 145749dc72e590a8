"""One answer is not in the capture: what the phone was told by it, nobody else knows.

The phone does what it did (`story.py`), and no counter of the capture tells that a packet is missing.
"""

from __future__ import annotations

import random

from sipaudit.model.events import Answered
from tests.model.fleet.story import History, obedient


def lacking(seed: int) -> History:
    """A phone that obeys, of which one answer was not seen."""
    history = obedient(seed)
    answers = [event for event in history.events if isinstance(event, Answered)]
    return without(history, random.Random(f"lacking{seed}").choice(answers)) if answers else history


def without(history: History, gone: Answered) -> History:
    """The history of who did not see that answer."""
    events = [event for event in history.events if event is not gone]
    return History(history.seed, history.habits, events, history.profiles)
