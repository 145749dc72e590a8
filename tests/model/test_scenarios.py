"""Every scenario file tells a story, and says below its rule what is to be observed."""

from __future__ import annotations

from pathlib import Path

import pytest

from sipaudit.model.scenario import RULE, ScenarioError, parse
from sipaudit.model.transcript import Transcript
from sipaudit.rulebook.pack import load_pack
from sipaudit.rulebook.trial import judge_scenario

FOLDER = Path(__file__).parent / "scenarios"
RULES = load_pack().rules


@pytest.mark.parametrize("path", sorted(FOLDER.glob("*.scenario")), ids=lambda path: path.stem)
def test_scenario_is_judged_as_it_says(path: Path, request: pytest.FixtureRequest) -> None:
    text = path.read_text()
    scenario = parse(text)
    lines, _ = judge_scenario(scenario, RULES)
    if request.config.getoption("--rewrite"):
        head = text.partition(f"\n{RULE}")[0]
        path.write_text("\n".join([head, RULE, *lines]) + "\n")
    assert lines == list(scenario.expected)


@pytest.mark.parametrize("path", sorted(FOLDER.glob("*.scenario")), ids=lambda path: path.stem)
def test_scenario_written_out_reads_as_the_same_events(path: Path) -> None:
    scenario = parse(path.read_text())
    transcript = Transcript(scenario.names, 0.0)
    entry = "entry: " + " ".join(scenario.names) + "\n"
    again = parse(entry + "\n".join(transcript.line(event) for event in scenario.events))
    first = [Transcript(scenario.names, 0.0).line(event) for event in scenario.events]
    second = [Transcript(scenario.names, 0.0).line(event) for event in again.events]
    assert [event.time for event in again.events] == pytest.approx([event.time for event in scenario.events])
    assert first == second


def test_a_line_that_cannot_be_read_is_named() -> None:
    with pytest.raises(ScenarioError, match="300 > Q INVITE"):
        parse("entry: P S\n300 > Q INVITE\n")
