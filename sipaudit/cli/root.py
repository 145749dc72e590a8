"""The group of commands, and how errors become exit codes."""

from __future__ import annotations

from errno import EACCES, EDQUOT, ENAMETOOLONG, ENOSPC, EPERM
from io import StringIO
from os.path import isfile

import click

from sipaudit import InputError, __version__
from sipaudit.cli import terminal
from sipaudit.cli.exit_codes import DONE, FAILED, UNUSABLE
from sipaudit.cli.manual import WIDTH, LazyGroup
from sipaudit.cli.options import verbosity_options
from sipaudit.run.garbage import rare_collections

COMMANDS = (
    "analyze", "live", "phones", "ladder", "inspect", "events", "config", "report", "rules", "explain", "simulate",
    "completion",
)


class Root(LazyGroup):
    """The group. Whatever a command raises ends as one line on stderr and an exit code."""

    def meant(self, ctx: click.Context, name: str) -> str:
        """A capture alone is what many begin with."""
        if isfile(name):  # noqa: PTH113 - Path.is_file() raises where a name is too long
            return f"; did you mean 'sipaudit analyze {name}'?"
        return super().meant(ctx, name)

    def invoke(self, ctx: click.Context) -> None:
        try:
            super().invoke(ctx)
            return
        except (click.ClickException, click.exceptions.Exit):
            raise
        except InputError as error:
            code = _say_input_error(error)
        except KeyboardInterrupt:
            raise click.Abort from None  # click's own way from here to its end prints an empty line
        except OSError as error:
            if error.errno == ENAMETOOLONG:  # of a name that the user gave: ours are short
                code = _say_input_error(InputError(str(error), fix="name a shorter path"))
            elif error.errno in (EACCES, EPERM) and error.filename is not None:
                code = _say_input_error(InputError(f"cannot be used: {error.strerror}", file=str(error.filename),
                                                   fix="check its permissions, and those of the folders above it"))
            else:
                code = _say_failed(error, f"failed: {error}{_where(error)}")
        except Exception as error:
            code = _say_failed(error, f"failed: {type(error).__name__}: {error} (this is a bug)")
        ctx.exit(code)


def _where(error: OSError) -> str:
    """What to do about a disk that is full, of which the system does not say which."""
    full = error.errno in (ENOSPC, EDQUOT) and error.filename is None
    return " (make room where -o points to, and for temporary files: TMPDIR names another place)" if full else ""


def _say_input_error(error: InputError) -> int:
    for one in error.errors:
        terminal.complain(str(one))
    return UNUSABLE


def _say_unusable_words(error: click.ClickException) -> None:
    """What click says; it repeats words of the command line, which may be names of files."""
    said = StringIO()
    error.show(said)
    for line in said.getvalue().splitlines():
        terminal.say(line.expandtabs(2))   # before each of the words to choose from


def _say_failed(error: Exception, text: str) -> int:
    if terminal.verbosity() > 0:
        import traceback  # deferred: few runs fail

        for line in "".join(traceback.format_exception(error)).splitlines():
            terminal.say(line)
        terminal.complain(text)
    else:
        terminal.complain(f"{text}; -v shows the traceback")
    return FAILED


@click.group(
    cls=Root, names=COMMANDS,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": WIDTH},
)
@click.version_option(__version__, message="sipaudit %(version)s")
@verbosity_options
def root() -> None:
    """Says what SIP phones did when a server failed, and whether they should have.

    sipaudit reads captures taken between Polycom phones and their SIP servers, replays every line through a
    reference model of SIP server failover, and reports each deviation with the requirement it breaks and the frames
    that prove it. It sends nothing and needs no access to phones or servers. What cannot be decided is
    counted as inconclusive, with the reason; it is never guessed.

    \b
    First steps:
      sipaudit phones outage.pcap                        who is in the capture
      sipaudit analyze outage.pcap                       what they did
      sipaudit analyze outage.pcap --site site.yaml      whether they should have
      sipaudit analyze outage.pcap --site site.yaml -o out
                                                         the same, with all files in out/

    \b
    Where to read on:
      sipaudit COMMAND --help    a command, with examples
      docs/commands.md           all commands and options
      docs/capturing.md          how and where to capture
    """


def run() -> int:
    """Runs the command line; gives the exit code. Raises KeyboardInterrupt."""
    try:
        with rare_collections():  # what is loaded for a command is no garbage either
            code = root.main(prog_name="sipaudit", standalone_mode=False)
    except click.ClickException as error:
        _say_unusable_words(error)
        return error.exit_code
    except click.Abort:
        raise KeyboardInterrupt from None
    except OSError as error:  # of --help and --version, which are no command: a full disk behind stdout
        return _say_failed(error, f"failed: {error}")
    return code if isinstance(code, int) else DONE
