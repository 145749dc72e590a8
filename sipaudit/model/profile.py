"""What judging needs in addition to the state: who the phone is, which servers it has, what its settings are."""

from __future__ import annotations

import re
from collections.abc import Mapping
from enum import StrEnum

from msgspec import Struct
from msgspec.structs import replace

from sipaudit.model.settings import LineSettings, ServerEntry, Tolerances
from sipaudit.model.timers import earliest_silence

SOUNDPOINT = frozenset({"320", "321", "330", "331", "335", "430", "450", "550", "560", "650", "670"})
EARLY_VVX = frozenset({"500", "1500"})


class Vendor(StrEnum):
    """Whether the model covers the vendor's behaviour."""

    MODELLED = "modelled"
    UNMODELLED = "unmodelled"
    UNKNOWN = "unknown"


class Profile(Struct, frozen=True):
    """One line at one server entry, as far as it is known.

    `entry` is None while no list is known.  `may_be_two`: a possible boot may be that of another phone with the same
    line and address.  `vouched`: the advisory names this model and firmware (C9).  `encrypted`: the phone also sends
    traffic that cannot be read.  `connected`: it uses connections, whose sequence numbers show that a message is
    missing.  `unconnected`: of these connections the capture has the messages only.  `covered_from` is since when the
    captures show everything (seconds since the epoch), `lossy` whether they lack more packets than reference-model.md 4
    allows for evidence by absence, `steps` are the packets (capture, frame, seconds) at which a capture's clock was
    set.  `heard` are the servers that were ever seen sending to the phone.  `lived`: a line of its phone had sent
    REGISTERs before the first one seen, as a CSeq shows.  `fallback`: the line has other entries beside this one,
    `crossed`: a server is in two of them.  `tolerances_of` are those of single expectations, where they differ from
    `tolerances`.
    """

    settings: LineSettings
    entry: ServerEntry | None = None
    vendor: Vendor = Vendor.UNKNOWN
    firmware: str | None = None
    vouched: bool = False
    identity_unsure: bool = False
    may_be_two: bool = False
    encrypted: bool = False
    connected: bool = False
    unconnected: bool = False
    list_in_doubt: bool = False
    lossy: bool = False
    covered_from: float = 0.0
    steps: tuple[tuple[int, int, float], ...] = ()
    heard: frozenset[str] = frozenset()
    lived: bool = False
    tolerances: Tolerances = Tolerances()
    fallback: bool = False
    crossed: bool = False
    tolerances_of: Mapping[str, Tolerances] = {}

    @property
    def earliest_silence(self) -> float:
        """F2's earliest: seconds after which the phone may count a silent server as failed."""
        connects = self.entry is not None and all(server.transport != "udp" for server in self.entry.servers)
        return earliest_silence(self.settings, connects=connects)

    def leads_up(self, source: str, target: str) -> bool:
        """Whether a move from `source` to `target` leads upward in the list, to a better priority; False if no list is
        known, or one of them is not in it."""
        if self.entry is None:
            return False
        here, there = self.entry.priority(source), self.entry.priority(target)
        return here is not None and there is not None and there < here

    def under(self, expectation: str) -> Profile:
        """The profile with the tolerances of one expectation."""
        own = self.tolerances_of.get(expectation)
        return self if own is None else replace(self, tolerances=own)


def version(firmware: str) -> tuple[int, ...]:
    """`4.0.1.13681` as numbers: the first six in the text."""
    return tuple(int(part) for part in re.findall(r"\d{1,9}", firmware)[:6])


def vouched(model: str | None, firmware: str | None) -> bool:
    """Whether the advisory names this model on this firmware (C9)."""
    if model is None or firmware is None:
        return False
    family, _, number = model.partition("_")
    release = version(firmware)[:3]
    if family == "SPIP" and number in SOUNDPOINT:
        return release == (3, 2, 5) or (3, 3, 2) <= release < (3, 4) or release >= (4, 0, 0)
    return family == "VVX" and number in EARLY_VVX and release >= (4, 0, 1)
