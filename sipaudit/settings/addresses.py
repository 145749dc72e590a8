"""Addresses and host names as users write them."""

from __future__ import annotations

import ipaddress
import re

from sipaudit.yamlfile.reader import Reader
from sipaudit.yamlfile.tree import Node
from sipaudit.yamlfile.wording import quoted

_HOST_NAME = re.compile(r"(?=.{1,253}$)[A-Za-z0-9_](?:[A-Za-z0-9_-]{0,62})(?:\.[A-Za-z0-9_][A-Za-z0-9_-]{0,62})*")

Address = ipaddress.IPv4Address | ipaddress.IPv6Address


def parse_address(text: str) -> Address | None:
    """An IP address as written, None if the text is none."""
    try:
        return ipaddress.ip_address(text)
    except ValueError:
        return None


def read_address(reader: Reader, node: Node, where: str) -> str | None:
    """An IP address in its shortest form; None (and a problem) if the value is none."""
    text = reader.text(node, where, "10.0.0.1")
    if text is None:
        return None
    try:
        if "%" not in text:
            return str(ipaddress.ip_address(text.strip("[]")))
    except ValueError:
        pass
    named = _HOST_NAME.fullmatch(text) and not text.replace(".", "").isdigit()
    fix = "write a host name under 'name'" if named else _without_port(text) or \
        "write an address as 10.0.0.1 or 2001:db8::1"
    reader.problems.add(node.line, f"{where}: {quoted(text)} is no IP address", fix)
    return None


def read_host_name(reader: Reader, node: Node, where: str) -> str | None:
    """A DNS name in lower case, without a trailing dot; None (and a problem) if the value is none."""
    text = reader.text(node, where, "sbc1.example.com")
    if text is None:
        return None
    name = text.removesuffix(".").lower()
    if parse_address(name) is not None:
        reader.problems.add(node.line, f"{where}: {quoted(text)} is an address, no name", "write it under 'address'")
        return None
    if not _HOST_NAME.fullmatch(name):
        fix = _without_port(text) or "write it as sbc1.example.com"
        reader.problems.add(node.line, f"{where}: {quoted(text)} is no host name", fix)
        return None
    return name


def _without_port(text: str) -> str:
    """The remedy for `10.0.0.1:5060` and `[2001:db8::1]:5060`, empty for any other text."""
    host, colon, port = text.rpartition(":")
    if not (colon and port.isdecimal() and (host.endswith("]") or ":" not in host)):
        return ""
    return f"write {host.strip('[]')}, and {port} under 'port'"
