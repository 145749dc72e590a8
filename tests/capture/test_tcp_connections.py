"""How TCP connections for SIP begin, fail, close and are reset, and which of that is reported."""

from __future__ import annotations

import pytest

from sipaudit.sip.datagram import Connection, ConnectionKind, Datagram, ErrorKind, TransportError
from tests.capture.tcpstory import ACK, FIN, OTHER_SERVER, PSH, RST, SYN, Side, Tap, answer, connected, message, sides


class TestConnections:
    def test_each_syn_without_an_answer_and_each_fin_are_told(self) -> None:
        tap = Tap()
        phone, server = sides(tap)
        phone.sends(flags=SYN)
        phone.next -= 1
        phone.sends(flags=SYN)
        server.sends(flags=SYN | ACK)
        phone.sends(flags=ACK)
        phone.sends(message(1), FIN | PSH | ACK)
        server.sends(flags=FIN | ACK)
        tap.see(server.way, server.next - 1, phone.next, FIN | ACK)
        phone.sends(flags=ACK)
        phone.sends(flags=RST)
        tap.wait(100)
        assert tap.health[0].tcp_gaps == 0
        assert len(tap.streams) == 0
        told = [(item.kind, item.flow, item.frame) for item in tap.of(Connection)]
        assert told == [
            (ConnectionKind.SYN, phone.way, 1), (ConnectionKind.SYN, phone.way, 2),
            (ConnectionKind.CLOSED, phone.way, 5), (ConnectionKind.CLOSED, server.way, 6),
        ]
        assert tap.messages() == [message(1)]
        assert tap.of(TransportError) == []

    @pytest.mark.parametrize("flags", [FIN | ACK, RST])
    @pytest.mark.parametrize("who", ["phone", "server"])
    def test_a_connection_at_rest_that_is_dropped(self, flags: int, who: str) -> None:
        """The side that opened it may close it; any other end may be a failure."""
        tap = Tap()
        phone, server = connected(tap)
        phone.sends(message(1))
        server.sends(answer(1))
        phone.sends(flags=ACK)
        side = phone if who == "phone" else server
        (ended,) = side.sends(flags=flags)
        assert isinstance(ended, Connection)
        closes = who == "phone" and flags & FIN
        assert (ended.kind, ended.flow) == (
            ConnectionKind.CLOSED if closes else ConnectionKind.DROPPED, side.way)

    @pytest.mark.parametrize(("what", "pauses", "hears", "told"), [
        ("ping", (0.2, 0.4, 0.8, 1.6, 3.2), False, 1), ("probe", (1, 1, 1, 1), False, 1), ("fin", (1, 2, 4), False, 2),
        ("ping", (0.2, 0.4), False, 0),                  # a packet was lost on the way
        ("ping", (0.2, 0.4, 0.8, 1.6, 3.2), True, 0), ("probe", (30, 30, 30), True, 0),
    ])
    def test_what_is_sent_again_in_vain_for_seconds_ends_a_connection(
        self, what: str, pauses: tuple[float, ...], hears: bool, told: int
    ) -> None:
        """A server that died while the connection was at rest acknowledges nothing; no RST is needed to tell."""
        tap = Tap()
        phone, server = connected(tap)
        phone.sends(message(1))
        server.sends(answer(1))
        phone.sends(flags=ACK)
        size = {"ping": 4, "probe": 0, "fin": 0}[what]
        if what == "ping":
            phone.sends(b"\r\n\r\n")
        if what == "fin":
            phone.sends(flags=FIN | ACK)
        for pause in pauses:
            tap.wait(pause)
            if what == "fin":
                tap.see(phone.way, phone.next - 1, server.next, FIN | ACK)
            else:
                tap.see(phone.way, phone.next - (size or 1), server.next, ACK, b"\r\n\r\n"[:size])
            if hears:
                server.sends(flags=ACK)
        ended = [item.flow for item in tap.of(Connection) if item.kind is not ConnectionKind.SYN]
        assert ended == told * [phone.way]

    def test_a_refused_syn(self) -> None:
        tap = Tap()
        phone, server = sides(tap)
        phone.sends(flags=SYN)
        (refused,) = server.sends(flags=RST | ACK)
        assert refused == TransportError(tap.time, 0, 2, ErrorKind.REFUSED, phone.way, tap.time - 0.001)
        assert server.sends(flags=RST | ACK) == []
        assert tap.wait(60) == []

    def test_a_reset_that_answers_another_syn_refuses_nothing(self) -> None:
        tap = Tap()
        phone, server = sides(tap)
        phone.sends(flags=SYN)
        assert tap.see(server.way, 0, phone.next + 5000, RST | ACK) == []

    def test_a_syn_without_an_answer_failed_when_its_repetitions_end(self) -> None:
        tap = Tap()
        phone, _ = sides(tap)
        start = tap.time + 0.001
        for pause in (1, 2, 4):
            phone.sends(flags=SYN)
            phone.next -= 1
            assert tap.wait(pause) == []
        (failed,) = tap.wait(10)
        assert isinstance(failed, TransportError)
        assert (failed.kind, failed.flow, failed.frame) == (ErrorKind.UNANSWERED, phone.way, 3)
        assert failed.sent == pytest.approx(start)
        assert start + 7 < failed.time < start + 10

    def test_a_syn_that_is_answered_late_did_not_fail(self) -> None:
        tap = Tap()
        phone, server = sides(tap)
        phone.sends(flags=SYN)
        phone.next -= 1
        tap.wait(3)
        phone.sends(flags=SYN)
        tap.wait(1)
        server.sends(flags=SYN | ACK)
        tap.wait(40)
        assert tap.of(TransportError) == []

    @pytest.mark.parametrize("flags", [FIN, FIN | ACK])
    @pytest.mark.parametrize("repeats", [0, 2])
    def test_a_fin_after_a_syn_that_was_repeated_gives_it_up(self, flags: int, repeats: int) -> None:
        """If the SYN was sent only once, the tap may have missed its answer."""
        tap = Tap()
        phone, server = sides(tap)
        start = tap.time + 0.001
        phone.sends(flags=SYN)
        for pause in (1, 2)[:repeats]:
            tap.wait(pause)
            phone.next -= 1
            phone.sends(flags=SYN)
        tap.wait(1)
        server.next += 1
        phone.sends(flags=flags)
        tap.wait(40)
        assert [(item.kind, item.flow, item.sent) for item in tap.of(TransportError)] == (
            [(ErrorKind.UNANSWERED, phone.way, pytest.approx(start, abs=1e-4))] if repeats or not flags & ACK else [])

    def test_an_answer_that_the_tap_missed_shows_in_what_the_phone_does_next(self) -> None:
        tap = Tap()
        phone, server = sides(tap)
        phone.sends(flags=SYN)
        server.next += 1
        phone.sends(flags=ACK)
        assert tap.wait(40) == []

    def test_a_phone_that_turns_elsewhere_has_given_up(self) -> None:
        tap = Tap()
        phone, _ = sides(tap)
        elsewhere, _ = sides(tap, server=OTHER_SERVER, client_port=49153)
        phone.sends(flags=SYN)
        tap.wait(2)
        failed, syn = elsewhere.sends(flags=SYN)
        assert isinstance(failed, TransportError)
        assert (failed.kind, failed.flow) == (ErrorKind.UNANSWERED, phone.way)
        assert isinstance(syn, Connection)
        assert [item for item in tap.wait(40) if getattr(item, "flow", None) == phone.way] == []

    def test_a_phone_that_opens_two_connections_at_once_has_not(self) -> None:
        tap = Tap()
        phone, server = sides(tap)
        elsewhere, _ = sides(tap, server=OTHER_SERVER, client_port=49153)
        phone.sends(flags=SYN)
        assert [type(item) for item in elsewhere.sends(flags=SYN)] == [Connection]
        server.sends(flags=SYN | ACK)
        assert tap.of(TransportError) == []

    def test_a_message_by_a_standing_connection_shows_it_too(self) -> None:
        tap = Tap()
        standing, _ = connected(tap, server=OTHER_SERVER, client_port=49153)
        phone, _ = sides(tap)
        phone.sends(flags=SYN)
        tap.wait(2)
        failed, got = standing.sends(message(1))
        assert isinstance(failed, TransportError)
        assert isinstance(got, Datagram)
        assert [type(item) for item in standing.sends(message(2))] == [Datagram]

    def test_the_same_ports_used_again(self) -> None:
        """A phone that restarts uses new sequence numbers, and the old stream is over."""
        tap = Tap()
        phone, _ = connected(tap)
        phone.sends(message(1)[:40])
        again, server = sides(tap, isn=90_000)
        again.sends(flags=SYN)
        server.sends(flags=SYN | ACK)
        again.sends(message(2))
        server.sends(answer(2))
        assert tap.messages() == [message(2), answer(2)]
        assert [item.kind for item in tap.of(Connection)] == [ConnectionKind.SYN] * 2

    def test_a_second_syn_with_another_number_ends_the_wait_for_the_first(self) -> None:
        tap = Tap()
        phone, _ = sides(tap)
        phone.sends(flags=SYN)
        tap.wait(0.5)
        again, _ = sides(tap, isn=90_000)
        assert [type(item) for item in again.sends(flags=SYN)] == [TransportError, Connection]

    def test_the_same_ports_used_again_with_the_syn_unseen(self) -> None:
        tap = Tap()
        phone, _ = connected(tap, isn=2**30)
        phone.sends(message(1))
        again, _ = sides(tap, isn=5)
        again.sends(message(2))
        assert tap.messages() == [message(1), message(2)]


