"""`sipaudit completion`: the script that teaches a shell our commands and options."""

from __future__ import annotations

import click
from click.shell_completion import get_completion_class

from sipaudit.cli import options, terminal
from sipaudit.cli.manual import Command


@click.command("completion", cls=Command, short_help="Print a shell's completion script.")
@click.argument("shell", type=click.Choice(["bash", "zsh", "fish"]))
@options.verbosity_options
@click.pass_context
def command(context: click.Context, shell: str) -> None:
    """Prints the script that completes sipaudit's commands, options and file names, and names of rules, in a shell.

    \b
    Examples:
      eval "$(sipaudit completion bash)"     # for this session; in ~/.bashrc for all
      eval "$(sipaudit completion zsh)"      # in ~/.zshrc, after compinit
      sipaudit completion fish > ~/.config/fish/completions/sipaudit.fish
    """
    script = get_completion_class(shell)
    if script is None:  # the choice above lists only shells that click knows
        raise click.UsageError(f"no completion for {shell}")
    root = context.find_root()
    terminal.emit_text(script(root.command, {}, "sipaudit", "_SIPAUDIT_COMPLETE").source() + "\n")
