"""A PostgreSQL server for the tests: in a temporary folder, on loopback; tests may stop and start it."""

from __future__ import annotations

import os
import pwd
import shutil
import socket
import subprocess
from collections.abc import Sequence
from pathlib import Path

BINARIES = sorted(Path("/usr/lib/postgresql").glob("*/bin/initdb"), key=lambda path: int(path.parts[4]))
USER = "postgres"
SETTINGS = "-c listen_addresses=127.0.0.1 -c unix_socket_directories= -c fsync=off -c log_min_messages=fatal"


def missing() -> str | None:
    """The reason why no server can run here; None if one can."""
    if not BINARIES:
        return "PostgreSQL (Debian package postgresql) is not installed"
    if os.geteuid() != 0:
        return None
    try:
        pwd.getpwnam(USER)
    except KeyError:
        return f"PostgreSQL does not run as root, and there is no user {USER}"
    return None if shutil.which("su") else "su is not installed"


class Postgres:
    """A server that makes empty databases; its only user has no password. `inside` is the command prefix that runs
    commands in the server's namespace."""

    def __init__(self, folder: Path, inside: Sequence[str] = ()) -> None:
        self._inside = inside
        self._data = folder / "data"
        self._bin = BINARIES[-1].parent
        self._databases = 0
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            self.port = probe.getsockname()[1]
        if os.geteuid() == 0:
            shutil.chown(folder, USER)
        self._run(f"{self._bin}/initdb -D {self._data} -A trust -U {USER} --no-sync")
        self.start()

    def start(self) -> None:
        self._run(f"{self._bin}/pg_ctl -D {self._data} -l {self._data}/log -o '-p {self.port} {SETTINGS}' -w start")

    def stop(self) -> None:
        """Stop it at once, as when its machine dies."""
        self._run(f"{self._bin}/pg_ctl -D {self._data} -m immediate -w stop")

    def database(self) -> str:
        """The URL of a new database."""
        self._databases += 1
        name = f"store{self._databases}"
        self._run(f"{self._bin}/createdb -h 127.0.0.1 -p {self.port} -U {USER} {name}")
        return f"postgresql+psycopg://{USER}@127.0.0.1:{self.port}/{name}"

    def _run(self, command: str) -> None:
        words = ["su", USER, "-c", command] if os.geteuid() == 0 else ["sh", "-c", command]
        ran = subprocess.run([*self._inside, *words], cwd=self._data.parent, stdin=subprocess.DEVNULL,
                             stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False, timeout=60)
        assert ran.returncode == 0, ran.stdout
