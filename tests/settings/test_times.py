"""Times as users write them, the zones they mean, and how we display them."""

from __future__ import annotations

import math
import pickle
import time
from datetime import UTC, datetime, tzinfo
from zoneinfo import ZoneInfo

import pytest

from sipaudit.errors import InputError
from sipaudit.times import LocalZone, TimeStyle, format_time, parse_event, parse_time, parse_zone, zone_doubt
from tests.settings.site_files import present

BERLIN = ZoneInfo("Europe/Berlin")


def epoch(text: str) -> float:
    return datetime.fromisoformat(text).timestamp()


START = epoch("2026-11-22T12:03:04.500+01:00")  # the first packet, in Berlin


def resolved(text: str, *, first: float = START, zone: tzinfo = BERLIN) -> float:
    return parse_time(text, zone, option="--from").resolve(first)


@pytest.mark.parametrize(
    ("text", "meant"),
    [
        ("2026-11-22T12:03:04+01:00", "2026-11-22T12:03:04+01:00"),
        ("2026-11-22T11:03:04Z", "2026-11-22T12:03:04+01:00"),
        ("2026-11-22T12:03:04", "2026-11-22T12:03:04+01:00"),
        ("2026-11-22 12:03:04.25", "2026-11-22T12:03:04.250+01:00"),
        ("2026-11-22T12:03", "2026-11-22T12:03:00+01:00"),
        ("2026-11-22", "2026-11-22T00:00:00+01:00"),
        (" 2026-07-01T12:00 ", "2026-07-01T12:00:00+02:00"),
        ("+90s", "2026-11-22T12:04:34.500+01:00"),
        ("+5m", "2026-11-22T12:08:04.500+01:00"),
        ("+1h5m30s", "2026-11-22T13:08:34.500+01:00"),
        ("+1h", "2026-11-22T13:03:04.500+01:00"),
        ("+0.5s", "2026-11-22T12:03:05+01:00"),
        ("12:10", "2026-11-22T12:10:00+01:00"),
        ("12:10:11", "2026-11-22T12:10:11+01:00"),
        ("12:10:11.5", "2026-11-22T12:10:11.500+01:00"),
        ("9:05", "2026-11-23T09:05:00+01:00"),
    ],
)
def test_every_way_to_write_a_time(text: str, meant: str) -> None:
    assert resolved(text) == epoch(meant)


def test_seconds_since_the_epoch_are_taken_as_they_are() -> None:
    assert resolved("@1700000300.5") == 1700000300.5


class TestABareClockTime:
    def test_just_before_the_first_packet_it_is_that_day(self) -> None:
        """`--from 12:00` on a capture that begins at 12:03 means its beginning, not tomorrow noon."""
        assert resolved("12:00") == epoch("2026-11-22T12:00+01:00")
        assert resolved("12:03") == epoch("2026-11-22T12:03+01:00")

    def test_earlier_in_the_day_it_is_the_next_day(self) -> None:
        """`--from 02:00` on a capture that ran overnight means the night."""
        assert resolved("02:00") == epoch("2026-11-23T02:00+01:00")

    def test_midnight_in_between_does_not_matter(self) -> None:
        just_after_midnight = epoch("2026-11-22T00:10+01:00")
        assert resolved("23:50", first=just_after_midnight) == epoch("2026-11-21T23:50+01:00")
        assert resolved("00:05", first=just_after_midnight) == epoch("2026-11-22T00:05+01:00")

    def test_it_is_in_the_zone_asked_for(self) -> None:
        assert resolved("12:10", zone=UTC) == epoch("2026-11-22T12:10Z")

    def test_days_of_other_length(self) -> None:
        before_summer = epoch("2026-03-28T22:00+01:00")
        assert resolved("12:00", first=before_summer) == epoch("2026-03-29T12:00+02:00")
        in_the_second_two_o_clock_hour = epoch("2026-10-25T02:40+01:00")
        assert resolved("02:30", first=in_the_second_two_o_clock_hour) == epoch("2026-10-25T02:30+01:00")
        assert resolved("02:30", first=epoch("2026-10-25T01:00+02:00")) == epoch("2026-10-25T02:30+02:00")

    @pytest.mark.parametrize("broken", [1e18, -1e18, math.inf, math.nan])
    def test_a_capture_with_an_impossible_clock_does_no_harm(self, broken: float) -> None:
        assert repr(resolved("12:00", first=broken)) == repr(broken)


@pytest.mark.parametrize(
    "text",
    [
        *["", "noon", "12", "12:60", "24:00", "12:03:60", "12:03:04.", "-5m", "+90", "+5d", "+-5s", "@", "@x", "@-1"],
        *["2026-13-01", "2026-02-30T12:00", "2026-11-22T12:03:04+99:00", "2026-W47-1", "20261122"],
        *["٠٩:٠٥", "+٥m", "@" + "9" * 400, "+" + "9" * 400 + "s", "12:03 sbc1"],
    ],
)
def test_what_is_no_time_is_refused_with_examples(text: str) -> None:
    with pytest.raises(InputError, match=r"--from: .* is no time") as raised:
        resolved(text)
    assert "2026-11-22T12:03:04, 12:03" in present(raised.value.fix)


