"""What a second pass collects for the files of `-o`, as captured or under pseudonyms."""

from __future__ import annotations

from collections.abc import Iterator

from sipaudit.report.evidence import Spool
from sipaudit.report.exhibits import Exhibit, FramePlace, PlacedMessage
from sipaudit.report.redact_message import MessageRedaction
from sipaudit.report.redact_packets import anew
from sipaudit.run import second_pass
from sipaudit.run.run import Run
from sipaudit.sip.datagram import Datagram, Item

DECRYPTED = frozenset({"tls", "wss"})


class Gathering:
    """`exhibits` are the messages of the embedded findings; `spool` takes the packets of the evidence, `parts` the
    frames of its messages. `embedded` and `evidence` are the places of both in the captures."""

    def __init__(self, run: Run, embedded: set[FramePlace], evidence: set[FramePlace], spool: Spool) -> None:
        self._run = run
        self._embedded = embedded
        self._evidence = evidence
        self.exhibits: dict[FramePlace, list[Exhibit]] = {}
        self.parts: dict[FramePlace, tuple[int, ...]] = {}
        self.spool = spool

    def gather(self) -> None:
        """Collect the messages and their packets; the other frames of messages in several frames are known only
        afterwards."""
        self._find_evidence()
        wanted = self._evidence | {(path, frame) for (path, _), frames in self.parts.items() for frame in frames}
        for packet in second_pass.packets(self._run, {place for place in wanted if place not in self.spool}):
            self.spool.add(packet)

    def _find_evidence(self) -> None:
        """Messages are not assigned to phones again: that takes most of a pass. If every packet wanted is complete by
        itself, the captures are not followed at all."""
        path, left = self._run.naming.path, self._embedded | self._evidence
        for packet in second_pass.packets(self._run, frozenset(left)):
            place = packet.capture, packet.frame
            if place in self._evidence:
                self.spool.add(packet)
            item = second_pass.said_alone(self._run, packet)
            if item is not None:
                left.discard(place)
                if type(item) is Datagram:
                    self._see(place, item)
        for datagram in second_pass.datagrams(self._run) if left else ():
            place = path(datagram.capture), datagram.frame
            if place in left:
                self._see(place, datagram)

    def _see(self, place: FramePlace, item: Datagram) -> None:
        if place in self._embedded:
            self.exhibits.setdefault(place, []).append(second_pass.exhibit(place[0], item))
        if place not in self._evidence:
            return
        if item.frames:
            self.parts[place] = item.frames
        if item.flow.transport in DECRYPTED:
            self.spool.note(place, "decrypted:\n" + item.payload.decode("utf-8", "replace"))


class RedactedGathering(Gathering):
    """As `Gathering`, under pseudonyms, collected while `messages` is iterated: packets are rewritten, one for each
    message, and places have the captures' new names."""

    def __init__(self, run: Run, embedded: set[FramePlace], evidence: set[FramePlace], spool: Spool,
                 hiding: MessageRedaction) -> None:
        super().__init__(run, embedded, evidence, spool)
        self._hiding = hiding
        self._names = hiding.redaction.names

    def messages(self) -> Iterator[PlacedMessage]:
        """The messages of the run's span; all messages are examined on the way, since evidence may be older than the
        span."""
        for placed in second_pass.messages(self._run, self._see_beside):
            place = placed.capture, placed.item.frame
            if place in self._embedded or place in self._evidence:
                self._see_placed(place, placed)
            if self._run.span.holds(placed.item.time):
                yield self._hiding.placed(placed)

    def _see_beside(self, item: Item) -> None:
        """An item that is no message: its frame alone is the evidence."""
        place = self._run.naming.path(item.capture), item.frame
        packet = anew(item, place[0], self._names) if place in self._evidence else None
        if packet is not None:
            self.spool.add(packet)
            self.spool.note((packet.capture, packet.frame), "written anew")

    def _see_placed(self, place: FramePlace, placed: PlacedMessage) -> None:
        text = self._hiding.text(placed.item.payload)
        shown = self._names.path(place[0]), place[1]
        if place in self._embedded:
            hidden = self._hiding.placed(placed, text)
            self.exhibits.setdefault(shown, []).append(second_pass.exhibit(hidden.capture, hidden.item))
        packet = anew(placed.item, place[0], self._names, text) if place in self._evidence else None
        if packet is not None:
            self.spool.add(packet)
            self.spool.note(shown, f"written anew: frame {place[1]} of {shown[0]}, over {placed.item.flow.transport}")
