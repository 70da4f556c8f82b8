"""What somebody meant by a number, a time or a day that is written otherwise."""

import re
from datetime import date
from typing import Any


def as_part(number: Any) -> str:
    """Percent as a part of 1: 10 is 0.10."""
    part = f"{float(number) / 100:.6f}".rstrip("0")
    return part + "0" * max(0, 4 - len(part))


def meant_number(value: str, *, is_share: bool) -> str:
    """The number that somebody meant by 0,10, by 10 % or by 7 days; '' where that is not plain."""
    found = re.fullmatch(r"(-?\d+(?:[.,]\d+)?)\s*(%|percent|[a-z]+)?", value.strip(), re.IGNORECASE)
    if found is None:
        return ""
    if re.fullmatch(r"-?\d{1,3},\d{3}", found[1]):
        return ""  # a thousand, or a one with three places
    number = found[1].replace(",", ".")
    is_percent = found[2] in ("%", "percent") or (is_share and float(number) > 1)
    return as_part(number) if is_share and is_percent else number


def clock_time(value: str) -> str:
    """The time of day that somebody meant, as HH:MM; '' where that is not plain."""
    found = re.fullmatch(
        r"(\d{1,2})(?:\s*[:.h]\s*(\d{2})(?::\d{2})?)?\s*(?:h|o.?clock|uhr)?\s*([ap])?\.?(?:m\.?)?",
        value.strip().lower(),
    )
    if found is None:
        return ""
    hour, minute = int(found[1]), int(found[2] or 0)
    if found[3]:
        if not 1 <= hour <= 12:
            return ""
        hour = hour % 12 + (12 if found[3] == "p" else 0)
    if (hour, minute) == (24, 0):
        return "23:59"
    return f"{hour:02}:{minute:02}" if hour < 24 and minute < 60 else ""


def calendar_day(value: str) -> str:
    """The day that somebody meant, as YYYY-MM-DD; '' where it may be another, or is none."""
    year_first = re.fullmatch(r"(\d{4})[-./](\d{1,2})[-./](\d{1,2})", value)
    year_last = re.fullmatch(r"(\d{1,2})([-./])(\d{1,2})[-./](\d{4})", value)
    if year_first:
        year, month, day = (int(part) for part in year_first.groups())
    elif year_last:
        first, second, year = int(year_last[1]), int(year_last[3]), int(year_last[4])
        # With full stops the day comes first everywhere; else only a number above 12 tells.
        if year_last[2] != "." and first != second and first <= 12 and second <= 12:
            return ""
        day, month = (second, first) if second > 12 else (first, second)
    else:
        return ""
    try:
        return date(year, month, day).isoformat()
    except ValueError:
        return ""
