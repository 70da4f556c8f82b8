"""Where a phone is, and when it may ring: places, rules, Sundays, holidays and changing clocks."""

import time
from collections.abc import Callable, Iterator
from datetime import UTC, date, datetime, timedelta
from functools import lru_cache
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import holidays
import pytest
import yaml
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from phonenumbers import geocoder, parse

from depth import examples
from reengage import hours
from reengage.errors import ConfigurationError, TextError
from reengage.hours import Place, allowed_at, allowed_until, allowed_window
from reengage.policy import Hours
from reengage.settings import INCLUDE

NOW = datetime(2026, 12, 1, 15, tzinfo=UTC)
SHIPPED = INCLUDE / "hours.yaml"
NEW_YORK = Place("America/New_York", "US", "NY")


def brand(**changes: Any) -> Hours:
    """The shipped policy's hours, with changes."""
    return Hours.model_validate(
        {"from": "09:00", "to": "20:00", "sunday_from": "12:00", "window_hours": 48} | changes
    )


# Hours so wide that only the place's rules are seen.
OPEN = brand(**{"from": "00:00", "to": "23:59", "sunday_from": "00:00"})
NEVER_ON_HOLIDAYS = brand(on_holidays=False)


def utc(text: str, zone: str = "UTC") -> datetime:
    """A moment, written as the clock in a zone shows it."""
    return datetime.fromisoformat(text).replace(tzinfo=ZoneInfo(zone)).astimezone(UTC)


# --------------------------------------------------------------------------------- a plain model

PLACES = [
    NEW_YORK,
    Place("America/New_York", "US", "FL"),
    Place("America/Chicago", "US", "MS"),
    Place("America/Chicago", "US", "TX"),
    Place("America/Los_Angeles", "US"),
    Place("Pacific/Honolulu", "US", "HI"),
    Place("America/St_Johns", "CA", "NL"),
    Place("Europe/Rome", "IT"),
    Place("Europe/Paris", "FR"),
    Place("Europe/London", "GB"),
    Place("Australia/Lord_Howe", "AU", "NSW"),  # changes its clocks by half an hour
    Place("Asia/Kolkata", "IN"),
    Place("Asia/Seoul", "KR"),
    Place("Africa/Cairo", "EG"),  # changes its clocks at midnight
    Place("Africa/Casablanca", "MA"),  # puts them back for a month a year
    Place("Etc/GMT+3", None),
]
# Around the days on which clocks change, a long weekend, the turn of the year, and any other time.
moments = st.one_of(
    st.datetimes(datetime(2021, 1, 1), datetime(2028, 1, 1)),
    st.datetimes(datetime(2026, 3, 7), datetime(2026, 3, 9)),
    st.datetimes(datetime(2026, 3, 28), datetime(2026, 4, 7)),
    st.datetimes(datetime(2026, 4, 23), datetime(2026, 4, 25)),
    st.datetimes(datetime(2026, 10, 24), datetime(2026, 11, 2)),
    st.datetimes(datetime(2026, 12, 24), datetime(2027, 1, 3)),
).map(lambda moment: moment.replace(tzinfo=UTC, second=0, microsecond=0))
some_places = st.lists(st.sampled_from(PLACES), min_size=1, max_size=3, unique=True).map(tuple)


def clock_times(low: int, high: int) -> st.SearchStrategy[str]:
    return st.integers(low * 12, high * 12 - 1).map(lambda n: f"{n // 12:02}:{n % 12 * 5:02}")


parts = st.fixed_dictionaries(
    {
        "from": clock_times(0, 11),
        "to": clock_times(14, 24),
        "sunday_from": st.none() | clock_times(0, 14),
        "on_holidays": st.booleans(),
    }
)
policies = st.builds(
    lambda part, window, places: Hours.model_validate(
        {**part, "window_hours": window, "places": places}
    ),
    parts,
    st.integers(1, 168),
    st.dictionaries(st.sampled_from(["US", "US-FL", "FR", "IT", "EG"]), parts, max_size=2),
)
RULES = yaml.safe_load(SHIPPED.read_text())["rules"]


def minutes(text: str) -> int:
    return int(text[:2]) * 60 + int(text[3:5])


