"""Real agents: sngrep ships a capture with its times, Kamailio its own traffic. Both are compared with the capture."""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from sipaudit.capture.captures import Captures
from sipaudit.capture.files import resolve
from sipaudit.live.hep import intake
from sipaudit.live.hep.listen import hep_source
from sipaudit.sip.datagram import Datagram
from tests.lab.ability import SEARCHED
from tests.live.agents import PATIENCE, heard, quiet
from tests.live.judged import live, offline
from tests.live.mirror import wait_until
from tests.live.programs import running
from tests.shared import ROOT

SAMPLES = sorted(path.parent.relative_to(ROOT / "samples").as_posix()
                 for path in (ROOT / "samples").rglob("capture.pcap"))
LACKING = {"lossy-tap"}  # sngrep leaves out dialogs whose first request the capture lacks
OVER_TCP = {"tcp"}       # sngrep reassembles streams itself and ships the result
SIP_ALONE = {"busy-phone", "bye-to-a-dead-server", "first-outage", "flapping", "lab/gone", "lab/overloaded",
             "lab/silent", "partial-outage", "premature-failback", "signalling-before-registration",
             "stuck-on-secondary", "three-servers"}
"""Samples in which SIP over UDP alone proves all findings."""
SOON = 0.2  # seconds (instead of two) after which messages from sngrep are taken for a replay
needs_sngrep = pytest.mark.skipif(shutil.which("sngrep") is None, reason="sngrep is not installed: no agent")


def captured(path: Path) -> list[Datagram]:
    """The messages of a capture as `analyze` reads them."""
    return [item for item in Captures(resolve([str(path)]).files, engine="libpcap") if isinstance(item, Datagram)]


def shown(messages: list[Datagram]) -> list[tuple[str, str, str, bytes]]:
    return [(item.flow.transport, item.flow.source, item.flow.destination, item.payload) for item in messages]


@contextmanager
def sngrep(path: Path, port: int) -> Iterator[Callable[[], bool]]:
    """`sngrep -H` ships a capture; gives a function that is true once sngrep has ended, or after PATIENCE seconds."""
    agent = subprocess.Popen(
        ["sngrep", "-N", "-q", "-l", "1000000", "-I", str(path), "-H", f"udp:127.0.0.1:{port}"],
        stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
    )
    end = time.monotonic() + PATIENCE
    try:
        yield lambda: agent.poll() is not None or time.monotonic() > end
    finally:
        agent.kill()
        agent.wait()


def by_sngrep(path: Path) -> list[Datagram]:
    """The messages of a capture as they arrive from sngrep."""
    source, got = hep_source("udp://127.0.0.1:0", 0), list[Datagram]()
    with sngrep(path, source.port) as is_over:
        while not is_over():
            got += heard(source, 1, 0.1)
        got += heard(source, 1, 2 * SOON) + quiet(source)
    source.close()
    assert source.health.undecoded == {}
    assert source.health.kernel_drops in (0, None)
    return got


