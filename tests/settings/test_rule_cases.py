"""Each rule about provisioning files with its cases."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from tests.settings.rule_cases import CASES, RULES, cases_of, findings_of, said

IDS = {
    "invalid-value", "missing-file", "timeout-clamped", "no-effect", "ambiguous-precedence", "proxy-unused",
    "unsupported-firmware", "lync-incompatible", "failover-on-fallback", "single-server", "shadowed",
    "failback-disabled", "ttl-unknowable", "unknown-parameter",
}


@pytest.mark.parametrize(("rule", "case"), CASES)
def test_case_of_a_rule(rule: str, case: dict[str, Any], tmp_path: Path) -> None:
    found = [finding for finding in findings_of(tmp_path, case["files"], case.get("device")) if finding.rule == rule]
    assert [said(finding, tmp_path) for finding in found] == case["found"]
    assert all((finding.time, finding.server, finding.phone) == (None, None, None) for finding in found)
    assert not any("{" in text or "unknown" in text for finding in found for text in (finding.expected,))


def test_every_rule_of_the_model_is_there_with_a_firing_and_a_silent_case() -> None:
    assert set(RULES) == {f"config-{name}" for name in IDS}
    for rule in RULES:
        assert {bool(case["found"]) for case in cases_of(rule)} == {True, False}
