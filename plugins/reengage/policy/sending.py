"""Whom and when: consent, the control group, caps, hours, and how texts are handed over."""

from typing import Annotated, Any, Literal

from pydantic import Field, field_validator, model_validator

from reengage.policy.values import Country, Day, Days, Hour, Part, shaped


class ConsentClock(Part):
    """After how many days a consent of a country, or of a basis in it, must be given anew."""

    country: Country
    basis: str | None = None
    after_days: Days


class ConsentRule(Part):
    purpose: str = Field(examples=["marketing"])
    channel: Literal["sms"]
    expires_after_days: Days | None = None
    clocks: tuple[ConsentClock, ...] = ()


class Control(Part):
    share: float = Field(ge=0, lt=1, examples=["0.10"])
    salt: str = Field(examples=["spring"])


class WarmUp(Part):
    """The ramp of a new base or number: first_day texts, then `growth` times as many each day."""

    first_day: int = Field(ge=1, examples=[500])
    growth: float = Field(ge=1, le=10, examples=[1.5])
    days: int = Field(ge=1, le=365, examples=[14])
    since: Day | None = None


class Caps(Part):
    """How many may be written to in a day; None: all who are due.

    order: whom the caps let through: the most recently active first; who has been due longest
    first; or of each step its share of those due, the most recently active first within it.
    """

    per_day: int | None = Field(default=None, ge=1)
    order: Literal["recent", "waiting", "shared"] = "recent"
    warm_up: WarmUp | None = None


class PlaceHours(Part):
    """When a phone may ring in a place: [from, to), on Sundays from sunday_from on.

    sunday_from None: not on Sundays; on_holidays False: not on public holidays.
    """

    from_: Hour = Field(alias="from")
    to: Hour
    sunday_from: Hour | None
    on_holidays: bool = True

    @model_validator(mode="after")
    def _ordered(self) -> "PlaceHours":
        if not (self.from_ < self.to and (self.sunday_from is None or self.sunday_from < self.to)):
            raise ValueError("`from` and `sunday_from` must be before `to`")
        return self


class Hours(PlaceHours):
    """The brand's own hours, which hold beside those of the recipient's place.

    places: a country (IT) or a state of one (US-FL) whose rules in include/hours.yaml are
    replaced.
    """

    window_hours: int = Field(ge=1, le=168, examples=[48])
    places: dict[
        Annotated[str, shaped("[A-Z]{2}(-[A-Z0-9]{1,3})?", "a country or a state: IT, US-FL")],
        PlaceHours,
    ] = Field(default={})


class Sending(Part):
    """max_segments: how long a text may be, by the recipient's country (KR) or the text's language
    (ko), and `default`.
    """

    max_segments: dict[
        Annotated[
            str, shaped("default|[A-Z]{2}|[a-z]{2}", "default, a country (KR) or a language (ko)")
        ],
        Annotated[int, Field(ge=1, le=4)],
    ] = Field(default={"default": 1})
    batch_size: int = Field(ge=1, le=1000, examples=[500])
    timeout_seconds: float = Field(gt=0, examples=[15])
    settle_seconds: float = Field(ge=0, examples=[30])
    max_attempts: int = Field(ge=1, examples=[5])
    max_age_days: Days

    @field_validator("max_segments", mode="before")
    @classmethod
    def _named(cls, value: Any) -> Any:
        if isinstance(value, int):
            return {"default": value}
        if not isinstance(value, dict):
            raise ValueError("write a number, or several by place: {default: 1, KR: 3}")
        return {"default": 1, **value}

    def segments_for(self, country: str | None, language: str) -> int:
        """The most segments of a text in that language to that country."""
        limits = self.max_segments
        named = [limits[key] for key in (country, language) if key in limits]
        return max(named, default=limits["default"])


class Replies(Part):
    """hold_days: after so many days a reply that nobody has read counts as a stop."""

    hold_days: int = Field(default=7, ge=1, le=10)


class Links(Part):
    valid_days: Days
