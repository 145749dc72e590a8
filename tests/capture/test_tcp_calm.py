"""Calm connections, which have nothing pending: they give the same items as if they were followed like any other."""

from __future__ import annotations

import random

import pytest

from sipaudit.capture.health import CaptureHealth
from sipaudit.capture.tcp import Streams
from sipaudit.sip.datagram import Datagram, ErrorKind, Flow, Gap, Item, TransportError, flow
from tests.capture.tcpstory import ACK, FIN, RST, SYN, Side, Tap, answer, message, sides

HOUR = 3600.0
EVERY = 1_000   # stories of each kind
STRANGE = b"PING sip:a;REGISTER sip:b SIP/2.0\r\nContent-Length: 0\r\n\r\n"   # a message only where one must begin


def asked_and_answered(phone: Side, server: Side, number: int) -> list[Item]:
    """A request, its answer, and the acknowledgement of both, on a connection whose handshake was not captured."""
    return [*phone.sends(message(number)), *server.sends(answer(number)), *phone.sends(flags=ACK)]


class TestAnHourlyWord:
    def test_a_phone_that_speaks_once_an_hour_is_known_by_little(self) -> None:
        tap = Tap()
        phone, server = sides(tap)
        for number in range(3):
            assert [type(item) for item in asked_and_answered(phone, server, number)] == [Datagram, Datagram]
            assert (len(tap.streams), len(tap.streams.calm), tap.streams.held) == (1, 2, 0)
            tap.wait(HOUR)
            assert len(tap.streams) == 0

    def test_a_message_in_two_pieces_wakes_nothing(self) -> None:
        tap = Tap()
        phone, server = sides(tap)
        assert phone.sends(message(1)[:50]) == []
        assert (len(tap.streams), len(tap.streams.calm)) == (1, 1)
        assert tap.streams.held >= 50
        (got,) = phone.sends(message(1)[50:])
        assert isinstance(got, Datagram)
        assert (got.payload, got.frame, got.frames) == (message(1), 2, (1, 2))
        server.sends(answer(1))
        assert (len(tap.streams), len(tap.streams.calm), tap.streams.held) == (1, 2, 0)

    def test_a_message_in_three_pieces_wakes_its_connection(self) -> None:
        tap = Tap()
        phone, server = sides(tap)
        asked_and_answered(phone, server, 1)
        for begin, end in ((0, 20), (20, 40)):
            assert phone.sends(message(2)[begin:end]) == []
        assert len(tap.streams.calm) == 0
        (got,) = phone.sends(message(2)[40:])
        assert isinstance(got, Datagram)
        assert (got.payload, got.frames) == (message(2), (4, 5, 6))

    def test_of_a_message_that_is_never_ended_nothing_is_kept(self) -> None:
        tap = Tap()
        phone, _ = sides(tap)
        phone.sends(message(1)[:50])
        tap.wait(HOUR)
        assert (len(tap.streams), len(tap.streams.calm), tap.streams.held) == (0, 0, 0)

    def test_a_lost_message_is_a_gap(self) -> None:
        """The answer to the next request shows the gap: it acknowledges the lost message too."""
        tap = Tap()
        phone, server = sides(tap)
        asked_and_answered(phone, server, 1)
        phone.loses(message(2))
        phone.sends(message(3))
        server.sends(answer(3))
        tap.wait(1.0)
        (gap,) = tap.of(Gap)
        assert gap.missing == len(message(2))
        assert tap.messages() == [message(1), answer(1), message(3), answer(3)]

    def test_what_is_sent_again_is_no_message(self) -> None:
        tap = Tap()
        phone, server = sides(tap)
        asked_and_answered(phone, server, 1)
        phone.again(len(message(1)), message(1))
        assert tap.messages() == [message(1), answer(1)]

    def test_a_request_that_is_reset_was_broken_off(self) -> None:
        tap = Tap()
        phone, server = sides(tap)
        asked_and_answered(phone, server, 1)
        phone.sends(message(2))
        server.sends(flags=RST | ACK)
        (error,) = tap.of(TransportError)
        assert (error.kind, error.flow) == (ErrorKind.RESET, phone.way)

    def test_an_old_acknowledgement_takes_nothing_back(self) -> None:
        """Everything was acknowledged and answered before the reset, so it is no failure."""
        tap = Tap()
        phone, server = sides(tap)
        phone.sends(message(1))
        server.sends(answer(1))
        tap.see(server.way, server.next, phone.next - 20, ACK, answer(2))
        server.next += len(answer(2))
        server.sends(flags=RST)
        assert tap.messages() == [message(1), answer(1), answer(2)]
        assert not tap.of(TransportError)

    def test_of_too_many_the_one_unused_for_longest_goes(self) -> None:
        tap = Tap(options={"max_streams": 2})
        for number in range(3):
            asked_and_answered(*sides(tap, client_port=40_000 + number), number)
        assert (len(tap.streams), tap.streams.evicted) == (2, 1)
        assert tap.health[0].undecoded["tcp-evicted"] == 1


