"""Whether the lab can run here, and the command prefix that isolates a scene from everything else."""

from __future__ import annotations

import os
import shutil
import subprocess

from tests.lab.network import chain

PROGRAMS = {
    "unshare": "util-linux", "ip": "iproute2", "nft": "nftables", "tcpdump": "tcpdump", "kamailio": "kamailio",
    "sipp": "sip-tester", "dnsmasq": "dnsmasq-base", "baresip": "baresip-core",
}
SEARCHED = f"{os.environ.get('PATH', '')}:/usr/sbin:/sbin"
ALONE = ("setpriv", "--pdeathsig", "KILL", "unshare", "--mount", "--pid", "--fork", "--kill-child", "--mount-proc")
LOSS = "add rule bridge lab prerouting ether type ip numgen random mod 100 < 1 drop"
REJECTION = "add rule inet lab input reject with icmp type port-unreachable"
PROBE = f"""set -e
mount -t tmpfs lab /run
ip netns add lab
ip -n lab link add br0 type bridge
ip netns exec lab nft '{chain("bridge", "prerouting")}; {LOSS}'
ip netns exec lab nft '{chain("inet", "input")}; {REJECTION}'
"""


def missing() -> str:
    """The reason why the lab cannot run here; empty if it can."""
    absent = [f"{program} ({package})" for program, package in PROGRAMS.items()
              if shutil.which(program, path=SEARCHED) is None]
    if absent:
        return f"not installed: {', '.join(absent)}"
    if os.geteuid() != 0:
        return "needs root, to make network namespaces"
    probe = subprocess.run([*ALONE, "sh", "-c", PROBE], capture_output=True, text=True, check=False, env=environment())
    return f"no network namespaces here: {probe.stderr.strip()}" if probe.returncode else ""


def environment() -> dict[str, str]:
    return os.environ | {"PATH": SEARCHED}
