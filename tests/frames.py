"""Frames as tests and benchmarks write them: a packet in Ethernet, in one go."""

from __future__ import annotations

from collections.abc import Sequence

from sipaudit.capture.write import Endpoint, ethernet_frame, udp_packet


def udp_frame(
    source: Endpoint, destination: Endpoint, payload: bytes, *, source_mac: str = "020000000001",
    destination_mac: str = "020000000002", vlans: Sequence[int] = (),
) -> bytes:
    """One UDP datagram in an Ethernet frame."""
    packet = udp_packet(source, destination, payload)
    return ethernet_frame(packet, source_mac=source_mac, destination_mac=destination_mac, vlans=vlans)
