"""`--notify`: sends notices to every place that the user named, at a pace at which people can read them."""

from __future__ import annotations

import time
from collections import Counter, deque
from collections.abc import Iterator, Sequence
from datetime import tzinfo
from pathlib import Path
from typing import NamedTuple

from sipaudit.errors import InputError, unreadable
from sipaudit.live.channel import Channel, Patience, Send, sender
from sipaudit.live.notices import Notice, Notices
from sipaudit.model.sayings import Saying
from sipaudit.model.values import Severity
from sipaudit.report.screen import count_of

TITLES_HELD = 200             # titles that are kept while the rate limit holds notices back
HELD_SHOWN = 20               # of these, the titles that a summary shows
URLS = 50
URL_FILE_BYTES = 65_536


class Pace(NamedTuple):
    """The rate limit: at most `burst` notices at once, and then one every so many `seconds`."""

    burst: int = 10
    seconds: float = 60.0


PACE, PATIENCE = Pace(), Patience()


class Notifier:
    """A Sink that notifies. `urls` are the values of `--notify`: Apprise URLs, or `@FILE` with one per line (so that no
    password shows in the process list). Raises InputError for an unusable URL, before anything is sent."""

    def __init__(
        self, urls: Sequence[str], clock: tzinfo, least: Severity = Severity.WARNING, pace: Pace = PACE,
        patience: Patience = PATIENCE,
    ) -> None:
        senders = list(_senders(urls))
        self._notices = Notices(least, clock, time.time())
        self._gate = _Gate(pace)
        self._at_end = patience.at_end
        self._channels = [Channel(name, send, patience) for name, send in senders]

    def take(self, saying: Saying) -> None:
        self._notices.take(saying)

    def learn(self, saying: Saying) -> None:
        self._notices.learn(saying)

    def turn(self, now: float) -> None:
        for notice in self._gate.pass_through(list(self._notices.turn(now)), now):
            for channel in self._channels:
                channel.put(notice)

    def close(self) -> None:
        """Send all pending notices, as one summary those that the rate limit holds back; all places together have a few
        seconds for their queues."""
        for notice in self._gate.last(list(self._notices.turn(time.time(), is_last=True))):
            for channel in self._channels:
                channel.put(notice)
        deadline = time.monotonic() + self._at_end
        for channel in self._channels:
            channel.end()
        for channel in self._channels:
            channel.join(max(deadline - time.monotonic(), 0.0))

    def counts(self) -> dict[str, int]:
        """The number of notifications by result: `sent`, `failed` attempts, `held` back, `dropped`."""
        total: Counter[str] = Counter({"sent": 0, "failed": 0, "held": self._gate.held, "dropped": 0})
        for channel in self._channels:
            total.update(channel.counts)
        return dict(total)


class _Gate:
    """Applies the rate limit. Notices held back are told as one summary, as soon as a notice may pass again."""

    def __init__(self, pace: Pace) -> None:
        self.held = 0
        self._pace = pace
        self._free = float(pace.burst)
        self._at: float | None = None
        self._titles: deque[str] = deque(maxlen=TITLES_HELD)
        self._kept = 0
        self._worst: Severity | None = None

    def pass_through(self, notices: list[Notice], now: float) -> Iterator[Notice]:
        self._fill(now)
        if self._kept and self._free >= 1:
            self._free -= 1
            yield self._summary()
        for notice in notices:
            if self._free >= 1:
                self._free -= 1
                yield notice
            else:
                self._hold(notice)

    def last(self, notices: list[Notice]) -> Iterator[Notice]:
        """The notices that pass, and one summary of all others."""
        yield from self.pass_through(notices, self._at or 0.0)
        if self._kept:
            yield self._summary()

    def _fill(self, now: float) -> None:
        passed = 0.0 if self._at is None else max(now - self._at, 0.0)
        self._at = now
        self._free = min(self._free + passed / self._pace.seconds, float(self._pace.burst))

    def _hold(self, notice: Notice) -> None:
        self.held += 1
        self._kept += 1
        self._titles.append(notice.title)
        if notice.severity is not None and (self._worst is None or notice.severity.rank > self._worst.rank):
            self._worst = notice.severity

    def _summary(self) -> Notice:
        shown = list(self._titles)[-HELD_SHOWN:]
        more = self._kept - len(shown)
        body = "\n".join([*([f"{more} earlier ones, and:"] if more else []), *shown])
        notice = Notice(f"{count_of(self._kept, 'notice')} in short, held back by the rate limit", body, self._worst)
        self._titles.clear()
        self._kept, self._worst = 0, None
        return notice


def _senders(urls: Sequence[str]) -> Iterator[tuple[str, Send]]:
    number = 0
    for given in urls:
        lines = _in_file(given[1:]) if given.startswith("@") else [(given, None, None)]
        for url, file, line in lines:
            number += 1
            if number > URLS:
                raise InputError(f"--notify: more than {URLS} URLs", fix="one place can send them on to many")
            yield sender(url, number, file=file, line=line)


def _in_file(path: str) -> list[tuple[str, str | None, int | None]]:
    """The URLs in a file, with path and line number; blank lines and lines that begin with # are skipped."""
    try:
        with Path(path).open("rb") as stream:
            text = stream.read(URL_FILE_BYTES + 1)
    except OSError as error:
        raise unreadable(error, path, "name a file of URLs, one a line", "--notify:") from error
    if len(text) > URL_FILE_BYTES:
        raise InputError("--notify: is too long for a file of URLs", fix="write one URL a line", file=path)
    lines = enumerate(text.decode("utf-8", "replace").splitlines(), 1)
    found = [(line.strip(), number) for number, line in lines if line.strip() and not line.lstrip().startswith("#")]
    if not found:
        raise InputError("--notify: holds no URL", fix="write one URL a line", file=path)
    return [(url, path, number) for url, number in found]
