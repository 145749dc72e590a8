"""When a message passed: by its agent's clock, as far as that can be trusted.

An agent's timestamp is better than our time of receipt, which includes the delay from the agent to us.  But a clock
that was never set must not push everybody's timers years ahead.  So a listener finds out which of two things it is:

- *live*, as soon as one message has a time near ours: agents may be late, since they queue what they cannot send, but
  not ahead.  The times of an agent with a wrong clock are all shifted by one amount to our time.  A clock is wrong if
  it is ahead, more than a day late, or late by the same amount for half a minute: an agent that empties its queue is
  late by less and less;
- a *replay*, if for two seconds all times were far from ours: somebody ships an old capture, and its times count.  A
  single message near our time makes the listener live.
"""

from __future__ import annotations

from typing import NamedTuple

from sipaudit.capture.health import CaptureHealth
from sipaudit.turned_away import forget_oldest

AHEAD = 5.0  # seconds by which an agent's clock may be ahead of ours: more than NTP leaves
BEHIND = 86_400.0  # seconds by which a message may be late; also how far a replay may step
LATE = 5.0  # seconds beyond which a message is late
LATE_ALIKE, LATE_MESSAGES = 30.0, 20  # seconds and messages of constant lateness (within LATE) that prove a wrong clock
AGREED = 20  # messages in a row with about the same time that confirm a leap of a replay
AGENTS = 1024  # agents with wrong clocks that are remembered

LATE_KIND, CLOCK_KIND = "hep-late", "hep-clock"


class Agent(NamedTuple):
    """The agent that shipped a message: its own id (chunk 12), and the host that sent the packet."""

    number: int
    host: str


class _Lateness(NamedTuple):
    """The least and the most seconds by which an agent was late, `since` when (our time), and in how many messages."""

    since: float
    least: float
    most: float
    messages: int

    def and_(self, late: float) -> _Lateness:
        return _Lateness(self.since, min(self.least, late), max(self.most, late), self.messages + 1)


class Clock:
    """Gives every message its time, in seconds since the epoch.

    `settled`: it is known whether this is live or a replay; `time` is not called before.  Late messages are counted as
    `hep-late` in `health.content`, and as `hep-clock` those that get another time than their own.
    """

    def __init__(self, health: CaptureHealth) -> None:
        self._health = health
        self.settled = False
        self.live = False
        self._newest: float | None = None  # the latest time given in a replay
        self._beyond, self._in_a_row = 0.0, 0  # a time too far away, and how many in a row were near it
        self._shifts: dict[Agent, float] = {}  # seconds to add to the time of agents whose clocks are wrong
        self._late: dict[Agent, _Lateness] = {}

    def listen(self, told: float | None, now: float) -> None:
        """A message with the time `told` arrives at `now`: if that is near, or missing, the listener is live."""
        if not self.live and (told is None or -BEHIND <= told - now <= AHEAD):
            self.settled = self.live = True

    def settle(self) -> None:
        """No message near our time came for as long as we wait: this is a replay."""
        self.settled = True

    def time(self, agent: Agent, told: float | None, now: float, frame: int) -> float:
        """The time of a message that passed at `told`, according to its agent, and that arrived at `now`."""
        self.listen(told, now)
        if told is None:
            return now if self.live or self._newest is None else self._newest
        return self._live(agent, told, now, frame) if self.live else self._replayed(told, frame)

    def _live(self, agent: Agent, told: float, now: float, frame: int) -> float:
        late = now - told
        if -AHEAD <= late <= LATE:
            if self._shifts or self._late:
                self._shifts.pop(agent, None)
                self._late.pop(agent, None)
            return told
        shift = self._shifts.get(agent)
        if shift is None and LATE < late <= BEHIND and not self._is_behind(agent, late, now):
            self._health.content[LATE_KIND] += 1
            return told
        self._health.content[CLOCK_KIND] += 1
        if shift is None or not -BEHIND <= told + shift - now <= AHEAD:
            if shift is not None or LATE < late <= BEHIND:
                self._health.clock_step(frame, now, late - (shift or 0.0))
            shift = late
            self._shifts[agent] = shift
            forget_oldest(self._shifts, AGENTS, "agents")
        return told + shift

    def _is_behind(self, agent: Agent, late: float, now: float) -> bool:
        """Whether an agent is late because its clock is behind: it was late by about the same for long enough."""
        known = self._late.get(agent)
        lateness = _Lateness(now, late, late, 1) if known is None else known.and_(late)
        if lateness.most - lateness.least > LATE:
            lateness = _Lateness(now, late, late, 1)
        self._late[agent] = lateness
        forget_oldest(self._late, AGENTS, "agents")
        return lateness.messages >= LATE_MESSAGES and now - lateness.since >= LATE_ALIKE

    def _replayed(self, told: float, frame: int) -> float:
        newest = self._newest
        if newest is None or abs(told - newest) <= BEHIND:
            self._newest = told if newest is None else max(newest, told)
            self._in_a_row = 0
            return told
        self._in_a_row = self._in_a_row + 1 if abs(told - self._beyond) <= BEHIND else 1
        self._beyond = told
        if self._in_a_row >= AGREED:
            self._health.clock_step(frame, told, told - newest)
            self._newest, self._in_a_row = told, 0
            return told
        self._health.content[CLOCK_KIND] += 1
        return newest
