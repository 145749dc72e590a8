"""Finds pauses in which a capture missed packets, by RTP streams that went on meanwhile.

RTP numbers its packets consecutively (RFC 3550 5.1). If nothing at all was captured for seconds, and a stream then
continues with sequence numbers far ahead, the capture itself was interrupted: a mirror session was off, or tcpdump was
restarted. A stream that paused, on hold or in silence, continues with the next number.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import pairwise
from operator import sub
from struct import Struct as Layout

from sipaudit.capture.health import Away
from sipaudit.capture.ip import UDP, IpPacket, parse_ip
from sipaudit.capture.layers import Stop, descend
from sipaudit.capture.link import by_link_type
from sipaudit.capture.packet import Batch, Run
from sipaudit.capture.tunnel import TUNNELS, tunnelled

PAUSE = 2.0            # seconds without any packet; a phone moves to another server after three
_SOME = 16             # packets of a batch that are sampled to find out whether it has media
_STRIDE = 256          # packets: if so many span less than PAUSE, there is no pause among them
_BESIDE = 0.2          # seconds before and after a pause in which streams are looked for; they send every 10 to 60 ms
_LOOKED_AT = 4_096     # packets examined on each side of a pause, at most
_MISSING, _BACK = 10, 0xC000   # missing numbers: fewer may be loss in the network, more mean that the stream restarted
_RTP = Layout(">BBH4xI").unpack_from   # version, marker and payload type, number, SSRC
_RTP_SHORTEST = 8 + 12                 # bytes, with the UDP header
_RTCP = range(64, 96)                  # payload types that RTP avoids because RTCP uses them (RFC 5761 4)

Stream = tuple[bytes, bytes, bytes, int]   # addresses, ports, SSRC


class Pauses:
    """Looks for pauses in one capture, batch by batch."""

    def __init__(self) -> None:
        self._before: Batch | None = None
        self._ended = 0   # second of the last packet so far

    def away(self, batch: Batch, *, has_media: bool) -> Iterator[Away]:
        """The pauses that end in this batch and in which the capture missed packets. Without media there is nothing to
        judge by, and none is given. The batch must not be empty."""
        seconds = memoryview(batch.rows).cast("I")[::4]
        before, ended = self._before, self._ended
        self._before, self._ended = batch if has_media else None, seconds[-1]
        if not has_media:
            return
        places, rested = _pauses(seconds), before is not None and seconds[0] - ended >= PAUSE
        if not places and not rested:
            return
        run = batch.run()
        if before is not None and rested:
            yield from _judged(before.run(), before.length, run, 0)
        for place in places:
            yield from _judged(run, place, run, place)


def longest_rest(batch: Batch, known: int, before: float | None) -> int:
    """The longest time without a packet, in whole seconds: `known` is the longest so far; a longer one may lie within
    this batch, or between it and the packet before it, captured at `before`."""
    seconds = memoryview(batch.rows).cast("I")[::4]
    longest = known if before is None else max(known, seconds[0] - int(before))
    for begin, end in _strides(seconds):
        if seconds[end] - seconds[begin] > longest:
            longest = max(longest, *map(sub, seconds[begin + 1 : end + 1], seconds[begin:end]))
    return longest


def shows_media(batch: Batch) -> bool:
    """Whether a sample of the packets of a batch contains RTP."""
    packets = batch.run()
    some = packets.chosen(range(0, len(packets), len(packets) // _SOME + 1))
    return any(_media(batch.link_type, packet[3]) for packet in some)


def _pauses(seconds: Sequence[int]) -> list[int]:
    """Positions of packets that come at least PAUSE after the packet before them, by whole seconds."""
    return [place for begin, end in _strides(seconds) if seconds[end] - seconds[begin] >= PAUSE
            for place in range(begin + 1, end + 1) if seconds[place] - seconds[place - 1] >= PAUSE]


def _strides(seconds: Sequence[int]) -> Iterator[tuple[int, int]]:
    """The first and last packet of each part of a batch; each part begins with the last packet of the part before."""
    return pairwise([*range(0, len(seconds) - 1, _STRIDE), len(seconds) - 1])


def _judged(before: Run, end: int, after: Run, begin: int) -> Iterator[Away]:
    """The pause between the packets before `end` in one run and those from `begin` on in another, if the streams on
    both sides show that the capture missed packets in it."""
    since, until = before.times[end - 1], after.times[begin]
    if until - since < PAUSE:
        return
    earlier = _numbers(before, range(end - 1, max(end - _LOOKED_AT, 0) - 1, -1))
    later = _numbers(after, range(begin, min(begin + _LOOKED_AT, len(after)))) if earlier else {}
    streams = sum(stream in earlier and _lack(earlier[stream], numbers) for stream, numbers in later.items())
    if streams:
        yield Away(since, until, streams)


def _numbers(run: Run, places: range) -> dict[Stream, list[int]]:
    """The sequence numbers of each stream, from the packets at these places within _BESIDE seconds of the first; a
    packet that was captured twice in a row counts once."""
    found: dict[Stream, list[int]] = {}
    moment = run.times[places[0]]
    for place in places:
        if abs(run.times[place] - moment) > _BESIDE:
            break
        at = run.offsets[place]
        media = _media(run.link_type, run.buffer[at : at + run.lengths[place]])
        if media is not None:
            numbers = found.setdefault(media[0], [])
            if media[1] not in numbers[-1:]:
                numbers.append(media[1])
    return found


def _lack(earlier: list[int], later: list[int]) -> bool:
    """Whether numbers are missing between these two lists of one stream, each ordered from the pause outwards. Both
    must show that the stream counts one by one."""
    if len(earlier) < 2 or len(later) < 2 or _steps(earlier[1], earlier[0]) != 1 or _steps(later[0], later[1]) != 1:
        return False
    return _MISSING < _steps(earlier[0], later[0]) < _BACK


def _steps(number: int, then: int) -> int:
    return then - number & 0xFFFF


def _media(link_type: int, data: bytes) -> tuple[Stream, int] | None:
    """The RTP stream that a captured packet belongs to, and its sequence number; None for anything else."""
    below = by_link_type(link_type, data)
    for _ in range(TUNNELS + 1):
        below = descend(below)
        if isinstance(below, Stop):
            return None
        ip = parse_ip(below.data, missing=False)
        if isinstance(ip, Stop) or ip.fragment is not None:
            return None
        inner = tunnelled(ip)
        if inner is None:
            return _rtp(ip)
        below = inner
    return None


def _rtp(ip: IpPacket) -> tuple[Stream, int] | None:
    if ip.protocol != UDP or len(ip.payload) < _RTP_SHORTEST:
        return None
    first, kind, number, source = _RTP(ip.payload, 8)
    if first >> 6 != 2 or kind & 0x7F in _RTCP:
        return None
    return (ip.source, ip.destination, ip.payload[:4], source), number
