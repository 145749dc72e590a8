"""HEP agents ship to us: what we receive is what they captured, whatever else arrives with it."""

from __future__ import annotations

import select
import socket
import ssl
import subprocess
import time
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sipaudit.capture.health import CaptureHealth
from sipaudit.errors import InputError
from sipaudit.live.hep import connections, datagrams
from sipaudit.live.hep.connections import ConnectionSource
from sipaudit.live.hep.datagrams import DatagramSource
from sipaudit.live.hep.framing import Packets
from sipaudit.live.hep.intake import WAIT, Intake
from sipaudit.live.hep.listen import hep_source
from sipaudit.sip.datagram import Datagram
from tests.capture.packets import PHONE, PHONE6, REGISTER, SERVER, SERVER6, hep3
from tests.capture.sessions import certificate
from tests.live.agents import connect, heard, no_descriptors_left, quiet, ship
from tests.shared import needs_openssl

NOW = 1_795_000_000.0
DAY = 86_400.0
HOST, OTHER = "192.0.2.10", "192.0.2.11"


def numbered(number: int) -> bytes:
    return REGISTER.replace(b"CSeq: 1 ", b"CSeq: %d " % number)


def shipped(number: int = 1, time: float | None = NOW, **options: Any) -> bytes:
    return hep3(numbered(number), time=time, **options)


class Post:
    """An intake that the test feeds."""

    def __init__(self, key: bytes | None = None) -> None:
        self.health = CaptureHealth("hep:9060")
        self.intake = Intake(3, self.health, key)

    def bring(self, packet: bytes, now: float = NOW, host: str = HOST) -> list[Datagram]:
        self.intake.take(packet, host, now)
        return self.ready(now)

    def ready(self, now: float) -> list[Datagram]:
        self.intake.pass_time(now)
        items, self.intake.items = self.intake.items, []
        return [item for item in items if isinstance(item, Datagram)]


def udp_source(**options: Any) -> DatagramSource:
    source = hep_source("udp://127.0.0.1:0", 3, **options)
    assert isinstance(source, DatagramSource)
    return source


def tcp_source(**options: Any) -> ConnectionSource:
    source = hep_source(f"{options.pop('scheme', 'tcp')}://127.0.0.1:0", 3, **options)
    assert isinstance(source, ConnectionSource)
    return source


# -- over UDP


def test_a_datagram_gives_the_agents_message_flow_and_time() -> None:
    source, moment = udp_source(), time.time() - 1.5
    ship(source.port, hep3(REGISTER, time=moment), hep3(REGISTER, source=PHONE6, destination=SERVER6, compressed=True,
                                                       protocol=6, time=moment))
    first, second = heard(source, 2)
    assert (first.payload, second.payload) == (REGISTER, REGISTER)
    assert (first.flow.source, first.flow.destination) == (f"{PHONE}:5060", f"{SERVER}:5060")
    assert first.flow.transport == "udp"
    assert (second.flow.source, second.flow.transport) == (f"[{PHONE6}]:5060", "tcp")
    assert first.time == pytest.approx(moment, abs=1e-6)
    assert (first.capture, first.frame, second.frame, source.place(1)) == (3, 1, 2, (source.health.path, None))
    assert (source.health.path, source.health.packets) == (f"hep:{source.port}", 2)
    assert source.health.first == first.time
    source.close()


def test_numbers_go_on_after_a_restart() -> None:
    source = udp_source()
    source.go_on(41)
    ship(source.port, shipped(1, time.time()))
    assert [item.frame for item in heard(source, 1)] == [42]
    assert (source.position(), source.health.packets) == (42, 1)
    source.close()


def test_what_is_no_hep_is_counted_and_dropped() -> None:
    post = Post()
    unknown = b"HEP3\xff\xff" + b"\0" * 50, b"\x01\x10\x02\x11" + b"x" * 40, REGISTER
    for junk in (b"", b"\0", b"HEP3", b"HEP3\0\0", *unknown):
        assert post.bring(junk) == []
    assert post.health.undecoded == {"hep": 7}
    assert post.bring(shipped(protocol=47)) == post.bring(shipped(kind=5)) == post.bring(hep3(b"\r\n\r\n")) == []
    assert (post.health.undecoded["hep-proto-47"], post.health.content) == (1, {"hep-type-5": 1, "keepalive": 1})
    assert post.health.packets == 10


