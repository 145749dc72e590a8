"""All shared captures: as many SIP messages, methods and statuses as tshark counts, or the reason why not."""

from __future__ import annotations

import json
import re
from collections import Counter
from dataclasses import dataclass, field
from typing import Any

import pytest

from sipaudit.capture.decode import Decoder
from sipaudit.capture.health import CaptureHealth
from sipaudit.sip.datagram import Datagram, Item, TransportError

from ..shared import CAPTURES, needs_captures

INDEX: list[dict[str, Any]] = json.loads((CAPTURES / "index.json").read_text()) if CAPTURES.is_dir() else []

START = re.compile(rb"\s*(?:SIP/2\.0 +(?P<status>\d{3})|(?P<method>\S+) +[^\r\n]*SIP/2\.0)")
