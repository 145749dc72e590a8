"""A second reading of a run's captures, once the findings are known: bytes and texts of the evidence, and all messages.

The first pass stores frame numbers and no bytes, so that its memory does not grow with the capture.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Collection, Iterator
from contextlib import ExitStack
from itertools import chain

from sipaudit.capture import chosen
from sipaudit.capture.captures import TSHARK
from sipaudit.reconstruct.whose import Whose
from sipaudit.report.exhibits import Exhibit, FramePlace, Packet, PlacedMessage
from sipaudit.run.garbage import rare_collections
from sipaudit.run.run import Run
from sipaudit.sip.datagram import Datagram, Item
from sipaudit.sip.message import Message


def exhibit(capture: str, item: Datagram) -> Exhibit:
    """A message in the form in which reports show it."""
    return Exhibit(capture, item.frame, item.time, item.flow.transport, item.flow.source,
                   item.flow.destination, item.payload.decode("utf-8", "replace"))


def find_out_who(run: Run) -> None:
    """A first pass without judgement: which sources are phones, and which lines they have."""
    with rare_collections(), run.reading.ahead() as ahead:
        for item, message, form in chain.from_iterable(ahead):
            run.reconstruction.feed(item, message, form)
    run.reconstruction.let_go()


def messages(run: Run, beside: Callable[[Item], None] | None = None) -> Iterator[PlacedMessage]:
    """Every SIP message, in the order of reading, with the phone, line and server it belongs to; including those before
    `--from`, which are read to learn from. `beside` is called with items that are no messages."""
    noted: list[PlacedMessage] = []
    again = run.reconstructing(lambda *of_one: noted.append(_placed(run, *of_one)))
    with rare_collections(), run.reading.ahead_again() as ahead, ExitStack() as ending:
        ending.callback(again.let_go)
        for item, message, _ in chain.from_iterable(ahead):
            again.feed(item, message)
            yield from noted
            noted.clear()
            if beside is not None and message is None:
                beside(item)  # type: ignore[arg-type]  # all are parsed whole: there is no `Repeat`


def datagrams(run: Run) -> Iterator[Datagram]:
    """The same messages as bytes, without the phones they belong to."""
    return (item for item in run.reading.captures_again() if type(item) is Datagram)


def _placed(run: Run, item: Datagram, message: Message, whose: Whose, repeated: bool) -> PlacedMessage:
    """A message with its phone and line; a candidate that proved to be no phone in the first pass is none here."""
    number, line, server, from_phone = whose
    phone = run.phone(number)
    return PlacedMessage(
        run.naming.path(item.capture), item, message, phone, run.line(line),
        run.server(server) if phone and server else None, from_phone if phone else None, repeated, len(item.payload),
    )


def packets(run: Run, wanted: Collection[FramePlace]) -> Iterator[Packet]:
    """The wanted frames as captured, capture by capture."""
    by_path: defaultdict[str, set[int]] = defaultdict(set)
    for path, frame in wanted:
        by_path[path].add(frame)
    for index, file in enumerate(run.reading.files):
        path = run.naming.path(index)
        for time, frame, link_type, data, wire_length in chosen.chosen_packets(file, by_path.get(path, ())):
            yield Packet(path, frame, time, link_type, data, wire_length)


def said_alone(run: Run, packet: Packet) -> Item | None:
    """The item in a packet that is complete by itself; None if it may be part of more, or if tshark must decode it."""
    if run.job.engine == TSHARK:
        return None
    return chosen.said_alone((packet.time, packet.frame, packet.link_type, packet.data, packet.wire_length))