@given(st.one_of(st.binary(max_size=200), st.binary(max_size=200).map(lambda junk: b"HEP3\0\xa0" + junk),
                 st.tuples(st.integers(0, len(hep3()) - 1), st.binary(min_size=1, max_size=8)).map(
                     lambda change: hep3()[: change[0]] + change[1] + hep3()[change[0] + len(change[1]) :])))
def test_any_bytes_give_a_message_or_are_counted(packet: bytes) -> None:
    post = Post()
    got = post.bring(packet) + post.ready(NOW + WAIT)
    health = post.health
    assert len(got) + health.undecoded.total() + health.content.total() - health.content["hep-clock"] == 1
    assert all(-DAY <= item.time - NOW <= 5 or item.time == pytest.approx(1_700_000_000, abs=5e9) for item in got)


def test_packets_for_which_the_socket_has_no_room_are_counted(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(datagrams, "RECEIVE_BUFFER", 1 << 14)
    source = udp_source()
    if datagrams._drops(source._socket) is None:
        pytest.skip("this kernel does not tell of drops")
    assert source.read() == []
    assert source.health.kernel_drops == 0
    sent = [shipped(number, time.time()) for number in range(200)]
    ship(source.port, *sent)
    got = quiet(source)
    assert 0 < len(got) < len(sent)
    assert source.health.kernel_drops == len(sent) - len(got)
    source.close()


def test_one_reading_takes_some_thousand_packets_at_most() -> None:
    source = udp_source()
    ship(source.port, *(shipped(number, time.time()) for number in range(datagrams.PACKETS_AT_ONCE + 300)))
    select.select(source.descriptors(), [], [], 1.0)
    assert len(source.read()) <= datagrams.PACKETS_AT_ONCE
    source.close()


# -- authentication of agents


@pytest.mark.parametrize("key", [b"", b"wrong", b"secret ", b"secre"])
def test_a_packet_without_the_right_key_is_counted_and_dropped(key: bytes) -> None:
    post = Post(b"secret")
    assert post.bring(shipped(key=key)) == []
    assert post.bring(b"\x01\x10\x02\x11\x13\xc4\x13\xc4" + bytes(8) + REGISTER) == []  # HEP version 1 has no key
    assert post.health.undecoded == {"hep-key": 2}
    assert len(post.bring(shipped(key=b"secret"))) == 1


def test_a_key_that_nobody_asked_for_does_no_harm() -> None:
    assert len(Post().bring(shipped(key=b"secret"))) == 1


# -- the agents' clocks


def test_a_late_message_keeps_the_time_at_which_it_passed() -> None:
    post = Post()
    assert post.bring(shipped(1))[0].time == NOW
    assert post.bring(shipped(2, NOW + 1), NOW + 300)[0].time == NOW + 1
    assert post.health.content == {"hep-late": 1}


def test_a_message_without_a_time_has_ours() -> None:
    assert Post().bring(shipped(time=None), NOW + 0.25)[0].time == NOW + 0.25


@pytest.mark.parametrize("wrong", [0.0, NOW - 400 * DAY, NOW + 3600.0, NOW + 5000 * DAY])
def test_a_wild_clock_is_moved_to_ours_and_keeps_its_own_steps(wrong: float) -> None:
    post = Post()
    post.bring(shipped(1))
    times = [post.bring(shipped(2 + step, wrong + step), NOW + step + 0.1, OTHER)[0].time for step in range(3)]
    assert times == pytest.approx([NOW + 0.1, NOW + 1.1, NOW + 2.1])
    assert post.bring(shipped(9, NOW + 3), NOW + 3)[0].time == NOW + 3
    assert post.health.content == {"hep-clock": 3}
    assert post.health.clock_steps == []


def test_a_wild_clock_that_is_set_is_believed_from_then_on() -> None:
    post = Post()
    post.bring(shipped(1))
    post.bring(shipped(2, 0.0), NOW, OTHER)
    assert post.bring(shipped(3, NOW + 1), NOW + 1, OTHER)[0].time == NOW + 1
    post.bring(shipped(4, NOW + 7200), NOW + 2, OTHER)
    post.bring(shipped(5, NOW + 3), NOW + 3, OTHER)
    assert post.bring(shipped(6, NOW + 4), NOW + 604, OTHER)[0].time == NOW + 4


def test_a_clock_that_stays_behind_is_moved_to_ours_and_a_queue_that_empties_is_not() -> None:
    post = Post()
    post.bring(shipped(0))
    behind = [post.bring(shipped(1 + step, NOW + step - 600), NOW + step, OTHER)[0].time - NOW for step in range(40)]
    assert behind == pytest.approx([*(step - 600 for step in range(30)), *(step + 0.0 for step in range(30, 40))])
    ((_, stepped, seconds),) = post.health.clock_steps
    assert stepped == NOW + 30
    assert seconds == pytest.approx(600)
    emptying = [post.bring(shipped(100 + step, NOW - 900 + 10 * step), NOW + step)[0].time for step in range(90)]
    assert emptying == [NOW - 900 + 10 * step for step in range(90)]
    assert post.bring(shipped(999, NOW + 50), NOW + 50, OTHER)[0].time == NOW + 50  # its clock was set right


def test_no_clock_leads_the_others_away_even_if_it_speaks_first() -> None:
    post = Post()
    assert post.bring(shipped(1, NOW + 9 * DAY), NOW, OTHER) == []  # held back
    assert [item.time for item in post.bring(shipped(2, NOW + 1), NOW + 1)] == [NOW, NOW + 1]


def test_a_clock_that_jumps_about_stays_at_our_time() -> None:
    post = Post()
    post.bring(shipped(1))
    for number, told in enumerate((5e8, 4e9, 0, NOW + 6 * DAY, 1e9), 2):
        assert abs(post.bring(shipped(number, told), NOW + number, OTHER)[0].time - NOW - number) <= DAY
    assert len(post.health.clock_steps) <= 4


def test_an_old_capture_that_is_replayed_has_its_own_times() -> None:
    post, old = Post(), NOW - 300 * DAY
    for number in range(5):
        assert post.bring(shipped(number, old + 900 * number), NOW + number / 1000) == []
    assert [item.time for item in post.ready(NOW + WAIT)] == [old + 900 * number for number in range(5)]
    assert post.bring(shipped(9, old + 9000), NOW + 3)[0].time == old + 9000
    assert post.health.content == {}


def test_one_wild_time_does_not_lead_a_replay_away_but_a_lasting_leap_does() -> None:
    post, old = Post(), NOW - 300 * DAY
    post.bring(shipped(1, old))
    post.ready(NOW + WAIT)
    assert post.bring(shipped(2, 4e9), NOW + 3)[0].time == old
    assert post.bring(shipped(3, old + 5), NOW + 3)[0].time == old + 5
    times = [post.bring(shipped(10 + step, old + 9 * DAY + step), NOW + 4)[0].time for step in range(30)]
    assert times == [old + 5] * 19 + [old + 9 * DAY + step for step in range(19, 30)]
    assert len(post.health.clock_steps) == 1


def test_held_messages_are_let_go_without_another_packet() -> None:
    source = udp_source()
    ship(source.port, shipped(1, NOW - 900 * DAY), shipped(2, NOW - 900 * DAY + 1))
    assert [item.time for item in heard(source, 2)] == [NOW - 900 * DAY, NOW - 900 * DAY + 1]
    assert source.descriptors() != ()
    source.close()


def test_no_more_than_some_messages_are_held() -> None:
    post = Post()
    assert sum(len(post.bring(shipped(number, 1e9))) for number in range(10_000)) == 10_000
    assert not post.intake.waits


# -- one message seen by several agents


def test_what_two_agents_saw_counts_once_and_a_retransmission_twice() -> None:
    post = Post()
    for seconds in (0.0, 0.5, 1.5):
        assert len(post.bring(shipped(1, NOW + seconds), NOW + seconds + 0.01)) == 1
        assert post.bring(shipped(1, NOW + seconds + 0.03), NOW + seconds + 0.05, OTHER) == []
    assert post.health.duplicates == 3


def test_copies_are_known_by_their_coming_when_clocks_differ() -> None:
    post = Post()
    assert len(post.bring(shipped(1))) == 1
    assert post.bring(shipped(1, NOW - 40), NOW + 0.1, OTHER) == []


@pytest.mark.parametrize(("wrong", "messages", "apart"), [
    (0.2, 40, 0.0), (2.5, 4, 0.0), (2.5, 5, 2.5), (-2.5, 40, 2.5)])
def test_how_far_the_clocks_of_agents_are_apart_is_told_by_what_both_see(
    wrong: float, messages: int, apart: float
) -> None:
    post = Post()
    for number in range(messages):
        time = NOW + number
        assert len(post.bring(shipped(number, time), time + 0.01)) == 1
        assert post.bring(shipped(number, time + wrong), time + 0.02, OTHER) == []
    assert post.health.agents_apart == pytest.approx(apart)


def test_what_one_agent_ships_twice_at_once_counts_once() -> None:
    post = Post()
    assert len(post.bring(shipped(1))) == 1
    assert post.bring(shipped(1, NOW + 0.001)) == []
    assert len(post.bring(shipped(1, NOW + 0.2), NOW + 0.2)) == 1  # too late to be a copy


def test_the_same_message_on_another_flow_is_another_one() -> None:
    post = Post()
    post.bring(shipped(1))
    assert len(post.bring(shipped(1, source="10.1.0.6"))) == 1


def test_few_messages_are_remembered() -> None:
    post = Post()
    for number in range(20_000):
        post.bring(shipped(number))
    remembered = [*post.intake._copies._recent, *post.intake._copies._older]
    assert len(remembered) <= 8192
    assert max(map(len, remembered)) == 16


# -- over TCP


@given(st.lists(st.sampled_from([shipped(1), shipped(2, compressed=True), b"HEP3\0\x06", shipped(3, key=b"k" * 300)])),
       st.lists(st.integers(1, 2000)))
def test_a_stream_cut_anywhere_gives_the_same_packets(packets: list[bytes], cuts: list[int]) -> None:
    stream, cutter, got = b"".join(packets), Packets(), list[bytes]()
    for cut in [*cuts, len(stream)]:
        got += cutter.feed(stream[:cut])
        stream = stream[cut:]
    assert got == packets
    assert not cutter.begun
    assert not cutter.broken


@given(st.lists(st.one_of(st.binary(max_size=400), st.just(hep3()),
                          st.binary(max_size=60).map(lambda end: b"HEP3" + end))))
def test_any_stream_gives_packets_or_breaks_and_little_is_held(pieces: list[bytes]) -> None:
    cutter = Packets()
    for piece in pieces:
        for packet in cutter.feed(piece):
            assert packet[:4] == b"HEP3"
            assert len(packet) == int.from_bytes(packet[4:6], "big")
        assert len(cutter._held) < 1 << 16
        assert not (cutter.broken and cutter._held)


def test_two_agents_over_tcp() -> None:
    source, moment = tcp_source(), time.time()
    with connect(source.port) as one, connect(source.port) as two:
        one.sendall(shipped(1, moment) + shipped(2, moment)[:50])
        two.sendall(shipped(3, moment))
        assert sorted(item.payload for item in heard(source, 2)) == [numbered(1), numbered(3)]
        one.sendall(shipped(2, moment)[50:] + shipped(4, moment))
        assert [item.payload for item in heard(source, 2)] == [numbered(2), numbered(4)]
    assert quiet(source) == []
    assert source.health.undecoded == {}
    assert source._connections == {}
    assert source.health.path == f"hep:{source.port}/tcp"
    source.close()


def test_what_several_agents_shipped_meanwhile_is_in_the_order_of_its_times() -> None:
    source, moment = tcp_source(), time.time()
    with connect(source.port) as one, connect(source.port) as two:
        source.read()  # accepts both connections
        for number in range(3):
            one.sendall(shipped(number, moment + number / 10))
            two.sendall(shipped(10 + number, moment + number / 10 + 0.05))
        time.sleep(0.05)
        got = heard(source, 6)
    assert [item.time for item in got] == sorted(item.time for item in got)
    source.close()


def test_a_stream_that_is_no_hep_is_ended_and_the_others_go_on() -> None:
    source = tcp_source()
    with connect(source.port) as good, connect(source.port) as bad:
        bad.sendall(b"GET / HTTP/1.1\r\n\r\n")
        good.sendall(shipped(1, time.time()))
        assert len(heard(source, 1)) == 1
        quiet(source)
        assert bad.recv(1) == b""
        good.sendall(shipped(2, time.time()))
        assert len(heard(source, 1)) == 1
    assert source.health.undecoded == {"hep-stream": 1}
    source.close()


def test_a_connection_that_ends_within_a_packet_is_counted() -> None:
    source = tcp_source()
    with connect(source.port) as agent:
        agent.sendall(shipped(1, time.time())[:-1])
    quiet(source)
    assert source.health.undecoded == {"hep-cut": 1}
    source.close()


def test_what_an_agent_saw_while_it_had_no_connection_is_not_known() -> None:
    source, hours = patient_source()
    with connect(source.port) as agent:
        agent.sendall(shipped(1, time.time()))
        assert len(heard(source, 1)) == 1
    quiet(source)
    hours.now += 40
    assert source.blind == 0
    with connect(source.port) as agent, connect(source.port) as second:
        agent.sendall(shipped(2, time.time()))
        assert len(heard(source, 1)) == 1
        second.sendall(shipped(3, time.time()))
        assert len(heard(source, 1)) == 1
    assert source.blind == 40
    source.close()


def test_who_has_no_key_proves_nothing() -> None:
    source, hours = tcp_source(key="secret"), Hours()
    source._monotonic, source._tidied = hours, 0.0
    with connect(source.port) as stranger:
        stranger.sendall(shipped(1))
        quiet(source)
        hours.now += 11
        source.read()
        assert stranger.recv(1) == b""
    assert (source.health.undecoded, source._gone) == ({"hep-key": 1}, {})
    source.close()


class Hours:
    """Our monotonic clock, which the test moves."""

    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


def patient_source() -> tuple[ConnectionSource, Hours]:
    source, hours = tcp_source(), Hours()
    source._monotonic, source._tidied = hours, 0.0
    return source, hours


def test_who_says_nothing_or_dawdles_is_disconnected_and_a_proven_agent_may_be_silent() -> None:
    source, hours = patient_source()
    with connect(source.port) as silent, connect(source.port) as slow, connect(source.port) as agent:
        agent.sendall(shipped(1, time.time()))
        assert len(heard(source, 1)) == 1
        for _ in range(30):
            hours.now += 1.0
            slow.sendall(b"H" if hours.now == 1 else b"")
            source.read()
        assert silent.recv(1) == slow.recv(1) == b""
        assert len(source._connections) == 1
        hours.now += 3000
        agent.sendall(shipped(2, time.time()))
        assert len(heard(source, 1)) == 1
        hours.now += 3000
        halves = shipped(3, time.time())
        agent.sendall(halves[:40])
        quiet(source)
        agent.sendall(halves[40:])
        assert len(heard(source, 1)) == 1
        agent.sendall(shipped(4, time.time())[:40])
        quiet(source)
        hours.now += 11
        source.read()
        assert agent.recv(1) == b""
    source.close()


def test_places_are_few_and_those_who_have_proven_nothing_make_room(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(connections, "CONNECTIONS", 2)
    source, _ = patient_source()
    with connect(source.port) as agent:
        agent.sendall(shipped(1, time.time()))
        assert len(heard(source, 1)) == 1
        silent, late = connect(source.port), connect(source.port)
        late.sendall(shipped(2, time.time()))
        assert len(heard(source, 1)) == 1
        with connect(source.port) as refused:
            quiet(source)
            assert refused.recv(1) == b""
        assert silent.recv(1) == b""
        silent.close()
        late.close()
    assert {"hep-evicted", "hep-refused"} <= source.health.undecoded.keys()
    source.close()


def test_without_descriptors_left_nobody_is_accepted_and_nothing_spins() -> None:
    source, hours = patient_source()
    with connect(source.port) as agent:
        agent.sendall(shipped(1, time.time()))
        with no_descriptors_left():
            assert quiet_within(source, reads=3)
        assert source.health.undecoded == {"hep-refused": 1}
        hours.now += connections.TIDY
        assert len(heard(source, 1)) == 1
    source.close()


def quiet_within(source: ConnectionSource, reads: int) -> bool:
    """Whether no descriptor is ready any more after at most so many reads."""
    for _ in range(reads):
        if not select.select(source.descriptors(), [], [], 0.1)[0]:
            return True
        source.read()
    return False


# -- over TLS


def trusting() -> ssl.SSLContext:
    context = ssl.create_default_context()
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    return context


def secured(source: ConnectionSource) -> ssl.SSLSocket:
    """A TLS client whose handshake is complete; the source is read during the handshake."""
    agent = trusting().wrap_socket(connect(source.port), do_handshake_on_connect=False)
    agent.setblocking(False)
    for _ in range(1000):
        source.read()
        try:
            agent.do_handshake()
        except (ssl.SSLWantReadError, ssl.SSLWantWriteError):
            time.sleep(0.005)
        else:
            agent.setblocking(True)
            return agent
    raise AssertionError("no handshake")


@needs_openssl
def test_over_tls_in_many_records(tmp_path: Path) -> None:
    source = tcp_source(scheme="tls", cert=str(certificate(tmp_path)))
    with secured(source) as agent:
        agent.sendall(b"".join(shipped(number, time.time()) for number in range(200)))
        assert [item.payload for item in heard(source, 200)] == [numbered(number) for number in range(200)]
    assert source.health.path == f"hep:{source.port}/tls"
    source.close()


@needs_openssl
def test_who_speaks_no_tls_is_counted_and_nobody_waits_for_a_handshake(tmp_path: Path) -> None:
    source = tcp_source(scheme="tls", cert=str(certificate(tmp_path)))
    with connect(source.port), connect(source.port) as plain:
        plain.sendall(shipped(1))
        quiet(source)
        with secured(source) as agent:
            agent.sendall(shipped(1, time.time()))
            assert len(heard(source, 1)) == 1
    assert source.health.undecoded["hep-tls"] == 1
    source.close()


# -- URLs and options


@pytest.mark.parametrize(
    ("url", "said"),
    [("9060", "does not say where"), ("udp://", "does not say where"), ("sctp://0.0.0.0:9060", "does not say where"),
     ("udp://0.0.0.0:x", "no port"), ("udp://0.0.0.0:70000", "no port"), ("udp://0.0.0.0:9060/x", "more than"),
     ("udp://me@0.0.0.0:9060", "more than"), ("udp://no.such.host.invalid:9060", "no address"),
     ("udp://192.0.2.77:9060", "cannot listen"), ("tls://127.0.0.1:0", "needs a certificate")],
)
def test_a_url_that_cannot_be_is_explained(url: str, said: str) -> None:
    with pytest.raises(InputError, match=said) as caught:
        hep_source(url, 0)
    assert caught.value.fix


@pytest.mark.skipif(not socket.has_ipv6 or not Path("/proc/net/if_inet6").exists(), reason="no IPv6 here")
def test_over_ipv6() -> None:
    source = hep_source("udp://[::1]:0", 0)
    with socket.socket(socket.AF_INET6, socket.SOCK_DGRAM) as sender:
        sender.sendto(shipped(1, time.time()), ("::1", source.port))
    assert len(heard(source, 1)) == 1
    source.close()


def test_a_port_in_use_is_explained() -> None:
    for scheme, kind in (("udp", socket.SOCK_DGRAM), ("tcp", socket.SOCK_STREAM)):
        with socket.socket(socket.AF_INET, kind) as taken:
            taken.bind(("127.0.0.1", 0))
            if scheme == "tcp":
                taken.listen()
            with pytest.raises(InputError, match="already in use"):
                hep_source(f"{scheme}://127.0.0.1:{taken.getsockname()[1]}", 0)


def test_an_empty_key_is_refused() -> None:
    with pytest.raises(InputError, match="empty"):
        udp_source(key="")


@needs_openssl
def test_certificates_that_cannot_be_used_are_explained(tmp_path: Path) -> None:
    both, words, locked = certificate(tmp_path), tmp_path / "words.pem", tmp_path / "locked.pem"
    words.write_text("no certificate")
    subprocess.run(["openssl", "pkey", "-in", str(both), "-aes256", "-passout", "pass:x", "-out", str(locked)],
                   check=True)
    for cert, key, said in ((tmp_path / "none.pem", None, "cannot be read"), (words, None, "cannot be used"),
                            (both, tmp_path / "none.key", "cannot be read"), (both, locked, "cannot be used")):
        with pytest.raises(InputError, match=said):
            tcp_source(scheme="tls", cert=str(cert), keyfile=None if key is None else str(key))
