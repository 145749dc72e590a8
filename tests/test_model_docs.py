"""docs/reference-model.md describes the model: nothing is missing in it, and nothing is out of date."""

from __future__ import annotations

import re

import pytest

from docs import model, trace
from sipaudit.model import machines
from sipaudit.model.expectations import EXPECTATIONS, MUST, MUST_NOT
from sipaudit.rulebook.pack import load_pack
from tests.shared import ROOT

PAGE = model.PAGE.read_text()
BELOW = PAGE.partition("### What no rule judges, and why")[2].partition("### What cannot be seen")[0]


def test_the_generated_parts_are_those_of_today() -> None:
    assert model.put(PAGE, model.parts()) == PAGE, "run: python -m docs.model"


def test_each_requirement_leads_to_a_rule_or_to_the_reason_why_not() -> None:
    explained = set(re.findall(r"\b[CFB]\d+\b", "".join(line.split("|")[1] for line in BELOW.splitlines()
                                                       if line.startswith("| "))))
    assert set(trace.unjudged()) == explained


def test_each_row_is_held_by_a_scenario_in_which_its_rule_fires() -> None:
    told = trace.stories()
    silent = [rule.id for rule in load_pack().of_lines if rule.expectations and not told.get(rule.id, ([], []))[0]]
    assert silent == []


def test_each_expectation_is_a_rules() -> None:
    assert {name for rule in load_pack().of_lines for name in rule.expectations} == EXPECTATIONS


def test_each_condition_says_what_it_means() -> None:
    used = {condition for row in (*MUST_NOT, *MUST) for condition in (*row.reach, *row.when)}
    assert [one.__name__ for one in used if not one.__doc__] == []


@pytest.mark.parametrize("path", sorted(set(re.findall(r"`((?:tests|rules|docs|sipaudit)/[\w./-]+)`", PAGE))))
def test_places_named_exist(path: str) -> None:
    assert (ROOT / path).exists()


@pytest.mark.parametrize("machine", ["R0, R1", "R2, R3", "failed"])
def test_everything_may_happen_in_every_state(machine: str) -> None:
    transitions = model.transitions(machine)
    states = {state for state, _ in transitions}
    assert {(state, name) for state in states for name in model.HAPPENINGS} == set(transitions)


def test_the_machines_have_the_states_of_the_specification() -> None:
    assert {state for state, _ in model.transitions("R2, R3")} == set(map(str, machines.RegistrationState))
    assert {state for state, _ in model.transitions("failed")} == set(map(str, machines.FailedServer))
