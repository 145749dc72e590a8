"""Each rule applies in the regimes and modes that its row names, and in no other: one story under different
settings."""

from __future__ import annotations

import re
from collections.abc import Set
from pathlib import Path

import pytest

from sipaudit.model.scenario import parse
from sipaudit.model.settings import Mode, Regime
from sipaudit.rulebook.pack import load_pack
from sipaudit.rulebook.trial import judge_scenario

FOLDER = Path(__file__).parent / "scenarios"
RULES = {rule.id: rule for rule in load_pack().rules}
REGIMES = {
    Regime.R0: "reRegisterOn=0 failRegistrationOn=0",
    Regime.R1: "reRegisterOn=1 failRegistrationOn=0",
    Regime.R2: "reRegisterOn=1 failRegistrationOn=1 onlySignalWithRegistered=1",
    Regime.R3: "reRegisterOn=1 failRegistrationOn=1 onlySignalWithRegistered=0",
}
MAKE_THE_REGIME = ("reRegisterOn", "failRegistrationOn", "onlySignalWithRegistered", "failBack.mode")
EVERY, GATED = frozenset(Regime), frozenset({Regime.R1, Regime.R2, Regime.R3})
INVALIDATING, R0, R1, R2 = frozenset({Regime.R2, Regime.R3}), {Regime.R0}, {Regime.R1}, {Regime.R2}
ANY, BY_TIMER, LATER = frozenset(Mode), {Mode.DNSTTL, Mode.DURATION}, frozenset(Mode) - {Mode.NEW_REQUESTS}
# From reference-model.md 5, *applies*, with stories: where the first does not break the rule, the second does.
APPLIES: dict[str, tuple[list[tuple[Set[Regime], Set[Mode]]], list[str]]] = {
    "accepted-from-failed-server": ([(R2, ANY)], ["fromfailed-180"]),
    "credentials-to-wrong-server": ([(EVERY, ANY)], ["credentials-r0-optimized"]),
    "deregistration-at-failover": ([(GATED, ANY)], ["dereg-after-the-move"]),
    "failback-during-call": ([(INVALIDATING, BY_TIMER)], ["during-before-capture"]),
    "failback-probe-registration": ([(R1, ANY - {Mode.REGISTRATION})], ["probe-new-requests"]),
    "failback-retried-too-often": ([(INVALIDATING, BY_TIMER)], ["often-r3", "often-dnsttl"]),
    "failback-without-registration": ([(INVALIDATING, ANY)], ["noreg-registration"]),
    "failover-missing": ([(EVERY, ANY)], ["missing-edge-reached"]),
    "failover-skipped-server": ([(EVERY, ANY)], ["skipped-after-icmp"]),
    "failover-without-failure": ([(EVERY, ANY)], ["fwf-subscribe"]),
    "flapping": ([(EVERY, ANY)], ["flapping-three-servers", "flapping-r0"]),
    "overdue-failback": ([(EVERY, BY_TIMER), (INVALIDATING, {Mode.REGISTRATION})],
                         ["overdue-r1-challenger", "overdue-renewal-r3"]),
    "premature-failback": ([(EVERY, LATER)], ["premature-subscribe"]),
    "primary-not-tried-first": ([(EVERY, {Mode.NEW_REQUESTS})], ["fwf-found-r0-new-requests"]),
    "registration-without-expiry": ([(EVERY, ANY)], ["noexpiry-one-server"]),
    "secondary-abandoned": ([(EVERY, ANY)], ["abandoned-r1", "abandoned-passed-r0"]),
    "signalling-after-expiry": ([(INVALIDATING, ANY)], ["lapsed-33-seconds"]),
    "signalling-to-failed-server": ([(R2, ANY)], ["tofailed-message"]),
    "signalling-to-unregistered-server": ([(GATED, ANY)], ["unregistered-message-r1"]),
    "unexpected-re-registration": ([(R0, ANY)], ["rereg-five-seconds"]),
}
CASES = [(rule, regime, mode) for rule in sorted(RULES) for regime in Regime for mode in Mode]


def under(text: str, regime: Regime, mode: Mode) -> str:
    """The story under this regime and mode, with a TTL of a minute where the mode of failback needs one."""
    def settings(found: re.Match[str]) -> str:
        kept = [word for word in found[1].split() if word.partition("=")[0] not in MAKE_THE_REGIME]
        return f"settings: {REGIMES[regime]} failBack.mode={mode} {' '.join(kept)}"

    text = re.sub(r"^settings: (.*)$", settings, text, count=1, flags=re.MULTILINE)
    return text if mode is not Mode.DNSTTL or "ttl" in text else text.replace("\n0  ", "\nttl: 60\n0  ", 1)


@pytest.mark.parametrize(("rule", "regime", "mode"), CASES, ids=lambda value: str(value))
def test_a_rule_speaks_where_its_requirement_binds_and_nowhere_else(rule: str, regime: Regime, mode: Mode) -> None:
    applies, stories = APPLIES[rule]
    texts = [(FOLDER / f"{story}.scenario").read_text() for story in stories]
    found = [judge_scenario(parse(under(text, regime, mode)), [RULES[rule]])[1] for text in texts]
    assert any(found) is any(regime in regimes and mode in modes for regimes, modes in applies)
