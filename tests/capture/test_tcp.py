"""TCP reassembly made for SIP, told as conversations between a phone and a server."""

from __future__ import annotations

import random
from itertools import pairwise

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from sipaudit.capture.captures import Captures
from sipaudit.capture.files import resolve
from sipaudit.capture.segments import WAITING_LIMIT
from sipaudit.capture.tcp_connections import FRAMES_KEPT
from sipaudit.sip.datagram import Connection, ConnectionKind, Datagram, ErrorKind, Gap, TransportError
from tests.capture.tcpstory import ACK, FIN, OTHER_SERVER, PSH, RST, SYN, Side, Tap, answer, connected, message, sides
from tests.shared import CAPTURES, needs_captures


class TestMessages:
    def test_a_request_and_its_answer(self) -> None:
        tap = Tap()
        phone, server = connected(tap)
        (request,) = phone.sends(message(1))
        (response,) = server.sends(answer(1))
        assert request == Datagram(tap.time - 0.001, 0, 4, phone.way, message(1))
        assert response == Datagram(tap.time, 0, 5, server.way, answer(1))

    def test_a_message_of_several_segments_names_all_its_frames(self) -> None:
        tap = Tap()
        phone, server = connected(tap)
        whole = message(1, b"x" * 100) + message(2)
        assert phone.sends(whole[:50]) == []
        server.sends(flags=ACK)
        phone.sends(whole[50:90])
        (first, second) = phone.sends(whole[90:])
        assert (first.frame, first.frames, first.time) == (7, (4, 6, 7), tap.time)
        assert (second.frame, second.frames) == (7, ())

    def test_the_message_belongs_to_the_packet_that_completed_it(self) -> None:
        """Here the middle one, which came last."""
        tap = Tap()
        phone, _ = connected(tap)
        whole = message(1)
        phone.sends(whole[:20])
        phone.next += 20
        phone.sends(whole[40:])
        (got,) = phone.again(len(whole) - 20, whole[20:40])
        assert (got.payload, got.frame, got.frames, got.time) == (whole, 6, (4, 5, 6), tap.time)

    def test_keepalives_between_messages_are_silent(self) -> None:
        tap = Tap()
        phone, server = connected(tap)
        for part in (b"\r\n\r\n", message(1), b"\r\n", b"\r\n", message(2)):
            phone.sends(part)
            server.sends(b"\r\n")
        assert tap.messages() == [message(1), message(2)]
        assert not tap.health[0].undecoded

    def test_a_keepalive_probe_repeats_one_old_byte(self) -> None:
        tap = Tap()
        phone, server = connected(tap)
        phone.sends(message(1))
        phone.again(1, b"\0")
        phone.again(1, b"")
        server.sends(flags=ACK)
        phone.sends(message(2))
        assert tap.messages() == [message(1), message(2)]
        assert tap.health[0].tcp_gaps == 0

    def test_a_retransmission_is_no_second_message(self) -> None:
        tap = Tap()
        phone, _ = connected(tap)
        phone.sends(message(1))
        assert phone.again(len(message(1)), message(1)) == []
        assert phone.again(len(message(1)), message(1) + message(2))[0].payload == message(2)

    def test_where_segments_overlap_the_first_bytes_win(self) -> None:
        tap = Tap()
        phone, _ = connected(tap)
        whole = message(1, b"abcdefgh")
        phone.sends(whole[:-4])
        (got,) = phone.again(4, b"ABCD" + whole[-4:])
        assert got.payload == whole

    def test_where_waiting_segments_overlap_the_first_bytes_win(self) -> None:
        tap = Tap()
        phone, _ = connected(tap)
        whole = message(1, b"0123456789abcdefghij")
        base, size = phone.next, len(whole)
        for begin, piece in [(size - 10, b"abcde"), (size - 15, b"56789ABCDEFGHIJ"), (size - 20, b"01234"), (0, whole)]:
            tap.see(phone.way, base + begin, phone.peer.next, ACK, piece)
        assert tap.messages() == [whole[:-5] + b"FGHIJ"]

    def test_sequence_numbers_wrap(self) -> None:
        for isn in range(2**32 - 300, 2**32 + 2, 7):
            tap = Tap()
            phone, _ = connected(tap, isn=isn)
            for number in range(3):
                whole = message(number)
                phone.sends(whole[:60])
                phone.again(10, whole[50:])
                phone.next += len(whole) - 60
            assert tap.messages() == [message(0), message(1), message(2)]

    def test_a_stream_joined_in_the_middle_is_taken_up_at_the_next_start_line(self) -> None:
        tap = Tap()
        phone, server = sides(tap)
        phone.sends(message(1, b"v=0\r\n" * 20)[-50:])
        server.sends(answer(1))
        phone.sends(message(2))
        assert tap.messages() == [answer(1), message(2)]
        assert tap.of(Gap) == []

    def test_on_an_unknown_port_a_start_line_is_enough(self) -> None:
        tap = Tap()
        phone, server = sides(tap, port=15060)
        assert phone.sends(message(1, b"v=0\r\n" * 20)[-50:]) == []
        server.sends(answer(1))
        phone.sends(message(2))
        assert tap.messages() == [answer(1), message(2)]
        assert 15060 in tap.streams.sip_ports

    def test_a_message_over_two_captures_names_the_frames_of_the_second(self) -> None:
        """A rotating capture cuts where it likes."""
        tap = Tap()
        phone, _ = connected(tap)
        whole = message(1)
        phone.sends(whole[:20])
        tap.capture, tap.frame = 1, 0
        phone.sends(whole[20:40])
        (got,) = phone.sends(whole[40:])
        assert (got.capture, got.frame, got.frames) == (1, 2, (1, 2))

    def test_data_on_a_syn(self) -> None:
        """RFC 7413."""
        tap = Tap()
        phone, _ = sides(tap)
        whole = message(1)
        tap.see(phone.way, phone.next, 0, SYN, whole[:30])
        phone.next += 31
        (got,) = phone.sends(whole[30:])
        assert got.payload == whole


