"""Decides whether RTP is dropped before decoding; the mask that does it is in `mask.py`.

numpy is imported only if a capture turns out to be mostly something other than SIP: for a capture of SIP alone the mask
gains nothing, and the import costs as much as decoding 100,000 packets.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from functools import cache

from sipaudit.capture.packet import Batch, Run, Sifted

LOOK_AFTER = 8_192  # packets read before the first decision
_LOOKED_AT = 64  # packets of a batch that are sampled
_ALGEBRA = "OPENBLAS_NUM_THREADS"
_SMALL = 64  # packets: a smaller batch costs less without the mask


class Prefilter:
    """Sifts batches as soon as that pays; one object serves all captures of a run."""

    def __init__(self) -> None:
        self.active = False
        self._packets = 0

    def sift(self, batch: Batch) -> Sifted:
        """The packets of the batch worth decoding."""
        if self.active and batch.length >= _SMALL:
            return _mask()(batch)
        run = batch.run()
        self._consider(run)
        return Sifted(run, 0, 0, run.span())

    def _consider(self, run: Run) -> None:
        """Sample a batch that was not sifted; become active if less than a quarter of it is SIP."""
        self._packets += len(run)
        if self.active or self._packets < LOOK_AFTER or len(run) < _LOOKED_AT:
            return
        sample = run.chosen(range(0, len(run), len(run) // _LOOKED_AT))
        self.active = sum(b"SIP/2.0" in packet[3] for packet in sample) * 4 < len(sample)


@cache
def _mask() -> Callable[[Batch], Sifted]:
    """Import the mask. numpy brings a linear algebra library that is not used here; starting its threads, one per core,
    would take as long as all the rest of the import, so it gets only one."""
    before = os.environ.get(_ALGEBRA)
    os.environ.setdefault(_ALGEBRA, "1")
    try:
        from sipaudit.capture.mask import sift
    finally:
        if before is None:
            del os.environ[_ALGEBRA]
    return sift
