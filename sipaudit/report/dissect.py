"""Wireshark's own dissection of single frames, fetched through pyshark.

pyshark's XML mode is the one used: it keeps two SIP messages of one frame apart, where its JSON mode merges them and
its EK mode raises.  pyshark 0.6 needs tshark, and an event loop handed to it: the one it would set up itself takes a
child watcher that newer Pythons no longer have.
"""

from __future__ import annotations

import asyncio
import os
import re
import sys
import warnings
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from msgspec import Struct

from sipaudit.errors import InputError

MAX_FRAMES = 1_000  # in one call: all are held in memory
INSTALL_HINT = "install tshark (apt install tshark) and a Python that pyshark supports; the other commands need neither"

_OWN_FILE = re.compile(r"/dev/(?:fd/(\d+)|stdin)\Z")
_EXPERT = "_ws.expert"


class Field(Struct, frozen=True, gc=False):
    """One line of the dissection: Wireshark's filter name (may be empty), the text it shows, the value in it."""

    name: str
    text: str
    value: str


class Layer(Struct, frozen=True, gc=False):
    """A protocol of the frame, with its fields in the order of the bytes."""

    name: str
    fields: tuple[Field, ...]


class Dissection(Struct, frozen=True, gc=False):
    """A frame as Wireshark reads it, outermost layer first. `experts` its remarks (errors, warnings, notes)."""

    frame: int
    layers: tuple[Layer, ...]
    experts: tuple[str, ...] = ()


def dissect(path: str, frames: Sequence[int], *, keylog: str | None = None) -> list[Dissection]:
    """The dissections of these frames (Wireshark's numbers) of the capture at `path`, in their order in the file.

    With a TLS key log, or with secrets inside a pcapng, SIP inside TLS is dissected whatever its port.

    Raises InputError for a frame that the capture does not have, for a file that tshark cannot read, and where
    tshark or pyshark is missing.
    """
    wanted = sorted(set(frames))
    if not wanted:
        return []
    if wanted[0] < 1 or len(wanted) > MAX_FRAMES:
        raise InputError(f"frame numbers start at 1, and at most {MAX_FRAMES} frames are shown at once", file=path)
    found = _apart(path, wanted, keylog)
    if missing := sorted(set(wanted) - {each.frame for each in found}):
        names = ", ".join(map(str, missing[:10]))
        raise InputError(f"no such frame: {names}", fix="frames are numbered from 1, as in Wireshark", file=path)
    return found


def _apart(path: str, frames: list[int], keylog: str | None) -> list[Dissection]:
    """Fetch dissections, in a separate thread if this one runs an event loop already, as in a notebook."""
    try:
        asyncio.get_running_loop()
    except RuntimeError:
        return _fetch(path, frames, keylog)
    with ThreadPoolExecutor(1) as aside:
        return aside.submit(_fetch, path, frames, keylog).result()


def _fetch(path: str, frames: list[int], keylog: str | None) -> list[Dissection]:
    loop = asyncio.new_event_loop()
    found: list[Dissection] = []
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # pyshark's use of asyncio is its own affair
            capture = _open(path, frames, keylog, loop)
            loop.run_until_complete(_read(capture, path, found))
    finally:
        loop.close()
    return found


def _open(path: str, frames: list[int], keylog: str | None, loop: asyncio.AbstractEventLoop) -> Any:
    try:
        import pyshark

        return pyshark.FileCapture(
            _for_child(path), eventloop=loop, keep_packets=False,
            # not its display_filter: for that it asks tshark's version first, which takes as long as the frames
            custom_parameters=["-Y", "frame.number in {" + ", ".join(map(str, frames)) + "}", "-c", str(frames[-1])],
            override_prefs=_preferences(keylog),
            decode_as={"tls.port==1-65535": "sip"},
        )
    except FileNotFoundError as error:
        raise InputError("no such file", file=path) from error
    except (ImportError, AttributeError, NotImplementedError) as error:
        version = f"{sys.version_info.major}.{sys.version_info.minor}"
        raise InputError(f"pyshark does not work with this Python ({version}): {error}", fix=INSTALL_HINT) from error


def _preferences(keylog: str | None) -> dict[str, str]:
    """The preferences that the tshark engine uses, too, so that both readings have the same messages."""
    preferences = {"tcp.try_heuristic_first": "TRUE"}
    if keylog is not None:
        preferences |= {"tls.keylog_file": keylog, "tcp.reassemble_out_of_order": "TRUE"}
    return preferences


def _for_child(path: str) -> str:
    """The path as tshark can open it: `/dev/fd/N` and `/dev/stdin` name files of this process."""
    own = _OWN_FILE.match(path)
    return f"/proc/{os.getpid()}/fd/{own[1] or 0}" if own else path


async def _read(capture: Any, path: str, found: list[Dissection]) -> None:
    """Collect the packets.  We wait for tshark here: pyshark would kill it while it ends, which causes a warning."""
    from pyshark.tshark.tshark import TSharkNotFoundException

    try:
        await capture.packets_from_tshark(lambda packet: found.append(_dissection(packet)), close_tshark=False)
        codes = [await process.wait() for process in capture._running_processes]
    except TSharkNotFoundException as error:
        raise InputError("Wireshark's dissection needs tshark, which is not installed", fix=INSTALL_HINT) from error
    except PermissionError as error:
        raise InputError("no permission to read this file", file=path) from error
    finally:
        await _end(capture)
    if any(codes) and not found:  # after the last frame of a truncated capture tshark fails, too
        reason = (capture._last_error_line or "no reason given").rpartition('" ')[2].rstrip(".")
        raise InputError(f"tshark cannot read this capture ({reason})", file=path)


async def _end(capture: Any) -> None:
    """End all processes and tasks: otherwise pyshark tries to when it is garbage-collected, with the loop closed."""
    for process in capture._running_processes:
        if process.returncode is None:
            process.kill()
            await process.wait()
    capture._running_processes.clear()
    await asyncio.gather(*capture._stderr_handling_tasks)


def _dissection(packet: Any) -> Dissection:
    layers = tuple(_layer(layer) for layer in (packet.frame_info, *packet.layers))
    experts = [field.text for layer in layers for field in layer.fields if field.name == _EXPERT]
    return Dissection(int(packet.number), layers, tuple(dict.fromkeys(experts)))


def _layer(layer: Any) -> Layer:
    """Sort the fields by position, as pyshark groups them by name; a field stands before those that it contains."""
    fields = [field for group in layer._all_fields.values() for field in group.all_fields if not field.hide]
    fields.sort(key=lambda field: (int(field.pos or 0), -int(field.size or 0)))
    return Layer(layer.layer_name, tuple(map(_field, fields)))


def _field(field: Any) -> Field:
    name, shown = field.name or "", field.show or ""
    return Field(name, field.showname or shown or name, shown)
