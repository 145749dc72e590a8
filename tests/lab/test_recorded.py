"""The recordings of the lab in `samples/lab/` are judged according to the scripts, on any machine."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import yaml

from tests.lab.scenes import SCENES
from tests.lab.verdict import analyzed, differences, moved_because
from tests.shared import ROOT

RECORDINGS = ROOT / "samples" / "lab"


@pytest.mark.parametrize("name", SCENES)
def test_what_is_found_is_what_was_done(name: str) -> None:
    folder, scene = RECORDINGS / name, SCENES[name]()
    report = analyzed(folder)
    assert differences(report, folder) == []
    assert len(report.lines) == scene.lines()
    assert scene.cause in moved_because(report)


@pytest.mark.parametrize("name", SCENES)
def test_a_recording_is_of_the_scene_as_it_is_written(name: str) -> None:
    """If not, run `make lab`."""
    folder, scene = RECORDINGS / name, SCENES[name]()
    truth = json.loads((folder / "truth.json").read_text())["truth"]
    assert [(entry["line"], entry["rule"]) for entry in truth] == scene.breaches()
    assert yaml.safe_load((folder / "site.yaml").read_text()) == scene.site()


def test_there_are_recordings_of_the_scenes_alone_and_they_are_small() -> None:
    assert {path.name for path in RECORDINGS.iterdir() if path.is_dir()} == set(SCENES)
    assert sum(path.stat().st_size for path in Path(RECORDINGS).rglob("*")) < 2_000_000
