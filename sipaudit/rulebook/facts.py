"""The names that conditions and texts of rules may use, and how each is displayed. To add a fact, add one line here."""

from __future__ import annotations

from enum import StrEnum
from typing import NamedTuple


class Shown(StrEnum):
    """How a fact reads in a sentence."""

    AS_IT_IS = "as it is"
    SECONDS = "seconds"   # a duration, in words
    SERVER = "server"     # server keys separated by blanks, each shown by name


class Fact(NamedTuple):
    """A fact's name on the HTML page, and its form in a sentence."""

    words: str
    shown: Shown = Shown.AS_IT_IS


# The facts that an observation may have, besides the settings of its line.
FACTS: dict[str, Fact] = {
    "clause": Fact("requirement"),      # that the row of the model's table enforces
    "regime": Fact("regime"),           # R0 R1 R2 R3
    "mode": Fact("failback mode"),      # newRequests DNSTTL registration duration
    "kind": Fact("variant"),            # one word that distinguishes the variants of an observation
    "method": Fact("request"),
    "status": Fact("response"),         # its code
    "registered": Fact("registration there"),  # never pending expired refused zero removed invalidated
    "count": Fact("counted"),
    "calls": Fact("calls"),
    "server": Fact("server", Shown.SERVER),    # the other end of the packet that condemns
    "working": Fact("working server", Shown.SERVER),
    "primary": Fact("first server", Shown.SERVER),
    "challenger": Fact("asked for credentials", Shown.SERVER),  # the server that last answered 401 or 407
    "skipped": Fact("passed over", Shown.SERVER),               # servers
    "silent": Fact("server silent for", Shown.SECONDS),  # since the first sign that the working server had failed
    "elapsed": Fact("time elapsed", Shown.SECONDS),      # since the move
    "earliest": Fact("allowed after", Shown.SECONDS),    # from the move to the earliest moment allowed
    "due": Fact("due after", Shown.SECONDS),             # from the move to the latest moment allowed
    "overdue": Fact("late by", Shown.SECONDS),           # past that moment
    "call_up": Fact("call up for", Shown.SECONDS),       # how long a call had been up
    "timeout": Fact("failBack.timeout", Shown.SECONDS),
    "ttl": Fact("TTL", Shown.SECONDS),
    "expires": Fact("expiry", Shown.SECONDS),
}
SECONDS = frozenset(name for name, fact in FACTS.items() if fact.shown is Shown.SECONDS)
NUMBERS = SECONDS | {"status", "count", "calls"}   # the facts that are numbers in conditions; all others are words
SERVERS = frozenset(name for name, fact in FACTS.items() if fact.shown is Shown.SERVER)

# The settings that a text may use: `{failBack.timeout}` becomes value and source (reference-model.md 2).
SETTINGS = frozenset({
    "reRegisterOn", "failRegistrationOn", "onlySignalWithRegistered", "failBack.mode", "failBack.timeout",
    "address", "port", "transport", "expires", "expires.overlap", "register", "retryTimeOut", "retryMaxCount",
    "registerRetry.baseTimeOut", "registerRetry.maxTimeOut", "tcpFastFailover", "useOutboundProxy",
    "outboundProxy.address", "authOptimizedInFailover", "failoverOn503Response", "concurrentRegistration",
    "specialInterop",
})

# The facts that an issue of provisioning files gives its rule, with their names on the page: the parameter, its value,
# and further details.
SETTING_FACTS: dict[str, str] = {
    "attribute": "parameter", "value": "value", "effective": "acts as", "other": "other", "nearest": "nearest name",
    "expected": "expected", "reason": "reason", "entry": "entry", "model": "model", "firmware": "firmware",
    "count": "counted",
}

# The names of the measured facts on the page; `times` and `lines` are counted where findings are made.
WORDS = {**SETTING_FACTS, **{name: fact.words for name, fact in FACTS.items()}, "times": "how often", "lines": "lines"}
