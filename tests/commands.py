"""The commands of the command line and their options, as click knows them."""

from __future__ import annotations

import click

from sipaudit.cli.root import COMMANDS, root


def spellings(command: click.Command) -> set[str]:
    """All spellings of its options."""
    return {
        name
        for option in command.params if isinstance(option, click.Option)
        for name in (*option.opts, *option.secondary_opts)
    }


def all_commands() -> dict[str, click.Command]:
    """Every command by its name; subcommands with their group's name, as `rules list`."""
    found: dict[str, click.Command] = {}
    for name in COMMANDS:
        command = root.get_command(click.Context(root, **root.context_settings), name)
        assert command is not None
        found[name] = command
        if isinstance(command, click.Group):
            found |= {f"{name} {below}": each for below, each in command.commands.items()}
    return found