class TestEvents:
    def test_a_time_and_what_happened(self) -> None:
        when, what = parse_event("12:03:04 sbc1 stopped", BERLIN)
        assert (when.resolve(START), what) == (epoch("2026-11-22T12:03:04+01:00"), "sbc1 stopped")

    def test_date_and_time_may_be_two_words(self) -> None:
        when, what = parse_event("2026-11-22 12:03:04  sbc1   stopped", UTC)
        assert (when.resolve(0), what) == (epoch("2026-11-22T12:03:04Z"), "sbc1 stopped")

    def test_a_date_and_words(self) -> None:
        when, what = parse_event("2026-11-22 10 phones moved", UTC)
        assert (when.resolve(0), what) == (epoch("2026-11-22T00:00Z"), "10 phones moved")

    @pytest.mark.parametrize("text", ["12:03:04", "", "2026-11-22 12:03"])
    def test_one_that_says_nothing(self, text: str) -> None:
        with pytest.raises(InputError, match="does not say what happened"):
            parse_event(text, UTC)

    def test_an_error_in_a_site_file_has_its_place(self) -> None:
        with pytest.raises(InputError) as raised:
            parse_event("yesterday sbc1 stopped", UTC, option="events", file="site.yaml", line=7)
        assert str(raised.value).startswith("site.yaml:7: events: 'yesterday' is no time (write ")


class TestZones:
    def test_names(self) -> None:
        assert parse_zone("utc") is UTC
        assert parse_zone("UTC") is UTC
        berlin = parse_zone("Europe/Berlin")
        assert isinstance(berlin, ZoneInfo)
        assert berlin.key == "Europe/Berlin"
        assert isinstance(parse_zone("local"), LocalZone)

    @pytest.mark.parametrize(
        ("text", "fix"),
        [
            ("Europe/Berlim", "did you mean 'Europe/Berlin'?"),
            ("berlin", "did you mean 'Europe/Berlin'?"),
            ("america/new york", "did you mean 'America/New_York'?"),
            ("../../etc/passwd", "write an IANA name as Europe/Berlin, or utc, or local"),
            ("", "write an IANA name as Europe/Berlin, or utc, or local"),
            ("x\0y", "write an IANA name as Europe/Berlin, or utc, or local"),
        ],
    )
    def test_an_unknown_one_gets_the_nearest_name(self, text: str, fix: str) -> None:
        with pytest.raises(InputError, match="--tz: there is no time zone") as raised:
            parse_zone(text)
        assert raised.value.fix == fix

    @pytest.mark.parametrize("name", ["Europe/Berlin", "CET-1CEST,M3.5.0,M10.5.0/3", "UTC0", "Asia/Kolkata"])
    def test_the_zone_of_this_computer_changes_its_clocks(self, monkeypatch: pytest.MonkeyPatch, name: str) -> None:
        monkeypatch.setenv("TZ", name)
        time.tzset()
        try:
            zone = pickle.loads(pickle.dumps(parse_zone("local")))  # as workers receive it
            oracle = {"CET-1CEST,M3.5.0,M10.5.0/3": BERLIN, "UTC0": UTC}.get(name) or ZoneInfo(name)
            for moment in range(int(epoch("2026-10-24T22:00Z")), int(epoch("2026-10-25T05:00Z")), 900):
                assert format_time(moment, zone) == format_time(moment, oracle)
                assert datetime.fromtimestamp(moment, zone).timestamp() == moment
            assert resolved("2026-07-01T12:00", zone=zone) == resolved("2026-07-01T12:00", zone=oracle)
            assert resolved("12:10", zone=zone) == resolved("12:10", zone=oracle)
        finally:
            monkeypatch.undo()
            time.tzset()

    @pytest.mark.parametrize(("name", "said"), [
        ("Europe/Berlim", "did you mean 'Europe/Berlin'?"), (":Foo/Bar", "name a zone with --tz"),
        ("Europe", "'Europe'"), ("x\x1b", "'x\\x1b'"), ("", None), ("UTC", None), ("Etc/UTC", None),
        ("Europe/Berlin", None), (":Europe/Berlin", None), ("CET-1", None), ("CET-1CEST,M3.5.0,M10.5.0/3", None),
        ("<+03>-3", None),
    ])
    def test_one_of_the_environment_that_the_system_takes_for_utc_in_silence_is_told(
            self, monkeypatch: pytest.MonkeyPatch, name: str, said: str | None) -> None:
        monkeypatch.setenv("TZ", name)
        doubt = zone_doubt(LocalZone())
        assert (doubt is None) is (said is None)
        assert said is None or said in present(doubt)
        assert zone_doubt(parse_zone("Europe/Berlin")) is zone_doubt(UTC) is None


class TestShowing:
    def test_full_and_clock(self) -> None:
        moment = epoch("2026-11-22T12:03:04.123+01:00")
        assert format_time(moment, BERLIN) == "2026-11-22 12:03:04.123"
        assert format_time(moment, UTC, TimeStyle.CLOCK) == "11:03:04.123"

    @pytest.mark.parametrize("broken", [1e18, math.inf, math.nan])
    def test_a_time_that_no_calendar_holds_is_still_shown(self, broken: float) -> None:
        assert format_time(broken, UTC).startswith("@")

    def test_what_is_shown_can_be_given_back(self) -> None:
        moment = epoch("2026-11-22T12:03:04.123Z")
        assert resolved(format_time(moment, UTC), zone=UTC) == moment
