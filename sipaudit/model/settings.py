"""What is known of a line before the first packet: its settings, its server entries, its tolerances.

Names and units are the provisioning file's (reference-model.md 2): retryTimeOut in milliseconds, every other time in
seconds.
"""

from __future__ import annotations

from collections.abc import Hashable
from enum import StrEnum
from functools import lru_cache

from msgspec import Struct

# The five that rule failover (reference-model.md 2), and all that decide which requirements hold for a line.
FAILOVER = ("reRegisterOn", "failRegistrationOn", "onlySignalWithRegistered", "failBack.mode", "failBack.timeout")
JUDGED = (*FAILOVER, "authOptimizedInFailover", "register")
FAILBACK_TIMEOUT_MIN = 60  # C6: 1-59 act as 60
DEFAULT_PORTS = {"udp": 5060, "tcp": 5060, "tls": 5061, "ws": 5060, "wss": 5061}


class Regime(StrEnum):
    """The four regimes of reference-model.md 2."""

    R0 = "R0"  # reRegisterOn=0
    R1 = "R1"  # 1, failRegistrationOn=0
    R2 = "R2"  # 1, 1, onlySignalWithRegistered=1
    R3 = "R3"  # 1, 1, 0


class Mode(StrEnum):
    """failBack.mode."""

    NEW_REQUESTS = "newRequests"
    DNSTTL = "DNSTTL"
    REGISTRATION = "registration"
    DURATION = "duration"


class Origin(StrEnum):
    """How a setting got its value (contract.md 3)."""

    EXPLICIT = "explicit"
    INHERITED = "inherited"
    DEFAULT = "default"
    UNKNOWN = "unknown"
    AMBIGUOUS = "ambiguous"


Value = int | str


class Setting(Struct, frozen=True, gc=False):
    """One setting of a line. `value` is None when unknown; `source` is `file:line where`, or None.

    An ambiguous one has no value, but two or more `candidates`, and it is not known which of them holds (C2).
    """

    value: Value | None
    source: str | None
    origin: Origin
    candidates: tuple[Value, ...] = ()


UNKNOWN = Setting(None, None, Origin.UNKNOWN)


class LineSettings(Struct, frozen=True):
    """The settings in force for one line at one entry, by name (`reRegisterOn`, `failBack.mode`, `retryTimeOut` ...).

    A name that is absent is unknown.  `declared`: some block declared the line; then absent suffixes have been filled
    with
    defaults.  `doubted`: a file that is not available may state one of these otherwise (C7).
    """

    values: dict[str, Setting] = {}
    declared: bool = False
    doubted: bool = False

    def get(self, name: str) -> Setting:
        return self.values.get(name, UNKNOWN)

    def number(self, name: str) -> int | None:
        """The setting as a whole number, None when unknown or not one."""
        value = self.get(name).value
        return value if isinstance(value, int) else None

    def candidates(self, name: str) -> tuple[Value, ...]:
        """The values that the setting may have, as far as they are known; empty if it may have any."""
        setting = self.get(name)
        return setting.candidates if setting.value is None else (setting.value,)

    def can_be(self, name: str, value: Value) -> bool:
        """Whether the statements on the setting allow this value; False where there are none."""
        setting = self.values.get(name)
        if setting is None:
            return False
        return value in (self.candidates(name) or (value,))

    @property
    def ambiguous(self) -> bool:
        """Whether two statements on a setting that is judged differ, and it is not known which one holds (C2)."""
        return any(self.get(name).candidates for name in JUDGED)

    @property
    def regime(self) -> Regime | None:
        """R0-R3, or None while a setting that decides it is unknown."""
        re_register = self.number("reRegisterOn")
        if re_register == 0:
            return Regime.R0
        fail_registration = self.number("failRegistrationOn")
        if re_register is None or fail_registration is None:
            return None
        if fail_registration == 0:  # C5: the third switch needs both
            return Regime.R1
        only = self.number("onlySignalWithRegistered")
        return None if only is None else Regime.R2 if only else Regime.R3

    @property
    def mode(self) -> Mode | None:
        """failBack.mode, None while it is unknown."""
        value = self.get("failBack.mode").value
        return Mode(value) if value in set(Mode) else None

    @property
    def failback_timeout(self) -> int | None:
        """Seconds, clamped (C6); 0: never before the next failover; None: unknown."""
        seconds = self.number("failBack.timeout")
        return None if seconds is None else max(seconds, FAILBACK_TIMEOUT_MIN) if seconds else 0


