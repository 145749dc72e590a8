"""Exit codes (contract.md 1), which scripts rely on."""

from __future__ import annotations

DONE = 0
FAILED = 1         # the tool did
UNUSABLE = 2       # usage, or input that cannot be read
FOUND = 3          # what --fail-on names, or a case of a rule that does not hold
INTERRUPTED = 130  # by Ctrl-C, as shells count it: 128 and SIGINT
