"""A plan as values. Times are in seconds after its start, shares from 0 to 1; docs/simulate.md describes each field."""

from __future__ import annotations

from msgspec import Struct

START = 1_795_348_800.0  # 2026-11-22 12:00:00 UTC
FOREVER = float("inf")
WRONGS = (   # deviations that phones can be told to commit, by the rule that names each
    "signalling-to-unregistered-server", "signalling-after-expiry", "deregistration-at-failover",
    "unexpected-re-registration", "signalling-to-failed-server", "accepted-from-failed-server",
    "failover-without-failure", "failover-skipped-server", "failover-missing", "premature-failback",
    "overdue-failback", "failback-during-call", "failback-without-registration", "failback-probe-registration",
    "failback-retried-too-often", "primary-not-tried-first", "secondary-abandoned", "credentials-to-wrong-server",
)


class Fault(Struct, frozen=True):
    """A fault of a server from `start` to `end`. `up` and `down` are the seconds that a flapping server is up and down,
    `target` is the server to which a redirecting one sends calls."""

    kind: str
    start: float = 0.0
    end: float = FOREVER
    retry_after: int | None = None
    delay: float = 3.0
    up: float = 30.0
    down: float = 30.0
    target: str | None = None


class ServerPlan(Struct, frozen=True):
    """A server: which requests it challenges, what it grants, and after how many seconds it answers."""

    address: str
    port: int = 5060
    challenge: str = "register"
    nonce_life: float = FOREVER
    expires: int = 3600
    contacts: int = 0
    answer: float = 0.004
    options_every: float | None = None
    faults: tuple[Fault, ...] = ()
    line: int = 0


class EntryPlan(Struct, frozen=True):
    """A failover list. `name` is looked up in DNS with a TTL of `ttl` seconds; `dns_ttl` appears in the site file only,
    and counts as the TTL if there is no `name`."""

    servers: tuple[str, ...]
    name: str | None = None
    ttl: int = 3600
    dns_ttl: int | None = None
    balanced: bool = False
    line: int = 0

    @property
    def life(self) -> float:
        """The TTL in seconds: that of `name`, else the declared `dns_ttl`, else endless."""
        if self.name is not None:
            return float(self.ttl)
        return FOREVER if self.dns_ttl is None else float(self.dns_ttl)


class Settings(Struct, frozen=True):
    """The failover settings of a phone, with the vendor's defaults."""

    register: int = 1
    reRegisterOn: int = 0
    failRegistrationOn: int = 0
    onlySignalWithRegistered: int = 1
    failBack_mode: str = "newRequests"
    failBack_timeout: int = 3600
    expires: int = 3600
    expires_overlap: int = 60
    retryTimeOut: int = 0
    retryMaxCount: int = 3
    failoverOn503Response: int | None = None
    registerRetry_baseTimeOut: int = 60
    registerRetry_maxTimeOut: int = 60

    @property
    def regime(self) -> str:
        """R0 to R3 (reference-model.md 2)."""
        if not self.reRegisterOn:
            return "R0"
        if not self.failRegistrationOn:
            return "R1"
        return "R2" if self.onlySignalWithRegistered else "R3"

    @property
    def timeout(self) -> float:
        """The effective failBack.timeout in seconds: 1 to 59 count as 60, 0 as never."""
        if self.failBack_timeout == 0:
            return FOREVER
        return float(max(60, self.failBack_timeout))


class Habits(Struct, frozen=True):
    """Behaviour that the specification leaves open, as set for a group of phones; None: drawn for each phone."""

    retries: str | None = None
    on_503: str | None = None
    renews: str | None = None
    keeps_old: bool | None = None
    refuses: str | None = None
    half_renewal: bool = False
    new_call_id: bool | None = None


class Moments(Struct, frozen=True):
    """When calls are made: at the moments `at`, and about every `every` seconds (at random) from `start` to `end`; each
    lasts `seconds`."""

    at: tuple[float, ...] = ()
    every: float | None = None
    start: float = 0.0
    end: float = FOREVER
    seconds: float = 20.0


class Calls(Moments, frozen=True):
    """Outgoing calls of each line."""

    kind: str = "talk"
    number: str | None = None
    rtp: bool = False


class Incoming(Moments, frozen=True):
    """Incoming calls to each line. `server`: where they come from, `newest` (where the line registered last) or a name.
    """

    server: str = "newest"


class Group(Struct, frozen=True):
    """A group of identical phones."""

    entry: str
    fallback: str | None = None
    group: str | None = None
    count: int = 1
    user: int = 1001
    lines: int = 1
    shared: bool = False
    network: str | None = None
    agent: str = "PolycomVVX-VVX_500-UA/4.0.1.13681"
    transport: str = "udp"
    settings: Settings = Settings()
    stated: dict[str, str] = {}
    declared: bool = True
    habits: Habits = Habits()
    boot: tuple[float, ...] = (0.0, 5.0)
    calls: tuple[Calls, ...] = ()
    incoming: tuple[Incoming, ...] = ()
    subscribe: bool = False
    subscribe_expires: int = 3600
    options_every: float | None = None
    keepalive_every: float | None = None
    reboot: tuple[float, ...] = ()
    new_address: bool = False
    boot_traffic: bool = False
    log_out: float | None = None
    nat: str | None = None
    deviates: tuple[str, ...] = ()
    line: int = 0

    @property
    def declaration(self) -> tuple[object, ...]:
        """What the site file declares for these phones: groups with equal declarations may share a network."""
        return (self.network, self.nat, self.entry, self.fallback, self.group,
                tuple(self.stated.items()) if self.declared else None)


class Network(Struct, frozen=True):
    """The path between phones and servers: one-way `delay` plus up to `jitter` (seconds), and the shares of packets
    that are lost, duplicated or reordered."""

    delay: float = 0.001
    jitter: float = 0.0005
    loss: float = 0.0
    duplicate: float = 0.0
    reorder: float = 0.0


class Tap(Struct, frozen=True):
    """What the tap captures of the traffic."""

    loss: float = 0.0
    start: float = 0.0
    sees: str = "both"
    doubles: float = 0.0
    vlans: tuple[int, ...] = ()
    tunnel: str = "none"
    mtu: int | None = None
    keys: bool = False


class Plan(Struct, frozen=True):
    """A whole plan; `name` is that of its file."""

    servers: dict[str, ServerPlan]
    entries: dict[str, EntryPlan]
    phones: tuple[Group, ...]
    name: str = "plan"
    seed: int = 1
    start: float = START
    duration: float = 600.0
    domain: str = "pbx.example.com"
    network: Network = Network()
    tap: Tap = Tap()

    def phones_in(self, network: str | None) -> int:
        """How many phones have an address of this network."""
        return sum(group.count for group in self.phones if group.network == network)