@pytest.fixture
def _soon(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(intake, "WAIT", SOON)


@needs_sngrep
@pytest.mark.usefixtures("_soon")
@pytest.mark.parametrize("sample", [name for name in SAMPLES if name not in LACKING | OVER_TCP])
def test_what_sngrep_ships_of_a_capture_is_what_the_capture_holds(sample: str) -> None:
    path = ROOT / "samples" / sample / "capture.pcap"
    expected, got = captured(path), by_sngrep(path)
    assert shown(got) == shown(expected)
    assert [item.time for item in got] == [item.time for item in expected]


@needs_sngrep
@pytest.mark.usefixtures("_soon")
def test_what_sngrep_leaves_out_of_a_lossy_capture_is_what_it_did_not_see_begin() -> None:
    path = ROOT / "samples" / "lossy-tap" / "capture.pcap"
    expected, got = captured(path), by_sngrep(path)
    missing = Counter(shown(expected)) - Counter(shown(got))
    assert not Counter(shown(got)) - Counter(shown(expected))
    assert 0 < missing.total() < len(expected) / 20


@needs_sngrep
@pytest.mark.usefixtures("_soon")
@pytest.mark.parametrize("sample", SAMPLES)
def test_what_is_found_by_hep_is_what_the_sip_over_udp_of_the_capture_proves(sample: str) -> None:
    """The agent ships nothing else; other findings of `analyze` in the whole capture rest on DNS, ICMP or TCP."""
    folder = ROOT / "samples" / sample
    site, source = folder / "site.yaml", hep_source("udp://127.0.0.1:0", 0)
    with sngrep(folder / "capture.pcap", source.port) as is_over:
        found = live(source, site, is_over)
    source.close()
    assert found == offline(folder / "capture.pcap", site, "udp port 5060")
    if sample in SIP_ALONE:
        assert found == offline(folder / "capture.pcap", site)


# -- Kamailio


KAMAILIO = shutil.which("kamailio", path=SEARCHED)
TCPDUMP = shutil.which("tcpdump", path=SEARCHED)
needs_kamailio = pytest.mark.skipif(
    KAMAILIO is None or TCPDUMP is None or os.geteuid() != 0,
    reason="kamailio and tcpdump must be installed, and root capture on loopback",
)
CONFIGURATION = """#!KAMAILIO
debug=1
log_stderror=yes
children=1
tcp_children=1
auto_aliases=no
dns=no
rev_dns=no
loadmodule "tm.so"
loadmodule "sl.so"
loadmodule "pv.so"
loadmodule "textops.so"
loadmodule "siputils.so"
loadmodule "auth.so"
loadmodule "siptrace.so"
modparam("siptrace", "duplicate_uri", "sip:127.0.0.1:{hep}{transport}")
modparam("siptrace", "hep_mode_on", 1)
modparam("siptrace", "hep_version", 3)
modparam("siptrace", "hep_capture_id", 101)
modparam("siptrace", "auth_key", "{key}")
modparam("siptrace", "trace_to_database", 0)
modparam("siptrace", "trace_on", 1)
modparam("siptrace", "trace_mode", 1)
request_route {{
    if (is_method("REGISTER")) {{ www_challenge("pbx.example.com", "1"); exit; }}
    sl_send_reply("200", "OK");
}}
"""
REQUEST = (
    "{method} sip:1001@pbx.example.com SIP/2.0\r\nVia: SIP/2.0/UDP 127.0.0.1:{port};branch=z9hG4bK-{number}\r\n"
    "From: <sip:1001@pbx.example.com>;tag=a{number}\r\nTo: <sip:1001@pbx.example.com>\r\nCall-ID: {number}@phone\r\n"
    "CSeq: {number} {method}\r\nContact: <sip:1001@127.0.0.1:{port}>\r\nMax-Forwards: 70\r\nContent-Length: 0\r\n\r\n"
)


def free_port() -> int:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@contextmanager
def recorded(path: Path, port: int, hep: int, log: Path) -> Iterator[None]:
    """Run tcpdump on loopback without the HEP packets, which Kamailio sends from its SIP port too."""
    command = ("tcpdump", "-i", "lo", "-n", "-U", "--immediate-mode", "-B", "8192", "-Z", "root", "-w", str(path),
               f"udp port {port} and not port {hep}")
    with running(*command, log=log) as process:
        wait_until(lambda: b"listening on" in log.read_bytes(), "tcpdump records", PATIENCE)
        yield
        wait_until(lambda: process.poll() is not None or path.stat().st_size > 24, "packets were recorded", PATIENCE)
        time.sleep(0.3)


def converse(port: int) -> None:
    """A phone sends the server ten requests and receives the answers."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as phone:
        phone.settimeout(0.5)
        phone.bind(("127.0.0.1", 0))
        own = phone.getsockname()[1]
        for number in range(1, 11):
            method = "REGISTER" if number % 2 else "OPTIONS"
            request = REQUEST.format(method=method, port=own, number=number).encode()
            for _ in range(20):  # until the server has started
                phone.sendto(request, ("127.0.0.1", port))
                try:
                    phone.recv(4096)
                    break
                except (TimeoutError, ConnectionRefusedError):
                    time.sleep(0.1)


@contextmanager
def kamailio(port: int, hep: int, folder: Path, transport: str = "udp") -> Iterator[None]:
    """Run Kamailio on loopback; it ships its traffic to the port `hep` with the key `secret`."""
    configuration = folder / "kamailio.cfg"
    configuration.write_text(CONFIGURATION.format(hep=hep, key="secret", transport=f";transport={transport}"))
    command = ("kamailio", "-DD", "-E", "-f", str(configuration), "-l", f"udp:127.0.0.1:{port}", "-l",
               f"tcp:127.0.0.1:{port}", "-Y", str(folder),
               "-P", str(folder / "pid"), "-n", "1", "-m", "16", "-M", "4")
    with running(*command, log=folder / "kamailio.log"):
        wait_until(lambda: f":{port:04X} 00000000" in Path("/proc/net/udp").read_text(), "Kamailio listens", PATIENCE)
        yield


@needs_kamailio
@pytest.mark.parametrize("transport", ["udp", "tcp"])
def test_what_kamailio_ships_is_what_passed_it(transport: str, tmp_path: Path) -> None:
    source = hep_source(f"{transport}://127.0.0.1:0", 0, key="secret")
    port, path = free_port(), tmp_path / "capture.pcap"
    with kamailio(port, source.port, tmp_path, transport):
        with recorded(path, port, source.port, tmp_path / "tcpdump.log"):
            converse(port)
        got = heard(source, 20)
    expected = captured(path)
    assert len(expected) == 20
    assert shown(got) == shown(expected), (tmp_path / "kamailio.log").read_text()
    assert all(abs(ours.time - theirs.time) < 1 for ours, theirs in zip(got, expected, strict=True))
    assert source.health.undecoded == {}
    source.close()


@needs_kamailio
def test_what_kamailio_ships_with_another_key_is_dropped(tmp_path: Path) -> None:
    source, port = hep_source("udp://127.0.0.1:0", 0, key="other"), free_port()
    with kamailio(port, source.port, tmp_path):
        converse(port)
        assert quiet(source) == []
    assert source.health.undecoded["hep-key"] >= 20
    source.close()