def allows(part: dict[str, Any], wall: datetime, is_holiday: bool) -> bool:
    """What one set of hours says of one minute of a wall clock."""
    if is_holiday and not part["on_holidays"]:
        return False
    begin, end = part["from"], part["to"]
    if wall.strftime("%a") == "Sun":
        begin = part["sunday_from"]
    if wall.strftime("%a") == "Sat":
        begin = part.get("saturday_from") or begin
    if wall.strftime("%a") in ("Sat", "Sun"):
        end = min(end, part.get("weekend_to") or end)
    return begin is not None and minutes(begin) <= wall.hour * 60 + wall.minute < minutes(end)


@lru_cache(maxsize=512)
def days_off(country: str, state: str | None, year: int) -> frozenset[date]:
    return frozenset(holidays.country_holidays(country, state, years=year))


class Model:
    """The rule, said anew and slowly: from the file's text and the wall clock of a place."""

    def __init__(self, place: Place, policy: Hours) -> None:
        self.place = place
        self.zone = ZoneInfo(place.zone)
        self.given: dict[str, Any] = policy.model_dump(mode="json", by_alias=True)
        self.days: dict[date, tuple[list[dict[str, Any]], bool]] = {}

    def allows(self, moment: datetime) -> bool:
        wall = moment.astimezone(self.zone).replace(tzinfo=None)
        if wall.date() not in self.days:
            self.days[wall.date()] = self.day(wall.date())
        said, is_holiday = self.days[wall.date()]
        return all(allows(part, wall, is_holiday) for part in said)

    def day(self, day: date) -> tuple[list[dict[str, Any]], bool]:
        country, state = self.place.country, self.place.state
        said = [self.given]
        for key in (country, f"{country}-{state}"):
            begun = [
                rule
                for rule in RULES
                if rule["place"] == key and (rule["since"] or date.min) <= day
            ]
            newest = sorted(begun, key=lambda rule: rule["since"] or date.min)[-1:]
            mine = self.given["places"]
            said += [mine[key]] if key in mine else newest
        return said, bool(country) and day in days_off(country, state, day.year)


def model(places: tuple[Place, ...], policy: Hours) -> Callable[[datetime], bool]:
    """Whether a moment is allowed in all of the places."""
    models = [Model(place, policy) for place in places]
    return lambda moment: all(model.allows(moment) for model in models)


def minutes_from(now: datetime, count: int) -> Iterator[datetime]:
    return (now + timedelta(minutes=n) for n in range(count))


