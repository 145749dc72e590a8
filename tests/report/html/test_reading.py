"""How the page's words and numbers look to its reader."""

from __future__ import annotations

from datetime import UTC
from pathlib import Path

import pytest
from msgspec.structs import replace

from sipaudit.model.values import GroupShare, Reason, Undecided
from sipaudit.report import document
from sipaudit.report.html import render
from sipaudit.rulebook.facts import WORDS
from tests.report.html import pages
from tests.shared import ROOT


def test_a_name_from_right_to_left_turns_nothing_else_round() -> None:
    report, _ = pages.sample()
    (outage,) = report.incidents
    groups = [GroupShare("סניף חיפה", 50, 1_200), GroupShare("<b>فرع عمّان</b>", 3, 9)]
    page = render(replace(report, incidents=[replace(outage, groups=groups)]), UTC, {}, {}, 0).decode()
    assert "<bdi>סניף חיפה</bdi>: 50 of 1,200; &lt;b&gt;<bdi>فرع عمّان</bdi>&lt;/b&gt;: 3 of 9" in page
    assert "50 of 1,200 phones of <bdi>סניף חיפה</bdi>, 3 of 9 of &lt;b&gt;<bdi>" in page   # as the verdict says


@pytest.mark.parametrize("path", sorted((ROOT / "samples").glob("*/report.json")), ids=lambda path: path.parent.name)
def test_whatever_is_measured_has_words_for_the_reader(path: Path) -> None:
    assert {name for finding in document.read(str(path)).findings for name in finding.facts} <= set(WORDS)


def test_what_would_decide_checks_is_said_once_for_each_reason() -> None:
    report, _ = pages.sample()
    left = [Undecided("premature-failback", Reason.SETTINGS_UNKNOWN, 2), Undecided("flapping", Reason.LOSS_NEARBY, 1),
            Undecided("overdue-failback", Reason.SETTINGS_UNKNOWN, 1_200)]
    page = render(replace(report, inconclusive=left), UTC, {}, {}, 0).decode()
    told = page.partition('id="undecided"')[2].partition("</table>")[0]
    assert told.count("<code>settings-unknown</code>") == told.count("Declare the line&#39;s settings") == 1
    assert "1,200 <code>overdue-failback</code>, 2 <code>premature-failback</code>" in told
    assert told.index("1,202") < told.index("loss-nearby")
    assert "<code>sipaudit config check</code> shows" in told   # commands are not punctuated as sentences
