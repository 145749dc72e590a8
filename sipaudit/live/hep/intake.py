"""From HEP packets to items: checks the key, sets aside what is no SIP, assigns times, and drops copies."""

from __future__ import annotations

from hmac import compare_digest
from typing import NamedTuple

from sipaudit.capture.bounds import FOR_FILES, CaptureBounds
from sipaudit.capture.flows import Flows
from sipaudit.capture.health import CaptureHealth
from sipaudit.capture.hep import HepPacket, aside, parse_hep
from sipaudit.live.hep.clock import Agent, Clock
from sipaudit.live.hep.copies import BOUND, Copies, Sighting
from sipaudit.sip.datagram import Datagram, Item
from sipaudit.sip.framing import looks_like_sip

WAIT = 2.0  # seconds within which a message with a time near ours must arrive, otherwise it is a replay
BESIDE = 1_000  # bytes that a message takes beside its payload
COPIES_OF_STREAM = 8  # messages remembered per generation for each TCP connection in the budget (`run.budget`)
BYTES_OF_DUPLICATE = 2_000  # bytes of messages held back, for each mirrored packet in the budget

UNREADABLE, WRONG_KEY = "hep", "hep-key"  # kinds of `health.undecoded`


class _Arrived(NamedTuple):
    packet: HepPacket
    agent: Agent
    now: float
    frame: int


class Intake:
    """Takes packets in the order of arrival; `items` are the finished items, for the caller to remove.

    Every packet is counted, and its number is the frame of its message; `frames` is the last one.  With a `key`, only
    packets that carry it (chunk 14) are accepted, so none of HEP versions 1 and 2, which cannot.
    """

    def __init__(self, capture: int, health: CaptureHealth, key: bytes | None, bounds: CaptureBounds = FOR_FILES
                 ) -> None:
        self._capture = capture
        self._health = health
        self._key = key
        self._clock = Clock(health)
        self._copies = Copies()
        self._flows = Flows()
        self.tighten(bounds)
        self._waiting: list[_Arrived] = []
        self._waiting_bytes = 0
        self.items: list[Item] = []
        self.frames = 0

    def tighten(self, bounds: CaptureBounds) -> None:
        """Use other bounds from now on. HEP has neither streams nor mirrored packets: messages use their budget."""
        self._flows.limit = bounds.flows
        self._copies.bound = min(BOUND, bounds.streams * COPIES_OF_STREAM)
        self._most_waiting = bounds.duplicates * BYTES_OF_DUPLICATE   # beyond it live or replay is decided at once

    @property
    def live(self) -> bool:
        """Whether live agents, rather than a replay, were recognised so far."""
        return self._clock.live

    @property
    def waits(self) -> bool:
        """Whether messages are held back until it is known whose clock counts; then `pass_time` must be called."""
        return bool(self._waiting)

    def take(self, data: bytes, host: str, now: float) -> bool:
        """Take a packet from `host` that arrived at `now`, in seconds since the epoch. Returns whether it is HEP with
        the right key. Never raises, whatever the packet holds."""
        health = self._health
        health.packets += 1
        self.frames += 1
        packet = parse_hep(data)
        if packet is None or (packet.version < 3 and not looks_like_sip(packet.payload)):
            health.undecoded[UNREADABLE] += 1
            return False
        if self._key is not None and not compare_digest(packet.key, self._key):
            health.undecoded[WRONG_KEY] += 1
            return False
        stop = aside(packet)
        if stop is None:
            self._place(_Arrived(packet, Agent(packet.agent, host), now, self.frames))
        else:
            stop.count(health)
        return True

    def pass_time(self, now: float) -> None:
        """Release the messages held back once WAIT seconds have passed: this is a replay."""
        if self._waiting and not 0 <= now - self._waiting[0].now < WAIT:
            self._clock.settle()
            self._release()

    def _place(self, arrived: _Arrived) -> None:
        clock = self._clock
        if not clock.settled:
            clock.listen(arrived.packet.time, arrived.now)
        if clock.settled:
            self._release()
            self._add(arrived)
            return
        self._waiting.append(arrived)
        self._waiting_bytes += len(arrived.packet.payload) + BESIDE
        if self._waiting_bytes >= self._most_waiting:
            clock.settle()
            self._release()

    def _release(self) -> None:
        waiting, self._waiting, self._waiting_bytes = self._waiting, [], 0
        for arrived in waiting:
            self._add(arrived)

    def _add(self, arrived: _Arrived) -> None:
        packet, agent, now, frame = arrived
        health, transport = self._health, packet.transport
        if transport is None:
            return  # it was set aside
        time = self._clock.time(agent, packet.time, now, frame)
        message = packet.addresses + packet.ports + bytes((packet.protocol,)) + packet.payload
        if self._copies.seen(message, Sighting(time, now, agent)):
            health.duplicates += 1
            health.agents_apart = self._copies.apart
            return
        health.snaplen_cut += packet.cut
        health.shipped = True
        health.first = time if health.first is None else health.first
        health.last = time if health.last is None else max(health.last, time)
        health.at = now if self._clock.live else time   # a late agent must not look like a clock set back
        flow = self._flows.get(transport, packet.addresses, packet.ports)
        self.items.append(Datagram(time, self._capture, frame, flow, packet.payload, (), packet.cut))
