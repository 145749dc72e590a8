"""The options that commands share, each written once, and how they become a job."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import click
from click.core import ParameterSource

from sipaudit.cli.manual import GENERAL, Option
from sipaudit.cli.output import Delivery
from sipaudit.cli.terminal import VERBOSITY
from sipaudit.errors import InputError
from sipaudit.run.job import EMBEDDED, ENGINES, EVIDENCE_FILES

if TYPE_CHECKING:
    from sipaudit.pipeline import Output

Decorator = Callable[[Callable[..., Any]], Callable[..., Any]]

KNOWN = "What you know"
READ = "What is read"
REPORTED = "What is reported"
WAY = "Output"


class NamedPath(click.Path):
    """A path. An empty one, as of a variable of the shell that nobody has set, would be the current directory. Whoever
    opens it says in one line why it cannot be read, and what to do."""

    def __init__(self, *, allow_dash: bool = False) -> None:
        super().__init__(readable=False, allow_dash=allow_dash)

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        if value == "":
            self.fail("a path is empty; name it, or leave the option out", param, ctx)
        return super().convert(value, param, ctx)


def _set_quiet(context: click.Context, _option: click.Parameter, quiet: bool) -> None:
    if quiet:
        context.meta[VERBOSITY] = -1


def _set_verbose(context: click.Context, _option: click.Parameter, times: int) -> None:
    if times:
        context.meta[VERBOSITY] = times


def _count_or_all(_context: click.Context, _option: click.Parameter, text: str) -> int | None:
    if text == "all":
        return None
    if not text.isascii() or not text.isdigit() or len(text) > 9:
        raise click.BadParameter(f"{text!r} is neither a number nor 'all'")
    return int(text)


def _checked_directory(_context: click.Context, _option: click.Parameter, directory: str | None) -> str | None:
    """Refuses a directory that cannot become ours before any work is done. Raises InputError."""
    if directory is not None:
        from sipaudit.report import folder

        folder.check(directory)
    return directory


def option(*names: str, section: str, **attributes: Any) -> Decorator:
    """An option under the heading `section` of a command's help."""
    return click.option(*names, cls=Option, section=section, **attributes)


def fail_on(default: str) -> Decorator:
    """From which severity on a finding is a failure."""
    return option(
        "--fail-on", section=WAY, type=click.Choice(["info", "warning", "error", "never"]), default=default,
        show_default=True, help="End with exit code 3 if a finding that is not suppressed is at least this severe.",
    )


CAPTURES = click.argument("paths", metavar="CAPTURE...", nargs=-1, required=True, type=NamedPath(allow_dash=True))
SITE = option(
    "--site", section=KNOWN, metavar="FILE", type=NamedPath(),
    help="Site file (YAML): server entries, lines and their settings, tolerances, known events.",
)
CONFIG = option(
    "--config", section=KNOWN, metavar="PATH", multiple=True, type=NamedPath(),
    help="Polycom provisioning, a directory or a single file, from which the settings and servers of the lines are "
    "taken. May be repeated; if several set the same parameter, the first counts.",
)
SET = option(
    "--set", "settings", section=KNOWN, metavar="SUFFIX=VALUE", multiple=True,
    help="One setting for every line, written as in a provisioning file: --set failBack.mode=duration. It overrides "
    "the site file and --config. May be repeated.",
)
RULES = option(
    "--rules", section=KNOWN, metavar="FILE|DIR", multiple=True, type=NamedPath(),
    help="Your own rules (YAML) on top of those that ship: new ones, replacements, or changes (override:) of severity, "
    "tolerance and thresholds. May be repeated; later ones win.",
)
SUPPRESS = option(
    "--suppress", section=KNOWN, metavar="FILE", type=NamedPath(),
    help="Known findings that should not count (YAML). They stay in the output, marked with the reason.",
)
EVENT = option(
    "--event", "events", section=KNOWN, metavar="TEXT", multiple=True,
    help='Something that you know happened, shown in timelines: "12:03:04 sbc1 stopped". May be repeated.',
)
ENGINE = option(
    "--engine", section=READ, type=click.Choice(ENGINES), default="auto", show_default=True,
    help="What reads the packets. auto: libpcap, and tshark (if installed) for the frames that need it. libpcap: never "
    "tshark. tshark: everything through tshark.",
)
FILTER = option(
    "--filter", "bpf", section=READ, metavar="BPF",
    help="Read only packets that match this capture filter, which is applied to the outer packet as captured. Frame "
    "numbers stay the same.",
)
KEYLOG = option(
    "--tls-keylog", "keylog", section=READ, metavar="FILE", type=NamedPath(),
    help="TLS keys (SSLKEYLOGFILE format) for reading SIP inside TLS; needs tshark.",
)
FROM = option(
    "--from", "start", section=REPORTED, metavar="TIME",
    help="Report from this time on. Earlier packets are still read, to know what was before; lines of which nothing is "
    "seen from then on are left out. TIME: ISO 8601, 12:03[:04], +90s or +5m after the first packet, or @1700000300.5 "
    "(epoch).",
)
TO = option("--to", "end", section=REPORTED, metavar="TIME", help="Report up to this time. Nothing after it is read.")
JOBS = option(
    "--jobs", section=READ, metavar="N", type=click.IntRange(min=1),
    help="How many processes may work. This affects the time taken, never the result. More than two do not help: one "
    "reads and parses, one judges.  [default: the number of cores for large captures, else 1]",
)
ZONE = option(
    "--tz", "zone", section=REPORTED, metavar="ZONE", default="local", show_default=True,
    help="Time zone of all times shown and given: an IANA name (Europe/Berlin), utc or local.",
)
LINE = option(
    "--line", section=REPORTED, metavar="AOR", help="Only this line: sip:1001@pbx.example.com, or its user 1001.",
)
FORMAT = option(
    "--format", "form", section=WAY, type=click.Choice(["text", "json", "jsonl", "csv", "junit"]), default="text",
    show_default=True,
    help="What goes to stdout: text to read, one JSON document, JSON lines, CSV (the findings; for `phones` the "
    "lines), or JUnit XML for a build server.",
)
TEXT_OR_JSON = option(
    "--format", "form", section=WAY, type=click.Choice(["text", "json"]), default="text", show_default=True,
    help="Text to read, or one JSON document.",
)
OUTPUT = option(
    "-o", "--output", "directory", section=WAY, metavar="DIR", type=click.Path(), callback=_checked_directory,
    help="Also write report.html, report.json, report.md, findings.csv, messages.parquet and evidence/ into this "
    "directory, which is created if missing. Other files in it are left alone.",
)
REPORT_OUTPUT = option(
    "-o", "--output", "directory", section=WAY, metavar="DIR", type=click.Path(), callback=_checked_directory,
    help="Also write report.html, report.json, report.md and findings.csv into this directory (with --compare also "
    "comparison.json). Other files in it are left alone.",
)
EVIDENCE = option(
    "--evidence", section=WAY, metavar="N|all", default=str(EVIDENCE_FILES), show_default=True, callback=_count_or_all,
    help="With -o: how many findings, worst first, get a capture file of their own with the packets that prove them.",
)
EMBED = option(
    "--embed", section=WAY, metavar="N", type=click.IntRange(min=0), default=EMBEDDED, show_default=True,
    help="With -o: for how many findings, worst first, report.html has the ladder, the raw messages and Wireshark's "
    "dissection.",
)
REDACT = option(
    "--redact", section=WAY, last=True, is_flag=True,
    help="Replace numbers, names, addresses, hosts, file names and digest values with pseudonyms in everything that is "
    "written. The same value gets the same pseudonym; addresses of one network stay in one network.",
)
REDACT_KEY = option(
    "--redact-key", section=WAY, last=True, metavar="FILE", type=NamedPath(),
    help="Secret key (16 bytes or more) from which the pseudonyms are made, so that several runs agree. Without it "
    "each run has its own.",
)
STORES = ("sqlite:///sipaudit.db, or postgresql+psycopg://user@host/database, which several may share. "
          "`sipaudit report URL` shows what it holds.")
