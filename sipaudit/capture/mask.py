"""The numpy mask that drops RTP and its like from whole batches.

Dropped is only what the decoder would surely drop, and it is counted as the decoder would count it: UDP, no fragment,
between ports that mean nothing to us, its first byte none that text, STUN or HEP begins with.  Everything that the
mask does not fully understand is kept.
"""

from __future__ import annotations

import sys
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sipaudit.capture import linktypes
from sipaudit.capture.link import VLAN_TAGS
from sipaudit.capture.packet import NO_SPAN, Batch, Run, Span
from sipaudit.capture.prefilter import Sifted
from sipaudit.capture.tunnel import TUNNEL_PORTS

Mask = NDArray[np.bool_]
Places = NDArray[np.int64]
Numbers = NDArray[np.integer[Any]]

LINK_HEADERS = {
    linktypes.ETHERNET: 14, linktypes.LINUX_SLL: 16, linktypes.LINUX_SLL2: 20, linktypes.RAW: 0, linktypes.IPV4: 0,
    linktypes.IPV6: 0, linktypes.NULL: 4, linktypes.LOOP: 4,
}  # fmt: skip
"""Bytes before the IP header, for the link types that the mask knows."""
_ETHERTYPE_BEFORE = {linktypes.ETHERNET: 2, linktypes.LINUX_SLL: 2, linktypes.LINUX_SLL2: 20}  # bytes before IP
_UDP = 17
_RTP_HEADER = 12  # bytes, RFC 3550 5.1; a shorter payload is left to the decoder

KEPT_PORTS = frozenset(TUNNEL_PORTS) | {
    5060, 5061, 53, 5353, 5355, 67, 68, 69, 123, 137, 138, 161, 162, 500, 514, 1900, 4500, 9060, 9061,
}  # fmt: skip
"""SIP, DNS, tunnels, HEP, and all that the decoder counts by its port."""
_IS_KEPT_PORT = np.isin(np.arange(65_536), list(KEPT_PORTS))
_FIRST = np.arange(256)
_IS_TEXT = ((_FIRST >= 0x20) & (_FIRST < 0x7F)) | ((_FIRST >= 9) & (_FIRST <= 13))
_IS_DROPPED_FIRST = ~(_IS_TEXT | (_FIRST < 4))  # 0-3: STUN, zeroes before a message, HEP 1 and 2
_IS_RTP_FIRST = _FIRST >> 6 == 2
_TAG = 1
_KIND = np.zeros(65_536, np.uint8)  # by EtherType: the IP version, or that a tag follows
_KIND[[0x0800, 0x86DD, *VLAN_TAGS]] = [4, 6, *(_TAG for _ in VLAN_TAGS)]
_SWAP = sys.byteorder == "little"


def sift(batch: Batch) -> Sifted:
    """Drop what is surely not ours."""
    rows = np.frombuffer(batch.rows, np.uint32).reshape(-1, 4)
    times = rows[:, 0] + rows[:, 1] / 1_000_000
    dropped, rtp = _dropped(batch, rows)
    kept = np.flatnonzero(~dropped)
    columns = rows[kept]
    run = Run(
        batch.buffer, batch.link_type, times[kept].tolist(), (kept + batch.first_frame).tolist(),
        columns[:, 2].tolist(), columns[:, 3].tolist(),
    )
    return Sifted(run, rtp, len(rows) - len(kept) - rtp, _span(times))


def _span(times: NDArray[np.float64]) -> Span:
    if not len(times):
        return NO_SPAN
    ordered = bool((times[1:] >= times[:-1]).all())
    ends = times[[0, -1]] if ordered else np.array([times.min(), times.max()])
    return Span(len(times), float(times[0]), float(times[-1]), float(ends[0]), float(ends[1]), ordered)


