"""The incident kinds that ship: thresholds as data, said in their texts."""

from __future__ import annotations

import pytest

from sipaudit.rulebook.incident_file import THRESHOLDS, say
from sipaudit.rulebook.pack import load_pack
from sipaudit.rulebook.rules import IncidentKind
from tests.shared import ROOT

KINDS = {kind.id: kind for kind in load_pack().incidents}


def test_every_kind_of_the_reference_model_has_its_thresholds() -> None:
    assert {name: kind.thresholds for name, kind in KINDS.items()} == {
        "server-outage": {"phones": 2, "share": 0.1, "within": 60, "quiet": 10},
        "partial-outage": {},
        "overload": {"responses": 5, "within": 10, "quiet": 60},
        "register-storm": {"factor": 5, "requests": 20, "within": 5, "back": 2},
        "flapping": {"lines": 2, "moves": 3, "within": 600, "quiet": 600},
        "split-brain": {"share": 0.2, "lasting": 300},
        "stuck-on-secondary": {"factor": 2},
        "registration-gap": {"lasting": 60},
        "calls-lost": {"phones": 2, "responses": 5},   # only those without an outage (docs/decisions.md)
        "ghost-calls": {},
        "dead-subscriptions": {},
        "stale-dns": {},
    }


def test_every_threshold_is_used_by_a_kind() -> None:
    assert {name for kind in KINDS.values() for name in kind.thresholds} == set(THRESHOLDS)


def test_texts_say_the_thresholds_in_their_units() -> None:
    outage = KINDS["server-outage"]
    assert say(outage.starts, outage.thresholds).startswith("When 2 phones or more, and 10 % or more of the phones")
    assert "10 s without new evidence" in say(outage.ends, outage.thresholds)
    flapping = KINDS["flapping"]
    assert say(flapping.ends, flapping.thresholds) == "After 10 min without a move."


@pytest.mark.parametrize("kind", KINDS.values(), ids=KINDS)
def test_each_kind_is_documented_for_a_tired_engineer(kind: IncidentKind) -> None:
    assert {"what", "why", "fix"} <= set(kind.documentation)
    assert all(len(text) > 30 for text in kind.documentation.values())


@pytest.mark.parametrize("kind", KINDS)
def test_each_kind_has_a_file_of_stories_in_which_it_is_and_is_not(kind: str) -> None:
    stories = ROOT / "tests" / "incidents" / f"test_{kind.replace('-', '_')}.py"
    assert f'"{kind}' in stories.read_text()