STORE = option(
    "--store", section=WAY, metavar="URL",
    help=f"Also keep the report in this store: {STORES} Analysing the same captures again replaces their earlier "
    "results.",
)
FAIL_ON = fail_on("never")
PROGRESS = option(
    "--progress/--no-progress", "show_progress", section=WAY, default=None,
    help="Show on stderr how much has been read.  [default: if stderr is a terminal]",
)
VERBOSE = option(
    "-v", "--verbose", section=GENERAL, count=True, expose_value=False, callback=_set_verbose,
    help="Say more on stderr: a traceback if the tool itself fails.",
)
QUIET = option(
    "-q", "--quiet", section=GENERAL, is_flag=True, expose_value=False, callback=_set_quiet,
    help="Say less on stderr: errors only.",
)

JOB = (CAPTURES, SITE, CONFIG, SET, RULES, SUPPRESS, EVENT, ENGINE, FILTER, KEYLOG, JOBS, FROM, TO, ZONE, REDACT,
       REDACT_KEY)
JOB_FIELDS = ("paths", "site", "config", "settings", "engine", "bpf", "keylog", "start", "end", "zone", "events",
              "rules", "suppress", "redact", "redact_key", "jobs")


def decorated(function: Callable[..., Any], decorators: tuple[Decorator, ...]) -> Callable[..., Any]:
    """The function with these options, the first of them above all in its help."""
    for decorator in reversed(decorators):
        function = decorator(function)
    return function


def verbosity_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """-v and -q, which every command takes, before or after its name."""
    return decorated(command, (VERBOSE, QUIET))


def job_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """Captures and the options that choose and explain them; the command gets one `job`."""

    @functools.wraps(command)
    def with_job(**values: Any) -> Any:
        from sipaudit.pipeline import Job

        return command(job=Job(**{name: values.pop(name) for name in JOB_FIELDS}), **values)

    return decorated(with_job, JOB)


def delivery_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """How the report is wanted; the command gets one `delivery`, checked."""

    @functools.wraps(command)
    def with_delivery(
        form: str, directory: str | None, evidence: int | None, embed: int, fail_on: str, **values: Any
    ) -> Any:
        delivery = Delivery(form, fail_on, _output(directory, evidence, embed))
        return command(delivery=delivery, **values)

    return decorated(with_delivery, (FORMAT, OUTPUT, EVIDENCE, EMBED, FAIL_ON))


def _output(directory: str | None, evidence: int | None, embed: int) -> Output | None:
    """What `-o` wants. Raises InputError for what only it can give."""
    if directory is None:
        said = click.get_current_context().get_parameter_source
        for name in ("evidence", "embed"):
            if said(name) is not ParameterSource.DEFAULT:
                raise InputError(f"--{name} says what to write with -o, but -o is missing", fix="add -o DIR")
        return None
    from sipaudit.pipeline import Output

    return Output(directory, evidence, embed)


def progress_option(command: Callable[..., Any]) -> Callable[..., Any]:
    """--progress/--no-progress."""
    return PROGRESS(command)
