"""The options `--redact` and `--redact-key`."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sipaudit.errors import InputError

if TYPE_CHECKING:
    from sipaudit.report.redact_message import MessageRedaction


def hiding_for(redact: bool, key: str | None) -> MessageRedaction | None:
    """The redaction for `--redact`, None without it; `key` names a file. Raises InputError if the key cannot be used.
    """
    if redact:
        from sipaudit.report.redact import Pseudonyms, read_key  # deferred: most runs redact nothing
        from sipaudit.report.redact_message import MessageRedaction
        from sipaudit.report.redact_report import Redaction

        return MessageRedaction(Redaction(Pseudonyms(read_key(key))))
    if key is not None:
        raise InputError("--redact-key says how to redact, but --redact is missing", fix="add --redact")
    return None