def _dropped(batch: Batch, rows: NDArray[np.uint32]) -> tuple[Mask, int]:
    """Which packets to drop, and how many of them look like RTP."""
    dropped = np.zeros(len(rows), np.bool_)
    header = LINK_HEADERS.get(batch.link_type)
    if header is None:
        return dropped, 0
    fields = _Fields(batch.buffer)
    offset = rows[:, 2].astype(np.int64)
    end = offset + rows[:, 3]
    index = np.flatnonzero(rows[:, 3] >= header + 20 + 8 + _RTP_HEADER)
    at, version = _ip_headers(fields, batch.link_type, offset[index] + header)
    rtp = 0
    for number, find in ((4, _udp_in_ip4), (6, _udp_in_ip6)):
        of_version = np.flatnonzero(version == number)
        if len(of_version):
            chosen = index[of_version]
            found, is_rtp = find(fields, at[of_version], end[chosen])
            dropped[chosen[found]] = True
            rtp += is_rtp
    return dropped, rtp


class _Fields:
    """Octets of a buffer, and the 16 and 64 bit numbers in network order that begin at any of them."""

    def __init__(self, buffer: bytes) -> None:
        self._octets = np.frombuffer(buffer, np.uint8)
        self._longs: NDArray[np.uint64] = np.ndarray(max(0, len(buffer) - 7), np.uint64, buffer, strides=(1,))

    def octet(self, at: Places) -> NDArray[np.uint8]:
        return self._octets[at]

    def word(self, at: Places) -> Numbers:
        return self._octets[at].astype(np.uint16) << 8 | self._octets[at + 1]

    def long(self, at: Places) -> Places:
        """Signed, for numpy mixes signed and unsigned into floats: shift, then mask."""
        numbers = self._longs[at]
        return (numbers.byteswap() if _SWAP else numbers).view(np.int64)


def _ip_headers(fields: _Fields, link_type: int, at: Places) -> tuple[Places, Numbers]:
    """Where the IP headers begin, behind at most two VLAN tags, and their versions (0: not IP)."""
    before = _ETHERTYPE_BEFORE.get(link_type)
    if before is None:
        return at, fields.octet(at) >> 4
    kind = _KIND[fields.word(at - before)]
    for _ in range(2):
        tagged = kind == _TAG
        if not tagged.any():
            break
        kind = np.where(tagged, _KIND[fields.word(at + 2)], kind)
        at = at + 4 * tagged  # at most 8, and IP, UDP and RTP headers have 40: still within the packet
    return at, np.where(fields.octet(at) >> 4 == kind, kind, 0)


def _udp_in_ip4(fields: _Fields, at: Places, end: Places) -> tuple[Places, int]:
    head = fields.long(at + 2)  # total length, identification, fragment, time to live, protocol
    header = (fields.octet(at) & 15).astype(np.int64) * 4
    likely = np.flatnonzero((head & 0x3FFF00FF == _UDP) & (header >= 20))
    at, header = at[likely], header[likely]
    drop, is_rtp = _udp(fields, at + header, (head[likely] >> 48 & 0xFFFF) - header, end[likely])
    return likely[drop], is_rtp


def _udp_in_ip6(fields: _Fields, at: Places, end: Places) -> tuple[Places, int]:
    head = fields.long(at)  # version and flow, payload length, next header, hop limit
    likely = np.flatnonzero(head >> 8 & 0xFF == _UDP)
    drop, is_rtp = _udp(fields, at[likely] + 40, head[likely] >> 16 & 0xFFFF, end[likely])
    return likely[drop], is_rtp


def _udp(fields: _Fields, at: Places, declared: Places, end: Places) -> tuple[Places, int]:
    """Which UDP datagrams to drop, and how many of those look like RTP. `declared`: their length by the IP header."""
    held = np.flatnonzero((declared >= 8 + _RTP_HEADER) & (at + 8 + _RTP_HEADER <= end))
    at = at[held]
    head = fields.long(at)  # ports, length, checksum
    first = fields.octet(at + 8)
    known = _IS_KEPT_PORT[head >> 48 & 0xFFFF] | _IS_KEPT_PORT[head >> 32 & 0xFFFF]
    drop = (head >> 16 & 0xFFFF == declared[held]) & ~known & _IS_DROPPED_FIRST[first]
    return held[drop], int(np.count_nonzero(_IS_RTP_FIRST[first[drop]]))
