"""One place to notify, by Apprise: a thread that sends notices, retries after failures, and bounds their queue.

An Apprise URL holds passwords and tokens, so it never appears in an error or a
log; the libraries' own logging, which would show it, is switched off.
"""

from __future__ import annotations

import logging
import re
from collections import Counter, deque
from collections.abc import Callable
from threading import Condition, Thread
from typing import NamedTuple

from sipaudit.errors import InputError
from sipaudit.live.notices import Notice
from sipaudit.model.values import Severity

try:
    from apprise import Apprise, AppriseAsset, NotifyFormat, NotifyType

    from sipaudit.live.answers import bound_answers
except ImportError as error:
    raise InputError(
        "--notify needs the library apprise", fix="pip install 'sipaudit[live]', or leave --notify out"
    ) from error

NOTICES_KEPT = 100   # notices that may be queued for a place that cannot be reached
_SCHEME = re.compile(r"\s*([A-Za-z][A-Za-z0-9+.-]{0,20})://")
_TYPES = {
    None: NotifyType.SUCCESS, Severity.INFO: NotifyType.INFO, Severity.WARNING: NotifyType.WARNING,
    Severity.ERROR: NotifyType.FAILURE,
}

log = logging.getLogger(__name__)
bound_answers()
for _name in ("apprise", "urllib3", "requests"):   # they log URLs
    logging.getLogger(_name).setLevel(logging.CRITICAL + 1)

Send = Callable[[Notice], bool]


class Patience(NamedTuple):
    """Seconds until the first retry, the longest time between retries (it doubles), and for the queue at the end."""

    first: float = 5.0
    longest: float = 300.0
    at_end: float = 5.0


class Channel:
    """Sends notices to one place, in order. `name` is its name in the log; `send` may block.

    `counts`: notices `sent` and `dropped` (the oldest when the queue is full, one that the service refuses, those left
    at the end), and attempts that `failed`.
    """

    def __init__(self, name: str, send: Send, patience: Patience) -> None:
        self.name = name
        self.counts: Counter[str] = Counter()
        self._send = send
        self._patience = patience
        self._waiting: deque[Notice] = deque()
        self._lost = 0
        self._changed = Condition()
        self._ending = False
        self._thread: Thread | None = None   # starts with the first notice, after privileges are dropped

    def put(self, notice: Notice) -> None:
        """Queue a notice without blocking; when the queue is full, the oldest is dropped."""
        if self._thread is None:
            self._thread = Thread(target=self._run, name=f"notify {self.name}", daemon=True)
            self._thread.start()
        with self._changed:
            if len(self._waiting) >= NOTICES_KEPT:
                self._waiting.popleft()
                self._lost += 1
                self.counts["dropped"] += 1
            self._waiting.append(notice)
            self._changed.notify()

    def end(self) -> None:
        """Let each queued notice have one last attempt; `join` waits for them."""
        with self._changed:
            self._ending = True
            self._changed.notify()

    def join(self, seconds: float) -> None:
        if self._thread is not None:
            self._thread.join(seconds)
        left = len(self._waiting) + (self._thread is not None and self._thread.is_alive())   # the one being sent
        if left:
            self.counts["dropped"] += left
            log.warning("%s: %d notifications were not sent", self.name, left)

    def _run(self) -> None:
        while (notice := self._next()) is not None:
            self._deliver(notice)

    def _next(self) -> Notice | None:
        """Wait for the next notice; None when the run is over and the queue is empty."""
        with self._changed:
            self._changed.wait_for(lambda: self._waiting or self._ending)
            if not self._waiting:
                return None
            notice = self._waiting.popleft()
            if self._lost:
                lost, self._lost = self._lost, 0
                gap = f"{lost} older notifications were lost, since they could not be sent."
                notice = Notice(notice.title, f"{gap}\n{notice.body}", notice.severity)
            return notice

    def _deliver(self, notice: Notice) -> None:
        pause, is_last, waited = self._patience.first, self._ending, 0
        while not self._attempt(notice):
            self.counts["failed"] += 1
            if is_last:
                self.counts["dropped"] += 1
                return
            if pause == self._patience.first:
                log.warning("%s: a notification could not be sent; trying again", self.name)
            is_last = self._pause(pause)
            waited += pause == self._patience.longest
            if waited > 1 and not is_last and self._is_refused(notice):
                return
            pause = min(pause * 2, self._patience.longest)
        self.counts["sent"] += 1
        if pause != self._patience.first:
            log.info("%s: notifications can be sent again", self.name)

    def _is_refused(self, notice: Notice) -> bool:
        """Whether the next notice is accepted. Then this one gets a last attempt, and is dropped if that fails: a
        notice that a service rejects for its content would block all others for ever."""
        with self._changed:
            later = self._waiting.popleft() if self._waiting else None
        if later is None:
            return False
        if not self._attempt(later):
            with self._changed:
                self._waiting.appendleft(later)
            return False
        self.counts["sent"] += 1
        if self._attempt(notice):
            self.counts["sent"] += 1
        else:
            self.counts.update(failed=1, dropped=1)
            log.warning("%s: a notification is refused, and dropped, since others are taken", self.name)
        return True

    def _attempt(self, notice: Notice) -> bool:
        try:
            return self._send(notice)
        except Exception as error:   # a plugin's bug must not end the notifications
            log.warning("%s: the service's plugin failed with %s", self.name, type(error).__name__)
            return False

    def _pause(self, seconds: float) -> bool:
        """Wait so many seconds, or until the run ends; returns whether it has ended."""
        with self._changed:
            return self._changed.wait_for(lambda: self._ending, seconds)


def sender(url: str, number: int, *, file: str | None = None, line: int | None = None) -> tuple[str, Send]:
    """The name for the log, and a function that sends to this Apprise URL. Raises InputError, which does not show the
    URL, when Apprise cannot use it."""
    scheme = _SCHEME.match(url)
    service = Apprise(asset=AppriseAsset(app_id="sipaudit", app_desc="sipaudit", async_mode=False))
    if scheme is None or not service.add(url):
        what = f"--notify: number {number}" if file is None else "this"
        kind = f" ({scheme[1].lower()}://...)" if scheme else ""
        raise InputError(
            f"{what} is no URL that Apprise can use{kind}; it is not shown, since it may hold a password",
            fix="write one as json://host:port/path, mailto://user:password@host or slack://..., see Apprise's list "
            "of services", file=file, line=line,
        )

    def send(notice: Notice) -> bool:
        return bool(service.notify(
            body=notice.body or notice.title, title=notice.title, notify_type=_TYPES[notice.severity],
            body_format=NotifyFormat.TEXT, interpret_escapes=False,
        ))

    return f"--notify {number} ({scheme[1].lower()})", send
