"""Where a phone is, and when it may ring there: the brand's own hours, and beside them the rules of
the recipient's country or state (include/hours.yaml), Sundays and public holidays included.

Nothing here reads a clock, a database or the network.
"""

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from functools import lru_cache
from pathlib import Path
from typing import Annotated, Any, NamedTuple
from zoneinfo import ZoneInfo, available_timezones

import phonenumbers
from babel.core import get_global
from phonenumbers import timezone as phone_zones
from phonenumbers.tzdata import TIMEZONE_DATA, TIMEZONE_LONGEST_PREFIX
from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator, model_validator

from reengage.errors import ConfigurationError, TextError
from reengage.policy import Hours, PlaceHours
from reengage.settings import INCLUDE
from reengage.yaml_files.mistakes import explain
from reengage.yaml_files.reading import read_yaml

_SUNDAY, _WEEKEND = 6, (5, 6)
# No chain of Sundays and public holidays lasts this long: beyond it, no moment will ever come.
_HORIZON_DAYS = 31
_zone = lru_cache(maxsize=1024)(ZoneInfo)


class Place(NamedTuple):
    """Where a phone may be. country: ISO 3166-1 alpha-2; state: its ISO 3166-2 code without the
    country (FL); either None where it cannot be told.
    """

    zone: str
    country: str | None
    state: str | None = None

    @property
    def keys(self) -> tuple[str, ...]:
        """What its rules stand under: the country, and the state of it."""
        if self.country is None:
            return ()
        return (self.country, f"{self.country}-{self.state}") if self.state else (self.country,)

    def __str__(self) -> str:
        return f"{self.zone} ({self.keys[-1]})" if self.keys else self.zone


# ---------------------------------------------------------------------------- the rules, as data

PlaceKey = Annotated[str, Field(pattern="^[A-Z]{2}(-[A-Z0-9]{1,3})?$", examples=["US-FL"])]
StateKey = Annotated[str, Field(pattern="^[A-Z]{2}-[A-Z0-9]{1,3}$", examples=["US-FL"])]


class Rule(PlaceHours):
    """The hours of a place from a day on. saturday_from, weekend_to: where they are others."""

    place: PlaceKey
    since: date | None
    saturday_from: time | None = None
    weekend_to: time | None = None
    source: str = Field(min_length=1)

    @field_validator("place", mode="before")
    @classmethod
    def _text(cls, value: Any) -> Any:
        if isinstance(value, bool):
            raise ValueError('YAML reads this country as a yes or no: write it in quotes, "NO"')
        return value

    @field_validator("from_", "to", "sunday_from", "saturday_from", "weekend_to", mode="before")
    @classmethod
    def _quoted(cls, value: Any) -> Any:
        # YAML 1.1 reads 20:00 as 1,200, which would pass for twenty minutes past midnight.
        if value is not None and not isinstance(value, str):
            raise ValueError('write the time in quotes, like "08:00"')
        return value

    @model_validator(mode="after")
    def _weekend_ordered(self) -> "Rule":
        end = min(self.to, self.weekend_to or self.to)
        if any(begin and begin >= end for begin in (self.saturday_from, self.sunday_from)):
            raise ValueError("`saturday_from` and `sunday_from` must be before `weekend_to`")
        return self


