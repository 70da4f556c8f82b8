"""What a value of the policy may be: days, shares, countries, hours, words, addresses. What is
none is refused in words.
"""

import re
from datetime import date, datetime, time
from functools import lru_cache
from itertools import pairwise
from typing import Annotated, Any, Literal, get_args, get_origin
from urllib.parse import urlsplit
from zoneinfo import available_timezones

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    ValidationInfo,
    field_validator,
)
from pydantic_core import PydanticCustomError

from reengage.yaml_files.meant import clock_time

Kind = Literal["purchase", "visit", "loyalty", "email_open", "email_click", "reply", "login"]


def shaped(pattern: str, hint: str) -> AfterValidator:
    """A text of one form, refused in words."""

    def check(value: str) -> str:
        if not re.fullmatch(pattern, value):
            raise ValueError(f"write {hint}")
        return value

    return AfterValidator(check)


# The examples are what a message tells people to write.
Days = Annotated[int, Field(ge=1, le=3650, examples=[30])]

Share = Annotated[float, Field(ge=0, le=1, examples=["0.10"])]

Country = Annotated[
    str, shaped("[A-Z]{2}", "the country as two capital letters, like US"), Field(examples=["US"])
]

Language = Annotated[
    str, shaped("[a-z]{2}", "the language as two small letters, like en"), Field(examples=["en"])
]

Currency = Annotated[
    str,
    shaped("[A-Z]{3}", "the currency as three capital letters, like USD"),
    Field(examples=["USD"]),
]

Name = Annotated[
    str,
    shaped(
        "[a-z][a-z0-9_]*",
        "a name in small letters, digits and _, beginning with a letter: spring_survey",
    ),
    Field(examples=["spring_survey"]),
]


@lru_cache(1000)
def time_zone(value: str) -> str:
    """A zone under its own name, whatever case it is written in. Raises ValueError for none."""
    zones = available_timezones()
    if value in zones:
        return value
    name = value.strip().replace(" ", "_").lower()
    if found := next((zone for zone in zones if zone.lower() == name), None):
        return found
    # Etc/GMT+1 is an hour behind: whoever writes GMT+1 means one ahead.
    near = sorted(z for z in zones if name == z.lower().split("/")[-1] and "Etc/" not in z)
    meant = f"you may mean {near[0]}" if near else "write one like America/New_York"
    raise ValueError(f"{value} is no time zone; {meant}")


TimeZone = Annotated[str, AfterValidator(time_zone), Field(examples=["America/New_York"])]


def _quoted(value: Any) -> Any:
    # YAML reads an unquoted 20:00 as the number 1200.
    if isinstance(value, int | float) and not isinstance(value, bool):
        is_whole = isinstance(value, int) and value > 24
        meant = f"{value // 60}:{value % 60:02}" if is_whole else f"{value:.2f}"
        raise ValueError(f'write the hour in quotes: "{clock_time(meant) or "20:00"}"')
    if isinstance(value, str) and not re.fullmatch(r"\d{2}:\d{2}(:\d{2})?", value):
        raise ValueError(f'write the hour in quotes, like "{clock_time(value) or "20:00"}"')
    return value


Hour = Annotated[time, BeforeValidator(_quoted), Field(examples=['"20:00"'])]


def _not_a_number(value: Any) -> Any:
    # A date would take it for seconds since 1970.
    if isinstance(value, int | float):
        raise ValueError("write a day, like 2027-12-31")
    return value


Day = Annotated[date, BeforeValidator(_not_a_number), Field(examples=["2027-12-31"])]

Moment = Annotated[datetime, BeforeValidator(_not_a_number), Field(examples=["2026-11-27 00:00"])]


def is_https(value: str) -> bool:
    """Whether a browser may be sent to exactly this address."""
    try:
        parts = urlsplit(value)
        is_fine = parts.scheme == "https" and bool(parts.hostname) and "@" not in parts.netloc
    except ValueError:
        is_fine = False
    return is_fine and len(value) <= 2000 and bool(re.fullmatch(r"https://[!-~]+", value))


def _address(value: str) -> str:
    if not is_https(value):
        raise ValueError(f"write an address that begins with https://, like {SHOP}")
    return value


SHOP = "https://shop.example"

Address = Annotated[str, AfterValidator(_address), Field(examples=[SHOP])]


def check_growing(days: dict[str, int]) -> None:
    """Raises ValueError where a step does not come after the one before it. days: by step."""
    for (earlier, before), (later, after) in pairwise(days.items()):
        if after <= before:
            raise ValueError(
                f"{later} comes at {after} days, and {earlier} before it at {before}: the days "
                "must grow from step to step"
            )


def check_single(names: list[str], what: str) -> None:
    """Raises ValueError where a name is there twice."""
    if twice := next((name for name in names if names.count(name) > 1), None):
        raise ValueError(f"two {what} have one name, {twice}: each needs a name of its own")


class Part(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)

    @field_validator("*", mode="before")
    @classmethod
    def _no_yes(cls, value: Any, info: ValidationInfo) -> Any:
        """YAML reads yes, no, on and off as true and false, which would pass for 1 and 0."""
        annotation = cls.model_fields[info.field_name or ""].annotation
        is_dict = get_origin(annotation) is dict and isinstance(value, dict)
        given = value.values() if is_dict else (value,)
        takes_it = bool in (annotation, *get_args(annotation))
        if not takes_it and any(isinstance(one, bool) for one in given):
            raise PydanticCustomError("yes_no", "YAML takes this for true or false")
        return value


def _words(value: Any) -> Any:
    if not isinstance(value, str | dict):
        raise ValueError("write some words, in quotes, or those of each language: {en: …, ko: …}")
    return {"": value} if isinstance(value, str) else value


def _some(words: dict[str, str]) -> dict[str, str]:
    if not words or not all(text.strip() for text in words.values()):
        raise ValueError("write some words, or the words of each language: {en: …, ko: …}")
    return words


# What a page says, by language; "" is the brand's.
Words = Annotated[
    dict[Annotated[str, shaped("([a-z]{2})?", "languages as two small letters, like en")], str],
    BeforeValidator(_words),
    AfterValidator(_some),
    Field(examples=['"The words"']),
]
