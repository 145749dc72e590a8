"""The meaning of settings in plain words, and the failover behaviour that they predict."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from sipaudit.model.settings import LineSettings, Mode, Origin, Regime, ServerEntry, Setting
from sipaudit.model.timers import DEFAULT_RETRIES, earliest_silence, latest_silence, renewal
from sipaudit.rulebook.wording import in_words


def meaning(name: str, setting: Setting, settings: LineSettings) -> str:
    """What a setting makes the line do; if the setting is not known, why not."""
    if setting.origin is Origin.AMBIGUOUS:
        values = " or ".join(str(value) for value in setting.candidates)
        return f"{values}: statements differ, and no source says which one holds"
    if setting.value is None:
        return "no valid value is known, so what the phone does is not known"
    if name in SWITCHES:
        on, off = SWITCHES[name]
        return on if settings.number(name) == 1 else off
    if name in TIMES:
        return TIMES[name].format(in_words(settings.number(name) or 0))
    return MEANINGS[name](settings) if name in MEANINGS else SUBJECTS.get(name, "")


def _fail_registration(settings: LineSettings) -> str:
    if settings.number("reRegisterOn") == 0:
        return "does nothing while reRegisterOn is 0"
    if settings.number("failRegistrationOn") == 1:
        return "a failover drops the registration at the server that failed, so the return begins with a REGISTER"
    return "the registration at the server that failed is kept, so the return needs no REGISTER"


def _only_signal(settings: LineSettings) -> str:
    if settings.number("reRegisterOn") == 0 or settings.number("failRegistrationOn") == 0:
        return "does nothing unless reRegisterOn and failRegistrationOn are 1"
    if settings.number("onlySignalWithRegistered") == 1:
        return "nothing is sent to or taken from a server that failed; its calls end at the next hold or resume"
    return "calls through the server that failed can still be held, resumed and ended there"


def _mode(settings: LineSettings) -> str:
    return {
        Mode.NEW_REQUESTS: "every new call tries the first server first",
        Mode.DNSTTL: "the first server is tried again when the TTL of the servers' name has run out",
        Mode.REGISTRATION: "the first server is tried again when the registration is renewed",
        Mode.DURATION: "the first server is tried again after failBack.timeout",
    }[Mode(str(settings.get("failBack.mode").value))]


def _timeout(settings: LineSettings) -> str:
    if settings.mode is not None and settings.mode is not Mode.DURATION:
        return f"does nothing in mode {settings.mode}"
    seconds = settings.failback_timeout or 0
    return f"that is {in_words(seconds)} after a move" if seconds else "never, until the server in use fails in turn"


def _interval(settings: LineSettings) -> str:
    milliseconds = settings.number("retryTimeOut")
    if not milliseconds:
        return "requests are repeated as RFC 3261 says, with growing pauses"
    return f"requests are repeated every {in_words(milliseconds / 1000)}"


def _retries(settings: LineSettings) -> str:
    return f"{settings.number('retryMaxCount') or DEFAULT_RETRIES} repetitions before the next server is tried"


def _proxy(settings: LineSettings) -> str:
    used = settings.number("useOutboundProxy") == 1 and settings.get("outboundProxy.address").value is not None
    return "the line sends through its outbound proxy" if used else "no outbound proxy is in effect"


SWITCHES = {   # the meaning of 1, and of any other value
    "register": ("the line registers", "the line does not register"),
    "reRegisterOn": (
        "after a failover the line registers with the next server before it uses it",
        "servers share registrations: after a failover the next server is used without registering there"),
    "authOptimizedInFailover": (
        "the first new request after a failover goes to the server that last asked for credentials",
        "the first new request after a failover goes to the head of the list"),
    "concurrentRegistration": (
        "the line registers with all servers at once; failover is not judged",
        "the line registers with one server at a time"),
    "tcpFastFailover": ("over TCP silence counts as soon as over UDP", "over TCP silence counts after 32 s"),
    "failoverOn503Response": (
        "a 503 answer counts as a failure of the server", "a 503 answer counts as an answer"),
}
TIMES = {
    "expires": "asks for registrations of {}",
    "expires.overlap": "renews a registration {} before it ends",
    "registerRetry.baseTimeOut": "a failed registration is tried again after about {}",
    "registerRetry.maxTimeOut": "the pauses between tries grow to {} at most",
}
MEANINGS: dict[str, Callable[[LineSettings], str]] = {
    "failRegistrationOn": _fail_registration, "onlySignalWithRegistered": _only_signal, "failBack.mode": _mode,
    "failBack.timeout": _timeout, "retryTimeOut": _interval, "retryMaxCount": _retries, "useOutboundProxy": _proxy,
}
SUBJECTS = {   # of settings that only name something
    "address": "the server that the line is configured for", "outboundProxy.address": "the outbound proxy",
    "specialInterop": "the kind of server", "port": "the server's port; 0 lets DNS tell",
    "transport": "how the server is reached",
}


def predictions(settings: LineSettings, entry: ServerEntry | None) -> Iterator[str]:
    """What happens when the first server falls silent: when the phone notices, also when idle, and when the line
    returns."""
    if entry is not None and len(entry.servers) == 1:
        yield "The server has one address: there is nothing to fail over to."
        return
    yield _noticed(settings)
    yield _idle(settings)
    yield from _return(settings, entry)


def _noticed(settings: LineSettings) -> str:
    latest = latest_silence(settings)
    if latest is None:
        return "How long a silence it takes until the next server is tried cannot be told."
    earliest = f"{earliest_silence(settings) + 1e-9:.1f}"  # 3.15 is shown as 3.2
    return f"Silence is noticed {earliest}-{in_words(latest)} after a request that gets no answer."


def _idle(settings: LineSettings) -> str:
    expires, overlap = settings.number("expires"), settings.number("expires.overlap")
    if settings.number("register") == 0:
        return "An idle phone does not notice a dead server: it has no registration to renew."
    if expires is None or overlap is None:
        return "When an idle phone notices a dead server cannot be told: when it renews its registration is not known."
    return (f"An idle phone notices a dead server only when it renews, up to {in_words(renewal(expires, settings))} "
            f"later (if the server grants {expires} s); until then calls to it are lost.")


def _return(settings: LineSettings, entry: ServerEntry | None) -> Iterator[str]:
    regime, mode = settings.regime, settings.mode
    if mode is None:
        yield "When the line returns to the first server cannot be told: its failBack.mode is not known."
        return
    invalidates = regime in (Regime.R2, Regime.R3)
    how = "" if regime is None else " with a REGISTER" if invalidates else " with a call"
    if mode is Mode.NEW_REQUESTS:
        yield "It returns with the next call that the first server answers."
    elif mode is Mode.REGISTRATION:
        yield f"It returns when the registration at the server in use is renewed ({_renewal(settings)})."
    else:
        busy = ", when the phone is idle" if invalidates else ""   # B5: its REGISTER waits until the phone is idle
        yield f"It returns{how} {_when(settings, mode, entry)}{busy}."


def _renewal(settings: LineSettings) -> str:
    expires, overlap = settings.number("expires"), settings.number("expires.overlap")
    if expires is None or overlap is None:
        return "when that is, is not known"
    return f"{in_words(renewal(expires, settings))} after it was granted"


def _when(settings: LineSettings, mode: Mode, entry: ServerEntry | None) -> str:
    if mode is Mode.DNSTTL:
        ttl = None if entry is None else entry.dns_ttl
        return "when the TTL of the servers' name has run out" + (f", {in_words(ttl)} after the move" if ttl else "")
    timeout = settings.failback_timeout
    if timeout is None:
        return "after a timeout that is not known"
    return f"{in_words(timeout)} after the move" if timeout else "only when the server in use fails in its turn"
