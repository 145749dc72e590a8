"""Every scenario file contains a story, and below its rule the observations that are expected."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from msgspec.structs import replace

from sipaudit.model.events import Sent
from sipaudit.model.scenario import RULE, ScenarioError, parse
from sipaudit.model.transcript import NUMBERS_KEPT, Transcript
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


@pytest.mark.parametrize("line", [
    "300 > Q INVITE",           # a server that the entry does not list
    "300 >> P INVITE",          # no request that could be retransmitted
    "300 * reboot",             # no such note
    "300 ! P silence",          # no such failure
    "300 * call P #1 up",       # the state must follow the server
    "300 > P REGISTER expirs=60",    # a misspelt attribute would change the story
    "300 < P 200 REGISTER fresh",
    "300 < P NOTIFY id=c1",
    "300 * dns ttl=20 order",
])
def test_a_line_that_cannot_be_read_is_named(line: str) -> None:
    with pytest.raises(ScenarioError, match=re.escape(line)):
        parse(f"entry: P S\n{line}\n")


def test_what_is_written_out_is_bounded() -> None:
    """The numbers of old transactions are forgotten: a very late answer is written without its request."""
    scenario = parse("entry: P S\n0 > P OPTIONS\n2 > P OPTIONS\n3 < P 200 OPTIONS #1\n")
    first, other, answer = scenario.events
    assert isinstance(other, Sent)
    transcript = Transcript(scenario.names, 0.0)
    assert transcript.line(first).endswith("> P OPTIONS")
    for number in range(2, NUMBERS_KEPT + 3):
        transcript.line(replace(other, transaction=number))
    assert len(transcript.numbers) == NUMBERS_KEPT
    assert transcript.line(answer).endswith("< P 200 OPTIONS #0")
