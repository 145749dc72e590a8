"""Help that reads like a manual: options under headings, examples as they are typed."""

from __future__ import annotations

from collections import Counter
from importlib import import_module
from typing import Any

import click

from sipaudit.yamlfile.wording import hint, quoted

WIDTH = 100
GENERAL = "General"


class Option(click.Option):
    """An option that stands under a heading of its command's help, `last` below the others of it."""

    def __init__(self, *arguments: Any, section: str, last: bool = False, **attributes: Any) -> None:
        super().__init__(*arguments, **attributes)
        self.section = section
        self.last = last


class Command(click.Command):
    """A command whose help groups its options by section, as declared, with the general ones last, and which takes no
    option twice that has one value: of two site files the second would count, and nobody be told."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        if not ctx.resilient_parsing:   # as completion does
            _, words, given = self.make_parser(ctx).parse_args(args=list(args))
            if not any(each.is_eager for each in given):   # --help
                self.look_at(ctx, words)
                self._refuse_twice(ctx, given)
        return super().parse_args(ctx, args)

    def look_at(self, ctx: click.Context, words: list[str]) -> None:
        """What a command has to say of its words that are no options, before anything else is said of them."""

    def _refuse_twice(self, ctx: click.Context, given: list[click.Parameter]) -> None:
        for option, times in Counter(given).items():
            if times > 1 and _has_one_value(option):
                often = "twice" if times == 2 else f"{times} times"
                ctx.fail(f"{option.opts[-1]} is given {often}, and takes one value. Name the one that counts.")

    def format_options(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        sections: dict[str, list[tuple[str, str]]] = {}
        for option in sorted(self.get_params(ctx), key=lambda option: getattr(option, "last", False)):
            record = option.get_help_record(ctx) if isinstance(option, click.Option) else None
            if record is not None:
                sections.setdefault(getattr(option, "section", GENERAL), []).append(record)
        for section, records in sorted(sections.items(), key=lambda item: item[0] == GENERAL):
            with formatter.section(section):
                formatter.write_dl(records)


def _has_one_value(option: click.Parameter) -> bool:
    return isinstance(option, click.Option) and not (option.multiple or option.is_flag or option.count)


class Group(click.Group):
    """A group that knows what was meant by a word that is none of its commands."""

    def resolve_command(self, ctx: click.Context, args: list[str]
                        ) -> tuple[str | None, click.Command | None, list[str]]:
        name = args[0]
        if not name.startswith("-") and name not in self.list_commands(ctx):
            ctx.fail(f"There is no command {quoted(name)}{self.meant(ctx, name)}")
        return super().resolve_command(ctx, args)

    def meant(self, ctx: click.Context, name: str) -> str:
        """What to go on with after the name of a command that is not there."""
        return hint(name, self.list_commands(ctx))


class LazyGroup(Group):
    """A group whose commands are modules of this package, each imported when it is asked for."""

    def __init__(self, *arguments: Any, names: tuple[str, ...], **attributes: Any) -> None:
        super().__init__(*arguments, **attributes)
        self.names = names

    def list_commands(self, ctx: click.Context) -> list[str]:  # noqa: ARG002 - click's signature
        return list(self.names)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:  # noqa: ARG002
        if cmd_name not in self.names:
            return None
        command: click.Command = import_module(f"sipaudit.cli.{cmd_name}").command
        return command
