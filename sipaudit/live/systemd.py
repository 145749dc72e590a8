"""Tells systemd the state of the service (sd_notify(3)): ready, alive, reloading, stopping, and a status line.

Each message is a datagram to the socket that NOTIFY_SOCKET names; no library is
needed. Outside of systemd this does nothing.
"""

from __future__ import annotations

import logging
import os
import socket
import time
from collections.abc import Callable, MutableMapping

from sipaudit.live.standing import Standing
from sipaudit.model.sayings import Saying
from sipaudit.report.screen import count_of

STATUS_EVERY = 10.0  # seconds

log = logging.getLogger(__name__)


class Systemd:
    """A Sink: turns of the loop feed the watchdog, sayings update the status.

    `environ` is read once, and the variables are removed from it, so that no child (tshark) speaks for the service.
    """

    def __init__(
        self, environ: MutableMapping[str, str] = os.environ, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._address = _address(environ.pop("NOTIFY_SOCKET", ""))
        self.watchdog = _watchdog(environ)
        self._clock = clock
        self._fed = self._told = float("-inf")
        self._complained = False
        self._standing = Standing()
        self._socket = _datagrams() if self._address else None

    def ready(self) -> None:
        """The captures are open and privileges are dropped; also called after a reload."""
        self._say("READY=1", f"STATUS={self._status()}")

    def reloading(self) -> None:
        """SIGHUP was received; `ready` follows, whether or not the reload succeeds."""
        self._say("RELOADING=1", f"MONOTONIC_USEC={int(self._clock() * 1_000_000)}")

    def take(self, saying: Saying) -> None:
        if self._socket is not None:
            self._standing.take(saying)

    def learn(self, saying: Saying) -> None:
        self.take(saying)

    def turn(self, now: float) -> None:  # noqa: ARG002 - the watchdog counts by the monotonic clock
        """Send WATCHDOG=1 three times per watchdog interval, STATUS every ten seconds."""
        moment = self._clock()
        if self.watchdog is not None and moment - self._fed >= self.watchdog / 3:
            self._fed = moment
            self._say("WATCHDOG=1")
        if moment - self._told >= STATUS_EVERY:
            self._told = moment
            self._say(f"STATUS={self._status()}")

    def close(self) -> None:
        self._say("STOPPING=1", "STATUS=stopping")

    def _status(self) -> str:
        health, opened = self._standing.health, len(self._standing.open)
        incidents = count_of(opened, "open incident") if opened else "no open incident"
        if health is None:
            return incidents
        drops = f", {count_of(health.kernel_drops, 'packet')} dropped" if health.kernel_drops else ""
        return f"{count_of(health.lines, 'line')}, {health.sip_per_s:.0f} SIP messages a second, {incidents}{drops}"

    def _say(self, *assignments: str) -> None:
        """Never blocks and never raises: a service manager that does not listen must not stop the capture."""
        if self._socket is None:
            return
        try:
            self._socket.sendto("\n".join(assignments).encode(), self._address)
        except OSError as error:
            if not self._complained:
                log.warning("systemd cannot be told how the service is: %s", error.strerror or error)
            self._complained = True


def _datagrams() -> socket.socket:
    made = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
    made.setblocking(False)
    return made


def _address(name: str) -> str:
    """The socket's address: a path, or a name in the abstract namespace (`@name`); otherwise empty."""
    if name.startswith("@"):
        return "\0" + name[1:]
    return name if name.startswith("/") else ""


def _watchdog(environ: MutableMapping[str, str]) -> float | None:
    """The watchdog interval in seconds; None where systemd does not watch this process."""
    microseconds, pid = environ.pop("WATCHDOG_USEC", ""), environ.pop("WATCHDOG_PID", "")
    if not microseconds.isdecimal() or not int(microseconds) or (pid and pid != str(os.getpid())):
        return None
    return int(microseconds) / 1_000_000
