"""A network of namespaces: phones and servers on a bridge, where the tap writes down what passes.

It lives in process, mount and network namespaces of its own: when the process
that made it ends, however it ends, the kernel takes all of it away.
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
    """What makes nftables' chain for this hook, if it is not there."""
    return (f"add table {family} lab; "
            f"add chain {family} lab {hook} {{ type filter hook {hook} priority 0; }}")


def run(*command: str) -> None:
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        raise RuntimeError(f"{' '.join(command)}: {done.stderr.strip()}")


class Network:
    """The three namespaces. It covers /run, and so is made only by the first process of a process namespace
    (`ability.ALONE`)."""

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
        """A process of this side; what it prints goes to a file of this name."""
        with (self.folder / f"{log}.log").open("ab") as output:
            return subprocess.Popen(
                ["ip", "netns", "exec", side, *command], stdin=subprocess.DEVNULL, stdout=output,
                stderr=subprocess.STDOUT,
            )

    def tap(self, capture: Path) -> Tap:
        return Tap(capture)

    # -- what befalls it

    def block(self, address: str, how: str, protocol: str = "") -> None:
        """Nothing reaches this address from outside any more: `drop`, or a `reject with ...`."""
        self._rules("core", "inet", "input", f"""iifname "eth0" ip daddr {address} {protocol} {how}""")

    def lose(self, percent: int) -> None:
        """So many of 100 packets are lost before the tap, and as many again behind it."""
        for hook in ("prerouting", "postrouting"):
            self._rules("tap", "bridge", hook, f"ether type ip numgen random mod 100 < {percent} drop")

    def lift(self) -> None:
        """Nothing is blocked or lost any more."""
        for side in ("core", "tap"):
            run("ip", "netns", "exec", side, "nft", "flush ruleset")

    def _rules(self, side: str, family: str, hook: str, rule: str) -> None:
        run("ip", "netns", "exec", side, "nft", f"{chain(family, hook)}; add rule {family} lab {hook} {rule}")


class Tap:
    """tcpdump on the bridge. Packet by packet and with slots enough: it would write nothing, or lose some, else."""

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
        """Raises RuntimeError when packets were lost."""
        self.process.terminate()
        rest = self.said.read()
        self.process.wait()
        if "\n0 packets dropped by kernel" not in f"\n{rest}":
            raise RuntimeError(f"the tap lost packets: {rest}")
