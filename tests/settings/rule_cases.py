"""The cases beside the rules about provisioning files: files in, findings out.

A case has `files` (name: content), optionally a `device` (model, firmware), and the findings expected in `found`, each
as `file:line attribute severity`. A master file among the files makes their folder a provisioning directory.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
import yaml

from sipaudit.model.profile import vouched
from sipaudit.model.values import Finding, Place
from sipaudit.rulebook.pack import pack_folder
from sipaudit.run.issue_findings import issue_findings
from sipaudit.settings.firmware import firmware_issues
from sipaudit.settings.provisioning import Provisioning
from tests.rulebook.stories import pack_in

RULES = {rule.id: rule for rule in pack_in(pack_folder()).settings}
MASTER = re.compile(r"[0-9a-f]{12}\.cfg")


def cases_of(rule: str) -> list[dict[str, Any]]:
    cases: list[dict[str, Any]] = yaml.safe_load(Path(RULES[rule].file).with_suffix(".test.yaml").read_text())
    return cases


CASES = [pytest.param(rule, case, id=f"{rule}: {case['case']}") for rule in RULES for case in cases_of(rule)]


def write(folder: Path, files: dict[str, str]) -> list[str]:
    """Write the files to a folder; returns what to name on the command line."""
    for name, content in files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(content, encoding="utf-8")
    return [str(folder)] if any(map(MASTER.fullmatch, files)) else [str(folder / name) for name in files]


def findings_of(folder: Path, files: dict[str, str], device: dict[str, str] | None = None) -> list[Finding]:
    """The findings about the files, for phones of this model and firmware if given."""
    provisioning = Provisioning(write(folder, files))
    issues = provisioning.issues()
    if device is not None:
        promised = vouched(device["model"], device["firmware"])
        issues += [(issue, block.aor) for _, block in provisioning.lines()
                   for issue in firmware_issues(block, device["model"], device["firmware"], promised)]
    return issue_findings(issues, RULES.values())


def said(finding: Finding, folder: Path) -> str:
    """The finding as cases write it: `site.cfg:3 reg.1.server.1.port error`."""
    place = finding.evidence[0]
    assert isinstance(place, Place)
    return f"{Path(place.file).relative_to(folder)}:{place.line} {place.attribute} {finding.severity}"
