"""What `config show` says about settings, and what it predicts."""

from __future__ import annotations

import pytest

from sipaudit.model.settings import EntryServer, LineSettings, Origin, ServerEntry, Setting, Value
from sipaudit.run.meaning import MEANINGS, SUBJECTS, SWITCHES, TIMES, meaning, predictions
from sipaudit.settings.catalogue import DEFAULTS, SETTINGS, declared_block

Said = Value | Setting

SERVERS = (EntryServer("10.0.0.1", 5060, "udp", 1), EntryServer("10.0.0.2", 5060, "udp", 2))
TWO = ServerEntry("sbc", SERVERS, dns_ttl=300)
R2: dict[str, Said] = {"reRegisterOn": 1, "failRegistrationOn": 1}


def block(**said: Said) -> LineSettings:
    """Declared settings; `__` in a name is a dot."""
    return declared_block({name.replace("__", "."): value if isinstance(value, Setting)
                           else Setting(value, "a.cfg:1", Origin.EXPLICIT) for name, value in said.items()})


UNKNOWN = Setting(None, "a.cfg:1", Origin.UNKNOWN)
MEANT: list[tuple[str, dict[str, Said], str]] = [
    ("reRegisterOn", {"reRegisterOn": 1}, "after a failover the line registers with the next server before"),
    ("reRegisterOn", {}, "servers share registrations"),
    ("failRegistrationOn", {}, "does nothing while reRegisterOn is 0"),
    ("failRegistrationOn", R2, "a failover drops the registration"),
    ("failRegistrationOn", {"reRegisterOn": 1}, "the registration at the server that failed is kept"),
    ("onlySignalWithRegistered", {"reRegisterOn": 1}, "does nothing unless"),
    ("onlySignalWithRegistered", R2, "nothing is sent to or taken from"),
    ("onlySignalWithRegistered", {**R2, "onlySignalWithRegistered": 0}, "calls through the server that failed can"),
    ("failBack.mode", {"failBack__mode": "DNSTTL"}, "when the TTL of the servers' name"),
    ("failBack.timeout", {}, "does nothing in mode newRequests"),
    ("failBack.timeout", {"failBack__mode": "duration", "failBack__timeout": 30}, "60 s after a move"),
    ("failBack.timeout", {"failBack__mode": "duration", "failBack__timeout": 0}, "never, until the server in use"),
    ("register", {"register": 0}, "the line does not register"),
    ("retryTimeOut", {"retryTimeOut": 500}, "requests are repeated every 0.5 s"),
    ("retryMaxCount", {"retryMaxCount": 0}, "3 repetitions"),
    ("useOutboundProxy", {"outboundProxy__address": "p"}, "the line sends through its outbound proxy"),
    ("authOptimizedInFailover", {}, "goes to the head of the list"),
    ("authOptimizedInFailover", {"authOptimizedInFailover": 1}, "goes to the server that last asked for credentials"),
    ("concurrentRegistration", {"concurrentRegistration": 1}, "with all servers at once"),
    ("tcpFastFailover", {"tcpFastFailover": 1}, "as soon as over UDP"),
    ("tcpFastFailover", {"tcpFastFailover": 0}, "after 32 s"),
    ("failoverOn503Response", {"failoverOn503Response": 1}, "counts as a failure"),
    ("failoverOn503Response", {"failoverOn503Response": 0}, "counts as an answer"),
    ("reRegisterOn", {"reRegisterOn": UNKNOWN}, "no valid value is known"),
    ("reRegisterOn", {"reRegisterOn": Setting(None, "a", Origin.AMBIGUOUS, (1, 0))}, "1 or 0: statements differ"),
]


@pytest.mark.parametrize(("name", "said", "words"), MEANT)
def test_a_setting_in_plain_words(name: str, said: dict[str, Said], words: str) -> None:
    settings = block(**said)
    assert meaning(name, settings.get(name), settings).startswith(words) or words in meaning(
        name, settings.get(name), settings)


def test_every_setting_has_a_meaning() -> None:
    assert sorted([*MEANINGS, *SUBJECTS, *SWITCHES, *TIMES]) == sorted(SETTINGS)
    assert all(meaning(name, block().get(name), block()) for name in DEFAULTS)


PREDICTED: list[tuple[dict[str, Said], int, str]] = [
    ({"retryTimeOut": 1000, "retryMaxCount": 40}, 0, "Silence is noticed 36.0-41 s after"),
    ({"transport": "TCPOnly", "tcpFastFailover": 0}, 0, "Silence is noticed 28.8-32 s after"),
    ({"retryTimeOut": UNKNOWN}, 0, "How long a silence it takes until the next server is tried cannot be told."),
    ({"register": 0}, 1, "An idle phone does not notice a dead server"),
    ({"expires": UNKNOWN}, 1, "When an idle phone notices a dead server cannot be told"),
    ({"expires__overlap": UNKNOWN}, 1, "When an idle phone notices a dead server cannot be told"),
    ({"expires": 40}, 1, "up to 20 s later"),
    ({"failBack__mode": UNKNOWN}, 2, "When the line returns to the first server cannot be told"),
    ({"failBack__mode": "registration"}, 2, "is renewed (59 min after it was granted)"),
    ({"failBack__mode": "registration", "expires": UNKNOWN}, 2, "is renewed (when that is, is not known)"),
    ({"failBack__mode": "registration", "expires__overlap": UNKNOWN}, 2, "is renewed (when that is, is not known)"),
    ({"failBack__mode": "DNSTTL"}, 2, "with a call when the TTL of the servers' name has run out, 5 min after"),
    ({**R2, "failBack__mode": "duration"}, 2, "It returns with a REGISTER 60 min after the move, when the phone is"),
    ({"reRegisterOn": UNKNOWN, "failBack__mode": "duration"}, 2, "It returns 60 min after the move."),
    ({"failBack__mode": "duration", "failBack__timeout": 0}, 2, "with a call only when the server in use fails in its"),
    ({"failBack__mode": "duration", "failBack__timeout": UNKNOWN}, 2, "after a timeout that is not known"),
]


@pytest.mark.parametrize(("said", "place", "words"), PREDICTED)
def test_what_happens_when_the_first_server_falls_silent(said: dict[str, Said], place: int, words: str) -> None:
    assert words in list(predictions(block(**said), TWO))[place]


def test_a_ttl_that_only_dns_knows() -> None:
    assert list(predictions(block(failBack__mode="DNSTTL"), None))[2].endswith("the servers' name has run out.")
