"""Writes docs/service/sipaudit.1, the manual page, from the help of all commands. Run it after changing a help text."""

from __future__ import annotations

import inspect
from collections.abc import Iterator
from pathlib import Path

import click

from sipaudit import __version__
from sipaudit.cli.root import root

PAGE = Path(__file__).parent / "service" / "sipaudit.1"

END = r"""
.SH EXIT STATUS
.TP
.B 0
done; of
.BR live :
ended by a signal
.TP
.B 1
the tool failed;
.B \-v
shows the traceback
.TP
.B 2
wrong usage, or input that cannot be read; nothing has been written
.TP
.B 3
there are findings that
.B \-\-fail\-on
names; of
.BR "rules check" :
a test case fails
.TP
.B 130
interrupted; nothing has been written
.SH SIGNALS
Of
.BR "sipaudit live" :
SIGTERM and SIGINT end it; what had come by then is still judged.
SIGHUP makes it read the site file, provisioning, rules and suppressions again; a file that is wrong is named in the
log and changes nothing.
.SH ENVIRONMENT
.TP
.B NO_COLOR
if not empty: no colours
.TP
.B SIPAUDIT_HEP_KEY
the password of
.BR \-\-hep\-key
.TP
.B TMPDIR
where temporary files go
.TP
.B COLUMNS
the width of the output if stdout is not a terminal
.TP
.B NOTIFY_SOCKET, WATCHDOG_USEC, WATCHDOG_PID
set by
.BR systemd (1),
which is told that the service is ready, alive, reloading or stopping
.SH FILES
Names are those of the example service; nothing of it is fixed.
.TP
.I /etc/sipaudit/environment
what the service listens to, and its options
.TP
.I /etc/sipaudit/site.yaml
servers, lines and how the phones are set
.TP
.I /etc/sipaudit/notify
notification URLs, one a line, for
.B \-\-notify @FILE
.TP
.I /var/lib/sipaudit
the store, and the state from which a restarted probe goes on
.SH SEE ALSO
.BR systemctl (1),
.BR journalctl (1),
.BR pcap\-filter (7),
.BR tshark (1)
"""


def page() -> str:
    """The whole page, in the man macros of roff."""
    context = click.Context(root, info_name="sipaudit", **root.context_settings)  # the help option is made only once
    lines = [
        f'.TH SIPAUDIT 1 "" "sipaudit {__version__}" "User Commands"',
        ".SH NAME", r"sipaudit \- what SIP phones did when a server failed, and whether they should have",
        ".SH SYNOPSIS", r".B sipaudit", r"[\fIOPTIONS\fR] \fICOMMAND\fR [\fIARGUMENTS\fR]",
        ".SH DESCRIPTION", *_prose(root), ".SH OPTIONS", "Before or after the name of a command:",
        *_options(root, set()), ".SH COMMANDS",
    ]
    for name in root.list_commands(context):
        command = root.get_command(context, name)
        assert command is not None
        lines += _command(f"sipaudit {name}", command)
    return "\n".join(lines) + END


def _command(name: str, command: click.Command) -> Iterator[str]:
    context = click.Context(command, info_name=name, **root.context_settings)
    words = [_operand(each) for each in command.params if isinstance(each, click.Argument)]
    if isinstance(command, click.Group):
        words = ["COMMAND ..."]
    yield f'.SS "{_text(" ".join([name, "[OPTIONS]", *words]))}"'
    yield from _prose(command)
    yield from _options(command, besides={"--help", *(name for option in root.params for name in option.opts)})
    if isinstance(command, click.Group):
        for below in command.list_commands(context):
            found = command.get_command(context, below)
            assert found is not None
            yield from _command(f"{name} {below}", found)


def _prose(command: click.Command) -> Iterator[str]:
    """The paragraphs of the help; preformatted ones (examples) keep their line breaks."""
    for paragraph in inspect.cleandoc(command.help or "").split("\n\n"):
        if paragraph.startswith("\b\n"):
            yield from (".PP", ".nf", *(_text(line) for line in paragraph[2:].splitlines()), ".fi")
        else:
            yield from (".PP", _text(" ".join(paragraph.split())))


def _options(command: click.Command, besides: set[str]) -> Iterator[str]:
    context = click.Context(command, **root.context_settings)
    for option in command.get_params(context):
        if isinstance(option, click.Option) and not option.hidden and not besides.intersection(option.opts):
            yield from (".TP", rf"\fB{_text(_spelled(option))}\fR", _text(_meaning(option)))


def _spelled(option: click.Option) -> str:
    """`-o, --output DIR`, `--progress/--no-progress`. Not click's own spelling, which differs between releases."""
    names = ", ".join(option.opts) + "".join(f"/{name}" for name in option.secondary_opts)
    return names if option.is_flag or option.count else f"{names} {_operand(option)}"


def _operand(parameter: click.Parameter) -> str:
    if parameter.metavar is not None:
        return parameter.metavar
    if isinstance(parameter.type, click.Choice):
        return "|".join(map(str, parameter.type.choices))
    return parameter.type.name.upper() if isinstance(parameter, click.Option) else str(parameter.name).upper()


def _meaning(option: click.Option) -> str:
    said = " ".join((option.help or "").split())
    return f"{said} [default: {option.default}]" if option.show_default else said


def _text(text: str) -> str:
    """Text escaped so that roff prints it unchanged."""
    safe = text.translate(_ROFF)
    return rf"\&{safe}" if safe.startswith(".") else safe


_ROFF = str.maketrans({
    "\\": r"\e", "-": r"\-", '"': r"\(dq", "~": r"\(ti", "^": r"\(ha", "'": r"\(aq", "`": r"\(ga",
})


def main() -> None:
    PAGE.write_text(page(), encoding="utf-8")


if __name__ == "__main__":
    main()