def reset_after(tap: Tap, phone: Side, server: Side, seconds: float) -> list[TransportError]:
    """The server resets the connection."""
    tap.wait(seconds)
    server.sends(flags=RST)
    return tap.of(TransportError)


class TestResets:
    def test_while_a_request_was_not_acknowledged(self) -> None:
        tap = Tap()
        phone, server = connected(tap)
        server.sends(flags=ACK)
        phone.sends(message(1))
        sent = tap.time
        (error,) = reset_after(tap, phone, server, 1)
        assert error == TransportError(tap.time, 0, 6, ErrorKind.RESET, phone.way, sent)

    def test_while_a_request_was_not_answered(self) -> None:
        tap = Tap()
        phone, server = connected(tap)
        phone.sends(message(1))
        server.sends(flags=ACK)
        assert [error.kind for error in reset_after(tap, phone, server, 5)] == [ErrorKind.RESET]

    def test_when_all_was_answered_it_is_no_failure(self) -> None:
        tap = Tap()
        phone, server = connected(tap)
        phone.sends(message(1))
        server.sends(answer(1))
        phone.sends(flags=ACK)
        assert reset_after(tap, phone, server, 1) == []

    def test_when_the_last_was_an_answer_of_the_phone_it_is_no_failure(self) -> None:
        tap = Tap()
        phone, server = connected(tap)
        server.sends(message(1))
        phone.sends(answer(1))
        server.sends(flags=ACK)
        assert reset_after(tap, phone, server, 1) == []

    def test_long_after_the_last_request_it_is_no_failure(self) -> None:
        tap = Tap()
        phone, server = connected(tap)
        phone.sends(message(1))
        server.sends(flags=ACK)
        assert reset_after(tap, phone, server, 60) == []

    def test_after_the_phone_closed_it_is_no_failure(self) -> None:
        tap = Tap()
        phone, server = connected(tap)
        phone.sends(message(1))
        phone.sends(flags=FIN | ACK)
        assert reset_after(tap, phone, server, 0.01) == []

    def test_a_request_into_a_connection_that_the_server_closed(self) -> None:
        tap = Tap()
        phone, server = connected(tap)
        server.sends(flags=FIN | ACK)
        phone.sends(message(1))
        assert [error.kind for error in reset_after(tap, phone, server, 0.01)] == [ErrorKind.RESET]

    def test_a_forged_reset_is_passed_over(self) -> None:
        tap = Tap()
        phone, server = connected(tap)
        phone.sends(message(1))
        assert tap.see(server.way, server.next + 2**30, 0, RST) == []
