"""The measured parts of bench/README.md, each between two comments that name it, and the commands that write them."""

from __future__ import annotations

from argparse import ArgumentParser
from pathlib import Path

from docs.parts import replaced

README = Path(__file__).with_name("README.md")   # nothing else is loaded: some of those commands measure their memory


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


def put(part: str, text: str) -> None:
    """Write this text into a part."""
    README.write_text(replaced(README.read_text(), part, text))