class State(BaseModel):
    """What tells a state: the area codes of its numbers, and the zones that lie in it."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    area_codes: tuple[Annotated[int, Field(ge=200, le=999)], ...] = ()
    zones: tuple[str, ...] = ()

    @field_validator("zones")
    @classmethod
    def _known(cls, zones: tuple[str, ...]) -> tuple[str, ...]:
        if unknown := set(zones) - _zone_names():
            raise ValueError(f"{', '.join(unknown)} is no time zone; write America/New_York")
        return zones


class _File(BaseModel):
    model_config = ConfigDict(frozen=True)

    rules: tuple[Rule, ...]
    states: dict[StateKey, State]

    @model_validator(mode="after")
    def _consistent(self) -> "_File":
        seen = set()
        for rule in self.rules:
            if (rule.place, rule.since) in seen:
                raise ValueError(f"two rules of {rule.place} begin on one day: {rule.since}")
            seen.add((rule.place, rule.since))
            if problem := _unknown(rule.place, self.states):
                raise ValueError(problem)
        return self


class Rules:
    """The rules of include/hours.yaml, and what tells the state that one is for."""

    def __init__(self, file: _File) -> None:
        self.by_place: dict[str, list[Rule]] = defaultdict(list)
        for rule in sorted(file.rules, key=lambda rule: rule.since or date.min):
            self.by_place[rule.place].append(rule)
        self.states = file.states
        area_codes, zones = defaultdict(list), defaultdict(list)
        for key, state in file.states.items():
            for code in state.area_codes:
                area_codes[str(code)].append(key)
            for zone in state.zones:
                zones[zone].append(key)
        self.by_area_code = {code: tuple(keys) for code, keys in area_codes.items()}
        self.by_zone = {zone: tuple(keys) for zone, keys in zones.items()}

    def on(self, place: str, day: date) -> Rule | None:
        """The rule of a country or state that holds on a day: the newest that has begun."""
        begun = (r for r in self.by_place.get(place, ()) if r.since is None or r.since <= day)
        return max(begun, key=lambda rule: rule.since or date.min, default=None)


def _unknown(place: str, states: Mapping[str, State]) -> str | None:
    """Why no recipient can be in a place, so that a rule for it would never hold; None: one can."""
    if "-" in place:
        if place in states:
            return None
        return f"neither numbers nor zones tell {place}: add it to `states` in include/hours.yaml"
    zones = _country_zones(place)
    if not zones or place == "ZZ":
        return f"{place} is no country; write one like IT"
    # Puerto Rico has a country's code of its own, and the federal rules of the United States.
    parts = {key for key, state in states.items() if set(zones) & set(state.zones)}
    if parts and not any(key.startswith(f"{place}-") for key in parts):
        return f"{place} stands here as {', '.join(sorted(parts))}"
    return None


def read_rules(path: Path) -> Rules:
    """The rules of a file. Raises ConfigurationError: the file, the line, what is wrong."""
    text, content = read_yaml(path, "rules")
    if not isinstance(content, dict) or set(content) != {"rules", "states"}:
        raise ConfigurationError(f"The rules {path} need the keys `rules` and `states`, no others.")
    try:
        return Rules(_File.model_validate(content))
    except ValidationError as error:
        raise ConfigurationError(f"The rules {path} {explain(error, text, _File)}") from error


@lru_cache(maxsize=1)
def rules() -> Rules:
    """The rules of this installation, read once. Raises ConfigurationError as read_rules does."""
    return read_rules(INCLUDE / "hours.yaml")


def check(hours: Hours) -> None:
    """Read the rules, and see that each of the policy's own `places` is one that can be told.

    Raises ConfigurationError.
    """
    for place in hours.places:
        if problem := _unknown(place, rules().states):
            raise ConfigurationError(f"The policy's hours.places.{place} never holds: {problem}.")


# ---------------------------------------------------------------------------------------- places


def places_of(
    phone_e164: str | None, time_zone: str | None, country: str | None, default_zone: str
) -> tuple[Place, ...]:
    """Where a contact may be, at least one place: in the zone on record, else in every candidate
    zone of the number (narrowed to the contact's country, where some lie in it), else in those of
    the country, else in the default, which is the brand's.

    A number says where it was given out, not where its owner is: hence all candidates. For the
    same reason a state is the zone's own where it has one, and the number's beside it where they
    differ; the number's alone where the zone tells none; and None where neither does.
    """
    known = rules()
    zones: tuple[str, ...] = ()
    if time_zone and _is_zone(time_zone):
        zones = (time_zone,)
    elif phone_e164:
        zones = _narrowed(_phone_zones(phone_e164), country)
    zones = zones or (_country_zones(country) if country else ()) or (default_zone,)
    area = phone_e164[2:5] if phone_e164 and phone_e164.startswith("+1") else ""
    return _places(zones, known.by_area_code.get(area, ()), country, known)


@lru_cache(maxsize=16384)
def _places(
    zones: tuple[str, ...], of_number: tuple[str, ...], country: str | None, known: Rules
) -> tuple[Place, ...]:
    places = []
    for zone in zones:
        of_zone = known.by_zone.get(_canonical(zone), ())
        where = of_zone[0].partition("-")[0] if of_zone else _territory(zone) or country
        near = tuple(key for key in of_number if key.partition("-")[0] == where)
        # Of a zone's several states (Toronto's are two) the number's is the one.
        keys = [key for key in of_zone if key in near] or [*of_zone, *near]
        states: list[str | None] = [key.partition("-")[2] for key in keys]
        places += [Place(zone, where, state) for state in states or [None]]
    return tuple(dict.fromkeys(places))


@lru_cache(maxsize=4096)
def _canonical(zone: str) -> str:
    """The name of a zone for which another is in use: America/New_York for US/Eastern."""
    aliases: Mapping[str, str] = get_global("zone_aliases")
    return aliases.get(zone, zone)


def _territory(zone: str) -> str | None:
    """The country of a zone; None for one that is new to Babel."""
    territories: Mapping[str, str] = get_global("zone_territories")
    return territories.get(_canonical(zone))


@lru_cache(maxsize=4096)
def _is_zone(name: str) -> bool:
    """Whether somebody can live in a zone: UTC is what exports write where they know none."""
    return name in _zone_names() and _territory(name) != "ZZ"


@lru_cache(maxsize=1)
def _zone_names() -> frozenset[str]:
    # Kept: each call looks through the folders of the time zones. This machine's is no place.
    return frozenset(available_timezones() - {"localtime"})


@lru_cache(maxsize=512)
def _country_zones(country: str) -> tuple[str, ...]:
    known = _zone_names()
    territories: Mapping[str, str] = get_global("zone_territories")
    return tuple(sorted(z for z, where in territories.items() if where == country and z in known))


@lru_cache(maxsize=8192)
def _narrowed(candidates: tuple[str, ...], country: str | None) -> tuple[str, ...]:
    here = set(_country_zones(country)) if country and len(candidates) > 1 else set()
    return tuple(z for z in candidates if z in here) or candidates


def _phone_zones(phone_e164: str) -> tuple[str, ...]:
    if phone_e164.startswith("+1"):
        # North American mobiles have their city's prefix: the table says it all, ten times faster
        # than by way of the number's type.
        digits = phone_e164[1:]
        for length in range(TIMEZONE_LONGEST_PREFIX, 0, -1):
            if found := TIMEZONE_DATA.get(digits[:length]):
                return tuple(found)
    try:
        number = phonenumbers.parse(phone_e164)
    except phonenumbers.NumberParseException:
        return ()
    return tuple(
        zone for zone in phone_zones.time_zones_for_number(number) if zone != "Etc/Unknown"
    )


# ----------------------------------------------------------------------------------------- hours


def allowed_at(now: datetime, places: Sequence[Place], hours: Hours) -> bool:
    """Whether the brand's hours and the rules of every place allow it at that moment (aware)."""
    moment, plan = _utc(now), _plan(hours)
    return all(_span_at(place, moment, plan) for place in places)


def allowed_until(now: datetime, places: Sequence[Place], hours: Hours) -> datetime:
    """The end, in UTC, of the allowed hours that `now` (aware) lies in, of the place where they
    end first. `now` itself where a place does not allow it.
    """
    moment, plan = _utc(now), _plan(hours)
    spans = [_span_at(place, moment, plan) for place in places]
    return min(span[1] if span else moment for span in spans)


def allowed_window(
    now: datetime, places: Sequence[Place], hours: Hours
) -> tuple[datetime, datetime]:
    """When a text decided on at `now` (aware) may reach a person who is in one of the places.

    Returns, in UTC, the first moment from now on at which every place allows it, and the moment
    from which it is too late: window_hours after now, but where the text had to wait, not before
    the end of the first stretch that it waited for. Inside of these two, ask allowed_at again at
    hand-off: a window over a night has quiet hours in it.

    Raises TextError where the places have no moment in common within a month.
    """
    window = _window(_utc(now), tuple(places), _plan(hours))
    if window is None:
        raise TextError(
            f"The allowed hours of {', '.join(map(str, places))} have no moment in common. Give "
            "the contact a time_zone, or widen `hours` in the policy."
        )
    return window


@dataclass(frozen=True, eq=False)
class _Plan:
    """A policy's hours with the rules beside them. Equal only to itself, so that the caches below
    need not hash all of it for each text.
    """

    own: PlaceHours
    instead: Mapping[str, PlaceHours]
    window: timedelta
    known: Rules

    def on(self, place: Place, day: date) -> tuple[time, time] | None:
        """The first and the end of the allowed times of a place's day; None: not on that day."""
        beside = (self.instead.get(key) or self.known.on(key, day) for key in place.keys)
        parts = [self.own, *(part for part in beside if part)]
        if not all(part.on_holidays for part in parts) and _is_holiday(place, day):
            return None
        times = [_times(part, day.weekday()) for part in parts]
        if not all(times):
            return None
        begin, end = max(t[0] for t in times if t), min(t[1] for t in times if t)
        return (begin, end) if begin < end else None


def _times(part: PlaceHours, weekday: int) -> tuple[time, time] | None:
    begin: time | None = part.from_
    end = part.to
    if isinstance(part, Rule) and weekday in _WEEKEND:
        begin = part.saturday_from or begin
        end = min(end, part.weekend_to or end)
    if weekday == _SUNDAY:
        begin = part.sunday_from
    return (begin, end) if begin is not None else None


def _plan(hours: Hours) -> _Plan:
    # The parts by value: a policy that is read anew finds the plan of the old one.
    own = (hours.from_, hours.to, hours.sunday_from, hours.on_holidays, hours.window_hours)
    return _planned(own, tuple(hours.places.items()), rules())


@lru_cache(maxsize=64)
def _planned(
    own: tuple[time, time, time | None, bool, int],
    places: tuple[tuple[str, PlaceHours], ...],
    known: Rules,
) -> _Plan:
    begin, end, sunday_from, on_holidays, window_hours = own
    hours = PlaceHours.model_validate(
        {"from": begin, "to": end, "sunday_from": sunday_from, "on_holidays": on_holidays}
    )
    return _Plan(hours, dict(places), timedelta(hours=window_hours), known)


def _is_holiday(place: Place, day: date) -> bool:
    return place.country is not None and day in _holidays(place.country, place.state, day.year)


@lru_cache(maxsize=2048)
def _holidays(country: str, state: str | None, year: int) -> frozenset[date]:
    """The public holidays of a place in a year; none of a country the package does not know."""
    import holidays  # a tenth of a second, for those alone who keep holidays

    for subdivision in dict.fromkeys((state, None)):
        try:
            return frozenset(holidays.country_holidays(country, subdivision, years=year))
        except NotImplementedError:
            continue
    return frozenset()


Span = tuple[datetime, datetime]


@lru_cache(maxsize=32768)
def _spans(place: Place, day: date, plan: _Plan) -> tuple[Span, ...]:
    """The stretches [start, end), in UTC, in which the clock of a place shows an allowed time of
    that day. Usually one; two where clocks are put back over an end or a beginning.
    """
    times = plan.on(place, day)
    if times is None:
        return ()
    begin, end = (datetime.combine(day, t, UTC) for t in times)
    midnight = datetime.combine(day, time.min, UTC)
    spans: list[Span] = []
    for start, stop, offset in _offsets(
        _zone(place.zone), midnight - timedelta(hours=15), midnight + timedelta(hours=39)
    ):
        first, last = max(start, begin - offset), min(stop, end - offset)
        if first < last:
            if spans and spans[-1][1] == first:
                first = spans.pop()[0]
            spans.append((first, last))
    return tuple(spans)


def _offsets(
    zone: ZoneInfo, start: datetime, stop: datetime
) -> Iterator[tuple[datetime, datetime, timedelta]]:
    """The offsets from UTC between two moments less than three days apart, in which clocks are
    changed once at most: (from, to, offset).
    """

    def offset(moment: datetime) -> timedelta:
        return moment.astimezone(zone).utcoffset() or timedelta()

    before, after = offset(start), offset(stop)
    if before == after:
        yield start, stop, before
        return
    low, high = 0, int((stop - start).total_seconds())
    while high - low > 1:
        middle = (low + high) // 2
        if offset(start + timedelta(seconds=middle)) == before:
            low = middle
        else:
            high = middle
    change = start + timedelta(seconds=high)
    yield start, change, before
    yield change, stop, after


def _utc(moment: datetime) -> datetime:
    if moment.tzinfo is None:
        raise ValueError("`now` needs a time zone")
    return moment.astimezone(UTC)


def _span_at(place: Place, moment: datetime, plan: _Plan) -> Span | None:
    """The allowed stretch of a place that a moment lies in; None: it is quiet there."""
    day = moment.astimezone(_zone(place.zone)).date()
    return next((s for s in _spans(place, day, plan) if s[0] <= moment < s[1]), None)


def _next_span(place: Place, moment: datetime, plan: _Plan) -> Span | None:
    """The allowed stretch of a place that a moment lies in, or that follows it."""
    day = moment.astimezone(_zone(place.zone)).date()
    for ahead in range(_HORIZON_DAYS):
        for span in _spans(place, day + timedelta(days=ahead), plan):
            if span[1] > moment:
                return span
    return None


@lru_cache(maxsize=16384)
def _window(now: datetime, places: tuple[Place, ...], plan: _Plan) -> Span | None:
    moment, waits, ends = now, True, [now]
    while waits:
        # Until its next stretch a place allows nothing, so no common moment lies before the latest.
        waits, ends = False, []
        for place in places:
            span = _next_span(place, moment, plan)
            if span is None or span[0] - now > timedelta(days=_HORIZON_DAYS):
                return None
            if span[0] > moment:
                moment, waits = span[0], True
            ends.append(span[1])
    end = now + plan.window
    return moment, max(end, min(ends)) if moment > now else end
