"""Where the evidence of a finding is, as text."""

from __future__ import annotations

from collections.abc import Iterator

from sipaudit.model.captures import CaptureSummary
from sipaudit.model.values import Finding, Frame, Place, Proof
from sipaudit.report.exhibits import frames_of
from sipaudit.rulebook.telling import display_filter


def proof_text(proof: Proof) -> str:
    """`a.pcap:812`, `site.cfg:12`: where a piece of evidence is; for a message without a frame (HEP) its source."""
    if isinstance(proof, Frame):
        return proof.capture if proof.frame is None else f"{proof.capture}:{proof.frame}"
    assert isinstance(proof, Place)
    return f"{proof.file}:{proof.line}"


def filters_said(finding: Finding, captures: list[CaptureSummary]) -> list[str]:
    """`wireshark: frame.number in {5}`, with the name of the capture if there are several."""
    return [f"wireshark in {capture}: {found}" if capture else f"wireshark: {found}"
            for capture, found in filters(finding, captures)]


def filters(finding: Finding, captures: list[CaptureSummary]) -> Iterator[tuple[str, str]]:
    """The captures with evidence ("" if the report has only one), each with the display filter that shows it."""
    if finding.wireshark is None:
        return
    if len(captures) == 1:
        yield "", finding.wireshark
        return
    frames = list(frames_of(finding))
    for capture in dict.fromkeys(frame.capture for frame in frames):
        found = display_filter(frames, capture)
        if found is not None:
            yield capture, found
