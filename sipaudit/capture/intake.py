"""Taking a capture in: what is counted of every packet, and which of them go on to be decoded."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator

import pcapy

from ..errors import InputError
from . import linktypes
from .health import CaptureHealth
from .packet import Batch, Packet
from .prefilter import Prefilter

STEP_BACK = 1.0  # seconds; less is the jitter of capture queues
LEAP = 86_400.0  # seconds forward without a packet: no phone is silent for a day
_OVERLAP = 1.0  # seconds to read on beyond the end asked for, since packets may be a little out of order


class Intake:
    """One capture's packets on their way in."""

    def __init__(
        self, health: CaptureHealth, prefilter: Prefilter, wanted: BpfFilter | None, until: float | None
    ) -> None:
        self._health = health
        self._prefilter = prefilter
        self._wanted = wanted
        self._until = until
        self._latest: float | None = None  # time of the packet before
