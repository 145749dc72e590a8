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
from sipaudit.sip.datagram import Connection, ConnectionKind, Datagram, Gap, TransportError
from tests.capture.tcpstory import ACK, FIN, RST, SYN, Tap, answer, connected, message, read, sides
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
        (first, second) = read(phone.sends(whole[90:]))
        assert (first.frame, first.frames, first.time) == (7, (4, 6, 7), tap.time)
        assert (second.frame, second.frames) == (7, ())

    def test_the_message_belongs_to_the_packet_that_completed_it(self) -> None:
        """Here the middle segment, which came last."""
        tap = Tap()
        phone, _ = connected(tap)
        whole = message(1)
        phone.sends(whole[:20])
        phone.next += 20
        phone.sends(whole[40:])
        (got,) = read(phone.again(len(whole) - 20, whole[20:40]))
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
        assert read(phone.again(len(message(1)), message(1) + message(2)))[0].payload == message(2)

    def test_where_segments_overlap_the_first_bytes_win(self) -> None:
        tap = Tap()
        phone, _ = connected(tap)
        whole = message(1, b"abcdefgh")
        phone.sends(whole[:-4])
        (got,) = read(phone.again(4, b"ABCD" + whole[-4:]))
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
        """A rotating capture may cut anywhere."""
        tap = Tap()
        phone, _ = connected(tap)
        whole = message(1)
        phone.sends(whole[:20])
        tap.capture, tap.frame = 1, 0
        phone.sends(whole[20:40])
        (got,) = read(phone.sends(whole[40:]))
        assert (got.capture, got.frame, got.frames) == (1, 2, (1, 2))

    def test_data_on_a_syn(self) -> None:
        """TCP Fast Open (RFC 7413)."""
        tap = Tap()
        phone, _ = sides(tap)
        whole = message(1)
        tap.see(phone.way, phone.next, 0, SYN, whole[:30])
        phone.next += 31
        (got,) = read(phone.sends(whole[30:]))
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
        # the rest of a broken body may look like a start line, where framing would resume
        assume(all(b"INVITE sip:" not in one for one in messages if one not in whole))
        assert [got for got in tap.messages() if got in messages] == whole
        assert tap.messages()[-1] == message(99)

    @given(st.lists(st.tuples(st.integers(0, 2**32 - 1), st.integers(0, 255), st.binary(max_size=40), st.booleans())))
    @settings(deadline=None)
    def test_any_segments_at_all(self, segments: list[tuple[int, int, bytes, bool]]) -> None:
        """Nothing raises, and nothing is stored beyond the limits."""
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
        """The bytes were lost before the tap: the phone will retransmit them, seconds later."""
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
        """On an unknown port, too, SIP is recognised by its first line."""
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
        (got,) = read(phone.sends(message(1, b"x" * 5000)[3000:]))
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
