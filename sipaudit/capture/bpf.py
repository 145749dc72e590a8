"""The user's --filter: a BPF expression on the outer packet, as captured.

It is applied to packets after they were read: a filter inside libpcap skips packets without counting them, and frame
numbers would no longer match Wireshark's.
"""

from __future__ import annotations

from collections.abc import Iterable

import pcapy

from sipaudit.capture import linktypes
from sipaudit.capture.packet import Run
from sipaudit.capture.records import MAX_CAPTURED
from sipaudit.errors import InputError

_OPTIMISED = 1
_NO_NETMASK = 0


class BpfFilter:
    """An expression, compiled once for each link type."""

    def __init__(self, expression: str, link_types: Iterable[int] = (linktypes.ETHERNET,)) -> None:
        """Raises InputError if the expression is invalid, or not applicable to one of these link types."""
        self._expression = expression
        self._programs = {link_type: self._compiled(link_type) for link_type in link_types}

    def matching(self, run: Run) -> Run:
        """The packets that match the expression."""
        if run.link_type not in self._programs:
            self._programs[run.link_type] = self._compiled(run.link_type)
        matches = self._programs[run.link_type].filter
        return run.chosen([position for position, packet in enumerate(run) if matches(packet[3])])

    def _compiled(self, link_type: int) -> pcapy.BPFProgram:
        try:
            return pcapy.compile(linktypes.dlt(link_type), MAX_CAPTURED, self._expression, _OPTIMISED, _NO_NETMASK)
        except (pcapy.PcapError, UnicodeError) as error:
            raise unusable(self._expression, error) from error


def unusable(expression: str | None, error: Exception) -> InputError:
    """The error that reports why libpcap rejects a user's filter."""
    return InputError(f"--filter {expression!r} cannot be used: {error}",
                      fix="write it as for tcpdump, for example: host 10.0.0.1 and not port 22")