@given(moments, some_places, policies)
@settings(max_examples=examples(80))
def test_the_first_allowed_moment_is_the_first_that_a_minute_hand_finds(
    now: datetime, places: tuple[Place, ...], policy: Hours
) -> None:
    fits = model(places, policy)
    try:
        not_before, not_after = allowed_window(now, places, policy)
    except TextError:
        assert not any(fits(moment) for moment in minutes_from(now, 8 * 24 * 60))
        return
    assert now <= not_before < not_after
    assert fits(not_before)
    assert allowed_at(not_before, places, policy)
    assume(not_before - now < timedelta(days=8))
    waited = int((not_before - now).total_seconds() // 60)
    assert not any(fits(moment) for moment in minutes_from(now, waited))
    # The stretch ends where the minute hand leaves it, and the window does not end before.
    until = allowed_until(not_before, places, policy)
    stretch = int((until - not_before).total_seconds() // 60)
    assert all(fits(moment) for moment in minutes_from(not_before, stretch))
    assert not fits(until)
    deadline = now + timedelta(hours=policy.window_hours)
    assert not_after == (max(deadline, until) if waited else deadline)


@given(moments, some_places, policies)
@settings(max_examples=examples(400))
def test_whether_a_moment_is_allowed(
    now: datetime, places: tuple[Place, ...], policy: Hours
) -> None:
    fits = model(places, policy)(now)
    assert allowed_at(now, places, policy) == fits
    assert (allowed_until(now, places, policy) > now) == fits


@pytest.mark.parametrize(
    ("place", "day"),
    [
        (NEW_YORK, "2026-03-08"),  # forward at 02:00
        (NEW_YORK, "2026-11-01"),  # back at 02:00
        (Place("Africa/Cairo", "EG"), "2026-04-24"),  # forward at 00:00
        (Place("Africa/Cairo", "EG"), "2026-10-29"),  # back at 24:00
        (Place("Australia/Lord_Howe", "AU", "NSW"), "2026-10-04"),  # forward by half an hour
        (Place("Australia/Lord_Howe", "AU", "NSW"), "2026-04-05"),  # back by half an hour
    ],
)
@pytest.mark.parametrize(
    ("begin", "end"), [("00:15", "23:30"), ("01:20", "01:45"), ("02:10", "09:00")]
)
def test_every_minute_of_a_day_on_which_clocks_change(
    place: Place, day: str, begin: str, end: str
) -> None:
    anything = {"from": "00:00", "to": "23:59", "sunday_from": "00:00"}
    given = {"from": begin, "to": end, "sunday_from": begin, "places": {place.keys[0]: anything}}
    policy = brand(**given)
    fits = model((place,), policy)
    for moment in minutes_from(utc(day) - timedelta(hours=16), 56 * 60):
        assert allowed_at(moment, (place,), policy) == fits(moment), moment


# ----------------------------------------------------------------------------------- known cases


@pytest.mark.parametrize(
    ("now", "expected"),
    [
        # Saturday evening waits for Sunday noon, on the night that clocks go forward and back.
        ("2026-03-08T01:30Z", "2026-03-08T16:00Z"),
        ("2026-11-01T00:30Z", "2026-11-01T17:00Z"),
        ("2026-03-06T12:00Z", "2026-03-06T14:00Z"),
        ("2026-03-06T15:00Z", "2026-03-06T15:00Z"),
        ("2026-03-07T01:00Z", "2026-03-07T14:00Z"),
    ],
)
def test_known_windows(now: str, expected: str) -> None:
    start, _ = allowed_window(datetime.fromisoformat(now), (NEW_YORK,), brand())
    assert start == datetime.fromisoformat(expected)


def test_a_window_shorter_than_the_night_lasts_to_the_evening_it_waited_for() -> None:
    short = brand(window_hours=1)
    night = datetime(2026, 3, 6, 7, tzinfo=UTC)
    assert allowed_window(night, (NEW_YORK,), short) == (
        datetime(2026, 3, 6, 14, tzinfo=UTC),
        datetime(2026, 3, 7, 1, tzinfo=UTC),
    )
    day = datetime(2026, 3, 6, 16, tzinfo=UTC)
    assert allowed_window(day, (NEW_YORK,), short) == (day, day + timedelta(hours=1))


def test_france_waits_from_saturday_to_the_tuesday_after_easter() -> None:
    paris = (Place("Europe/Paris", "FR"),)
    saturday = utc("2026-04-04T20:30", "Europe/Paris")
    not_before, not_after = allowed_window(saturday, paris, OPEN)
    assert not_before == utc("2026-04-07T08:30", "Europe/Paris")
    # 48 hours were over on Monday: the window lasts through the day it waited for.
    assert not_after == utc("2026-04-07T20:00", "Europe/Paris")
    assert not allowed_at(utc("2026-04-06T12:00", "Europe/Paris"), paris, OPEN)
    # Easter Monday is an ordinary Monday in New York.
    assert allowed_at(utc("2026-04-06T12:00", "America/New_York"), (NEW_YORK,), OPEN)


def test_a_part_of_france_keeps_the_french_rule_and_its_own_holidays() -> None:
    (reunion,) = hours.places_of("+262262123456", "Indian/Reunion", None, "Europe/Paris")
    assert reunion == Place("Indian/Reunion", "FR", "974")
    # 20 December, the end of slavery there.
    assert not allowed_at(utc("2027-12-20T12:00", "Indian/Reunion"), (reunion,), OPEN)
    paris = (Place("Europe/Paris", "FR"),)
    assert allowed_at(utc("2027-12-20T12:00", "Europe/Paris"), paris, OPEN)


def test_the_fourth_of_july_is_quiet_where_the_policy_keeps_holidays() -> None:
    noon = utc("2027-07-04T13:00", "America/New_York")  # a Sunday: Monday is off as well
    assert allowed_at(noon, (NEW_YORK,), brand())
    not_before, _ = allowed_window(noon, (NEW_YORK,), NEVER_ON_HOLIDAYS)
    assert not_before == utc("2027-07-06T09:00", "America/New_York")
    # It is the recipient's date that counts: in Honolulu it is still the third.
    honolulu = (Place("Pacific/Honolulu", "US", "HI"),)
    early = utc("2026-07-04T02:00")
    assert allowed_at(early - timedelta(days=2), honolulu, NEVER_ON_HOLIDAYS)
    assert utc("2026-07-02T16:00", "Pacific/Honolulu") == early - timedelta(days=1)
    assert allowed_at(early - timedelta(days=1), honolulu, NEVER_ON_HOLIDAYS)


def test_a_states_own_holiday_is_quiet_in_that_state_alone() -> None:
    noon = utc("2026-03-31T12:00", "America/Los_Angeles")  # Cesar Chavez Day
    california = (Place("America/Los_Angeles", "US", "CA"),)
    assert not allowed_at(noon, california, NEVER_ON_HOLIDAYS)
    nevada = (Place("America/Los_Angeles", "US", "NV"),)
    assert allowed_at(noon, nevada, NEVER_ON_HOLIDAYS)


def test_a_texan_sunday_begins_at_noon_since_texts_count_as_calls() -> None:
    texas = (Place("America/Chicago", "US", "TX"),)

    def first(day: str) -> datetime:
        return allowed_window(utc(f"{day}T03:00", "America/Chicago"), texas, OPEN)[0]

    assert first("2026-05-03") == utc("2026-05-03T12:00", "America/Chicago")  # a Sunday
    assert first("2026-05-04") == utc("2026-05-04T09:00", "America/Chicago")
    assert first("2025-08-31") == utc("2025-08-31T08:00", "America/Chicago")  # the day before


def test_a_states_evening_ends_before_the_countrys() -> None:
    half_past_eight = utc("2026-05-04T20:30", "America/New_York")
    florida = (Place("America/New_York", "US", "FL"),)
    assert allowed_at(half_past_eight, (NEW_YORK,), OPEN)
    assert not allowed_at(half_past_eight, florida, OPEN)
    assert allowed_at(half_past_eight.replace(year=2020), florida, OPEN)
    # The federal rule holds beside a state's: replacing the one leaves the other.
    mine = {"from": "06:00", "to": "22:30", "sunday_from": None}
    late = brand(to="23:00", places={"US-FL": mine})
    assert allowed_at(half_past_eight, florida, late)
    assert not allowed_at(half_past_eight + timedelta(hours=1), florida, late)


def test_a_weekend_of_other_hours() -> None:
    toronto = (Place("America/Toronto", "CA", "ON"),)

    def ends(day: str) -> datetime:
        return allowed_until(utc(f"{day}T12:00", "America/Toronto"), toronto, OPEN)

    assert ends("2026-05-01") == utc("2026-05-01T21:30", "America/Toronto")
    assert ends("2026-05-02") == utc("2026-05-02T18:00", "America/Toronto")
    start, _ = allowed_window(utc("2026-05-02T04:00", "America/Toronto"), toronto, OPEN)
    assert start == utc("2026-05-02T10:00", "America/Toronto")


def test_the_policy_replaces_the_rule_of_a_place() -> None:
    sunday = utc("2026-05-03T13:00", "Europe/Rome")
    rome = (Place("Europe/Rome", "IT"),)
    assert not allowed_at(sunday, rome, brand())
    mine = {"from": "10:00", "to": "19:00", "sunday_from": "12:30", "on_holidays": False}
    changed = brand(places={"IT": mine})
    assert allowed_at(sunday, rome, changed)
    assert not allowed_at(sunday - timedelta(hours=1), rome, changed)
    assert not allowed_at(utc("2026-06-02T13:00", "Europe/Rome"), rome, changed)  # the Republic's
    # The brand's own hours hold beside it: never on a Sunday is never.
    assert not allowed_at(sunday, rome, brand(places={"IT": mine}, sunday_from=None))
    # A country without a rule gets one.
    madrid = (Place("Europe/Madrid", "ES"),)
    assert allowed_at(sunday, madrid, brand())
    assert not allowed_at(sunday, madrid, brand(places={"ES": mine | {"sunday_from": None}}))


def test_a_country_that_nobody_has_rules_for_follows_the_brands_hours() -> None:
    for place in (Place("Etc/GMT+3", None), Place("America/Coyhaique", "XX", "Y")):
        assert allowed_at(NOW.replace(hour=12), (place,), NEVER_ON_HOLIDAYS)
        assert not allowed_at(NOW.replace(hour=8), (place,), NEVER_ON_HOLIDAYS)


def test_all_places_must_allow_it() -> None:
    both = (Place("America/New_York", "US", "FL"), Place("America/Los_Angeles", "US"))
    not_before, _ = allowed_window(utc("2026-05-04T06:00"), both, brand())
    assert not_before == utc("2026-05-04T09:00", "America/Los_Angeles")
    assert allowed_until(not_before, both, OPEN) == utc("2026-05-04T20:00", "America/New_York")
    night = utc("2026-05-04T08:00", "America/Los_Angeles")
    assert allowed_until(night, both, brand()) == night


def test_places_without_a_common_hour_are_refused() -> None:
    apart = (Place("Pacific/Honolulu", "US", "HI"), Place("Europe/Rome", "IT"))
    with pytest.raises(TextError, match=r"Honolulu \(US-HI\), Europe/Rome \(IT\) have no moment"):
        allowed_window(NOW, apart, brand())
    late = {"FR": {"from": "20:30", "to": "22:00", "sunday_from": None}}
    with pytest.raises(TextError, match="no moment in common"):
        allowed_window(NOW, (Place("Europe/Paris", "FR"),), brand(places=late))


def test_the_longest_chain_of_holidays_is_waited_out() -> None:
    # From the Sunday before New Year to Orthodox Christmas: eleven days.
    moscow = (Place("Europe/Moscow", "RU"),)
    saturday = utc("2024-12-28T20:30", "Europe/Moscow")
    quiet = brand(on_holidays=False, sunday_from=None)
    start, end = allowed_window(saturday, moscow, quiet)
    assert start == utc("2025-01-09T09:00", "Europe/Moscow")
    assert end == utc("2025-01-09T20:00", "Europe/Moscow")


def test_a_naive_clock_is_refused() -> None:
    naive = datetime(2026, 3, 6)
    for ask in (allowed_window, allowed_at, allowed_until):
        with pytest.raises(ValueError, match="time zone"):
            ask(naive, (NEW_YORK,), brand())


# ---------------------------------------------------------------------------------------- places


def places(
    phone: str | None = None, zone: str | None = None, country: str | None = None
) -> tuple[Place, ...]:
    return hours.places_of(phone, zone, country, "America/New_York")


def test_the_places_of_a_contact() -> None:
    home = (Place("America/New_York", "US"),)
    assert places("+12125550123", "Europe/Rome") == (Place("Europe/Rome", "IT"),)
    assert places("+393331234567", country="IT") == (Place("Europe/Rome", "IT"),)
    assert {p.zone for p in places("+61412345678")} >= {"Australia/Perth", "Australia/Sydney"}
    assert places() == places("+999123") == places("nonsense") == home
    assert places(country="KR") == (Place("Asia/Seoul", "KR"),)
    assert places(country="XX") == home


def test_a_zone_that_is_none_or_nobodys_is_not_believed() -> None:
    for zone in ("Mars/Olympus", "UTC", "Etc/GMT+5", "localtime", ""):
        assert places("+12125550123", zone) == (NEW_YORK,), zone


def test_an_old_name_of_a_zone_is_as_good_as_the_new() -> None:
    assert places(zone="US/Arizona") == (Place("US/Arizona", "US", "AZ"),)
    assert places(zone="Asia/Calcutta") == (Place("Asia/Calcutta", "IN"),)
    # A zone that Babel does not know yet is in the country on the card.
    assert places(zone="America/Coyhaique", country="CL") == (Place("America/Coyhaique", "CL"),)


def test_the_state_of_a_number_is_its_area_codes() -> None:
    assert places("+12125550123") == (NEW_YORK,)
    assert places("+17135550123") == (Place("America/Chicago", "US", "TX"),)
    assert places("+14165550123") == (Place("America/Toronto", "CA", "ON"),)
    # One state, two zones: Tallahassee and, to the west of it, Pensacola.
    assert places("+18505550123") == (Place("America/New_York", "US", "FL"),)
    assert places("+18502005550") == (Place("America/Chicago", "US", "FL"),)
    # One number, two zones, as the north of Idaho keeps another time than the south.
    assert set(places("+12083205550")) == {
        Place("America/Boise", "US", "ID"),
        Place("America/Los_Angeles", "US", "ID"),
    }
    # One area code for two provinces.
    assert {p.state for p in places("+19025550123")} == {"NS", "PE"}
    # An Italian number is nobody's area code.
    assert places("+390212345678") == (Place("Europe/Rome", "IT"),)


def test_a_toll_free_number_has_no_state_and_is_narrowed_to_its_country() -> None:
    # It is at home from Guam to Bermuda, which have hardly an hour in common.
    toll_free = places("+18005550123", country="US")
    assert {p.zone for p in toll_free} >= {"Pacific/Honolulu", "America/New_York"}
    assert "Pacific/Guam" not in {p.zone for p in toll_free}
    federal = {p for p in toll_free if p.zone == "America/New_York"}
    assert federal == {Place("America/New_York", "US")}
    allowed_window(NOW, toll_free, brand())


def test_a_zone_on_record_and_the_number_tell_the_state_together() -> None:
    florida = "+13055550123"
    # The zone has no state of its own: the number's.
    assert places(florida, "America/New_York") == (Place("America/New_York", "US", "FL"),)
    # It has another: both must allow it, on the clock of the zone.
    assert places(florida, "America/Phoenix") == (
        Place("America/Phoenix", "US", "AZ"),
        Place("America/Phoenix", "US", "FL"),
    )
    assert places("+16025550123", "America/Phoenix") == (Place("America/Phoenix", "US", "AZ"),)
    # Of a zone's two provinces, the number's; without one, both.
    assert places("+15145550123", "America/Toronto") == (Place("America/Toronto", "CA", "QC"),)
    assert {p.state for p in places(None, "America/Toronto")} == {"ON", "QC"}
    # Abroad a state's number is no state's.
    assert places(florida, "Europe/Rome") == (Place("Europe/Rome", "IT"),)


def test_a_territory_has_the_federal_rule() -> None:
    (san_juan,) = places("+17875550123")
    assert san_juan == Place("America/Puerto_Rico", "US", "PR")
    assert not allowed_at(utc("2026-05-04T21:30", san_juan.zone), (san_juan,), OPEN)
    assert places(country="PR") == (san_juan,)


def test_the_area_codes_are_those_of_libphonenumber() -> None:
    """Where this fails after an update of phonenumbers, add the new area codes to the file."""
    names: dict[str, set[str]] = {}
    for country in ("US", "CA"):
        known = holidays.country_holidays(country)
        for state in known.subdivisions:
            names.setdefault(state, set()).add(f"{country}-{state}")
        for name, state in known.subdivisions_aliases.items():
            names.setdefault(name, set()).add(f"{country}-{state}")
    names |= {
        "Washington State": {"US-WA"},
        "Washington D.C.": {"US-DC"},
        "British Colombia": {"CA-BC"},
        "Nova Scotia/Prince Edward Island": {"CA-NS", "CA-PE"},
        "Northwest Territories/Nunavut/Yukon": {"CA-NT", "CA-NU", "CA-YT"},
    }
    found = 0
    for code in range(200, 1000):
        said = geocoder.description_for_number(parse(f"+1{code}5550123"), "en")
        expected = names.get(said.rpartition(", ")[2], set())
        if expected:
            found += 1
            assert set(hours.rules().by_area_code.get(str(code), ())) == expected, code
    assert found > 380


# ------------------------------------------------------------------------------------- the file


def changed(tmp_path: Path, old: str, new: str) -> Path:
    """The shipped file with one text in place of another."""
    text = SHIPPED.read_text(encoding="utf-8")
    assert old in text
    file = tmp_path / "hours.yaml"
    file.write_text(text.replace(old, new, 1), encoding="utf-8")
    return file


def line_of(text: str) -> int:
    before, found, _ = SHIPPED.read_text(encoding="utf-8").partition(text)
    assert found
    return before.count("\n") + 1


FLORIDA = 'place: US-FL\n    since: 2021-07-01\n    from: "08:00"'


@pytest.mark.parametrize(
    ("old", "new", "says", "below"),
    [
        (FLORIDA, FLORIDA.replace('"08:00"', "20:00"), 'in quotes, like "08:00"', 2),
        (FLORIDA, FLORIDA.replace("08", "20"), "must be before `to`", 0),
        (FLORIDA, FLORIDA.replace("2021-07-01", "soon"), "write a day", 1),
        (FLORIDA, FLORIDA.replace("from:", "form:"), "no such key", 2),
        (
            FLORIDA,
            FLORIDA.replace("US-FL", "Florida"),
            "not written as it has to be, like US-FL",
            0,
        ),
        (FLORIDA, FLORIDA.replace("US-FL", "NO"), 'write it in quotes, "NO"', 0),
    ],
)
def test_a_mistake_is_named_with_its_line(
    tmp_path: Path, old: str, new: str, says: str, below: int
) -> None:
    with pytest.raises(ConfigurationError, match=says) as caught:
        hours.read_rules(changed(tmp_path, old, new))
    assert f"line {line_of(old) + below}:" in str(caught.value)
    assert "hours.yaml is not usable" in str(caught.value)


@pytest.mark.parametrize(
    ("old", "new", "says"),
    [
        ("place: US-FL", "place: US-ZZ", "neither numbers nor zones tell US-ZZ"),
        ("place: US-FL", "place: PR", "PR stands here as US-PR"),
        ("place: US-FL", "place: ZZ", "ZZ is no country"),
        ("place: US-FL\n    since: 2021-07-01", "place: US\n    since: null", "two rules of US"),
        ('weekend_to: "18:00"', 'weekend_to: "09:30"', "must be before `weekend_to`"),
        ("source: Fla.", "sauce: Fla.", "you may mean source"),
        ("rules:", "rule:", "need the keys `rules` and `states`"),
        ("since: 2021-07-01", "since: 2021-07-32", r"line \d+: .*since"),
        ("US-AL: {", "US-AL: {zones: [Europe/Gotham], ", "Europe/Gotham is no time zone"),
        ("US-AL: {", "US-AL: {{", "cannot be read"),
    ],
)
def test_a_file_that_makes_no_sense_is_refused(
    tmp_path: Path, old: str, new: str, says: str
) -> None:
    with pytest.raises(ConfigurationError, match=says):
        hours.read_rules(changed(tmp_path, old, new))


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match=r"nowhere\.yaml cannot be read"):
        hours.read_rules(tmp_path / "nowhere.yaml")


def test_of_several_rules_the_newest_that_has_begun_holds(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    newer = """rules:
  - {place: IT, since: 2026-06-01, from: "10:00", to: "19:00", sunday_from: "12:00",
     on_holidays: true, source: a law to come}
"""
    rules = hours.read_rules(changed(tmp_path, "rules:\n", newer))
    monkeypatch.setattr("reengage.hours.windows.rules", lambda: rules)
    rome = (Place("Europe/Rome", "IT"),)
    assert allowed_until(utc("2026-05-29T12:00"), rome, OPEN) == utc("2026-05-29T20:00")
    assert allowed_until(utc("2026-06-01T12:00"), rome, OPEN) == utc("2026-06-01T17:00")


def test_a_place_of_the_policy_that_cannot_be_told_is_refused() -> None:
    mine = {"from": "10:00", "to": "19:00", "sunday_from": None}
    hours.check(brand(places={"DE": mine, "US-FL": mine, "AU-NSW": mine}))
    for place, says in {"DE-BY": "neither numbers nor zones", "PR": "stands here as US-PR"}.items():
        with pytest.raises(
            ConfigurationError, match=rf"hours\.places\.{place} never holds: .*" + says
        ):
            hours.check(brand(places={place: mine}))


# ----------------------------------------------------------------------------------------- speed


def test_a_hundred_thousand_windows_take_about_a_second() -> None:
    phones = [f"+1{(i * 7919) % 800 + 200}555{i % 10000:04}" for i in range(100_000)]
    policy = brand()
    start = time.perf_counter()
    for phone in phones:
        found = hours.places_of(phone, None, "US", "America/New_York")
        allowed_window(NOW, found, policy)
    assert time.perf_counter() - start < 5  # about 1 s; room for a busy machine
