"""The numpy mask that drops RTP and similar packets from whole batches.

It drops only packets that the decoder would surely drop, and counts them as the decoder would: unfragmented UDP between
ports that mean nothing to us, with a first byte that does not begin text, STUN or HEP.  Everything that the mask does
not fully understand is kept.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from sipaudit.capture import hep, linktypes
from sipaudit.capture.content import NAMING_PORTS
from sipaudit.capture.ip import UDP
from sipaudit.capture.link import ETHERTYPE_IP, VLAN_TAGS
from sipaudit.capture.packet import NO_SPAN, Batch, Run, Sifted, Span
from sipaudit.capture.tunnel import TUNNEL_PORTS

Mask = NDArray[np.bool_]
Places = NDArray[np.int64]
Heads = NDArray[np.void]
Numbers = NDArray[np.integer[Any]]

LINK_HEADERS = {
    linktypes.ETHERNET: 14, linktypes.LINUX_SLL: 16, linktypes.LINUX_SLL2: 20, linktypes.RAW: 0, linktypes.IPV4: 0,
    linktypes.IPV6: 0, linktypes.NULL: 4, linktypes.LOOP: 4,
}  # fmt: skip
"""Bytes before the IP header, for the link types that the mask knows."""
_ETHERTYPE_BEFORE = {linktypes.ETHERNET: 2, linktypes.LINUX_SLL: 2, linktypes.LINUX_SLL2: 20}  # bytes before IP
_IP4_PLAIN = 0x45  # first octet: version 4, five words, so no options
_RTP_HEADER = 12  # bytes, RFC 3550 5.1; a shorter payload is left to the decoder
_RTP_VERSION = 2

KEPT_PORTS = NAMING_PORTS | TUNNEL_PORTS.keys() | {hep.PORT, hep.TLS_PORT}
"""Ports of SIP, DNS, tunnels and HEP, and every other one that the decoder counts by."""
_IS_KEPT_PORT = np.isin(np.arange(65_536), list(KEPT_PORTS))
_FIRST = np.arange(256)
_IS_TEXT = ((_FIRST >= 0x20) & (_FIRST < 0x7F)) | ((_FIRST >= 9) & (_FIRST <= 13))
_IS_DROPPED_FIRST = ~(_IS_TEXT | (_FIRST < 4))  # 0-3: STUN, zeroes before a message, HEP 1 and 2
_TAG = 1
_KIND = np.zeros(65_536, np.uint8)  # by EtherType: the IP version, or that a tag follows
_KIND[[*ETHERTYPE_IP, *VLAN_TAGS]] = [4, 6, *(_TAG for _ in VLAN_TAGS)]
_EVERYWHERE = slice(None)


def _layout(*fields: tuple[str, str, int]) -> np.dtype[np.void]:
    """A numpy type from name, type and offset of each field; the last field is the first octet behind the UDP header.
    """
    names, formats, places = zip(*fields, strict=True)
    return np.dtype({"names": names, "formats": formats, "offsets": places, "itemsize": places[-1] + 1})


_LAYOUTS = {
    4: _layout(("begins", "u1", 0), ("total", ">u2", 2), ("fragment", ">u2", 6), ("protocol", "u1", 9),
               ("source", ">u2", 20), ("destination", ">u2", 22), ("length", ">u2", 24), ("first", "u1", 28)),
    6: _layout(("payload", ">u2", 4), ("protocol", "u1", 6),
               ("source", ">u2", 40), ("destination", ">u2", 42), ("length", ">u2", 44), ("first", "u1", 48)),
}
"""The fields of IP and UDP headers that are read, by IP version."""


def sift(batch: Batch) -> Sifted:
    """Drop the packets of a batch that surely mean nothing to us, and count them."""
    rows = np.frombuffer(batch.rows, np.uint32).reshape(-1, 4)
    dropped, rtp = _dropped(batch, rows)
    kept = np.flatnonzero(~dropped)
    columns = rows[kept]
    run = Run(
        batch.buffer, batch.link_type, _times(columns).tolist(), (kept + batch.first_frame).tolist(),
        columns[:, 2].tolist(), columns[:, 3].tolist(),
    )
    return Sifted(run, rtp, len(rows) - len(kept) - rtp, _span(rows))


def _times(rows: NDArray[np.uint32]) -> NDArray[np.float64]:
    return rows[:, 0] + rows[:, 1] / 1_000_000


def _span(rows: NDArray[np.uint32]) -> Span:
    if not len(rows):
        return NO_SPAN
    moments = rows[:, 0].astype(np.uint64) << 32 | rows[:, 1]
    ordered = bool((moments[1:] >= moments[:-1]).all())
    times = _times(rows[[0, -1]] if ordered else rows)
    return Span(len(rows), float(times[0]), float(times[-1]), float(times.min()), float(times.max()), ordered)


def _where(mask: Mask) -> slice | Places:
    """An index of the places where the mask is true; a slice if it is true everywhere, as nearly always, since that
    saves a copy."""
    return _EVERYWHERE if mask.all() else np.flatnonzero(mask)


def _dropped(batch: Batch, rows: NDArray[np.uint32]) -> tuple[Mask, int]:
    """Which packets to drop, and how many of them look like RTP."""
    dropped = np.zeros(len(rows), np.bool_)
    header = LINK_HEADERS.get(batch.link_type)
    if header is None:
        return dropped, 0
    offset = rows[:, 2].astype(np.int64)
    end = offset + rows[:, 3]
    index = _where(rows[:, 3] >= header + 20 + 8 + _RTP_HEADER)
    octets = np.frombuffer(batch.buffer, np.uint8)
    at, version = _ip_headers(octets, batch.link_type, offset[index] + header)
    end = end[index]
    drop = np.zeros(len(at), np.bool_)
    rtp = 0
    for number, layout in _LAYOUTS.items():
        chosen = _where((version == number) & (at + (layout.itemsize - 1 + _RTP_HEADER) <= end))
        heads = _heads(batch.buffer, layout, at[chosen])
        if len(heads):
            drop[chosen] = media = _is_udp(heads, number) & _is_none_of_ours(heads)
            rtp += int(np.count_nonzero(media & (heads["first"] >> 6 == _RTP_VERSION)))
    dropped[index] = drop
    return dropped, rtp


def _heads(buffer: bytes, layout: np.dtype[np.void], at: Places) -> Heads:
    """The headers that begin at these offsets of a buffer, copied in one go, because numpy is slow at unaligned
    numbers."""
    plain = f"V{layout.itemsize}"  # numpy copies this type whole, not field by field
    anywhere: Heads = np.ndarray(max(0, len(buffer) - layout.itemsize + 1), plain, buffer, strides=(1,))
    return anywhere[at].view(layout)


def _ip_headers(octets: NDArray[np.uint8], link_type: int, at: Places) -> tuple[Places, Numbers]:
    """Where the IP headers begin, behind at most two VLAN tags, and their versions (0: not IP)."""
    before = _ETHERTYPE_BEFORE.get(link_type)
    if before is None:
        return at, octets[at] >> 4
    kind = _kind(octets, at - before)
    for _ in range(2):
        tagged = kind == _TAG
        if not tagged.any():
            break
        kind = np.where(tagged, _kind(octets, at + 2), kind)
        at = at + 4 * tagged  # at most 8 bytes; IP, UDP and RTP headers have 40, so this stays within the packet
    return at, np.where(octets[at] >> 4 == kind, kind, 0)


def _kind(octets: NDArray[np.uint8], at: Places) -> NDArray[np.uint8]:
    """The meaning (`_KIND`) of the EtherTypes at these offsets."""
    kinds: NDArray[np.uint8] = _KIND[octets[at].astype(np.uint16) << 8 | octets[at + 1]]
    return kinds


def _is_udp(heads: Heads, version: int) -> Mask:
    """Whether each is unfragmented UDP behind an IP header without options, with the length that IP declares."""
    length = heads["length"]
    is_udp: Mask = (heads["protocol"] == UDP) & (length >= 8 + _RTP_HEADER)
    if version == 6:
        is_udp &= heads["payload"] == length
        return is_udp
    is_udp &= (heads["begins"] == _IP4_PLAIN) & (heads["fragment"] & 0x3FFF == 0)
    is_udp &= heads["total"].astype(np.int32) - 20 == length
    return is_udp


def _is_none_of_ours(heads: Heads) -> Mask:
    """Whether ports and first octet mean nothing to us."""
    known: Mask = _IS_KEPT_PORT[heads["source"]] | _IS_KEPT_PORT[heads["destination"]]
    dropped: Mask = ~known & _IS_DROPPED_FIRST[heads["first"]]
    return dropped
