"""Times as a source writes them: what they say, and the brand's day they fall on."""

import re
from collections.abc import Sequence
from datetime import UTC, date, datetime, time, timedelta, timezone
from functools import lru_cache
from typing import NamedTuple
from zoneinfo import ZoneInfo, available_timezones

DATE = re.compile(r"(\d{4})[-/.]?(\d{2})[-/.]?(\d{2})", re.ASCII)
ZONE = re.compile(r"[A-Za-z][A-Za-z_]*(?:[/+-]\w+)*(?::\d\d)?", re.ASCII)
WITH_ZONE = re.compile(rf"(\S.*\d)\s+({ZONE.pattern})", re.ASCII)
OFFSET = re.compile(r"(?:UTC|GMT)([+-])(\d{1,2})(?::?(\d\d))?", re.ASCII | re.IGNORECASE)
# What several countries do not use for several zones, in hours. CST, IST and BST are read where the
# source's own zone, or the brand's, is called so.
KNOWN = {
    "UTC": 0,
    "UT": 0,
    "GMT": 0,
    "Z": 0,
    "WET": 0,
    "WEST": 1,
    "CET": 1,
    "CEST": 2,
    "EET": 2,
    "EEST": 3,
    "MSK": 3,
    "EST": -5,
    "EDT": -4,
    "CDT": -5,
    "MST": -7,
    "MDT": -6,
    "PST": -8,
    "PDT": -7,
    "JST": 9,
    "KST": 9,
    "AEST": 10,
    "AEDT": 11,
    "NZST": 12,
    "NZDT": 13,
}


# How exports write times that are not ISO 8601, as of strptime.
_DAYS = (
    "%d.%m.%Y",
    "%d/%m/%Y",
    "%m/%d/%Y",
    "%d-%m-%Y",
    "%m-%d-%Y",
    "%d.%m.%y",
    "%d/%m/%y",
    "%m/%d/%y",
    "%d-%m-%y",
    "%m-%d-%y",
    "%Y/%m/%d",
    "%Y.%m.%d",
    "%Y-%m-%d",
    "%d %b %Y",
    "%d-%b-%Y",
    "%d-%b-%y",
    "%d %B %Y",
    "%b %d, %Y",
    "%B %d, %Y",
    "%a, %d %b %Y",
    "%a %d %b %Y",
)
_CLOCK = re.compile(
    r"(?P<between>, | - | |T)(?P<hour>\d{1,2})(?P<sign>[:.]?)\d\d(?P<seconds>(?P=sign)\d\d)?"
    r"(?P<fraction>\.\d{1,6})?(?P<half> ?[AP]M)?"
    r"(?: ?(?P<ahead>[+-]\d\d:?\d\d|Z)| (?P<zone>[A-Z]{2,5}))?",
    re.ASCII | re.IGNORECASE,
)
_LIKE_A_DAY = re.compile(
    r"(?:\d{4}[-/.]\d{1,2}[-/.]\d{1,2}|\d{1,2}[-/.]\d{1,2}[-/.](?:\d{4}|\d{2}))"
    r"(?:[ T]\d{1,2}[:.]\d{2}(?:[:.]\d{2})?)?",
    re.ASCII,
)
# The end of a day, as ISO 8601 may write it: the next one's beginning.
_MIDNIGHT = re.compile(
    r"(\d{4}-\d\d-\d\d[T ])24(:00(?::00(?:[.,]0+)?)?(?:Z|[+-]\d\d:?\d\d)?)", re.ASCII
)
_DAY_NUMBER = re.compile(r"[2-6]\d{4}(?:[.,]\d+)?", re.ASCII)


LAST_YEAR = 2200  # in which anything of a retailer's can have been
BUDDHIST = 543  # years that the Thai calendar is ahead


class BadTime(ValueError):
    """Why a value is no time. Never holds the value."""


def impossible(year: int) -> str:
    """What is said of a time of a year in which nothing of a retailer's can have been."""
    thai = f", which {year - BUDDHIST} is in the Thai calendar" if 2500 < year < 2600 else ""
    return f"is no time that can be true (year {year}{thai})"


