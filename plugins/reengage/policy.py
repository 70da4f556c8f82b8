"""The policy: include/journey.yaml, read, checked, and asked questions."""

import hashlib
from datetime import date, datetime, time, timedelta
from pathlib import Path
from typing import Annotated, Any, Literal
from zoneinfo import ZoneInfo, available_timezones

import yaml
from pydantic import (
    AfterValidator,
    BaseModel,
    ConfigDict,
    Field,
    ValidationError,
    field_validator,
    model_validator,
)

from reengage.errors import ConfigurationError
from reengage.settings import settings

Kind = Literal["purchase", "visit", "loyalty", "email_open", "email_click", "reply", "login"]
Days = Annotated[int, Field(ge=1, le=3650)]


def _zone(value: str) -> str:
    if value not in available_timezones():
        raise ValueError(f"{value!r} is no time zone; write one like America/New_York")
    return value


TimeZone = Annotated[str, AfterValidator(_zone)]


class _Part(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Brand(_Part):
    """Who writes. link_domain None: links point to the local link service."""

    name: str
    time_zone: TimeZone
    country: str = Field(pattern="^[A-Z]{2}$")
    language: str = Field(pattern="^[a-z]{2}$")
    currency: str = Field(pattern="^[A-Z]{3}$")
    link_domain: str | None = None
    sender: str
    support: str

    @property
    def zone(self) -> ZoneInfo:
        return ZoneInfo(self.time_zone)


class CouponOffer(_Part):
    """What a coupon is worth, in percent or in the brand's currency."""

    kind: Literal["percent", "value"]
    value: float = Field(gt=0)
    valid_days: Days


class Step(_Part):
    """One rung of the ladder: reached after `after_days` without a signal."""

    name: str = Field(pattern="^[a-z][a-z0-9_]*$")
    after_days: Days
    template: str
    coupon: CouponOffer | None = None


class ConsentRule(_Part):
    purpose: str
    channel: Literal["sms"]
    expires_after_days: Days | None = None


class Control(_Part):
    share: float = Field(ge=0, lt=1)
    salt: str


class Hours(_Part):
    """The recipient's hours: [from, to), on Sundays from sunday_from on."""

    from_: time = Field(alias="from")
    to: time
    sunday_from: time
    window_hours: int = Field(ge=1, le=168)

    @model_validator(mode="after")
    def _ordered(self) -> "Hours":
        if not (self.from_ < self.to and self.sunday_from < self.to):
            raise ValueError("`from` and `sunday_from` must be before `to`")
        return self


class Sending(_Part):
    max_segments: int = Field(ge=1, le=10)
    batch_size: int = Field(ge=1, le=1000)
    timeout_seconds: float = Field(gt=0)
    settle_seconds: float = Field(ge=0)
    max_attempts: int = Field(ge=1)
    max_age_days: Days


class Links(_Part):
    valid_days: Days


class Gates(_Part):
    max_rejected_share: float = Field(ge=0, le=1)


class Policy(_Part):
    """Everything a marketer decides. `version` names the text it was read from."""

    version: str
    brand: Brand
    signals: tuple[Kind, ...] = Field(min_length=1)
    steps: tuple[Step, ...] = Field(min_length=1)
    close_after_days: Days
    cooldown_days: Days
    repeat_after_days: Days
    gap_days: int = Field(ge=0)
    consent: ConsentRule
    control: Control
    hours: Hours
    sending: Sending
    links: Links
    attribution_days: Days
    gates: Gates

    @field_validator("steps")
    @classmethod
    def _ascending(cls, steps: tuple[Step, ...]) -> tuple[Step, ...]:
        days = [step.after_days for step in steps]
        if sorted(set(days)) != days:
            raise ValueError(f"after_days must grow from step to step, but reads {days}")
        if len({step.name for step in steps}) < len(steps):
            raise ValueError("two steps have one name")
        return steps

    def step(self, name: str) -> Step:
        return next(step for step in self.steps if step.name == name)

    @property
    def ladder(self) -> dict[str, list[Any]]:
        """The steps as binds for SQL: step_names and their step_days, lowest first."""
        return {
            "step_names": [step.name for step in self.steps],
            "step_days": [step.after_days for step in self.steps],
        }

    def end_of(self, day: date) -> datetime:
        """The first instant after a brand day: midnight in the brand's zone. Aware."""
        return datetime.combine(day + timedelta(days=1), time.min, self.brand.zone)


def read_policy(path: Path | None = None) -> Policy:
    """The policy of this installation, or of the file given.

    Raises ConfigurationError: the file, the place in it, what is wrong and what is allowed.
    """
    path = path or settings().policy
    try:
        text = path.read_text(encoding="utf-8")
        content = yaml.safe_load(text)
    except (OSError, UnicodeDecodeError, yaml.YAMLError) as error:
        raise ConfigurationError(f"The policy {path} cannot be read: {error}") from error
    if not isinstance(content, dict):
        raise ConfigurationError(f"The policy {path} is no YAML mapping: see include/journey.yaml.")
    version = hashlib.sha256(text.encode()).hexdigest()[:12]
    try:
        return Policy.model_validate({"version": version, **content})
    except ValidationError as error:
        raise ConfigurationError(f"The policy {path} {explain(error)}") from error


def explain(error: ValidationError) -> str:
    """A pydantic error as sentences a person can act on."""
    lines = [
        f"  {'.'.join(map(str, e['loc'])) or 'as a whole'}: "
        + e["msg"].removeprefix("Value error, ")
        + (f" (it says {e['input']!r})" if not isinstance(e["input"], dict) else "")
        for e in error.errors()
    ]
    return "is not usable:\n" + "\n".join(lines)
