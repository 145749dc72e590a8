"""Provisioning files for the tests: written to a folder and read, and the lines to look up in them."""

from __future__ import annotations

from pathlib import Path

from sipaudit.model.settings import Declaration, LineSettings, Setting
from sipaudit.settings.declaring import Declarations
from sipaudit.settings.polycom.line import LineBlock
from sipaudit.settings.provisioning import Provisioning
from sipaudit.settings.site import Site, load_site
from tests.settings.site_files import line

MAC = "0004f2000001"


def lay(folder: Path, **files: str | bytes) -> Path:
    """Write files to a folder; in their names `__` stands for `/`, and every one ends in .cfg."""
    for name, content in files.items():
        path = folder / f"{name.lstrip('_').replace('__', '/')}.cfg"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content.encode() if isinstance(content, str) else content)
    return folder


def flat(**attributes: object) -> str:
    """One element with these attributes; in their names `__` stands for a dot."""
    said = " ".join(f'{name.replace("__", ".")}="{value}"' for name, value in attributes.items())
    return f"<PHONE_CONFIG><ALL {said}/></PHONE_CONFIG>"


def one_file(folder: Path, **attributes: object) -> list[str]:
    """A single file with these attributes, as `--config` names it."""
    lay(folder, site=flat(**attributes))
    return [str(folder / "site.cfg")]


def only_line(folder: Path, **attributes: object) -> LineBlock:
    """The only line of a single file."""
    ((_, block),) = Provisioning(one_file(folder, **attributes)).lines()
    return block


def stated(folder: Path, name: str, /, **attributes: object) -> Setting:
    """One setting as a single file states it, at the first server of its line."""
    return only_line(folder, **attributes).servers[0].settings[name]


def declare(config: list[str], site: Path | None = None, /, *, entry: str | None = None, user: str = "1001",
            **known: str) -> LineSettings:
    """The declared settings of a line at an entry."""
    return declared(config, site, user=user, **known).at(entry)


def declared(config: list[str], site: Path | None = None, /, *, user: str = "1001", **known: str) -> Declaration:
    read = load_site(site) if site is not None else Site()
    return Declarations(read, config).declare(line(user, **known))
