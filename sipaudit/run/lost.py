"""The share of packets that captures lack. Captures that follow each other, like the files of a ring, are one tap's
capture in several files; those that overlap come from several taps, and a packet that any of them lacks counts as
missing."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from sipaudit.capture.health import CaptureHealth
from sipaudit.model.captures import lost_share
from sipaudit.reconstruct.traffic import Traffic
from sipaudit.run.taps import OVERLAP


def lost(captures: Sequence[CaptureHealth], traffic: Mapping[int, Traffic]) -> float:
    """The share of packets, 0 to 1, that the worst of the taps lacks, as far as it can be measured."""
    return max((_share(captures, traffic, tap) for tap in _taps(captures)), default=0.0)


def _taps(captures: Sequence[CaptureHealth]) -> list[list[int]]:
    """The indices of each tap's captures, in order of time. Captures from which nothing was read belong to none."""
    taps: list[list[int]] = []
    spans = sorted((one.first, index) for index, one in enumerate(captures) if one.first is not None)
    for first, index in spans:
        tap = next((tap for tap in taps if (captures[tap[-1]].last or first) - first <= OVERLAP), None)
        if tap is None:
            taps.append([index])
        else:
            tap.append(index)
    return taps


def _share(captures: Sequence[CaptureHealth], traffic: Mapping[int, Traffic], tap: Sequence[int]) -> float:
    seen = [traffic[index] for index in tap if index in traffic]
    return lost_share(
        sum(captures[index].packets for index in tap), sum(one.sip_messages for one in seen),
        sum(captures[index].kernel_drops or 0 for index in tap), sum(one.missing_halves for one in seen))
