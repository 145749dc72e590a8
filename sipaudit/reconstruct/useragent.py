"""What a User-Agent says about its phone: model, firmware, MAC (polycom.md 1.6).

It names a device, and never more: scanners forge it and border controllers rewrite it, so it decides neither which
source is a phone nor which is a server.
"""

from __future__ import annotations

import re
from functools import lru_cache

from msgspec import Struct

from sipaudit.model.profile import Vendor

MAX_LENGTH = 256

# [FileTransport ][Polycom/5.5.0.20556 ]PolycomVVX-VVX_500-UA/5.5.0.20556[_mac][ (SN:mac)][ Type/Updater].
# Only single spaces stand outside the name: the forged form has them inside.
_POLYCOM = re.compile(
    r"(?:FileTransport )?"
    r"(?:Poly(?:com)?/[\d.]{1,40} )?"
    r"Poly(?:com)?[A-Za-z]{0,40}-"
    r"(?P<model>[A-Za-z]{1,20}_?[A-Za-z0-9]{1,20})-UA/"
    r"(?P<firmware>\d{1,6}(?:\.\d{1,6}){2,3})"
    r"(?:_(?P<mac>[0-9A-Fa-f]{12}))?"
    r"(?: \(SN:(?P<serial>[0-9A-Fa-f]{12})\))?"
    r"(?: Type/\w{1,20})?\s*\Z"
)
_POLYCOM_MAC = re.compile(r"(?:0004f2|64167f|482567)[0-9a-f]{6}\Z")


class Device(Struct, frozen=True, gc=False):
    """A phone as its User-Agent names it; `mac` twelve lower-case digits."""

    vendor: Vendor
    model: str | None = None
    firmware: str | None = None
    mac: str | None = None


UNNAMED = Device(Vendor.UNKNOWN)
_FOREIGN = Device(Vendor.UNMODELLED)


@lru_cache(maxsize=4096)
def read_user_agent(text: str | None) -> Device:
    """The device behind a User-Agent; that of another make, or a forged form, gives no model, firmware or MAC."""
    if not text:
        return UNNAMED
    found = _POLYCOM.match(text) if len(text) <= MAX_LENGTH else None
    if found is None:
        return _FOREIGN
    mac = found["mac"] or found["serial"]
    return Device(Vendor.MODELLED, found["model"], found["firmware"], mac.lower() if mac else None)


def polycom_mac(text: str | None) -> str | None:
    """The last twelve digits of a link address or a `+sip.instance` if they are a Polycom's MAC: any other may be a
    router's, or chance."""
    if not text:
        return None
    tail = text[-12:].lower()
    if _POLYCOM_MAC.match(tail) is None:
        return None
    return text if text == tail else tail   # nearly always: one text for the phone and its flows
