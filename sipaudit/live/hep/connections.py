"""HEP3 over TCP and TLS: each agent has a connection, and none can block us or make us hold much data."""

from __future__ import annotations

import select
import socket
import ssl
import time
from collections.abc import Sequence
from contextlib import suppress
from operator import attrgetter

from sipaudit.capture.bounds import FOR_FILES, CaptureBounds
from sipaudit.live.descriptors import none_is_left
from sipaudit.live.hep.framing import Packets
from sipaudit.live.hep.shipped import Shipped
from sipaudit.sip.datagram import Item
from sipaudit.turned_away import forget_oldest

CONNECTIONS = 256
ACCEPTED_AT_ONCE = 16  # a TLS handshake costs a millisecond
PIECE = 1 << 16  # bytes read from a connection at a time; more than a TLS record (16 kB), so that OpenSSL keeps none
PIECES = 16  # connections read in one go
PROVE_WITHIN = 10.0  # seconds from the connection to its first packet, and for the rest of a partial packet
AWAY = 1.0  # seconds without a connection after which messages may be missing
HOSTS = 1024  # hosts of absent agents that are remembered
TIDY = 1.0  # seconds between two checks for overdue connections
IDLE = 3600.0  # seconds without a byte after which an agent counts as gone

BROKEN, REFUSED, EVICTED, TLS, CUT = "hep-stream", "hep-refused", "hep-evicted", "hep-tls", "hep-cut"
"""Kinds of `health.undecoded`: not HEP3; refused for lack of room; evicted to make room; TLS handshake failed; ended
within a packet."""

_NOTHING_YET = (BlockingIOError, InterruptedError, ssl.SSLWantReadError, ssl.SSLWantWriteError)


_time = attrgetter("time")
_proven = attrgetter("proven")


class _Connection:
    """One agent's connection. `since`: when it was accepted or last began a packet, `heard`: when its last bytes came,
    both by our monotonic clock."""

    def __init__(self, peer: socket.socket, host: str, now: float) -> None:
        self.socket = peer
        self.host = host
        self.packets = Packets()
        self.shaking = isinstance(peer, ssl.SSLSocket)
        self.proven = False
        self.since = self.heard = now

    def overdue(self, now: float) -> bool:
        waits = not self.proven or self.packets.begun
        return now - self.since > PROVE_WITHIN if waits else now - self.heard > IDLE


