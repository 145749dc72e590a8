"""Site files for the tests of settings: written to a folder and loaded, and the lines to look up in them."""

from __future__ import annotations

import re
from pathlib import Path
from textwrap import dedent
from typing import TypeVar

import pytest

from sipaudit.errors import InputError, InputErrors
from sipaudit.model.settings import LineIdentity
from sipaudit.settings.site import Site, load_site

T = TypeVar("T")
MANUAL = Path(__file__).resolve().parents[2] / "docs" / "site-file.md"

FULL = """\
entries:
  sbc:
    dns_ttl: 300
    servers:
      - {name: SBC1.example.com., address: 10.0.0.1, port: 5060, transport: udp}
      - {name: sbc2.example.com, address: 10.0.0.2}
  branch:
    - {address: "2001:DB8::1", transport: tls}
lines:
  - match: {user: "10??", address: 10.1.0.0/16, user_agent: "PolycomVVX*"}
    entry: [sbc, branch]
    label: "Reception"
    group: "Site A"
    settings: {reRegisterOn: 1, failRegistrationOn: 1, failBack.mode: duration, failBack.timeout: 60}
    entry_settings: {branch: {register: 0}}
  - match: {}
    entry: sbc
tolerances: {timer: 3, overdue: 7.5}
events: ["2026-11-22T12:03:04+01:00 sbc1 stopped"]
emergency: ["112", 911]
"""


def write(folder: Path, text: str) -> Path:
    path = folder / "site.yaml"
    path.write_text(dedent(text), encoding="utf-8")
    return path


def load(folder: Path, text: str) -> Site:
    return load_site(write(folder, text))


def errors_of(folder: Path, text: str) -> list[InputError]:
    """The errors of a site file that must not load, all of them in that file."""
    path = write(folder, text)
    with pytest.raises(InputErrors) as raised:
        load_site(path)
    assert all(error.file == str(path) for error in raised.value.errors)
    return raised.value.errors


def present(value: T | None) -> T:
    """The value, which must not be None in this test."""
    assert value is not None
    return value


def line(user: str = "1001", address: str = "10.1.0.5", **known: str) -> LineIdentity:
    domain = known.pop("domain", "pbx.example.com")
    return LineIdentity(user=user, domain=domain, aor=f"sip:{user}@{domain}", address=address, **known)


def manual_examples() -> list[str]:
    return re.findall(r"^```yaml\n(.*?)^```", MANUAL.read_text(encoding="utf-8"), re.MULTILINE | re.DOTALL)
