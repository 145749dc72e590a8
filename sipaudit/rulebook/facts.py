"""The names that conditions and texts of rules may use, and how each is shown. A new fact is one line here."""

from __future__ import annotations

from enum import StrEnum


class Shown(StrEnum):
    """How a fact reads in a sentence."""

    AS_IT_IS = "as it is"
    SECONDS = "seconds"   # a length of time, in words
    SERVER = "server"     # server keys with blanks between them, each shown by its name


# What an observation may offer, beside the settings of its line.
FACTS: dict[str, Shown] = {
    "clause": Shown.AS_IT_IS,      # the requirement that the row of the model's table enforces
    "regime": Shown.AS_IT_IS,      # R0 R1 R2 R3
    "mode": Shown.AS_IT_IS,        # newRequests DNSTTL registration duration
    "kind": Shown.AS_IT_IS,        # one word by which an observation tells its variants apart
    "method": Shown.AS_IT_IS,
    "status": Shown.AS_IT_IS,      # a response's code
    "registered": Shown.AS_IT_IS,  # never pending expired refused zero removed
    "count": Shown.AS_IT_IS,
    "calls": Shown.AS_IT_IS,
    "server": Shown.SERVER,        # the other end of the packet that condemns
    "working": Shown.SERVER,
    "primary": Shown.SERVER,
    "challenger": Shown.SERVER,    # who last answered 401 or 407
    "skipped": Shown.SERVER,       # servers passed over
    "silent": Shown.SECONDS,       # since the first sign that the working server had failed
    "elapsed": Shown.SECONDS,      # since the move
    "earliest": Shown.SECONDS,     # from the move to the earliest moment allowed
    "due": Shown.SECONDS,          # from the move to the moment by which it had to come
    "overdue": Shown.SECONDS,      # past that moment
    "call_up": Shown.SECONDS,      # how long a call had been up
    "timeout": Shown.SECONDS,
    "ttl": Shown.SECONDS,
    "expires": Shown.SECONDS,
}
SECONDS = frozenset(name for name, shown in FACTS.items() if shown is Shown.SECONDS)
SERVERS = frozenset(name for name, shown in FACTS.items() if shown is Shown.SERVER)

# The settings that a text may name: `{failBack.timeout}` reads as value and source (reference-model.md 2).
SETTINGS = frozenset({
    "reRegisterOn", "failRegistrationOn", "onlySignalWithRegistered", "failBack.mode", "failBack.timeout",
    "address", "port", "transport", "expires", "expires.overlap", "register", "retryTimeOut", "retryMaxCount",
    "registerRetry.baseTimeOut", "registerRetry.maxTimeOut", "tcpFastFailover", "useOutboundProxy",
    "outboundProxy.address", "authOptimizedInFailover", "failoverOn503Response", "concurrentRegistration",
    "specialInterop",
})

# What an issue of provisioning files offers to its rule: the parameter, its value, and what else there is to say.
SETTING_FACTS = frozenset({
    "attribute", "value", "effective", "other", "nearest", "expected", "reason", "entry", "model", "firmware", "count",
})
