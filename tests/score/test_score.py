"""A small score: all deviations are found, nobody else is accused, and losses make nobody guilty."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.score import plans
from tests.score.__main__ import write
from tests.score.compare import Verdict
from tests.score.runs import judged
from tests.score.table import summary, table
from tests.shared import ROOT


@pytest.mark.parametrize("seed", range(4))
def test_all_deviations_are_found_and_no_others(tmp_path: Path, seed: int) -> None:
    verdict = judged(plans.deviant(seed), tmp_path, "plan").verdict
    assert (verdict.missed, verdict.false) == ([], [])
    assert sum(verdict.true.values()) >= 5


@pytest.mark.parametrize("seed", range(5))
def test_phones_that_obey_are_not_accused(tmp_path: Path, seed: int) -> None:
    verdict = judged(plans.obedient(seed), tmp_path, "plan").verdict
    assert (verdict.missed, verdict.false) == ([], [])


@pytest.mark.parametrize("loss", [0.001, 0.01, 0.05])
def test_losses_at_the_tap_make_nobody_guilty(tmp_path: Path, loss: float) -> None:
    lossy = {"tap": {"loss": loss}}
    assert judged(plans.deviant(5) | lossy, tmp_path, "plan").verdict.false == []
    assert judged(plans.obedient(5) | lossy, tmp_path, "plan").verdict.false == []


def test_the_table_says_what_was_found_and_what_not(tmp_path: Path) -> None:
    verdict = judged(plans.deviant(0), tmp_path, "plan").verdict
    verdict.hit["signalling-after-expiry"] -= 1
    shown = table({0.0: verdict})
    assert "| signalling-after-expiry | 4 | 0.750 | - | 0 |" in shown
    assert "| signalling-to-unregistered-server | 4 | 1.000 | 1.000 | 0 |" in shown


def test_the_summary_has_one_row_a_loss_and_counts_what_was_called_certain(tmp_path: Path) -> None:
    verdict = judged(plans.deviant(0), tmp_path, "plan").verdict
    lossy = Verdict(true=verdict.true, certain_wrong=verdict.true)
    clean, worse = summary({0.0: verdict, 0.01: lossy}).splitlines()[2:]
    deviations = sum(verdict.true.values())
    assert clean == f"| none | {deviations} | 1.000 | 1.000 | {sum(verdict.inconclusive.values())} | 0 |"
    assert worse == f"| 1.0% | {deviations} | 0.000 | - | 0 | {deviations} |"


def test_both_pages_are_written_or_none(tmp_path: Path) -> None:
    known = {name: f"before\n<!-- begin score -->\nold\n<!-- end score -->\nafter {name}" for name in ("one", "two")}
    for name, text in known.items():
        (tmp_path / name).write_text(text)
    write(dict.fromkeys(known, "new"), tmp_path)
    assert [(tmp_path / name).read_text() for name in known] == [text.replace("old", "new") for text in known.values()]
    (tmp_path / "two").write_text("no part")
    with pytest.raises(SystemExit):
        write(dict.fromkeys(known, "newer"), tmp_path)
    assert "newer" not in (tmp_path / "one").read_text()


def rows(page: str) -> list[list[str]]:
    """The rows of the table between the marks of a page, without its head."""
    part = (ROOT / page).read_text().partition("<!-- begin score -->")[2].partition("<!-- end score -->")[0]
    return [[cell.strip() for cell in line.strip("|").split("|")] for line in part.splitlines() if line[:1] == "|"][2:]


def test_the_readme_and_the_table_of_rules_are_of_one_run() -> None:
    *rules, together = rows("docs/testing.md")
    losses = rows("README.md")
    assert [figures for _, _, *figures, _ in losses] == [together[at:at + 3] for at in range(2, len(together), 3)]
    assert losses[0][1] == together[1] == str(sum(int(rule[1]) for rule in rules))
