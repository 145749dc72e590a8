"""baresip, an unscripted phone. It fails over by DNS SRV and keeps no state: each request starts at the head of
the list."""

from __future__ import annotations

import json
import subprocess
from dataclasses import dataclass

from tests.lab.ground import CALLEE, DOMAIN, PASSWORD, RESOLVER
from tests.lab.network import Network

CONFIG = """sip_listen {address}:5060
module_path {modules}
dns_server {resolver}:53
module g711.so
module aufile.so
module_tmp uuid.so
module_tmp account.so
module_app menu.so
module_app ctrl_tcp.so
ctrl_tcp_listen 127.0.0.1:{port}
audio_player aufile,/dev/null
audio_source aufile,/dev/null
"""
MODULES = "/usr/lib/baresip/modules"


@dataclass
class Softphone:
    """One baresip with one account, which registers every `interval` seconds."""

    user: str
    address: str
    transport: str = "udp"
    interval: int = 20

    @property
    def port(self) -> int:
        return 4000 + int(self.user)

    def start(self, network: Network) -> subprocess.Popen[bytes]:
        folder = network.folder / f"baresip-{self.user}"
        folder.mkdir()
        (folder / "config").write_text(
            CONFIG.format(address=self.address, modules=MODULES, resolver=RESOLVER, port=self.port))
        account = f"<sip:{self.user}@{DOMAIN};transport={self.transport}>;auth_pass={PASSWORD};regint={self.interval}"
        (folder / "accounts").write_text(account + "\n")
        (folder / "contacts").touch()
        return network.start("phones", "baresip", "-f", str(folder), log=f"baresip-{self.user}")

    def command(self, network: Network, name: str) -> None:
        """Send it `dial` or `hangup`, as JSON in a netstring."""
        words = {"command": name} | ({"params": f"sip:{CALLEE}@{DOMAIN};transport={self.transport}"}
                                     if name == "dial" else {})
        text = json.dumps(words)
        network.start(
            "phones", "bash", "-c", f'exec 3<>/dev/tcp/127.0.0.1/{self.port}; printf %s "$1" >&3; sleep 0.5', "lab",
            f"{len(text)}:{text},", log=f"control-{self.user}",
        )