class EntryServer(Struct, frozen=True, gc=False):
    """One server of an entry. `address` is None while its name has not been resolved."""

    address: str | None
    port: int
    transport: str
    priority: int
    name: str | None = None

    @property
    def key(self) -> str:
        """`host:port`, the server as the model knows it (IPv6 in brackets); the name stands in for an address."""
        return _key(self.address or self.name or "?", self.port)


@lru_cache(maxsize=4096)   # looked up for each new line, for each server of its entries
def _key(host: str, port: int) -> str:
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"


class ServerEntry(Struct, frozen=True):
    """One configured server resolved to an ordered list: the unit inside which failover moves.

    `servers` highest priority first (smallest number), `dns_ttl` the declared TTL in seconds, `proxy` true for an
    outbound
    proxy's list, `origin` site | provisioning | dns.
    """

    name: str
    servers: tuple[EntryServer, ...]
    proxy: bool = False
    dns_ttl: int | None = None
    origin: str = "site"

    def find(self, host: str, port: int | None) -> EntryServer | None:
        """The server at this address and port, otherwise the only one at that host (another port is never a move)."""
        at_host = [server for server in self.servers if server.address == host]
        for server in at_host:
            if server.port == port:
                return server
        return at_host[0] if len(at_host) == 1 else None

    def priority(self, key: str) -> int | None:
        """Priority of the server with this key, None if it is not in the entry."""
        for server in self.servers:
            if server.key == key:
                return server.priority
        return None

    @property
    def primary(self) -> EntryServer | None:
        """The one server of best priority; None when several share it (load balancing)."""
        return _primary(self.servers)


@lru_cache(maxsize=4096)   # looked up for nearly each call
def _primary(servers: tuple[EntryServer, ...]) -> EntryServer | None:
    best = min((server.priority for server in servers), default=0)
    firsts = [server for server in servers if server.priority == best]
    return firsts[0] if len(firsts) == 1 else None


MOST_TOLERANCE = 3600.0  # seconds


class Tolerances(Struct, frozen=True, gc=False):
    """Seconds. `timer`: how early a failback may come, how late a failover; `idle_retry`: how long a call must have
    been up, and how soon after its end a due try must follow; `overdue`: how late a due failback may come."""

    timer: float = 2.0
    idle_retry: float = 1.5
    overdue: float = 5.0


class LineIdentity(Struct, frozen=True, gc=False):
    """What the site file can match a line by; None where the capture did not show it. `address` is the phone's."""

    user: str
    domain: str
    aor: str
    address: str
    user_agent: str | None = None
    model: str | None = None
    mac: str | None = None


class Declaration(Struct, frozen=True):
    """What the site file says of one line. `entries` are names, in fallback order.

    `settings` are by entry name, with `""` for all entries that are not named; `at` looks them up.
    """

    entries: tuple[str, ...] = ()
    label: str | None = None
    group: str | None = None
    settings: dict[str, LineSettings] = {}

    def in_force(self) -> Hashable:
        """The part that phones obey, equal for equal settings wherever they are stated, whatever the lines are called.
        """
        settings = [(entry, known.declared, known.doubted, tuple(
            (name, one.value, one.origin, one.candidates) for name, one in sorted(known.values.items())))
            for entry, known in sorted(self.settings.items())]
        return self.entries, tuple(settings)

    def at(self, entry: str | None) -> LineSettings:
        """The settings of the line at an entry, or those for entries that the declaration does not name."""
        return self.settings.get(entry or "") or self.settings.get("", LineSettings())
