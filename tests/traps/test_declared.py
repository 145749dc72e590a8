"""Settings and server lists that nobody declared, or declared only in part."""

from __future__ import annotations

import pytest

from tests.stories import (
    DOMAIN,
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

ABOUT = (UNREGISTERED, PREMATURE)


def faulty() -> Story:
    """A phone in R2 that commits both faults of `ABOUT`."""
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


NEW_REQUESTS = ("failBack.mode=newRequests", "retryTimeOut=0", "retryMaxCount=3")


def gravity(court: Court, story: Story, *said: str) -> list[str]:
    report = court.report(story, site(None), settings=(*NEW_REQUESTS, *said))
    return [f"{finding.rule} {finding.severity}" for finding in report.findings if finding.rule != "flapping"]


@pytest.mark.parametrize(("said", "severity"), [
    ((), "info"), (("failRegistrationOn=0",), "error"), (("reRegisterOn=1",), "info"),
    (("reRegisterOn=1", "failRegistrationOn=0"), "error"), (("reRegisterOn=1", "failRegistrationOn=1"), "info")])
def test_a_regime_known_in_part_makes_no_call_elsewhere_graver(court: Court, said: tuple[str, ...], severity: str
                                                               ) -> None:
    """Calls made without trying P first are an error in R0 and R1, an info in R2 and R3."""
    phone = handset()
    phone.fail_over(300)
    for number, time in enumerate((340, 400, 450)):
        phone.call(time, S, 5, to=f"sip:300{number}@{DOMAIN}")
    found = gravity(court, phone.story, *said)
    assert [one for one in found if one.startswith("primary")] == [f"primary-not-tried-first {severity}"]


@pytest.mark.parametrize(("said", "severity"), [
    ((), "warning"), (("onlySignalWithRegistered=0",), "warning"), (("onlySignalWithRegistered=1",), "error")])
def test_a_regime_known_in_part_makes_no_return_graver(court: Court, said: tuple[str, ...], severity: str) -> None:
    """A call to P before any REGISTER there is an error in R2, a warning in R3."""
    phone = handset()
    phone.fail_over(300)
    phone.call(400, P)
    found = gravity(court, phone.story, "reRegisterOn=1", "failRegistrationOn=1", *said)
    assert found == [f"failback-without-registration {severity}"]


def test_servers_of_which_no_list_is_known(court: Court) -> None:
    told = tuple(f"{name}={value}" for name, value in {**R2, **MINUTE}.items())
    assert court(faulty(), None, settings=told) == [
        f"? {PREMATURE} entry-unknown", f"? {UNREGISTERED} entry-unknown"]
