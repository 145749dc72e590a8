"""The JSON Schema that editors use agrees with the loader."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import yaml
from jsonschema import Draft202012Validator

from sipaudit.settings.catalogue import DNS_CACHE, SETTINGS
from sipaudit.settings.entries import ENTRY_KEYS, SERVER_KEYS, TRANSPORTS
from sipaudit.settings.lines import LINE_KEYS
from sipaudit.settings.match import GLOB_KEYS, MATCH_KEYS
from sipaudit.settings.site import SITE_KEYS, TOLERANCE_KEYS
from sipaudit.yamlfile.reader import LONGEST_GLOB
from tests.settings.site_files import FULL, errors_of, manual_examples
from tests.shared import ROOT

SCHEMA = json.loads((ROOT / "sipaudit" / "site.schema.json").read_text(encoding="utf-8"))
PARTS = SCHEMA["$defs"]
VALID = Draft202012Validator(SCHEMA)


def test_it_is_a_schema() -> None:
    Draft202012Validator.check_schema(SCHEMA)


@pytest.mark.parametrize(
    ("part", "keys"),
    [
        (SCHEMA, SITE_KEYS),
        (PARTS["entry"], ENTRY_KEYS),
        (PARTS["server"], SERVER_KEYS),
        (PARTS["line"], LINE_KEYS),
        (PARTS["match"], MATCH_KEYS),
        (PARTS["settings"], tuple(SETTINGS)),
        (PARTS["tolerances"], TOLERANCE_KEYS),
    ],
    ids=["site", "entry", "server", "line", "match", "settings", "tolerances"],
)
def test_it_has_the_keys_of_the_loader_and_describes_each(part: dict[str, Any], keys: tuple[str, ...]) -> None:
    assert tuple(part["properties"]) == keys
    assert part["additionalProperties"] is False
    for key, value in part["properties"].items():
        described = value if "description" in value else PARTS[value["$ref"].rpartition("/")[2]]
        assert described["description"].endswith("."), key


@pytest.mark.parametrize("key", GLOB_KEYS)
def test_a_glob_is_as_long_as_the_loader_takes_it(key: str) -> None:
    assert PARTS["match"]["properties"][key]["maxLength"] == LONGEST_GLOB


@pytest.mark.parametrize("name", SETTINGS)
def test_a_setting_has_the_values_and_the_default_of_the_loader(name: str) -> None:
    stated, kind = PARTS["settings"]["properties"][name], SETTINGS[name]
    assert stated.get("default") == kind.default
    if kind.words:
        assert stated["enum"] == [*kind.words, "", None]
    elif kind.low is not None:
        assert stated["anyOf"][0] == {"type": "integer", "minimum": kind.low, "maximum": kind.high}


def test_the_static_dns_cache_is_known_to_it() -> None:
    names = {
        f"^dns\\.cache\\.{kind}\\.([1-9]|1[0-2])\\.{field}$" for kind, fields in DNS_CACHE.items() for field in fields
    }
    assert set(PARTS["settings"]["patternProperties"]) == names


def test_transports_are_those_of_the_loader() -> None:
    assert PARTS["server"]["properties"]["transport"]["enum"] == [*TRANSPORTS, None]


@pytest.mark.parametrize("example", [FULL, *manual_examples()], ids=lambda text: text.split("\n", 1)[0])
def test_what_the_loader_takes_is_valid(example: str) -> None:
    assert [error.message for error in VALID.iter_errors(yaml.safe_load(example))] == []


@pytest.mark.parametrize(
    "text",
    [
        "[]",
        "unknown: 1",
        "entries: {sbc: []}",
        "entries: {sbc: [{port: 5060}]}",
        "entries: {sbc: [{address: 10.0.0.1, port: 65536}]}",
        "entries: {sbc: [{address: 10.0.0.1, transport: UDP}]}",
        "lines: [{entry: sbc}]",
        "lines: [{match: {}, settings: {reRegisterOn: 2}}]",
        "lines: [{match: {}, settings: {failBack.mode: never}}]",
        "lines: [{match: {}, settings: {dns.cache.A.13.ttl: 300}}]",
        "lines: [{match: {usr: 1001}}]",
        "tolerances: {timer: -1}",
        "tolerances: {timer: 1, unknown: 2}",
    ],
)
def test_neither_takes_what_is_wrong(tmp_path: Path, text: str) -> None:
    assert errors_of(tmp_path, text)
    assert not VALID.is_valid(yaml.safe_load(text))
