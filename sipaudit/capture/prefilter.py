"""Whether, and with what, RTP is passed over before it costs anything; the mask itself is in `mask.py`.

numpy is imported only when a capture turns out to be mostly no SIP: for a capture of SIP alone the mask gains nothing,
and the import costs as much as decoding 100,000 packets.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from sipaudit.capture.packet import Batch, Packet

if TYPE_CHECKING:
    from .mask import Sifted

LOOK_AFTER = 8_192  # packets of a run
_LOOKED_AT = 64  # packets of a batch
_SMALL = 64  # packets: a smaller batch costs less without the mask


class Prefilter:
    """Made once for a run; sifts batches from the moment that it pays."""

    def __init__(self) -> None:
        self.active = False
        self._packets = 0

    def sift(self, batch: Batch) -> Sifted | None:
        """The packets of the batch worth decoding, or None: all are."""
        if not self.active or batch.length < _SMALL:
            return None
        from .mask import sift

        return sift(batch)

    def consider(self, packets: list[Packet]) -> None:
        """Look at a batch that was not sifted; become active when less than a quarter of it is SIP."""
        self._packets += len(packets)
        if self.active or self._packets < LOOK_AFTER or len(packets) < _LOOKED_AT:
            return
        sample = packets[:: len(packets) // _LOOKED_AT]
        self.active = sum(b"SIP/2.0" in packet[3] for packet in sample) * 4 < len(sample)
