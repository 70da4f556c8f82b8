"""How the page writes days, times, numbers and shares."""

from datetime import date, datetime, timedelta
from decimal import Decimal
from typing import Any
from urllib.parse import urlencode
from zoneinfo import ZoneInfo

from jinja2 import Environment, FileSystemLoader, StrictUndefined

from reengage.clock import day_text
from reengage.marketer.words import ENDS, TONES
from reengage.settings import templates


def _day(value: date | None) -> str:
    return "–" if value is None else day_text(value)


def _after(value: datetime, days: int, zone: ZoneInfo) -> date:
    """The day on which so many days since a time are over."""
    return (value + timedelta(days=days)).astimezone(zone).date()


def _time(value: datetime | None, zone: ZoneInfo) -> str:
    if value is None:
        return "–"
    local = value.astimezone(zone)
    return f"{_day(local.date())}, {local:%H:%M}"


def _minus(said: str) -> str:
    """A number as it is set in print."""
    return said.replace("-", "−")


def _number(value: int | Decimal | None) -> str:
    return "–" if value is None else _minus(f"{value:,.0f}")


def _money(value: Decimal | None) -> str:
    return "–" if value is None else _minus(f"{value:,.2f}")


def _change(now: int, before: int | None) -> str:
    """The difference to the day before, with its sign; nothing where there is none to compare."""
    if before is None:
        return ""
    return _minus(f"{now - before:+,}") if now != before else "±0"


def _share(part: int | Decimal, whole: int | Decimal) -> str:
    """A part of a whole in percent; a part that is there never reads as 0.0%."""
    if not whole:
        return "–"
    percent = 100 * float(part) / float(whole)
    return "<0.1%" if 0 < percent < 0.05 else f"{percent:.1f}%"


def points(share: float | None) -> str:
    """A difference of shares in points, with its sign."""
    if share is None:
        return "–"
    value = 100 * share
    digits = 1 if abs(value) >= 1 or value == 0 else 2
    said = f"{value:+.{digits}f}"
    return _minus(said if float(said) else f"{0:.{digits}f}")


def _query(values: dict[str, Any]) -> str:
    return urlencode({key: value for key, value in values.items() if value is not None})


def environment_of_pages() -> Environment:
    environment = Environment(
        loader=FileSystemLoader(templates("marketer")),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters.update(
        day=_day,
        time=_time,
        after=_after,
        number=_number,
        money=_money,
        share=_share,
        query=_query,
        change=_change,
        points=points,
    )
    environment.globals.update(TONES=TONES, ENDS=ENDS)
    return environment
