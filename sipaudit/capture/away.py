"""When a capture was away, told by media that went on meanwhile.

RTP numbers its packets one by one (RFC 3550 5.1). Where nothing at all was captured for seconds, and then a stream goes
on with numbers between which many were sent, it was the capture that saw nothing: a mirror session that was off, a
tcpdump that was started again. Who rests, on hold or in silence, goes on with the next number.
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
_SOME = 16             # packets of a batch, to know whether there are media
_STRIDE = 256          # packets: where so many take less than a pause, none is among them
_BESIDE = 0.2          # seconds before and after a pause in which streams are looked for; they send every 10 to 60 ms
_LOOKED_AT = 4_096     # packets on each side
_MISSING, _BACK = 10, 0xC000   # numbers that lack: fewer may be the network's loss, with more the stream began anew
_RTP = Layout(">BBH4xI").unpack_from   # version, marker and payload type, number, SSRC
_RTP_SHORTEST = 8 + 12                 # with the header of UDP
_RTCP = range(64, 96)                  # payload types that RTP leaves alone (RFC 5761 4)

Stream = tuple[bytes, bytes, bytes, int]   # addresses, ports, SSRC


class Pauses:
    """Looks for pauses in one capture, batch by batch."""

    def __init__(self) -> None:
        self._before: Batch | None = None
        self._ended = 0   # its last second

    def away(self, batch: Batch, *, has_media: bool) -> Iterator[Away]:
        """The pauses that end in this batch, as far as the capture was away in them. Without media looking would be for
        nothing. A batch has packets."""
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
    """The longest time without a packet, in whole seconds: the longest `known`, or a longer one in this batch or since
    the packet `before` it."""
    seconds = memoryview(batch.rows).cast("I")[::4]
    longest = known if before is None else max(known, seconds[0] - int(before))
    for begin, end in _strides(seconds):
        if seconds[end] - seconds[begin] > longest:
            longest = max(longest, *map(sub, seconds[begin + 1 : end + 1], seconds[begin:end]))
    return longest


def shows_media(batch: Batch) -> bool:
    """Whether there are any among some packets of a batch."""
    packets = batch.run()
    some = packets.chosen(range(0, len(packets), len(packets) // _SOME + 1))
    return any(_media(batch.link_type, packet[3]) for packet in some)


def _pauses(seconds: Sequence[int]) -> list[int]:
    """Which packets come long after the one before them, by whole seconds."""
    return [place for begin, end in _strides(seconds) if seconds[end] - seconds[begin] >= PAUSE
            for place in range(begin + 1, end + 1) if seconds[place] - seconds[place - 1] >= PAUSE]


def _strides(seconds: Sequence[int]) -> Iterator[tuple[int, int]]:
    """The first packet and the last of each part of a batch; a part begins with the packet that ends the one before."""
    return pairwise([*range(0, len(seconds) - 1, _STRIDE), len(seconds) - 1])


def _judged(before: Run, end: int, after: Run, begin: int) -> Iterator[Away]:
    """The pause between the packets before `end` of one run and those from `begin` on of another."""
    since, until = before.times[end - 1], after.times[begin]
    if until - since < PAUSE:
        return
    earlier = _numbers(before, range(end - 1, max(end - _LOOKED_AT, 0) - 1, -1))
    later = _numbers(after, range(begin, min(begin + _LOOKED_AT, len(after)))) if earlier else {}
    streams = sum(stream in earlier and _lack(earlier[stream], numbers) for stream, numbers in later.items())
    if streams:
        yield Away(since, until, streams)


def _numbers(run: Run, places: range) -> dict[Stream, list[int]]:
    """The numbers of each stream's packets at these places, those near the first of them; one that was captured twice
    counts once."""
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
    """Whether numbers lack between these of one stream, the nearest to the pause first on both sides: that it counts
    one by one is seen on both."""
    if len(earlier) < 2 or len(later) < 2 or _steps(earlier[1], earlier[0]) != 1 or _steps(later[0], later[1]) != 1:
        return False
    return _MISSING < _steps(earlier[0], later[0]) < _BACK


def _steps(number: int, then: int) -> int:
    return then - number & 0xFFFF


def _media(link_type: int, data: bytes) -> tuple[Stream, int] | None:
    """The stream that a captured packet belongs to, and its number there."""
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
