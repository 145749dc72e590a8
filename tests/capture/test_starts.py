"""Signs that a device starts (DHCP, TFTP, HTTP and FTP), told apart from the traffic of a running one."""

from __future__ import annotations

import random

import pytest

from sipaudit.capture.health import CaptureHealth
from sipaudit.capture.mask import sift
from sipaudit.capture.starts import read_dhcp
from sipaudit.capture.write import ethernet_frame, udp_packet
from sipaudit.sip.datagram import Item, Start, StartKind, flow
from tests.capture.packets import Wire, batch
from tests.capture.tcpstory import ACK, PSH, SYN, Tap
from tests.wire_beside import BROADCAST, DHCP_SERVER, MAC, TFTP_SERVER, dhcp, tftp

PHONE = "10.1.0.5"
LINK = "0004f2123456"
GET = b"GET %s HTTP/1.1\r\nHost: 10.0.0.80\r\nUser-Agent: %s\r\n\r\n"
AGENT = b"FileTransport PolycomVVX-VVX_500-UA/5.9.0.9373 (SN:0004F2AABBCC) Type/Application"


def told(items: list[Item]) -> list[tuple[str, str | None, str | None]]:
    return [(item.kind.value, item.host, item.mac) for item in items if isinstance(item, Start)]


def udp(source: tuple[str, int], destination: tuple[str, int], payload: bytes) -> bytes:
    return ethernet_frame(udp_packet(source, destination, payload), source_mac=LINK)


def seen(frame: bytes) -> list[tuple[str, str | None, str | None]]:
    return told(Wire().see(frame))


OPTIONS = dhcp(1, 1)[:240]


@pytest.mark.parametrize(("payload", "kind"), [
    pytest.param(dhcp(1, 1), "address", id="discover"),
    pytest.param(dhcp(1, 3), "address", id="request"),
    pytest.param(dhcp(1, 3, has=PHONE), None, id="renewal"),
    pytest.param(dhcp(1, 8), None, id="inform"),
    pytest.param(dhcp(1, 1)[:239], None, id="short"),
    pytest.param(OPTIONS[:236] + b"xxxx", None, id="bootp"),
    pytest.param(OPTIONS + b"\0\x0c\x05phone\x35\x01\x03\xff", "address", id="behind-others"),
    pytest.param(b"\1\6" + dhcp(1, 1)[2:], None, id="token-ring"),
    pytest.param(OPTIONS + b"\x35", None, id="cut"),
    pytest.param(OPTIONS + bytes(300) + b"\x35\x01\x01", None, id="endless"),
])
def test_a_client_without_an_address_asks_for_one(payload: bytes, kind: str | None) -> None:
    assert seen(udp(("0.0.0.0", 68), BROADCAST, payload)) == ([(kind, None, MAC)] if kind else [])


@pytest.mark.parametrize("mask", [False, True], ids=["all", "masked"])
def test_a_lease_tells_which_host_the_client_is(mask: bool) -> None:
    frame = udp(DHCP_SERVER, (PHONE, 68), dhcp(2, 5, given=PHONE))
    assert seen(frame) == [("lease", PHONE, MAC)]
    assert len(sift(batch([frame])).packets) == 1
    assert seen(udp(DHCP_SERVER, (PHONE, 68), dhcp(2, 5, given=PHONE, has=PHONE))) == []  # the ACK of a renewal


@pytest.mark.parametrize(("name", "mac"), [
    ("000000000000.cfg", LINK), ("0004F2AABBCC.cfg", MAC), ("/prov/0004f2aabbcc.cfg", MAC), ("sip.ld", LINK),
    ("3111-44500-001.sip.ld", LINK), ("2345-11402-001.bootrom.ld", LINK),
])
def test_a_file_of_a_start_by_tftp(name: str, mac: str) -> None:
    assert seen(udp((PHONE, 40_000), TFTP_SERVER, tftp(name))) == [("file", PHONE, mac)]


@pytest.mark.parametrize("name", [
    "0004f2aabbcc-phone.cfg", "0004f2aabbcc-directory.xml", "SoundPointIPWelcome.wav", "", "cfg", "x" * 600 + "sip.ld"])
