"""Where to listen, as users write it: `HOST:PORT`, IPv6 in brackets."""

from __future__ import annotations

import re

from sipaudit.errors import InputError
from sipaudit.yamlfile.wording import quoted

_FORM = re.compile(r"(?:\[([0-9A-Fa-f:.%\w]{2,60})\]|([^\s:\[\]]{1,255})):([0-9]{1,5})", re.ASCII)
HIGHEST_PORT = 65_535


def parse_address(text: str, option: str) -> tuple[str, int]:
    """Host and port. Names are not resolved here. Raises InputError, which names `option`."""
    match = _FORM.fullmatch(text.strip())
    if match is None or int(match[3]) > HIGHEST_PORT:
        raise InputError(f"{option}: {quoted(text)} is no HOST:PORT", fix="write 127.0.0.1:9464, or [::1]:9464")
    return match[1] or match[2], int(match[3])