Piece = tuple[int, int]


@st.composite
def disorders(draw: st.DrawFn) -> tuple[bytes, list[bytes], list[Piece]]:
    """A stream, its messages, and pieces that cover it: shuffled within a window, repeated, overlapping."""
    bodies = draw(st.lists(st.binary(max_size=80), min_size=1, max_size=5))
    messages = [message(number, body) for number, body in enumerate(bodies)]
    stream = b"".join(messages)
    cuts = sorted({0, len(stream), *draw(st.lists(st.integers(0, len(stream)), max_size=25))})
    pieces = [
        (max(begin - draw(st.sampled_from([0, 0, 0, 1, 15])), 0), end)
        for begin, end in pairwise(cuts)
    ]
    pieces += draw(st.lists(st.sampled_from(pieces), max_size=5))
    window = draw(st.integers(0, 6))
    order = {at: at + draw(st.integers(0, window)) for at in range(len(pieces))}
    return stream, messages, [pieces[at] for at in sorted(order, key=lambda at: order[at])]


class TestDisorder:
    @given(disorders(), st.sampled_from([0, 2**31 - 100, 2**32 - 150, 2**32 - 1]))
    @settings(max_examples=300, deadline=None)
    def test_cut_shuffled_repeated_and_overlapping_gives_the_same_messages(
        self, disorder: tuple[bytes, list[bytes], list[Piece]], isn: int
    ) -> None:
        stream, messages, pieces = disorder
        tap = Tap()
        phone, _ = connected(tap, isn=isn)
        base = phone.next
        for begin, end in pieces:
            tap.see(phone.way, base + begin, phone.peer.next, ACK, stream[begin:end])
        assert tap.messages() == messages
        assert all(item.frame == max(item.frames, default=item.frame) for item in tap.of(Datagram))
        assert tap.health[0].tcp_gaps == 0
        assert tap.streams.held == 0

    @given(disorders(), st.data())
    @settings(max_examples=200, deadline=None)
    def test_a_lost_piece_costs_only_the_messages_it_touches(
        self, disorder: tuple[bytes, list[bytes], list[Piece]], data: st.DataObject
    ) -> None:
        stream, messages, pieces = disorder
        lost = data.draw(st.sampled_from(pieces))
        tap = Tap()
        phone, server = connected(tap)
        base = phone.next
        kept = [piece for piece in pieces if piece[1] <= lost[0] or piece[0] >= lost[1]]
        for begin, end in kept:
            tap.see(phone.way, base + begin, server.next, ACK, stream[begin:end])
        phone.next += len(stream)
        server.sends(flags=ACK)
        phone.sends(message(99))
        tap.wait(1)
        covered = {at for begin, end in kept for at in range(begin, end)}
        at, whole = 0, []
        for one in messages:
            if covered.issuperset(range(at, at + len(one))):
                whole.append(one)
            at += len(one)
        # what is left of a broken body may pass for the start line that reading goes on at
        assume(all(b"INVITE sip:" not in one for one in messages if one not in whole))
        assert [got for got in tap.messages() if got in messages] == whole
        assert tap.messages()[-1] == message(99)

    @given(st.lists(st.tuples(st.integers(0, 2**32 - 1), st.integers(0, 255), st.binary(max_size=40), st.booleans())))
    @settings(deadline=None)
    def test_any_segments_at_all(self, segments: list[tuple[int, int, bytes, bool]]) -> None:
        """Nothing raises, and nothing is kept but what the limits allow."""
        tap = Tap()
        phone, server = sides(tap)
        for at, (seq, flags, payload, cut) in enumerate(segments):
            side = phone if at % 3 else server
            tap.see(side.way, seq if at % 2 else seq % 50, seq // 2, flags, payload, cut=cut)
            tap.wait(seq % 3)
        tap.finish()
        assert len(tap.streams) <= 1


class TestHoles:
    def test_a_lost_segment_becomes_a_gap_when_the_peer_has_it(self) -> None:
        tap = Tap()
        phone, server = connected(tap)
        phone.sends(message(1))
        phone.loses(message(2))
        assert phone.sends(message(3)) == []
        server.sends(flags=ACK)
        gap, got = tap.wait(0.5)
        assert isinstance(gap, Gap)
        assert (gap.missing, gap.frame, gap.flow) == (len(message(2)), 5, phone.way)
        assert isinstance(got, Datagram)
        assert (got.payload, got.frame) == (message(3), 5)
        assert tap.health[0].tcp_gaps == 1

    def test_a_bare_acknowledgement_shows_a_hole_as_well(self) -> None:
        """The phone's last message is lost; its next ACK has a higher sequence number."""
        tap = Tap()
        phone, server = connected(tap)
        phone.loses(message(1))
        server.sends(answer(1))
        phone.sends(flags=ACK)
        tap.wait(1)
        assert [gap.missing for gap in tap.of(Gap)] == [len(message(1))]
        assert [got.payload for got in phone.sends(message(2)) if isinstance(got, Datagram)] == [message(2)]

    def test_while_the_peer_misses_the_bytes_too_they_are_waited_for(self) -> None:
        """Lost before the tap: the phone will send them again, after seconds."""
        tap = Tap()
        phone, server = connected(tap)
        phone.loses(message(1))
        phone.sends(message(2))
        tap.see(server.way, server.next, phone.next - len(message(1) + message(2)), ACK)
        assert tap.wait(20) == []
        phone.again(len(message(1) + message(2)), message(1))
        assert tap.messages() == [message(1), message(2)]
        assert tap.health[0].tcp_gaps == 0

    def test_where_only_one_direction_is_captured_waiting_is_short(self) -> None:
        tap = Tap()
        phone, _ = sides(tap)
        phone.sends(message(1))
        phone.loses(message(2))
        phone.sends(message(3))
        tap.wait(2)
        assert tap.messages() == [message(1), message(3)]

    def test_a_hole_is_not_waited_for_without_bound(self) -> None:
        tap = Tap()
        phone, server = connected(tap)
        phone.loses(b"x")
        for number in range(WAITING_LIMIT + 5):
            tap.see(phone.way, phone.next, server.next, ACK, message(number))
            phone.next += len(message(number))
        assert tap.health[0].tcp_gaps == 1
        assert tap.messages() == [message(number) for number in range(WAITING_LIMIT + 5)]

    def test_acknowledgements_behind_a_hole_do_not_fill_the_waiting_room(self) -> None:
        tap = Tap()
        phone, server = connected(tap)
        phone.loses(message(1))
        for _ in range(WAITING_LIMIT * 2):
            tap.see(phone.way, phone.next, server.next, ACK)
        phone.again(len(message(1)), message(1))
        assert tap.messages() == [message(1)]

    def test_the_end_of_the_capture_gives_up_all_holes(self) -> None:
        tap = Tap()
        phone, _ = connected(tap)
        phone.loses(message(1))
        phone.sends(message(2))
        assert [type(item) for item in tap.finish()] == [Gap, Datagram]

    def test_a_cut_segment_hands_out_what_there_is_of_its_message(self) -> None:
        tap = Tap()
        phone, _ = connected(tap)
        whole = message(1, b"v=0\r\n" * 30)
        (got,) = phone.sends(whole[:200], cut=True)
        assert isinstance(got, Datagram)
        assert (got.payload, got.cut) == (whole[:200], True)
        phone.loses(whole[200:])
        gap, follower = phone.sends(message(2))
        assert isinstance(gap, Gap)
        assert gap.missing == len(whole) - 200
        assert isinstance(follower, Datagram)
        assert (follower.payload, follower.cut) == (message(2), False)
        assert tap.health[0].snaplen_cut == 1

    def test_a_segment_cut_to_its_header_is_a_gap(self) -> None:
        tap = Tap()
        phone, _ = connected(tap)
        phone.sends(b"", cut=True)
        phone.loses(message(1))
        assert [type(item) for item in phone.sends(message(2))] == [Gap, Datagram]


class TestConnections:
    def test_the_first_syn_and_each_fin_are_told(self) -> None:
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
            (ConnectionKind.SYN, phone.way, 1), (ConnectionKind.CLOSED, phone.way, 5),
            (ConnectionKind.CLOSED, server.way, 6),
        ]
        assert tap.messages() == [message(1)]
        assert tap.of(TransportError) == []

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
        assert [item for item in tap.wait(40) if item.flow == phone.way] == []

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
        assert tap.streams.moved_on("10.1.0.5", "10.0.0.9:5060", tap.time) == []

    def test_the_same_ports_used_again(self) -> None:
        """A phone that restarts: new numbers, and the old stream is over."""
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


