"""A host that turns from TCP to UDP has given up on the connection that it could not open."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from sipaudit.sip.datagram import Datagram, ErrorKind, Item, TransportError
from tests.capture.packets import REGISTER, TIME, Wire, ethernet, gre, ip4, tcp, udp

ELSEWHERE = "10.0.0.2"
SYN, SYN_ACK = 2, 0x12
ANSWER = b"SIP/2.0 200 OK\r\nVia: SIP/2.0/UDP 10.0.0.2;branch=z9hG4bK-1\r\nContent-Length: 0\r\n\r\n"

Wrap = Callable[[bytes], bytes]
either_road = pytest.mark.parametrize("wrap", [ethernet, lambda packet: ethernet(ip4(gre(packet), 47))],
                                      ids=["short", "long"])


def after_a_syn(packet: bytes, wrap: Wrap = ethernet, wait: float = 2.0) -> list[Item]:
    """The items of a packet that comes `wait` seconds after an unanswered SYN."""
    wire = Wire()
    wire.see(ethernet(ip4(tcp(flags=SYN), 6)), time=TIME)
    return wire.see(wrap(packet), time=TIME + wait)


@either_road
def test_a_request_by_udp_to_another_server_tells_that_the_syn_failed(wrap: Wrap) -> None:
    failed, message = after_a_syn(ip4(udp(), destination=ELSEWHERE), wrap)
    assert isinstance(failed, TransportError)
    assert (failed.kind, failed.flow.destination_host, failed.sent) == (ErrorKind.UNANSWERED, "10.0.0.1", TIME)
    assert failed.time == TIME + 2.0
    assert isinstance(message, Datagram)


@either_road
@pytest.mark.parametrize("packet", [
    pytest.param(ip4(udp()), id="the-same-server"),
    pytest.param(ip4(udp(ANSWER), destination=ELSEWHERE), id="an-answer"),
    pytest.param(ip4(udp(REGISTER.replace(b"REGISTER", b"OPTIONS")), destination=ELSEWHERE), id="a-keepalive"),
    pytest.param(ip4(udp(), source="10.1.0.6", destination=ELSEWHERE), id="another-host"),
])
def test_other_messages_do_not(packet: bytes, wrap: Wrap) -> None:
    assert [type(item) for item in after_a_syn(packet, wrap)] == [Datagram]


def test_a_syn_just_sent_may_still_be_answered() -> None:
    assert [type(item) for item in after_a_syn(ip4(udp(), destination=ELSEWHERE), wait=0.5)] == [Datagram]


def test_an_answered_syn_has_not_failed() -> None:
    wire = Wire()
    wire.see(ethernet(ip4(tcp(flags=SYN), 6)), time=TIME)
    back = tcp(source=5060, destination=49152, flags=SYN_ACK, ack=2)
    wire.see(ethernet(ip4(back, 6, "10.0.0.1", "10.1.0.5")), time=TIME + 1)
    assert [type(item) for item in wire.see(ethernet(ip4(udp(), destination=ELSEWHERE)), time=TIME + 3)] == [Datagram]