class ConnectionSource(Shipped):
    """Listens on a TCP socket that is bound and listening already (`live.ends.Source`); with `tls` over TLS.

    A peer that sends no packet with the right key in time, or anything but HEP3, is disconnected.  When all places are
    taken, a connection that has not yet sent a valid packet makes room; if there is none, the new one is refused.
    `blind` is the time in which an agent that had shipped before had no connection, so that its messages did not reach
    us.  Its start counts after AWAY seconds, not at the agent's return: others go on shipping, and it may never come.
    """

    def __init__(
        self, listener: socket.socket, name: str, capture: int, key: bytes | None = None,
        tls: ssl.SSLContext | None = None, bounds: CaptureBounds = FOR_FILES,
    ) -> None:
        super().__init__(name, int(listener.getsockname()[1]), capture, key, bounds)
        self._listener = listener
        self._tls = tls
        self._monotonic = time.monotonic
        self._connections: dict[int, _Connection] = {}
        self._left: dict[str, float] = {}  # hosts that had shipped: when their last connection ended
        self._gone: dict[str, float] = {}  # hosts that stay away: until when `blind` includes that
        self._tidied = self._monotonic()
        listener.setblocking(False)
        self._poll = select.epoll()
        self._poll.register(listener.fileno(), select.EPOLLIN)

    @property
    def away(self) -> bool:
        """Whether an agent whose connection ended may still come back."""
        return bool(self._left or self._gone)

    def descriptors(self) -> Sequence[int]:
        """One epoll descriptor for all connections."""
        return self._waited_for(self._poll.fileno())

    def read(self) -> Sequence[Item]:
        now, tick = time.time(), self._monotonic()
        ready = self._poll.poll(0, PIECES)
        for descriptor, _ in ready:
            if descriptor == self._listener.fileno():
                self._accept(tick)
            elif connection := self._connections.get(descriptor):  # otherwise it has just been evicted
                self._serve(connection, now, tick)
        if tick - self._tidied >= TIDY:
            self._tidy(tick)
        items = self._ready(now)
        if len(ready) > 1:
            items.sort(key=_time)  # several agents were read one after the other
        return items

    def close(self) -> None:
        for connection in tuple(self._connections.values()):
            self._end(connection)
        self._poll.close()
        self._listener.close()

    # -- connections

    def _accept(self, tick: float) -> None:
        for _ in range(ACCEPTED_AT_ONCE):
            try:
                peer, address = self._listener.accept()
            except OSError as error:  # no more pending connections, or they were aborted
                if none_is_left(error):
                    self._rest()
                return
            self._welcome(peer, address[0], tick)

    def _rest(self) -> None:
        """No descriptor is left: stop polling the listener for a while, or pending connections would wake us in a loop.
        """
        self.health.undecoded[REFUSED] += 1
        self._poll.modify(self._listener.fileno(), 0)

    def _welcome(self, peer: socket.socket, host: str, tick: float) -> None:
        if not self._has_room():
            self.health.undecoded[REFUSED] += 1
            peer.close()
            return
        try:
            peer.setblocking(False)
            peer.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
            if self._tls is not None:
                peer = self._tls.wrap_socket(peer, server_side=True, do_handshake_on_connect=False)
            self._poll.register(peer.fileno(), select.EPOLLIN)
        except (OSError, ValueError):  # the peer has reset it already
            peer.close()
            return
        self._connections[peer.fileno()] = _Connection(peer, host, tick)

    def _has_room(self) -> bool:
        if len(self._connections) < min(CONNECTIONS, self._bounds.streams):
            return True
        unproven = next((one for one in self._connections.values() if not one.proven), None)
        if unproven is None:
            return False
        self._evict(unproven)
        return True

    def _evict(self, connection: _Connection) -> None:
        self.health.undecoded[EVICTED] += 1
        self._end(connection)

    @property
    def evicted(self) -> dict[str, int]:
        """The number of connections that were evicted or refused."""
        count = self.health.undecoded[EVICTED] + self.health.undecoded[REFUSED]
        return {"hep-connections": count} if count else {}

    def tighten(self, bounds: CaptureBounds) -> None:
        """Use other bounds from now on; connections beyond them are closed, those without a valid packet first."""
        super().tighten(bounds)
        beyond = len(self._connections) - min(CONNECTIONS, bounds.streams)
        if beyond > 0:
            for connection in sorted(self._connections.values(), key=_proven)[:beyond]:
                self._evict(connection)

    def _keep_bound(self) -> None:
        """Evict connections while the partial packets of all together exceed the bound on bytes."""
        while sum(one.packets.held for one in self._connections.values()) > self._bounds.stream_bytes:
            self._evict(max(self._connections.values(), key=lambda one: (not one.proven, one.packets.held)))

    def _tidy(self, tick: float) -> None:
        self._tidied = tick
        self._poll.modify(self._listener.fileno(), select.EPOLLIN)
        for host in [host for host, left in self._left.items() if tick - left >= AWAY]:
            self._stays_away(host, tick)
        self._gone = {host: gone for host, gone in self._gone.items() if tick - gone < IDLE}
        for connection in tuple(self._connections.values()):
            if connection.overdue(tick):
                self._end(connection)

    def _end(self, connection: _Connection) -> None:
        if connection.packets.begun:
            self.health.undecoded[CUT] += 1
        descriptor = connection.socket.fileno()
        self._connections.pop(descriptor, None)
        if connection.proven and not self._ships(connection.host):
            if len(self._left) >= HOSTS:
                self._stays_away(next(iter(self._left)), self._monotonic())
            self._left[connection.host] = self._monotonic()
        with suppress(OSError, ValueError):
            self._poll.unregister(descriptor)
        connection.socket.close()

    # -- what they send

    def _serve(self, connection: _Connection, now: float, tick: float) -> None:
        try:
            if connection.shaking and not self._shaken(connection):
                return
            data = connection.socket.recv(PIECE)
        except _NOTHING_YET:
            return
        except (OSError, ValueError):
            data = b""
        if data:
            self._take(connection, data, now, tick)
        else:
            self._end(connection)

    def _shaken(self, connection: _Connection) -> bool:
        """Go on with the TLS handshake; returns whether it is complete."""
        peer = connection.socket
        assert isinstance(peer, ssl.SSLSocket)
        try:
            peer.do_handshake()
        except ssl.SSLWantReadError:
            self._poll.modify(peer.fileno(), select.EPOLLIN)
            return False
        except ssl.SSLWantWriteError:
            self._poll.modify(peer.fileno(), select.EPOLLOUT)
            return False
        except OSError:  # ssl.SSLError is one
            self.health.undecoded[TLS] += 1
            self._end(connection)
            return False
        self._poll.modify(peer.fileno(), select.EPOLLIN)
        connection.shaking = False
        return True

    def _take(self, connection: _Connection, data: bytes, now: float, tick: float) -> None:
        begun = connection.packets.begun
        packets = connection.packets.feed(data)
        connection.heard = tick
        admitted = [self._intake.take(packet, connection.host, now) for packet in packets]
        if any(admitted) and not connection.proven:
            connection.proven = True
            self._is_back(connection.host, tick)
        if connection.proven and (packets or not begun):
            connection.since = tick
        if connection.packets.broken:
            self.health.undecoded[BROKEN] += 1
            self._end(connection)
        elif connection.packets.begun:
            self._keep_bound()

    def _ships(self, host: str) -> bool:
        return any(one.proven and one.host == host for one in self._connections.values())

    def _stays_away(self, host: str, tick: float) -> None:
        self.blind += tick - self._left.pop(host)
        self._gone[host] = tick
        forget_oldest(self._gone, HOSTS, "agents")

    def _is_back(self, host: str, tick: float) -> None:
        away = tick - self._gone.pop(host, self._left.pop(host, tick))
        if away >= AWAY:
            self.blind += away