class UnreadableTime(BadTime):
    """A value that is written in a way that the source does not say."""

    def __init__(self) -> None:
        super().__init__("is no time that can be read")


def how_to_read(value: str) -> str:
    """What to write into the YAML so that a value is read as a time, with the value as an example
    where it looks like one: what may be anything else is not shown.
    """
    value = value.strip()
    if _DAY_NUMBER.fullmatch(value):
        return ": it looks like a spreadsheet's number of a day: have the column written as dates"
    formats = [one for one in _formats_of(value) if _reads(one, value)] if len(value) <= 50 else []
    example = f", like {value}" if formats or _LIKE_A_DAY.fullmatch(value) else ""
    if not formats:
        return f"{example}: say how it is written as `time_format`, in strptime's letters"
    said = f'{example}: say `time_format: "{formats[0]}"`'
    if formats[1:]:
        said += f', or "{formats[1]}" where the month comes first'
    return said


def _formats_of(value: str) -> list[str]:
    """The formats that a value fits, the day first where it cannot be told from the month."""
    readings = [(value, "")]
    for place in range(6, len(value)):
        if clock := _CLOCK.fullmatch(value, place):
            readings.append((value[:place], _clock_format(clock)))
    found = [day + hours for text, hours in readings for day in _DAYS if _fits(text, day)]
    first = next(iter(found), "")
    other = re.sub("%[dm]", lambda part: "%m" if part[0] == "%d" else "%d", first)
    return [first, *[other for _ in found[1:] if other in found][:1]] if first else []


def _clock_format(clock: re.Match[str]) -> str:
    sign, zone = clock["sign"], clock["ahead"] or clock["zone"]
    blank = " " if zone and clock[0][-len(zone) - 1] == " " else ""
    return "".join(
        (
            clock["between"],
            f"%{'I' if clock['half'] else 'H'}{sign}%M",
            f"{sign}%S" if clock["seconds"] else "",
            ".%f" if clock["fraction"] else "",
            re.sub("[A-Za-z]+", "%p", clock["half"] or ""),
            blank + ("%z" if clock["ahead"] else "%Z") if zone else "",
        )
    )


def _reads(format: str, value: str) -> bool:
    """Whether a value can be read as a source that says the format would."""
    utc = ZoneInfo("UTC")
    try:
        Times(format, utc, utc)(value)
    except UnreadableTime:
        return False
    except BadTime:
        return True  # a zone that is not known is told of, once the format is said
    return True


def _fits(text: str, format: str) -> bool:
    try:
        datetime.strptime(text, format)  # noqa: DTZ007
    except ValueError:
        return False
    return True


class Moment(NamedTuple):
    """A time, and the brand's day it falls on."""

    at: datetime
    on: date


