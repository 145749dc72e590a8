"""A site file may come from anyone: whatever is wrong with it, an error is reported, in bounded time and memory."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from sipaudit.errors import InputError, InputErrors
from sipaudit.settings.site import Site, load_site
from sipaudit.yamlfile.tree import MAX_BYTES, MAX_NODES
from tests.settings.site_files import FULL

LAUGHS = b"a0: &a0 [x, x, x, x, x, x, x, x, x]\n" + b"".join(
    b"a%d: &a%d [%s]\n" % (level, level, b", ".join([b"*a%d" % (level - 1)] * 9)) for level in range(1, 30)
)


@pytest.mark.parametrize(
    ("data", "line", "message"),
    [
        pytest.param(LAUGHS, 6, f"aliases unfold to more than {MAX_NODES} values", id="billion laughs"),
        pytest.param(
            b"\nentries: !!python/object/apply:os.system ['touch /tmp/owned']\n",
            2,
            "the tag 'tag:yaml.org,2002:python/object/apply:os.system' is not accepted",
            id="python tag",
        ),
        pytest.param(b"entries: !include x\n", 1, "the tag '!include' is not accepted", id="own tag"),
        pytest.param(b"entries: &a {x: *a}\n", 1, "'*a' has no complete '&a' above it", id="contains itself"),
        pytest.param(b"entries: *none\n", 1, "'*none' has no complete '&none' above it", id="unknown alias"),
        pytest.param(b"\xd4\xc3\xb2" * 100, 1, "this is not UTF-8 text", id="no text"),
        pytest.param("entries: {}".encode("utf-16"), 1, "this is not UTF-8 text", id="utf-16"),
        pytest.param(b"a: b\nc: \x00\n", 2, "the character '\\x00' is no text", id="zero byte"),
        pytest.param("a: \uffff\n".encode(), 1, "the character '\\uffff' is no text", id="no character"),
        pytest.param(b"a: b\n" * 2_000_000, None, "the file is larger than 4 MB", id="10 MB"),
        pytest.param(b"[" * 1_000_000, 1, "nested deeper than 24 levels", id="deep brackets"),
        pytest.param(b"- " * 1_000_000, 1, "nested deeper than 24 levels", id="deep dashes"),
        pytest.param(b"{a: " * 1_000_000, 1, "nested deeper than 24 levels", id="deep mappings"),
        pytest.param(b"entries: {}\n---\nlines: []\n", 2, "a second YAML document begins here", id="two documents"),
        pytest.param(b"? [a]\n: b\n", 1, "a key must be a plain word", id="list as key"),
        pytest.param(
            b"lines: [{match: {user: '" + b"*a" * 1000 + b"'}}]",
            1,
            "lines[0].match.user is longer than 256 characters",
            id="endless glob",
        ),
        pytest.param(
            b"? " + b"x" * (MAX_BYTES - 20) + b"\n: 1\n",
            1,
            "the site file: unknown key '" + "x" * 57 + "...'",
            id="endless key",
        ),
    ],
)
def test_it_is_refused_with_the_place_and_the_reason(
        tmp_path: Path, data: bytes, line: int | None, message: str) -> None:
    path = tmp_path / "site.yaml"
    path.write_bytes(data)
    with pytest.raises(InputErrors) as raised:
        load_site(path)
    error = raised.value.errors[0]
    assert (error.line, error.message, error.file) == (line, message, str(path))
    assert error.fix


def test_a_device_that_never_ends_is_read_only_so_far() -> None:
    with pytest.raises(InputError, match="larger than 4 MB"):
        load_site("/dev/zero")


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None, max_examples=150)
@given(st.data())
def test_any_damage_gives_a_site_or_an_input_error(tmp_path: Path, data: st.DataObject) -> None:
    """The full example, with any piece replaced by anything, never raises another exception."""
    raw = FULL.encode()
    start = data.draw(st.integers(0, len(raw)))
    end = data.draw(st.integers(start, min(len(raw), start + 40)))
    noise = data.draw(st.binary(max_size=20) | st.text("{}[]:,-&*!|>'\"%@# \n\tab0", max_size=20).map(str.encode))
    path = tmp_path / "site.yaml"
    path.write_bytes(raw[:start] + noise + raw[end:])
    try:
        assert isinstance(load_site(path), Site)
    except InputError as error:
        assert error.message  # noqa: PT017 - both outcomes are right
