"""The servers of the lab: Kamailio as registrars, SIPp as the gateway behind them, dnsmasq for DNS."""

from __future__ import annotations

import re
import subprocess
import time
from pathlib import Path

from tests.lab.ground import DOMAIN, GATEWAY, NAMES, RESOLVER, SERVERS, TTL
from tests.lab.network import Network

CONFIGURATION = Path(__file__).with_name("kamailio.cfg")
CALLING = Path(__file__).with_name("calling.xml")
SIP_PORT = f"{5060:04X}"
STOPS_WITHIN = 1.5   # seconds; two seconds later the phones find the server gone
DNSMASQ = f"""no-resolv
no-hosts
no-daemon
local=/example.com/
listen-address={RESOLVER}
bind-interfaces
local-ttl={TTL}
naptr-record={DOMAIN},50,50,s,SIP+D2U,,_sip._udp.{DOMAIN}
"""


class TooBusy(Exception):
    """The machine is too busy to play the scene as written."""


class Registrar:
    """One Kamailio. It loses its registrations when it is stopped."""

    def __init__(self, network: Network, key: str) -> None:
        self.network = network
        self.key = key
        self.process: subprocess.Popen[bytes] | None = None
        self.runs = 0

    def start(self, *defines: str) -> None:
        self.runs += 1
        folder = self.network.folder / f"kamailio-{self.key}-{self.runs}"
        folder.mkdir()
        address = SERVERS[self.key]
        options = [part for define in defines for part in ("-A", define)]
        self.process = self.network.start(
            "core", "kamailio", "-DD", "-E", "-f", str(CONFIGURATION), "-l", f"udp:{address}:5060",
            "-l", f"tcp:{address}:5060", "-Y", str(folder), "-P", str(folder / "pid"), "-n", "1", "-m", "16", "-M", "4",
            *options, log=f"kamailio-{self.key}",
        )

    def stop(self) -> None:
        """Stop it. Raises TooBusy if it does not end soon, as it would still receive requests but answer none."""
        assert self.process is not None
        self.process.terminate()
        try:
            self.process.wait(STOPS_WITHIN)
        except subprocess.TimeoutExpired:
            raise TooBusy(f"a server did not stop within {STOPS_WITHIN} s") from None


def wait_for_sip(sockets: int, seconds: float) -> None:
    """Wait until so many UDP sockets on the servers' side have the SIP port. Raises TooBusy after these seconds."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        table = subprocess.run(["ip", "netns", "exec", "core", "cat", "/proc/net/udp"], capture_output=True, text=True,
                               check=True).stdout
        if len(re.findall(rf":{SIP_PORT} 00000000", table)) >= sockets:
            return
        time.sleep(0.1)
    raise TooBusy(f"a server did not start within {seconds} s")


def start_gateway(network: Network) -> subprocess.Popen[bytes]:
    """Start the gateway, which answers every call and ends none."""
    return network.start("core", "sipp", "-sn", "uas", "-i", GATEWAY, "-p", "5060", "-callid_slash_ign", "-l",
                         "1000", "-nostdin", log="gateway")


def call_phone(network: Network, server: str, user: str) -> subprocess.Popen[bytes]:
    """Start a call from the gateway's address to a phone through a server."""
    return network.start(
        "core", "sipp", SERVERS[server], "-sf", str(CALLING), "-s", user, "-i", GATEWAY, "-p", str(7000 + int(user)),
        "-m", "1", "-nostdin", log=f"caller-{user}",
    )


def start_names(network: Network, keys: str) -> subprocess.Popen[bytes]:
    """Start a DNS server with SRV records of these servers, in order of priority."""
    lines = [DNSMASQ]
    for number, key in enumerate(keys, 1):
        lines.append(f"host-record={NAMES[key]},{SERVERS[key]},{TTL}\n")
        lines += [f"srv-host=_sip._{transport}.{DOMAIN},{NAMES[key]},5060,{10 * number},100\n"
                  for transport in ("udp", "tcp")]
    file = network.folder / "dnsmasq.conf"
    file.write_text("".join(lines))
    return network.start("core", "dnsmasq", f"--conf-file={file}", "--pid-file=", "--user=root", log="dnsmasq")
