"""Opens the sources that the command line names."""

from __future__ import annotations

import logging
from os.path import realpath

from sipaudit.capture.bounds import FOR_FILES, CaptureBounds
from sipaudit.capture.decode import Decoder
from sipaudit.capture.health import CaptureHealth
from sipaudit.errors import InputError
from sipaudit.live.ends import Source
from sipaudit.live.interface import Interface
from sipaudit.live.orders import Orders

log = logging.getLogger(__name__)


def open_sources(orders: Orders, bounds: CaptureBounds = FOR_FILES) -> list[Source]:
    """The interfaces first, then HEP listeners and directories; `bounds` are those of each decoder. Raises InputError
    for a source that cannot be opened, and when none is named."""
    _check_that_none_is_named_twice(orders)
    _check_that_each_is_of_use(orders)
    sources: list[Source] = [*_interfaces(orders, bounds)]
    if orders.hep:
        from sipaudit.live.hep.listen import hep_source  # deferred: brings ssl

        for url in orders.hep:
            sources.append(hep_source(url, len(sources), key=orders.hep_key, cert=orders.hep_cert,
                                      keyfile=orders.hep_keyfile, bounds=bounds))
    if orders.follow:
        from sipaudit.live.follow.source import follow_source

        for directory in orders.follow:
            sources.append(follow_source(directory, len(sources), warn=log.warning, bounds=bounds))
    if not sources:
        raise InputError("nothing to listen to",
                         fix="name an interface (-i eth1), --hep udp://0.0.0.0:9060 or --follow DIRECTORY")
    return sources


def _check_that_none_is_named_twice(orders: Orders) -> None:
    """Raises InputError: everything from a source that is named twice would be read and counted twice."""
    for option, names, meant in (("-i", orders.interfaces, orders.interfaces),
                                 ("--follow", orders.follow, tuple(map(realpath, orders.follow)))):
        for place, name in enumerate(names):
            if meant[place] in meant[:place]:
                raise InputError(f"{option} {name}: is named twice", fix="name it once")


def _check_that_each_is_of_use(orders: Orders) -> None:
    """Raises InputError for an option without effect: the user meant it to have one."""
    secret = any(url.casefold().startswith("tls:") for url in orders.hep)
    for option, value, of, there in (
        ("--filter", orders.job.bpf, "an interface (-i)", orders.interfaces),
        ("--hep-key", orders.hep_key, "--hep", orders.hep),
        ("--hep-cert", orders.hep_cert, "--hep tls://...", secret),
        ("--hep-keyfile", orders.hep_keyfile, "--hep tls://...", secret),
        ("--notify-severity", None if orders.notify_severity == "warning" else orders.notify_severity, "--notify",
         orders.notify),
    ):
        if value is not None and not there:
            raise InputError(f"{option} has no effect without {of}", fix="leave it out, or name what it is for")


def decoders_of(orders: Orders) -> int:
    """The number of decoders that share the budget: one for all interfaces, and one for each other source."""
    return max(bool(orders.interfaces) + len(orders.hep) + len(orders.follow), 1)


def _interfaces(orders: Orders, bounds: CaptureBounds) -> list[Source]:
    """All interfaces share a decoder, so that a packet seen at two of them counts once."""
    if not orders.interfaces:
        return []
    healths = [CaptureHealth(name) for name in orders.interfaces]
    decoder = Decoder(healths, bounds)
    return [Interface(health.path, capture, decoder, health, orders.job.bpf)
            for capture, health in enumerate(healths)]
