"""Faults in provisioning files: a live run reports each as `analyze` does, once and not once per line."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import pytest

from sipaudit.model.sayings import FindingSaid, Saying
from tests.live.ear import Ear
from tests.stories import P, S, Story, handsets, site

TIMEOUT = "voIpProt.server.1.failOver.failBack.timeout"
SITE = site(None, P, S)
SITE["lines"][0]["config"] = "phones.cfg"


def provisioned(folder: Path, *attributes: str) -> None:
    """Write the provisioning file of phones 1010 to 1012."""
    lines = " ".join(f'reg.{number}.address="{1009 + number}"' for number in (1, 2, 3))
    (folder / "phones.cfg").write_text(f"<phone {lines} {' '.join(attributes)}/>\n")


@pytest.fixture
def ear(tmp_path: Path) -> Ear:
    """A probe for phones whose provisioning file has a value that no phone can use."""
    provisioned(tmp_path, f'{TIMEOUT}="soon"')
    return Ear(tmp_path, SITE)


def registered(ear: Ear, *starts: float) -> Story:
    """Feed phones that register at these times."""
    story = Story()
    for phone, start in zip(handsets(story, range(10, 13)), starts, strict=True):
        phone.register(start)
    ear.hears(story)
    return story


def said(sayings: Sequence[Saying]) -> list[tuple[str, str | None, object, object]]:
    """The id, line, attribute and number of lines of each finding."""
    found = [one.finding for one in sayings if isinstance(one, FindingSaid)]
    return [(one.id, one.line, one.facts["attribute"], one.facts["lines"]) for one in found]


def test_one_wrong_value_is_one_finding_however_many_lines_it_is_about(ear: Ear) -> None:
    registered(ear, 20, 0, 40)
    ear.turn(60)
    assert said(ear.said) == [("f-000001", "sip:1011@pbx.example.com", TIMEOUT, 1)]
    assert said(ear.finish(70)) == [("f-000001", "sip:1010@pbx.example.com", TIMEOUT, 3)]


def test_lines_that_are_seen_together_are_counted_at_once(ear: Ear) -> None:
    registered(ear, 0, 0, 0)
    ear.turn(60)
    assert said(ear.said) == [("f-000001", "sip:1010@pbx.example.com", TIMEOUT, 3)]
    assert not said(ear.finish(70))


def test_files_that_were_read_again_are_spoken_of_again_and_what_was_said_is_not(ear: Ear, tmp_path: Path) -> None:
    registered(ear, 0, 0, 0)
    ear.turn(30)
    provisioned(tmp_path, f'{TIMEOUT}="soon"', 'voIpProt.server.1.expires="later"')
    ear.obeys(SITE)
    assert said(ear.turn(60)) == [("f-000002", "sip:1010@pbx.example.com", "voIpProt.server.1.expires", 3)]
    assert not said(ear.turn(70))


def test_who_goes_on_after_a_kill_says_nothing_twice(ear: Ear, tmp_path: Path) -> None:
    checkpoint = ear.keeps(tmp_path)
    story = registered(ear, 0, 0, 0)
    ear.turn(60)
    ear.notes_in(checkpoint.journal)
    other = ear.goes_on(checkpoint, after=0)
    other.hears(story)
    other.turn(60)
    assert not said(other.said)
    assert said(list(other.teller.stand(0.0))) == said(ear.said)
