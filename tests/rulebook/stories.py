"""Rules made for a test, and the pieces that tests share."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from sipaudit.model.events import ModelEvent, Sent
from sipaudit.model.observations import Fact, Observation, Verdict
from sipaudit.model.settings import LineSettings
from sipaudit.model.values import Finding, Frame
from sipaudit.rulebook.faults import Faults
from sipaudit.rulebook.pack import Loader, load_pack, pack_folder, read_pack
from sipaudit.rulebook.rules import Rule, RulePack

PREMATURE = next(pack_folder().rglob("premature-failback.yaml"))
RULE = """\
id: {name}
title: The line did what it must not
severity: info
{more}
basis: [B4]
on: {{expectation: {takes}, verdict: [early, forbidden]}}
message:
  - expected: not {{server}}
    observed: "{{method}} to {{server}}, {{working}} works, {{skipped}} passed over"
documentation:
  what: what
  why: why
  false_positives: none
  misses: none
  fix: fix
"""
CALLS_TOO_SOON = """\
entry: P S
settings: reRegisterOn=1 failRegistrationOn=0 failBack.mode=newRequests
0       > P REGISTER
0.1     < P 200 REGISTER expires=3600
300     > P INVITE
303.5   > S INVITE
"""

NOTHING_KNOWN = LineSettings()


def rule_text(name: str = "mine", takes: str = "failback-before-due", more: str = "") -> str:
    return RULE.format(name=name, takes=takes, more=more)


def pack_in(folder: Path, *over: Path) -> RulePack:
    """The rules of a folder instead of those that ship, with every condition checked, plus the rules of `over`."""
    loader = Loader(read_pack(folder, check=True))
    for path in over:
        loader.add(path)
    return loader.done()


def rules(tmp_path: Path, *texts: str) -> dict[str, Rule]:
    """The rules of these texts, by id, as --rules would read them."""
    for number, text in enumerate(texts):
        (tmp_path / f"{number}.yaml").write_text(text)
    return {rule.id: rule for rule in load_pack([tmp_path]).rules}


@dataclass(frozen=True)
class Who:
    """The line, phone and entry whose step it is."""

    line: str = "sip:1001@example.com"
    phone: str = "10.1.0.5:5060"
    entry: str | None = "sbc"
    settings: LineSettings = NOTHING_KNOWN

    def server(self, key: str) -> str:
        return key.replace(":5060", "/udp")

    def sees(self, key: str) -> bool:
        return True

    def loses_sight(self, key: str, time: float) -> bool:
        return False

    def skew(self) -> float:
        return 0.0

    def frame(self, event: ModelEvent) -> Frame:
        return Frame("a.pcap", event.frame, event.time, "INVITE")


def seen(time: float, expectation: str = "failback-before-due", verdict: Verdict = Verdict.EARLY, **facts: Fact
         ) -> Observation:
    """A request that breaks an expectation."""
    event = Sent(time, 0, int(time * 10), 0, 0, "P:5060", "INVITE", int(time * 10))
    return Observation(expectation, "B4", verdict, event, "P:5060", facts=facts)


def found(faults: Faults) -> list[tuple[float | None, str, str, list[str]]]:
    """(time, rule, severity, also) of each finding."""
    return [(one.time, one.rule, one.severity.value, one.also) for one in faults.findings()]


def only(faults: Faults) -> Finding:
    (finding,) = faults.findings()
    return finding


def frames(finding: Finding) -> list[Frame]:
    """The packets that are its evidence, which must hold nothing else."""
    found = [proof for proof in finding.evidence if isinstance(proof, Frame)]
    assert len(found) == len(finding.evidence)
    return found
