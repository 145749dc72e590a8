"""The path between phones and servers: delay, loss, and the tap on the phones' side."""

from __future__ import annotations

import random
from collections.abc import Callable
from typing import Protocol

from sipaudit.capture.write import icmp_unreachable_packet, udp_packet
from sipaudit.simulate.clock import Clock
from sipaudit.simulate.message import Endpoint, Message, render
from sipaudit.simulate.plan.values import Network as NetworkPlan
from sipaudit.simulate.wire.tap import Tap
from sipaudit.simulate.wire.tcp import Connection, Peer

FIRST_PORT, PORTS = 40_000, 20_000
MOST_LATE = 0.03  # seconds by which a reordered packet is late


class Node(Peer, Protocol):
    """A host reachable at an address and port."""

    def unreachable(self, message: Message) -> None:
        """An ICMP error reports that a message sent from here was undeliverable."""


class Network:
    """Carries the packets of phones and servers, and passes to the tap those that it can see."""

    def __init__(self, clock: Clock, plan: NetworkPlan, tap: Tap, seed: int,
                 keys: Callable[[str], object] | None = None) -> None:
        self.clock = clock
        self.tap = tap
        self.keys = keys   # receives the key log lines of TLS connections
        self._plan = plan
        self._chance = random.Random(f"network {seed}").random
        self._nodes: dict[Endpoint, Node] = {}
        self._macs: dict[str, str] = {}  # by address; hosts listed here are on the phones' side of the tap
        self._connections: dict[tuple[Endpoint, Endpoint], Connection] = {}
        self._ports: dict[str, int] = {}
        self._identifications: dict[str, int] = {}

    def attach(self, place: Endpoint, node: Node, mac: str | None = None) -> None:
        """Make `node` reachable at `place` from now on; a phone gives its MAC."""
        self._nodes[place] = node
        if mac is not None:
            self._macs[place[0]] = mac

    def know(self, address: str, mac: str) -> None:
        """Note the MAC of a host on the phones' side of the tap."""
        self._macs[address] = mac

    def detach(self, place: Endpoint) -> None:
        self._nodes.pop(place, None)

    def identification(self, address: str) -> int:
        """The next IP identification of a host."""
        value = self._identifications[address] = (self._identifications.get(address, 0) + 1) & 0xFFFF
        return value

    def connects(self, place: Endpoint) -> bool:
        """Whether the node at `place` would accept a connection now."""
        node = self._nodes.get(place)
        return node is not None and node.hears() and not node.refuses()

    # -- connections

    def connection(self, phone: Endpoint, server: Endpoint, node: Node, broken: Callable[[], None], tls: bool
                   ) -> Connection:
        """The phone's connection from `phone` to `server`; it is opened if there is none."""
        known = self._connections.get((phone, server))
        if known is None:
            known = Connection(self, phone, server, (node, self._nodes[server]), broken, tls)
            self._connections[phone, server] = known
        return known

    def port(self, address: str) -> int:
        """The next source port of a host (or of the NAT router of several hosts) for a new connection."""
        port = self._ports[address] = FIRST_PORT + (self._ports.get(address, FIRST_PORT) - FIRST_PORT + 1) % PORTS
        return port

    def forget(self, phone: Endpoint, server: Endpoint) -> None:
        """Forget a closed connection."""
        self._connections.pop((phone, server), None)

    # -- messages

    def send(self, source: Endpoint, destination: Endpoint, message: Message) -> None:
        """Send a message: over UDP in one datagram, otherwise from a server on the phone's connection."""
        if message.transport != "UDP":
            connection = self._connections.get((destination, source))
            if connection is not None:
                connection.send(message, 1)
            return
        packet = udp_packet(source, destination, render(message), identification=self.identification(source[0]))
        arrival = self.carry(source, destination, packet)
        if arrival is not None:
            self.clock.at(arrival, self._deliver, message, source, destination, packet)
            if self._plan.duplicate and self._chance() < self._plan.duplicate:
                again = self.carry(source, destination, packet)
                self.clock.at(again or arrival, self._deliver, message, source, destination, packet)

    def send_raw(self, source: Endpoint, destination: Endpoint, payload: bytes, later: float = 0.0) -> None:
        """Send a UDP datagram that no node reads: keepalives, DNS, DHCP."""
        packet = udp_packet(source, destination, payload, identification=self.identification(source[0]))
        self.carry(source, destination, packet, later)

    def carry(self, source: Endpoint, destination: Endpoint, packet: bytes, later: float = 0.0) -> float | None:
        """Carry an IP packet that leaves in `later` seconds past the tap; returns its arrival time, None if it is lost.
        """
        plan, now = self._plan, self.clock.now + later
        mac = self._macs.get(source[0])
        lost = bool(plan.loss) and self._chance() < plan.loss
        arrival = now + plan.delay + plan.jitter * self._chance()
        if plan.reorder and self._chance() < plan.reorder:
            arrival += MOST_LATE * self._chance()
        if mac is not None:
            self.tap.see(now, packet, True, mac)
        elif not lost:
            self.tap.see(arrival, packet, False, self._macs.get(destination[0], "020000000002"))
        return None if lost else arrival

    def refuse(self, server: Endpoint, phone: Endpoint, packet: bytes, message: Message) -> None:
        """Send an ICMP port unreachable from the server's host, quoting the packet of the message (RFC 792)."""
        arrival = self.carry(server, phone, icmp_unreachable_packet(server[0], packet))
        node = self._nodes.get(phone)
        if arrival is not None and node is not None:
            self.clock.at(arrival, node.unreachable, message)

    def _deliver(self, message: Message, source: Endpoint, destination: Endpoint, packet: bytes) -> None:
        node = self._nodes.get(destination)
        if node is not None:
            node.receive(message, source, packet)
