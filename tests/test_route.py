"""The scenarios once more, this time as packets through the whole route."""

from __future__ import annotations

from pathlib import Path

import pytest

from sipaudit import pipeline
from sipaudit.model.scenario import parse
from tests.wire import ORIGIN, NoWireFormError, put_on_wire

FOLDER = Path(__file__).parent / "model" / "scenarios"
# Packets cannot express what these scenarios say, or they would show more.
NOT_ON_THE_WIRE = {
    "unregistered-answer-lost": "nothing was heard of S at all, which is one-way and not loss",
    "premature-not-when-the-answer-of-the-move-is-lost-r1":
        "nothing was heard of S before the call, which is one-way and not loss",
    "fwf-not-when-a-binding-may-be-renewed":
        "nothing was heard of S before the call, which is one-way and not loss",
    "lapsed-not-when-the-answer-to-a-renewal-is-lost": "a settings block declares what it leaves out, too",
    "lapsed-near-loss": "one packet of so few is more than half a percent",
    "tofailed-a-try-may-lack": "one packet of so few is more than half a percent",
    "tofailed-near-loss": "one packet of so few is more than half a percent",
    "fromfailed-near-loss": "one packet of so few is more than half a percent",
    "premature-mode-unknown": "a settings block declares what it leaves out, too",
    "credentials-r0-unknown": "a settings block declares what it leaves out, too",
    "credentials-near-loss": "in so short a capture one lost packet is more than 0.5 %",
    "fwf-near-loss": "in so short a capture one lost packet is more than 0.5 %",
    "premature-no-failure-stands-since-the-gap": "in so short a capture one lost packet is more than 0.5 %",
    "premature-loss-beyond-64-seconds": "in so short a capture one lost packet is more than 0.5 %",
    "overdue-renewal-possible-boot": "a phone that may have started has registered at P, which is a contact",
    "fwf-timers-undeclared-too-soon": "a settings block declares what it leaves out, too",
    "fwf-timers-undeclared-waited": "a settings block declares what it leaves out, too",
    "skipped-near-loss": "in so short a capture one lost packet is more than 0.5 %",
    "overdue-r2-mode-unknown": "a settings block declares what it leaves out, too",
    "overdue-r2-near-loss": "one packet of so few is more than half a percent, and evidence by absence ends there",
    "primary-near-loss": "one packet of so few is more than half a percent, and evidence by absence ends there",
    "during-mode-unknown": "a settings block declares what it leaves out, too",
    "primary-r0-timers-unknown": "a settings block declares what it leaves out, too",
    "primary-r0-timers-unknown-register-open": "a settings block declares what it leaves out, too",
    "primary-mode-unknown": "a settings block declares what it leaves out, too",
    "accepted-a-reset-of-another-line": "it was a request of another line that broke the connection",
    "groundless-a-busy-elsewhere-may-have-moved-it": "an answer to nothing that was seen is no packet of the line",
    "groundless-driven-away-and-renewed": "an answer to nothing that was seen is no packet of the line",
    "groundless-looks-on-for-a-server": "an answer to nothing that was seen is no packet of the line",
    "premature-an-overtaken-call-is-late": "an answer to nothing that was seen is no packet of the line",
    "premature-unseen-call-and-another": "one packet of so few is more than half a percent",
    "unregistered-found-by-an-unseen-request": "an answer to nothing that was seen is no packet of the line",
    "credentials-challenger-closed-by-the-phone": "a connection that only ends is begun as well, which is a contact",
    "primary-r0-optimized-unknown": "a settings block declares what it leaves out, too",
}


def agent_of(text: str) -> str:
    header = next((line for line in text.splitlines() if line.startswith("agent:")), "agent: VVX_500 4.0.1.13681")
    model, _, firmware = header.removeprefix("agent:").strip().partition(" ")
    return "Telephone/1.0" if model == "unknown" else f"PolycomVVX-{model}-UA/{firmware}"


@pytest.mark.parametrize("path", sorted(FOLDER.glob("*.scenario")), ids=lambda path: path.stem)
def test_scenario_on_the_wire_is_judged_as_in_the_model(path: Path, tmp_path: Path) -> None:
    if path.stem in NOT_ON_THE_WIRE:
        pytest.skip(NOT_ON_THE_WIRE[path.stem])
    text = path.read_text()
    if "agent: unknown" in text:
        pytest.skip("an unknown agent in packets is another vendor's or none")
    scenario = parse(text)
    try:
        capture, site = put_on_wire(scenario, tmp_path, agent_of(text))
    except NoWireFormError as error:
        pytest.skip(f"no packet shows {error}")
    report = pipeline.analyze(pipeline.Job(paths=(str(capture),), site=str(site), zone="utc"))
    names = {f"{key}/udp": name for name, key in scenario.names.items()} | {"": "-"}
    found = [f"{(finding.time or 0) - ORIGIN:.3f} {finding.rule} {names[finding.server or '']} {finding.confidence}"
             + "".join(f" {doubt}" for doubt in finding.assumptions) for finding in report.findings]
    found += [f"{move.time - ORIGIN:.3f} move {names[move.from_]} {names[move.to]} {move.kind} {move.cause}"
              for line in report.lines for move in line.moves if "moves" in scenario.show]
    found += [f"? {row.rule} {row.reason}" for row in report.inconclusive for _ in range(row.count)]
    expected = [" ".join(line.split()[1:]) if " ? " in line else line for line in scenario.expected
                if " registered " not in line and " try " not in line]
    assert sorted(found) == sorted(expected)
