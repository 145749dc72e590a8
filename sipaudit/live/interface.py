"""An interface of this machine, as a source."""

from __future__ import annotations

import logging
import socket
import struct
import time
from collections.abc import Sequence
from fcntl import ioctl
from math import inf

from sipaudit.capture.decode import Decoder
from sipaudit.capture.health import CaptureHealth
from sipaudit.capture.intake import Intake
from sipaudit.capture.packet import Batch
from sipaudit.capture.port import Port, PortError
from sipaudit.capture.prefilter import Prefilter
from sipaudit.capture.records import note_link_type
from sipaudit.errors import InputError
from sipaudit.live import privileges
from sipaudit.sip.datagram import Item

READ_AT_MOST = 8       # batches of one read
AGAIN_AFTER = 1.0      # seconds between two attempts to open a lost port, and between two checks of its link

ANY = "any"            # libpcap's name for all of them
_SIOCGIFFLAGS, _UP, _RUNNING = 0x8913, 1, 0x40   # netdevice(7)

log = logging.getLogger(__name__)


class Interface:
    """A source: the packets at the port `name`, numbered from 1 in the order of arrival.

    `decoder` is shared by all ports of a probe, so that a packet seen at two of them counts once; `bpf` is the user's
    filter. A port that goes down is opened again when it is back; while it has no link, its silence is no evidence.
    Raises InputError when the port cannot be opened at the start.
    """

    by_our_clock = True
    taps = 1

    def __init__(self, name: str, capture: int, decoder: Decoder, health: CaptureHealth, bpf: str | None = None
                 ) -> None:
        self.name = name
        self.capture = capture
        self.health = health
        self.blind = 0.0
        self._bpf = bpf
        self.reader = decoder
        self._intake = Intake(health, Prefilter())
        self._before = 0, 0
        self._frames = 0
        self._gone_at = self._try_at = self._look_at = 0.0
        self._unplugged_at: float | None = None
        self._complaint = ""
        try:
            self._port: Port | None = self._opened()
        except PortError as error:
            raise _cannot(name, str(error)) from error

    def _opened(self) -> Port:
        port = Port(self.name, self._bpf, self._frames)
        note_link_type(self.health, port.link_type)
        return port

    @property
    def away(self) -> bool:
        return self._port is None or self._unplugged_at is not None

    def descriptors(self) -> Sequence[int]:
        return () if self._port is None else (self._port.fileno(),)

    def read(self) -> Sequence[Item]:
        """The items since the last read; none while the port is away."""
        port = self._port or self._back()
        items: list[Item] = []
        if port is None:
            return items
        before = port.frames
        try:
            for _ in range(READ_AT_MOST):
                batch = port.read()
                if batch is None:
                    break
                items += self._taken(batch)
            self._count(*port.drops())
            self._look_at_cable(heard=port.frames > before)
        except PortError as error:
            log.warning("%s is away, and is opened again when it is back: %s", self.name, error)
            self._lost(port)
        return items

    def _taken(self, batch: Batch) -> list[Item]:
        return [item for run in self._intake.runs((batch,)) for item in self.reader.run(run, self.capture)]

    def _count(self, dropped: int, at_interface: int) -> None:
        self.health.kernel_drops = self._before[0] + dropped
        self.health.interface_drops = self._before[1] + at_interface

    def _look_at_cable(self, *, heard: bool) -> None:
        """Check for a link every AGAIN_AFTER seconds while no packets come. If packets come although the port reports
        no link, its report is useless, and is not queried again."""
        now, out_since = time.monotonic(), self._unplugged_at
        if (out_since is None) if heard else (now < self._look_at):
            return
        self._look_at = now + AGAIN_AFTER
        if _flags(self.name) & (_UP | _RUNNING) != _UP:
            self._plugged_in(now)
        elif out_since is None:
            self._unplugged_at = now
            log.warning("%s has no link (is the cable out?): nothing is seen there until it has", self.name)
        elif heard and now - out_since > AGAIN_AFTER:
            self._look_at = inf
            self._plugged_in(now)

    def _plugged_in(self, now: float) -> None:
        if self._unplugged_at is not None:
            away, self._unplugged_at = now - self._unplugged_at, None
            self.blind += away
            log.warning("%s has a link again after %.0f s", self.name, away)

    def _lost(self, port: Port) -> None:
        """The port went down or disappeared."""
        port.close()
        self._port, self._frames, self._complaint = None, port.frames, ""
        self._before = self.health.kernel_drops or 0, self.health.interface_drops
        now, out_since = time.monotonic(), self._unplugged_at
        self._gone_at, self._unplugged_at = now if out_since is None else out_since, None
        self._try_at = now + AGAIN_AFTER

    def _back(self) -> Port | None:
        """Try to open the port again; None if that is not possible (yet)."""
        now = time.monotonic()
        if now < self._try_at:
            return None
        self._try_at = now + AGAIN_AFTER
        if not _flags(self.name) & _UP:
            return None
        try:
            self._port = self._opened()
        except (PortError, InputError) as error:   # the latter: the new port's link type does not fit the filter
            self._complain(str(error))
            return None
        away = time.monotonic() - self._gone_at
        self.blind += away
        log.warning("%s is back after %.0f s", self.name, away)
        return self._port

    def _complain(self, why: str) -> None:
        """Warn that the port is up but cannot be opened, once per reason while it is away."""
        if why != self._complaint:
            self._complaint = why
            log.warning("%s is up and cannot be opened: %s", self.name, why)

    def position(self) -> int:
        return self._frames if self._port is None else self._port.frames

    def go_on(self, position: int) -> bool:
        """Continue the numbering, so that each number means one packet. False: packets in between were not seen."""
        self._frames = position
        if self._port is not None:
            self._port.frames = position
        return False

    def place(self, frame: int) -> tuple[str, int | None]:
        return self.health.path, frame

    def close(self) -> None:
        if self._port is not None:
            self._port.close()
            self._port = None


def _flags(name: str) -> int:
    """The interface flags of the port with this name (netdevice(7)); 0 where there is none."""
    if name == ANY:
        return _UP | _RUNNING
    try:
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as asked:
            answer = ioctl(asked, _SIOCGIFFLAGS, struct.pack("16sH14x", name.encode()[:15], 0))
    except OSError:
        return 0
    return int(struct.unpack("16sH14x", answer)[1])


def _cannot(name: str, why: str) -> InputError:
    known = sorted(there for _, there in socket.if_nameindex())
    if name != ANY and name not in known:
        return InputError(f"-i {name}: there is no such interface", fix=f"name one of {', '.join(known)}")
    if not privileges.can_capture():
        return InputError(f"-i {name}: this process may not capture", fix=privileges.how_to_be_allowed())
    return InputError(f"-i {name}: cannot be opened: {why}", fix=f"bring it up: ip link set dev {name} up")
