"""Text for streams whose encoding lacks some of its characters."""

from __future__ import annotations

import os
import subprocess

import pytest

from sipaudit.safe_text import encoded
from tests.shared import COMMAND, SAMPLE


@pytest.mark.parametrize(("encoding", "written"), [
    ("utf-8", "sbc1 → sbc2, 12 µs… é א".encode()), (None, "sbc1 → sbc2, 12 µs… é א".encode()),
    ("latin-1", b"sbc1 > sbc2, 12 \xb5s~ \xe9 \\u05d0"), ("ascii", b"sbc1 > sbc2, 12 us~ \\xe9 \\u05d0"),
])
def test_our_signs_have_one_that_stands_for_them_and_names_are_escaped(encoding: str | None, written: bytes) -> None:
    assert encoded("sbc1 → sbc2, 12 µs… é א", encoding) == written


def test_a_file_name_that_is_no_text_is_written_as_its_escape() -> None:
    assert encoded("out\udcffage", "utf-8") == b"out\\udcffage"


def test_tables_stay_straight_where_there_are_no_arrows() -> None:
    command = [*COMMAND, "phones", str(SAMPLE / "capture.pcap"), "--site", str(SAMPLE / "site.yaml")]
    shown = {}
    for encoding in ("utf-8", "ascii"):
        environment = {**os.environ, "PYTHONIOENCODING": encoding}
        shown[encoding] = subprocess.run(command, env=environment, capture_output=True, check=True).stdout.decode()
    assert "sbc1 → sbc2  timeout" in shown["utf-8"]
    assert shown["ascii"] == shown["utf-8"].replace("→", ">")
