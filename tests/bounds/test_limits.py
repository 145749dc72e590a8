"""`--max-memory`: the bounds that it gives to the tables, and what happens when the process comes near it."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from sipaudit.errors import InputError
from sipaudit.live.limits import RELAX, Limits, read_size
from sipaudit.run.budget import SHARES, Budget, budget
from tests.bounds.ground import bounds_of

MB = 1 << 20
LIMIT = 90 * MB
PACKETS = 25_000   # with as many, a process without bounds takes more than LIMIT: at least 96 MB
FLOODED = """
import sys
from bench.floods import FLOODS
from bench.weeks import Listener
from sipaudit.live.limits import Limits, resident, steady_collections
listener = Listener(sys.argv[1], Limits(int(sys.argv[2])))
peak = 0
with steady_collections():
    for number, frame in enumerate(FLOODS[sys.argv[4]](int(sys.argv[3]))):
        listener.hear(1_700_000_000.0 + number / 500, frame)
        if number % 100 == 0:
            peak = max(peak, resident())
print(peak, sum(listener.upkeep.evicted.values()))
"""


@pytest.mark.parametrize(("text", "size"), [
    ("1048576", MB), ("512M", 512 * MB), ("512 MiB", 512 * MB), ("1.5g", 1536 * MB), ("800kB", 800 << 10),
])
def test_a_size(text: str, size: int) -> None:
    assert read_size(text) == size


@pytest.mark.parametrize("text", ["", "much", "-5M", "5T", "M", "9" * 400, "٥M"])
def test_no_size(text: str) -> None:
    with pytest.raises(InputError, match="is no size"):
        read_size(text)


def test_a_size_in_which_nothing_can_be_followed() -> None:
    with pytest.raises(InputError, match=r"is too little.*at least 103M"):
        Limits(80 * MB, base=60 * MB)
    Limits(103 * MB, base=60 * MB)


@pytest.mark.parametrize("size", [8, 64, 512, 4096])
def test_the_tables_together_stay_within_the_size(size: int) -> None:
    one = budget(size * MB)
    most = bounds_of(one)
    taken = sum(most[table] * SHARES[share].each for table, share in (
        ("lines", "lines"), ("transactions", "transactions"), ("dialogs", "legs"), ("hidden", "hidden"),
        ("servers", "servers"), ("names", "names"), ("streams", "streams"), ("findings", "findings"),
        ("incidents", "incidents"), ("stream-bytes", "stream_bytes")))
    assert taken < 1.2 * size * MB   # every table has some room at least
    assert sum(share.percent for share in SHARES.values()) == 100


def test_near_the_limit_tables_are_made_smaller_and_again_only_when_the_process_has_grown() -> None:
    held = 100 * MB
    given: list[Budget] = []
    limits = Limits(200 * MB, base=50 * MB, measure=lambda: held)
    assert limits.check(0, given.append) is None
    held = 185 * MB
    assert "75 % of their room" in (limits.check(1, given.append) or "")
    assert limits.check(2, given.append) is None   # freed memory is reused, and the process does not grow
    held = 190 * MB
    assert limits.check(3, given.append) is not None
    lines = [one.reconstruct.lines for one in given]
    assert limits.budget.reconstruct.lines == lines[1] < lines[0] < Limits(200 * MB, 50 * MB).budget.reconstruct.lines


def test_tables_get_their_room_back_when_there_has_been_ample_for_a_while() -> None:
    held = 190 * MB
    given: list[Budget] = []
    limits = Limits(200 * MB, base=50 * MB, measure=lambda: held)
    before = limits.budget
    limits.check(0, given.append)
    held = 90 * MB
    assert limits.check(1, given.append) is None
    assert limits.check(RELAX, given.append) is None
    assert limits.check(RELAX + 1, given.append) is not None
    assert given[-1] == before


def test_what_is_neither_near_the_limit_nor_far_from_it_stays_as_it_is() -> None:
    held = 190 * MB
    limits = Limits(200 * MB, base=50 * MB, measure=lambda: held)
    limits.check(0, lambda _: None)
    held = 145 * MB   # more than 70 %
    assert [limits.check(time, lambda _: None) for time in (1, RELAX, 2 * RELAX)] == [None, None, None]


def test_without_a_limit_nothing_is_measured() -> None:
    assert Limits(None, base=0, measure=lambda: 1 << 50).check(0, lambda _: None) is None


@pytest.mark.parametrize("kind", ["granted", "accomplices"])
def test_a_process_stays_under_its_limit(tmp_path: Path, kind: str) -> None:
    site = tmp_path / "site.yaml"
    site.write_text("entries: {sbc: [{address: 10.0.0.1}, {address: 10.0.0.2}]}\nlines: [{match: {}, entry: sbc}]\n")
    done = subprocess.run([sys.executable, "-c", FLOODED, str(site), str(LIMIT), str(PACKETS), kind], check=True,
                          capture_output=True, text=True)
    peak, evicted = map(int, done.stdout.split())
    assert evicted > 0
    assert peak < LIMIT
