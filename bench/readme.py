"""The measured parts of the pages of this folder, each between two comments that name it, and the commands that write
them."""

from __future__ import annotations

from argparse import ArgumentParser
from pathlib import Path

from docs.parts import replaced

# nothing else is loaded: some of those commands measure their memory
README = Path(__file__).with_name("README.md")
RUNS = Path(__file__).with_name("runs.md")


def options(module: str, about: str) -> ArgumentParser:
    """The options of a command that measures a part: `python -m MODULE --write` puts it into the README.
    `about` is the docstring of the module."""
    parser = ArgumentParser(prog=f"python -m {module}", description=about.partition("\n\n")[0])
    parser.add_argument("--write", action="store_true", help="put what was measured into bench/README.md")
    return parser


def tell(part: str, text: str, *, write: bool) -> None:
    """Print what was measured, and write it into its part of the README."""
    print(text)
    if write:
        put(part, text)


def put(part: str, text: str, page: Path = README) -> None:
    """Write this text into a part of a page."""
    page.write_text(replaced(page.read_text(), part, text))
