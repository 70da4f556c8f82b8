"""When a phone may ring where it is: within the brand's own hours and the rules of the place,
Sundays and public holidays included.

Nothing here reads a clock, a database or the network.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from functools import lru_cache
from zoneinfo import ZoneInfo

from reengage.errors import TextError
from reengage.hours.law import Rule, Rules, rules
from reengage.hours.places import Place
from reengage.policy import Hours, PlaceHours

_SUNDAY, _WEEKEND = 6, (5, 6)

# No chain of Sundays and public holidays lasts this long: beyond it, no moment will ever come.
_HORIZON_DAYS = 31

_zone = lru_cache(maxsize=1024)(ZoneInfo)


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
