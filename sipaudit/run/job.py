"""What the user asked for, as given on the command line."""

from __future__ import annotations

from dataclasses import dataclass

ENGINES = ("auto", "libpcap", "tshark")
EMBEDDED = 500      # findings whose raw text report.html carries, unless said otherwise
EVIDENCE_FILES = 1_000   # findings that get a capture of their own, unless said otherwise


@dataclass(frozen=True)
class Job:
    """The options shared by analyze, phones, ladder and events (contract.md 1), as texts of the command line."""

    paths: tuple[str, ...]
    site: str | None = None
    config: tuple[str, ...] = ()
    settings: tuple[str, ...] = ()
    engine: str = "auto"
    bpf: str | None = None
    keylog: str | None = None
    start: str | None = None
    end: str | None = None
    zone: str = "local"
    events: tuple[str, ...] = ()
    rules: tuple[str, ...] = ()
    suppress: str | None = None
    redact: bool = False
    redact_key: str | None = None
    end_option: str = "--to"
    settings_option: str = "--set"
    jobs: int | None = None


@dataclass(frozen=True)
class Output:
    """The files wanted in a directory: the `evidence` worst findings as captures of their own (None: all), and the raw
    text of the `embed` worst in the HTML."""

    directory: str
    evidence: int | None = EVIDENCE_FILES
    embed: int = EMBEDDED
