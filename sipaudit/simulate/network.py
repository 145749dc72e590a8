"""The way between phones and servers: delay, loss, and the tap on the phones' side of it."""

from __future__ import annotations

import random
from typing import Protocol

from sipaudit.capture.write import icmp_unreachable_packet, udp_packet
from sipaudit.simulate.clock import Clock
from sipaudit.simulate.message import Endpoint, Message, render
from sipaudit.simulate.plan.values import Network as NetworkPlan
from sipaudit.simulate.wire.tap import Tap

MOST_LATE = 0.03  # seconds by which a reordered packet is late


class Node(Protocol):
    """Who is reached at an address and port."""

    def receive(self, message: Message, source: Endpoint, packet: bytes, /) -> None:
        """A message arrived in this IP packet."""

    def unreachable(self, message: Message) -> None:
        """A message that was sent from here came back as undeliverable."""


class Network:
    """Carries what phones and servers send, and shows it to the tap where it passes there."""

    def __init__(self, clock: Clock, plan: NetworkPlan, tap: Tap, seed: int) -> None:
        self.clock = clock
        self.tap = tap
        self._plan = plan
        self._chance = random.Random(f"network {seed}").random
        self._nodes: dict[Endpoint, Node] = {}
        self._macs: dict[Endpoint, str] = {}
        self._identifications: dict[str, int] = {}

    def attach(self, place: Endpoint, node: Node, mac: str | None = None) -> None:
        """`node` is at `place` from now on; a phone has its MAC."""
        self._nodes[place] = node
        if mac is not None:
            self._macs[place] = mac

    def detach(self, place: Endpoint) -> None:
        self._nodes.pop(place, None)

    def identification(self, address: str) -> int:
        """The next IP identification of a host."""
        value = self._identifications[address] = (self._identifications.get(address, 0) + 1) & 0xFFFF
        return value

    def send(self, source: Endpoint, destination: Endpoint, message: Message) -> None:
        """A message in a UDP datagram of its own."""
        packet = udp_packet(source, destination, render(message), identification=self.identification(source[0]))
        arrival = self.carry(source, destination, packet)
        if arrival is not None:
            self.clock.at(arrival, self._deliver, message, source, destination, packet)
            if self._plan.duplicate and self._chance() < self._plan.duplicate:
                again = self.carry(source, destination, packet)
                self.clock.at(again or arrival, self._deliver, message, source, destination, packet)

    def send_raw(self, source: Endpoint, destination: Endpoint, payload: bytes) -> None:
        """A UDP datagram that nobody here reads: keepalives, DNS, DHCP."""
        self.carry(source, destination, udp_packet(source, destination, payload,
                                                   identification=self.identification(source[0])))

    def carry(self, source: Endpoint, destination: Endpoint, packet: bytes) -> float | None:
        """When an IP packet that leaves now arrives, None when it is lost on the way; the tap sees it."""
        plan, now = self._plan, self.clock.now
        mac = self._macs.get(source)
        lost = bool(plan.loss) and self._chance() < plan.loss
        arrival = now + plan.delay + plan.jitter * self._chance()
        if plan.reorder and self._chance() < plan.reorder:
            arrival += MOST_LATE * self._chance()
        if mac is not None:
            self.tap.see(now, packet, True, mac)
        elif not lost:
            self.tap.see(arrival, packet, False, self._macs.get(destination, "020000000002"))
        return None if lost else arrival

    def refuse(self, server: Endpoint, phone: Endpoint, packet: bytes, message: Message) -> None:
        """ICMP port unreachable from the server's host, quoting the packet that brought the message (RFC 792)."""
        arrival = self.carry(server, phone, icmp_unreachable_packet(server[0], packet))
        node = self._nodes.get(phone)
        if arrival is not None and node is not None:
            self.clock.at(arrival, node.unreachable, message)

    def _deliver(self, message: Message, source: Endpoint, destination: Endpoint, packet: bytes) -> None:
        node = self._nodes.get(destination)
        if node is not None:
            node.receive(message, source, packet)
