"""What a parser remembers."""

from __future__ import annotations

from sipaudit.sip.lines import LineParser
from sipaudit.sip.parse import Parser


def remembered(parser: Parser) -> list[dict[bytes, object]]:
    """All that a parser remembers, by bytes of the wire."""
    held = (getattr(parser, name) for kind in (Parser, LineParser) for name in kind.__slots__)
    return [memo for memo in held if isinstance(memo, dict)]