class Times:
    """Reads the times of one source.

    formats: as of strptime, the first that fits; none: ISO 8601, or seconds or milliseconds since
    1970. zone: of what names none. A date alone is a day of the brand's and is not shifted.
    """

    def __init__(
        self, formats: str | Sequence[str] | None, zone: ZoneInfo, brand: ZoneInfo
    ) -> None:
        said = [formats] if isinstance(formats, str) else formats or ()
        self._formats = [(one, set(re.findall("%.", one))) for one in map(_with_zone, said)]
        self._zone = zone
        self._brand = brand

    def __call__(self, value: str) -> Moment:
        """Raises BadTime."""
        try:
            at, is_day = self._formatted(value) if self._formats else self._plain(value)
        except BadTime:
            raise
        except (ValueError, OverflowError):
            raise UnreadableTime from None
        if not 1900 <= at.year <= 9000:
            raise BadTime(impossible(at.year))
        if is_day:
            midnight = datetime.combine(at.date(), time.min, self._brand)
            return Moment(midnight.astimezone(UTC), at.date())
        if at.tzinfo is None:
            at = at.replace(tzinfo=self._zone)
        return Moment(at.astimezone(UTC), at.astimezone(self._brand).date())

    def _plain(self, value: str) -> tuple[datetime, bool]:
        if match := DATE.fullmatch(value):
            year, month, day = map(int, match.groups())
            return datetime(year, month, day), True  # noqa: DTZ001
        if re.fullmatch(r"\d{10}(\d{3})?", value):
            seconds = int(value) / (1000 if len(value) == 13 else 1)
            return datetime.fromtimestamp(seconds, UTC), False
        if match := WITH_ZONE.fullmatch(value):
            at = datetime.fromisoformat(match[1])
            return self._in_zone(at, match[2]), False
        if match := _MIDNIGHT.fullmatch(value):
            return datetime.fromisoformat(f"{match[1]}00{match[2]}") + timedelta(days=1), False
        return datetime.fromisoformat(re.sub(r" (?=[+-]\d\d:?\d\d$)", "", value)), False

    def _formatted(self, value: str) -> tuple[datetime, bool]:
        """By the first format that fits; a zone that is not known is told only where none does."""
        told: ValueError = ValueError()
        for format, parts in self._formats:
            try:
                if "%Z" in parts:
                    at = self._named_zone(value, format)
                else:
                    at = datetime.strptime(value, format)  # noqa: DTZ007
            except BadTime as error:
                told = error
            except ValueError:
                continue
            else:
                return at, not parts & {"%H", "%I", "%M", "%S", "%c", "%X", "%p", "%f"}
        raise told

    def _named_zone(self, value: str, format: str) -> datetime:
        """strptime knows hardly a zone's name, and drops it: whichever word of the value can stand
        there instead of UTC is the zone.
        """
        for word in ZONE.finditer(value):
            try:
                at = datetime.strptime(  # noqa: DTZ007
                    f"{value[: word.start()]}UTC{value[word.end() :]}", format
                )
            except ValueError:
                continue
            return self._in_zone(at, word[0])
        raise ValueError

    def _in_zone(self, at: datetime, name: str) -> datetime:
        if at.utcoffset() is not None:  # %z beside it says so, and in figures
            return at
        if match := OFFSET.fullmatch(name):
            ahead = timedelta(hours=int(match[2]), minutes=int(match[3] or 0))
            return at.replace(tzinfo=timezone(-ahead if match[1] == "-" else ahead))
        short = name.upper()
        for zone in (self._zone, self._brand):
            if (offset := _offsets(zone, at.year).get(short)) is not None:
                return at.replace(tzinfo=timezone(offset))
        if short in KNOWN:
            return at.replace(tzinfo=timezone(timedelta(hours=KNOWN[short])))
        if "/" in name and name in available_timezones():
            return at.replace(tzinfo=ZoneInfo(name))
        raise BadTime("names a time zone that is not known: UTC, +02:00 and Europe/Rome are")


def names_zone(formats: str | Sequence[str] | None) -> bool:
    """Whether one of the formats says by a name, or written out, which zone a time is of."""
    said = [formats] if isinstance(formats, str) else formats or ()
    return any("%Z" in one or one != _with_zone(one) for one in said)


def _with_zone(format: str) -> str:
    """A format in which a zone that is written out (Z, UTC, +0000) is one, and not mere letters."""
    return "".join(
        part if part.startswith("%") else _WRITTEN_OUT.sub(lambda m: "%z" if m[1] else "%Z", part)
        for part in re.split(r"(%-?.)", format)
    )


# +00:00; a name as above; Z as it ends a time in ISO 8601, also in quotes.
_WRITTEN_OUT = re.compile(
    rf"([+-]\d\d:?\d\d)$|(?<![A-Za-z])(?:{'|'.join(KNOWN)})(?![A-Za-z])", re.ASCII
)


@lru_cache(maxsize=1000)
def _offsets(zone: ZoneInfo, year: int) -> dict[str, timedelta]:
    """What a zone calls its times in a year (CET, CEST), and how far ahead of UTC they are."""
    months = [datetime(max(year, 1), month, 1, tzinfo=zone) for month in range(1, 13)]
    return {str(at.tzname()).upper(): at.utcoffset() or timedelta() for at in months}