def test_other_files_come_at_any_time(name: str) -> None:
    assert seen(udp((PHONE, 40_000), TFTP_SERVER, tftp(name))) == []


def test_a_start_seen_twice_by_the_mirror_is_one_and_is_counted() -> None:
    reading = Wire()
    frame = udp((PHONE, 40_000), TFTP_SERVER, tftp("sip.ld"))
    assert len(told(reading.see(frame, time=5.0) + reading.see(frame, time=5.001))) == 1
    assert reading.health.content["tftp"] == 1
    assert reading.health.duplicates == 1


def test_frames_are_wiresharks() -> None:
    reading = Wire()
    reading.see(udp((PHONE, 40_000), TFTP_SERVER, tftp("nothing")))
    (item,) = reading.see(udp((PHONE, 40_000), TFTP_SERVER, tftp("sip.ld")))
    assert item.frame == 2


def over_tcp(*requests: bytes, port: int = 80, opened: bool = True) -> list[tuple[str, str | None, str | None]]:
    tap = Tap()
    way, back = flow("tcp", PHONE, 50_000, "10.0.0.80", port, LINK), flow("tcp", "10.0.0.80", port, PHONE, 50_000)
    if opened:
        tap.see(way, 100, 0, SYN)
        tap.see(back, 900, 101, SYN | ACK)
    seq = 101
    for request in requests:
        tap.see(way, seq, 901, PSH | ACK, request)
        seq += len(request)
        tap.see(back, 901, seq, PSH | ACK, b"HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n")
    return told(tap.items)


@pytest.mark.parametrize("opened", [True, False])
@pytest.mark.parametrize("port", [80, 8080, 5000])
def test_a_file_of_a_start_by_http(port: int, opened: bool) -> None:
    asked = GET % (b"/polycom/0004f2aabbcc.cfg?x=1", AGENT)
    assert over_tcp(asked, port=port, opened=opened) == [("file", PHONE, MAC)]


def test_each_request_of_a_kept_connection_counts() -> None:
    got = over_tcp(GET % (b"/000000000000.cfg", b"curl"), GET % (b"/a.xml", b"curl"), GET % (b"/sip.ld", b"curl"))
    assert got == [("file", PHONE, LINK), ("file", PHONE, LINK)]


def test_the_agent_tells_which_phone_and_whether_its_boot_program_asks() -> None:
    updater = AGENT.replace(b"Application", b"Updater")
    assert over_tcp(GET % (b"/000000000000.cfg", updater)) == [("updater", PHONE, MAC)]


def test_a_file_of_a_start_by_ftp() -> None:
    assert over_tcp(b"USER PlcmSpIp\r\n", b"RETR /prov/000000000000.cfg\r\n", port=21) == [("file", PHONE, LINK)]


@pytest.mark.parametrize("request_", [
    GET % (b"/index.html", b"x"), b"PUT /0004f2aabbcc.cfg HTTP/1.1\r\n\r\n", b"GET /sip.ld\r\n\r\n",
    b"GET " + b"/" * 3000,
    b"GET /" + b"a" * 600 + b"/sip.ld HTTP/1.1\r\n\r\n", b"RETR \r\n", b"GET  HTTP/1.1\r\n\r\n",
])
def test_other_requests_are_none(request_: bytes) -> None:
    assert over_tcp(request_) == []


def test_any_bytes_are_read_without_harm() -> None:
    chance = random.Random(7)
    for _ in range(300):
        noise = dhcp(1, 1)[: chance.randrange(244)] + chance.randbytes(chance.randrange(80))
        read_dhcp(noise, 0.0, 0, 1)
        over_tcp(b"GET /" + noise)
    assert read_dhcp(dhcp(1, 1), 0.0, 0, 1) == Start(0.0, 0, 1, StartKind.ADDRESS, None, MAC)


def test_health_counts_dhcp_as_before() -> None:
    reading = Wire()
    reading.see(udp(("0.0.0.0", 68), BROADCAST, dhcp(1, 1)))
    reading.see(udp(("0.0.0.0", 68), BROADCAST, dhcp(1, 8)))
    assert reading.health.content == {"dhcp": 2}
    assert CaptureHealth("x").content == {}
