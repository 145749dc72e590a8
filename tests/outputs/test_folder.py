"""The directory of `-o`: our files are replaced together or not at all, and others are left alone."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator
from pathlib import Path

import pytest

from sipaudit.errors import InputError
from sipaudit.report import folder
from sipaudit.report.folder import Folder


def tree(place: Path) -> dict[str, str]:
    return {str(path.relative_to(place)): path.read_text() for path in sorted(place.rglob("*")) if path.is_file()}


@pytest.fixture
def earlier(tmp_path: Path) -> Path:
    """A directory with the files of an earlier run, and somebody's notes."""
    out = tmp_path / "out"
    (out / "evidence").mkdir(parents=True)
    for name in ("report.json", "messages.parquet", "notes.txt", "evidence/f-000001.pcapng", "evidence/f-000002.pcapng",
                 "evidence/mine.pcapng"):
        (out / name).write_text(f"old {name}")
    return out


def test_our_names_are_replaced_whole_and_others_stay(earlier: Path) -> None:
    with Folder(str(earlier)) as written:
        written.path("report.json").write_text("new")
        written.path("evidence/f-000001.pcapng").write_text("new proof")
        assert tree(earlier)["report.json"] == "old report.json"
    assert tree(earlier) == {
        "report.json": "new", "evidence/f-000001.pcapng": "new proof", "notes.txt": "old notes.txt",
        "evidence/mine.pcapng": "old evidence/mine.pcapng",
    }


def test_what_is_kept_is_not_taken_for_stale(earlier: Path) -> None:
    with Folder(str(earlier), kept=("messages.parquet", "evidence")) as written:
        written.path("report.json").write_text("new")
    assert "messages.parquet" in tree(earlier)
    assert "evidence/f-000002.pcapng" in tree(earlier)


def write_half(place: Path, error: type[BaseException]) -> None:
    with Folder(str(place)) as written:
        written.path("report.json").write_text("half")
        written.path("evidence/f-000001.pcapng").write_text("half")
        raise error


@pytest.mark.parametrize("error", [KeyboardInterrupt, OSError])
def test_an_end_in_the_middle_changes_nothing(earlier: Path, tmp_path: Path, error: type[BaseException]) -> None:
    before = tree(earlier)
    for place in (earlier, tmp_path / "new" / "deep"):
        with pytest.raises(error):
            write_half(place, error)
    assert tree(earlier) == before
    assert not (tmp_path / "new").exists()


@pytest.fixture(params=[signal.SIGINT, signal.SIGTERM])
def stop(request: pytest.FixtureRequest) -> Iterator[signal.Signals]:
    """A signal that interrupts this process; the handler is set here, as a shell's background jobs ignore Ctrl-C."""
    before = signal.signal(request.param, signal.default_int_handler)
    yield request.param
    signal.signal(request.param, before)


def test_who_is_stopped_while_files_go_to_their_places_is_stopped_too_late(
        stop: signal.Signals, earlier: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    replace = Path.replace

    def stopped(self: Path, target: Path) -> Path:
        signal.raise_signal(stop)
        return replace(self, target)

    with Folder(str(earlier)) as written:
        written.path("report.json").write_text("new")
        written.path("report.md").write_text("new")
        monkeypatch.setattr(Path, "replace", stopped)
    assert {name: text for name, text in tree(earlier).items() if text == "new"}.keys() == {"report.json", "report.md"}
    with pytest.raises(KeyboardInterrupt):
        signal.raise_signal(stop)


def test_a_place_that_cannot_be_ours_is_refused(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    (tmp_path / "out" / "report.json").mkdir(parents=True)
    for place in ("file", "file/below", "out"):
        with pytest.raises(InputError):
            folder.check(str(tmp_path / place))
    folder.check(str(tmp_path / "not" / "there" / "yet"))


def test_what_a_run_left_that_was_killed_comes_into_no_other(tmp_path: Path) -> None:
    """In containers, runs may all have the same process number."""
    left = tmp_path / f".sipaudit-{os.getpid()}"
    (left / "evidence").mkdir(parents=True)
    (left / "evidence" / "f-000009.pcapng").write_text("of another capture")
    (left / "messages.parquet").write_text("of another capture")
    with Folder(str(tmp_path)) as written:
        written.path("report.json").write_text("new")
    assert sorted(path.name for path in tmp_path.iterdir() if path != left) == ["report.json"]
