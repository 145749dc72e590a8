"""What nobody declared."""

from __future__ import annotations

import pytest

from tests.stories import (
    MINUTE,
    R2,
    Court,
    P,
    S,
    Story,
    site,
)
from tests.traps.ground import (
    EARLY,
    PREMATURE,
    UNREGISTERED,
    accused,
    handset,
)

ABOUT = ("signalling-to-unregistered-server", "premature-failback")


def faulty() -> Story:
    """Both faults of a phone in R2."""
    phone = handset()
    phone.fail_over(300, registers=False)
    phone.register(311, S)
    phone.register(EARLY, P)
    return phone.story


def test_settings_that_nobody_declared(court: Court) -> None:
    assert court(faulty(), site(None)) == [f"? {PREMATURE} settings-unknown", f"? {UNREGISTERED} settings-unknown"]


@pytest.mark.parametrize(("said", "left"), [
    ((), {UNREGISTERED, PREMATURE}),
    (("reRegisterOn=1",), {PREMATURE}),
    (("reRegisterOn=1", "failRegistrationOn=1", "onlySignalWithRegistered=1"), {PREMATURE}),
    (("reRegisterOn=1", "failRegistrationOn=1", "failBack.mode=duration"), {PREMATURE}),
    (("failBack.mode=duration", "failBack.timeout=60"), {UNREGISTERED, PREMATURE}),
])
def test_settings_known_in_part(court: Court, said: tuple[str, ...], left: set[str]) -> None:
    found = court(faulty(), site(None), settings=said)
    assert {line.split()[1] for line in found if line.startswith("?")} == left
    assert all("certain" in line for line in accused(found))


def test_settings_known_as_far_as_needed(court: Court) -> None:
    told = ("reRegisterOn=1", "failRegistrationOn=1", "failBack.mode=duration", "failBack.timeout=60")
    assert court(faulty(), site(None), settings=told) == [
        f"305.500 {UNREGISTERED} 1001 10.0.0.2 certain", f"336.000 {PREMATURE} 1001 10.0.0.1 certain"]


def test_servers_of_which_no_list_is_known(court: Court) -> None:
    told = tuple(f"{name}={value}" for name, value in {**R2, **MINUTE}.items())
    assert court(faulty(), None, settings=told) == [
        f"? {PREMATURE} entry-unknown", f"? {UNREGISTERED} entry-unknown"]