def tell(streams: Streams, segments: list[tuple[float, Flow, int, int, int, bytes, bool]]) -> list[Item]:
    said: list[Item] = []
    for frame, (time, way, seq, ack, flags, payload, cut) in enumerate(segments, 1):
        said += streams.advance(time)
        said += streams.segment(time, 0, frame, way, seq, ack, flags, payload, cut)
    return said + streams.finish()


def odd(chance: random.Random, payload: bytes, seq: int, ack: int) -> tuple[int, int, int, bytes, bool]:
    """An irregular segment: sequence number, acknowledgement number, flags, payload, whether it was cut off."""
    somewhere = chance.randrange(1 << 32)
    return chance.choice([
        (seq, ack, SYN, b"", False), (seq, ack, SYN | ACK, b"", False), (seq, ack, RST, b"", False),
        (seq, ack, RST | ACK, b"", False), (seq, ack, FIN | ACK, payload, False), (seq, ack, 0, payload, False),
        (seq, ack, ACK, payload, True), (somewhere, ack, ACK, payload, False), (seq, somewhere, ACK, payload, False),
        (seq, (ack - chance.randrange(300)) % (1 << 32), ACK, payload, False),
        ((seq - chance.randrange(300)) % (1 << 32), ack, ACK, payload, False),
        ((seq + chance.randrange(300)) % (1 << 32), ack, ACK, payload, False),
        (seq, ack, ACK, payload[: len(payload) // 2], False), (seq, ack, ACK, payload + payload, False),
        (seq, ack, ACK, b"\r\n\r\n", False), (seq, ack, ACK, b"\x16\x03\x01\x00\x05" + payload, False),
        (seq, ack, FIN | ACK, b"GET / HTTP/1.1\r\n\r\n", False),
    ])


def story(chance: random.Random) -> list[tuple[float, Flow, int, int, int, bytes, bool]]:
    """A few SIP connections, with one segment in eight irregular, and pauses from 1 ms to 700 s."""
    port, time, told = chance.choice([5060, 5061, 8080]), 1e6, []
    ways = [(flow("tcp", f"10.1.0.{number}", 40_000, "10.0.0.1", port, "0004f2000001"),
             flow("tcp", "10.0.0.1", port, f"10.1.0.{number}", 40_000)) for number in range(3)]
    wanted = {way: chance.choice([0, (1 << 32) - 150, 12_345]) for both in ways for way in both}
    for number in range(chance.randrange(4, 40)):
        time += chance.choice([0.001, 0.001, 0.001, 1.5, 40.0, 700.0])
        there, back = chance.choice(ways)
        if chance.random() < 0.4:
            there, back = back, there
        payload = chance.choice([message(number), answer(number), b"", STRANGE])
        if payload and chance.random() < 0.3:   # in two segments, mostly with no pause between them
            cut = chance.choice([chance.randrange(1, len(payload)), len(payload) - chance.randrange(1, 5)])
            told.append((time, there, wanted[there], wanted[back], ACK, payload[:cut], False))
            wanted[there] = (wanted[there] + cut) % (1 << 32)
            payload = payload[cut:]
            time += chance.choice([0.0, 0.001, 0.001, 700.0])
        segment = wanted[there], wanted[back], ACK, payload, False
        if chance.random() < 0.125:
            segment = odd(chance, payload, wanted[there], wanted[back])
        told.append((time, there, *segment))
        wanted[there] = (wanted[there] + len(segment[3])) % (1 << 32)
    return told


@pytest.mark.parametrize(("most", "most_bytes"), [(2, 1 << 20), (65_536, 1 << 20), (65_536, 400)])
def test_calm_or_not_a_connection_says_the_same(most: int, most_bytes: int) -> None:
    taken = 0
    for seed in range(EVERY):
        segments, results = story(random.Random(seed)), []
        for calm in (True, False):
            health = [CaptureHealth("capture")]
            streams = Streams(health, max_streams=most, max_bytes=most_bytes)
            if not calm:
                streams.calm.room = 0
            said = tell(streams, segments)
            taken += len(streams.calm) if calm else 0
            results.append((said, vars(health[0]).copy(), streams.sip_ports, streams.evicted, streams.held,
                            len(streams)))
        assert results[0] == results[1], seed
    assert taken > EVERY / 4   # many were calm to the end