class TestForeignConnections:
    @pytest.mark.parametrize("port", [80, 5060])
    def test_http_is_forgotten_and_silent(self, port: int) -> None:
        tap = Tap()
        client, host = connected(tap, port=port)
        before = len(tap.items)
        client.sends(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n")
        host.sends(b"HTTP/1.1 200 OK\r\n\r\n" + b"x" * 1000)
        client.sends(message(1)[12:])
        host.sends(flags=RST)
        assert tap.items[before:] == []
        assert tap.streams.held == 0
        assert len(tap.streams) == (0 if port == 80 else 1)
        assert tap.health[0].tcp_gaps == 0

    def test_other_ports_give_no_evidence(self) -> None:
        tap = Tap()
        client, host = sides(tap, port=22)
        client.sends(flags=SYN)
        host.sends(flags=RST | ACK)
        sides(tap, port=23)[0].sends(flags=SYN)
        client, host = connected(tap, port=25)
        host.sends(b"220 mail.example.com\r\n")
        host.sends(flags=FIN | ACK)
        tap.wait(60)
        assert tap.items == []

    def test_a_port_where_sip_was_found_gives_evidence(self) -> None:
        tap = Tap()
        phone, _ = connected(tap, port=15060)
        phone.sends(message(1))
        again, server = sides(tap, port=15060, client_port=50000)
        again.sends(flags=SYN)
        server.sends(flags=RST | ACK)
        assert [type(item) for item in tap.items] == [Datagram, Connection, TransportError]

    def test_the_first_segments_may_come_in_any_order_and_size(self) -> None:
        """On an unknown port, too, SIP is known by its first line."""
        tap = Tap()
        phone, _ = connected(tap, port=15060)
        whole = message(1)
        for at in reversed(range(len(whole))):
            tap.see(phone.way, phone.next + at, phone.peer.next, ACK, whole[at:at + 1])
        assert tap.messages() == [whole]

    def test_sip_behind_http_on_one_connection(self) -> None:
        for port in (80, 5060):
            tap = Tap()
            client, _ = connected(tap, port=port)
            client.sends(b"GET / HTTP/1.1\r\n\r\n")
            client.sends(message(1))
            assert tap.messages() == [message(1)]


class TestBounds:
    def test_many_connections(self) -> None:
        tap = Tap({"max_streams": 50})
        for port in range(1000, 2000):
            phone, _ = connected(tap, client_port=port)
            phone.sends(message(1)[:50])
            assert len(tap.streams) <= 50
        assert tap.health[0].undecoded["tcp-evicted"] == 950
        assert tap.streams.held < 50 * 1000

    def test_many_unfinished_messages(self) -> None:
        tap = Tap({"max_bytes": 100_000})
        for port in range(1000, 1200):
            phone, _ = connected(tap, client_port=port)
            phone.sends(message(1, b"x" * 5000)[:3000])
            assert tap.streams.held <= 100_000
        assert tap.health[0].undecoded["tcp-evicted"] > 150
        (got,) = phone.sends(message(1, b"x" * 5000)[3000:])
        assert got.payload == message(1, b"x" * 5000)
        assert len(got.frames) == 2

    def test_an_evicted_stream_goes_on_with_its_next_message(self) -> None:
        tap = Tap({"max_bytes": 5_000})
        phone, _ = connected(tap)
        phone.sends(message(1, b"x" * 3000)[:2500])
        other, _ = connected(tap, client_port=50_000)
        other.sends(message(2, b"y" * 4000)[:3000])
        assert [type(item) for item in tap.items[-1:]] == [Gap]
        phone.sends(message(1, b"x" * 3000)[2500:] + message(3))
        assert tap.messages() == [message(3)]

    def test_tiny_segments(self) -> None:
        tap = Tap()
        phone, _ = connected(tap)
        whole = message(1, b"x" * 3000)
        for at in range(len(whole)):
            phone.sends(whole[at:at + 1])
            assert tap.streams.held < len(whole) + 130 * FRAMES_KEPT
        (got,) = tap.of(Datagram)
        assert got.payload == whole
        assert len(got.frames) == FRAMES_KEPT + 1
        assert got.frames[-1] == got.frame == tap.frame

    def test_tiny_segments_behind_a_hole(self) -> None:
        tap = Tap()
        phone, server = connected(tap)
        shuffled = random.Random(1).sample(range(2, 40_000), 20_000)
        for at in shuffled:
            tap.see(phone.way, phone.next + at, server.next, ACK, b"x")
            assert tap.streams.held <= 300_000

    def test_endless_data_without_a_line_end(self) -> None:
        tap = Tap()
        phone, _ = connected(tap)
        for _ in range(2000):
            phone.sends(b"x" * 1400)
            assert tap.streams.held < 80_000

    def test_deadlines_of_forgotten_connections_do_not_pile_up(self) -> None:
        tap = Tap({"max_streams": 100})
        for isn in range(6_000):
            sides(tap, client_port=1024 + isn % 50_000, isn=isn)[0].sends(flags=SYN)
        assert len(tap.streams._table._deadlines) < 3000
        assert len(tap.streams._table.opening.get("10.1.0.5", ())) <= 100

    def test_idle_connections_are_forgotten(self) -> None:
        tap = Tap()
        phone, _ = connected(tap)
        phone.sends(message(1))
        assert len(tap.streams) == 1
        tap.wait(3600)
        assert len(tap.streams) == 0
        phone.sends(message(2))
        assert tap.messages() == [message(1), message(2)]

    def test_a_clock_that_steps_back(self) -> None:
        tap = Tap()
        phone, server = connected(tap)
        tap.time -= 3600
        phone.sends(message(1))
        server.sends(answer(1))
        tap.wait(100)
        assert tap.messages() == [message(1), answer(1)]
        assert tap.of(TransportError) == []


@needs_captures
@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("OISF+suricata-verify/sip-tcp.pcap", [(6, (4, 6), b"REGISTER"), (8, (), b"SIP/2.0 200")]),
        (
            "OISF+suricata-verify/sip-body-large.pcap",
            [(9, (5, 6, 7, 8, 9), b"INVITE"), (11, (), b"SIP/2.0 100")],
        ),
        (
            "OISF+suricata-verify/tests__sip-tcp-pattern-matching__sip.pcap",
            [(4, (), b"REGISTER"), (6, (), b"SIP/2.0 401")],
        ),
        (
            "irontec+sngrep/ipip.pcap",
            [(1, (), b"INVITE"), (2, (), b"SIP/2.0 183"), (3, (), b"SIP/2.0 200"), (4, (), b"BYE")],
        ),
    ],
)
def test_captures_give_the_frames_that_wireshark_shows(
    name: str, expected: list[tuple[int, tuple[int, ...], bytes]]
) -> None:
    captures = Captures(resolve([str(CAPTURES / name)]).files, engine="libpcap")
    got = [item for item in captures if isinstance(item, Datagram)]
    assert [(item.frame, item.frames) for item in got] == [(frame, frames) for frame, frames, _ in expected]
    assert all(item.payload.startswith(start) for item, (_, _, start) in zip(got, expected, strict=True))
    assert captures.health[0].tcp_gaps == 0


@needs_captures
def test_a_tls_capture_without_its_beginning_is_counted_as_encrypted() -> None:
    captures = Captures(resolve([str(CAPTURES / "irontec+sngrep/tlssaved@3386e4ea.pcap")]).files, engine="libpcap")
    kinds = [item.kind for item in captures if isinstance(item, Connection)]
    assert kinds == [ConnectionKind.ENCRYPTED] * 2
    assert captures.health[0].encrypted["tls"] >= 12
