"""A network of namespaces: phones and servers on a bridge, whose traffic the tap captures.

It has its own process, mount and network namespaces: when the process that made
it ends, however it ends, the kernel removes all of it.
"""

from __future__ import annotations

import os
import subprocess
from collections.abc import Sequence
from pathlib import Path
from typing import IO

from tests.lab.ground import GATEWAY, RESOLVER, SERVERS

SIDES = {"core": [*SERVERS.values(), GATEWAY, RESOLVER], "phones": []}


def chain(family: str, hook: str) -> str:
    """The nftables commands that make the chain for this hook, if it does not exist."""
    return (f"add table {family} lab; "
            f"add chain {family} lab {hook} {{ type filter hook {hook} priority 0; }}")


def run(*command: str) -> None:
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        raise RuntimeError(f"{' '.join(command)}: {done.stderr.strip()}")


class Network:
    """The three namespaces. It mounts over /run, so only the first process of a process namespace may make it
    (`ability.ALONE`); for others it raises RuntimeError."""

    def __init__(self, folder: Path, phones: Sequence[str]) -> None:
        if os.getpid() != 1:
            raise RuntimeError("a network is made in namespaces of its own only")
        self.folder = folder
        run("mount", "-t", "tmpfs", "lab", "/run")
        for name in ("tap", *SIDES):
            run("ip", "netns", "add", name)
        run("ip", "-n", "tap", "link", "add", "br0", "type", "bridge")
        run("ip", "-n", "tap", "link", "set", "br0", "addrgenmode", "none", "up")
        for side, addresses in SIDES.items():
            self._connect(side, addresses or phones)

    def _connect(self, side: str, addresses: Sequence[str]) -> None:
        run("ip", "-n", "tap", "link", "add", side, "type", "veth", "peer", "name", "eth0", "netns", side)
        run("ip", "-n", "tap", "link", "set", side, "addrgenmode", "none", "master", "br0", "up")
        run("ip", "-n", side, "link", "set", "eth0", "addrgenmode", "none")
        for address in addresses:
            run("ip", "-n", side, "addr", "add", f"{address}/8", "dev", "eth0")
        run("ip", "-n", side, "link", "set", "eth0", "up")
        run("ip", "-n", side, "link", "set", "lo", "up")

    def start(self, side: str, *command: str, log: str) -> subprocess.Popen[bytes]:
        """Start a process on this side; its output goes to the file `log`.log."""
        with (self.folder / f"{log}.log").open("ab") as output:
            return subprocess.Popen(
                ["ip", "netns", "exec", side, *command], stdin=subprocess.DEVNULL, stdout=output,
                stderr=subprocess.STDOUT,
            )

    def tap(self, capture: Path) -> Tap:
        return Tap(capture)

    # -- faults of the network

    def block(self, address: str, how: str, protocol: str = "") -> None:
        """Block all packets to this address from outside, by `drop` or `reject with ...`."""
        self._rules("core", "inet", "input", f"""iifname "eth0" ip daddr {address} {protocol} {how}""")

    def lose(self, percent: int) -> None:
        """Lose so many of 100 packets before the tap, and as many again behind it."""
        for hook in ("prerouting", "postrouting"):
            self._rules("tap", "bridge", hook, f"ether type ip numgen random mod 100 < {percent} drop")

    def lift(self) -> None:
        """End all blocks and losses."""
        for side in ("core", "tap"):
            run("ip", "netns", "exec", side, "nft", "flush ruleset")

    def _rules(self, side: str, family: str, hook: str, rule: str) -> None:
        run("ip", "netns", "exec", side, "nft", f"{chain(family, hook)}; add rule {family} lab {hook} {rule}")


class Tap:
    """tcpdump on the bridge, packet by packet and with enough slots: otherwise it would write nothing, or lose some."""

    def __init__(self, capture: Path) -> None:
        self.process = subprocess.Popen(
            ["ip", "netns", "exec", "tap", "tcpdump", "-i", "br0", "-n", "-U", "--immediate-mode", "-s", "1600",
             "-B", "8192", "-Z", "root", "-w", str(capture), "ip"],
            stdin=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True,
        )
        self.said = self._until("listening on")

    def _until(self, words: str) -> IO[str]:
        assert self.process.stderr is not None
        for line in self.process.stderr:
            if words in line:
                return self.process.stderr
        raise RuntimeError("tcpdump did not start")

    def stop(self) -> None:
        """Stop the capture. Raises RuntimeError if the kernel dropped packets."""
        self.process.terminate()
        rest = self.said.read()
        self.process.wait()
        if "\n0 packets dropped by kernel" not in f"\n{rest}":
            raise RuntimeError(f"the tap lost packets: {rest}")
