"""The messages of the shared corpora, by name."""

from __future__ import annotations

import ast
import re
from pathlib import Path

from tests.shared import CAPTURES

MESSAGES = CAPTURES / "messages"
_ZEEK_PACKET = re.compile(rb"\x01PKT[\x00-\x02]")  # before each packet, in zeek's files of many packets


def corpus() -> dict[str, bytes]:
    """Every message of every corpus, in the order of the file names; empty when the corpora are not there."""
    found: dict[str, bytes] = {}
    for path in sorted(MESSAGES.rglob("*")):
        if path.is_file():
            found.update(_messages(path))
    return found


def _messages(path: Path) -> dict[str, bytes]:
    name = path.relative_to(MESSAGES).as_posix()
    data = path.read_bytes()
    if "/fuzz/" in name:  # Go's corpus format: a line of header, then string("...")
        return {name: ast.literal_eval(data.split(b"\n")[1].decode().removeprefix("string")).encode()}
    if name.endswith(".pkt"):
        return {f"{name}#{number}": packet for number, packet in enumerate(_ZEEK_PACKET.split(data)[1:], 1)}
    return {name: data}
