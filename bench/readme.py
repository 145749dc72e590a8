"""The measured parts of this folder's pages, each between two comments that name it, and options of the commands that
write them."""

from __future__ import annotations

from argparse import ArgumentParser
from pathlib import Path

from docs.parts import replaced

# Import nothing else here: some of these commands measure their own memory.
README = Path(__file__).with_name("README.md")
RUNS = Path(__file__).with_name("runs.md")


def options(module: str, about: str) -> ArgumentParser:
    """The option parser of a command that measures a part: `python -m MODULE --write` puts it into the README.
    `about` is the module's docstring; its first paragraph is the description."""
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
